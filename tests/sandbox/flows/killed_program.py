"""A repair, an import or a load as a process, so that it can be killed: ENDPOINT LOGICAL RUNS KIND FILE [RUN]."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

from ops.aws import Aws
from ops.environment import open_environment
from ops.flows import repairing
from ops.flows.importing_into import IntoOptions, import_into
from ops.flows.loading_items import ItemsOptions, load_items
from ops.flows.repair_plan import RepairOptions
from ops.flows.session import Session
from ops.progress import SilentProgress
from ops.runs import open_run, resume_run
from ops.sandbox.control import SandboxClock, SandboxControl

LOADS: dict[str, dict[str, Any]] = {
    "load": {}, "load-changed": {"only_changed": True}, "load-new": {"mode": "put-new"},
    "load-newer": {"mode": "put-newer", "newer_by": "popularity"},
}  # fmt: skip


def main() -> None:
    """Do it, or go on with it."""
    endpoint, logical, runs, kind, given, *resumed = sys.argv[1:]
    aws = Aws(region="us-east-1")
    clock = SandboxClock(SandboxControl(endpoint))
    session = Session(aws, open_environment(aws, "music", "dev"), clock, SilentProgress(), Random())
    target = session.table(logical)
    opened = resume_run(Path(runs), resumed[0], clock) if resumed else open_run(Path(runs), [kind], clock, Random())
    with opened as run:
        if kind == "repair":
            options = RepairOptions(patch=Path(given))
            prepared = repairing.prepare(session, run, target, options)
            done = repairing.carry_out(session, run, target, prepared, lambda: 0)
            counts = (done.planned, done.applied, done.already, done.conflicts)
        elif kind.startswith("load"):
            how = LOADS[kind]
            loaded = load_items(session, run, target, ItemsOptions(given, **how), BytesIO(), lambda plan: None).counts
            counts = (loaded.read, loaded.written, loaded.unchanged, loaded.duplicates + loaded.rejected)
        else:
            found = import_into(session, run, target, IntoOptions(given, only_changed=kind == "import-changed")).counts
            counts = (found.read, found.written, found.unchanged, found.duplicates + found.rejected)
    sys.stdout.write(" ".join(map(str, counts)) + "\n")


if __name__ == "__main__":
    main()
