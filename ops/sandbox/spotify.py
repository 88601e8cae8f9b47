"""A local HTTP API shaped like Spotify's Web API, in a process of its own.

`python -m ops.sandbox.spotify --folder DIR [--port N]`: reads `DIR/spotify-config.json`, listens on 127.0.0.1
only, writes `DIR/spotify.json` once it listens, and ends by itself when its folder is removed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from ops.sandbox.spotify_api import Api, Request, SpotifyConfig, make_api
from ops.sandbox.spotify_faults import Fault, Reply, bend, fixed_reply
from ops.sandbox.state import write_atomically

EXIT_PORT_TAKEN = 3


class Handler(BaseHTTPRequestHandler):
    """HTTP in, `Api.answer` out; silent."""

    protocol_version = "HTTP/1.1"
    server_version = "dynamo-ops-sandbox"
    disable_nagle_algorithm = True
    api: ClassVar[Api]

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Write no request log: it would hold tokens."""

    def _serve(self) -> None:
        address = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, address.path, query, headers, self.rfile.read(length))
        admin = address.path.startswith("/sandbox/")
        fault = None if admin else self.api.faults.take(address.path, query.get("market", ""))
        if fault is None:
            self._send(self.api.answer(request))
        else:
            self._serve_fault(fault, request)

    def _serve_fault(self, fault: Fault, request: Request) -> None:
        if fault.name in ("slow", "hang"):
            time.sleep(float(str(fault.parameters.get("seconds", 30 if fault.name == "hang" else 0.2))))
        if fault.name == "reset":
            self.close_connection = True
            self.connection.close()
            return
        reply = fixed_reply(fault)
        self._send(reply if reply is not None else bend(fault, self.api.answer(request)))

    def _send(self, reply: Reply) -> None:
        try:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
            if reply.cut:
                self.close_connection = True
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


class LoopbackServer(ThreadingHTTPServer):
    """Loopback only; a request that hangs does not keep the process."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no event here."""


def make_server(api: Api, port: int) -> LoopbackServer:
    """A server on 127.0.0.1 that answers from `api`; port 0 takes a free one."""
    return LoopbackServer(("127.0.0.1", port), type("BoundHandler", (Handler,), {"api": api}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until killed, or until the folder is gone."""
    parser = argparse.ArgumentParser(prog="python -m ops.sandbox.spotify")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args(arguments)
    config = SpotifyConfig(**json.loads((options.folder / "spotify-config.json").read_text(encoding="utf-8")))
    try:
        server = make_server(make_api(config, time.monotonic), options.port)
    except OSError as error:
        sys.stderr.write(f"ops sandbox: cannot listen on 127.0.0.1:{options.port}: {error.strerror}\n")
        return EXIT_PORT_TAKEN
    ready = options.folder / "spotify.json"
    write_atomically(ready, {"port": server.server_address[1], "pid": os.getpid(), "token": config.token})
    threading.Thread(target=_end_without_folder, args=(ready, server), daemon=True).start()
    server.serve_forever(poll_interval=0.1)
    return 0


def _end_without_folder(ready: Path, server: LoopbackServer) -> None:
    while ready.exists():
        time.sleep(1.0)
    server.shutdown()


if __name__ == "__main__":
    raise SystemExit(main())
