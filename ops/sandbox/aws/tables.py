"""What the sandbox remembers about a table beside moto's own fields."""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass, field
from typing import Any, cast

from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.items import Key, KeyValue, StoredItem, key_values
from ops.sandbox.aws.journal import Journal
from ops.sandbox.aws.world import ACCOUNT

STATISTICS_EVERY_S = 6 * 3600


@dataclass(slots=True)
class Insight:
    """Contributor Insights of the table or of one index."""

    enabled: bool
    mode: str
    changed_s: float


@dataclass(slots=True)
class KinesisDestination:
    """One stream that the table sends, or has sent, its changes to."""

    active: bool
    precision: str


@dataclass(slots=True, eq=False)
class TableState:
    """Kept on the Table object; a clone made for a rollback or a backup shares it."""

    created_s: float
    table_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    # point-in-time recovery: the journal is kept while it is on
    recovery_since_s: float | None = None
    journal: Journal = field(default_factory=Journal)
    trim_due_s: float = 0.0
    # a table that is being restored or imported
    ready_s: float = 0.0
    restored: dict[str, Any] | None = None
    deleted: bool = False
    updating_until_s: float = 0.0
    index_ready_s: dict[str, float] = field(default_factory=dict)
    bulk_until_s: float = 0.0
    # settings that moto ignores
    table_class: str = "STANDARD"
    class_changed_s: float | None = None
    on_demand: dict[str, int] | None = None
    ttl_changed_s: float | None = None
    insights: dict[str | None, Insight] = field(default_factory=dict)
    kinesis: dict[str, KinesisDestination] = field(default_factory=dict)
    # when these were changed, for the limits on changing them; of decreases by index, None for the table
    class_changes: list[float] = field(default_factory=list)
    mode_changes: list[float] = field(default_factory=list)
    decreases: dict[str | None, list[float]] = field(default_factory=dict)
    # replicas: the regions of the group, this one included
    group: set[str] = field(default_factory=set)
    seeded_s: float | None = None
    disassociation_protected: bool = True
    # the last write of each key in the group, (when, where): the later one wins
    written: dict[Key, tuple[float, str]] = field(default_factory=dict)
    # caches of ordered views, valid for one version
    version: int = 0
    views: dict[str | None, tuple[int, Any]] = field(default_factory=dict)
    # the six-hourly statistics of DescribeTable
    counted_s: float = 0.0
    item_count: int = 0
    size_bytes: int = 0


def state_of(table: Table) -> TableState:
    """The sandbox's memory of this table."""
    state: TableState = table.__dict__["sandbox"]
    return state


def backend_of(region: str) -> DynamoDBBackend:
    """moto's DynamoDB of one region."""
    return dynamodb_backends[ACCOUNT][region]


def find_table(backend: DynamoDBBackend, name_or_arn: str) -> Table | None:
    """The table by name or ARN, whatever its status."""
    name = name_or_arn.rsplit("/", 1)[-1] if name_or_arn.startswith("arn:") else name_or_arn
    table = backend.tables.get(name)
    if table is None or (name_or_arn.startswith("arn:") and table.table_arn != name_or_arn):
        return None
    return table


def key_names(table: Table) -> list[str]:
    """Names of the table's key attributes, partition key first."""
    return table.table_key_attrs


def key_types(table: Table) -> dict[str, str]:
    """S, N or B of every attribute that is a key of the table or of an index."""
    return {one["AttributeName"]: one["AttributeType"] for one in table.attr}


def all_items(table: Table) -> list[StoredItem]:
    """Every item, in no particular order."""
    if table.has_range_key:
        return [item for group in table.items.values() for item in group.values()]
    return list(table.items.values())  # type: ignore[arg-type]


def stored(table: Table, key: dict[str, Any]) -> StoredItem | None:
    """The item under this wire key, which must already be checked and normalised."""
    return held(table, *key_values(key_names(table), key))


def held(table: Table, hash_key: KeyValue, range_key: KeyValue | None) -> StoredItem | None:
    """The item under this key; `range_key` is None where the table has none."""
    found: Any = table.items.get(hash_key)
    if found is not None and range_key is not None:
        found = found.get(range_key)
    return cast("StoredItem | None", found)


def place(table: Table, item: StoredItem) -> None:
    """Put the item into moto's layout, over any item of the same key."""
    if item.range_key is not None:
        table.items[item.hash_key][item.range_key] = item
    else:
        table.items[item.hash_key] = item  # type: ignore[assignment]


def remove(table: Table, item: StoredItem) -> None:
    """Take the item of this key out of moto's layout."""
    if item.range_key is None:
        table.items.pop(item.hash_key, None)
        return
    group = table.items.get(item.hash_key, {})
    group.pop(item.range_key, None)
    if not group:
        table.items.pop(item.hash_key, None)


_OWN_COPIES = (
    "ttl", "continuous_backups", "throughput", "warm_throughput", "stream_specification", "sse_specification",
    "tags", "attr", "schema", "indexes", "global_indexes",
)  # fmt: skip


def clone(table: Table) -> Table:
    """The table as it is now: own settings and own containers, items shared (they never change)."""
    twin = object.__new__(type(table))
    twin.__dict__.update(table.__dict__)
    for name in _OWN_COPIES:
        twin.__dict__[name] = copy.deepcopy(table.__dict__[name])
    twin.items = type(table.items)(dict)
    for hash_key, held in table.items.items():
        twin.items[hash_key] = dict(held) if table.has_range_key else held
    if table.stream_shard is not None:
        twin.stream_shard = copy.copy(table.stream_shard)
        twin.stream_shard.items = list(table.stream_shard.items)
        twin.stream_shard.table = twin
    return twin
