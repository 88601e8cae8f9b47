"""How many requests are on their way, which of them are repeated when, and what is left when the work is given up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ops.dynamodb import pipeline
from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.client import DataPlane
from ops.dynamodb.pipeline import Pipeline, Window
from ops.dynamodb.retry import Failure, Retrier, RetryPolicy
from ops.errors import Throttled
from tests.unit.dynamodb.kit import StillClock
from tests.unit.dynamodb.test_write import Longest

SLOW = Failure("ThrottlingException", "slow", 400)


def test_a_window_grows_by_one_for_each_request_that_went_well() -> None:
    window = Window(2, 4)
    sizes = []
    for _ in range(4):
        window.went_well()
        sizes.append(window.size)
    assert sizes == [3, 4, 4, 4]
    assert Window(16, 4).size == 4


def test_a_window_is_halved_once_for_requests_that_were_on_their_way_together() -> None:
    window = Window(12, 64)
    window.slow_down(0)
    window.slow_down(0)
    assert (window.size, window.round) == (6, 1)
    window.slow_down(1)
    assert (window.size, window.round) == (3, 2)
    for number in range(2, 9):
        window.slow_down(number)
    assert window.size == 1


def test_after_a_refusal_a_window_grows_by_one_for_a_whole_window_that_went_well() -> None:
    window = Window(8, 64)
    window.went_well()
    window.slow_down(0)  # 9 // 2
    grown = []
    for _ in range(15):
        window.went_well()
        grown.append(window.size)
    assert grown == [4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7]


class Lanes:
    """Holds requests until the test lets them land."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.flying: dict[int, bytes] = {}
        self.started: list[bytes] = []
        self.landing: list[tuple[int, Any]] = []
        self.outcomes: dict[int, Any] = {}
        self.waits: list[float | None] = []
        self.closed = False

    def start(self, operation: str, body: bytes) -> int:
        assert operation == "Op"
        number = len(self.started)
        self.started.append(body)
        self.flying[number] = body
        return number

    def ready(self, timeout_s: float | None) -> list[int]:
        self.waits.append(timeout_s)
        landed, self.landing = self.landing, []
        for number, outcome in landed:
            del self.flying[number]
            self.outcomes[number] = outcome
        return [number for number, _ in landed]

    def take(self, number: int) -> Any:
        outcome = self.outcomes.pop(number)
        if isinstance(outcome, Failure):
            raise outcome
        return outcome

    def close(self) -> None:
        self.closed = True


def made(most: int = 64, **given: Any) -> tuple[Pipeline[str], Lanes, StillClock]:
    clock, lanes = StillClock(), Lanes(most)

    class Wire:
        def lanes(self, decode: Any, most: int) -> Lanes:
            return lanes

        def send(self, operation: str, body: bytes) -> Any:
            raise AssertionError("only lanes are used")

    plane = DataPlane(Wire(), Retrier(clock, Longest(), RetryPolicy(attempts=3, base_s=0.5)))
    limit = given.pop("limit", None)
    return Pipeline(plane, "Op", "t", limit=limit and CapacityLimit(limit, clock), most=most, **given), lanes, clock


def is_busy(pipe: Pipeline[str]) -> bool:
    """Asked anew: mypy takes a property for the same each time."""
    return pipe.busy


def fill(pipe: Pipeline[str], size: int = 0) -> int:
    count = 0
    while pipe.room(size):
        pipe.submit(str(count), b"x" * size)
        count += 1
        assert count < 1000
    return count


def test_as_many_requests_are_on_their_way_as_the_window_holds() -> None:
    pipe, _, _ = made()
    assert not is_busy(pipe)
    assert fill(pipe) == 16
    assert is_busy(pipe)
    assert fill(made(most=3)[0]) == 3
    assert fill(made(limit=10.0)[0]) == 1


def test_bodies_on_their_way_stay_within_their_bound_but_one_is_always_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BYTES_AT_ONCE", 100)
    pipe, lanes, _ = made()
    assert pipe.room(1000)
    assert fill(pipe, 25) == 4
    lanes.landing = [(0, {})]
    assert pipe.take() is not None
    assert (pipe.room(26), pipe.room(25)) == (False, True)
    told = {"told": frozenset({"ValidationException"})}
    for outcome, given in ((Failure("ValidationException", "no", 400), told), ({}, {})):
        one, other, _ = made(**given)  # type: ignore[arg-type]
        one.submit("a", b"x" * 60)
        one.submit("b", b"x" * 40)
        other.landing = [(0, outcome)]
        one.take()
        assert (one.room(61), one.room(60)) == (False, True)


def test_a_request_beyond_the_lanes_waits_for_one() -> None:
    pipe, lanes, _ = made(most=2)
    for name in ("a", "b", "c"):
        pipe.submit(name, name.encode())
    assert lanes.started == [b"a", b"b"]
    lanes.landing = [(0, {"n": 1})]
    ended = pipe.take()
    assert ended is not None
    assert (ended.ticket, ended.outcome) == ("a", {"n": 1})
    assert pipe.take(wait=False) is None
    assert lanes.started == [b"a", b"b", b"c"]


def test_nothing_on_its_way_is_nothing_to_take() -> None:
    pipe, lanes, _ = made()
    assert pipe.take() is None
    assert lanes.waits == []


def test_what_may_be_repeated_is_sent_again_after_a_pause_that_grows_and_then_given_up() -> None:
    pipe, lanes, clock = made()
    pipe.submit("a", b"a")
    lanes.landing = [(0, SLOW)]
    assert pipe.take(wait=False) is None
    assert clock.slept == []
    assert is_busy(pipe)
    assert lanes.started == [b"a"]
    clock.sleep(0.999)
    assert pipe.take(wait=False) is None
    assert lanes.started == [b"a"]
    clock.sleep(0.001)
    assert pipe.take(wait=False) is None
    assert lanes.started == [b"a"] * 2
    lanes.landing = [(1, SLOW)]
    assert pipe.take(wait=False) is None
    clock.sleep(2.0)
    assert pipe.take(wait=False) is None
    assert lanes.started == [b"a"] * 3
    lanes.landing = [(2, SLOW)]
    with pytest.raises(Throttled, match="Op on t was throttled 3 times"):
        pipe.take()
    assert not is_busy(pipe)
    pipe.submit("b", b"b")
    assert (pipe.room(pipeline.BYTES_AT_ONCE), pipe.room(pipeline.BYTES_AT_ONCE - 1)) == (False, True)


def test_waiting_for_a_pause_sleeps_it_and_waiting_for_answers_waits_no_longer() -> None:
    pipe, lanes, clock = made()
    pipe.submit("a", b"a")
    lanes.landing = [(0, SLOW)]
    pipe.take(wait=False)

    def landed(timeout_s: float | None) -> list[int]:
        lanes.waits.append(timeout_s)
        lanes.outcomes[1] = {"ok": 1}
        return [1]

    lanes.ready = landed  # type: ignore[method-assign]
    ended = pipe.take()
    assert ended is not None
    assert ended.outcome == {"ok": 1}
    assert clock.slept == [pytest.approx(1.0)]
    assert lanes.waits[-1] is None


def test_others_are_waited_for_no_longer_than_the_next_pause_lasts() -> None:
    pipe, lanes, clock = made()
    pipe.submit("a", b"a")
    pipe.submit("b", b"b")
    lanes.landing = [(0, SLOW)]
    pipe.take(wait=False)
    clock.sleep(0.25)
    lanes.landing = [(1, {})]
    ended = pipe.take()
    assert ended is not None
    assert ended.ticket == "b"
    assert lanes.waits[-1] == pytest.approx(0.75)


def test_leftovers_are_sent_again_after_their_pause_and_slow_the_others_down() -> None:
    pipe, lanes, clock = made()
    pipe.submit("a", b"abc")
    lanes.landing = [(0, {})]
    ended = pipe.take()
    assert ended is not None
    pipe.again("rest", b"c", 2, ended.round)
    assert pipe.take(wait=False) is None
    clock.sleep(2.0)
    pipe.take(wait=False)
    assert lanes.started == [b"abc", b"c"]
    assert fill(pipe) == 7  # 17 // 2, and one of them is the leftover
    lanes.landing = [(1, {})]
    again = pipe.take()
    assert again is not None
    assert (again.ticket, again.round) == ("rest", 1)


def test_a_request_that_waits_for_its_next_try_keeps_its_place_and_the_room_of_its_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "BYTES_AT_ONCE", 100)
    pipe, lanes, _ = made()
    pipe.submit("a", b"x" * 40)
    lanes.landing = [(0, SLOW)]
    assert pipe.take(wait=False) is None
    assert (pipe.room(61), pipe.room(60)) == (False, True)
    assert fill(pipe) == 7, "16 // 2, and one of them waits"
    left, others, _ = made()
    left.submit("a", b"x" * 90)
    others.landing = [(0, {})]
    ended = left.take()
    assert ended is not None
    left.again("rest", b"x" * 40, 1, ended.round)
    assert (left.room(61), left.room(60)) == (False, True)


def test_given_up_work_tells_what_landed_and_sends_nothing_again() -> None:
    pipe, lanes, _ = made()
    for name in ("a", "b", "c", "d"):
        pipe.submit(name, name.encode())
    lanes.landing = [(0, SLOW)]
    pipe.take(wait=False)
    landing: Iterator[list[tuple[int, Any]]] = iter([[], [(1, {"n": 1}), (2, SLOW)], [], [(3, {"n": 3})]])
    usual = lanes.ready

    def ready(timeout_s: float | None) -> list[int]:
        lanes.landing = next(landing)
        return usual(timeout_s)

    lanes.ready = ready  # type: ignore[method-assign]
    assert [(one.ticket, one.outcome) for one in pipe.landed()] == [("b", {"n": 1}), ("d", {"n": 3})]
    assert not is_busy(pipe)
    assert len(lanes.started) == 4


def test_leaving_gives_the_lanes_back() -> None:
    pipe, lanes, _ = made()
    with pipe as entered:
        assert entered is pipe
        assert not lanes.closed
    assert lanes.closed


def test_a_limit_is_told_what_each_request_cost_and_that_a_failed_one_cost_nothing() -> None:
    pipe, lanes, clock = made(limit=10.0)
    pipe.submit("a", b"a")
    lanes.landing = [(0, {"ConsumedCapacity": {"CapacityUnits": 20.0}})]
    assert pipe.take() is not None
    pipe.submit("b", b"b")
    assert clock.slept == [pytest.approx(2.0)]
    lanes.landing = [(1, SLOW)]
    assert pipe.take(wait=False) is None  # gives the 20 units back that were held for it
    clock.sleep(1.0)
    assert pipe.take(wait=False) is None
    assert lanes.started == [b"a", b"b", b"b"]
    assert clock.slept == [pytest.approx(2.0), 1.0]


def test_requests_that_went_well_make_room_for_more() -> None:
    pipe, lanes, _ = made()
    assert fill(pipe) == 16
    lanes.landing = [(number, {}) for number in range(4)]
    for _ in range(4):
        assert pipe.take() is not None
    assert fill(pipe) == 8  # the four that landed, and one more for each
    assert len(lanes.flying) == 20
