"""Requests of one operation, several on their way at once, each repeated where that is safe.

How many are on their way follows the table: one more for each that went well, half as many when AWS asks to slow
down. A request that has to wait for its next try keeps its place, so that new ones do not overtake it for ever.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, NamedTuple, Self, TypeVar

from ops.dynamodb.answers import RawPage, checked
from ops.dynamodb.capacity import CapacityLimit, consumed
from ops.dynamodb.client import DataPlane
from ops.dynamodb.retry import Failure, Tries
from ops.dynamodb.transport import Decode, lanes_of

Ticket = TypeVar("Ticket")

#: A server that answers after 10 ms is kept busy by these; AWS closes none of so few.
MOST_AT_ONCE = 64
FIRST_AT_ONCE = 16
#: Bodies on their way, together: what the process may hold of a file whatever its items' size.
BYTES_AT_ONCE = 8 * 1024 * 1024


@dataclass(slots=True)
class _Job(Generic[Ticket]):
    ticket: Ticket
    body: bytes
    tries: Tries = field(default_factory=Tries)
    round: int = 0


class Ended(NamedTuple, Generic[Ticket]):
    """A request that needs no further try: its decoded answer, or the `Failure` that the caller asked to see."""

    ticket: Ticket
    outcome: Any
    #: For `again`: requests that were on their way together slow the pipeline down once.
    round: int


class Window:
    """How many requests may be on their way: additive increase, multiplicative decrease."""

    def __init__(self, first: int, most: int) -> None:
        self.size = min(first, most)
        self.round = 0
        self._most = most
        self._slow = False
        self._well = 0

    def went_well(self) -> None:
        """One more for each; after the first refusal one more for a whole window of them."""
        self._well += 1
        if self.size < self._most and self._well >= (self.size if self._slow else 1):
            self.size += 1
            self._well = 0

    def slow_down(self, started_in: int) -> None:
        """Halve, once for all requests that were on their way together."""
        if started_in == self.round:
            self.size = max(1, self.size // 2)
            self.round += 1
            self._slow, self._well = True, 0


class Pipeline(Generic[Ticket]):
    """Submit while there is room, take what has ended; leave the context to give up what is still on its way."""

    def __init__(
        self,
        plane: DataPlane,
        operation: str,
        table: str,
        *,
        decode: Decode = checked,
        limit: CapacityLimit | None = None,
        most: int = MOST_AT_ONCE,
        told: frozenset[str] = frozenset(),
    ) -> None:
        self._retrier = plane.retrier
        self._operation = operation
        self._params = {"TableName": table}
        self._limit = limit
        self._told = told
        self._lanes = lanes_of(plane.transport, decode, most)
        # What a request costs is only known after the first: until then a limit allows for one.
        self._window = Window(1 if limit else FIRST_AT_ONCE, min(most, self._lanes.most))
        self._flying: dict[int, _Job[Ticket]] = {}
        self._bytes = 0
        self._ready: deque[int] = deque()
        self._later: list[tuple[float, int, _Job[Ticket]]] = []
        self._order = count()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lanes.close()

    @property
    def busy(self) -> bool:
        """Whether a submitted request has not ended yet."""
        return bool(self._flying or self._later)

    def room(self, size_bytes: int = 0) -> bool:
        """Whether a further request of that size may be submitted now."""
        waiting = len(self._flying) + len(self._later)
        return not waiting or (waiting < self._window.size and self._bytes + size_bytes <= BYTES_AT_ONCE)

    def submit(self, ticket: Ticket, body: bytes) -> None:
        """Send a request, as soon as there is a lane for it; its end is told by `take`."""
        self._bytes += len(body)
        job = _Job(ticket, body)
        if len(self._flying) < self._lanes.most:
            self._start(job)
        else:
            heapq.heappush(self._later, (self._retrier.clock.monotonic(), next(self._order), job))

    def again(self, ticket: Ticket, body: bytes, tries: int, started_in: int) -> None:
        """Send a request after the pause before try `tries` + 1: AWS left some of one of that round undone."""
        self._window.slow_down(started_in)
        self._bytes += len(body)
        self._pause(_Job(ticket, body), tries)

    def take(self, *, wait: bool = True) -> Ended[Ticket] | None:
        """A request that has ended; None when none has (or, when waiting, when none is left).

        Raises the classified error of a request that failed for good; the others can still be taken.
        """
        while True:
            self._start_due()
            if not self._ready:
                if not self.busy:
                    return None
                self._ready.extend(self._wait(wait))
                if not self._ready and not wait:
                    return None
            while self._ready:
                ended = self._land(self._ready.popleft())
                if ended is not None:
                    return ended

    def landed(self) -> Iterator[Ended[Ticket]]:
        """What was on its way when the work was given up and has gone well; nothing is sent again."""
        self._later.clear()
        while self._flying:
            if not self._ready:
                self._ready.extend(self._lanes.ready(None))
                continue
            number = self._ready.popleft()
            job = self._flying.pop(number)
            try:
                yield Ended(job.ticket, self._lanes.take(number), job.round)
            except Failure:
                continue  # the caller is about to raise what ended the work

    def _start(self, job: _Job[Ticket]) -> None:
        if self._limit is not None:
            self._limit.before()
        job.round = self._window.round
        self._flying[self._lanes.start(self._operation, job.body)] = job

    def _pause(self, job: _Job[Ticket], tries: int) -> None:
        due = self._retrier.clock.monotonic() + self._retrier.policy.wait_s(tries, self._retrier.random)
        heapq.heappush(self._later, (due, next(self._order), job))

    def _start_due(self) -> None:
        while self._later and len(self._flying) < self._window.size:
            # A microsecond early is due: a sleep may fall short by a rounding.
            if self._later[0][0] > self._retrier.clock.monotonic() + 1e-6:
                return
            self._start(heapq.heappop(self._later)[2])

    def _wait(self, wait: bool) -> list[int]:
        pause = self._later[0][0] - self._retrier.clock.monotonic() if self._later else None
        if self._flying:
            return self._lanes.ready((None if pause is None else max(pause, 0.0)) if wait else 0.0)
        if wait and pause is not None and pause > 0:
            self._retrier.clock.sleep(pause)
        return []

    def _land(self, number: int) -> Ended[Ticket] | None:
        job = self._flying.pop(number)
        try:
            outcome = self._lanes.take(number)
        except Failure as failure:
            self._spent(None)
            return self._failed(job, failure)
        self._window.went_well()
        self._spent(outcome)
        self._bytes -= len(job.body)
        return Ended(job.ticket, outcome, job.round)

    def _spent(self, outcome: dict[str, Any] | RawPage | None) -> None:
        if self._limit is not None:
            self._limit.spent(outcome.capacity if isinstance(outcome, RawPage) else consumed(outcome or {}))

    def _failed(self, job: _Job[Ticket], failure: Failure) -> Ended[Ticket] | None:
        if failure.code in self._told:
            self._bytes -= len(job.body)
            return Ended(job.ticket, failure, job.round)
        if job.tries.spent(failure, self._retrier.policy):
            self._bytes -= len(job.body)
            self._retrier.give_up(failure, job.tries.count, self._operation, self._params)
        self._window.slow_down(job.round)
        self._pause(job, job.tries.count)
        return None
