"""One keep-alive HTTP/1.1 connection, through TLS and a proxy where there is one.

`http.client` opens it and reads what is unusual; the usual answer (a head with Content-Length in the first
segment) is taken apart here, because http.client parses each head as an e-mail, which would be the larger part of
the cost of a bulk write.
"""

from __future__ import annotations

import base64
import http.client
import io
import socket
import ssl
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Self, cast
from urllib.parse import SplitResult, unquote, urlsplit

from ops.dynamodb.answers import Answer
from ops.dynamodb.retry import Failure
from ops.errors import Unreachable

FIRST_READ_BYTES = 64 * 1024
#: One answer may come in pieces; all of it must be there within this many read time limits.
PIECES = 6


class Connection:
    """A socket that carries one request at a time."""

    def __init__(self, sock: socket.socket, read_s: float) -> None:
        self._sock = sock
        self._read_s = read_s
        sock.settimeout(read_s)
        #: Whether an answer came over it before: the server may have closed it since.
        self.used = False

    def fileno(self) -> int:
        """For a selector."""
        return self._sock.fileno()

    def send(self, request: bytes) -> None:
        """All of a request."""
        self._sock.sendall(request)

    def receive(self) -> tuple[Answer, bool]:
        """The answer, and whether another request may follow on this connection."""
        first = self._sock.recv(FIRST_READ_BYTES)
        if not first:
            raise ConnectionResetError("closed before the answer")
        head, end, rest = first.partition(b"\r\n\r\n")
        headers = _headers(head) if end and head.startswith(_USUAL) else {}
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or "transfer-encoding" in headers:
            return self._unusual(first)
        body = self._rest(rest, int(length))
        self.used = True
        kept = len(rest) <= len(body) and headers.get("connection", "").lower() != "close"
        return Answer(int(head[9:12]), headers, body), kept

    def _rest(self, begun: bytes, length: int) -> bytes | bytearray:
        if len(begun) >= length:
            return begun[:length]
        body = bytearray(length)
        body[: len(begun)] = begun
        at, deadline = len(begun), time.monotonic() + PIECES * self._read_s
        with memoryview(body) as view:
            while at < length:
                got = self._sock.recv_into(view[at:])
                if not got:
                    raise http.client.IncompleteRead(bytes(view[:at]), length - at)
                at += got
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{at} of {length} bytes in {PIECES * self._read_s:.0f} s")
        return body

    def _unusual(self, first: bytes) -> tuple[Answer, bool]:
        response = http.client.HTTPResponse(cast(socket.socket, _Replayed(first, self._sock)), method="POST")
        try:
            response.begin()
            body = response.read()
        finally:
            response.close()
        headers = {name.lower(): value for name, value in response.getheaders()}
        # What http.client has read ahead is lost with it.
        return Answer(response.status, headers, body), False

    def close(self) -> None:
        """End it; never fails."""
        self._sock.close()


_USUAL = (b"HTTP/1.1 200 ", b"HTTP/1.1 400 ", b"HTTP/1.1 500 ", b"HTTP/1.1 503 ")


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}


class _Replayed(io.RawIOBase):
    """A socket for http.client whose first bytes were already received."""

    def __init__(self, first: bytes, sock: socket.socket) -> None:
        self._first = first
        self._sock = sock

    def makefile(self, *_: object) -> IO[bytes]:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        if not self._first:
            return self._sock.recv_into(into)
        count = min(len(self._first), len(into))
        into[:count] = self._first[:count]
        self._first = self._first[count:]
        return count


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where connections go, and how: address, TLS, proxy, time limits."""

    parts: SplitResult
    timeouts_s: tuple[float, float]
    tls: ssl.SSLContext | None
    proxy: tuple[str, int] | None
    proxy_headers: Mapping[str, str]

    @classmethod
    def of(cls, url: str, timeouts_s: tuple[float, float], ca_bundle: str | None = None) -> Self:
        """The endpoint as the environment wants it reached; `ca_bundle` names the authorities, if not the usual ones.

        Unreachable for a bundle that cannot be read, and for a proxy that is not spoken to here.
        """
        parts = urlsplit(url)
        tls = _verified_by(ca_bundle) if parts.scheme == "https" else None
        proxy, headers = proxy_for(parts.scheme, parts.hostname or "")
        return cls(parts, timeouts_s, tls, proxy, headers)

    def connect(self) -> Connection:
        """A new connection; OSError when there is none within the time limit."""
        host, port = self.parts.hostname or "", self.parts.port or (443 if self.tls else 80)
        to, connect_s = self.proxy or (host, port), self.timeouts_s[0]
        opened: http.client.HTTPConnection
        if self.tls:
            opened = http.client.HTTPSConnection(*to, timeout=connect_s, context=self.tls)
        else:
            opened = http.client.HTTPConnection(*to, timeout=connect_s)
        if self.proxy is not None:
            opened.set_tunnel(host, port, dict(self.proxy_headers))
        try:
            opened.connect()
        except BaseException:
            opened.close()
            raise
        return Connection(opened.sock, self.timeouts_s[1])


def _verified_by(ca_bundle: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise Unreachable(
            f"the certificate authorities cannot be read from {ca_bundle}",
            why=str(error),
            fix=("correct AWS_CA_BUNDLE, or ca_bundle of the profile",),
        ) from error


def broken(error: Exception) -> Failure:
    """The failure of a request whose answer never came."""
    code = "Timeout" if isinstance(error, TimeoutError) else "ConnectionBroken"
    if isinstance(error, http.client.IncompleteRead):
        code = "Truncated"
    if isinstance(error, ssl.SSLCertVerificationError):
        code = "CertificateRefused"
    return Failure(code, f"{type(error).__name__}: {error}", 0)


def proxy_for(scheme: str, host: str) -> tuple[tuple[str, int] | None, dict[str, str]]:
    """Address and headers of the proxy that the environment names for this host, or None."""
    if urllib.request.proxy_bypass(host) or host in ("127.0.0.1", "localhost", "::1"):
        return None, {}
    address = urllib.request.getproxies().get(scheme)
    if not address:
        return None, {}
    parts = urlsplit(address if "//" in address else f"http://{address}")
    if parts.scheme != "http":
        raise Unreachable(
            f"proxy {parts.scheme}://{parts.hostname} is not spoken to",
            why="items travel through http:// proxies, by CONNECT and TLS inside it",
            fix=(f"set {scheme.upper()}_PROXY to an http:// address", f"add {host} to NO_PROXY"),
        )
    headers = {}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return (parts.hostname or "", parts.port or 80), headers
