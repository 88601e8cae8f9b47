"""TLS is verified, and a proxy of the environment is gone through, for many connections as for one."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from ops.aws import Aws
from ops.clock import SystemClock
from ops.dynamodb.client import DataPlane, data_plane
from ops.dynamodb.retry import RetryPolicy
from ops.dynamodb.write import BulkWriter, WriteTarget
from ops.errors import Unreachable
from tests.unit.dynamodb.kit import KEYS, some_items

NAME = "dynamodb.example"
DONE = b'{"UnprocessedItems":{}}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(DONE), DONE)

openssl = shutil.which("openssl")
pytestmark = pytest.mark.skipif(openssl is None, reason="no openssl command to make a certificate with")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    found = folder / "certificate.pem", folder / "key.pem"
    command = [str(openssl), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-out", str(found[0]), "-keyout", str(found[1]), "-days", "2", "-subj", "/CN=test"]
    command += ["-addext", f"subjectAltName=IP:127.0.0.1,DNS:{NAME}"]
    subprocess.run(command, check=True, capture_output=True)
    return found


@contextmanager
def listening(serve: object) -> Iterator[int]:
    """A port each of whose connections is handed to `serve` on a thread of its own."""
    assert callable(serve)
    server = socket.create_server(("127.0.0.1", 0), backlog=128)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def tls_server(certificate: tuple[Path, Path], counted: list[int]) -> object:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as secure, secure.makefile("rb") as stream:
                    while head := stream.readline():
                        while line := stream.readline().strip():
                            if line.lower().startswith(b"content-length:"):
                                length = int(line.partition(b":")[2])
                        assert head.startswith(b"POST / HTTP/1.1")
                        counted.append(stream.read(length).count(b'"PutRequest"'))
                        secure.sendall(ANSWER)
            except OSError:
                return  # a client that does not trust us, or has left

    return serve


def bulk(monkeypatch: pytest.MonkeyPatch, url: str) -> int:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    policy = RetryPolicy(attempts=2, base_s=0.001, cap_s=0.002)
    plane: DataPlane = data_plane(Aws(region="us-east-1"), SystemClock(), Random(1), policy=policy)
    return BulkWriter(plane, WriteTarget("t", KEYS)).put(some_items(2000)).written


def test_a_bulk_write_over_verified_tls(monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]) -> None:
    counted: list[int] = []
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate[0]))
    with listening(tls_server(certificate, counted)) as port:
        assert bulk(monkeypatch, f"https://127.0.0.1:{port}") == 2000
    assert sum(counted) == 2000


def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]
) -> None:
    counted: list[int] = []
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with listening(tls_server(certificate, counted)) as port, pytest.raises(Unreachable) as caught:
        bulk(monkeypatch, f"https://127.0.0.1:{port}")
    assert "certificate" in caught.value.why.lower()
    assert counted == []


@pytest.mark.parametrize("login", ["", "user:p%40ss@"])
def test_a_bulk_write_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path], login: str
) -> None:
    counted: list[int] = []
    heads: list[bytes] = []

    def tunnel(connection: socket.socket) -> None:
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            heads.append(head)
            with socket.create_connection(("127.0.0.1", secure_port)) as onward:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pump, args=(onward, connection), daemon=True)
                back.start()
                _pump(connection, onward)
                back.join()

    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate[0]))
    with listening(tls_server(certificate, counted)) as secure_port, listening(tunnel) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{login}127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert bulk(monkeypatch, f"https://{NAME}:8443") == 2000
    assert sum(counted) == 2000
    assert all(head.startswith(f"CONNECT {NAME}:8443 ".encode()) for head in heads)
    assert all((b"Proxy-Authorization: Basic dXNlcjpwQHNz" in head) == bool(login) for head in heads)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the other side has left
