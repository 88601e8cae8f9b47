"""The two HTTP children of the sandbox: started, awaited, and asked for proof of identity."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import ops
from ops.clock import Clock
from ops.errors import OpsError, PortTaken, SandboxBroken, StateFolderUnusable
from ops.sandbox import processes
from ops.sandbox.aws.kept import KEPT
from ops.sandbox.control import SandboxControl
from ops.sandbox.processes import ProcessRecord
from ops.sandbox.spotify_api import SpotifyConfig
from ops.sandbox.state import SandboxState, read_ready_file, write_atomically

READY_LIMIT_S = 30.0
PROBE_TIMEOUT_S = 2.0
PORT_LIMIT_S = 5.0
Check = Callable[[], str]


def spawn_aws(folder: Path, port: int) -> ProcessRecord:
    """The AWS stand-in; it writes `aws.json` when it listens."""
    return _spawn("aws", "ops.sandbox.server", folder, port)


def spawn_spotify(folder: Path, state: SandboxState, port: int) -> ProcessRecord:
    """The Spotify-shaped API; it writes `spotify.json` when it listens."""
    config = SpotifyConfig(
        client_id=state.client_id,
        client_secret=state.client_secret,
        token=state.token,
        items=state.items,
        seed=state.seed,
        catalogue=state.catalogue,
    )
    write_atomically(folder / "spotify-config.json", asdict(config))
    return _spawn("spotify", "ops.sandbox.spotify", folder, port)


def wait_ready(folder: Path, process: ProcessRecord, clock: Clock) -> tuple[int, str]:
    """Port and token of a child, once it listens; the end of its log when it does not come up."""
    ready = folder / f"{process.name}.json"
    deadline = clock.monotonic() + READY_LIMIT_S
    while True:
        found = read_ready_file(ready)
        if found is not None and found.get("pid") == process.pid:
            return int(str(found["port"])), str(found["token"])
        if not processes.alive(process) or clock.monotonic() >= deadline:
            raise _start_failure(folder, process)
        clock.sleep(processes.POLL_S)


def refuse_taken_port(port: int) -> None:
    """Say so before anything is started; 0 takes a free port and is never refused."""
    if port == 0:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            why = "another program listens there" if taken else str(error)
            raise PortTaken(f"port {port} of 127.0.0.1 cannot be used", why=why) from error


def await_free_port(port: int, clock: Clock) -> None:
    """Wait a little for a port that a passing connection may hold: the system hands such ports out to anybody."""
    deadline = clock.monotonic() + PORT_LIMIT_S
    while True:
        try:
            refuse_taken_port(port)
        except PortTaken:
            if clock.monotonic() >= deadline:
                raise
            clock.sleep(0.1)
        else:
            return


def spotify_problem(port: int, token: str) -> str:
    """Empty when the API on that port is the one that was started."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/sandbox/status", timeout=PROBE_TIMEOUT_S) as answer:
            found = json.loads(answer.read())
    except (OSError, ValueError) as error:
        return f"port {port}: {error}"
    return "" if found.get("token") == token else f"port {port} belongs to another program"


def aws_problem(port: int, token: str) -> str:
    """Empty when the AWS stand-in on that port is the one that was started."""
    try:
        found = SandboxControl(f"http://127.0.0.1:{port}", timeout_s=PROBE_TIMEOUT_S).status()
    except (OpsError, ValueError) as error:
        return f"port {port}: {error}"
    return "" if found.get("token") == token else f"port {port} belongs to another program"


def _spawn(name: str, module: str, folder: Path, port: int) -> ProcessRecord:
    try:
        return processes.spawn(
            name,
            [sys.executable, "-m", module, "--folder", str(folder), "--port", str(port)],
            log=folder / f"{name}.log",
            environment=_environment(),
        )
    except OSError as error:
        raise StateFolderUnusable(f"{folder / name}.log: {error.strerror}") from error


def _environment() -> dict[str, str]:
    """The caller's, without its AWS settings: a child must not follow them to a real account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    root = str(Path(ops.__file__).resolve().parent.parent)
    # Children run in "/", so a checkout that is not installed has to be named.
    kept["PYTHONPATH"] = os.pathsep.join(part for part in (root, kept.get("PYTHONPATH", "")) if part)
    return kept


def _start_failure(folder: Path, process: ProcessRecord) -> OpsError:
    said = processes.log_tail(folder / f"{process.name}.log")
    if "cannot listen" in said:
        return PortTaken("the port was taken by another program", why=said)
    if "No space left" in said or "File too large" in said:
        return StateFolderUnusable(f"{folder} cannot be written", why=said)
    if KEPT in said:
        return SandboxBroken(
            "the sandbox cannot be woken",
            why=said,
            changed="nothing: its state is kept as it was",
            fix=("install the versions that wrote it, then ops sandbox up", "ops sandbox down gives it up"),
        )
    return SandboxBroken(f"the {process.name} process of the sandbox did not start", why=said)
