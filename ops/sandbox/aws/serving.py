"""Who reads the connections: one thread for those that only ask for items, a thread each for all others.

With a thread per connection the dozens of connections of a bulk writer fight for the interpreter and for the sandbox's
one lock, which cost as much as a third of a small batch. Calls on items hold that lock from beginning to end, so
nothing is lost when one thread answers them in turn. The first request of a connection that is anything else, or that
a fault may strike, moves the connection to a thread of its own, for good.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from dataclasses import dataclass, field

from werkzeug.serving import ThreadedWSGIServer

from ops.sandbox.aws.exchange import Application, Environ, Exchange, connection_variables
from ops.sandbox.aws.heads import Head, plain_post
from ops.sandbox.aws.http import Connection, KeepAliveHandler
from ops.sandbox.aws.world import World

READ_BYTES = 262_144
PAUSE_S = 0.05
_ITEM_CALLS = frozenset(
    f"DynamoDB_20120810.{name}"
    for name in ("BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan")
)


@dataclass(slots=True, eq=False)
class _Watched:
    """A connection that has only asked for items so far, and what has arrived of its next request."""

    connection: Connection
    address: tuple[str, int]
    variables: Environ
    seen: bytearray = field(default_factory=bytearray)
    head: Head | None = None


class Server(ThreadedWSGIServer):
    """Serves on a listening socket that is bound already."""

    def __init__(self, listener: socket.socket, application: Application, world: World) -> None:
        host, port = listener.getsockname()
        self.exchange = Exchange(application)
        self._world = world
        self._selector = selectors.DefaultSelector()
        super().__init__(host, port, application, KeepAliveHandler, fd=os.dup(listener.fileno()))
        self.socket.setblocking(False)

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Until the process ends."""
        self._selector.register(self.socket, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._accept()
                else:
                    self._read(key.data)

    def _accept(self) -> None:
        try:
            accepted, address = self.socket.accept()
        except OSError:  # it is gone again, or there are too many open files: some will be closed
            time.sleep(PAUSE_S)
            return
        connection = Connection(fileno=accepted.detach())
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        variables = connection_variables(self.host, self.port, address, connection)
        self._selector.register(connection, selectors.EVENT_READ, _Watched(connection, address, variables))

    def _read(self, one: _Watched) -> None:
        try:
            read = one.connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            read = b""
        if not read:
            self._drop(one)
            return
        one.seen += read
        while one.seen and self._advance(one):
            pass

    def _advance(self, one: _Watched) -> bool:
        """Answer the next request; False when it has not arrived whole, or is not answered here."""
        head = one.head = one.head or plain_post(bytes(one.seen))
        if head is None or head.variables.get("HTTP_X_AMZ_TARGET") not in _ITEM_CALLS:
            self._hand_over(one)
            return False
        end = head.size_bytes + head.body_bytes
        if len(one.seen) < end:
            return False
        with self._world.lock:
            if self._world.faults.any:
                self._hand_over(one)
                return False
            body = bytes(memoryview(one.seen)[head.size_bytes : end])
            try:
                answer = self.exchange.answer({**one.variables, **head.variables}, body)
            except ConnectionError:
                self._drop(one)
                return False
        del one.seen[:end]
        one.head = None
        return self._send(one, answer)

    def _send(self, one: _Watched, answer: bytes) -> bool:
        try:
            sent = one.connection.send(answer)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(one)
            return False
        if sent < len(answer):  # the reader takes its time; the others must not wait for it
            one.connection.unsent = answer[sent:]
            self._hand_over(one)
            return False
        return True

    def _drop(self, one: _Watched) -> None:
        self._selector.unregister(one.connection)
        one.connection.close()

    def _hand_over(self, one: _Watched) -> None:
        self._selector.unregister(one.connection)
        one.connection.seen = bytes(one.seen)
        try:
            self.process_request(one.connection, one.address)
        except RuntimeError:  # no further thread can be started
            self.handle_error(one.connection, one.address)
            self.shutdown_request(one.connection)
