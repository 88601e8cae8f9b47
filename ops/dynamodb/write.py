"""Bulk writes: batches of 25, several on their way at once, every item accounted for.

`read = written + unchanged + duplicates + rejected`, asserted at the end of each run. A position is told only after
every batch up to it was acknowledged. Two requests on one key are never on their way together, so that of several
items with one key the last of the input is the one that stays.
docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from ops.dynamodb.accounting import Rejected, WriteCounts, WriteTarget, accounted
from ops.dynamodb.batches import BATCH_BYTES, BATCH_ITEMS, BatchRun, Make, Operation, Part, Repeats
from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.client import DataPlane
from ops.dynamodb.entries import Entries, key_of_texts
from ops.dynamodb.pipeline import MOST_AT_ONCE, Pipeline
from ops.model.items import Item, KeySchema

__all__ = [
    "BATCH_BYTES", "BATCH_ITEMS", "BulkWriter", "Rejected", "WriteCounts", "WriteTarget", "delete_item", "key_bytes",
    "put_item", "update_item",
]  # fmt: skip

#: How AWS refuses a batch whole for what one of its items holds.
REFUSED_WHOLE = frozenset({"ValidationException", "SerializationException"})


@dataclass(slots=True)
class BulkWriter:
    """Writes a stream of items to one table.

    `on_acknowledged` is told positions up to which all is settled; `settled` then holds the counts up to there.
    `unchanged` is asked with an item on the wire (`{"Item":{…}}`) whether the table already holds it; its answer must
    come from the table as it was before this writer began. With `repeats="reject"` a digest of each key is kept,
    about 100 bytes an item. To go on with an earlier run, give its `settled` counts as `resumed`.
    """

    plane: DataPlane
    target: WriteTarget
    on_rejected: Callable[[Rejected], None] | None = None
    on_acknowledged: Callable[[int], None] | None = None
    limit: CapacityLimit | None = None
    counts: WriteCounts = field(default_factory=WriteCounts)
    unchanged: Callable[[bytes], bool] | None = None
    repeats: Repeats = "last"
    most: int = MOST_AT_ONCE
    resumed: WriteCounts = field(default_factory=WriteCounts)
    settled: WriteCounts = field(default_factory=WriteCounts)

    def put(self, items: Iterable[Item]) -> WriteCounts:
        """Put every item; what AWS would refuse is rejected with its reason and its neighbours are still written."""
        entries = self._entries()
        return self._run(items, entries, entries.put, "PutRequest")

    def put_lines(self, lines: Iterable[bytes]) -> WriteCounts:
        """Put every export line (`{"Item":{…}}`); values are only looked at when AWS refuses a batch."""
        entries = self._entries()
        return self._run(lines, entries, entries.line, "PutRequest")

    def delete(self, keys: Iterable[Item]) -> WriteCounts:
        """Delete by key; a key that holds no item counts as written."""
        entries = self._entries()
        return self._run(keys, entries, entries.delete, "DeleteRequest")

    def _entries(self) -> Entries:
        return Entries(self.target.keys, self.target.indexes)

    def _run(self, given: Iterable[Any], entries: Entries, make: Make, operation: Operation) -> WriteCounts:
        table = self.target.table
        with Pipeline[Part](
            self.plane, "BatchWriteItem", table, limit=self.limit, most=self.most, told=REFUSED_WHOLE
        ) as pipe:
            run = BatchRun(self, pipe, entries, make, operation)
            with accounted(self.counts, table, run.give_up):
                run.all(given)
        return self.counts


def key_bytes(item: Item, keys: KeySchema) -> bytes:
    """Equal keys give equal bytes: `1` and `1.0`, or base64 with other unused bits, are one key to DynamoDB."""
    return orjson.dumps(key_of_texts(item, keys))


def put_item(plane: DataPlane, table: str, item: Item, *, absent: KeySchema | None = None) -> None:
    """Put one item; with `absent`, only if no item has that key (ConditionalCheckFailed is an AwsError)."""
    params: dict[str, Any] = {"TableName": table, "Item": item, "ReturnConsumedCapacity": "TOTAL"}
    if absent is not None:
        params["ConditionExpression"] = "attribute_not_exists(#k)"
        params["ExpressionAttributeNames"] = {"#k": absent.partition}
    plane.call("PutItem", params)


def delete_item(plane: DataPlane, table: str, key: Item) -> None:
    """Delete one item by key; no failure when there is none."""
    plane.call("DeleteItem", {"TableName": table, "Key": key, "ReturnConsumedCapacity": "TOTAL"})


def update_item(
    plane: DataPlane, table: str, key: Item, update: str, names: dict[str, str], values: dict[str, Any]
) -> None:
    """One UpdateItem with an update expression."""
    params: dict[str, Any] = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": update,
        "ReturnConsumedCapacity": "TOTAL",
    }
    params["ExpressionAttributeNames"] = names
    if values:
        params["ExpressionAttributeValues"] = values
    plane.call("UpdateItem", params)
