"""Client of the Spotify Web API: one token at a time, one policy for every answer it may give."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from loader.decode import whole_number
from loader.errors import (
    AnswerRefused,
    LoaderError,
    SourceBug,
    SourceCredentials,
    SourceForbidden,
    SourceQuota,
    SourceUnavailable,
    UnknownArtist,
)
from loader.http import HttpAnswer, HttpDoor, HttpFailure, HttpRequest
from loader.ledger import Ledger
from loader.models import timestamp
from loader.runtime import Runtime
from loader.verdict import Meaning, Verdict, judge

RENEW_EARLY_S = 60.0
DEFAULT_QUOTA_WAIT_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class SpotifyAccess:
    """Where the API is, and who asks. The secret never appears in a text of this object."""

    client_id: str
    client_secret: str = field(repr=False)
    api_url: str = "https://api.spotify.com/v1"
    accounts_url: str = "https://accounts.spotify.com"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a process may wait. A longer Retry-After ends the run: it can be resumed."""

    longest_wait_s: float = 60.0
    default_wait_s: float = 5.0
    throttled_tries: int = 8
    transient_tries: int = 4
    transient_base_s: float = 0.5


class Pace:
    """The gap between requests, shared by all threads: doubled by a 429, shrinking while all goes well."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()
        self._gap_s = 0.0
        self._next = 0.0

    def wait(self) -> None:
        """Return when the next request may leave."""
        with self._lock:
            now = self._runtime.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap_s
        if turn > now:
            self._runtime.pause(turn - now)

    def slower(self, wait_s: float) -> None:
        """Nobody sends for `wait_s`, and then at a lower rate."""
        with self._lock:
            self._gap_s = min(2.0, max(0.05, self._gap_s * 2))
            self._next = max(self._next, self._runtime.monotonic() + wait_s)

    def faster(self) -> None:
        """A request went well."""
        with self._lock:
            self._gap_s = 0.0 if self._gap_s < 0.02 else self._gap_s * 0.9


class SpotifyClient:
    """GET with a token. Every answer is either a document or an error of `loader.errors`."""

    def __init__(
        self,
        access: SpotifyAccess,
        door: HttpDoor,
        ledger: Ledger,
        runtime: Runtime,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._access = access
        self._door = door
        self._ledger = ledger
        self._runtime = runtime
        self._policy = policy or RetryPolicy()
        self._pace = Pace(runtime)
        self._token_lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0

    @property
    def runtime(self) -> Runtime:
        """The clock that answers are stamped with."""
        return self._runtime

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """The document of a 200; 401 renews the token once, 429 and failures are waited out within the policy."""
        tries = _Tries(self._policy, self._runtime, self._ledger, self._pace)
        renewed = False
        while True:
            self._pace.wait()
            token = self._valid_token()
            self._ledger.spend()
            request = HttpRequest(
                "GET", f"{self._access.api_url}{path}", query, secret={"Authorization": f"Bearer {token}"}
            )
            verdict = self._send(request)
            if verdict.meaning is Meaning.OK:
                self._pace.faster()
                return verdict.document
            if verdict.meaning is Meaning.TOKEN_EXPIRED and not renewed:
                renewed = True
                self._forget(token)
                continue
            tries.wait_or_raise(verdict, path)

    def _send(self, request: HttpRequest) -> Verdict:
        self._runtime.check()
        try:
            answer: HttpAnswer = self._door.send(request)
        except HttpFailure as failure:
            return Verdict(Meaning.TRANSIENT, str(failure))
        return judge(answer, self._runtime.now())

    def _valid_token(self) -> str:
        """The cached token, or a new one. The lock lets one thread renew while the others wait for it."""
        with self._token_lock:
            if not self._token or self._runtime.monotonic() >= self._renew_at:
                document = self._ask_token()
                lifetime = whole_number(document.get("expires_in")) or 3600
                self._token = str(document["access_token"])
                early = min(RENEW_EARLY_S, lifetime / 2)
                # Monotonic: a wall clock that is set must not make a token immortal.
                self._renew_at = self._runtime.monotonic() + lifetime - early
            return self._token

    def _forget(self, token: str) -> None:
        with self._token_lock:
            if self._token == token:
                self._token = ""

    def _ask_token(self) -> Mapping[str, Any]:
        pair = f"{self._access.client_id}:{self._access.client_secret}".encode()
        request = HttpRequest(
            "POST",
            f"{self._access.accounts_url}/api/token",
            form={"grant_type": "client_credentials"},
            secret={"Authorization": f"Basic {base64.b64encode(pair).decode()}"},
        )
        tries = _Tries(self._policy, self._runtime, self._ledger, self._pace)
        while True:
            verdict = self._send(request)
            if verdict.meaning is Meaning.OK and isinstance(verdict.document.get("access_token"), str):
                token: Mapping[str, Any] = verdict.document
                return token
            if verdict.meaning is Meaning.OK:
                verdict = Verdict(Meaning.TRANSIENT, "token answer without access_token")
            elif verdict.meaning in (Meaning.TOKEN_EXPIRED, Meaning.BAD_REQUEST, Meaning.UNKNOWN_ID):
                verdict = Verdict(Meaning.BAD_CLIENT, verdict.said)
            tries.wait_or_raise(verdict, "/api/token")


class _Tries:
    """What one request has left: waits when there is hope, raises when there is none."""

    def __init__(self, policy: RetryPolicy, runtime: Runtime, ledger: Ledger, pace: Pace) -> None:
        self._policy = policy
        self._runtime = runtime
        self._ledger = ledger
        self._pace = pace
        self._throttled = 0
        self._transient = 0

    def wait_or_raise(self, verdict: Verdict, path: str) -> None:
        """Return after a wait, or raise what the verdict means."""
        if verdict.meaning is Meaning.TRANSIENT:
            self._wait_transient(verdict, path)
        elif verdict.meaning is Meaning.THROTTLED:
            self._wait_throttled(verdict, path)
        elif verdict.meaning is Meaning.QUOTA:
            self._close(verdict.wait_s or DEFAULT_QUOTA_WAIT_S, verdict.said)
        else:
            raise _final_error(verdict, path)

    def _wait_transient(self, verdict: Verdict, path: str) -> None:
        self._transient += 1
        if self._transient > self._policy.transient_tries:
            raise SourceUnavailable(f"no usable answer for {path} after {self._transient} tries", why=verdict.said)
        wait_s = self._policy.transient_base_s * 2 ** (self._transient - 1)
        self._runtime.pause(wait_s * (0.5 + self._runtime.random()))

    def _wait_throttled(self, verdict: Verdict, path: str) -> None:
        asked_s = verdict.wait_s
        if asked_s is None:
            asked_s = min(self._policy.longest_wait_s, self._policy.default_wait_s * 2**self._throttled)
        if asked_s > self._policy.longest_wait_s:
            self._close(asked_s, verdict.said)
        self._throttled += 1
        if self._throttled > self._policy.throttled_tries:
            raise SourceUnavailable(f"{path} was throttled {self._throttled} times", why=verdict.said)
        wait_s = asked_s * (1 + 0.25 * self._runtime.random())
        self._pace.slower(wait_s)
        self._runtime.pause(wait_s)

    def _close(self, wait_s: float, said: str) -> None:
        """Too long for a process: remember it for later runs and end this one, resumable."""
        until = self._runtime.now() + timedelta(seconds=min(wait_s, 366 * 86400.0))
        self._ledger.close(until)
        raise SourceQuota(f"the source's quota is used up until {timestamp(until)}", resume_at=until, why=said)


def _final_error(verdict: Verdict, path: str) -> LoaderError | AnswerRefused | UnknownArtist:
    said = verdict.said
    if verdict.meaning is Meaning.UNKNOWN_ID:
        return UnknownArtist(said)
    if verdict.meaning is Meaning.ITEM_REFUSED:
        return AnswerRefused(said)
    if verdict.meaning is Meaning.BAD_CLIENT:
        return SourceCredentials("the source does not accept client_id or client_secret", why=said)
    if verdict.meaning is Meaning.TOKEN_EXPIRED:
        return SourceCredentials("the source does not accept a token that it has just issued", why=said)
    if verdict.meaning is Meaning.PREMIUM_LAPSED:
        return SourceForbidden(
            "the owner of the application has no active Premium subscription",
            why=said,
            hint="renew the subscription; it takes some hours until the API answers again",
        )
    if verdict.meaning is Meaning.FORBIDDEN:
        return SourceForbidden(f"{path.rpartition('/')[2]} is not open to this application", why=said)
    return SourceBug(f"the source rejects the request {path}", why=said)
