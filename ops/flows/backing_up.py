"""`ops backup`: an on-demand backup, and beside it what the backup itself does not hold."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from ops.clock import rfc3339, whole_seconds
from ops.environment import TableTarget
from ops.errors import BadArgument, PlanStale
from ops.flows import keeping, sides
from ops.flows.common import compact_utc, options_of, owns, resumable
from ops.flows.s3 import put_text, require_bucket
from ops.flows.session import Session
from ops.model.recovery import BackupEntry, BackupResult
from ops.recovery import backups, exports, pitr, tables
from ops.recovery.settings import read_settings
from ops.runs import Run
from ops.verify.fingerprint import Record
from ops.verify.seal import Seal
from ops.verify.sides import Side

Fingerprint = Literal["scan", "export", "none"]
FINGERPRINTS: tuple[Fingerprint, ...] = ("scan", "export", "none")
NAME_TEMPLATE = "{logical}-{utc}-{run8}"
#: A strongly consistent scan uses one read unit per 4 KiB.
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
READ_UNIT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """`timeout_s` ends the waiting, not the work in AWS."""

    name: str = NAME_TEMPLATE
    fingerprint: Fingerprint = "scan"
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """What a dry run prints: names, places and the reads the fingerprint costs."""

    table: str
    name: str
    kept_at: str
    fingerprint: Fingerprint
    read_units: int | None
    weakness: str


def plan_backup(session: Session, table: TableTarget, options: BackupOptions, run_id8: str = "RUN8") -> BackupPlan:
    """Every check that can be made without changing anything."""
    described = tables.describe(session.aws, table.physical, table.region)
    if options.fingerprint == "export":
        pitr.restorable_window(session.aws, table.physical, table.region)
    now = session.clock.now()
    name = backup_name(options.name, table.label, now, run_id8)
    kept_at = keeping.place(session, table, name)
    require_bucket(session.aws, kept_at)
    return BackupPlan(
        table=table.physical,
        name=name,
        kept_at=str(kept_at),
        fingerprint=options.fingerprint,
        read_units=_read_units(described) if options.fingerprint == "scan" else None,
        weakness=""
        if options.fingerprint == "none"
        else keeping.weakness_of(options.fingerprint, rfc3339(whole_seconds(now))),
    )


def back_up(session: Session, run: Run, table: TableTarget, options: BackupOptions) -> BackupResult:
    """A backup that is AVAILABLE, its settings and its fingerprint stored; a resumed run makes no second one."""
    with resumable(session, run, f"backup {owns(table)}"):
        return _back_up(session, run, table, _resumed(session, run, table, options))


def _resumed(session: Session, run: Run, table: TableTarget, options: BackupOptions) -> BackupOptions:
    now = session.clock.now()
    table_id = _table_id(session, table)
    kept = options_of(
        run,
        table=table.physical,
        table_id=table_id,
        name=backup_name(options.name, table.label, now, run.id8),
        fingerprint=options.fingerprint,
    )
    if kept.get("table") != table.physical:
        raise BadArgument(f"run {run.id} is a backup of {kept.get('table')}, not of {table.physical}")
    _refuse_made_anew(session, table, str(kept.get("table_id") or table_id))
    fingerprint: Fingerprint = next(one for one in FINGERPRINTS if one == kept["fingerprint"])
    return BackupOptions(str(kept["name"]), fingerprint, options.timeout_s)


def _back_up(session: Session, run: Run, table: TableTarget, options: BackupOptions) -> BackupResult:
    plan = plan_backup(session, table, options, run.id8)
    described = tables.describe(session.aws, table.physical, table.region)
    _say_cost(session, plan)
    with session.progress.phase("settings", f"reading the settings of {table.physical}"):
        kept = read_settings(session.aws, table.physical, table.region)
        run.save("table-settings.json", kept.to_json())
    requested_at = _requested_at(session, run)
    with session.progress.phase("backup", f"{options.name}, waiting until it is AVAILABLE"):
        entry = backups.create_backup(
            session.aws, table.physical, options.name, run, session.clock, session.progress, options.timeout_s
        )
    note = keeping.note_of(entry, described, rfc3339(requested_at), options.fingerprint, kept)
    at = keeping.place(session, table, entry.name)
    put_text(session.aws, at.below(keeping.SETTINGS), note.to_json())
    run.save(keeping.SETTINGS, note.to_json())
    seal = _fingerprint(session, run, table, options, entry, requested_at, note.table_id)
    return BackupResult(
        arn=entry.arn,
        name=entry.name,
        status=entry.status,
        requested_at=requested_at,
        table=table.physical,
        table_id=note.table_id,
        seal=None if seal is None else str(at.below(keeping.SEAL)),
        settings=str(at.below(keeping.SETTINGS)),
        items=None if seal is None else seal.count,
    )


def _table_id(session: Session, table: TableTarget) -> str:
    return str(tables.describe(session.aws, table.physical, table.region).get("TableId", ""))


def _refuse_made_anew(session: Session, table: TableTarget, then: str) -> None:
    """PlanStale when the name stands for another table by now: its settings and items are not those of the backup."""
    now = _table_id(session, table)
    if now != then:
        raise PlanStale(
            f"table {table.physical} was made anew since its backup was begun",
            why=f"table id {then} then, {now} now: what is there now is not what the backup holds",
            fix=(f"ops backup {owns(table)}",),
        )


def _then(records: Iterable[Record], check: Callable[[], None]) -> Iterator[Record]:
    yield from records
    check()


def _say_cost(session: Session, plan: BackupPlan) -> None:
    if plan.read_units is not None:
        session.progress.note(
            f"the fingerprint scans the table: about {plan.read_units:,} read units "
            "by AWS's last count, which may be six hours old"
        )
    if plan.weakness:
        session.progress.note(f"the fingerprint is {plan.weakness}")


def _requested_at(session: Session, run: Run) -> datetime:
    """The second of the first request: a resumed run must not move it."""
    line = run.find("requested")
    if line is not None:
        return datetime.fromisoformat(str(line.data["at"]))
    now = whole_seconds(session.clock.now())
    run.write("requested", at=rfc3339(now))
    return now


def _fingerprint(
    session: Session,
    run: Run,
    table: TableTarget,
    options: BackupOptions,
    entry: BackupEntry,
    requested_at: datetime,
    table_id: str,
) -> Seal | None:
    if options.fingerprint == "none":
        return None
    at = keeping.place(session, table, entry.name)
    with work_folder() as folder:
        stored = keeping.find_seal(session, table, entry, folder)
        if stored is not None:
            session.progress.note("the fingerprint was already stored by this run")
            return stored.seal
        with session.progress.phase("fingerprint", f"reading every item of {table.physical}"):
            live = sides.table_side(session, table)
            moment = session.clock.now() if options.fingerprint == "scan" else requested_at
            subject = sides.seal_subject(
                live, table.label, options.fingerprint, rfc3339(whole_seconds(moment)), entry.arn
            )
            side: Side = live
            if options.fingerprint == "export":
                address = _export_of(session, run, table, requested_at, options.timeout_s)
                side = sides.export_side(session, address, live.table.keys, folder, live.table.ttl_attribute)
            records = _then(side.records(), lambda: _refuse_made_anew(session, table, table_id))
            seal = keeping.keep_seal(session, at, records, subject, folder)
    run.save(keeping.SEAL, seal.to_json())
    return seal


def _export_of(session: Session, run: Run, table: TableTarget, moment: datetime, timeout_s: float | None) -> str:
    """The manifest address of an export of exactly that second, once the window has reached it."""
    from ops.flows.exporting import export_of_second

    pitr.wait_until_restorable(session.aws, table.physical, moment, session.clock, session.progress, table.region)
    found = exports.find_export(session.aws, _arn(session, table), moment)
    return found or export_of_second(session, run, table, moment, timeout_s)


def _arn(session: Session, table: TableTarget) -> str:
    return str(tables.describe(session.aws, table.physical, table.region)["TableArn"])


def _read_units(described: dict[str, Any]) -> int:
    return max(1, -(-int(described.get("TableSizeBytes", 0)) // READ_UNIT_BYTES))


def backup_name(template: str, logical: str, now: datetime, run_id8: str) -> str:
    """The template filled in; the run's id always ends up in it, since AWS lets names repeat."""
    try:
        name = template.format(logical=logical, utc=compact_utc(now), run8=run_id8)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise BadArgument(
            f"the name template '{template}' cannot be filled in", fix=("use {logical}, {utc} and {run8}",)
        ) from error
    if run_id8 not in name:
        name = f"{name}-{run_id8}"
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", name):
        raise BadArgument(f"'{name}' is not a backup name: 3 to 255 letters, digits, '_', '.', '-'")
    return name


@contextmanager
def work_folder() -> Iterator[Path]:
    """A folder for what a flow holds on disk while it compares; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="ops-") as folder:
        yield Path(folder)
