"""The front of the server: admin routes, the fast data plane, faults, and moto for the rest."""

from __future__ import annotations

import io
import json
import logging
import re
import socket
import struct
import traceback
import uuid
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from ops.sandbox.aws.admin import PREFIX, Admin
from ops.sandbox.aws.dataplane import DataPlane
from ops.sandbox.aws.faults import OF_OBJECTS, OF_REGIONS, Fault
from ops.sandbox.aws.spoiling import (
    NO_SUCH_KEY,
    Reply,
    refusal,
    server_error,
    spoiled_object,
    without_member,
    wrong_crc,
)
from ops.sandbox.aws.world import World

LOG = logging.getLogger("ops.sandbox")
TARGET_PREFIX = "DynamoDB_20120810."
STREAMS_PREFIX = "DynamoDBStreams_20120810."
JSON_TYPE = "application/x-amz-json-1.0"
_SCOPE = re.compile(r"Credential=[^/]+/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/")
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}

# moto hands these to a parser that fails in many ways on what it does not know
STATEMENT_CALLS = frozenset({"BatchExecuteStatement", "ExecuteStatement", "ExecuteTransaction"})
_UNREAD_STATEMENT = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]


class SandboxApplication:
    """WSGI. Everything that touches DynamoDB runs under one lock: moto's tables are not thread-safe."""

    def __init__(self, world: World, moto: Wsgi, data_plane: DataPlane, admin: Admin) -> None:
        self._world = world
        self._moto = moto
        self._data_plane = data_plane
        self._admin = admin

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith(PREFIX):
            status, document = self._admin.answer(
                environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), _body(environ)
            )
            return _send(start_response, status, json.dumps(document).encode(), "application/json")
        self._world.settle()
        region, service = _scope(environ)
        if self._world.faults.strike("*", region=region, names=OF_REGIONS):
            return _reset(environ)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target.startswith(TARGET_PREFIX):
            return self._dynamodb(target.removeprefix(TARGET_PREFIX), environ, start_response)
        if target.startswith(STREAMS_PREFIX):
            with self._world.lock:
                return self._other(environ, start_response)
        if service == "s3" and environ["REQUEST_METHOD"] == "GET" and path.strip("/").count("/"):
            return self._object(path, environ, start_response)
        return self._other(environ, start_response)

    def _dynamodb(self, operation: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = _body(environ)
        region, _ = _scope(environ)
        fault = self._world.faults.strike(operation, region=region)
        if fault is not None and fault.name == "reset":
            return _reset(environ)
        if fault is not None and (refused := refusal(fault.name, operation, region, body)):
            return _send(start_response, *refused)
        with self._world.lock:
            if self._world.asleep:  # this call waited while the state was written
                return asleep(start_response)
            reply = self._data_plane.answer(operation, region, body)
            if reply is None:
                environ["wsgi.input"] = io.BytesIO(body)
                reply = self._by_moto(operation, environ)
        if fault is None:
            return _send(start_response, *reply)
        if fault.name == "slow":
            self._world.sleep(fault.delay_s)
        return _deliver(fault, operation, environ, start_response, reply)

    def _by_moto(self, operation: str, environ: Environ) -> Reply:
        try:
            return _collected(self._other, environ)
        except _UNREAD_STATEMENT as error:
            if operation not in STATEMENT_CALLS:
                raise
            LOG.warning("%s: %s", operation, traceback.format_exc())
            return _not_imitated(f"the sandbox does not read this PartiQL statement: {error!r}")

    def _object(self, path: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """A read of an S3 object, or of what damage left of it."""
        fault = self._world.faults.strike("GetObject", subject=path, names=OF_OBJECTS)
        if fault is None:
            return self._other(environ, start_response)
        if fault.name == "s3_missing":
            start_response("404 Not Found", [("Content-Type", "application/xml")])
            return [NO_SUCH_KEY]
        seen: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
            seen.append((status, headers))

        body = b"".join(self._other(environ, start))
        status, headers = seen[-1]
        if status.startswith("2"):
            body = spoiled_object(fault.name, body, fault.random)
        # the library's own checksums would find the damage before the reader of the manifest does
        kept = [(name, value) for name, value in headers if not name.lower().startswith(_OF_THE_BODY)]
        start_response(status, [*kept, ("Content-Length", str(len(body)))])
        return [body]

    def _other(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return self._moto(environ, start_response)
        except NotImplementedError as error:
            # moto's way to say it lacks an operation; a 500 would be retried, and nothing would name it
            return _refuse(environ, start_response, f"the sandbox does not imitate this call: {error}")


def asleep(start_response: StartResponse) -> list[bytes]:
    """The answer to every call after the state was written: what it did would be lost."""
    text = {"error": "the sandbox is being put to sleep; ops sandbox up wakes it"}
    return _send(start_response, 503, json.dumps(text).encode(), "application/json")


def _body(environ: Environ) -> bytes:
    if length := environ.get("CONTENT_LENGTH"):
        data: bytes = environ["wsgi.input"].read(int(length))
        return data
    # without a length only a chunked body has an end to read to
    return b"".join(environ["wsgi.input"]) if environ.get("wsgi.input_terminated") else b""


_OF_THE_BODY = ("content-length", "x-amz-checksum-", "x-amz-sdk-checksum-")


def _scope(environ: Environ) -> tuple[str, str]:
    """Region and service that the request was signed for."""
    found = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    return (found.group(1), found.group(2)) if found else ("us-east-1", "")


def _send(
    start_response: StartResponse,
    status: int,
    body: bytes,
    content_type: str = JSON_TYPE,
    *,
    crc: int | bool = True,
) -> list[bytes]:
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", uuid.uuid4().hex.upper()),
    ]
    if crc is not False:
        headers.append(("x-amz-crc32", str(zlib.crc32(body) if crc is True else crc)))
    start_response(f"{status} {_REASONS.get(status, 'Answer')}", headers)
    return [body]


def _collected(app: Wsgi, environ: Environ) -> Reply:
    """Run a WSGI application to its end."""
    seen: list[str] = []

    def start(status: str, _headers: Any, _exc_info: Any = None) -> None:
        seen.append(status)

    body = b"".join(app(environ, start))
    return int(seen[-1].split(" ", 1)[0]), body


def _deliver(
    fault: Fault, operation: str, environ: Environ, start_response: StartResponse, reply: Reply
) -> Iterable[bytes]:
    """The answer of a call that has been applied, spoiled."""
    status, body = reply
    if fault.name == "reset_after_apply":
        return _reset(environ)
    if fault.name == "error500_after_apply":
        return _send(start_response, *server_error())
    if status != 200:
        return _send(start_response, status, body)
    if fault.name == "truncate":
        return _send(start_response, status, body[: len(body) // 2], crc=False)
    if fault.name == "cut":
        return _cut(environ, body)
    if fault.name == "bad_crc":
        return _send(start_response, status, body, crc=wrong_crc(body))
    if fault.name == "missing_members":
        body = without_member(operation, body, fault.random)
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


def _not_imitated(message: str) -> Reply:
    return 501, json.dumps({"__type": "NotImitatedBySandbox", "message": message}).encode()


def _refuse(environ: Environ, start_response: StartResponse, message: str) -> Iterable[bytes]:
    """501 in the protocol of the caller; botocore does not retry it."""
    LOG.warning("%s", message)
    if environ.get("HTTP_X_AMZ_TARGET"):
        return _send(start_response, *_not_imitated(message))
    document = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>NotImitatedBySandbox</Code>"
        f"<Message>{message}</Message></Error></ErrorResponse>"
    )
    return _send(start_response, 501, document.encode(), "text/xml")
