"""Global tables, version 2019.11.21, eventually consistent: at once, after a lag, or when replication is resumed.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html: the replica is a table of
its own in its Region; items, indexes, TTL and capacity follow; tags, point-in-time recovery, deletion protection
and policy do not. .../APIReference/API_ReplicationGroupUpdate.html: a provisioned table needs write scaling on itself
and every GSI. Concurrent writes of one item: the last writer wins. .../globaltables-disassociate.html: a member can be
cut off and kept.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.exceptions import ResourceInUseException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.clock import moment
from ops.sandbox.aws.errors import service_error, validation
from ops.sandbox.aws.history import History
from ops.sandbox.aws.items import StoredItem
from ops.sandbox.aws.membership import check_write_scaling, enable_stream, mirror_scaling
from ops.sandbox.aws.tables import backend_of, clone, state_of, stored
from ops.sandbox.aws.world import World

VERSION = "2019.11.21"
SOURCE_KEPT_S = 86_400
_ALONE = frozenset({"TableName", "ReplicaUpdates"})

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One write on its way to another member."""

    table: str
    target: str
    item: StoredItem
    deleted: bool
    stamp: tuple[float, str]


class Replicas:
    """The groups of tables of one name in several Regions."""

    def __init__(self, world: World, history: History) -> None:
        self._world = world
        self._history = history
        self._applying = False
        self._waiting: list[tuple[float, Change]] = []
        self._leaving: list[Table] = []
        self.paused = False

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
        elif kind == "Disassociate":
            self._disassociate(table, wanted)
        else:
            raise validation(f"The sandbox does not imitate ReplicaUpdates.{kind}")

    def _create(self, table: Table, wanted: Document) -> None:
        region, state = wanted["RegionName"], state_of(table)
        if state.bulk_until_s > self._world.now():
            raise ResourceInUseException(f"A bulk operation is writing to the table: {table.name}")
        if region == table.region_name:
            raise validation("Cannot add, delete, or update the local region through ReplicaUpdates. Use CreateTable, "
                             "DeleteTable, or UpdateTable as required.")  # fmt: skip
        target = backend_of(region)
        if region in state.group or table.name in target.tables:
            raise validation(f"Failed to create a the new replica of table with name: '{table.name}' because one or "
                             "more replicas already existed as tables.")  # fmt: skip
        check_write_scaling(table)
        enable_stream(table)
        replica = self._seeded(table, region, wanted)
        group = state.group or {table.region_name}
        group.add(region)
        for member in group - {region}:
            state_of(backend_of(member).tables[table.name]).group = group
        state_of(replica).group = group
        state.seeded_s = self._world.now()
        target.tables[table.name] = replica
        mirror_scaling(table, region)

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
            ttl_changed_s=state_of(table).ttl_changed_s, written=dict(state_of(table).written),
        )  # fmt: skip
        return replica

    def _delete(self, table: Table, region: str) -> None:
        group = state_of(table).group
        if region not in group or region == table.region_name:
            raise validation("Replica specified in the Replica Update or Replica Delete action of the request was not "
                             "found.")  # fmt: skip
        backend = backend_of(region)
        if backend.tables[table.name].deletion_protection_enabled:
            raise validation(f"The replica in {region} has deletion protection enabled")
        self.leave(backend.tables[table.name])
        del backend.tables[table.name]

    def leave(self, table: Table) -> None:
        """Take the table out of its group; a group of one is no group."""
        state = state_of(table)
        if not state.group:
            return
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

    def forward(self, table: Table, before: StoredItem | None, after: StoredItem | None) -> None:
        """Listener: every change goes to the other members, at once or after the lag."""
        state = state_of(table)
        if self._applying or len(state.group) < 2:
            return
        item = after or before
        assert item is not None
        stamp = (self._world.now(), table.region_name)
        state.written[item.key] = stamp
        lag_s = self._world.durations.replica_lag_s
        for region in sorted(state.group - {table.region_name}):
            change = Change(table.name, region, item, after is None, stamp)
            if lag_s == 0 and not self.paused:
                self._apply(change)
            else:
                self._waiting.append((stamp[0] + lag_s, change))
                self._world.timeline.at(stamp[0] + lag_s, self._deliver)

    def _deliver(self, _when_s: float) -> None:
        """Apply what is due, and let go of members that waited for it."""
        if self.paused:
            return
        now_s = self._world.now()
        due = [change for when_s, change in self._waiting if when_s <= now_s]
        self._waiting = [one for one in self._waiting if one[0] > now_s]
        for change in due:
            self._apply(change)
        self._release()

    def _apply(self, change: Change) -> None:
        twin = backend_of(change.target).tables.get(change.table)
        if twin is None or change.stamp[1] not in state_of(twin).group:
            return  # it has left the group meanwhile
        written = state_of(twin).written
        if change.item.key in written and written[change.item.key] > change.stamp:
            return  # last writer wins
        written[change.item.key] = change.stamp
        there = stored(twin, change.item.wire)
        self._applying = True
        try:
            with self._history.acting_as(None):
                if not change.deleted:
                    self._history.put(twin, change.item, there)
                elif there is not None:
                    self._history.delete(twin, there)
        finally:
            self._applying = False

    def pause(self, paused: bool) -> None:
        """Stop replication, or let it catch up."""
        self.paused = paused
        self._deliver(self._world.now())

    def pending(self) -> int:
        """Changes that have not arrived yet."""
        return len(self._waiting)

    def _disassociate(self, table: Table, wanted: Document) -> None:
        """The member leaves once all that is under way to and from it has arrived."""
        if wanted.get("RegionName") != table.region_name:
            raise validation("RegionName must be the Region that the request is sent to")
        if wanted.get("DisassociationMode") != "WAIT_FOR_REPLICATION":
            raise validation("DisassociationMode must be WAIT_FOR_REPLICATION")
        if len(state_of(table).group) < 2:
            raise service_error("ReplicaNotFoundException", f"{table.name} is no replica of a global table")
        if state_of(table).disassociation_protected:
            raise validation("Disassociation protection is enabled for this replica; disable it first")
        self._leaving.append(table)
        self._release()

    def _release(self) -> None:
        for table in list(self._leaving):
            under_way = any(
                change.table == table.name and table.region_name in (change.target, change.stamp[1])
                for _, change in self._waiting
            )
            if not under_way:
                self._leaving.remove(table)
                self.leave(table)

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
        status = {"TableStatus": "UPDATING"} if table in self._leaving else {}
        return status | {
            "GlobalTableVersion": VERSION, "Replicas": listed,
            "DisassociationProtectionEnabled": state_of(table).disassociation_protected,
        }  # fmt: skip


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
