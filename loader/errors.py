"""What can end a load. `loader` knows no exit codes: each class carries a `kind`, and a hint that leads out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """The classes that a caller treats differently."""

    BUG = "bug"
    USAGE = "usage"
    ACCOUNTING = "accounting"
    GUARD = "guard"
    CREDENTIALS = "credentials"
    PERMISSION = "permission"
    QUOTA = "quota"
    UNAVAILABLE = "unavailable"
    DATABASE_DOWN = "database_down"
    NOT_FOUND = "not_found"
    LOCKED = "locked"
    FOLDER = "folder"


class LoaderError(Exception):
    """A failure with a known cause; `what` and `why` never hold a token or a secret."""

    kind: ClassVar[Kind] = Kind.BUG
    default_hint: ClassVar[str] = "report this text"

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what if not why else f"{what}: {why}")
        self.what = what
        self.why = why
        self.hint = hint or self.default_hint


class SourceBug(LoaderError):
    """The source says that the request itself is wrong (400)."""

    kind = Kind.BUG


class CountsDoNotAddUp(LoaderError):
    """An artist or a row went missing between two counts."""

    kind = Kind.ACCOUNTING
    default_hint = "keep the run folder and report it: an item may have been lost"


class BadLoadRequest(LoaderError):
    """An option that cannot be used."""

    kind = Kind.USAGE
    default_hint = "correct the option and run the command again"


class UnsafeDatabase(LoaderError):
    """A connection or a column that would lose or leak something; refused before any secret is sent."""

    kind = Kind.GUARD
    default_hint = "correct the database as described, then run the load again"


class PruneRefused(LoaderError):
    """Pruning would empty too many artists: a failing source looks like empty answers."""

    kind = Kind.GUARD
    default_hint = "look at the source first; run without pruning to keep everything"


class CheckpointMismatch(LoaderError):
    """The checkpoint belongs to a load with other options."""

    kind = Kind.GUARD
    default_hint = "resume with the options of the first run, or start a new run"


class SourceCredentials(LoaderError):
    """The source does not accept the client id or secret, or the renewed token."""

    kind = Kind.CREDENTIALS
    default_hint = "put the right client_id and client_secret into the source secret"


class DatabaseCredentials(LoaderError):
    """The database does not accept the user or password."""

    kind = Kind.CREDENTIALS
    default_hint = "put the right username and password into the database secret"


class SourceForbidden(LoaderError):
    """The source is closed to this application for good."""

    kind = Kind.PERMISSION
    default_hint = "use a source that is open to this application: spotify-search, or a file"


class DatabaseForbidden(LoaderError):
    """The database user may not read the table."""

    kind = Kind.PERMISSION
    default_hint = "grant SELECT on the artists table to the loader's user"


class SourceQuota(LoaderError):
    """The source's quota is used up, or it asks for a wait longer than a process should hold."""

    kind = Kind.QUOTA
    default_hint = "resume the run after the named time"

    def __init__(self, what: str, *, resume_at: datetime, why: str = "", hint: str = "") -> None:
        super().__init__(what, why=why, hint=hint)
        self.resume_at = resume_at


class SourceUnavailable(LoaderError):
    """The source did not give a usable answer within the retry budget."""

    kind = Kind.UNAVAILABLE
    default_hint = "resume the run later"


class UnrecordedRequest(LoaderError):
    """A replayed load asked for something that was never recorded."""

    kind = Kind.NOT_FOUND
    default_hint = "record again with --record DIR, with the same artists and markets"


class DatabaseDown(LoaderError):
    """The database does not answer."""

    kind = Kind.DATABASE_DOWN
    default_hint = "check that the database runs and that its address in the environment document is right"


class DatabaseMissing(LoaderError):
    """No such database, table or column."""

    kind = Kind.NOT_FOUND
    default_hint = "create the table artists (artist_id CHAR(22) primary key, name, genre) in the named database"


class FileMissing(LoaderError):
    """An input file that is not there or cannot be read."""

    kind = Kind.NOT_FOUND
    default_hint = "check the path"


class LoadLocked(LoaderError):
    """Another process works on the same run."""

    kind = Kind.LOCKED
    default_hint = "wait for the other load, or end it"


class RunFolderUnusable(LoaderError):
    """Checkpoint, ledger or dead-letter file cannot be written."""

    kind = Kind.FOLDER
    default_hint = "free space, or choose another folder"


class Interrupted(LoaderError):
    """The caller asked to stop; everything acknowledged is in the checkpoint."""

    kind = Kind.UNAVAILABLE
    default_hint = "resume the run"


class ArtistSkipped(Exception):
    """Not the end of a load: one artist in one market cannot be had, the others go on."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownArtist(ArtistSkipped):
    """The source does not know the id: to the dead-letter file."""


class AnswerRefused(ArtistSkipped):
    """The source answers, but gives nothing for this artist and market."""
