"""What a child process measures of itself, and how it tells the runner. Standard library only: peers import it too."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Job:
    """What a case is to do; the runner writes it, the child reads it."""

    case: str
    kind: str
    items: int
    endpoint: str = ""
    files: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    folder: str = ""
    #: A server on this machine whose CPU time counts as well.
    server_pid: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The job as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The job of a line that `to_json` made."""
        members = json.loads(text)
        return cls(**{**members, "files": tuple(members["files"]), "others": tuple(members["others"])})


class Window:
    """CPU and wall time between enter and exit, children that ended in between included; a server's CPU time apart."""

    def __init__(self, server_pid: int = 0) -> None:
        self.cpu_s = 0.0
        self.wall_s = 0.0
        self.server_cpu_s = 0.0
        self._server_pid = server_pid

    def __enter__(self) -> Self:
        self._server = _cpu_of_s(self._server_pid)
        self._cpu, self._wall = _cpu_s(), time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wall_s, self.cpu_s = time.perf_counter() - self._wall, _cpu_s() - self._cpu
        self.server_cpu_s = _cpu_of_s(self._server_pid) - self._server


Work = Callable[[Job, Window], int]


def run(cases: Mapping[str, Work], argv: list[str]) -> int:
    """Run the case of the job in `argv[0]` and print its measures as the last line of standard output."""
    job = Job.from_json(argv[0])
    window = Window(job.server_pid)
    items = cases[job.case](job, window)
    measures = {"items": items, "cpu_s": window.cpu_s, "wall_s": window.wall_s, "peak_mb": peak_mb()}
    if job.server_pid:
        measures["server_cpu_s"] = window.server_cpu_s
    print("\n" + json.dumps(measures), flush=True)
    return 0


def peak_mb() -> float:
    """Largest resident size of this process, or of the largest child if that was larger, in MB (10^6 bytes).

    VmHWM begins anew with each exec; ru_maxrss of the process itself would begin with the size of its parent.
    """
    children_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round(max(_high_water_kb(), children_kb) * 1024 / 1e6, 1)


def _high_water_kb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _cpu_s() -> float:
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _cpu_of_s(pid: int) -> float:
    # the clock that clock_getcpuclockid(3) names; /proc counts in steps of 10 ms
    return time.clock_gettime((~pid << 3) | 2) if pid else 0.0


def main(cases: Mapping[str, Work]) -> None:
    """The whole of a child's `__main__`."""
    sys.exit(run(cases, sys.argv[1:]))
