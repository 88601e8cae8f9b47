"""On-demand backups, and the system backup that a deleted table leaves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ops.aws import AwsError, ControlPlane
from ops.clock import Clock, wait_until
from ops.errors import BackupGone, RecoveryFailed, StillRunning, TableNotFound, Throttled
from ops.model.recovery import BackupEntry
from ops.progress import Progress
from ops.recovery import tables
from ops.recovery.journal import mutate
from ops.recovery.waiting import wait_patiently
from ops.runs import Run

POLL_S = 2.0
#: For the first seconds of a table's life AWS refuses to back it up.
SETTLING_S = 60.0
_SETTLING = frozenset({"ContinuousBackupsUnavailableException", "BackupInUseException"})


def create_backup(
    control: ControlPlane,
    table: str,
    name: str,
    run: Run,
    clock: Clock,
    progress: Progress,
    timeout_s: float | None = None,
) -> BackupEntry:
    """An on-demand backup that is AVAILABLE; RecoveryFailed, or StillRunning after `timeout_s`.

    CreateBackup has no token and backup names are not unique, so `name` should hold the run's id: a run that
    is resumed adopts the backup it has already asked for instead of paying for a second one.
    """
    arn = _own_backup(control, table, name, run, progress) or _ask(control, table, name, run, clock)
    return _wait_available(control, arn, clock, timeout_s)


def _own_backup(control: ControlPlane, table: str, name: str, run: Run, progress: Progress) -> str | None:
    if run.find("intent", operation="CreateBackup", target=table, name=name) is None:
        return None
    found = [one for one in list_backups(control, table) if one.name == name]
    if len(found) > 1:
        progress.note(f"{len(found)} backups are named {name}: the request was repeated; the oldest is used")
    if not found:
        return None
    progress.note(f"backup {name} was already asked for by this run: adopted")
    return found[-1].arn


def _ask(control: ControlPlane, table: str, name: str, run: Run, clock: Clock) -> str:
    def attempt() -> str | None:
        try:
            answer = mutate(
                control, run, "dynamodb", "create_backup", table,
                {"TableName": table, "BackupName": name}, notes={"name": name},
            )  # fmt: skip
        except TableNotFound:
            # also AWS's answer while the table is CREATING; a table that is really absent raises here
            tables.describe(control, table)
            return None
        except AwsError as error:
            if error.aws_code == "LimitExceededException":
                raise Throttled("too many backups run at once in this account", why=error.message) from error
            if error.aws_code not in _SETTLING:
                raise
            return None
        return str(answer["BackupDetails"]["BackupArn"])

    arn = wait_until(attempt, clock, interval_s=POLL_S, timeout_s=SETTLING_S)
    if arn is None:
        raise RecoveryFailed(
            f"AWS does not accept a backup of {table} yet", why=f"tried for {SETTLING_S:g} s: the table is being set up"
        )
    return arn


def _wait_available(control: ControlPlane, arn: str, clock: Clock, timeout_s: float | None) -> BackupEntry:
    def probe() -> BackupEntry | None:
        entry = describe_backup(control, arn)
        return None if entry.status == "CREATING" else entry

    entry = wait_patiently(probe, clock, interval_s=POLL_S, timeout_s=timeout_s)
    if entry is None:
        raise StillRunning(f"backup {arn} is still CREATING", changed="the backup was accepted by AWS")
    if entry.status != "AVAILABLE":
        raise RecoveryFailed(
            f"backup {arn} is {entry.status}",
            why="AWS gives no reason",
            changed="a backup of that name may be listed",
        )
    return entry


def list_backups(
    control: ControlPlane,
    table: str | None = None,
    region: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[BackupEntry]:
    """Backups of every kind (USER, SYSTEM, AWS_BACKUP), newest first; `since` is inclusive."""
    found = [_entry(one, one["TableName"]) for one in _summaries(control, table, region, since)]
    found.sort(key=lambda one: (one.created, one.arn), reverse=True)
    return found[:limit]


def _summaries(
    control: ControlPlane, table: str | None, region: str | None, since: datetime | None
) -> list[dict[str, Any]]:
    wanted: dict[str, Any] = {"BackupType": "ALL"}
    if table is not None:
        wanted["TableName"] = table
    if since is not None:
        wanted["TimeRangeLowerBound"] = since
    listed = control.pages("dynamodb", "list_backups", "BackupSummaries", region=region, **wanted)
    return [one for one in listed if one.get("BackupStatus") != "DELETED"]


def describe_backup(control: ControlPlane, arn: str, region: str | None = None) -> BackupEntry:
    """The backup of that ARN; BackupGone when AWS does not have it (any more)."""
    described = describe_raw(control, arn, region)
    return _entry(described["BackupDetails"], described.get("SourceTableDetails", {}).get("TableName", ""))


def describe_raw(control: ControlPlane, arn: str, region: str | None = None) -> dict[str, Any]:
    """`BackupDescription` of DescribeBackup; BackupGone when it was deleted, expired or never was."""
    try:
        answer = control.call("dynamodb", "describe_backup", region=region, BackupArn=arn)
    except AwsError as error:
        if error.aws_code == "BackupNotFoundException":
            raise BackupGone(f"no such backup: {arn}", why=error.message) from error
        raise
    described: dict[str, Any] = answer["BackupDescription"]
    if described["BackupDetails"]["BackupStatus"] == "DELETED":
        raise BackupGone(f"backup was deleted: {arn}")
    return described


def system_backup(
    control: ControlPlane, table: str, table_id: str | None, clock: Clock, timeout_s: float = 60.0
) -> BackupEntry:
    """What a table deleted with PITR on leaves for 35 days: its state just before the deletion.

    It becomes visible some seconds after the deletion. `table_id` tells incarnations of one name apart; None
    takes the newest. BackupGone when none shows up within `timeout_s`.
    """

    def probe() -> BackupEntry | None:
        listed = [one for one in _summaries(control, table, None, None) if one.get("BackupType") == "SYSTEM"]
        own = [one for one in listed if table_id is None or one.get("TableId") == table_id]
        return max((_entry(one, table) for one in own), key=lambda one: one.created, default=None)

    entry = wait_patiently(probe, clock, interval_s=POLL_S, timeout_s=timeout_s)
    if entry is None:
        others = [one.arn for one in list_backups(control, table)]
        raise BackupGone(
            f"no system backup of {table} after {timeout_s:g} s",
            why="only a table deleted while PITR was on leaves one, for 35 days; "
            + (f"newest other backup: {others[0]}" if others else "no other backup of that table exists"),
        )
    return entry


def _entry(found: dict[str, Any], table: str) -> BackupEntry:
    expires = found.get("BackupExpiryDateTime")
    return BackupEntry(
        arn=found["BackupArn"],
        name=found["BackupName"],
        table=table,
        status=found["BackupStatus"],
        kind=found.get("BackupType", "USER"),
        created=found["BackupCreationDateTime"].astimezone(UTC),
        expires=None if expires is None else expires.astimezone(UTC),
    )
