"""Repairs and imports that are killed at random moments and gone on with until one ends by itself. Its own process.

It forks each attempt, so that many of them cost many moments and not many starts of Python. A line of JSON a seed:
`killed_often.py ENDPOINT LOGICAL FOLDER KIND GIVEN BEFORE WANTED FIRST LAST`. BEFORE and WANTED are files of items:
what the table holds at the start of each seed, and what it must hold at its end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from ops.aws import Aws
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.write import BulkWriter, WriteTarget
from ops.environment import open_environment
from ops.flows import repairing
from ops.flows.importing_into import IntoOptions, import_into
from ops.flows.reading import open_table
from ops.flows.repair_plan import RepairOptions
from ops.flows.session import Session
from ops.model.items import Item, key_of
from ops.progress import SilentProgress
from ops.runs import open_run, resume_run
from ops.sandbox.control import SandboxClock, SandboxControl

#: After so many kills an attempt is left alone: the test is about what they leave behind, not about their number.
MOST_KILLS = 4


def session_of(endpoint: str) -> Session:
    """Made in each process: no connection is shared."""
    aws = Aws(region="us-east-1")
    clock = SandboxClock(SandboxControl(endpoint))
    return Session(aws, open_environment(aws, "music", "dev"), clock, SilentProgress(), Random())


def attempt(endpoint: str, logical: str, runs: Path, kind: str, given: str) -> None:
    """One attempt, from wherever the one before it was killed; its counts are written beside the runs."""
    session = session_of(endpoint)
    target = session.table(logical)
    earlier = [folder.name for folder in sorted(runs.glob("*")) if (folder / "journal.jsonl").is_file()]
    opened = (
        resume_run(runs, earlier[-1], session.clock)
        if earlier
        else open_run(runs, [kind], session.clock, session.random)
    )
    with opened as run:
        if kind == "repair":
            prepared = repairing.prepare(session, run, target, RepairOptions(patch=Path(given)))
            done = repairing.carry_out(session, run, target, prepared, lambda: 0)
            counts = [done.planned, done.applied + done.already, done.conflicts]
        else:
            found = import_into(session, run, target, IntoOptions(given, only_changed=kind == "import-changed")).counts
            counts = [found.read, found.written + found.unchanged, found.duplicates + found.rejected]
    (runs / "counts.json").write_text(json.dumps(counts))


def items_of(session: Session, logical: str) -> list[Item]:
    opened = open_table(session, session.table(logical))
    return list(Scan(opened.plane, ScanRequest(opened.table.name, consistent=True)).items())


def reset(endpoint: str, logical: str, before: list[Item]) -> None:
    """Bring the table back to what it held."""
    session = session_of(endpoint)
    opened = open_table(session, session.table(logical))
    keys = opened.table.keys
    writer = WriteTarget(opened.table.name, keys)
    wanted = [key_of(item, keys) for item in before]
    strange = [key_of(item, keys) for item in items_of(session, logical)]
    BulkWriter(opened.plane, writer).delete(key for key in strange if key not in wanted)
    BulkWriter(opened.plane, writer).put(before)


def forked(work: Callable[[], None]) -> int:
    """The process that does it; its exit code is 1 when it fails."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on as its parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def ended(child: int) -> bool:
    """Whether it ended by itself; an attempt that fails ends the test."""
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("an attempt failed by itself")
    return os.WIFEXITED(status)


def killed(work: Callable[[], None], random: Random, usual_s: float) -> int:
    """Kill and begin again until an attempt ends well; the number of kills."""
    for kills in range(MOST_KILLS):
        child = forked(work)
        time.sleep(random.uniform(0.0, 0.9 * usual_s))
        os.kill(child, signal.SIGKILL)
        if ended(child):
            return kills
    assert ended(forked(work))
    return MOST_KILLS


def sorted_items(items: list[Item]) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def main(endpoint: str, logical: str, folder: Path, kind: str, given: str, *files: str) -> None:
    """All seeds, one after another; the first attempt, which is not killed, says how long one takes."""
    before, wanted = ([json.loads(line) for line in Path(file).read_text().splitlines()] for file in files[:2])
    usual_s = 0.0
    for seed in [-1, *range(int(files[2]), int(files[3]))]:
        runs = folder / f"{kind}-{seed}"
        runs.mkdir(parents=True)
        assert ended(forked(lambda: reset(endpoint, logical, before)))

        def work(runs: Path = runs) -> None:
            attempt(endpoint, logical, runs, kind, given)

        started = time.monotonic()
        kills = killed(work, Random(f"{kind}/{seed}"), usual_s) if seed >= 0 else int(not ended(forked(work)))
        usual_s = usual_s or time.monotonic() - started
        found: dict[str, Any] = {"seed": seed, "kills": kills, "counts": json.loads((runs / "counts.json").read_text())}

        def compare() -> None:
            held = sorted_items(items_of(session_of(endpoint), logical))
            if held != sorted_items(wanted):
                raise AssertionError(f"not the items of an undisturbed run: {set(held) ^ set(sorted_items(wanted))}")

        assert ended(forked(compare))
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
