"""Lanes over scripted connections: which one carries a request, what becomes of a broken one, who waits how long."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, cast

import pytest

from ops.dynamodb.answers import Answer
from ops.dynamodb.lanes import HttpLanes
from ops.dynamodb.retry import Failure
from ops.dynamodb.transport import HttpTransport


class Wire:
    """A connection whose other end the test holds."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.sent: list[bytes] = []
        self.used = False
        self.breaks: BaseException | None = None
        self.answer: Answer | Exception = Answer(200, {}, b"{}")
        self.kept = True

    def fileno(self) -> int:
        return self.near.fileno()

    def send(self, request: bytes) -> None:
        if self.breaks is not None:
            raise self.breaks
        self.sent.append(request)

    def receive(self) -> tuple[Answer, bool]:
        self.near.recv(1)
        if isinstance(self.answer, Exception):
            raise self.answer
        self.used = True
        return self.answer, self.kept

    def close(self) -> None:
        self.near.close()

    @property
    def closed(self) -> bool:
        return self.near.fileno() < 0

    def arrive(self) -> None:
        """Let something of an answer arrive."""
        self.far.send(b"x")


class Pool:
    """What lanes need of a transport."""

    read_s = 10.0

    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self.made: list[bool] = []
        self.kept: list[Wire] = []
        self.next: Callable[[], Wire] = Wire

    def before(self, operation: str, body: bytes) -> dict[str, Any]:
        return {}

    def request(self, operation: str, body: bytes) -> bytes:
        return body

    def connection(self, *, fresh: bool = False) -> Wire:
        self.made.append(fresh)
        self.wires.append(self.next())
        return self.wires[-1]

    def judge(self, operation: str, params: dict[str, Any], decoded: Callable[[], Any]) -> Any:
        return decoded()

    def keep(self, wire: Wire) -> None:
        self.kept.append(wire)


class Bench:
    """Lanes, their connections, and a clock that the test sets."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.now = 1000.0
        transport = cast(HttpTransport, self.pool)
        self.lanes = HttpLanes(transport, lambda operation, answer: bytes(answer.body), 8, lambda: self.now)

    def start(self, body: bytes = b"q") -> int:
        return self.lanes.start("Scan", body)

    def ended(self) -> list[int]:
        return self.lanes.ready(0.0)


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.lanes.close()
    for wire in found.pool.wires:
        wire.near.close()
        wire.far.close()


def test_a_connection_carries_one_request_after_another(bench: Bench) -> None:
    for body in (b"a", b"b", b"c"):
        number = bench.start(body)
        assert bench.ended() == []
        bench.pool.wires[0].arrive()
        assert bench.ended() == [number]
        assert bench.lanes.take(number) == b"{}"
    [wire] = bench.pool.wires
    assert wire.sent == [b"a", b"b", b"c"]
    assert bench.pool.made == [False]
    bench.lanes.close()
    assert bench.pool.kept == [wire]
    assert not wire.closed


def test_a_connection_that_may_carry_no_more_is_closed(bench: Bench) -> None:
    number = bench.start()
    [wire] = bench.pool.wires
    wire.kept = False
    wire.arrive()
    assert bench.ended() == [number]
    bench.lanes.take(number)
    assert wire.closed
    bench.start()
    assert len(bench.pool.wires) == 2


def test_an_idle_connection_that_the_server_closes_is_forgotten_at_once(bench: Bench) -> None:
    number = bench.start()
    first = bench.pool.wires[0]
    first.arrive()
    bench.ended()
    bench.lanes.take(number)
    first.far.close()
    assert bench.ended() == []
    assert first.closed
    bench.start()
    assert [len(wire.sent) for wire in bench.pool.wires] == [1, 1]


@pytest.mark.parametrize("error", [BrokenPipeError(), ConnectionResetError()])
def test_a_kept_connection_that_breaks_at_the_next_request_costs_no_try(bench: Bench, error: OSError) -> None:
    first = bench.start(b"a")
    old = bench.pool.wires[0]
    old.arrive()
    bench.ended()
    bench.lanes.take(first)
    old.breaks = error
    second = bench.start(b"b")
    assert old.closed
    # Not another idle one, which may be as stale: a new one.
    assert bench.pool.made == [False, True]
    new = bench.pool.wires[1]
    assert new.sent == [b"b"]
    new.arrive()
    assert bench.ended() == [second]
    assert bench.lanes.take(second) == b"{}"


def test_of_two_stale_connections_one_costs_another_no_try(bench: Bench) -> None:
    numbers = [bench.start(), bench.start()]
    for wire in bench.pool.wires:
        wire.arrive()
    assert sorted(bench.ended()) == numbers
    for number in numbers:
        bench.lanes.take(number)
    for wire in bench.pool.wires:
        wire.breaks = BrokenPipeError()
    bench.start(b"again")
    assert bench.pool.made == [False, False, True]
    assert sum(wire.closed for wire in bench.pool.wires) == 1


@pytest.mark.parametrize(
    ("error", "code"), [(BrokenPipeError(), "ConnectionBroken"), (TimeoutError(), "Timeout")], ids=["broken", "late"]
)
def test_a_new_connection_that_breaks_at_its_first_request_is_a_failure(
    bench: Bench, error: OSError, code: str
) -> None:
    def broken() -> Wire:
        wire = Wire()
        wire.breaks = error
        return wire

    bench.pool.next = broken
    number = bench.start()
    assert bench.ended() == [number]
    with pytest.raises(Failure) as caught:
        bench.lanes.take(number)
    assert caught.value.code == code
    assert bench.pool.wires[0].closed


def test_no_connection_at_all_is_the_failure_of_that_request_alone(bench: Bench) -> None:
    good = bench.start()

    def refused() -> Wire:
        raise Failure("ConnectionBroken", "refused", 0)

    bench.pool.next = refused
    bad = bench.start()
    assert bench.ended() == [bad]
    with pytest.raises(Failure, match="refused"):
        bench.lanes.take(bad)
    bench.pool.wires[0].arrive()
    assert bench.ended() == [good]


def test_an_interruption_while_a_request_is_sent_closes_its_connection(bench: Bench) -> None:
    def interrupted() -> Wire:
        wire = Wire()
        wire.breaks = KeyboardInterrupt()
        return wire

    bench.pool.next = interrupted
    with pytest.raises(KeyboardInterrupt):
        bench.start()
    assert bench.pool.wires[0].closed
    assert bench.pool.kept == []


def test_an_answer_that_breaks_off_on_a_new_connection_is_a_failure(bench: Bench) -> None:
    number = bench.start()
    [wire] = bench.pool.wires
    wire.answer = ConnectionResetError("cut")
    wire.arrive()
    assert bench.ended() == [number]
    with pytest.raises(Failure) as caught:
        bench.lanes.take(number)
    assert caught.value.code == "ConnectionBroken"
    assert wire.closed
    assert bench.pool.made == [False]


def test_a_request_without_an_answer_is_given_up_after_the_time_limit_and_not_before(bench: Bench) -> None:
    number = bench.start()
    bench.now += 9.9
    assert bench.ended() == []
    bench.now += 0.2
    bench.ended()
    assert bench.ended() == [number]
    assert bench.pool.wires[0].closed
    with pytest.raises(Failure, match=r"no answer within 10\.0 s") as caught:
        bench.lanes.take(number)
    assert caught.value.code == "Timeout"


def test_one_without_an_answer_is_given_up_while_another_is_always_there(bench: Bench) -> None:
    hung = bench.start(b"hung")
    for _ in range(40):
        bench.now += 1.0
        number = bench.start(b"quick")
        bench.pool.wires[-1].arrive()
        found = bench.ended()
        if hung in found:
            break
        assert found == [number]
        bench.lanes.take(number)
    else:
        raise AssertionError("the hung request was never given up")
    assert bench.now == pytest.approx(1011.0, abs=1.1)


def test_between_two_looks_at_who_is_late_lies_a_tenth_of_the_time_limit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[float] = []
    monkeypatch.setattr(bench.lanes, "_expire", lambda before, answered: looked.append(bench.now))
    for _ in range(50):
        number = bench.start()
        bench.pool.wires[-1].arrive()
        assert bench.ended() == [number]
        bench.lanes.take(number)
        bench.now += 0.25
    assert [b - a for a, b in pairwise(looked)] == [1.0] * (len(looked) - 1)
    assert len(looked) == 13


def test_one_whose_answer_has_begun_is_not_given_up(bench: Bench) -> None:
    number = bench.start()
    bench.now += 11.0
    bench.pool.wires[0].arrive()
    assert bench.ended() == [number]
    assert bench.lanes.take(number) == b"{}"


def test_leaving_closes_what_is_on_its_way(bench: Bench) -> None:
    bench.start()
    bench.lanes.close()
    assert bench.pool.wires[0].closed
    assert bench.pool.kept == []
