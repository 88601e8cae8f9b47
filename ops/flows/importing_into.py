"""`ops import-s3 --into`: a full export, and the incremental ones after it, written into a table that exists.

Nothing is written before every manifest, every object and every line was checked. Items that the exports do not hold
stay. What was written is compared with what the exports say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.durable import Checkpoint, DeadLetters, put_lines
from ops.dynamodb.write import BulkWriter, WriteCounts, WriteTarget
from ops.environment import TableTarget
from ops.errors import ItemsDiffer, LinesRejected, OpsError, SourceHasBadLines
from ops.flows import sides
from ops.flows.backing_up import work_folder
from ops.flows.checkpoints import Appended
from ops.flows.common import options_of, owns, resumable
from ops.flows.held import Held, held
from ops.flows.importing import NAMED_PROBLEMS
from ops.flows.into_proof import Stated, compare_stated, still_there
from ops.flows.net_lines import Chain, Judged, open_chain
from ops.flows.reading import Opened, open_table
from ops.flows.session import Session
from ops.model.items import Item
from ops.model.proof import Comparison
from ops.model.recovery import ImportResult
from ops.runs import Run
from ops.verify.fingerprint import Record, recorder
from ops.verify.sides import TableSide

REJECTED, REFUSED = "rejected.jsonl", "refused.jsonl"
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class IntoOptions:
    """`then`: incremental exports after `source`, oldest first. `accept`: see `net_lines.ACCEPTED`."""

    source: str
    then: tuple[str, ...] = ()
    only_changed: bool = False
    quarantine: bool = False
    accept: frozenset[str] = frozenset()
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class IntoPlan:
    """What an import would do, after every line was read; with `only_changed` also how much of it is there already."""

    source: str
    table: str
    lines: int
    puts: int
    deletes: int
    rejected: int


@dataclass(frozen=True, slots=True)
class IntoResult:
    """The counts, how many items the exports do not hold, and deleted keys that were found again."""

    counts: ImportResult
    deleted_found: int
    rejects: str | None


@dataclass(frozen=True, slots=True)
class _Work:
    """Everything judged, and the scratch that the writing needs."""

    bench: Opened
    chain: Chain
    judged: Judged
    newest: Held
    folder: Path


def plan_into(session: Session, table: TableTarget, options: IntoOptions) -> IntoPlan:
    """Every check, nothing changed."""
    bench = open_table(session, table)
    with work_folder() as folder, held(folder, "newest") as newest:
        chain, judged = _judged(session, bench, options, newest)
    return IntoPlan(chain.address, table.physical, judged.read, judged.puts, judged.deletes, judged.rejected)


def import_into(session: Session, run: Run, table: TableTarget, options: IntoOptions) -> IntoResult:
    """Check, write, compare; a run that was killed goes on where everything before was acknowledged."""
    with resumable(session, run, f"import-s3 {options.source} --into {owns(table)} --yes"):
        options = _kept(run, table, options)
        bench = open_table(session, table)
        with work_folder() as folder, held(folder, "newest") as newest:
            chain, judged = _judged(session, bench, options, newest)
            work = _Work(bench, chain, judged, newest, folder)
            if run.find("intent", operation="BatchWriteItem") is None:
                _keep_rejections(run, work)
                run.intent("BatchWriteItem", bench.table.name, source=chain.address)
            counts = _write(session, run, work, options)
            run.outcome("BatchWriteItem", bench.table.name)
            return _proven(session, run, work, counts)


def _kept(run: Run, table: TableTarget, given: IntoOptions) -> IntoOptions:
    kept = options_of(
        run, source=given.source, table=table.physical, then=list(given.then), only_changed=given.only_changed,
        quarantine=given.quarantine, accept=sorted(given.accept),
    )  # fmt: skip
    then, accept = kept["then"], kept["accept"]
    assert isinstance(then, list)
    assert isinstance(accept, list)
    return IntoOptions(
        source=str(kept["source"]),
        then=tuple(str(one) for one in then),
        only_changed=bool(kept["only_changed"]),
        quarantine=bool(kept["quarantine"]),
        accept=frozenset(str(one) for one in accept),
        rate=given.rate,
    )


def _judged(session: Session, bench: Opened, options: IntoOptions, newest: Held) -> tuple[Chain, Judged]:
    chain = open_chain(session, bench.table, options.source, options.then, options.accept)
    with session.progress.phase("check", f"every object and line of {chain.address}"):
        judged = chain.judge(newest)
    listed = [f"{one.source} line {one.line}: {one.reason}" for one in judged.problems[:NAMED_PROBLEMS]]
    if judged.problems and (not options.quarantine or not judged.listed_all):
        more = judged.rejected - len(listed)
        raise SourceHasBadLines(
            f"{chain.address} has {judged.rejected:,} unusable lines of {judged.read:,}",
            why="; ".join(listed) + (f"; and {more:,} more" if more > 0 else ""),
            changed="0 items written",
            fix=("--quarantine writes the other lines and keeps these in a file",),
        )
    if not judged.puts:
        raise SourceHasBadLines(f"{chain.address} holds no item", changed="0 items written")
    return chain, judged


def _keep_rejections(run: Run, work: _Work) -> None:
    if not work.judged.problems:
        return
    with Appended(run.folder / REJECTED, 0) as file:
        for one in work.chain.rejections(work.judged):
            place = {"object": one.problem.source, "line": one.problem.line, "reason": one.problem.reason}
            file.add(orjson.dumps({**place, "text": one.line.decode(errors="backslashreplace")}))
        file.force()


def _write(session: Session, run: Run, work: _Work, options: IntoOptions) -> WriteCounts:
    """Puts, then deletions; each with a checkpoint of its own."""
    bench, judged, newest = work.bench, work.judged, work.newest
    with held(work.folder, "table") as there:
        if options.only_changed:
            _look(session, bench, there)
        limit = None if options.rate is None else CapacityLimit(options.rate, session.clock)
        source = f"{work.chain.address} into {bench.table.arn}"
        with session.progress.phase("write", f"{judged.puts:,} items into {bench.table.name}"):
            writer = _writer(session, bench, limit, judged.puts)
            writer.unchanged = _unchanged(bench, there) if options.only_changed else None
            checkpoint = Checkpoint(run.folder / "puts.json", source, session.clock)
            puts = put_lines(
                writer, work.chain.put_lines(judged, newest), checkpoint, DeadLetters(run.folder / REFUSED)
            )
        keys = work.chain.deletions(judged, newest)
        deletes = WriteCounts()
        if judged.deletes:
            with session.progress.phase("delete", f"{judged.deletes:,} keys of {bench.table.name}"):
                writer = _writer(session, bench, limit, judged.deletes)
                writer.unchanged = _absent(bench, there) if options.only_changed else None
                deletes = _delete(writer, keys, Checkpoint(run.folder / "deletes.json", source, session.clock))
    return WriteCounts(
        read=judged.read,
        written=puts.written + deletes.written,
        unchanged=puts.unchanged + deletes.unchanged,
        duplicates=judged.superseded + puts.duplicates + deletes.duplicates,
        rejected=judged.rejected + puts.rejected + deletes.rejected,
    )


def _writer(session: Session, bench: Opened, limit: CapacityLimit | None, total: int) -> BulkWriter:
    indexes = {name: index.keys for name, index in bench.table.indexes.items()}
    return BulkWriter(
        bench.plane,
        WriteTarget(bench.table.name, bench.table.keys, indexes),
        on_acknowledged=lambda position: session.progress.update(position, total),
        limit=limit,
    )


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


def _proven(session: Session, run: Run, work: _Work, counts: WriteCounts) -> IntoResult:
    counts.check()
    judged, keys = work.judged, work.bench.table.keys
    with session.progress.phase("prove", f"{judged.puts:,} items of {work.bench.table.name}"):
        items = Stated(work.chain.address, lambda: work.chain.items(judged, work.newest), keys, judged.puts)
        proof = compare_stated(session, items, work.bench, work.folder)
        again = still_there(work.bench, work.chain.deletions(judged, work.newest))
    return IntoResult(_import_result(work, counts, proof), again, _rejects(run, judged))


def _rejects(run: Run, judged: Judged) -> str | None:
    kept = [run.folder / name for name in (REJECTED, REFUSED)]
    found = [str(path) for path in kept if path.is_file() and path.stat().st_size]
    return ", ".join(found) if found else None


def _import_result(work: _Work, counts: WriteCounts, proof: Comparison) -> ImportResult:
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
    """What keeps a finished import from exit 0: differing items, rejected lines."""
    found: list[OpsError] = []
    counts = result.counts
    done = f"{counts.written:,} items were written to {counts.table}"
    error = None if counts.proof is None else sides.reason_to_fail(counts.proof, f"table {counts.table}")
    if error is None and result.deleted_found:
        error = ItemsDiffer(f"{result.deleted_found:,} keys of {counts.table} that the exports say are gone are there")
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
