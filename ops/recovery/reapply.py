"""Puts back what a restore drops: a pure plan, its application, and the read-back that alone is evidence.

Settings are only added or set, never deleted. AWS takes one UpdateTable at a time, so the table is waited for
between them (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from ops.aws import AwsError, ControlPlane
from ops.clock import Clock, rfc3339, wait_until
from ops.errors import RecoveryFailed, TableNotFound
from ops.model.proof import SettingsOutcome
from ops.progress import Progress
from ops.recovery import tables
from ops.recovery.journal import DRILL_PREFIX, mutate
from ops.recovery.planning import Change, Stage, plan
from ops.recovery.settings import TableSettings, differences, flatten, read_settings
from ops.runs import Run

__all__ = ["Change", "Stage", "apply", "plan", "read_back"]

POLL_S = 2.0
#: For the first seconds of a table's life AWS refuses to switch PITR on.
SETTLING_S = 60.0
_TTL_COOLDOWN = timedelta(hours=1)
_CLASS_COOLDOWN = timedelta(days=30)
_MAX_POLICY_NAME = 256


def apply(
    control: ControlPlane,
    table: str,
    changes: tuple[Change, ...],
    *,
    stage: Stage,
    run: Run,
    clock: Clock,
    progress: Progress,
    region: str | None = None,
    timeout_s: float | None = None,
) -> SettingsOutcome:
    """Make the changes of one stage, in order; what AWS puts off is `pending` with its time.

    A 200 is not a result: only `read_back` tells what the table has.
    """
    described = tables.wait_settled(control, table, clock, timeout_s, region)
    applied: list[str] = []
    pending: list[tuple[str, str]] = []
    mine = [change for change in changes if change.stage == stage]
    for number, change in enumerate(mine):
        progress.update(number, len(mine))
        params = _complete(change, table, described["TableArn"])
        where = change.region or region
        if change.operation == "update_table":
            tables.wait_settled(control, table, clock, timeout_s, where)
        later = _ask(control, change, params, table, where, run, clock)
        if later is not None:
            pending.append((change.setting, later))
            progress.note(f"{change.setting} of {table} waits until {later}")
            continue
        if change.operation == "update_table":
            tables.wait_settled(control, table, clock, timeout_s, where)
        if change.setting not in applied:
            applied.append(change.setting)
    return SettingsOutcome(applied=tuple(applied), pending=tuple(pending))


def _complete(change: Change, table: str, arn: str) -> dict[str, Any]:
    if change.service != "dynamodb":
        params = {**change.params, "ResourceId": f"table/{table}{change.params['ResourceId']}"}
        if "PolicyName" in params:
            params["PolicyName"] = f"{table[:180]}-{params['PolicyName']}"[:_MAX_POLICY_NAME]
        if change.operation == "register_scalable_target" and table.startswith(DRILL_PREFIX):
            params["Tags"] = {"ops-drill": "true"}
        return params
    if change.operation == "tag_resource":
        return {**change.params, "ResourceArn": _in_region(arn, change.region)}
    return {**change.params, "TableName": table}


def _in_region(arn: str, region: str | None) -> str:
    if region is None:
        return arn
    parts = arn.split(":")
    parts[3] = region
    return ":".join(parts)


def _ask(
    control: ControlPlane,
    change: Change,
    params: dict[str, Any],
    table: str,
    region: str | None,
    run: Run,
    clock: Clock,
) -> str | None:
    """Send one change; None when accepted, else the time until which AWS puts it off."""

    def attempt() -> str | None:
        try:
            notes = {"setting": change.setting}
            mutate(control, run, change.service, change.operation, table, params, region=region, notes=notes)
        except (AwsError, TableNotFound) as error:
            until = _put_off(error, change, clock)
            if until is None and not _settling(control, error, change, table, region):
                raise
            return until
        return ""

    answer = wait_until(attempt, clock, interval_s=POLL_S, timeout_s=SETTLING_S)
    if answer is None:
        raise RecoveryFailed(
            f"AWS does not accept {change.setting} for {table} yet",
            why=f"tried for {SETTLING_S:g} s",
            changed="earlier settings are applied",
            fix=(f"ops settings apply {table}",),
        )
    return answer or None


def _put_off(error: AwsError | TableNotFound, change: Change, clock: Clock) -> str | None:
    """TTL changes once an hour, the class twice in 30 days; AWS does not say until when, so the longest is given."""
    if not isinstance(error, AwsError):
        return None
    if change.setting == "ttl" and "modified multiple times" in error.message:
        return rfc3339(clock.now().replace(microsecond=0) + _TTL_COOLDOWN)
    if change.setting == "table_class" and error.aws_code == "LimitExceededException" and not _crowded(error):
        return rfc3339(clock.now().replace(microsecond=0) + _CLASS_COOLDOWN)
    return None


def _crowded(error: AwsError) -> bool:
    """Too many operations of this account at once, which passes soon: "Only 10 tables can be ... simultaneously"."""
    words = ("simultaneous", "concurrent", "too many")
    return error.aws_code == "LimitExceededException" and any(one in error.message.lower() for one in words)


def _settling(
    control: ControlPlane, error: AwsError | TableNotFound, change: Change, table: str, region: str | None
) -> bool:
    """The refusals of a table's first seconds, and of a change that another one holds up."""
    if isinstance(error, TableNotFound):
        return change.operation == "update_continuous_backups" and tables.exists(control, table, region)
    return _crowded(error) or error.aws_code in (
        "ContinuousBackupsUnavailableException", "ResourceInUseException", "ConcurrentUpdateException",
    )  # fmt: skip


def read_back(
    control: ControlPlane,
    table: str,
    wanted: TableSettings,
    outcome: SettingsOutcome,
    region: str | None = None,
    skip: tuple[str, ...] = (),
) -> SettingsOutcome:
    """Read every wanted setting again: what differs, what was right already, how many were held against the contract.

    `skip` leaves settings out by name, with all below them: `replicas` also means `replicas.us-west-2`.
    """
    found = read_settings(control, table, region)
    differing = tuple(one for one in differences(wanted, found) if not _within(one.setting, skip))
    wrong = {one.setting for one in differing}
    checked = [name for name in flatten(wanted) if name not in wanted.unknown and not _within(name, skip)]
    touched = set(outcome.applied) | {name for name, _ in outcome.pending}
    already = tuple(name for name in checked if name not in wrong and not _within(name, touched))
    return SettingsOutcome(outcome.applied, already, outcome.pending, differing, len(checked))


def _within(name: str, settings: Iterable[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in settings)
