"""How often a table's settings may change, counted in sandbox time.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html (capacity decreases: four at any time of a
UTC day, then one per hour without one, 27 in all; to on-demand four times in 24 hours) and
.../WorkingWithTables.tableclasses.html (two class changes in 30 days).
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.clock import zulu
from ops.sandbox.aws.errors import service_error
from ops.sandbox.aws.tables import state_of

DAY_S, HOUR_S = 86_400, 3_600
CLASS_CHANGES, CLASS_PERIOD_S = 2, 30 * DAY_S
MODE_CHANGES = 4
FREE_DECREASES, MOST_DECREASES = 4, 27
_UNITS = ("ReadCapacityUnits", "WriteCapacityUnits")

Document = dict[str, Any]


def check(table: Table, body: Document, now_s: float) -> None:
    """Refuse a change that comes too often."""
    state = state_of(table)
    if _changes_class(table, body) and _recent(state.class_changes, now_s - CLASS_PERIOD_S) >= CLASS_CHANGES:
        raise _exceeded("the table class can be changed twice in 30 days")
    if _goes_on_demand(table, body) and _recent(state.mode_changes, now_s - DAY_S) >= MODE_CHANGES:
        raise _exceeded("a table can be switched to PAY_PER_REQUEST four times in 24 hours")
    for name in _decreased(table, body):
        _check_decrease(state.decreases.get(name, []), now_s)


def count(table: Table, body: Document, now_s: float) -> None:
    """Remember what is about to be changed; call before the change, after the check."""
    state = state_of(table)
    if _changes_class(table, body):
        state.class_changes.append(now_s)
    if _goes_on_demand(table, body):
        state.mode_changes.append(now_s)
    for name in _decreased(table, body):
        state.decreases.setdefault(name, []).append(now_s)


def decreases_today(table: Table, index: str | None, now_s: float) -> int:
    """NumberOfDecreasesToday: the day is UTC's."""
    return _recent(state_of(table).decreases.get(index, []), now_s - now_s % DAY_S)


def _exceeded(what: str) -> JsonRESTError:
    return service_error("LimitExceededException", f"Subscriber limit exceeded: {what}")


def _recent(times: list[float], since_s: float) -> int:
    return sum(when_s >= since_s for when_s in times)


def _changes_class(table: Table, body: Document) -> bool:
    return body.get("TableClass") not in (None, state_of(table).table_class)


def _goes_on_demand(table: Table, body: Document) -> bool:
    return body.get("BillingMode") == "PAY_PER_REQUEST" and table.billing_mode != "PAY_PER_REQUEST"


def _decreased(table: Table, body: Document) -> list[str | None]:
    """The table (None) and the indexes whose provisioned capacity would fall."""
    if table.billing_mode != "PROVISIONED" or body.get("BillingMode") == "PAY_PER_REQUEST":
        return []
    indexes = {index.name: index.throughput for index in table.global_indexes}
    wanted: list[tuple[str | None, Document, Document]] = [
        (None, table.throughput, body.get("ProvisionedThroughput") or {})
    ]
    for entry in body.get("GlobalSecondaryIndexUpdates") or []:
        update = entry.get("Update") or {}
        if update.get("IndexName") in indexes:
            wanted.append(
                (update["IndexName"], indexes[update["IndexName"]], update.get("ProvisionedThroughput") or {})
            )
    return [name for name, old, new in wanted if any(new.get(unit, old[unit]) < old[unit] for unit in _UNITS)]


def _check_decrease(times: list[float], now_s: float) -> None:
    today = [when_s for when_s in times if when_s >= now_s - now_s % DAY_S]
    if len(today) < FREE_DECREASES:
        return
    if len(today) >= MOST_DECREASES or now_s - today[-1] < HOUR_S:
        raise _exceeded(
            "Provisioned throughput decreases are limited within a given UTC day. After the first 4 decreases, each "
            "subsequent decrease in the same UTC day can be performed at most once every 3600 seconds. Number of "
            f"decreases today: {len(today)}. Last decrease at {zulu(today[-1])}."
        )
