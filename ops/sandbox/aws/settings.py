"""Table settings that moto ignores or gets wrong: class, on-demand maxima, streams, billing mode, indexes, TTL.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html and .../API_UpdateTimeToLive.html.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import ResourceInUseException, ResourceNotFoundException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler, DynamoResult

from ops.sandbox.aws import quotas
from ops.sandbox.aws.errors import service_error, validation
from ops.sandbox.aws.lifecycle import answering_table
from ops.sandbox.aws.membership import protect_membership
from ops.sandbox.aws.replicas import Replicas
from ops.sandbox.aws.table_checks import check_change, check_create
from ops.sandbox.aws.tables import state_of
from ops.sandbox.aws.ttl import Expiry
from ops.sandbox.aws.world import World

TTL_INTERVAL_S = 3_600
TABLE_CLASSES = ("STANDARD", "STANDARD_INFREQUENT_ACCESS")

_INVALID = "One or more parameter values were invalid: "
Document = dict[str, Any]


def remember(world: World, table: Table, body: Document) -> None:
    """Keep the class and the on-demand maxima of a CreateTable or UpdateTable; -1 removes a maximum."""
    state = state_of(table)
    wanted = body.get("TableClass")
    if wanted is not None and wanted not in TABLE_CLASSES:
        raise validation(f"1 validation error detected: Value '{wanted}' at 'tableClass' is not a table class")
    if wanted is not None and wanted != state.table_class:
        state.table_class, state.class_changed_s = wanted, world.now()
    if maxima := body.get("OnDemandThroughput"):
        if table.billing_mode != "PAY_PER_REQUEST":
            raise validation(f"{_INVALID}OnDemandThroughput can only be set when BillingMode is PAY_PER_REQUEST")
        merged = (state.on_demand or {}) | maxima
        state.on_demand = {name: units for name, units in merged.items() if units != -1} or None


def encrypt(table: Table, wanted: Document | None) -> None:
    """The key of an UpdateTable: a customer's, the AWS managed one, or (not enabled) the one that DynamoDB owns."""
    if wanted is None:
        return
    if not wanted.get("Enabled"):
        table.sse_specification = None
        return
    managed = table._get_default_encryption_key(table.account_id, table.region_name)
    table.sse_specification = {"SSEType": "KMS", "KMSMasterKeyId": managed, **wanted}


def check_update(table: Table, body: Document) -> None:
    """What UpdateTable refuses before it changes anything."""
    mode = body.get("BillingMode")
    if mode == "PROVISIONED" and table.billing_mode != mode and not body.get("ProvisionedThroughput"):
        raise validation(f"{_INVALID}ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
    if body.get("ProvisionedThroughput") and (mode or table.billing_mode) == "PAY_PER_REQUEST":
        raise validation(f"{_INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
                         "BillingMode is PAY_PER_REQUEST")  # fmt: skip
    updates = body.get("GlobalSecondaryIndexUpdates") or []
    if sum("Create" in one or "Delete" in one for one in updates) > 1:
        raise service_error(
            "LimitExceededException",
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
        )
    names = {index.name for index in table.global_indexes}
    for kind, update in ((kind, one) for entry in updates for kind, one in entry.items()):
        if kind == "Create" and update["IndexName"] in names:
            raise validation("Attempting to create an index which already exists")
        if kind != "Create" and update["IndexName"] not in names:
            raise ResourceNotFoundException("Requested resource not found")


def check_warm(table: Table, body: Document) -> None:
    """Warm throughput only rises; what the request leaves out stays (API_WarmThroughput.html)."""
    indexes = {index.name: index for index in table.global_indexes}
    wanted: list[tuple[Any, Document]] = [(table, body)]
    for entry in body.get("GlobalSecondaryIndexUpdates") or []:
        if (update := entry.get("Update")) is not None:
            wanted.append((indexes[update["IndexName"]], update))
    for holder, asked in wanted:
        if not asked.get("WarmThroughput"):
            continue
        for name, units in asked["WarmThroughput"].items():
            if units < holder.warm_throughput.get(name, 0):
                raise validation(f"{_INVALID}Requested {name} for WarmThroughput is lower than the current value")
        held = {name: units for name, units in holder.warm_throughput.items() if name != "Status"}
        asked["WarmThroughput"] = {**held, **asked["WarmThroughput"]}


def merged_attributes(table: Table, body: Document) -> None:
    """AttributeDefinitions of an update name the new index's keys; the table keeps the others it uses."""
    given = {one["AttributeName"]: one for one in body.get("AttributeDefinitions") or []}
    if not given:
        return
    body["AttributeDefinitions"] = [
        *(one for one in table.attr if one["AttributeName"] not in given),
        *given.values(),
    ]


def tidy(table: Table, body: Document, now_s: float) -> None:
    """What follows from an update: zero throughput on demand, no definitions of unused attributes."""
    if body.get("BillingMode") == "PAY_PER_REQUEST":
        table.throughput = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
        for index in table.global_indexes:
            index.throughput = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    holders: list[tuple[str | None, Any]] = [(None, table), *((one.name, one) for one in table.global_indexes)]
    for name, holder in holders:
        decreases = quotas.decreases_today(table, name, now_s)
        holder.throughput = {**holder.throughput, "NumberOfDecreasesToday": decreases}
    used = set(table.attribute_keys)
    table.attr = [one for one in table.attr if one["AttributeName"] in used]


def begin_update(world: World, table: Table, body: Document) -> None:
    """UPDATING for a while, and a new index CREATING; both over at once unless a duration is set."""
    state = state_of(table)
    state.updating_until_s = world.now() + world.durations.update_s
    for entry in body.get("GlobalSecondaryIndexUpdates") or []:
        if "Create" in entry:
            state.index_ready_s[entry["Create"]["IndexName"]] = state.updating_until_s


def change_stream(table: Table, wanted: Document) -> None:
    """A stream cannot be enabled twice; enabled again after a stop it has a new ARN."""
    enabled = bool((table.stream_specification or {}).get("StreamEnabled"))
    if wanted.get("StreamEnabled") and enabled:
        raise validation("Table already has an enabled stream: TableName: " + table.name)
    if not wanted.get("StreamEnabled") and not enabled:
        raise validation("Table is already without an enabled stream: TableName: " + table.name)
    if len(state_of(table).group) > 1:
        raise validation("The stream of a table with replicas cannot be changed")
    if wanted.get("StreamEnabled"):
        table.set_stream_specification(dict(wanted))
    else:
        table.stream_specification, table.stream_shard = {"StreamEnabled": False}, None


def change_ttl(world: World, table: Table, wanted: Document) -> None:
    """UpdateTimeToLive: one change an hour, and only a real change."""
    state, enable, name = state_of(table), wanted["Enabled"], wanted["AttributeName"]
    if not name:
        raise validation("1 validation error detected: Value '' at 'timeToLiveSpecification.attributeName' failed to "
                         "satisfy constraint: Member must have length greater than or equal to 1")  # fmt: skip
    if state.ttl_changed_s is not None and world.now() - state.ttl_changed_s < TTL_INTERVAL_S:
        raise validation("Time to live has been modified multiple times within a fixed interval")
    enabled = table.ttl["TimeToLiveStatus"] == "ENABLED"
    if enable == enabled:
        raise validation(f"TimeToLive is already {'enabled' if enabled else 'disabled'}")
    if enabled and table.ttl.get("AttributeName") != name:
        raise validation(f"TimeToLive is active on a different AttributeName: current AttributeName is "
                         f"{table.ttl.get('AttributeName')}")  # fmt: skip
    state.ttl_changed_s = world.now()
    table.ttl.clear()
    table.ttl["TimeToLiveStatus"] = "ENABLED" if enable else "DISABLED"
    if enable:
        table.ttl["AttributeName"] = name


def install(world: World, replicas: Replicas, expiry: Expiry) -> None:
    """Wrap CreateTable and UpdateTable; replace streams and TTL."""
    original_create, original_update = DynamoHandler.create_table, DynamoHandler.update_table

    def create_table(self: DynamoHandler) -> ActionResult:
        check_create(self.body)
        if self.body.get("OnDemandThroughput") and self.body.get("BillingMode") != "PAY_PER_REQUEST":
            raise validation(f"{_INVALID}OnDemandThroughput can only be set when BillingMode is PAY_PER_REQUEST")
        for index in self.body.get("GlobalSecondaryIndexes") or []:
            if self.body.get("BillingMode") != "PAY_PER_REQUEST" and not index.get("ProvisionedThroughput"):
                raise validation(f"{_INVALID}ProvisionedThroughput must be specified for index: {index['IndexName']}")
        original_create(self)
        table = self.dynamodb_backend.tables[self.body["TableName"]]
        remember(world, table, self.body)
        if policy := self.body.get("ResourcePolicy"):
            self.dynamodb_backend.put_resource_policy(table.table_arn, policy, None)
        state_of(table).class_changed_s = None
        state_of(table).ready_s = world.now() + world.durations.table_s
        return DynamoResult(table.describe())

    def update_table(self: DynamoHandler) -> ActionResult:
        table = answering_table(world, self.dynamodb_backend, self.body["TableName"])
        if state_of(table).updating_until_s > world.now():
            raise ResourceInUseException(
                f"Attempt to change a resource which is still in use: Table is being updated: {table.name}"
            )
        if self.body.get("DisassociationProtectionEnabled") is not None:
            protect_membership(table, self.body)
            return DynamoResult(table.describe())
        if self.body.get("ReplicaUpdates"):
            replicas.update(table, self.body)
            return DynamoResult(table.describe())
        check_change(table, self.body)
        check_update(table, self.body)
        check_warm(table, self.body)
        quotas.check(table, self.body, world.now())
        quotas.count(table, self.body, world.now())
        merged_attributes(table, self.body)
        original_update(self)
        if (self.body.get("SSESpecification") or {}).get("Enabled") is False:
            table.sse_specification = None  # the key that AWS owns, of which a description says nothing
        remember(world, table, self.body)
        encrypt(table, self.body.get("SSESpecification"))
        tidy(table, self.body, world.now())
        begin_update(world, table, self.body)
        state_of(table).version += 1
        replicas.follow(table, self.body)
        return DynamoResult(table.describe())

    def update_ttl(self: DynamoDBBackend, table_name: str, ttl_spec: Document) -> None:
        table = answering_table(world, self, table_name)
        change_ttl(world, table, ttl_spec)
        replicas.follow_ttl(table)
        if ttl_spec["Enabled"]:
            expiry.enabled(table)

    def describe_ttl(self: DynamoDBBackend, table_name: str) -> Document:
        return dict(answering_table(world, self, table_name).ttl)

    def update_streams(self: DynamoDBBackend, table: Table, stream_specification: Document) -> None:
        change_stream(table, stream_specification)

    DynamoHandler.create_table = create_table  # type: ignore[method-assign]
    DynamoHandler.update_table = update_table  # type: ignore[method-assign]
    DynamoDBBackend.update_time_to_live = update_ttl  # type: ignore[method-assign]
    DynamoDBBackend.describe_time_to_live = describe_ttl  # type: ignore[method-assign]
    DynamoDBBackend.update_table_streams = update_streams  # type: ignore[method-assign]
