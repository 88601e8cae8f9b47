"""Token, waits and quota of the client, on a clock that the test owns."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from loader.errors import (
    Interrupted,
    SourceBug,
    SourceCredentials,
    SourceForbidden,
    SourceQuota,
    SourceUnavailable,
    UnknownArtist,
)
from loader.http import HttpAnswer, HttpFailure, HttpRequest
from loader.ledger import FileLedger, Ledger, UnlimitedLedger
from loader.patience import Waiting
from loader.spotify import SpotifyAccess, SpotifyClient
from tests.unit.loader.kit import ManualClock

OK = HttpAnswer(200, {}, b'{"tracks":[]}')
EXPIRED = HttpAnswer(401, {}, b'{"error":{"status":401,"message":"The access token expired"}}')
SECRET = "very-secret-value"


def throttled(wait: str) -> HttpAnswer:
    return HttpAnswer(429, {"retry-after": wait}, b"Too many requests")


class Script:
    """A door that answers API calls from a list (the last one for ever) and counts tokens."""

    def __init__(self, *answers: HttpAnswer | Exception, lifetime_s: int = 3600) -> None:
        self.answers = list(answers)
        self.lifetime_s = lifetime_s
        self.tokens = 0
        self.calls: list[HttpRequest] = []
        self.token_answer: HttpAnswer | None = None

    def send(self, request: HttpRequest) -> HttpAnswer:
        if request.url.endswith("/api/token"):
            self.tokens += 1
            body = {"access_token": f"token-{self.tokens}", "token_type": "Bearer", "expires_in": self.lifetime_s}
            return self.token_answer or HttpAnswer(200, {}, json.dumps(body).encode())
        self.calls.append(request)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return found


def client(
    door: Script,
    clock: ManualClock,
    *,
    ledger: Ledger | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_wait: Callable[[Waiting], None] | None = None,
) -> SpotifyClient:
    access = SpotifyAccess("id", SECRET, "http://api/v1", "http://accounts")
    return SpotifyClient(access, door, ledger or UnlimitedLedger(clock.now), clock.runtime(stop), on_wait=on_wait)


def test_one_token_serves_until_a_minute_before_its_end(clock: ManualClock) -> None:
    door = Script(OK)
    api = client(door, clock)
    api.get("/a", {})
    clock.seconds += 3539
    api.get("/a", {})
    assert door.tokens == 1
    clock.seconds += 2
    api.get("/a", {})
    assert door.tokens == 2


def test_an_expired_token_is_renewed_once_and_the_call_repeated(clock: ManualClock) -> None:
    door = Script(EXPIRED, OK)
    assert client(door, clock).get("/a", {}) == {"tracks": []}
    assert [call.secret["Authorization"] for call in door.calls] == ["Bearer token-1", "Bearer token-2"]


def test_a_second_401_stops_the_run(clock: ManualClock) -> None:
    door = Script(EXPIRED)
    with pytest.raises(SourceCredentials):
        client(door, clock).get("/a", {})
    assert len(door.calls) == 2


def test_threads_share_one_renewal(clock: ManualClock) -> None:
    door = Script(OK)
    api = client(door, clock)
    threads = [threading.Thread(target=api.get, args=("/a", {})) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert door.tokens == 1
    assert len(door.calls) == 8


def test_a_wrong_secret_is_a_credentials_error_that_does_not_show_it(clock: ManualClock) -> None:
    door = Script(OK)
    door.token_answer = HttpAnswer(400, {}, b'{"error":"invalid_client","error_description":"Invalid client"}')
    with pytest.raises(SourceCredentials) as caught:
        client(door, clock).get("/a", {})
    assert SECRET not in f"{caught.value}{caught.value.hint}"
    assert not door.calls


def test_a_short_retry_after_is_waited_out_with_jitter(clock: ManualClock) -> None:
    door = Script(throttled("2"), OK)
    client(door, clock).get("/a", {})
    assert 2.0 <= clock.seconds <= 2.0 * 1.25 + 0.1
    assert max(clock.slept) <= 0.2 + 1e-9


def test_a_huge_retry_after_is_never_slept_but_named(clock: ManualClock) -> None:
    door = Script(throttled("48925"))
    with pytest.raises(SourceQuota) as caught:
        client(door, clock).get("/a", {})
    assert clock.seconds == 0
    assert (caught.value.resume_at - clock.now()).total_seconds() == 48925


def test_a_missing_retry_after_waits_longer_each_time_and_then_gives_up(clock: ManualClock) -> None:
    door = Script(HttpAnswer(429, {}, b""))
    with pytest.raises(SourceUnavailable):
        client(door, clock).get("/a", {})
    assert len(door.calls) == 5
    assert clock.seconds < 120


def test_a_source_that_throttles_for_good_is_given_up_after_two_minutes_of_waiting(clock: ManualClock) -> None:
    door = Script(throttled("50"), throttled("50"), throttled("50"))
    with pytest.raises(SourceUnavailable, match="throttled 3 times in 112 s of waiting"):
        client(door, clock).get("/a", {})
    assert clock.seconds < 120


def test_every_wait_is_told_before_it_begins_with_its_reason_and_the_end_of_patience(clock: ManualClock) -> None:
    door = Script(throttled("2"), throttled("4"), OK)
    told: list[tuple[float, Waiting]] = []
    client(door, clock, on_wait=lambda one: told.append((clock.seconds, one))).get("/a", {})
    assert [(one.seconds, one.left_s) for _, one in told] == [(2.25, 120.0), (4.5, 117.75)]
    assert told[0][0] == 0
    assert told[0][1].said == "HTTP 429 Too many requests"


def test_threads_that_are_throttled_together_tell_of_one_wait(clock: ManualClock) -> None:
    told: list[Waiting] = []
    api = client(Script(throttled("30")), clock, on_wait=told.append, stop=lambda: clock.seconds > 20)
    threads = [threading.Thread(target=_until_stopped, args=(api,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 1


def _until_stopped(api: SpotifyClient) -> None:
    with contextlib.suppress(Interrupted):
        api.get("/a", {})


def test_failures_that_last_are_told_and_a_single_one_is_not(clock: ManualClock) -> None:
    told: list[Waiting] = []
    client(Script(HttpFailure("reset"), OK), clock, on_wait=told.append).get("/a", {})
    assert told == []
    with pytest.raises(SourceUnavailable):
        client(Script(HttpFailure("reset")), clock, on_wait=told.append).get("/a", {})
    assert {one.said for one in told} == {"reset"}
    assert all(one.seconds <= one.left_s for one in told)


def test_quota_exceeded_is_never_retried_and_closes_the_ledger_for_later_runs(
    clock: ManualClock, tmp_path: Path
) -> None:
    quota = HttpAnswer(
        429, {"retry-after": "3600"}, b'{"error":{"status":429,"message":"x","reason":"QUOTA_EXCEEDED"}}'
    )
    door = Script(quota, OK)
    ledger = FileLedger(tmp_path / "ledger.json", clock.now)
    with pytest.raises(SourceQuota):
        client(door, clock, ledger=ledger).get("/a", {})
    later = FileLedger(tmp_path / "ledger.json", clock.now)
    with pytest.raises(SourceQuota):
        client(door, clock, ledger=later).get("/a", {})
    assert len(door.calls) == 1
    clock.seconds += 3601
    client(door, clock, ledger=later).get("/a", {})
    assert len(door.calls) == 2


def test_failures_of_the_network_are_retried_four_times_and_then_resumable(clock: ManualClock) -> None:
    door = Script(HttpFailure("reset"))
    with pytest.raises(SourceUnavailable, match="reset"):
        client(door, clock).get("/a", {})
    assert len(door.calls) == 5


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (HttpAnswer(403, {}, b'{"error":{"status":403,"message":"Forbidden"}}'), SourceForbidden, "not open"),
        (
            HttpAnswer(403, {}, b"Active premium subscription required for the owner of the app"),
            SourceForbidden,
            "Premium",
        ),
        (HttpAnswer(400, {}, b'{"error":{"status":400,"message":"Invalid limit"}}'), SourceBug, "Invalid limit"),
        (HttpAnswer(404, {}, b'{"error":{"status":404,"message":"non existing id"}}'), UnknownArtist, "non existing"),
    ],
)
def test_a_permanent_answer_is_asked_for_once(
    clock: ManualClock, answer: HttpAnswer, error: type[Exception], words: str
) -> None:
    door = Script(answer)
    with pytest.raises(error, match=words):
        client(door, clock).get("/a/top-tracks", {})
    assert len(door.calls) == 1


def test_a_stop_interrupts_a_wait_within_one_slice(clock: ManualClock) -> None:
    door = Script(throttled("50"))
    with pytest.raises(Interrupted):
        client(door, clock, stop=lambda: clock.seconds > 1.0).get("/a", {})
    assert clock.seconds < 1.5
