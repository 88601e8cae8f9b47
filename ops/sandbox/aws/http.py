"""HTTP/1.1 with kept-alive connections: werkzeug's own handler closes each one, which costs more than a request."""

from __future__ import annotations

import io
import traceback
from typing import Any
from wsgiref.types import StartResponse

from moto.moto_server.werkzeug_app import MotoRequestHandler

Headers = list[tuple[str, str]]


def _failure(environ: dict[str, Any]) -> bytes:
    """A 500 in the protocol of the caller."""
    message = "the sandbox failed; see aws.log"
    if environ.get("HTTP_X_AMZ_TARGET"):
        return f'{{"__type":"InternalFailure","message":"{message}"}}'.encode()
    error = f"<Error><Type>Receiver</Type><Code>InternalFailure</Code><Message>{message}</Message></Error>"
    return f"<ErrorResponse>{error}</ErrorResponse>".encode()


class KeepAliveHandler(MotoRequestHandler):
    """Reads the whole request, runs the application, sends head and body in one piece."""

    protocol_version = "HTTP/1.1"
    # a kept-alive connection would otherwise wait 40 ms for an acknowledgement between two writes
    disable_nagle_algorithm = True
    # a forgotten connection must not hold its thread for ever
    timeout = 120

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not logged: a load run would fill the disk."""

    def run_wsgi(self) -> None:
        """One request."""
        environ = self.make_environ()
        body = self._request_body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        try:
            status, headers, answer = self._run(environ)
        except ConnectionError:  # a fault has closed the connection
            self.close_connection = True
            return
        except Exception:  # noqa: BLE001 - the boundary of the process: any error becomes a logged 500, never a hang
            self.server.log("error", f"Error on {self.requestline}:\n{traceback.format_exc()}")
            status, headers, answer = "500 Internal Server Error", [], _failure(environ)
        self._send(status, headers, answer)

    def _request_body(self, environ: dict[str, Any]) -> bytes:
        if environ.pop("wsgi.input_terminated", False):
            environ.pop("HTTP_TRANSFER_ENCODING", None)
            chunked: bytes = environ["wsgi.input"].read()
            return chunked
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _run(self, environ: dict[str, Any]) -> tuple[str, Headers, bytes]:
        started: list[tuple[str, Headers]] = []
        written: list[bytes] = []

        def start(status: str, headers: Headers, _error: Any = None) -> Any:
            started.append((status, headers))
            return written.append

        starter: StartResponse = start
        parts = self.server.app(environ, starter)
        try:
            written.extend(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        status, headers = started[-1]
        return status, headers, b"".join(written)

    def _send(self, status: str, headers: Headers, answer: bytes) -> None:
        named = {name.lower() for name, _ in headers}
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        code = int(status.split(" ", 1)[0])
        bodiless = self.command == "HEAD" or code in (204, 304)
        if "content-length" not in named and not bodiless:
            lines.append(f"Content-Length: {len(answer)}")
        if "date" not in named:
            lines.append(f"Date: {self.date_time_string()}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self.wfile.write(head if bodiless else head + answer)
