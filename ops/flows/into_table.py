"""Lines written into a table that exists: judged before, written with checkpoints, then read back.

Items that the lines do not hold stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import orjson

from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.conditional import ConditionalWriter
from ops.dynamodb.durable import Checkpoint, DeadLetters, LineWriter, put_lines
from ops.dynamodb.write import BulkWriter, WriteCounts, WriteTarget
from ops.flows.checkpoints import Appended
from ops.flows.common import refuse_made_anew
from ops.flows.held import Held, held
from ops.flows.into_outcome import proven
from ops.flows.into_work import REFUSED, REJECTED, How, IntoResult, Work, write_limit
from ops.flows.reading import Opened
from ops.flows.session import Session
from ops.model.items import Item
from ops.recovery.preflight import Line
from ops.runs import Run, utf8
from ops.verify.fingerprint import Record, recorder
from ops.verify.sides import TableSide

_BATCH = 1000


def write(session: Session, run: Run, work: Work, how: How) -> IntoResult:
    """Write what was judged, then read it back; a run that was killed goes on where everything was acknowledged."""
    table, table_id = work.bench.table.name, work.bench.table.table_id
    begun = run.find("intent", operation="BatchWriteItem")
    if begun is None:
        _keep_rejections(run, work)
        run.intent("BatchWriteItem", table, source=work.lines.address, table_id=table_id)
    else:
        refuse_made_anew(run, table, str(begun.data.get("table_id", "")), table_id)
    counts = _write(session, run, work, how)
    run.outcome("BatchWriteItem", table)
    return proven(session, run, work, counts, how)


def _keep_rejections(run: Run, work: Work) -> None:
    if not work.judged.problems:
        return
    with Appended(run.folder / REJECTED, 0) as file:
        for one in work.lines.rejections(work.judged):
            place = {"object": utf8(one.problem.source), "line": one.problem.line, "reason": one.problem.reason}
            file.add(orjson.dumps({**place, "text": one.line.decode(errors="backslashreplace")}))
        file.force()


def _write(session: Session, run: Run, work: Work, how: How) -> WriteCounts:
    """Puts, then deletions; each with a checkpoint of its own."""
    bench, found, newest = work.bench, work.judged, work.newest
    with held(work.folder, "table") as there:
        if how.only_changed:
            _look(session, bench, there)
        limit = write_limit(session, bench, how)
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
