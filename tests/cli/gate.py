"""A door in front of the sandbox that can hold one kind of request, so that a test can interrupt exactly there."""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOLD_LIMIT_S = 60.0
_HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Gate:
    """Forwards and remembers everything; a request of the held operation that mentions `text` waits until `release`."""

    def __init__(self, endpoint: str) -> None:
        self._held_operation, self._held_text = "", b""
        self._lost_operation = ""
        self.reached = threading.Event()
        self.seen: list[Request] = []
        self._open = threading.Event()
        gate, address = self, urlsplit(endpoint).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gate._wait(self.headers.get("X-Amz-Target", ""), body)
                gate.seen.append(Request(self.command, self.path, dict(self.headers.items()), body))
                connection = http.client.HTTPConnection(address, timeout=HOLD_LIMIT_S)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
                if gate._loses(self.headers.get("X-Amz-Target", "")):
                    self.close_connection = True
                    return
                try:
                    self.send_response_only(answer.status)
                    for name, value in answer.getheaders():
                        if name.lower() not in _HOP:
                            self.send_header(name, value)
                    length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
                    self.send_header("Content-Length", length or "0")
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:
                    self.close_connection = True  # the interrupted client is gone

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _forward

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def hold(self, operation: str, text: str = "") -> None:
        """From now on hold requests of this operation (`Scan`) whose body mentions `text`."""
        self._held_operation, self._held_text = operation, text.encode()
        self.reached.clear()
        self._open.clear()

    def lose(self, operation: str) -> None:
        """Carry the next request of this operation out, and break the connection off instead of answering."""
        self._lost_operation = operation

    def _loses(self, target: str) -> bool:
        if not self._lost_operation or not target.endswith(f".{self._lost_operation}"):
            return False
        self._lost_operation = ""
        return True

    def release(self) -> None:
        """Let everything through again."""
        self._held_operation = ""
        self._open.set()

    def stop(self) -> None:
        """Close the door."""
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _wait(self, target: str, body: bytes) -> None:
        if self._held_operation and target.endswith(f".{self._held_operation}") and self._held_text in body:
            self.reached.set()
            self._open.wait(HOLD_LIMIT_S)
