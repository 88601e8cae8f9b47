"""The end of a sandbox's processes: found by record or by command line, told to stop together, and awaited."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from ops.clock import Clock
from ops.errors import SandboxBroken
from ops.sandbox import processes, second_servers
from ops.sandbox.processes import ProcessRecord
from ops.sandbox.state import SandboxState

STOP_GRACE_S = 2.0


def leftovers(folder: Path) -> tuple[ProcessRecord, ...]:
    """Processes that serve this folder, by their command lines."""
    modules = ("ops.sandbox.server", "ops.sandbox.spotify")
    children_of_it = (f"-m {module} --folder {folder}" for module in modules)
    # initdb as well: the start may have been killed while it made the data folder
    databases = (folder / "pg" / "data", *second_servers.folders(folder))
    return processes.find(*children_of_it, *(f"-D {data}" for data in databases))


def end_all(folder: Path, state: SandboxState | None, clock: Clock) -> None:
    """End every process of the folder; `SandboxBroken` names one that stays."""
    recorded = state.processes if state is not None else ()
    found = {process.pid: process for process in (*leftovers(folder), *recorded) if process.pid != os.getpid()}
    for process in found.values():
        processes.ask(process, _polite(process))
    left = [process for process in found.values() if not _end(process, clock)]
    if left:
        raise SandboxBroken(
            f"process {left[0].pid} of the sandbox does not end",
            changed="the state folder was kept",
            fix=(f"kill -9 {left[0].pid}", "ops sandbox down"),
        )


def _end(process: ProcessRecord, clock: Clock) -> bool:
    return processes.stop(process, clock, first=_polite(process), grace_s=STOP_GRACE_S)


def _polite(process: ProcessRecord) -> signal.Signals:
    # PostgreSQL takes SIGINT as a fast shutdown; SIGTERM would wait for every session to leave.
    return signal.SIGTERM if process.name in ("aws", "spotify") else signal.SIGINT
