"""Child processes that outlive the command that started them: start, recognise, stop.

A pid alone names nobody: it is reused. A process is therefore known by its pid and its start time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.clock import Clock

POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One child: what it is, its pid, and the start time that makes the pid unambiguous."""

    name: str
    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class Owner:
    """User and group that a child of root runs as."""

    uid: int
    gid: int


def start_time(pid: int) -> str | None:
    """An opaque text that two processes with one pid do not share; None when the process is gone or a zombie.

    The first thread of a process that ends may be a zombie while others still hold its sockets and files: not gone.
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        ended = fields[0] == "X" or (fields[0] == "Z" and int(fields[17]) <= 1)
        return None if ended else fields[19]
    found = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    status, _, started = found.stdout.strip().partition(" ")
    return None if not started or status.startswith("Z") else started.strip()


def record(name: str, pid: int) -> ProcessRecord:
    """The record of a process that runs now; its start time is empty when it has already ended."""
    return ProcessRecord(name, pid, start_time(pid) or "")


def alive(process: ProcessRecord) -> bool:
    """Whether exactly this process still runs."""
    _reap(process.pid)
    found = start_time(process.pid)
    return found is not None and found == process.started


def find(*texts: str) -> tuple[ProcessRecord, ...]:
    """Every process, other than this one, whose command line holds one of the texts up to the end of a word."""
    found = ((pid, command) for pid, command in _command_lines() if any(f"{text} " in f"{command} " for text in texts))
    records = (record("found", pid) for pid, _ in found if pid != os.getpid())
    return tuple(process for process in records if process.started)


def _command_lines() -> Iterator[tuple[int, str]]:
    if Path("/proc/self/cmdline").exists():
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                yield int(path.parent.name), path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return
    listing = subprocess.run(["ps", "-axo", "pid=,command="], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        yield int(pid), command.strip()


def spawn(
    name: str,
    arguments: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    owner: Owner | None = None,
) -> ProcessRecord:
    """Start a child in a session of its own, so that Ctrl-C in the terminal does not reach it."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            cwd="/",
            env=dict(environment) if environment is not None else None,
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=[] if owner else None,
        )
    finally:
        os.close(descriptor)
    # Popen complains when it is collected before its child ended; this child is meant to outlive it.
    child.returncode = 0
    return record(name, child.pid)


def run_as(
    owner: Owner | None, arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run to the end, as `owner` when one is given, and keep what was said."""
    return subprocess.run(
        list(arguments),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        user=owner.uid if owner else None,
        group=owner.gid if owner else None,
        extra_groups=[] if owner else None,
    )


def ask(process: ProcessRecord, number: signal.Signals) -> None:
    """Send a signal to exactly this process and do not wait."""
    if alive(process):
        _send(process.pid, number)


def stop(process: ProcessRecord, clock: Clock, *, first: signal.Signals, grace_s: float) -> bool:
    """Ask with `first`, kill it and the whole group that it leads after `grace_s`; True when the process is gone."""
    if not alive(process):
        return True
    _send(process.pid, first)
    if _gone_within(process, clock, grace_s):
        return True
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    _send(process.pid, signal.SIGKILL)  # it may lead none, as an initdb does
    return _gone_within(process, clock, 2.0)


def log_tail(log: Path, lines: int = 4) -> str:
    """The last lines of a child's log, for the error that says why it did not start."""
    try:
        return " | ".join(log.read_text(errors="replace").strip().splitlines()[-lines:])
    except OSError as error:
        return f"its log cannot be read: {error.strerror}"


def _gone_within(process: ProcessRecord, clock: Clock, limit_s: float) -> bool:
    deadline = clock.monotonic() + limit_s
    while alive(process):
        if clock.monotonic() >= deadline:
            return False
        clock.sleep(POLL_S)
    return True


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _reap(pid: int) -> None:
    """Collect the exit status when the process is our own child, else it stays as a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
