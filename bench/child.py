"""Runs the process of a case and watches what it and the machine do meanwhile; reads Linux's /proc."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
#: Between two looks at the memory of a process and its children.
LOOK_S = 0.02
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class CaseFailed(Exception):
    """A case that did not do what it is measured for; the text says what it said."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process wrote, and what was seen of it.

    `peak_mb` is that of the process and its children together, what they share counted for each; `others` the share
    of the machine's processors that neither they nor the server used, but somebody else did.
    """

    output: str
    peak_mb: float
    others: float


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    limit_s: float,
    server_pids: Sequence[int] = (),
) -> Ended:
    """Run a command to its end; CaseFailed when it fails or takes too long."""
    before = _Machine.now(server_pids)
    process = subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    watch = _Watch(process.pid)
    try:
        output, complaint = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise CaseFailed(f"not done after {limit_s:.0f} s") from error
    finally:
        peak_bytes = watch.end()
    if process.returncode:
        last = complaint.strip().splitlines() or ["no message"]
        raise CaseFailed(f"status {process.returncode}: {last[-1]}")
    return Ended(output, round(peak_bytes / 1e6, 1), _Machine.now(server_pids).others_since(before))


class _Watch:
    """Looks at the memory of a process and all below it until it is told to end."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak_bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            self._peak_bytes = max(self._peak_bytes, sum(resident_bytes(pid) for pid in family(self._pid)))

    def end(self) -> int:
        """The most that was seen."""
        self._over.set()
        self._thread.join()
        return self._peak_bytes


def family(pid: int) -> Iterator[int]:
    """A process and all below it, as far as they are still there."""
    yield pid
    with contextlib.suppress(OSError):
        for thread in (PROC / str(pid) / "task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from family(int(child))


def resident_bytes(pid: int) -> int:
    """Memory that a process holds now; 0 when it is gone."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


@dataclass(frozen=True, slots=True)
class _Machine:
    """Seconds of processor time: of the whole machine, of this process with its ended children, of the servers."""

    at_s: float
    busy_s: float
    own_s: float
    server_s: float

    @classmethod
    def now(cls, server_pids: Sequence[int]) -> _Machine:
        user, nice, system, _, _, irq, softirq, steal = _first_numbers()[:8]
        usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
        own_s = sum(usage.ru_utime + usage.ru_stime for usage in usages)
        busy_s = (user + nice + system + irq + softirq + steal) * _TICK_S
        return cls(time.monotonic(), busy_s, own_s, sum(map(cpu_s, server_pids)))

    def others_since(self, before: _Machine) -> float:
        ours_s = self.own_s - before.own_s + self.server_s - before.server_s
        all_s = (self.at_s - before.at_s) * (os.cpu_count() or 1)
        return round(min(1.0, max(0.0, (self.busy_s - before.busy_s - ours_s) / all_s)), 3)


def _first_numbers() -> list[int]:
    with (PROC / "stat").open() as file:
        return [int(text) for text in file.readline().split()[1:]]


def cpu_s(pid: int) -> float:
    """Processor time of a process that runs, without its children."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S
