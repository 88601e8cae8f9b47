"""Lines written into a table that exists: all judged first, then written with checkpoints, then read back.

`ops import-s3 --into` and `ops load FILE` differ in where the lines come from. Nothing is written before every line was
judged. Items that the lines do not hold stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol

import orjson

from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.conditional import ConditionalWriter
from ops.dynamodb.durable import Checkpoint, DeadLetters, LineWriter, put_lines
from ops.dynamodb.write import BulkWriter, WriteCounts, WriteTarget
from ops.errors import CountsDiffer, ItemsDiffer, LinesRejected, OpsError, SourceHasBadLines
from ops.flows import sides
from ops.flows.checkpoints import Appended
from ops.flows.held import Held, held
from ops.flows.importing import NAMED_PROBLEMS
from ops.flows.into_proof import Stated, compare_stated, still_there
from ops.flows.net_lines import Judged, Rejection
from ops.flows.reading import Opened
from ops.flows.session import Session
from ops.model.items import Item, key_of
from ops.model.proof import Comparison
from ops.model.recovery import ImportResult
from ops.recovery.preflight import Line
from ops.runs import Run
from ops.verify.fingerprint import Record, recorder
from ops.verify.sides import TableSide

REJECTED, REFUSED = "rejected.jsonl", "refused.jsonl"
_BATCH = 1000

#: `put` overwrites, `put-new` writes no key that is there, `put-newer` only over an item with a smaller attribute.
Mode = Literal["put", "put-new", "put-newer"]
MODES: tuple[Mode, ...] = ("put", "put-new", "put-newer")


class Lines(Protocol):
    """What is to be written; it can be read more than once."""

    @property
    def address(self) -> str:
        """For messages."""

    def judge(self, newest: Held) -> Judged:
        """Read and judge every line; `newest` learns which line has the last word on a key."""

    def put_lines(self, judged: Judged, newest: Held) -> Iterator[Line]:
        """`{"Item":…}` lines to put, each with its place: of each key the one that counts."""

    def deletions(self, judged: Judged, newest: Held) -> Iterator[Item]:
        """Keys to delete."""

    def rejections(self, judged: Judged) -> Iterator[Rejection]:
        """The unusable lines with their text."""


@dataclass(frozen=True, slots=True)
class How:
    """`most_bad` unusable lines are left out and kept in a file (None: any number); more of them refuse the whole."""

    only_changed: bool = False
    most_bad: int | None = 0
    #: As `CapacityLimit.of` takes it.
    rate: str | None = None
    mode: Mode = "put"
    newer_by: str = ""
    #: The option that lets unusable lines pass, for an error text.
    way_out: str = "--quarantine writes the other lines and keeps these in a file"


@dataclass(frozen=True, slots=True)
class IntoPlan:
    """What would be done, after every line was read."""

    source: str
    table: str
    lines: int
    puts: int
    deletes: int
    rejected: int
    write_units: int


@dataclass(frozen=True, slots=True)
class IntoResult:
    """The counts, deleted keys that were found again, keys that are not there; `rejects` names the files."""

    counts: ImportResult
    deleted_found: int
    rejects: str | None
    absent: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """Everything judged, and the scratch that the writing needs."""

    bench: Opened
    lines: Lines
    judged: Judged
    newest: Held
    folder: Path

    @property
    def plan(self) -> IntoPlan:
        """What is going to be done."""
        found = self.judged
        units = found.units * (1 + 2 * len(self.bench.table.indexes)) + found.deletes
        table = self.bench.table.name
        return IntoPlan(self.lines.address, table, found.read, found.puts, found.deletes, found.rejected, units)


def judged(session: Session, bench: Opened, lines: Lines, newest: Held, folder: Path, how: How) -> Work:
    """Every line read; SourceHasBadLines when more cannot be used than may, or when there is no item at all."""
    _limit(session, bench, how)  # a mistyped one must not show only after every line was read
    with session.progress.phase("check", f"every object and line of {lines.address}"):
        found = lines.judge(newest)
    listed = [f"{one.source} line {one.line}: {one.reason}" for one in found.problems[:NAMED_PROBLEMS]]
    too_many = how.most_bad is not None and found.rejected > how.most_bad
    if found.problems and (too_many or not found.listed_all):
        more = found.rejected - len(listed)
        raise SourceHasBadLines(
            f"{lines.address} has {found.rejected:,} unusable lines of {found.read:,}",
            why="; ".join(listed) + (f"; and {more:,} more" if more > 0 else ""),
            changed="0 items written",
            fix=(how.way_out,),
        )
    if not found.puts:
        raise SourceHasBadLines(f"{lines.address} holds no item", changed="0 items written")
    return Work(bench, lines, found, newest, folder)


def write(session: Session, run: Run, work: Work, how: How) -> IntoResult:
    """Write what was judged, then read it back; a run that was killed goes on where everything was acknowledged."""
    table = work.bench.table.name
    if run.find("intent", operation="BatchWriteItem") is None:
        _keep_rejections(run, work)
        run.intent("BatchWriteItem", table, source=work.lines.address)
    counts = _write(session, run, work, how)
    run.outcome("BatchWriteItem", table)
    return proven(session, run, work, counts, how)


def _keep_rejections(run: Run, work: Work) -> None:
    if not work.judged.problems:
        return
    with Appended(run.folder / REJECTED, 0) as file:
        for one in work.lines.rejections(work.judged):
            place = {"object": one.problem.source, "line": one.problem.line, "reason": one.problem.reason}
            file.add(orjson.dumps({**place, "text": one.line.decode(errors="backslashreplace")}))
        file.force()


def _write(session: Session, run: Run, work: Work, how: How) -> WriteCounts:
    """Puts, then deletions; each with a checkpoint of its own."""
    bench, found, newest = work.bench, work.judged, work.newest
    with held(work.folder, "table") as there:
        if how.only_changed:
            _look(session, bench, there)
        limit = _limit(session, bench, how)
        source = f"{work.lines.address} into {bench.table.arn}"
        with session.progress.phase("write", f"{found.puts:,} items into {bench.table.name}"):
            unchanged = _unchanged(bench, there) if how.only_changed else None
            writer = _in_mode(_writer(session, bench, limit, found.puts, unchanged), how)
            places = _Places(writer)
            checkpoint = Checkpoint(run.folder / "puts.json", source, session.clock)
            dead = DeadLetters(run.folder / REFUSED, places.of)
            puts = put_lines(writer, places.noted(work.lines.put_lines(found, newest)), checkpoint, dead)
        keys = work.lines.deletions(found, newest)
        deletes = WriteCounts()
        if found.deletes:
            with session.progress.phase("delete", f"{found.deletes:,} keys of {bench.table.name}"):
                absent = _absent(bench, there) if how.only_changed else None
                remover = _writer(session, bench, limit, found.deletes, absent)
                deletes = _delete(remover, keys, Checkpoint(run.folder / "deletes.json", source, session.clock))
    return WriteCounts(
        read=found.read,
        written=puts.written + deletes.written,
        unchanged=puts.unchanged + deletes.unchanged,
        duplicates=found.superseded + puts.duplicates + deletes.duplicates,
        rejected=found.rejected + puts.rejected + deletes.rejected,
    )


def _limit(session: Session, bench: Opened, how: How) -> CapacityLimit | None:
    return CapacityLimit.of(how.rate, bench.table.write_capacity, f"table {bench.table.name}", session.clock)


class _Places:
    """Where the lines that are on their way stood: a line that AWS refuses is told by its place."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._known: dict[int, tuple[str, int]] = {}
        self._oldest = 0

    def noted(self, lines: Iterator[Line]) -> Iterator[bytes]:
        """The lines without their places."""
        for position, (source, line, wire) in enumerate(lines, start=1):
            settled = max(self._writer.settled.read, self._writer.resumed.read)
            while self._oldest < settled:
                self._oldest += 1
                self._known.pop(self._oldest, None)
            if position > settled:
                self._known[position] = source, line
            yield wire

    def of(self, position: int) -> dict[str, object]:
        """The place of a line that is not settled yet."""
        source, line = self._known[position]
        return {"object": source, "line": line}


def _writer(
    session: Session,
    bench: Opened,
    limit: CapacityLimit | None,
    total: int,
    unchanged: Callable[[bytes], bool] | None,
) -> BulkWriter:
    indexes = {name: index.keys for name, index in bench.table.indexes.items()}
    return BulkWriter(
        bench.plane,
        WriteTarget(bench.table.name, bench.table.keys, indexes),
        on_acknowledged=lambda position: session.progress.update(position, total),
        limit=limit,
        unchanged=unchanged,
    )


def _in_mode(writer: BulkWriter, how: How) -> LineWriter:
    if how.mode == "put":
        return writer
    newer_by = how.newer_by if how.mode == "put-newer" else None
    told = writer.on_acknowledged
    return ConditionalWriter(writer.plane, writer.target, newer_by, on_acknowledged=told, limit=writer.limit)


def _delete(writer: BulkWriter, keys: Iterator[Item], checkpoint: Checkpoint) -> WriteCounts:
    writer.resumed = checkpoint.load()
    told = writer.on_acknowledged

    def acknowledged(position: int) -> None:
        if checkpoint.due():
            checkpoint.save(writer.settled)
        if told is not None:
            told(position)

    writer.on_acknowledged = acknowledged
    try:
        return writer.delete(keys)
    finally:
        if writer.settled.read > writer.resumed.read:
            checkpoint.save(writer.settled)


def _look(session: Session, bench: Opened, there: Held) -> None:
    """What the table holds now, as digests."""
    side = TableSide(bench.plane, bench.table)
    with session.progress.phase("look", f"what {bench.table.name} holds already"):
        records = iter(side.records())
        while chunk := list(islice(records, _BATCH)):
            there.add((one.key, one.item) for one in chunk)


def _unchanged(bench: Opened, there: Held) -> Callable[[bytes], bool]:
    record = recorder(bench.table.keys)

    def decide(wire: bytes) -> bool:
        one: Record = record(orjson.loads(wire)["Item"])
        return there.get(one.key) == one.item

    return decide


def _absent(bench: Opened, there: Held) -> Callable[[bytes], bool]:
    record = recorder(bench.table.keys)

    def decide(wire: bytes) -> bool:
        return record(orjson.loads(wire)["Key"]).key not in there

    return decide


def proven(session: Session, run: Run, work: Work, counts: WriteCounts, how: How) -> IntoResult:
    """Read back what was written; the counts must add up."""
    counts.check()
    found, bench = work.judged, work.bench
    proof, absent = None, 0
    dead = DeadLetters(run.folder / REFUSED).read()
    refused = {(str(one["object"]), int(one["line"])) for one in dead}
    with session.progress.phase("prove", f"{found.puts:,} items of {bench.table.name}"):
        stated = Stated(work.lines.address, lambda: _stated(work, refused), bench.table.keys, found.puts - len(refused))
        if how.mode == "put":
            proof = compare_stated(session, stated, bench, work.folder)
        else:
            # What others wrote meanwhile is theirs; but every key must be there.
            keys = (key_of(item, bench.table.keys) for item in stated.items())
            absent = stated.count - still_there(bench, keys)
        again = still_there(bench, work.lines.deletions(found, work.newest))
    return IntoResult(_import_result(work, counts, proof), again, _rejects(run), absent)


def _stated(work: Work, refused: set[tuple[str, int]]) -> Iterator[Item]:
    """The items that must be there now: those that were put, and not refused by AWS."""
    for source, line, wire in work.lines.put_lines(work.judged, work.newest):
        if (source, line) not in refused:
            item: Item = orjson.loads(wire)["Item"]
            yield item


def _rejects(run: Run) -> str | None:
    kept = [run.folder / name for name in (REJECTED, REFUSED)]
    found = [str(path) for path in kept if path.is_file() and path.stat().st_size]
    return ", ".join(found) if found else None


def _import_result(work: Work, counts: WriteCounts, proof: Comparison | None) -> ImportResult:
    return ImportResult(
        table=work.bench.table.name,
        arn=work.bench.table.arn,
        read=counts.read,
        written=counts.written,
        unchanged=counts.unchanged,
        duplicates=counts.duplicates,
        rejected=counts.rejected,
        distinct_keys=work.judged.puts + work.judged.deletes,
        problems=tuple(work.judged.problems),
        proof=proof,
    )


def problems(result: IntoResult) -> tuple[OpsError, ...]:
    """What keeps finished work from exit 0: differing items, keys that are not there, rejected lines."""
    found: list[OpsError] = []
    counts = result.counts
    done = f"{counts.written:,} items were written to {counts.table}"
    error = None if counts.proof is None else sides.reason_to_fail(counts.proof, f"table {counts.table}")
    if error is None and result.deleted_found:
        error = ItemsDiffer(f"{result.deleted_found:,} keys of {counts.table} that the exports say are gone are there")
    if error is None and result.absent:
        error = CountsDiffer(f"{result.absent:,} keys are not in {counts.table} after they were written")
    if error is not None:
        error.changed = done
        found.append(error)
    if counts.rejected:
        found.append(
            LinesRejected(
                f"{counts.rejected:,} lines rejected, see {result.rejects}",
                why="; ".join(f"{one.source} line {one.line}: {one.reason}" for one in counts.problems[:5]),
                changed=done,
                fix=("correct them there, then load them by themselves",),
            )
        )
    return tuple(found)
