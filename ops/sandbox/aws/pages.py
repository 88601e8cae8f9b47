"""Order and pages of Query and Scan.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html: a page ends at 1 MB or at Limit, both
counted before filtering, and may be empty and still carry LastEvaluatedKey. .../Scan.html#Scan.ParallelScan: segments
are disjoint and complete.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.models.table import Table

from ops.sandbox.aws.capacity import projected, wire_size
from ops.sandbox.aws.errors import validation
from ops.sandbox.aws.items import StoredItem, Wire, sort_value
from ops.sandbox.aws.tables import all_items, state_of

PAGE_BYTES = 1_048_576
HASH_SPACE = 1 << 32

Position = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Ordered:
    """Items in scan order with the position of each, for binary search."""

    positions: list[Position]
    items: list[StoredItem]


@dataclass(frozen=True, slots=True)
class Page:
    """One page before filtering."""

    items: Sequence[StoredItem]
    size_bytes: int
    last: StoredItem | None


def spread(value: dict[str, Any]) -> int:
    """Place of a partition key in the hash space; the same in every process."""
    kind, text = next(iter(value.items()))
    return int.from_bytes(hashlib.md5(f"{kind}:{text}".encode(), usedforsecurity=False).digest()[:4], "big")


def scan_order(table: Table, index: Any | None) -> Ordered:
    """All items of the table or index, by hash of the partition key, then by key; kept until the next change."""
    state = state_of(table)
    name = None if index is None else index.name
    cached = state.views.get(name)
    if cached is not None and cached[0] == state.version:
        view: Ordered = cached[1]
        return view
    position = position_of(table, index)
    held = [item for item in all_items(table) if index is None or projected(index, item) is not None]
    pairs = sorted(((position(item.wire), item) for item in held), key=lambda pair: pair[0])
    view = Ordered([where for where, _ in pairs], [item for _, item in pairs])
    state.views[name] = (state.version, view)
    return view


def position_of(table: Table, index: Any | None) -> Callable[[Wire], Position]:
    """Function from an item or a start key to its place in scan order."""
    names = table.table_key_attrs
    if index is None:
        partition, rest = names[0], names[1:]
    else:
        partition, rest = index.schema_key_attrs[0], [*index.schema_key_attrs[1:], *names]
    return lambda wire: (spread(wire[partition]), *(sort_value(wire[name]) for name in (partition, *rest)))


def segment_bounds(view: Ordered, segment: int | None, total: int | None) -> tuple[int, int]:
    """First and past-the-end place of a segment: a contiguous part of the hash space."""
    if segment is None or total is None:
        return 0, len(view.items)
    lower, upper = -(-segment * HASH_SPACE // total), -(-(segment + 1) * HASH_SPACE // total)
    return bisect_left(view.positions, (lower,)), bisect_left(view.positions, (upper,))


def after(positions: Sequence[Position], start: Position) -> int:
    """Place of the first item past a start key, whether or not that key still exists."""
    return bisect_right(positions, start)


def cut(items: Sequence[StoredItem], limit: int | None, size: Callable[[StoredItem], int]) -> Page:
    """The first page of these items."""
    total_bytes = 0
    for count, item in enumerate(items):
        item_bytes = size(item)
        if count and total_bytes + item_bytes > PAGE_BYTES:
            return Page(items[:count], total_bytes, items[count - 1])
        total_bytes += item_bytes
        if limit is not None and count + 1 == limit:
            return Page(items[: count + 1], total_bytes, item)
    return Page(items, total_bytes, None)


def size_in(index: Any | None) -> Callable[[StoredItem], int]:
    """Bytes of an item as this index holds it."""
    if index is None or index.projection.get("ProjectionType", "ALL") == "ALL":
        return lambda item: item.size_bytes
    return lambda item: wire_size(projected(index, item) or {})


def start_key(table: Table, index: Any | None, given: dict[str, Any]) -> None:
    """An ExclusiveStartKey names exactly the key attributes of what is read."""
    names = {*table.table_key_attrs, *(index.schema_key_attrs if index is not None else ())}
    if set(given) != names:
        raise validation("The provided starting key is invalid")


def last_key(table: Table, index: Any | None, item: StoredItem) -> dict[str, Any]:
    """LastEvaluatedKey."""
    names = [*table.table_key_attrs, *(index.schema_key_attrs if index is not None else ())]
    return {name: item.wire[name] for name in names}
