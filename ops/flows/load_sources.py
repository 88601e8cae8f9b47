"""Where a load reads from: the track source and the artists, opened with the secrets of the environment."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.environment import DatabaseDocument, SourceDocument
from loader.artists import Database, read_artists
from loader.errors import Kind, LoaderError, SourceQuota
from loader.http import HttpDoor, RecordingDoor, RequestsDoor
from loader.ledger import FileLedger, Ledger, UnlimitedLedger
from loader.models import Artist, BadArtist, parse_artist
from loader.patience import Waiting
from loader.runtime import Runtime
from loader.sources import TrackSource
from loader.sources.files import FileSource
from loader.sources.replay import replay_source
from loader.sources.spotify_search import SpotifySearch
from loader.sources.spotify_top_tracks import SpotifyTopTracks
from loader.spotify import SpotifyAccess, SpotifyClient
from ops import errors
from ops.aws import AwsError, ControlPlane
from ops.flows.session import Session

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


def open_source(session: Session, options: LoadOptions, runtime: Runtime, state: Path) -> TrackSource:
    """The source that was asked for; nothing is asked of it yet."""
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
    ledger = _ledger(session, document, options, runtime, state)
    return SpotifyClient(access, door, ledger, runtime, on_wait=lambda one: session.progress.note(waiting_text(one)))


def waiting_text(one: Waiting) -> str:
    """A wait for the source, for people: how long, why, and when the run gives up."""
    return (
        f"waiting    {one.seconds:.0f} s for the track source: {one.said}"
        f" ({one.left_s:.0f} s more at most, then the run ends and can be resumed)"
    )


def _ledger(session: Session, document: SourceDocument, options: LoadOptions, runtime: Runtime, state: Path) -> Ledger:
    if session.environment.is_sandbox or options.budget <= 0:
        return UnlimitedLedger(runtime.now)
    return FileLedger(state / f"quota-{document.kind}.json", runtime.now, options.budget)


def artists_from(session: Session, options: LoadOptions) -> str:
    """Where the artists are read from, in words."""
    database = session.environment.document.database
    return options.artists or (f"{database.engine} {database.identifier}" if database else "nowhere")


def read_all_artists(session: Session, options: LoadOptions) -> list[Artist | BadArtist]:
    """Every artist, of the environment's database or of a file."""
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
    if error.kind in (Kind.QUOTA, Kind.UNAVAILABLE, Kind.FOLDER):
        fix.append(f"ops load ... --resume {run}")
    what = error.what
    if isinstance(error, SourceQuota):
        what = f"{what}; resume at {error.resume_at:%Y-%m-%dT%H:%M:%SZ}"
    found = _CLASSES[error.kind](what, why=error.why, changed=changed, fix=tuple(fix))
    found.run = run
    return found
