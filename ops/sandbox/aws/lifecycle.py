"""What a table answers while it is being restored, and what DescribeTable says.

A restored table is CREATING first and answers nothing but DescribeTable; RestoreSummary exists only then
(docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery.Tutorial.html). ItemCount and
TableSizeBytes are refreshed about every six hours
(docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html).
"""

from __future__ import annotations

import copy
from typing import Any

from moto.dynamodb.exceptions import (
    DeletionProtectedException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.clock import moment
from ops.sandbox.aws.errors import not_found, service_error, validation
from ops.sandbox.aws.tables import STATISTICS_EVERY_S, all_items, find_table, state_of
from ops.sandbox.aws.world import World


def is_creating(world: World, table: Table) -> bool:
    """Whether the table is still being restored or imported."""
    return state_of(table).ready_s > world.now()


def check_backups_ready(world: World, table: Table) -> None:
    """For some seconds after a table is ACTIVE its backups are still being enabled: refused, to be retried."""
    state = state_of(table)
    if max(state.created_s, state.ready_s) + world.durations.backups_ready_s > world.now():
        raise service_error(
            "ContinuousBackupsUnavailableException",
            f"Backups are being enabled for the table: {table.name}. Please retry later",
        )


def answering_table(world: World, backend: DynamoDBBackend, name: str) -> Table:
    """The table if it answers data and control calls, else ResourceNotFoundException."""
    table = find_table(backend, name)
    if table is None or is_creating(world, table):
        raise not_found(name)
    return table


def data_table(world: World, backend: DynamoDBBackend, name: str) -> Table:
    """As `answering_table`; the service does not repeat the name to who reads or writes items."""
    table = find_table(backend, name)
    if table is None or is_creating(world, table):
        raise service_error("ResourceNotFoundException", "Requested resource not found")
    return table


def described(world: World, table: Table, base: dict[str, Any]) -> dict[str, Any]:
    """moto's description with what it lacks or gets wrong."""
    state, now_s = state_of(table), world.now()
    if now_s - state.counted_s >= STATISTICS_EVERY_S:
        items = all_items(table)
        state.counted_s, state.item_count = now_s, len(items)
        state.size_bytes = sum(item.size_bytes for item in items)
    base |= {"TableId": state.table_id, "ItemCount": state.item_count, "TableSizeBytes": state.size_bytes}
    base["TableClassSummary"] = {"TableClass": state.table_class}
    if state.class_changed_s is not None:
        base["TableClassSummary"]["LastUpdateDateTime"] = moment(state.class_changed_s)
    if state.on_demand:
        base["OnDemandThroughput"] = dict(state.on_demand)
    if state.updating_until_s > now_s:
        base["TableStatus"] = "UPDATING"
    for index in base["GlobalSecondaryIndexes"]:
        if state.index_ready_s.get(index["IndexName"], 0.0) > now_s:
            index |= {"IndexStatus": "CREATING", "Backfilling": True}
    if state.deleted:
        base["TableStatus"] = "DELETING"
    if state.ready_s > now_s:
        base["TableStatus"] = "CREATING"
        for index in base["GlobalSecondaryIndexes"]:
            index["IndexStatus"] = "CREATING"
        if state.restored:
            base["RestoreSummary"] = dict(state.restored)
    return base


def install(world: World) -> None:
    """Gate moto's table look-ups and complete its descriptions."""
    original_describe = Table.describe

    def describe(self: Table, base_key: str = "TableDescription") -> dict[str, Any]:
        answer = copy.deepcopy(original_describe(self, base_key))
        answer[base_key] = described(world, self, answer[base_key])
        return answer

    def get_table(self: DynamoDBBackend, table_name: str) -> Table:
        table = find_table(self, table_name)
        if table is None or is_creating(world, table):
            raise ResourceNotFoundException()
        return table

    def describe_table(self: DynamoDBBackend, name: str) -> dict[str, Any]:
        table = find_table(self, name)
        if table is None:
            raise ResourceNotFoundException(table_name=name)
        return table.describe(base_key="Table")

    Table.describe = describe  # type: ignore[method-assign]
    DynamoDBBackend.get_table = get_table  # type: ignore[method-assign]
    DynamoDBBackend.describe_table = describe_table  # type: ignore[method-assign]
    _install_tags_and_policies(world)


def deletable(world: World, backend: DynamoDBBackend, name: str) -> Table:
    """The table, or why it cannot be deleted now."""
    table = find_table(backend, name)
    if table is None:
        raise not_found(name)
    if is_creating(world, table):
        raise ResourceInUseException(
            f"Attempt to change a resource which is still in use: Table is being created: {name}"
        )
    if table.deletion_protection_enabled:
        raise DeletionProtectedException(table.name)
    return table


def _install_tags_and_policies(world: World) -> None:
    for method in ("tag_resource", "untag_resource", "list_tags_of_resource", "put_resource_policy",
                   "get_resource_policy", "delete_resource_policy"):  # fmt: skip
        _gate_by_arn(world, method)


def _gate_by_arn(world: World, method: str) -> None:
    original = getattr(DynamoDBBackend, method)

    def gated(self: DynamoDBBackend, *args: Any, **kwargs: Any) -> Any:
        arn = str(args[0] if args else next(iter(kwargs.values())))
        if not arn.startswith("arn:"):
            raise validation(f"Invalid TableArn: {arn}")
        answering_table(world, self, arn)
        return original(self, *args, **kwargs)

    setattr(DynamoDBBackend, method, gated)
