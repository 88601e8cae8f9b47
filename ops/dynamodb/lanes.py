"""Many requests on their way over as many connections, on one thread: a selector says whose answer is there.

One thread and blocking reads of answers that have begun to arrive cost less than threads or an event loop, and
leave order, interruption and errors as plain as with one request at a time.
"""

from __future__ import annotations

import http.client
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from ops.dynamodb.connection import Connection, broken
from ops.dynamodb.retry import Failure

if TYPE_CHECKING:
    from ops.dynamodb.transport import Decode, HttpTransport


@dataclass(slots=True)
class _Flight:
    number: int
    operation: str
    params: dict[str, Any]
    request: bytes
    started: float
    connection: Connection | None = None
    failure: Failure | None = None


class HttpLanes:
    """Lanes over the connections of an `HttpTransport`; they go back to its pool at the end."""

    def __init__(
        self, transport: HttpTransport, decode: Decode, most: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.most = most
        self._transport = transport
        self._decode = decode
        self._monotonic = monotonic
        self._numbers = count(1)
        self._flights: dict[int, _Flight] = {}
        self._failed: list[int] = []
        self._look_at = 0.0
        self._idle: dict[Connection, None] = {}
        self._selector = selectors.DefaultSelector()

    def start(self, operation: str, body: bytes) -> int:
        transport = self._transport
        params = transport.before(operation, body)
        request = transport.request(operation, body)
        flight = _Flight(next(self._numbers), operation, params, request, self._monotonic())
        self._flights[flight.number] = flight
        self._launch(flight)
        return flight.number

    def _launch(self, flight: _Flight, *, fresh: bool = False) -> None:
        connection = None
        try:
            connection = flight.connection = self._connection(fresh)
            connection.send(flight.request)
        except Failure as failure:
            self._fail(flight, failure)
            return
        except (http.client.HTTPException, OSError) as error:
            self._lost(flight, error)
            return
        except BaseException:
            self._drop(flight)
            raise
        self._selector.modify(connection, selectors.EVENT_READ, flight)

    def _connection(self, fresh: bool) -> Connection:
        if self._idle and not fresh:
            return self._idle.popitem()[0]
        connection = self._transport.connection(fresh=fresh)
        self._selector.register(connection, selectors.EVENT_READ)
        return connection

    def ready(self, timeout_s: float | None) -> list[int]:
        if self._failed:
            failed, self._failed = self._failed, []
            return failed
        patience = self._transport.read_s
        found = self._selector.select(patience if timeout_s is None else min(timeout_s, patience))
        numbers = []
        for key, _ in found:
            if key.data is None:
                self._forget(key.fileobj)
            else:
                numbers.append(key.data.number)
        now = self._monotonic()
        # Not at each call, but also while others are busy: what waits for this one would wait as long.
        if not numbers or now >= self._look_at:
            self._look_at = now + patience / 10
            self._expire(now - patience, {*numbers})
        return numbers

    def _expire(self, before: float, answered: set[int]) -> None:
        for flight in self._flights.values():
            if flight.started < before and flight.failure is None and flight.number not in answered:
                self._fail(flight, broken(TimeoutError(f"no answer within {self._transport.read_s:.1f} s")))

    def take(self, number: int) -> Any:
        flight = self._flights.pop(number)
        return self._transport.judge(flight.operation, flight.params, lambda: self._outcome(flight))

    def _outcome(self, flight: _Flight) -> Any:
        while flight.failure is None:
            assert flight.connection is not None
            connection, kept = flight.connection, False
            try:
                answer, kept = connection.receive()
            except (http.client.HTTPException, OSError) as error:
                # One that was kept and that the server closed meanwhile is no failure of the request: sent again
                # at once over a new connection, and waited for here.
                self._lost(flight, error)
                continue
            finally:
                if kept:
                    flight.connection = None
                    self._selector.modify(connection, selectors.EVENT_READ, None)
                    self._idle[connection] = None
                else:
                    self._forget(connection)
            return self._decode(flight.operation, answer)
        raise flight.failure

    def _lost(self, flight: _Flight, error: Exception) -> None:
        connection = flight.connection
        stale = isinstance(error, ConnectionError) and connection is not None and connection.used
        self._drop(flight)
        if stale:
            self._launch(flight, fresh=True)
        else:
            self._fail(flight, broken(error))

    def _fail(self, flight: _Flight, failure: Failure) -> None:
        self._drop(flight)
        flight.failure = failure
        if flight.number in self._flights:
            self._failed.append(flight.number)

    def _drop(self, flight: _Flight) -> None:
        connection, flight.connection = flight.connection, None
        if connection is not None:
            self._forget(connection)

    def _forget(self, connection: Any) -> None:
        """Close it, once: a connection with half an answer on it is never used again."""
        self._idle.pop(connection, None)
        if connection.fileno() >= 0:
            self._selector.unregister(connection)
            connection.close()

    def close(self) -> None:
        for flight in self._flights.values():
            self._drop(flight)
        self._flights.clear()
        self._failed.clear()
        for connection in self._idle:
            self._transport.keep(connection)
        self._idle.clear()
        self._selector.close()
