"""What came of lines that were written into a table: read back, counted, and what keeps it from exit 0."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from ops.dynamodb.durable import DeadLetters
from ops.dynamodb.write import WriteCounts
from ops.errors import CountsDiffer, ItemsDiffer, LinesRejected, OpsError
from ops.flows import verdicts
from ops.flows.into_proof import Stated, compare_stated, still_there
from ops.flows.into_work import REFUSED, REJECTED, How, IntoResult, Work
from ops.flows.session import Session
from ops.model.items import Item, key_of
from ops.model.proof import Comparison
from ops.model.recovery import ImportResult
from ops.runs import Run


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
    error = None if counts.proof is None else verdicts.reason_to_fail(counts.proof, f"table {counts.table}")
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
