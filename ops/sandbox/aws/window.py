"""The window of point-in-time recovery.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html: the latest
restorable time is typically five minutes before now; the earliest is the start of the recovery period or the
moment of enabling. docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PointInTimeRecoverySpecification.html:
RecoveryPeriodInDays is 1 to 35, default 35. Switching off and on again starts a new history.
"""

from __future__ import annotations

from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.clock import moment
from ops.sandbox.aws.errors import table_not_found, validation
from ops.sandbox.aws.lifecycle import check_backups_ready, is_creating
from ops.sandbox.aws.tables import all_items, find_table, state_of
from ops.sandbox.aws.world import World

DAY_S = 86_400
MAX_PERIOD_DAYS = 35


def window_of(world: World, table: Table) -> tuple[int, int] | None:
    """Earliest and latest restorable time in whole epoch seconds; None while recovery is off."""
    since_s = state_of(table).recovery_since_s
    if since_s is None:
        return None
    period_s = _description(table).get("RecoveryPeriodInDays", MAX_PERIOD_DAYS) * DAY_S
    now_s = world.now()
    return int(max(since_s, now_s - period_s)), int(max(since_s, now_s - world.durations.pitr_lag_s))


def described(world: World, table: Table) -> dict[str, Any]:
    """ContinuousBackupsDescription; the two bounds are absent while recovery is off."""
    description = dict(_description(table))
    if bounds := window_of(world, table):
        description["EarliestRestorableDateTime"] = moment(bounds[0])
        description["LatestRestorableDateTime"] = moment(bounds[1])
    return {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": description}


def change(world: World, table: Table, wanted: dict[str, Any]) -> None:
    """UpdateContinuousBackups."""
    enabled, days = wanted["PointInTimeRecoveryEnabled"], wanted.get("RecoveryPeriodInDays")
    if days is not None and not enabled:
        raise validation(
            "One or more parameter values were invalid: RecoveryPeriodInDays can only be specified when "
            "PointInTimeRecoveryEnabled is true"
        )
    if days is not None and not 1 <= days <= MAX_PERIOD_DAYS:
        raise validation(
            f"1 validation error detected: Value '{days}' at 'pointInTimeRecoverySpecification."
            "recoveryPeriodInDays' failed to satisfy constraint: Member must be between 1 and 35"
        )
    state, before = state_of(table), _description(table)
    if not enabled:
        state.recovery_since_s, after = None, {"PointInTimeRecoveryStatus": "DISABLED"}
        state.journal.clear()
    else:
        kept_days = before.get("RecoveryPeriodInDays", MAX_PERIOD_DAYS)
        after = {"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": days or kept_days}
        if state.recovery_since_s is None:
            state.recovery_since_s = world.now()
            state.journal.restart(all_items(table))
    table.continuous_backups["PointInTimeRecoveryDescription"] = after


def _description(table: Table) -> dict[str, Any]:
    found: dict[str, Any] = table.continuous_backups["PointInTimeRecoveryDescription"]
    return found


def install(world: World) -> None:
    """Replace moto's frozen window."""

    def answering(backend: DynamoDBBackend, name: str) -> Table:
        table = find_table(backend, name)
        if table is None or is_creating(world, table):
            raise table_not_found(name)
        return table

    def describe(self: DynamoDBBackend, table_name: str) -> dict[str, Any]:
        return described(world, answering(self, table_name))

    def update(self: DynamoDBBackend, table_name: str, point_in_time_spec: dict[str, Any]) -> dict[str, Any]:
        table = answering(self, table_name)
        check_backups_ready(world, table)
        change(world, table, point_in_time_spec)
        return described(world, table)

    DynamoDBBackend.describe_continuous_backups = describe  # type: ignore[method-assign]
    DynamoDBBackend.update_continuous_backups = update  # type: ignore[method-assign]
