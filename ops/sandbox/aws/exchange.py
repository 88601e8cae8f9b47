"""One request through the application and onto the wire, whichever thread read it."""

from __future__ import annotations

import io
import logging
import sys
import time
import traceback
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

LOG = logging.getLogger("ops.sandbox")

Headers = list[tuple[str, str]]
Environ = dict[str, Any]
Application = Callable[..., Any]


def connection_variables(host: str, port: int, address: tuple[str, int], connection: Any) -> Environ:
    """What the application is told of each plain `POST /` of a connection, beside its headers."""
    return {
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.errors": sys.stderr, "wsgi.multithread": True,
        "wsgi.multiprocess": False, "wsgi.run_once": False, "werkzeug.socket": connection, "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "", "REQUEST_URI": "/", "RAW_URI": "/",
        "REMOTE_ADDR": address[0], "REMOTE_PORT": address[1], "SERVER_NAME": host, "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
    }  # fmt: skip


class Exchange:
    """Runs the application; any error of it is a logged 500, never a hang. ConnectionError: a fault closed it."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._date = (0, "")

    def answer(self, environ: Environ, body: bytes) -> bytes:
        """The bytes of the answer, head and body."""
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        try:
            status, headers, answer = self._run(environ)
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001 - the boundary of the process
            LOG.error("%s %s failed:\n%s", environ["REQUEST_METHOD"], environ["RAW_URI"], traceback.format_exc())
            status, headers, answer = "500 Internal Server Error", [], _failure(environ)
        return self._on_the_wire(environ["REQUEST_METHOD"], status, headers, answer)

    def _run(self, environ: Environ) -> tuple[str, Headers, bytes]:
        started: list[tuple[str, Headers]] = []
        written: list[bytes] = []

        def start(status: str, headers: Headers, _error: Any = None) -> Any:
            started.append((status, headers))
            return written.append

        parts = self._application(environ, start)
        try:
            written.extend(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        status, headers = started[-1]
        return status, headers, b"".join(written)

    def _on_the_wire(self, method: str, status: str, headers: Headers, answer: bytes) -> bytes:
        named = {name.lower() for name, _ in headers}
        lines = [f"HTTP/1.1 {status}", *[f"{name}: {value}" for name, value in headers]]
        bodiless = method == "HEAD" or status[:3] in ("204", "304")
        if "content-length" not in named and not bodiless:
            lines.append(f"Content-Length: {len(answer)}")
        if "date" not in named:
            lines.append(f"Date: {self._now()}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        return head if bodiless else head + answer

    def _now(self) -> str:
        second, text = self._date
        now = int(time.time())
        if now != second:
            text = formatdate(now, usegmt=True)
            self._date = now, text
        return text


def _failure(environ: Environ) -> bytes:
    """A 500 in the protocol of the caller."""
    message = "the sandbox failed; see aws.log"
    if environ.get("HTTP_X_AMZ_TARGET"):
        return f'{{"__type":"InternalFailure","message":"{message}"}}'.encode()
    error = f"<Error><Type>Receiver</Type><Code>InternalFailure</Code><Message>{message}</Message></Error>"
    return f"<ErrorResponse>{error}</ErrorResponse>".encode()
