"""Restores, always into a new table: checked beforehand, journalled, adopted by a resumed run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from ops.aws import AwsError, ControlPlane
from ops.clock import Clock, rfc3339, whole_seconds
from ops.errors import (
    BackupGone,
    BadArgument,
    OpsError,
    OutsideWindow,
    PitrOff,
    RecoveryFailed,
    StillRunning,
    TableNotFound,
    TargetExists,
    Throttled,
    Unreachable,
)
from ops.progress import Progress
from ops.recovery import backups, pitr, tables
from ops.recovery.journal import api_name, mutate
from ops.recovery.waiting import wait_patiently
from ops.runs import JournalLine, Run

Way = Literal["pitr", "backup", "system-backup"]
#: DescribeTable may not know a table in the first moments after its restore was accepted.
APPEARS_WITHIN_S = 60.0
#: How far AWS's clock and ours may differ when a table's creation is held against our journal.
_SKEW = timedelta(seconds=90)
#: Between two tries of a restore that AWS throttles; botocore must not try by itself (`ops.aws`).
_PAUSES_S = (1.0, 2.0, 4.0, 8.0)
_TAKEN = ("TableAlreadyExistsException", "TableInUseException")
_FROM_PITR, _FROM_BACKUP = "restore_table_to_point_in_time", "restore_table_from_backup"


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """Exactly one of `moment`, `latest`, `backup_arn`; from `source_region` (None: home) into the home region."""

    source: str
    source_region: str | None
    target: str
    moment: datetime | None = None
    latest: bool = False
    backup_arn: str | None = None
    indexes_kept: bool = True
    sse_kms_key_arn: str | None = None


@dataclass(frozen=True, slots=True)
class RestoreStart:
    """A restore that AWS has accepted; `adopted` when an earlier start of the same run had asked for it."""

    target: str
    source: str
    restored_to: datetime
    way: Way
    source_arn: str
    accepted_at: datetime
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class _Plan:
    operation: str
    params: dict[str, Any]
    restored_to: datetime
    way: Way
    source_arn: str


def target_name(logical: str, moment: datetime) -> str:
    """`top_tracks-r20261120T100216Z`: the name says what it holds."""
    return f"{logical}-r{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def start_restore(
    control: ControlPlane, request: RestoreRequest, run: Run, clock: Clock, progress: Progress
) -> RestoreStart:
    """Ask AWS for the restore after every check that can be made without changing anything.

    PitrOff, OutsideWindow, BackupGone, TableNotFound, TargetExists: nothing was changed. A table of the target
    name is taken as ours only if this run's journal asked for it and nothing about it says otherwise.
    """
    intent = _own_intent(run, request)
    if intent is not None and (found := _describe_if_there(control, request.target)) is not None:
        return _adopt(control, request, run, intent, found, progress)
    plan = _plan(control, request, progress)
    if tables.exists(control, request.target):
        raise TargetExists(f"table {request.target} exists already", why="it is not of this run")
    notes = {
        "source": request.source,
        "source_arn": plan.source_arn,
        "restored_to": rfc3339(plan.restored_to),
        "way": plan.way,
    }
    try:
        answer = _ask(control, request, run, plan, notes, clock, asked_before=intent is not None)
    except OpsError as error:
        raise _classified(error, request) from error
    if isinstance(answer, tuple):
        return _adopt(control, request, run, *answer, progress)
    summary = answer["TableDescription"].get("RestoreSummary", {})
    restored_to = plan.restored_to
    if plan.way == "pitr" and isinstance(summary.get("RestoreDateTime"), datetime):
        restored_to = summary["RestoreDateTime"].astimezone(UTC)
    progress.note(f"restoring {request.source} as of {rfc3339(restored_to)} into {request.target}")
    return RestoreStart(request.target, request.source, restored_to, plan.way, plan.source_arn, clock.now())


def _ask(
    control: ControlPlane,
    request: RestoreRequest,
    run: Run,
    plan: _Plan,
    notes: dict[str, Any],
    clock: Clock,
    *,
    asked_before: bool,
) -> dict[str, Any] | tuple[JournalLine, dict[str, Any]]:
    """The answer; or, where it was lost, our intent and the table that AWS makes all the same.

    What AWS refused because of too many requests, or has not begun after a lost answer, is asked for again.
    """
    for pause_s in (*_PAUSES_S, None):
        try:
            return mutate(control, run, "dynamodb", plan.operation, request.target, plan.params, notes=notes)
        except OpsError as error:
            made = _made_unheard(control, request, run, error, asked_before=asked_before)
            if made is not None:
                return made
            if pause_s is None or not _passes(error):
                raise
            asked_before = asked_before or isinstance(error, Unreachable)
            clock.sleep(pause_s)
    raise AssertionError("the last try answers or raises")


def _passes(error: OpsError) -> bool:
    if isinstance(error, AwsError):
        return error.aws_code == "LimitExceededException"
    return isinstance(error, Throttled | Unreachable)


def _made_unheard(
    control: ControlPlane, request: RestoreRequest, run: Run, error: OpsError, *, asked_before: bool
) -> tuple[JournalLine, dict[str, Any]] | None:
    """Our intent and the table, when AWS makes it although its answer was lost; None when nothing shows that.

    The name may also be taken by a request of this run of which the answer was lost and the table not yet listed.
    """
    taken = isinstance(error, AwsError) and error.aws_code in _TAKEN and asked_before
    if not taken and not isinstance(error, Unreachable):
        return None
    found = _describe_if_there(control, request.target)
    intent = run.find("intent", target=request.target, source=request.source)
    if found is None or intent is None or "RestoreSummary" not in found:
        return None
    return intent, found


def _plan(control: ControlPlane, request: RestoreRequest, progress: Progress) -> _Plan:
    ways = [request.moment is not None, request.latest, request.backup_arn is not None]
    if sum(ways) != 1:
        raise BadArgument("choose one of a time, latest, or a backup", fix=("ops restore RES --at TIME",))
    if request.backup_arn is not None:
        return _plan_from_backup(control, request, request.backup_arn)
    return _plan_from_pitr(control, request, progress)


def _plan_from_pitr(control: ControlPlane, request: RestoreRequest, progress: Progress) -> _Plan:
    region = _source_region(control, request)
    source = _describe_source(control, request, region)
    window = pitr.restorable_window(control, request.source, region)
    pinned = pitr.pinned(window)
    if pinned:
        progress.warn(
            "OPS-W005", f"window of {request.source} still pinned: the data will be as of {rfc3339(window.latest)}"
        )
    moment = window.latest if request.moment is None else whole_seconds(request.moment)
    pitr.check_inside(window, moment, request.source)
    params: dict[str, Any] = {"TargetTableName": request.target}
    params |= {"SourceTableArn": source["TableArn"]} if _cross_region(control, request) else {
        "SourceTableName": request.source
    }  # fmt: skip
    if request.latest and pinned:
        # a bound with a fraction cannot be named in whole seconds
        params["UseLatestRestorableTime"] = True
    else:
        params["RestoreDateTime"] = moment
    return _Plan(_FROM_PITR, params | _overrides(control, request), moment, "pitr", source["TableArn"])


def _plan_from_backup(control: ControlPlane, request: RestoreRequest, arn: str) -> _Plan:
    region = _source_region(control, request)
    described = backups.describe_raw(control, arn, region)
    details, source = described["BackupDetails"], described.get("SourceTableDetails", {})
    if source.get("TableName", request.source) != request.source:
        raise BadArgument(
            f"the backup is of table {source['TableName']}, not of {request.source}",
            fix=(f"ops list backups --table {request.source}",),
        )
    if details["BackupStatus"] != "AVAILABLE":
        raise BackupGone(f"backup {details['BackupName']} is {details['BackupStatus']}, not AVAILABLE")
    params = {"TargetTableName": request.target, "BackupArn": arn} | _overrides(control, request)
    way: Way = "system-backup" if details.get("BackupType") == "SYSTEM" else "backup"
    made = details["BackupCreationDateTime"].astimezone(UTC)
    return _Plan(_FROM_BACKUP, params, made, way, source.get("TableArn", arn))


def _overrides(control: ControlPlane, request: RestoreRequest) -> dict[str, Any]:
    """Only what must differ: AWS answered an empty override structure with an error and restored all the same."""
    wanted: dict[str, Any] = {}
    if not request.indexes_kept:
        wanted["GlobalSecondaryIndexOverride"] = []  # documented: an empty list restores without indexes
    if request.sse_kms_key_arn:
        wanted["SSESpecificationOverride"] = {
            "Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": request.sse_kms_key_arn,
        }  # fmt: skip
    elif _cross_region(control, request):
        wanted["SSESpecificationOverride"] = {"Enabled": True, "SSEType": "KMS"}
    return wanted


def _source_region(control: ControlPlane, request: RestoreRequest) -> str | None:
    return request.source_region if _cross_region(control, request) else None


def _cross_region(control: ControlPlane, request: RestoreRequest) -> bool:
    return request.source_region not in (None, control.region)


def _describe_source(control: ControlPlane, request: RestoreRequest, region: str | None) -> dict[str, Any]:
    try:
        return tables.describe(control, request.source, region)
    except TableNotFound as error:
        raise TableNotFound(
            f"table not found: {request.source}",
            why="a deleted table has no window; with PITR on it left a system backup for 35 days",
            fix=(f"ops list backups --table {request.source}", "ops list tables"),
        ) from error


def _own_intent(run: Run, request: RestoreRequest) -> JournalLine | None:
    """Our last intent for this target and source, unless AWS refused that very call."""
    for operation in (_FROM_PITR, _FROM_BACKUP):
        name = api_name(operation)
        intent = run.find("intent", operation=name, target=request.target, source=request.source)
        if intent is None:
            continue
        outcome = run.find("outcome", operation=name, target=request.target)
        refused = outcome is not None and outcome.seq > intent.seq and "refused" in outcome.data
        if not refused:
            return intent
    return None


def _describe_if_there(control: ControlPlane, table: str) -> dict[str, Any] | None:
    try:
        return tables.describe(control, table)
    except TableNotFound:
        return None


def _adopt(
    control: ControlPlane,
    request: RestoreRequest,
    run: Run,
    intent: JournalLine,
    found: dict[str, Any],
    progress: Progress,
) -> RestoreStart:
    """The table id we were answered; else RestoreSummary, present while CREATING; else the creation time."""
    asked_at = datetime.fromisoformat(intent.t)
    source_arn = str(intent.data["source_arn"])
    outcome = run.find("outcome", operation=intent.data["operation"], target=request.target)
    known_id = None if outcome is None or outcome.seq < intent.seq else outcome.data.get("TableId")
    summary = found.get("RestoreSummary")
    if known_id is not None:
        ours = known_id == found.get("TableId")
    elif summary is not None:
        ours = summary.get("SourceTableArn", source_arn) == source_arn and _same_data(summary, request, intent)
    else:
        ours = found["CreationDateTime"].astimezone(UTC) >= asked_at - _SKEW
    if not ours:
        raise TargetExists(
            f"table {request.target} exists already",
            why="this run had asked for a restore of that name, but the table there is another one",
        )
    progress.note(f"table {request.target} was already asked for by this run: adopted")
    restored_to = datetime.fromisoformat(str(intent.data["restored_to"]))
    way: Way = intent.data["way"]
    return RestoreStart(request.target, request.source, restored_to, way, source_arn, asked_at, adopted=True)


def _same_data(summary: dict[str, Any], request: RestoreRequest, intent: JournalLine) -> bool:
    """Whether the table gets the second or the backup that we asked for: another run may use the same name."""
    if request.backup_arn is not None:
        return bool(summary.get("SourceBackupArn", request.backup_arn) == request.backup_arn)
    moment = summary.get("RestoreDateTime")
    return moment is None or rfc3339(whole_seconds(moment)) == str(intent.data["restored_to"])


def _classified(error: OpsError, request: RestoreRequest) -> OpsError:
    """AWS's own refusals, for what changed between our checks and the call."""
    if not isinstance(error, AwsError):
        return error
    code, why = error.aws_code, error.message
    if code in _TAKEN:
        return TargetExists(f"table {request.target} exists already", why=why)
    if code == "InvalidRestoreTimeException":
        return OutsideWindow(f"AWS cannot restore {request.source} to that time", why=why)
    if code == "PointInTimeRecoveryUnavailableException":
        return PitrOff(f"point-in-time recovery of {request.source} is off", why=why)
    if code == "BackupNotFoundException":
        return BackupGone(f"no such backup: {request.backup_arn}", why=why)
    if code == "BackupInUseException":
        return RecoveryFailed(
            "that backup is feeding another restore",
            why=why,
            fix=("run the command again when the other table is ACTIVE: one backup feeds one restore at a time",),
        )
    if code == "LimitExceededException":
        return Throttled("too many restores run at once in this account", why=why)
    return error


def wait_active(
    control: ControlPlane, target: str, clock: Clock, progress: Progress, timeout_s: float | None = None
) -> None:
    """Return when table and indexes are ACTIVE, seen every `tables.POLL_S` s; StillRunning after `timeout_s`."""
    begun = clock.monotonic()
    seen = wait_patiently(
        lambda: True if tables.exists(control, target) else None,
        clock,
        interval_s=tables.POLL_S,
        timeout_s=APPEARS_WITHIN_S if timeout_s is None else min(timeout_s, APPEARS_WITHIN_S),
    )
    if seen is None:
        raise TableNotFound(f"table not found: {target}", why="AWS accepted it, but does not list it")
    remaining = None if timeout_s is None else max(0.0, timeout_s - (clock.monotonic() - begun))
    try:
        tables.wait_settled(control, target, clock, remaining)
    except StillRunning as error:
        raise StillRunning(
            f"table {target} is not ACTIVE after {timeout_s:g} s", why=error.why, changed="AWS goes on with it"
        ) from error
    progress.note(f"table {target} is ACTIVE")
