"""RestoreTableToPointInTime and RestoreTableFromBackup.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html and .../CreateBackup.html:
a restore makes a new table with the items, keys, indexes, billing mode and encryption of the source, and without its
stream, TTL, PITR, tags, deletion protection, resource policy, table class and scaling. Checks run in the order seen
on the service: shape, recovery on, time inside the window, target name.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import PointInTimeRecoveryUnavailable, TableAlreadyExistsException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import GlobalSecondaryIndex, LocalSecondaryIndex, Table
from moto.dynamodb.responses import DynamoHandler, DynamoResult

from ops.sandbox.aws.backups import StoredBackup, backup_of, begin_use
from ops.sandbox.aws.clock import epoch, moment, zulu
from ops.sandbox.aws.errors import service_error, table_not_found, validation
from ops.sandbox.aws.items import StoredItem
from ops.sandbox.aws.lifecycle import is_creating
from ops.sandbox.aws.table_checks import check_known
from ops.sandbox.aws.tables import backend_of, find_table, place, state_of
from ops.sandbox.aws.window import window_of
from ops.sandbox.aws.world import World

_NEVER_EMPTY = ("ProvisionedThroughputOverride", "OnDemandThroughputOverride", "SSESpecificationOverride")


@dataclass(frozen=True, slots=True)
class Source:
    """What a restore copies."""

    table: Table
    items: Iterable[StoredItem]
    when_s: float
    backup_arn: str | None = None


def restore_to_point_in_time(world: World, backend: DynamoDBBackend, body: dict[str, Any]) -> Table:
    """Checks in AWS's order, then the new table."""
    arn, name = body.get("SourceTableArn", ""), body.get("SourceTableName", "")
    when, latest = body.get("RestoreDateTime"), body.get("UseLatestRestorableTime")
    if bool(arn) == bool(name):
        raise validation("Must provide exactly one of: sourceTableArn, sourceTableName")
    if when is not None and latest:
        raise validation("Both RestoreDateTime and UseLatestRestorableTime cannot be set")
    if when is None and not latest:
        raise validation("Either one of RestoreDateTime or UseLatestRestorableTime must be specified")
    _check_overrides(body)
    region = arn.split(":")[3] if arn else backend.region_name
    _check_region(backend, region, body)
    source = find_table(backend_of(region), arn or name)
    if source is None or is_creating(world, source):
        raise table_not_found(arn or name)
    bounds = window_of(world, source)
    if bounds is None:
        raise PointInTimeRecoveryUnavailable(source.name)
    # one-second granularity: fractions on the wire are cut, as the window's bounds are
    when_s = bounds[1] if latest else int(epoch(when))
    if not bounds[0] <= when_s <= bounds[1]:
        raise service_error(
            "InvalidRestoreTimeException",
            f"RestoreDateTime '{zulu(when_s)}' must be within EarliestRestorableDateTime '{zulu(bounds[0])}' "
            f"and LatestRestorableDateTime '{zulu(bounds[1])}'",
        )
    items = state_of(source).journal.state_at(when_s).values()
    return _create(world, backend, body, Source(source, items, when_s))


def restore_from_backup(world: World, backend: DynamoDBBackend, body: dict[str, Any]) -> Table:
    """A backup of this or, by ARN, of another Region."""
    _check_overrides(body)
    arn = body["BackupArn"]
    region = arn.split(":")[3] if arn.count(":") >= 5 else backend.region_name
    backup: StoredBackup = backup_of(backend_of(region), arn)
    _check_region(backend, region, body)
    _check_target(world, backend, body["TargetTableName"])
    begin_use(world, backup)
    source = Source(backup.table, backup.items, backup.created_s, backup.arn)
    return _create(world, backend, body, source)


def _check_region(backend: DynamoDBBackend, region: str, body: dict[str, Any]) -> None:
    if region != backend.region_name and not body.get("SSESpecificationOverride"):
        raise validation("sseSpecificationOverride must be provided for cross-region restores")


def _check_overrides(body: dict[str, Any]) -> None:
    check_known(body)
    for name in _NEVER_EMPTY:
        # AWS answers {} with an error and still starts the restore; the sandbox only refuses it
        if name in body and not body[name]:
            raise validation(f"One or more parameter values were invalid: {name} must not be empty")
    for index in body.get("GlobalSecondaryIndexOverride") or []:
        if "WarmThroughput" in index:
            raise validation("One or more parameter values were invalid: WarmThroughput is not allowed on restore")


def _check_target(world: World, backend: DynamoDBBackend, target: str) -> None:
    existing = backend.tables.get(target)
    if existing is None:
        return
    if is_creating(world, existing):
        raise service_error("TableInUseException", f"Table is being created: {target}")
    raise TableAlreadyExistsException(target)


def _create(world: World, backend: DynamoDBBackend, body: dict[str, Any], source: Source) -> Table:
    _check_target(world, backend, body["TargetTableName"])
    table = _empty_copy(backend, body, source.table)
    state, now_s = state_of(table), world.now()
    for item in source.items:
        place(table, item)
    state.on_demand = body.get("OnDemandThroughputOverride") or copy.copy(state_of(source.table).on_demand)
    state.ready_s = now_s + world.durations.restore_s
    state.restored = {
        "SourceTableArn": source.table.table_arn,
        "RestoreDateTime": moment(source.when_s),
        "RestoreInProgress": True,
    }
    if source.backup_arn:
        state.restored["SourceBackupArn"] = source.backup_arn
    backend.tables[table.name] = table
    return table


def _empty_copy(backend: DynamoDBBackend, body: dict[str, Any], source: Table) -> Table:
    """Only what AWS carries over, with the overrides: everything not named here is lost."""
    mode = body.get("BillingModeOverride") or source.billing_mode
    throughput = body.get("ProvisionedThroughputOverride")
    if throughput and mode != "PROVISIONED":
        raise validation("Cannot override ProvisionedThroughput unless BillingMode is PROVISIONED")
    if body.get("BillingModeOverride") == "PROVISIONED" and not throughput:
        raise validation("Must override ProvisionedThroughput if BillingMode is overridden to PROVISIONED")
    provisioned = {
        name: units
        for name, units in (throughput or source.throughput).items()
        if name in ("ReadCapacityUnits", "WriteCapacityUnits")
    }
    indexes = _indexes(body.get("GlobalSecondaryIndexOverride"), source.global_indexes, GlobalSecondaryIndex, source)
    local = _indexes(body.get("LocalSecondaryIndexOverride"), source.indexes, LocalSecondaryIndex, source)
    used = {one["AttributeName"] for one in source.schema}
    used |= {one["AttributeName"] for index in [*indexes, *local] for one in index.schema}
    table = Table(  # type: ignore[abstract]
        body["TargetTableName"],
        backend.account_id,
        backend.region_name,
        copy.deepcopy(source.schema),
        [dict(one) for one in source.attr if one["AttributeName"] in used],
        throughput=provisioned if mode == "PROVISIONED" else None,
        billing_mode=mode,
        sse_specification=copy.deepcopy(body.get("SSESpecificationOverride", source.sse_specification)),
    )
    table.global_indexes, table.indexes = indexes, local
    return table


def _indexes(wanted: list[dict[str, Any]] | None, have: list[Any], kind: Any, source: Table) -> list[Any]:
    """Absent keeps all, [] drops all; an override must match an index of the source by keys and projection."""
    if wanted is None:
        return [_cooled(copy.deepcopy(index)) for index in have]
    shapes = [(index.schema, _shape(index.projection)) for index in have]
    for one in wanted:
        if (one["KeySchema"], _shape(one["Projection"])) not in shapes:
            raise validation(
                f"Index {one['IndexName']} does not match a secondary index that existed in the source table "
                "and cannot be created during the restore operation"
            )
    return [kind.create(copy.deepcopy(one), source.table_key_attrs) for one in wanted]


def _cooled(index: Any) -> Any:
    """Warm throughput is named nowhere among what a restore keeps."""
    if isinstance(index, GlobalSecondaryIndex):
        fresh = GlobalSecondaryIndex(
            index.name, index.schema, index.projection, index.table_key_attrs,
            throughput=index.throughput if index.throughput["ReadCapacityUnits"] else None,
        )  # fmt: skip
        index.warm_throughput = fresh.warm_throughput
    return index


def _shape(projection: dict[str, Any]) -> tuple[str, frozenset[str]]:
    return projection.get("ProjectionType", "ALL"), frozenset(projection.get("NonKeyAttributes") or ())


def install(world: World) -> None:
    """Replace moto's restores, which copy the present items whatever time is asked for."""

    def to_point_in_time(self: DynamoHandler) -> ActionResult:
        return DynamoResult(restore_to_point_in_time(world, self.dynamodb_backend, self.body).describe())

    def from_backup(self: DynamoHandler) -> ActionResult:
        return DynamoResult(restore_from_backup(world, self.dynamodb_backend, self.body).describe())

    DynamoHandler.restore_table_to_point_in_time = to_point_in_time  # type: ignore[method-assign]
    DynamoHandler.restore_table_from_backup = from_backup  # type: ignore[method-assign]
