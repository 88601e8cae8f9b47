"""What a repair would do, before it does anything: the patch or window it takes, the table as it is, the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from ops.clock import rfc3339
from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.table import Table
from ops.environment import TableTarget
from ops.errors import BadArgument, NoWayBack, PitrOff, PlanStale
from ops.flows.common import owns
from ops.flows.reading import Opened, open_table
from ops.flows.reverting import Revert, Window, check_window, export_window, find_window, open_revert
from ops.flows.session import Session
from ops.model.items import key_text
from ops.recovery import pitr
from ops.runs import Run
from ops.verify.patch import Change
from ops.verify.patch_apply import NEWER, Foreseen, foresee, write_units
from ops.verify.patch_file import PatchHead, read_changes, read_head

#: Conflicts that an answer names; the queue holds them all.
NAMED = 20
#: The newest restorable second trails by about five minutes; a window that trails further does not follow any more.
TRAILS_AT_MOST = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class RepairOptions:
    """`keep` leaves conflicts alone without a queue. `rate`: see `CapacityLimit.of`."""

    patch: Path | None = None
    window: Window | None = None
    where: str | None = None
    keep: bool = False
    undo: Path | None = None
    rate: str | None = None
    timeout_s: float | None = None


@dataclass(slots=True)
class Forecast:
    """What a patch would do to the table as it is now."""

    changes: int = 0
    apply: int = 0
    already: int = 0
    conflicts: int = 0
    puts: int = 0
    deletes: int = 0
    write_units: int = 0
    left: int = 0
    named: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def kept(cls, document: dict[str, Any]) -> Forecast:
        """As a journal kept it."""
        named = [(str(key), str(reason)) for key, reason in document["named"]]
        return cls(**{**document, "named": named})

    def document(self) -> dict[str, Any]:
        """For a journal."""
        return asdict(self)

    def count(self, one: Foreseen, indexes: int) -> None:
        """Add one change."""
        self.changes += 1
        if one.verdict == "already":
            self.already += 1
        elif one.verdict == "conflict":
            self.conflicts += 1
            if len(self.named) < NAMED:
                self.named.append((key_text(one.change.key), one.change.reason or NEWER))
        else:
            self.apply += 1
            self.puts += one.change.op == "put"
            self.deletes += one.change.op == "delete"
            self.write_units += write_units(one.change, indexes)


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """A dry run. `forecast` None: the window must be exported first."""

    table: str
    source: str
    forecast: Forecast | None
    way_back: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where the changes come from; `revert` when they come from an export."""

    text: str
    changes: Callable[[], Iterator[Change]]
    revert: Revert | None = None


def plan_repair(session: Session, table: TableTarget, options: RepairOptions, run: Run | None = None) -> RepairPlan:
    """Everything that can be said without writing an item. Only with a `run` a window without export is exported."""
    bench = open_table(session, table)
    CapacityLimit.of(options.rate, bench.table.write_capacity, f"table {bench.table.name}", session.clock)
    back = way_back(session, table)
    address = None
    if options.window is not None:
        address = window_export(session, table, bench, options, run)
        if address is None:
            return RepairPlan(table.physical, options.window.text, None, back)
    source = source_of(session, bench, options, address)
    forecast = Forecast()
    with session.progress.phase("foresee", f"what {source.text} would do to {table.physical}"):
        for one in foreseen(bench, source):
            forecast.count(one, len(bench.table.indexes))
    forecast.left = source.revert.left if source.revert else 0
    return RepairPlan(table.physical, source.text, forecast, back)


def way_back(session: Session, table: TableTarget) -> str:
    """What could bring the table back as it was a minute ago; NoWayBack when nothing can."""
    now = session.clock.now()
    fix = (f"ops settings apply {owns(table)} --only pitr", f"ops list backups --table {table.physical}")
    try:
        window = pitr.restorable_window(session.aws, table.physical, table.region)
    except PitrOff as error:
        raise NoWayBack(f"{table.physical} could not be brought back: {error.what}", why=error.why, fix=fix) from error
    if pitr.pinned(window) or window.earliest > now - timedelta(minutes=1) or window.latest < now - TRAILS_AT_MOST:
        raise NoWayBack(
            f"{table.physical} could not be brought back: its recovery window does not follow the last minutes",
            why=f"the window is {rfc3339(window.earliest)} to {rfc3339(window.latest)}",
            fix=("wait until the window is open: ops status", *fix[1:]),
        )
    return f"point-in-time recovery from {rfc3339(window.earliest)}"


def window_export(
    session: Session, table: TableTarget, bench: Opened, options: RepairOptions, run: Run | None
) -> str | None:
    """The address of an export of the window; without a `run` only one that exists. None without a window."""
    window = options.window
    if window is None:
        return None
    check_window(session, table, window)
    found = find_window(session, bench.table, window)
    if found is not None or run is None:
        return found
    with session.progress.phase("export", f"what changed in {table.physical} within {window.text}"):
        return export_window(session, run, table, bench.table.arn, window, options.timeout_s)


def source_of(session: Session, bench: Opened, options: RepairOptions, address: str | None) -> Source:
    """The changes: of the export at `address`, else of the patch file; PlanStale when that is of another table."""
    if address is not None:
        revert = open_revert(session, bench.table, address, options.where)
        return Source(address, revert.changes, revert)
    path = options.patch
    if path is None:
        raise BadArgument("no patch was given", fix=("give --patch FILE or --revert FROM..TO",))
    head = read_head(path)
    _check_head(path, head, bench.table)
    indexes = {name: index.keys for name, index in bench.table.indexes.items()}
    return Source(str(path), lambda: read_changes(path, head, indexes))


def _check_head(path: Path, head: PatchHead, table: Table) -> None:
    if head.keys != table.keys:
        raise PlanStale(
            f"{path} is about items keyed by {', '.join(head.keys.names)}",
            why=f"{table.name} is keyed by {', '.join(table.keys.names)}",
        )
    if head.table_arn is not None and head.table_arn != table.arn:
        raise PlanStale(f"{path} was made for {head.table_arn}", why=f"this is {table.arn}")
    if head.table_id and table.table_id and head.table_id != table.table_id:
        raise PlanStale(
            f"{path} was made for {table.name} as it was before it was made anew",
            why=f"table id {head.table_id} then, {table.table_id} now",
        )


def foreseen(bench: Opened, source: Source) -> Iterator[Foreseen]:
    """Each change beside what its key holds now."""
    return foresee(bench.plane, bench.table, source.changes())
