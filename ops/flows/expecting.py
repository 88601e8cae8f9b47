"""The expected side of a restore: what the restored items are held against, and what to say when there is none."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from ops.clock import rfc3339
from ops.environment import TableTarget
from ops.errors import (
    AwsError,
    BackupGone,
    ExportCorrupt,
    ExportFiltered,
    Interrupted,
    NotAllowed,
    NotProven,
    OpsError,
    OutsideWindow,
    PitrOff,
    RecoveryFailed,
    ResourceNotFound,
    TableNotFound,
)
from ops.flows import exporting, keeping, sides
from ops.flows.session import Session
from ops.model.items import KeySchema
from ops.model.recovery import BackupEntry
from ops.recovery import exports, tables
from ops.runs import Run
from ops.verify.sides import Side

Kind = Literal["seal", "export", "new-export", "given", "none"]
KINDS: tuple[Kind, ...] = ("seal", "export", "new-export", "given", "none")
#: An expected side found by `auto` that cannot be had or used: the restore still finishes, as "not proven".
UNUSABLE: tuple[type[OpsError], ...] = (
    AwsError, BackupGone, ExportCorrupt, ExportFiltered, NotAllowed, NotProven, OutsideWindow, PitrOff, RecoveryFailed,
    ResourceNotFound,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expectation:
    """Where the expected side comes from; for `none`, `why` says why there is none."""

    kind: Kind
    where: str = ""
    why: str = ""


def choose(
    session: Session, table: TableTarget, expect: str, moment: datetime, backup: BackupEntry | None
) -> Expectation:
    """`auto`: the seal beside the backup, or an export of exactly the restored second; else what was given."""
    if expect == "none":
        return Expectation("none", why="--expect none was given")
    if expect != "auto":
        _check_given(session, table, expect)
        return Expectation("given", expect)
    try:
        if backup is not None:
            return _beside(session, table, backup)
        found = exports.find_export(session.aws, _arn(session, table), moment)
    except UNUSABLE as error:
        if backup is not None:
            return Expectation("none", why=f"{error.what} {error.why}".strip())
        found = None  # whether one exists may not be known: a new one is as good
    if found is not None:
        return Expectation("export", found)
    return Expectation("new-export", f"an export of {rfc3339(moment)}, taken now")


def _check_given(session: Session, table: TableTarget, expect: str) -> None:
    """A mistyped address must not show only after a restore of hours."""
    with tempfile.TemporaryDirectory(prefix="ops-") as folder:
        sides.open_side(sides.Context(session, Path(folder), sides.declared_keys(table) or KeySchema("unread")), expect)


def _beside(session: Session, table: TableTarget, backup: BackupEntry) -> Expectation:
    note = keeping.find_note(session, table, backup)
    where = keeping.place(session, table, backup.name)
    if note is None:
        return Expectation("none", why=f"no fingerprint was kept beside backup {backup.name} (looked in {where})")
    if note.fingerprint == "none":
        return Expectation("none", why=f"backup {backup.name} was made with --fingerprint none")
    if (sealed := keeping.sealed_source(session, where)) not in ("", backup.arn):
        return Expectation("none", why=f"the fingerprint beside backup {backup.name} is of another one, {sealed}")
    return Expectation("seal", str(where.below(keeping.SEAL)))


def begin(session: Session, run: Run, table: TableTarget, chosen: Expectation, moment: datetime) -> Expectation:
    """Ask for the export that is still needed, so that AWS makes it while it restores.

    A refusal does not stop the recovery: the restore goes on and ends as "not proven".
    """
    if chosen.kind != "new-export":
        return chosen
    session.progress.note(
        f"the restore will be proven against an export of {rfc3339(moment)}, taken now: AWS bills it by table size"
    )
    try:
        arn = exporting.begin_export_of_second(session, run, table, moment)
    except Interrupted:
        raise
    except OpsError as error:
        return Expectation("none", why=f"the export of that second was refused: {error.what} {error.why}".strip())
    return Expectation("new-export", arn)


def open_side(context: sides.Context, chosen: Expectation, timeout_s: float | None) -> tuple[Side | None, str]:
    """The expected side, and the reason when there is none. An expected side that is corrupt raises."""
    if chosen.kind == "none":
        return None, chosen.why
    if chosen.kind == "new-export":
        address = exporting.wait_for(context.session, chosen.where, timeout_s)
        return sides.export_side(context.session, address, context.known_keys(address), context.folder, context.ttl), ""
    return sides.open_side(context, chosen.where), ""


def _arn(session: Session, table: TableTarget) -> str:
    try:
        return str(tables.describe(session.aws, table.physical, table.region)["TableArn"])
    except TableNotFound:
        document = session.environment.document
        return f"arn:aws:dynamodb:{table.region}:{document.account}:table/{table.physical}"
