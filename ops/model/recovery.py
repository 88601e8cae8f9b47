"""Results of the control plane: backups, exports, imports, restores."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ops.model.proof import Comparison, SettingsOutcome


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """A measured part of a run; instants of the environment's clock, `seconds` monotonic."""

    name: str
    start: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class RestorableWindow:
    """The point-in-time recovery window as AWS states it; both bounds inclusive, whole seconds."""

    earliest: datetime
    latest: datetime
    period_days: int


@dataclass(frozen=True, slots=True)
class BackupEntry:
    """A line of `ops list backups`."""

    arn: str
    name: str
    table: str
    status: str
    kind: str
    created: datetime
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class BackupResult:
    """An on-demand backup that is AVAILABLE, and what was recorded beside it."""

    arn: str
    name: str
    status: str
    requested_at: datetime
    table: str
    table_id: str
    seal: str | None
    settings: str
    items: int | None
    boundary_s: int = 60


@dataclass(frozen=True, slots=True)
class ExportFiles:
    """What reading an export back found; `left_out` files were not read, since only a sample was asked for."""

    level: str
    files_ok: int
    files_bad: tuple[tuple[str, str], ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A completed export; `manifest` is the s3:// address of its summary."""

    arn: str
    manifest: str
    type: str
    at: datetime
    items: int
    files: int
    verified: ExportFiles
    filter: str | None = None


@dataclass(frozen=True, slots=True)
class LineProblem:
    """A line that cannot be used: where it stands and why; never its values."""

    source: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Counts of an import; `read = written + unchanged + duplicates + rejected`."""

    table: str
    arn: str
    read: int
    written: int
    unchanged: int
    duplicates: int
    rejected: int
    distinct_keys: int
    problems: tuple[LineProblem, ...] = ()
    proof: Comparison | None = None
    #: The file that keeps the lines that were left out.
    quarantine: str | None = None


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """A restore to a new table: phases, settings read back, items proven."""

    source: str
    target: str
    target_arn: str
    restored_to: datetime
    way: str
    phases: tuple[PhaseTime, ...]
    settings: SettingsOutcome
    proof: Comparison | None
    notes: tuple[str, ...] = field(default=())
