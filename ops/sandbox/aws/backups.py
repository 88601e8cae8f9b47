"""On-demand and system backups.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListBackups.html (filters),
docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html (the system backup that a
deleted table with point-in-time recovery leaves for 35 days).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import BackupNotFoundException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler, DynamoResult

from ops.sandbox.aws.clock import epoch, moment
from ops.sandbox.aws.errors import service_error, table_not_found, validation
from ops.sandbox.aws.items import StoredItem
from ops.sandbox.aws.journal import Journal
from ops.sandbox.aws.lifecycle import check_backups_ready, deletable, is_creating
from ops.sandbox.aws.tables import all_items, clone, find_table, state_of
from ops.sandbox.aws.world import World

SYSTEM_KEPT_S = 35 * 86_400


@dataclass(slots=True, eq=False)
class StoredBackup:
    """A snapshot: the table's settings at that moment and its items, which never change."""

    arn: str
    name: str
    kind: str
    created_s: float
    table: Table
    items: list[StoredItem]
    item_count: int
    size_bytes: int
    status: str = "AVAILABLE"
    busy_until_s: float = field(default=0.0)

    def details(self) -> dict[str, Any]:
        """BackupDetails."""
        answer = {
            "BackupArn": self.arn, "BackupName": self.name, "BackupStatus": self.status, "BackupType": self.kind,
            "BackupSizeBytes": self.size_bytes, "BackupCreationDateTime": moment(self.created_s),
        }  # fmt: skip
        if self.kind == "SYSTEM":
            answer["BackupExpiryDateTime"] = moment(self.created_s + SYSTEM_KEPT_S)
        return answer

    def summary(self) -> dict[str, Any]:
        """One entry of ListBackups."""
        return {
            **self.details(), "TableName": self.table.name, "TableArn": self.table.table_arn,
            "TableId": state_of(self.table).table_id,
        }  # fmt: skip

    def description(self) -> dict[str, Any]:
        """BackupDescription: it records keys, indexes, billing, stream, TTL and encryption, and nothing else."""
        table = self.table
        described = table.describe()["TableDescription"]
        source = {name: described[name] for name in ("TableName", "TableArn", "TableId", "KeySchema")}
        source |= {
            "TableCreationDateTime": described["CreationDateTime"], "BillingMode": table.billing_mode,
            "ProvisionedThroughput": described["ProvisionedThroughput"], "TableSizeBytes": self.size_bytes,
            "ItemCount": self.item_count,
        }  # fmt: skip
        if state_of(table).on_demand:
            source["OnDemandThroughput"] = state_of(table).on_demand
        return {
            "BackupDetails": self.details(),
            "SourceTableDetails": source,
            "SourceTableFeatureDetails": _features(table, described),
        }


def _features(table: Table, described: dict[str, Any]) -> dict[str, Any]:
    kept = ("IndexName", "KeySchema", "Projection", "ProvisionedThroughput")
    features: dict[str, Any] = {
        "GlobalSecondaryIndexes": [{name: one[name] for name in kept} for one in described["GlobalSecondaryIndexes"]],
        "LocalSecondaryIndexes": described["LocalSecondaryIndexes"],
        "TimeToLiveDescription": dict(table.ttl),
    }
    for name, member in (("StreamSpecification", "StreamDescription"), ("SSEDescription", "SSEDescription")):
        if name in described:
            features[member] = described[name]
    return features


def take(world: World, backend: DynamoDBBackend, table: Table, name: str, kind: str) -> StoredBackup:
    """Snapshot the table now. Size and count are the six-hourly statistics, as on AWS: never proof of anything."""
    now_s, state = world.now(), state_of(table)
    identifier = f"{int(now_s * 1000):014d}-{uuid.uuid4().hex[:8]}"
    twin = clone(table)
    twin.__dict__["sandbox"] = replace(state, journal=Journal(), views={}, deleted=False)
    backup = StoredBackup(
        f"{table.table_arn}/backup/{identifier}", name, kind, now_s, twin, all_items(table),
        state.item_count, state.size_bytes,
    )  # fmt: skip
    backend.backups[backup.arn] = backup  # type: ignore[assignment]
    return backup


def backup_of(backend: DynamoDBBackend, arn: str) -> StoredBackup:
    """The backup, or BackupNotFoundException."""
    found: Any = backend.backups.get(arn)
    if found is None:
        raise BackupNotFoundException(arn)
    backup: StoredBackup = found
    return backup


def begin_use(world: World, backup: StoredBackup) -> None:
    """One backup feeds one restore at a time."""
    _refuse_busy(world, backup)
    backup.busy_until_s = world.now() + world.durations.restore_s


def _refuse_busy(world: World, backup: StoredBackup) -> None:
    if backup.busy_until_s > world.now():
        raise service_error("BackupInUseException", f"Backup is being used to restore another table: {backup.arn}")


def listed(backend: DynamoDBBackend, body: dict[str, Any]) -> dict[str, Any]:
    """ListBackups: USER unless asked otherwise; lower time bound inclusive, upper exclusive; pages of 100."""
    kind, name = body.get("BackupType", "USER"), body.get("TableName")
    lower, upper = body.get("TimeRangeLowerBound"), body.get("TimeRangeUpperBound")
    backups: list[Any] = [
        one
        for one in sorted(backend.backups.values(), key=lambda one: (one.created_s, one.arn))  # type: ignore[attr-defined]
        if kind in ("ALL", one.kind)  # type: ignore[attr-defined]
        and name in (None, one.table.name, one.table.table_arn)
        and (lower is None or one.created_s >= epoch(lower))  # type: ignore[attr-defined]
        and (upper is None or one.created_s < epoch(upper))  # type: ignore[attr-defined]
    ]
    if start := body.get("ExclusiveStartBackupArn"):
        arns = [one.arn for one in backups]
        if start not in arns:
            raise validation("One or more parameter values were invalid: ExclusiveStartBackupArn is unknown")
        backups = backups[arns.index(start) + 1 :]
    page = backups[: body.get("Limit") or 100]
    answer: dict[str, Any] = {"BackupSummaries": [one.summary() for one in page]}
    if len(page) < len(backups):
        answer["LastEvaluatedBackupArn"] = page[-1].arn
    return answer


def delete(world: World, backend: DynamoDBBackend, arn: str) -> StoredBackup:
    """DeleteBackup; a system backup cannot be deleted."""
    backup = backup_of(backend, arn)
    if backup.kind == "SYSTEM":
        raise validation("One or more parameter values were invalid: System backups cannot be deleted")
    _refuse_busy(world, backup)
    del backend.backups[arn]
    backup.status = "DELETED"
    return backup


def delete_table(world: World, backend: DynamoDBBackend, name: str) -> Table:
    """DeleteTable; with recovery on, the moment before deletion stays as a system backup."""
    table = deletable(world, backend, name)
    del backend.tables[table.name]
    state_of(table).deleted = True
    if state_of(table).recovery_since_s is not None:
        backup = take(world, backend, table, f"{table.name}$DeletedTableBackup", "SYSTEM")
        del backend.backups[backup.arn]  # visible some seconds later
        visible_s = world.now() + world.durations.system_backup_s
        world.timeline.at(visible_s, lambda _: backend.backups.update({backup.arn: backup}))  # type: ignore[dict-item]
        world.timeline.at(backup.created_s + SYSTEM_KEPT_S, lambda _: _drop(backend, backup.arn))
    backend.resource_policies.pop(table.table_arn, None)
    return table


def _drop(backend: DynamoDBBackend, arn: str) -> None:
    backend.backups.pop(arn, None)


def install(world: World) -> None:
    """Replace moto's backups."""

    def create(self: DynamoHandler) -> ActionResult:
        backend, name = self.dynamodb_backend, self.body["TableName"]
        table = find_table(backend, name)
        if table is None or is_creating(world, table):
            raise table_not_found(name)
        check_backups_ready(world, table)
        return DynamoResult({"BackupDetails": take(world, backend, table, self.body["BackupName"], "USER").details()})

    def describe(self: DynamoHandler) -> ActionResult:
        return DynamoResult(
            {"BackupDescription": backup_of(self.dynamodb_backend, self.body["BackupArn"]).description()}
        )

    def remove(self: DynamoHandler) -> ActionResult:
        backup = delete(world, self.dynamodb_backend, self.body["BackupArn"])
        return DynamoResult({"BackupDescription": backup.description()})

    def list_all(self: DynamoHandler) -> ActionResult:
        return DynamoResult(listed(self.dynamodb_backend, self.body))

    DynamoHandler.create_backup = create  # type: ignore[method-assign]
    DynamoHandler.describe_backup = describe  # type: ignore[method-assign]
    DynamoHandler.delete_backup = remove  # type: ignore[method-assign]
    DynamoHandler.list_backups = list_all  # type: ignore[method-assign]
    DynamoDBBackend.delete_table = lambda self, name: delete_table(world, self, name)  # type: ignore[method-assign]
