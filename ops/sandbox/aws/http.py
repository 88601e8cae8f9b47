"""HTTP/1.1 with kept-alive connections: werkzeug's own handler closes each one, which costs more than a request."""

from __future__ import annotations

import io
import socket
from functools import cached_property
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler

from ops.sandbox.aws.exchange import Environ, connection_variables
from ops.sandbox.aws.heads import plain_post

if TYPE_CHECKING:
    from ops.sandbox.aws.serving import Server


class Connection(socket.socket):
    """A connection, and how far another thread came with it: whoever takes it over begins there."""

    seen = b""
    unsent = b""


class _After(io.RawIOBase):
    """A stream that begins with what was read of it already."""

    def __init__(self, seen: bytes, rest: io.RawIOBase) -> None:
        self._seen = seen
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if not self._seen:
            return self._rest.readinto(buffer)
        size = min(len(buffer), len(self._seen))
        buffer[:size], self._seen = self._seen[:size], self._seen[size:]
        return size


class KeepAliveHandler(MotoRequestHandler):
    """A thread's side of a connection: reads the whole request, sends head and body in one piece."""

    server: Server
    request: Connection
    rfile: io.BufferedReader
    protocol_version = "HTTP/1.1"
    # a kept-alive connection would otherwise wait 40 ms for an acknowledgement between two writes
    disable_nagle_algorithm = True
    # a forgotten connection must not hold its thread for ever
    timeout = 120
    # a batch and its head in one system call
    rbufsize = 65_536

    def setup(self) -> None:
        """Begin with what was read before the connection came to this thread."""
        super().setup()
        if self.request.seen:
            rest: Any = self.rfile.detach()
            self.rfile = io.BufferedReader(_After(self.request.seen, rest), self.rbufsize)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not logged: a load run would fill the disk."""

    def handle_one_request(self) -> None:
        """A plain `POST /` with as little ado as possible, anything else as werkzeug does it."""
        if self.request.unsent:
            unsent, self.request.unsent = self.request.unsent, b""
            self.wfile.write(unsent)
        try:
            seen = self.rfile.peek()
        except TimeoutError:
            self.close_connection = True
            return
        head = plain_post(seen)
        if head is None:
            super().handle_one_request()
            return
        self.close_connection = False
        self.rfile.read(head.size_bytes)
        body = self.rfile.read(head.body_bytes)
        if len(body) < head.body_bytes:
            self.close_connection = True
            return
        self._answer({**self._variables, **head.variables}, body)

    @cached_property
    def _variables(self) -> Environ:
        return connection_variables(self.server.host, self.server.port, self.client_address, self.connection)

    def run_wsgi(self) -> None:
        """One request of any other kind."""
        environ = self.make_environ()
        self._answer(environ, self._request_body(environ))

    def _answer(self, environ: Environ, body: bytes) -> None:
        try:
            answer = self.server.exchange.answer(environ, body)
        except ConnectionError:  # a fault has closed the connection
            self.close_connection = True
            return
        self.wfile.write(answer)

    def _request_body(self, environ: Environ) -> bytes:
        if environ.pop("wsgi.input_terminated", False):
            environ.pop("HTTP_TRANSFER_ENCODING", None)
            chunked: bytes = environ["wsgi.input"].read()
            return chunked
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))
