"""Global tables, version 2019.11.21, with eventual consistency made immediate.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html: the replica is a table of
its own in its Region; items, indexes, TTL and capacity follow; tags, point-in-time recovery, deletion protection
and policy do not. .../APIReference/API_ReplicationGroupUpdate.html: a provisioned table needs write scaling on itself
and every GSI.
"""

from __future__ import annotations

import copy
from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.dynamodb.exceptions import ResourceInUseException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.clock import moment
from ops.sandbox.aws.errors import service_error, validation
from ops.sandbox.aws.history import History
from ops.sandbox.aws.items import StoredItem
from ops.sandbox.aws.scaling import scaled_dimensions
from ops.sandbox.aws.tables import backend_of, clone, state_of, stored
from ops.sandbox.aws.world import ACCOUNT, World

VERSION = "2019.11.21"
SOURCE_KEPT_S = 86_400
_ALONE = frozenset({"TableName", "ReplicaUpdates"})

Document = dict[str, Any]


class Replicas:
    """The groups of tables of one name in several Regions."""

    def __init__(self, world: World, history: History) -> None:
        self._world = world
        self._history = history
        self._forwarding = False

    def update(self, table: Table, body: Document) -> None:
        """One create, update or delete, alone in its UpdateTable."""
        if extra := sorted(set(body) - _ALONE):
            raise validation(f"ReplicaUpdates must be alone in the request, found {', '.join(extra)}")
        steps = [step for entry in body["ReplicaUpdates"] for step in entry.items()]
        if len(steps) != 1:
            raise validation("Only one replica can be created or deleted at a time")
        ((kind, wanted),) = steps
        if kind == "Create":
            self._create(table, wanted)
        elif kind == "Delete":
            self._delete(table, wanted["RegionName"])
        else:
            raise validation(f"The sandbox does not imitate ReplicaUpdates.{kind}")

    def _create(self, table: Table, wanted: Document) -> None:
        region, state = wanted["RegionName"], state_of(table)
        if state.bulk_until_s > self._world.now():
            raise ResourceInUseException(f"A bulk operation is writing to the table: {table.name}")
        if region == table.region_name or region in state.group:
            raise validation(f"Failed to create a new replica: {table.name} already has a replica in {region}")
        target = backend_of(region)
        if table.name in target.tables:
            raise validation(f"Failed to create a new replica: table {table.name} already exists in {region}")
        _check_write_scaling(table)
        _enable_stream(table)
        replica = self._seeded(table, region, wanted)
        group = state.group or {table.region_name}
        group.add(region)
        for member in group - {region}:
            state_of(backend_of(member).tables[table.name]).group = group
        state_of(replica).group = group
        state.seeded_s = self._world.now()
        target.tables[table.name] = replica
        _mirror_scaling(table, region)

    def _seeded(self, table: Table, region: str, wanted: Document) -> Table:
        """A table of its own in the Region: items and synchronised settings, nothing regional."""
        replica = clone(table)
        replica.region_name, replica.tags, replica.deletion_protection_enabled = region, [], False
        replica.table_arn = replica._generate_arn(table.name)
        replica.continuous_backups = {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
        }
        replica.created_at = moment(self._world.now())
        replica.lambda_event_source_mappings = {}
        replica.set_stream_specification({"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        replica.__dict__["sandbox"] = type(state_of(table))(
            created_s=self._world.now(), counted_s=self._world.now(), on_demand=state_of(table).on_demand,
            table_class=wanted.get("TableClassOverride") or state_of(table).table_class,
            ttl_changed_s=state_of(table).ttl_changed_s,
        )  # fmt: skip
        return replica

    def _delete(self, table: Table, region: str) -> None:
        group = state_of(table).group
        if region not in group or region == table.region_name:
            raise service_error("ReplicaNotFoundException", f"No replica of {table.name} in {region}")
        backend = backend_of(region)
        if backend.tables[table.name].deletion_protection_enabled:
            raise validation(f"The replica in {region} has deletion protection enabled")
        self.leave(backend.tables[table.name])
        del backend.tables[table.name]

    def leave(self, table: Table) -> None:
        """Take the table out of its group; a group of one is no group."""
        state = state_of(table)
        state.group.discard(table.region_name)
        if len(state.group) == 1:
            (last,) = state.group
            state_of(backend_of(last).tables[table.name]).group = set()
        state.group = set()

    def check_deletable(self, table: Table) -> None:
        """A table that seeded a replica cannot be deleted for 24 hours while the replica exists."""
        state = state_of(table)
        if state.group and state.seeded_s and self._world.now() - state.seeded_s < SOURCE_KEPT_S:
            raise validation(
                "Replica cannot be deleted because it has acted as a source region for new replicas being added "
                "to the table in the last 24 hours."
            )

    def forward(self, table: Table, _before: StoredItem | None, after: StoredItem | None) -> None:
        """Listener: every change reaches the other members at once."""
        others = state_of(table).group - {table.region_name}
        if self._forwarding or not others:
            return
        item = after or _before
        assert item is not None
        self._forwarding = True
        try:
            for region in others:
                twin = backend_of(region).tables[table.name]
                there = stored(twin, item.wire)
                if after is not None:
                    self._history.put(twin, after, there)
                elif there is not None:
                    self._history.delete(twin, there)
        finally:
            self._forwarding = False

    def follow(self, table: Table, body: Document) -> None:
        """Synchronised settings of an UpdateTable: indexes and billing."""
        for twin in self._twins(table):
            twin.billing_mode, twin.throughput = table.billing_mode, dict(table.throughput)
            twin.global_indexes, twin.attr = copy.deepcopy(table.global_indexes), copy.deepcopy(table.attr)
            if body.get("SSESpecification"):
                twin.sse_specification = copy.deepcopy(table.sse_specification)
            state_of(twin).version += 1

    def follow_ttl(self, table: Table) -> None:
        """TTL is one setting of the whole group."""
        for twin in self._twins(table):
            twin.ttl = dict(table.ttl)
            state_of(twin).ttl_changed_s = state_of(table).ttl_changed_s

    def _twins(self, table: Table) -> list[Table]:
        others = state_of(table).group - {table.region_name}
        return [backend_of(region).tables[table.name] for region in sorted(others)]

    def described(self, table: Table) -> Document:
        """Members of DescribeTable that only a global table has: the other Regions."""
        twins = self._twins(table)
        if not twins:
            return {}
        listed = [
            {
                "RegionName": twin.region_name, "ReplicaStatus": "ACTIVE",
                "ReplicaTableClassSummary": {"TableClass": state_of(twin).table_class},
            }
            for twin in twins
        ]  # fmt: skip
        return {"GlobalTableVersion": VERSION, "Replicas": listed}


def _check_write_scaling(table: Table) -> None:
    if table.billing_mode != "PROVISIONED":
        return
    resources = [f"table/{table.name}", *(f"table/{table.name}/index/{one.name}" for one in table.global_indexes)]
    scaled = scaled_dimensions(table.region_name)
    for resource in resources:
        kind = "index" if "/index/" in resource else "table"
        if (resource, f"dynamodb:{kind}:WriteCapacityUnits") not in scaled:
            raise validation(
                "Table write capacity should either be Pay-Per-Request or AutoScaled: no write scaling target "
                f"and policy on {resource}"
            )


def _enable_stream(table: Table) -> None:
    specification = table.stream_specification or {}
    if not specification.get("StreamEnabled"):
        table.set_stream_specification({"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    elif specification.get("StreamViewType") != "NEW_AND_OLD_IMAGES":
        raise validation(f"Table {table.name} must have its stream enabled with NEW_AND_OLD_IMAGES to take a replica")


def _mirror_scaling(table: Table, region: str) -> None:
    """DynamoDB keeps the write scaling of the members alike."""
    source = applicationautoscaling_backends[ACCOUNT][table.region_name]
    target = applicationautoscaling_backends[ACCOUNT][region]
    own = f"table/{table.name}"
    for one in source.describe_scalable_targets("dynamodb", None, None):
        if one.resource_id == own or one.resource_id.startswith(own + "/"):
            target.register_scalable_target(
                "dynamodb", one.resource_id, one.scalable_dimension, one.min_capacity, one.max_capacity,
                one.role_arn, one.suspended_state,
            )  # fmt: skip
    for policy in list(source.policies.values()):
        if policy.resource_id == own or policy.resource_id.startswith(own + "/"):
            target.put_scaling_policy(
                policy.policy_name, "dynamodb", policy.resource_id, policy.scalable_dimension,
                copy.deepcopy(policy._policy_body), policy.policy_type,
            )  # fmt: skip


def install(replicas: Replicas) -> None:
    """Complete DescribeTable and guard DeleteTable."""
    original_describe, original_delete = Table.describe, DynamoDBBackend.delete_table

    def describe(self: Table, base_key: str = "TableDescription") -> Document:
        answer = original_describe(self, base_key)
        answer[base_key] |= replicas.described(self)
        return answer

    def delete_table(self: DynamoDBBackend, name: str) -> Table:
        table = self.tables.get(name)
        if table is not None:
            replicas.check_deletable(table)
        deleted = original_delete(self, name)
        if state_of(deleted).group:
            replicas.leave(deleted)
        return deleted

    Table.describe = describe  # type: ignore[method-assign]
    DynamoDBBackend.delete_table = delete_table  # type: ignore[method-assign]
