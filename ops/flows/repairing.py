"""`ops repair --apply`: plan and undo on the disk first, then one conditional write a key, resumable anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from ops.clock import rfc3339
from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.table import Table
from ops.environment import TableTarget
from ops.errors import (
    AccountingMismatch,
    BadArgument,
    Interrupted,
    LinesRejected,
    OpsError,
    PlanStale,
    RunFolderUnusable,
)
from ops.flows.checkpoints import Appended, load_checkpoint, save_checkpoint
from ops.flows.common import begun_with, owns, resumable, resume_line
from ops.flows.put_backs import PutBacks
from ops.flows.reading import Opened, open_table
from ops.flows.repair_plan import NAMED, Forecast, RepairOptions, Source, foreseen, source_of, way_back, window_export
from ops.flows.reverting import Window
from ops.flows.session import Session
from ops.model.items import key_of, key_text
from ops.runs import Run
from ops.verify.patch import Change
from ops.verify.patch_apply import CHUNK, NEWER, Applier, Written
from ops.verify.patch_file import (
    SCHEMA,
    PatchHead,
    PatchWriter,
    change_document,
    file_sha256,
    read_changes,
    read_head,
)

PLAN, UNDO, QUEUE, CHECKPOINT = "patch.jsonl", "undo.jsonl", "conflicts.jsonl", "repair.json"
PUT_BACKS = "put-back.jsonl"


@dataclass(frozen=True, slots=True)
class RepairResult:
    """`planned = applied + already + conflicts`; files as paths. `named` lists the first conflicts."""

    table: str
    planned: int
    applied: int
    already: int
    conflicts: int
    queue: str | None
    undo: str
    named: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A repair whose every write is on the disk, and its undo beside it; nothing was written to the table."""

    bench: Opened
    forecast: Forecast
    undo: str
    keep: bool
    rate: str | None


def prepare(session: Session, run: Run, table: TableTarget, options: RepairOptions) -> Prepared:
    """Read every key, write plan, undo and foreseen conflicts to the disk; a resumed run takes up what it wrote."""
    with resumable(session, run, command(table)):
        options = _kept_options(run, table, options)
        bench = open_table(session, table)
        _limit(session, bench.table, options.rate)
        way_back(session, table)
        line = run.find("planned")
        if line is None:
            return _prepared_anew(session, run, table, bench, options)
        _check_files(run, line.data, bench.table)
        forecast = Forecast(
            **{**line.data["forecast"], "named": [tuple(one) for one in line.data["forecast"]["named"]]}
        )
        return Prepared(bench, forecast, str(line.data["undo"]), options.keep, options.rate)


def command(table: TableTarget) -> str:
    """The words that begin, or with `--resume` go on with, this repair."""
    return f"repair {owns(table)} --apply --confirm {table.label}"


def _kept_options(run: Run, table: TableTarget, given: RepairOptions) -> RepairOptions:
    window = given.window
    asked = {
        "table": table.physical,
        "patch": None if given.patch is None else str(given.patch.resolve()),
        "since": None if window is None else rfc3339(window.since),
        "until": None if window is None else rfc3339(window.until),
        "where": given.where,
        "keep": given.keep,
        "undo": None if given.undo is None else str(given.undo.resolve()),
        "rate": given.rate,
    }
    kept = begun_with(run, asked, {"keep": False}, free=("rate",))
    moments = [datetime.fromisoformat(str(kept[name])) for name in ("since", "until") if kept[name]]
    paths = [None if kept[name] is None else Path(str(kept[name])) for name in ("patch", "undo")]
    return RepairOptions(
        patch=paths[0],
        window=Window(*moments) if moments else None,
        where=None if kept["where"] is None else str(kept["where"]),
        keep=bool(kept["keep"]),
        undo=paths[1],
        rate=given.rate or (None if kept["rate"] is None else str(kept["rate"])),
        timeout_s=given.timeout_s,
    )


def _prepared_anew(session: Session, run: Run, table: TableTarget, bench: Opened, options: RepairOptions) -> Prepared:
    if options.undo is not None and options.undo.exists():
        raise BadArgument(f"{options.undo} exists already", fix=("give another --undo FILE",))
    address = window_export(session, table, bench, options, run)
    source = source_of(session, bench, options, address)
    head = PatchHead(bench.table.keys, bench.table.arn, bench.table.table_id, source.text)
    with session.progress.phase("foresee", f"what {source.text} would do to {table.physical}"):
        forecast, shas = _write_files(run, bench, source, head)
    forecast.left = source.revert.left if source.revert else 0
    undo = run.folder / UNDO
    if options.undo is not None:
        _write_patch(options.undo, head, read_changes(undo, head))
        undo = options.undo
    run.write(
        "planned", forecast=forecast.document(), undo=str(undo), table_id=bench.table.table_id, **shas,
    )  # fmt: skip
    return Prepared(bench, forecast, str(undo), options.keep, options.rate)


def _write_files(run: Run, bench: Opened, source: Source, head: PatchHead) -> tuple[Forecast, dict[str, Any]]:
    """Plan and undo, forced to the disk; conflicts begin the queue."""
    forecast = Forecast()
    with (
        PatchWriter(run.folder / PLAN, head) as plan,
        PatchWriter(run.folder / UNDO, head) as undo,
        Appended(run.folder / QUEUE, 0) as queue,
    ):
        queue.add(orjson.dumps(head.document()))
        for one in foreseen(bench, source):
            forecast.count(one, len(bench.table.indexes))
            if one.verdict == "apply":
                plan.add(one.change)
                undo.add(one.change.inverse())
            elif one.verdict == "conflict":
                queue.add(_queued(Written(one.change, "conflict", one.current, one.change.reason or NEWER)))
        queue_bytes = queue.force()
    shas = {"plan_sha256": plan.sha256, "undo_sha256": undo.sha256, "queue_bytes": queue_bytes}
    return forecast, shas


def _write_patch(path: Path, head: PatchHead, changes: Iterable[Change]) -> None:
    with PatchWriter(path, head) as writer:
        for change in changes:
            writer.add(change)


def _queued(one: Written) -> bytes:
    """A conflict as a change against what was found: reviewed, the queue can be applied like any patch."""
    change = Change(one.change.key, one.found, one.change.wanted, reason=one.reason)
    return orjson.dumps(change_document(change))


def _check_files(run: Run, planned: dict[str, Any], table: Table) -> None:
    for name, sha in ((PLAN, "plan_sha256"), (UNDO, "undo_sha256")):
        if file_sha256(run.folder / name) != planned[sha]:
            raise RunFolderUnusable(f"{run.folder / name} is not what this run wrote", fix=("begin a new run",))
    if planned["table_id"] != table.table_id:
        raise PlanStale(f"run {run.id} was planned for {table.name} as it was before it was made anew")


def carry_out(
    session: Session, run: Run, table: TableTarget, prepared: Prepared, stop: Callable[[], int]
) -> RepairResult:
    """Apply what was prepared, from the checkpoint on; `stop` tells the signal that wants an end, or 0."""
    state = load_checkpoint(run, CHECKPOINT)
    tally, kept = _reached(run, prepared, state)
    try:
        if not state.get("done"):
            with session.progress.phase("repair", f"{prepared.forecast.apply:,} changes to {table.physical}"):
                _apply(session, run, prepared, tally, kept, stop)
    except OpsError as error:
        error.run = run.id
        error.changed = (
            f"at least {tally.applied:,} of {prepared.forecast.apply:,} changes were applied; undo: {prepared.undo}"
        )
        if left := PutBacks(run.folder / PUT_BACKS).left():
            # Their keys are empty until then: whoever resumes too late finds them there.
            error.changed += f"; {len(left)} items were removed and are not back yet: {run.folder / PUT_BACKS}"
        error.fix = (*error.fix, resume_line(session, run, command(table)))
        raise
    return tally.result(table, run, prepared)


def _reached(run: Run, prepared: Prepared, state: dict[str, Any]) -> tuple[_Tally, int]:
    """How far the run has come, and how much of the queue of conflicts belongs to that."""
    planned = run.find("planned")
    counts = {name: state.get(name, 0) for name in ("next", "applied", "already", "conflicts")}
    kept = state.get("queue_bytes", planned.data["queue_bytes"] if planned else 0)
    try:
        if any(type(one) is not int or one < 0 for one in (*counts.values(), kept)):
            raise ValueError("a count is none")
        named = [(str(key), str(reason)) for key, reason in state.get("named", ())]
    except (TypeError, ValueError) as error:
        raise RunFolderUnusable(
            f"checkpoint {run.folder / CHECKPOINT} cannot be read",
            why=str(error),
            fix=("begin a new run: what is done already stays done",),
        ) from error
    return _Tally(prepared.forecast, named=named, **counts), kept


@dataclass(slots=True)
class _Tally:
    """What became of the planned changes so far."""

    forecast: Forecast
    next: int = 0
    applied: int = 0
    already: int = 0
    conflicts: int = 0
    named: list[tuple[str, str]] = field(default_factory=list)

    def count(self, one: Written) -> None:
        self.next += 1
        self.applied += one.verdict == "applied"
        self.already += one.verdict == "already"
        if one.verdict == "conflict":
            self.conflicts += 1
            if len(self.named) < NAMED:
                self.named.append((key_text(one.change.key), one.reason))

    def save(self, run: Run, queue_bytes: int, *, done: bool = False) -> None:
        save_checkpoint(
            run, CHECKPOINT, next=self.next, applied=self.applied, already=self.already, conflicts=self.conflicts,
            named=self.named, queue_bytes=queue_bytes, done=done,
        )  # fmt: skip

    def result(self, table: TableTarget, run: Run, prepared: Prepared) -> RepairResult:
        before = self.forecast
        already, conflicts = before.already + self.already, before.conflicts + self.conflicts
        if before.changes != self.applied + already + conflicts:
            raise AccountingMismatch(
                f"{before.changes} changes were planned, {self.applied + already + conflicts} are accounted for",
                changed=f"{self.applied} changes were applied; undo: {prepared.undo}",
            )
        queue = str(run.folder / QUEUE) if conflicts and not prepared.keep else None
        named = (*before.named, *self.named)[:NAMED]
        return RepairResult(
            table.physical, before.changes, self.applied, already, conflicts, queue, prepared.undo, named
        )


def _limit(session: Session, table: Table, rate: str | None) -> CapacityLimit | None:
    return CapacityLimit.of(rate, table.write_capacity, f"table {table.name}", session.clock)


def _apply(session: Session, run: Run, prepared: Prepared, tally: _Tally, kept: int, stop: Callable[[], int]) -> None:
    path = run.folder / PLAN
    head = read_head(path)
    limit = _limit(session, prepared.bench.table, prepared.rate)
    # a slow repair must stop as soon as a fast one
    chunk = CHUNK if limit is None else max(1, min(CHUNK, int(limit.units_per_s)))
    aside = PutBacks(run.folder / PUT_BACKS)
    applier = Applier(prepared.bench.plane, prepared.bench.table, limit, chunk=chunk, aside=aside)
    for item in aside.left():
        applier.put_back(key_of(item, head.keys), item)
    todo = islice(read_changes(path, head), tally.next, None)
    with Appended(run.folder / QUEUE, kept) as queue:
        for results in applier.chunks(todo):
            for one in results:
                tally.count(one)
                if one.verdict == "conflict":
                    queue.add(_queued(one))
            tally.save(run, queue.force())
            session.progress.update(tally.next, prepared.forecast.apply)
            if number := stop():
                raise Interrupted("interrupted between two writes", signal_number=number)
        conflicts = prepared.forecast.conflicts + tally.conflicts
        queue.add(orjson.dumps({"end": SCHEMA, "changes": conflicts}))
        tally.save(run, queue.force(), done=True)


def problems(result: RepairResult) -> tuple[OpsError, ...]:
    """What keeps a finished repair from exit 0: conflicts that a person must look at."""
    if result.queue is None:
        return ()
    return (
        LinesRejected(
            f"{result.conflicts:,} items of {result.table} are not what the patch expects: they were left alone",
            why="; ".join(f"{key}: {reason}" for key, reason in result.named[:5]),
            changed=f"{result.applied:,} changes were applied; undo: {result.undo}",
            fix=(f"look through {result.queue}: what stays in it can be applied with ops repair --patch",),
        ),
    )
