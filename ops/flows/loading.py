"""`ops load`: artists from the database, tracks from a source, items into a table, and the counts that must hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from loader.errors import LoaderError
from loader.items import Item, key_of
from loader.load import LoadPlan, LoadRequest, SinkReport, load, plan
from loader.markets import check_markets
from loader.report import LoadReport
from loader.runtime import Runtime
from loader.sources import TrackSource
from ops import errors
from ops.clock import SystemClock
from ops.dynamodb.client import DataPlane, data_plane
from ops.dynamodb.query import QueryRequest, query
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.table import Table, describe_table
from ops.dynamodb.write import BulkWriter, Rejected, WriteTarget
from ops.environment import TableTarget
from ops.flows.common import refuse_made_anew
from ops.flows.load_sources import LoadOptions, artists_from, open_source, read_all_artists, translated
from ops.flows.session import Session
from ops.runs import Run


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """The loader's report, what a look through the index found, and the errors that follow from both."""

    report: LoadReport
    not_in_index: tuple[str, ...]
    errors: tuple[errors.OpsError, ...]


@dataclass(frozen=True, slots=True)
class TableSink:
    """The table as the loader needs it, over the data plane."""

    plane: DataPlane
    table: Table

    def existing(self, artist_id: str) -> Sequence[Item]:
        """Every item of the artist, strongly consistent."""
        request = QueryRequest(self.table.name, self.table.keys, {"S": artist_id}, consistent=True)
        return list(query(self.plane, request))

    def write(self, items: Sequence[Item]) -> SinkReport:
        """Put the items; what the table would refuse comes back with its reason."""
        refused: list[Rejected] = []
        counts = self._writer(refused).put(items)
        return SinkReport(counts.written, tuple((key_of(one.item), one.reason) for one in refused))

    def delete(self, keys: Sequence[tuple[str, str]]) -> SinkReport:
        """Delete items by key."""
        refused: list[Rejected] = []
        names = self.table.keys.names
        wire = [dict(zip(names, ({"S": part} for part in key), strict=True)) for key in keys]
        counts = self._writer(refused).delete(wire)
        return SinkReport(counts.written, tuple((key_of(one.item), one.reason) for one in refused))

    def _writer(self, refused: list[Rejected]) -> BulkWriter:
        indexes = {name: index.keys for name, index in self.table.indexes.items()}
        target = WriteTarget(self.table.name, self.table.keys, indexes)
        return BulkWriter(self.plane, target, on_rejected=refused.append)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything a load needs, read and checked; nothing was asked of the source and nothing was written."""

    request: LoadRequest
    source: TrackSource
    sink: TableSink
    runtime: Runtime
    plan: LoadPlan


def prepare(
    session: Session, target: TableTarget, options: LoadOptions, run: Run, stop: Callable[[], bool], state: Path
) -> Prepared:
    """Describe the table, read the artists, open the source."""
    try:
        return _prepare(session, target, options, run, stop, state)
    except LoaderError as error:
        raise translated(error, run.id) from error


def _prepare(
    session: Session, target: TableTarget, options: LoadOptions, run: Run, stop: Callable[[], bool], state: Path
) -> Prepared:
    check_markets(options.markets)
    table = describe_table(session.aws, target.physical, target.region)
    _check_keys(table)
    plane = data_plane(session.aws, session.clock, session.random, region=target.region)
    runtime = _runtime(session.random, stop)
    source = open_source(session, options, runtime, state)
    with session.progress.phase("artists", f"reading from {artists_from(session, options)}"):
        artists = read_all_artists(session, options)
    request = LoadRequest(
        artists, options.markets, run.id, table.name, run.folder / "load", options.workers, prune=options.prune
    )
    budget = options.budget if options.budget > 0 else None
    return Prepared(request, source, TableSink(plane, table), runtime, plan(request, source, budget))


def run_load(session: Session, prepared: Prepared, run: Run) -> LoadOutcome:
    """Load or resume; what ended it early is among the errors, beside the counts of what was done."""
    table = prepared.sink.table
    begun = run.find("load")
    if begun is not None:
        refuse_made_anew(run, table.name, str(begun.data.get("table_id", "")), table.table_id)
    run.write(
        "load",
        table=table.name,
        table_id=table.table_id,
        source=prepared.source.name,
        markets=list(prepared.request.markets),
    )
    with session.progress.phase("load", f"{prepared.source.name} into {table.name}"):
        try:
            report = load(
                prepared.request,
                prepared.source,
                prepared.sink,
                prepared.runtime,
                pruner=prepared.sink,
                on_progress=session.progress.update,
            )
        except LoaderError as error:
            raise translated(error, run.id) from error
    outside = _not_in_index(prepared.sink) if report.finished else ()
    return LoadOutcome(report, outside, problems(report, outside, run.id))


def _check_keys(table: Table) -> None:
    if table.keys.types != {"artist_id": "S", "id": "S"}:
        raise errors.BadArgument(
            f"table {table.name} cannot hold tracks",
            why=f"its keys are {', '.join(table.keys.names)}; tracks need artist_id and id",
        )


def _runtime(random: Random, stop: Callable[[], bool]) -> Runtime:
    # The track source lives in real time, also when the sandbox's AWS does not.
    clock = SystemClock()
    return Runtime(clock.now, clock.monotonic, clock.sleep, random.random, stop)


def _not_in_index(sink: TableSink) -> tuple[str, ...]:
    """Indexes whose items are not exactly those of the table: an item without its key attribute is in none."""
    names = tuple(sink.table.keys.names)
    whole = _keys(sink, ScanRequest(sink.table.name, None, consistent=True, fields=names))
    found = []
    for name, index in sink.table.indexes.items():
        if _keys(sink, ScanRequest(sink.table.name, name, fields=names)) != whole and index.is_global:
            found.append(name)
    return tuple(found)


def _keys(sink: TableSink, request: ScanRequest) -> set[tuple[str, str]]:
    return {key_of(item) for item in Scan(sink.plane, request).items()}


def what_was_written(report: LoadReport) -> str:
    """The line of every error that says what a load that ended early has changed."""
    written = report.rows.written
    return f"{written:,} items were written and are kept" if written else "nothing was written"


def problems(report: LoadReport, outside: tuple[str, ...], run: str) -> tuple[errors.OpsError, ...]:
    """What keeps a load from exit 0; `outside` are indexes that do not hold every item."""
    found: list[errors.OpsError] = []
    done = what_was_written(report)
    again = f"ops load ... --resume {run}"
    if report.error is not None:
        found.append(translated(report.error, run, done))
    if report.differing:
        found.append(
            errors.ReconciliationFailed(
                f"{len(report.differing)} items read back are not what was answered", changed=done
            )
        )
    for market in report.silent_markets:
        found.append(errors.ReconciliationFailed(f"market {market}: not one artist has a track", changed=done))
    for name in outside:
        found.append(errors.ReconciliationFailed(f"index {name} does not hold every item of the table", changed=done))
    if report.finished and (report.rows.rejected or report.quarantined):
        found.append(
            errors.LinesRejected(
                f"{report.quarantined:,} artists quarantined, {report.rows.rejected:,} items rejected",
                why=f"each with its reason in {report.dead_letter}",
                changed=done,
                fix=(f"correct them, then {again}",),
            )
        )
    return tuple(found)
