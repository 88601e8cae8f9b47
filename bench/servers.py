"""Starts and stops what the cases talk to: the C server, plain moto, the sandbox. Loopback only."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).parent
BINARY = HERE / "server"
START_LIMIT_S = 30.0
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Load:
    """What a server has served since it was last asked, and its CPU seconds for it."""

    items: int
    requests: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `certificate` is that of its own authority when it speaks TLS."""

    url: str
    pid: int
    certificate: Path | None = None
    counts: bool = True
    #: Further ones, for clients of which each process has a server of its own.
    beside: tuple[Server, ...] = ()

    @property
    def all(self) -> tuple[Server, ...]:
        """This one and those beside it."""
        return (self, *self.beside)

    def take(self) -> Load:
        """The load since the last call, of all of them."""
        if not self.counts:
            return Load(0, 0, 0.0)
        loads = [one._take() for one in self.all]
        return Load(
            sum(one.items for one in loads), sum(one.requests for one in loads), sum(one.cpu_s for one in loads)
        )

    def _take(self) -> Load:
        context = ssl.create_default_context(cafile=self.certificate) if self.certificate else None
        with urllib.request.urlopen(f"{self.url}/reset", timeout=10, context=context) as answer:
            found = json.load(answer)
        return Load(found["items"], found["requests"], found["cpu_s"])


class NotServed(Exception):
    """A server that this machine cannot run; the text says why."""


def build() -> None:
    """`make -C bench`: the server, with TLS where OpenSSL's headers are."""
    subprocess.run(["make", "--silent", "-C", str(HERE)], check=True, stdout=sys.stderr)


@contextmanager
def dynamodb(
    work: Path, *, pages: Path | None = None, table: Path | None = None, delay_ms: int = 0, tls: bool = False
) -> Iterator[Server]:
    """The server of server.c."""
    folder = _fresh(work / f"server-{os.getpid()}-{time.monotonic_ns()}")
    port_file = folder / "port"
    command = [str(BINARY), "--port-file", str(port_file), "--delay-ms", str(delay_ms)]
    certificate = None
    if pages is not None:
        command += ["--pages", str(pages)]
    if table is not None:
        command += ["--table", str(table)]
    if tls:
        certificate, key = certificate_of(work)
        command += ["--cert", str(certificate), "--key", str(key)]
    with _process(command, folder) as process:
        port = int(_when_there(port_file, process))
        yield Server(f"{'https' if tls else 'http'}://{HOST}:{port}", process.pid, certificate)


@contextmanager
def apart(work: Path, *, pages: Path | None = None, table: Path | None = None) -> Iterator[Server]:
    """A server of server.c on each processor, bound to it; the first of `processors`, the others beside it."""
    with ExitStack() as stack:
        found = []
        for processor in processors():
            found.append(stack.enter_context(dynamodb(work, pages=pages, table=table)))
            os.sched_setaffinity(found[-1].pid, {processor})
        yield replace(found[0], beside=tuple(found[1:]))


def processors() -> list[int]:
    """The processors that this process may run on."""
    return sorted(os.sched_getaffinity(0))


@contextmanager
def moto(work: Path) -> Iterator[Server]:
    """moto's own server, as it is installed, without our additions."""
    folder = _fresh(work / f"moto-{os.getpid()}-{time.monotonic_ns()}")
    port = _free_port()
    with _process([sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)], folder) as process:
        url = f"http://{HOST}:{port}"
        _when_answering(f"{url}/moto-api/data.json", process)
        yield Server(url, process.pid, counts=False)


@contextmanager
def sandbox(work: Path) -> Iterator[Server]:
    """The sandbox's AWS."""
    folder = _fresh(work / f"sandbox-{os.getpid()}-{time.monotonic_ns()}")
    with _process([sys.executable, "-m", "ops.sandbox.server", "--folder", str(folder)], folder) as process:
        port = json.loads(_when_there(folder / "aws.json", process))["port"]
        yield Server(f"http://{HOST}:{port}", process.pid, counts=False)


def certificate_of(work: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key, made once."""
    certificate, key = work / "tls-certificate.pem", work / "tls-key.pem"
    if not (certificate.exists() and key.exists()):
        openssl = shutil.which("openssl")
        if openssl is None:
            raise NotServed("no openssl command to make a certificate with")
        command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-keyout", str(key), "-out", str(certificate), "-days", "3650", "-subj", "/CN=bench"]
        command += ["-addext", f"subjectAltName=IP:{HOST}"]
        subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@contextmanager
def _process(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=HERE.parent)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _when_there(path: Path, process: subprocess.Popen[bytes]) -> str:
    _until(path.exists, process)
    return path.read_text()


def _when_answering(url: str, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except OSError:
            return False

    _until(answers, process)


def _until(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while not ready():
        if process.poll() is not None:
            if process.returncode == 3:
                raise NotServed("built without OpenSSL's headers, so without TLS")
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")
        if time.monotonic() > limit:
            raise RuntimeError(f"{process.args!r} did not start within {START_LIMIT_S:.0f} s")
        time.sleep(0.02)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _fresh(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
