"""The front of the server: admin routes, the fast data plane, faults, and moto for the rest."""

from __future__ import annotations

import io
import json
import logging
import re
import socket
import struct
import uuid
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from ops.sandbox.aws.admin import PREFIX, Admin
from ops.sandbox.aws.dataplane import DataPlane
from ops.sandbox.aws.world import World

LOG = logging.getLogger("ops.sandbox")
TARGET_PREFIX = "DynamoDB_20120810."
STREAMS_PREFIX = "DynamoDBStreams_20120810."
JSON_TYPE = "application/x-amz-json-1.0"
_REGION = re.compile(r"Credential=[^/]+/[0-9]{8}/([a-z0-9-]+)/")
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    500: "Internal Server Error",
    501: "Not Implemented",
}

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]
Reply = tuple[int, bytes]


class SandboxApplication:
    """WSGI. Everything that touches DynamoDB runs under one lock: moto's tables are not thread-safe."""

    def __init__(self, world: World, moto: Wsgi, data_plane: DataPlane) -> None:
        self._world = world
        self._moto = moto
        self._data_plane = data_plane
        self._admin = Admin(world)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith(PREFIX):
            status, document = self._admin.answer(
                environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), _body(environ)
            )
            return _send(start_response, status, json.dumps(document).encode(), "application/json")
        self._world.settle()
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target.startswith(TARGET_PREFIX):
            return self._dynamodb(target.removeprefix(TARGET_PREFIX), environ, start_response)
        if target.startswith(STREAMS_PREFIX):
            with self._world.lock:
                return self._other(environ, start_response)
        return self._other(environ, start_response)

    def _dynamodb(self, operation: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = _body(environ)
        fault = self._world.faults.strike(operation)
        if fault == "reset":
            return _reset(environ)
        if fault in _REFUSALS:
            return _send(start_response, *_REFUSALS[fault])
        with self._world.lock:
            reply = self._data_plane.answer(operation, _region(environ), body)
            if reply is None:
                environ["wsgi.input"] = io.BytesIO(body)
                reply = _collected(self._other, environ)
        return _deliver(fault, environ, start_response, reply)

    def _other(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return self._moto(environ, start_response)
        except NotImplementedError as error:
            # moto's way to say it lacks an operation; a 500 would be retried, and nothing would name it
            return _refuse(environ, start_response, f"the sandbox does not imitate this call: {error}")


def _body(environ: Environ) -> bytes:
    if length := environ.get("CONTENT_LENGTH"):
        data: bytes = environ["wsgi.input"].read(int(length))
        return data
    # without a length only a chunked body has an end to read to
    return b"".join(environ["wsgi.input"]) if environ.get("wsgi.input_terminated") else b""


def _region(environ: Environ) -> str:
    found = _REGION.search(environ.get("HTTP_AUTHORIZATION", ""))
    return found.group(1) if found else "us-east-1"


def _send(
    start_response: StartResponse,
    status: int,
    body: bytes,
    content_type: str = JSON_TYPE,
    *,
    crc: bool = True,
) -> list[bytes]:
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", uuid.uuid4().hex.upper()),
    ]
    if crc:
        headers.append(("x-amz-crc32", str(zlib.crc32(body))))
    start_response(f"{status} {_REASONS.get(status, 'Answer')}", headers)
    return [body]


def _error_body(code: str, message: str) -> bytes:
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode()


_REFUSALS: dict[str | None, Reply] = {
    "throttle": (
        400,
        _error_body(
            "ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for the table was exceeded. Consider increasing "
            "your provisioning level with the UpdateTable API.",
        ),
    ),
    "error500": (500, _error_body("InternalServerError", "Internal server error")),
}


def _collected(app: Wsgi, environ: Environ) -> Reply:
    """Run a WSGI application to its end."""
    seen: list[str] = []

    def start(status: str, _headers: Any, _exc_info: Any = None) -> None:
        seen.append(status)

    body = b"".join(app(environ, start))
    return int(seen[-1].split(" ", 1)[0]), body


def _deliver(fault: str | None, environ: Environ, start_response: StartResponse, reply: Reply) -> Iterable[bytes]:
    status, body = reply
    if fault == "reset_after_apply":
        return _reset(environ)
    if fault == "truncate" and status == 200:
        return _send(start_response, status, body[: len(body) // 2], crc=False)
    if fault == "cut" and status == 200:
        return _cut(environ, body)
    return _send(start_response, status, body)


def _reset(environ: Environ) -> Iterable[bytes]:
    """Close with a TCP reset, as a crashed peer does."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    raise ConnectionResetError("fault 'reset' closed this connection")


def _cut(environ: Environ, body: bytes) -> Iterable[bytes]:
    """Announce the whole body, send half of it, and end the connection."""
    connection: socket.socket = environ["werkzeug.socket"]
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body[: len(body) // 2])
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("fault 'cut' ended this connection")


def _refuse(environ: Environ, start_response: StartResponse, message: str) -> Iterable[bytes]:
    """501 in the protocol of the caller; botocore does not retry it."""
    LOG.warning("%s", message)
    if environ.get("HTTP_X_AMZ_TARGET"):
        document = json.dumps({"__type": "NotImitatedBySandbox", "message": message})
        return _send(start_response, 501, document.encode())
    document = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>NotImitatedBySandbox</Code>"
        f"<Message>{message}</Message></Error></ErrorResponse>"
    )
    return _send(start_response, 501, document.encode(), "text/xml")
