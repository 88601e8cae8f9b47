"""DynamoDB JSON over signed HTTP: one request and its checked answer, or many at once on one thread."""

from __future__ import annotations

import http.client
import weakref
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import orjson

from ops.aws import Aws, CallObserver, Credentials
from ops.clock import SystemClock
from ops.dynamodb.answers import Answer, checked
from ops.dynamodb.connection import Connection, Endpoint, broken
from ops.dynamodb.lanes import HttpLanes
from ops.dynamodb.retry import Failure
from ops.dynamodb.signing import Signer

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 10.0
API_VERSION = "DynamoDB_20120810"

#: Checks an answer of an operation and makes of it what the caller works with; raises `Failure`.
Decode = Callable[[str, Answer], Any]


class Transport(Protocol):
    """The seam between the data plane and the wire. Raises `Failure`; retrying is the caller's."""

    def send(self, operation: str, body: bytes) -> dict[str, Any]:
        """One request with a DynamoDB JSON body; the checked document of its answer."""


class Lanes(Protocol):
    """Several requests on their way at once, told apart by numbers; used by one thread."""

    @property
    def most(self) -> int:
        """How many may be on their way."""

    def start(self, operation: str, body: bytes) -> int:
        """Send a request; the number to know it by. A failure is told by `take`."""

    def ready(self, timeout_s: float | None) -> list[int]:
        """Numbers of requests that have ended; waits for the first, at most `timeout_s` seconds."""

    def take(self, number: int) -> Any:
        """What was decoded of the answer to a request that has ended, or its `Failure` raised."""

    def close(self) -> None:
        """Leave; requests still on their way are given up."""


@runtime_checkable
class ManyAtOnce(Protocol):
    """A transport that can have several requests on their way."""

    def lanes(self, decode: Decode, most: int) -> Lanes:
        """At most `most` lanes; the caller closes them."""


def lanes_of(transport: Transport, decode: Decode, most: int) -> Lanes:
    """Lanes of a transport; a single one when it only knows one request at a time."""
    return transport.lanes(decode, most) if isinstance(transport, ManyAtOnce) else _OneLane(transport, decode)


class _OneLane:
    """One request at a time, sent when it is waited for."""

    most = 1

    def __init__(self, transport: Transport, decode: Decode) -> None:
        self._transport = transport
        self._decode = decode
        self._waiting: tuple[str, bytes] | None = None

    def start(self, operation: str, body: bytes) -> int:
        self._waiting = (operation, body)
        return 0

    def ready(self, timeout_s: float | None) -> list[int]:
        return [0] if self._waiting else []

    def take(self, number: int) -> Any:
        waiting, self._waiting = self._waiting, None
        assert waiting is not None
        document = self._transport.send(*waiting)
        if self._decode is checked:
            return document
        return self._decode(waiting[0], Answer(200, {}, orjson.dumps(document)))

    def close(self) -> None:
        self._waiting = None


class HttpTransport:
    """A pool of keep-alive connections, as many as requests at once; safe to share between threads."""

    def __init__(
        self,
        aws: Aws,
        *,
        region: str | None = None,
        timeouts_s: tuple[float, float] | None = None,
        wall: Callable[[], datetime] | None = None,
    ) -> None:
        region = region or aws.region
        limits = timeouts_s or (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        self._endpoint = Endpoint.of(aws.endpoint("dynamodb", region), limits, aws.ca_bundle())
        parts = self._endpoint.parts
        self._path = parts.path or "/"
        self._signer = Signer(region=region, host=parts.netloc, path=self._path)
        self._credentials: Callable[[], Credentials] = aws.credentials
        self._observers: tuple[CallObserver, ...] = aws.observers
        # The real time, also in a sandbox whose own clock was advanced: AWS refuses a signature that is off.
        self._now = wall or SystemClock().now
        self._idle: deque[Connection] = deque()
        weakref.finalize(self, _close_all, self._idle)

    @property
    def read_s(self) -> float:
        """How long an answer is waited for."""
        return self._endpoint.timeouts_s[1]

    def lanes(self, decode: Decode, most: int) -> Lanes:
        return HttpLanes(self, decode, most)

    def send(self, operation: str, body: bytes) -> dict[str, Any]:
        params = self.before(operation, body)
        document: dict[str, Any] = self.judge(
            operation, params, lambda: checked(operation, self._exchange(self.request(operation, body)))
        )
        return document

    def before(self, operation: str, body: bytes) -> dict[str, Any]:
        """Show a request to the observers; one of them may refuse it by raising."""
        params = orjson.loads(body) if self._observers else {}
        for observer in self._observers:
            observer.before("dynamodb", operation, params)
        return params

    def judge(self, operation: str, params: dict[str, Any], decoded: Callable[[], Any]) -> Any:
        """What was decoded of an answer; the observers are told how it ended."""
        try:
            document = decoded()
        except Failure as failure:
            self._tell(operation, params, failure.code)
            raise
        self._tell(operation, params, "ok")
        return document

    def _tell(self, operation: str, params: dict[str, Any], outcome: str) -> None:
        for observer in self._observers:
            observer.after("dynamodb", operation, params, outcome)

    def request(self, operation: str, body: bytes) -> bytes:
        """The bytes of a request, signed now."""
        headers = self._signer.headers(self._credentials(), f"{API_VERSION}.{operation}", body, self._now())
        lines = "\r\n".join(f"{name}: {value}" for name, value in headers.items())
        # `identity`: the checksum that AWS sends is of the bytes before compression.
        head = f"POST {self._path} HTTP/1.1\r\n{lines}\r\naccept-encoding: identity\r\ncontent-length: {len(body)}"
        return b"%s\r\n\r\n%s" % (head.encode("latin-1"), body)

    def connection(self, *, fresh: bool = False) -> Connection:
        """A kept connection, or a new one; `Failure` when there is none within the time limit."""
        if not fresh and self._idle:
            try:
                return self._idle.pop()
            except IndexError:  # another thread was faster
                pass
        try:
            return self._endpoint.connect()
        except (http.client.HTTPException, OSError) as error:
            raise broken(error) from error

    def keep(self, connection: Connection) -> None:
        """Take back a connection on which nothing is on its way."""
        self._idle.append(connection)

    def _exchange(self, request: bytes) -> Answer:
        connection = self.connection()
        try:
            return self._over(connection, request)
        except ConnectionError as error:
            closed = error
        except (http.client.HTTPException, OSError) as error:
            raise broken(error) from error
        try:
            # Most often a kept connection that the server closed meanwhile: that is no failure of the request.
            return self._over(self.connection(fresh=True), request)
        except (http.client.HTTPException, OSError) as error:
            raise broken(error) from closed

    def _over(self, connection: Connection, request: bytes) -> Answer:
        kept = False
        try:
            connection.send(request)
            answer, kept = connection.receive()
        finally:
            # Also after Ctrl-C: a connection with half an answer on it is never used again.
            if not kept:
                connection.close()
        if kept:
            self.keep(connection)
        return answer


def _close_all(idle: deque[Connection]) -> None:
    while idle:
        idle.pop().close()
