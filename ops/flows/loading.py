"""`ops load`: artists from the database, tracks from a source, items into a table, and the counts that must hold."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from infra.environment import DatabaseDocument, SourceDocument
from loader.artists import Database, read_artists
from loader.errors import Kind, LoaderError, SourceQuota
from loader.http import HttpDoor, RecordingDoor, RequestsDoor
from loader.items import Item, key_of
from loader.ledger import FileLedger, Ledger, UnlimitedLedger
from loader.load import LoadPlan, LoadRequest, SinkReport, load, plan
from loader.models import Artist, BadArtist, parse_artist
from loader.report import LoadReport
from loader.runtime import Runtime
from loader.sources import TrackSource
from loader.sources.files import FileSource
from loader.sources.replay import replay_source
from loader.sources.spotify_search import SpotifySearch
from loader.sources.spotify_top_tracks import SpotifyTopTracks
from loader.spotify import SpotifyAccess, SpotifyClient
from ops import errors
from ops.aws import AwsError, ControlPlane
from ops.clock import SystemClock
from ops.dynamodb.client import DataPlane, data_plane
from ops.dynamodb.query import QueryRequest, query
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.table import Table, describe_table
from ops.dynamodb.write import BulkWriter, Rejected, WriteTarget
from ops.environment import TableTarget
from ops.flows.session import Session
from ops.runs import Run

DEFAULT_BUDGET = 900


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What `ops load` was asked for."""

    source: str
    markets: tuple[str, ...]
    artists: str | None = None
    record: Path | None = None
    replay: Path | None = None
    budget: int = DEFAULT_BUDGET
    workers: int = 4
    ca_file: str = ""
    prune: bool = False


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
    table = describe_table(session.aws, target.physical, target.region)
    _check_keys(table)
    plane = data_plane(session.aws, session.clock, session.random, region=target.region)
    runtime = _runtime(session.random, stop)
    source = _source(session, options, runtime, state)
    with session.progress.phase("artists", f"reading from {_artists_from(session, options)}"):
        artists = _artists(session, options)
    request = LoadRequest(
        artists, options.markets, run.id, table.name, run.folder / "load", options.workers, prune=options.prune
    )
    budget = options.budget if options.budget > 0 else None
    return Prepared(request, source, TableSink(plane, table), runtime, plan(request, source, budget))


def run_load(session: Session, prepared: Prepared, run: Run) -> LoadOutcome:
    """Load or resume; what ended it early is among the errors, beside the counts of what was done."""
    table = prepared.sink.table
    run.write("load", table=table.name, source=prepared.source.name, markets=list(prepared.request.markets))
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
    return LoadOutcome(report, outside, tuple(_errors(report, outside, run.id)))


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


def _source(session: Session, options: LoadOptions, runtime: Runtime, state: Path) -> TrackSource:
    if options.replay is not None:
        return replay_source(options.replay, runtime, search=options.source == "spotify-search")
    if options.source in ("spotify", "spotify-search"):
        client = _spotify(session, options, runtime, state)
        return SpotifyTopTracks(client) if options.source == "spotify" else SpotifySearch(client)
    path = Path(options.source)
    if not path.is_file():
        raise errors.BadArgument(
            f"'{options.source}' is neither a track source nor a file",
            fix=("ops load spotify --to RES --market SE", "ops load FILE.jsonl --to RES --market SE"),
        )
    return FileSource(path, lambda: datetime.now(UTC))


def _spotify(session: Session, options: LoadOptions, runtime: Runtime, state: Path) -> SpotifyClient:
    document = session.environment.document.source
    if document is None:
        raise errors.ResourceNotFound(
            "the environment declares no track source", fix=("set the source in Pulumi.<stack>.yaml, then pulumi up",)
        )
    secret = read_secret(session.aws, document.secret_arn, ("client_id", "client_secret"))
    access = SpotifyAccess(secret["client_id"], secret["client_secret"], document.api_url, document.accounts_url)
    door: HttpDoor = RequestsDoor()
    if options.record is not None:
        door = RecordingDoor(door, options.record)
    return SpotifyClient(access, door, _ledger(session, document, options, runtime, state), runtime)


def _ledger(session: Session, document: SourceDocument, options: LoadOptions, runtime: Runtime, state: Path) -> Ledger:
    if session.environment.is_sandbox or options.budget <= 0:
        return UnlimitedLedger(runtime.now)
    return FileLedger(state / f"quota-{document.kind}.json", runtime.now, options.budget)


def _artists_from(session: Session, options: LoadOptions) -> str:
    database = session.environment.document.database
    return options.artists or (f"{database.engine} {database.identifier}" if database else "nowhere")


def _artists(session: Session, options: LoadOptions) -> list[Artist | BadArtist]:
    if options.artists is not None and not options.artists.startswith("rds:"):
        return _artists_of_file(Path(options.artists))
    document = session.environment.document.database
    if document is None or (options.artists and options.artists != f"rds:{document.identifier}"):
        raise errors.ResourceNotFound(
            "the environment declares no such database", fix=("give --artists FILE.csv with artist_id,name,genre",)
        )
    return read_artists(_database(session.aws, document, options.ca_file))


def _artists_of_file(path: Path) -> list[Artist | BadArtist]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise errors.BadArgument(f"artists cannot be read from {path}: {error}") from error
    return [parse_artist(row.get("artist_id"), row.get("name"), row.get("genre")) for row in rows]


def _database(control: ControlPlane, document: DatabaseDocument, ca_file: str) -> Database:
    def password() -> str:
        return read_secret(control, document.secret_arn, ("password",))["password"]

    return Database(
        document.engine, document.address, document.port, document.database, document.username, password, ca_file
    )


def read_secret(control: ControlPlane, arn: str, members: tuple[str, ...]) -> dict[str, str]:
    """Members of a JSON secret; the error names the secret and the member, never a value."""
    try:
        text: Any = control.call("secretsmanager", "get_secret_value", SecretId=arn).get("SecretString", "")
    except AwsError as error:
        if error.aws_code != "ResourceNotFoundException":
            raise
        raise errors.SourceRefused(
            f"secret {arn} has no value", fix=(f"aws secretsmanager put-secret-value --secret-id {arn} ...",)
        ) from error
    try:
        document = json.loads(text)
        return {name: str(document[name]) for name in members}
    except (ValueError, KeyError, TypeError) as error:
        raise errors.SourceRefused(
            f"secret {arn} is not JSON with the members {', '.join(members)}",
            fix=(f"put JSON with {', '.join(members)} into the secret",),
        ) from error


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


def _errors(report: LoadReport, outside: tuple[str, ...], run: str) -> list[errors.OpsError]:
    found: list[errors.OpsError] = []
    done = f"{report.rows.written:,} items were written and are kept"
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
    return found


_CLASSES: dict[Kind, type[errors.OpsError]] = {
    Kind.USAGE: errors.BadArgument,
    Kind.ACCOUNTING: errors.AccountingMismatch,
    Kind.GUARD: errors.UnsafeSource,
    Kind.CREDENTIALS: errors.SourceRefused,
    Kind.PERMISSION: errors.SourceRefused,
    Kind.QUOTA: errors.SourceQuotaUsed,
    Kind.UNAVAILABLE: errors.SourceQuotaUsed,
    Kind.DATABASE_DOWN: errors.DatabaseDown,
    Kind.NOT_FOUND: errors.ResourceNotFound,
    Kind.LOCKED: errors.Locked,
    Kind.FOLDER: errors.RunFolderUnusable,
    Kind.BUG: errors.BadResponse,
}


def translated(error: LoaderError, run: str, changed: str = "nothing was written") -> errors.OpsError:
    """The loader's error in our tree, with the command that goes on."""
    fix: list[str] = [error.hint] if error.hint else []
    if error.kind in (Kind.QUOTA, Kind.UNAVAILABLE):
        fix.append(f"ops load ... --resume {run}")
    what = error.what
    if isinstance(error, SourceQuota):
        what = f"{what}; resume at {error.resume_at:%Y-%m-%dT%H:%M:%SZ}"
    found = _CLASSES[error.kind](what, why=error.why, changed=changed, fix=tuple(fix))
    found.run = run
    return found
