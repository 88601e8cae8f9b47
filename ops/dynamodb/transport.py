"""DynamoDB JSON over signed HTTP: one request, one checked answer.

No answer is used before its length, its checksum (when sent), its JSON and the members that its operation must have
were checked: a truncated 200 that looks like an empty page would end a scan early and pass for a small table.
"""

from __future__ import annotations

import base64
import http.client
import os
import ssl
import urllib.request
import weakref
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import orjson

from ops.aws import Aws, CallObserver, Credentials
from ops.clock import SystemClock
from ops.dynamodb.retry import Failure
from ops.dynamodb.signing import Signer

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 10.0
API_VERSION = "DynamoDB_20120810"

#: Members without which an answer of the operation is not an answer.
REQUIRED: dict[str, tuple[str, ...]] = {
    "Scan": ("Count", "ScannedCount", "Items"),
    "Query": ("Count", "ScannedCount", "Items"),
    "BatchWriteItem": ("UnprocessedItems",),
    "BatchGetItem": ("Responses", "UnprocessedKeys"),
    "GetItem": ("ConsumedCapacity",),
    "PutItem": ("ConsumedCapacity",),
    "UpdateItem": ("ConsumedCapacity",),
    "DeleteItem": ("ConsumedCapacity",),
}


class Transport(Protocol):
    """The seam between the data plane and the wire. Raises `Failure`; retrying is the caller's."""

    def send(self, operation: str, body: bytes) -> dict[str, Any]:
        """One request with a DynamoDB JSON body; the checked document of its answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A raw HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def checked(operation: str, answer: Answer) -> dict[str, Any]:
    """The document of an answer, or the `Failure` that says why it cannot be used."""
    declared = answer.headers.get("content-length")
    if declared is not None and declared.strip() != str(len(answer.body)):
        raise Failure("Truncated", f"{len(answer.body)} of {declared} bytes arrived", answer.status)
    checksum = answer.headers.get("x-amz-crc32")
    if checksum is not None and checksum.strip() != str(zlib.crc32(answer.body)):
        raise Failure("ChecksumMismatch", "CRC32 of the body is not the one that was sent", answer.status)
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise Failure("NotJson", f"HTTP {answer.status}: {error}", answer.status) from error
    if not isinstance(document, dict):
        raise Failure("NotJson", "the body is no JSON object", answer.status)
    if answer.status != 200:
        raise _refusal(document, answer.status)
    _require(operation, document)
    return document


def _refusal(document: dict[str, Any], status: int) -> Failure:
    code = str(document.get("__type", "Unknown")).rpartition("#")[2]
    message = str(document.get("message", document.get("Message", "")))
    told = document.get("ThrottlingReasons") or ()
    reasons = [str(one.get("reason", "")) for one in told if isinstance(one, dict)]
    if reasons:
        message = f"{message} ({', '.join(reasons)})"
    return Failure(code, message, status)


def _require(operation: str, document: dict[str, Any]) -> None:
    missing = [name for name in REQUIRED.get(operation, ()) if name not in document]
    if missing:
        raise Failure("MissingMembers", f"{operation} without {', '.join(missing)}", 200)
    if operation in ("Scan", "Query"):
        _require_page(operation, document)
    elif any(not isinstance(document[name], dict) for name in _OBJECTS & document.keys()):
        raise Failure("MissingMembers", f"{operation}: a member has another shape than AWS gives it", 200)


#: Members that are objects whenever they are there.
_OBJECTS = frozenset({"UnprocessedItems", "Responses", "UnprocessedKeys"})


def _require_page(operation: str, document: dict[str, Any]) -> None:
    items, count, scanned = document["Items"], document["Count"], document["ScannedCount"]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Failure("MissingMembers", f"{operation}: Items is no list of items", 200)
    if count != len(items) or not isinstance(scanned, int) or scanned < count:
        raise Failure("MissingMembers", f"{operation}: Count {count} of {scanned}, {len(items)} Items", 200)
    key = document.get("LastEvaluatedKey", _LAST_PAGE)
    if key is not _LAST_PAGE and not (isinstance(key, dict) and key):
        # Empty or null is neither "more" nor "the end": taking it for the end would cut the table short.
        raise Failure("MissingMembers", f"{operation}: LastEvaluatedKey without a key", 200)


_LAST_PAGE = object()


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
        self._region = region or aws.region
        endpoint = urlsplit(aws.endpoint("dynamodb", self._region))
        self._secure = endpoint.scheme == "https"
        self._host = endpoint.hostname or ""
        self._port = endpoint.port or (443 if self._secure else 80)
        self._path = endpoint.path or "/"
        self._signer = Signer(region=self._region, host=endpoint.netloc, path=self._path)
        self._credentials: Callable[[], Credentials] = aws.credentials
        self._observers: tuple[CallObserver, ...] = aws.observers
        # The real time, also in a sandbox whose own clock was advanced: AWS refuses a signature that is off.
        self._now = wall or SystemClock().now
        self._connect_s, self._read_s = timeouts_s or (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        # AWS_CA_BUNDLE is what every AWS tool reads the authorities from.
        bundle = os.environ.get("AWS_CA_BUNDLE") or None
        self._tls = ssl.create_default_context(cafile=bundle) if self._secure else None
        self._idle: deque[http.client.HTTPConnection] = deque()
        weakref.finalize(self, _close_all, self._idle)
        self._proxy, self._proxy_headers = _proxy_for(endpoint.scheme, self._host)

    def send(self, operation: str, body: bytes) -> dict[str, Any]:
        params = orjson.loads(body) if self._observers else {}
        for observer in self._observers:
            observer.before("dynamodb", operation, params)
        try:
            document = checked(operation, self._exchange(operation, body))
        except Failure as failure:
            self._tell(operation, params, failure.code)
            raise
        self._tell(operation, params, "ok")
        return document

    def _tell(self, operation: str, params: dict[str, Any], outcome: str) -> None:
        for observer in self._observers:
            observer.after("dynamodb", operation, params, outcome)

    def _exchange(self, operation: str, body: bytes) -> Answer:
        headers = self._signer.headers(self._credentials(), f"{API_VERSION}.{operation}", body, self._now())
        # `identity`: the checksum that AWS sends is of the bytes before compression.
        headers["accept-encoding"] = "identity"
        try:
            return self._request(self._take() or self._connect(), headers, body)
        except ConnectionError as error:
            closed = error
        except (http.client.HTTPException, OSError) as error:
            raise _broken(error) from error
        try:
            # Most often a kept connection that the server closed meanwhile: that is no failure of the request.
            return self._request(self._connect(), headers, body)
        except (http.client.HTTPException, OSError) as error:
            raise _broken(error) from closed

    def _take(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _request(self, connection: http.client.HTTPConnection, headers: dict[str, str], body: bytes) -> Answer:
        kept = False
        try:
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            content = response.read()
            kept = not response.will_close
        finally:
            # Also after Ctrl-C: a connection with half an answer on it is never used again.
            if not kept:
                connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        if kept:
            self._idle.append(connection)
        return Answer(response.status, found, content)

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._proxy or (self._host, self._port)
        connection: http.client.HTTPConnection
        if self._secure:
            connection = http.client.HTTPSConnection(host, port, timeout=self._connect_s, context=self._tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._connect_s)
        if self._proxy is not None:
            connection.set_tunnel(self._host, self._port, self._proxy_headers)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.sock.settimeout(self._read_s)
        return connection


def _close_all(idle: deque[http.client.HTTPConnection]) -> None:
    while idle:
        idle.pop().close()


def _broken(error: Exception) -> Failure:
    code = "Timeout" if isinstance(error, TimeoutError) else "ConnectionBroken"
    if isinstance(error, http.client.IncompleteRead):
        code = "Truncated"
    if isinstance(error, ssl.SSLCertVerificationError):
        code = "CertificateRefused"
    return Failure(code, f"{type(error).__name__}: {error}", 0)


def _proxy_for(scheme: str, host: str) -> tuple[tuple[str, int] | None, dict[str, str]]:
    """Address and headers of the proxy that the environment names for this host, or None."""
    if urllib.request.proxy_bypass(host) or host in ("127.0.0.1", "localhost", "::1"):
        return None, {}
    address = urllib.request.getproxies().get(scheme)
    if not address:
        return None, {}
    parts = urlsplit(address if "//" in address else f"//{address}")
    headers = {}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return (parts.hostname or "", parts.port or 3128), headers
