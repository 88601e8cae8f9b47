"""Consumed capacity by size arithmetic.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html: a write unit is 1 KB, a read unit
4 KB strongly consistent or 8 KB eventually; Query and Scan round the sum of a page up, GetItem and BatchGetItem each
item. An index is charged apart; a change of an index key is a delete and a put.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from moto.dynamodb.models.table import GlobalSecondaryIndex, Table

from ops.sandbox.aws.errors import validation
from ops.sandbox.aws.items import StoredItem
from ops.sandbox.aws.values import checked_value

WRITE_UNIT_BYTES = 1_024
READ_UNIT_BYTES = 4_096
LEVELS = ("NONE", "TOTAL", "INDEXES")


@dataclass(slots=True)
class Consumed:
    """Units of one call on one table."""

    table: float = 0.0
    indexes: dict[str, float] = field(default_factory=dict)

    def add(self, other: Consumed) -> None:
        """Sum up."""
        self.table += other.table
        for name, units in other.indexes.items():
            self.indexes[name] = self.indexes.get(name, 0.0) + units

    def write(self, table: Table, before: StoredItem | None, after: StoredItem | None) -> None:
        """A put, update or delete: the larger of both images, and every index that notices."""
        size = 0 if after is None else after.size_bytes
        if before is not None and before.size_bytes > size:
            size = before.size_bytes
        self.table += _write_units(size)
        for index in table.all_indexes():
            if units := _index_units(index, before, after):
                self.indexes[index.name] = self.indexes.get(index.name, 0.0) + units

    def described(self, table: Table, level: str) -> dict[str, Any]:
        """ConsumedCapacity at TOTAL or INDEXES."""
        answer: dict[str, Any] = {
            "TableName": table.name,
            "CapacityUnits": self.table + sum(self.indexes.values()),
        }
        if level != "INDEXES":
            return answer
        answer["Table"] = {"CapacityUnits": self.table}
        global_names = {index.name for index in table.global_indexes}
        for name, units in self.indexes.items():
            member = "GlobalSecondaryIndexes" if name in global_names else "LocalSecondaryIndexes"
            answer.setdefault(member, {})[name] = {"CapacityUnits": units}
        return answer


def level_of(body: dict[str, Any]) -> str:
    """ReturnConsumedCapacity, checked."""
    level: str = body.get("ReturnConsumedCapacity", "NONE")
    if level not in LEVELS:
        raise validation(
            f"1 validation error detected: Value '{level}' at 'returnConsumedCapacity' failed to satisfy "
            "constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"
        )
    return level


def read_units(size_bytes: int, *, consistent: bool) -> float:
    """One read; reading nothing costs the minimum."""
    return max(1, math.ceil(size_bytes / READ_UNIT_BYTES)) * (1.0 if consistent else 0.5)


def read_of(size_bytes: int, *, consistent: bool, index: str | None = None) -> Consumed:
    """A page of the table or of an index."""
    units = read_units(size_bytes, consistent=consistent)
    return Consumed(0.0, {index: units}) if index else Consumed(units)


def write_of(table: Table, before: StoredItem | None, after: StoredItem | None) -> Consumed:
    """What one write consumes."""
    consumed = Consumed()
    consumed.write(table, before, after)
    return consumed


def _write_units(size_bytes: int) -> float:
    return float(-(-size_bytes // WRITE_UNIT_BYTES) or 1)


def _index_units(index: Any, before: StoredItem | None, after: StoredItem | None) -> float:
    old, new = projected(index, before), projected(index, after)
    if old == new:
        return 0.0
    keys = index.schema_key_attrs
    if old is None or new is None:
        return _write_units(wire_size(old or new or {}))
    if any(old[name] != new[name] for name in keys):
        return _write_units(wire_size(old)) + _write_units(wire_size(new))
    return _write_units(max(wire_size(old), wire_size(new)))


def projected(index: Any, item: StoredItem | None) -> dict[str, Any] | None:
    """The item as the index holds it; None when a key attribute of the index is missing."""
    if item is None or any(name not in item.wire for name in index.schema_key_attrs):
        return None
    wanted = projected_names(index)
    return item.wire if wanted is None else {name: v for name, v in item.wire.items() if name in wanted}


def projected_names(index: Any) -> set[str] | None:
    """Attributes an index carries; None for all."""
    kind = index.projection.get("ProjectionType", "ALL")
    if kind == "ALL":
        return None
    names = {*index.table_key_attrs, *index.schema_key_attrs}
    return names | set(index.projection.get("NonKeyAttributes") or ()) if kind == "INCLUDE" else names


def wire_size(wire: dict[str, Any]) -> int:
    """Bytes of a (partial) item."""
    return sum(len(name.encode()) + checked_value(value)[1] for name, value in wire.items())


def total(parts: Iterable[Consumed]) -> Consumed:
    """Sum of several calls."""
    consumed = Consumed()
    for part in parts:
        consumed.add(part)
    return consumed


def is_global(table: Table, index: Any) -> bool:
    """Global, hence never strongly consistent."""
    return isinstance(index, GlobalSecondaryIndex) and index in table.global_indexes
