"""Bulk writes: batches of 25, unprocessed items sent again, every item accounted for.

`read = written + unchanged + duplicates + rejected`, asserted at the end of each run. A checkpoint is told only after
the batch that it covers was acknowledged.
docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from ops.aws import AwsError
from ops.dynamodb.attributes import Unacceptable, canonical_number, decode_binary, validate_item, validate_key
from ops.dynamodb.capacity import CapacityLimit, consumed
from ops.dynamodb.client import DataPlane
from ops.dynamodb.retry import Failure
from ops.errors import AccountingMismatch, BadResponse, OpsError
from ops.model.items import Item, KeySchema, key_of

BATCH_ITEMS = 25
#: 16 MB on the wire, less what the frame around the items takes.
BATCH_BYTES = 16 * 1024 * 1024 - 64 * 1024

Operation = Literal["PutRequest", "DeleteRequest"]


@dataclass(slots=True)
class WriteCounts:
    """Items by what became of them."""

    read: int = 0
    written: int = 0
    unchanged: int = 0
    duplicates: int = 0
    rejected: int = 0

    def check(self) -> None:
        """Raise unless every item read is accounted for."""
        known = self.written + self.unchanged + self.duplicates + self.rejected
        if self.read != known:
            raise AccountingMismatch(
                f"{self.read} items were read, but {known} are accounted for",
                why=f"written {self.written}, unchanged {self.unchanged}, "
                f"duplicates {self.duplicates}, rejected {self.rejected}",
                changed=f"{self.written} items were written",
            )


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that was not written, where it stood in the input (from 1), and why. Holds the item: never log it."""

    position: int
    item: Item
    reason: str


@dataclass(frozen=True, slots=True)
class WriteTarget:
    """The table written to, its keys and those of its indexes: what an item must satisfy."""

    table: str
    keys: KeySchema
    indexes: Mapping[str, KeySchema] = field(default_factory=dict)


@dataclass(slots=True)
class _Entry:
    position: int
    item: Item
    key: bytes
    wire: bytes


@dataclass(slots=True)
class BulkWriter:
    """Writes a stream of items to one table; the last of several items with one key in a batch wins."""

    plane: DataPlane
    target: WriteTarget
    on_rejected: Callable[[Rejected], None] | None = None
    on_acknowledged: Callable[[int], None] | None = None
    limit: CapacityLimit | None = None
    counts: WriteCounts = field(default_factory=WriteCounts)

    def put(self, items: Iterable[Item]) -> WriteCounts:
        """Put every item; what AWS would refuse is rejected with its reason and its neighbours are still written."""
        return self._run(items, "PutRequest")

    def delete(self, keys: Iterable[Item]) -> WriteCounts:
        """Delete by key; a key that holds no item counts as written."""
        return self._run(keys, "DeleteRequest")

    def _run(self, items: Iterable[Item], operation: Operation) -> WriteCounts:
        for batch, covered in self._batches(items, operation):
            try:
                self._send(batch, operation)
            except OpsError as error:
                # Without this a throttled load would claim that nothing was changed.
                error.changed = f"{self.counts.written} items were written to {self.target.table} before"
                raise
            if self.on_acknowledged is not None:
                self.on_acknowledged(covered)
        self.counts.check()
        return self.counts

    def _batches(self, items: Iterable[Item], operation: Operation) -> Iterator[tuple[list[_Entry], int]]:
        """Batches, each with the position up to which the input is settled once that batch is acknowledged."""
        batch: dict[bytes, _Entry] = {}
        size = 0
        for item in items:
            self.counts.read += 1
            entry = self._entry(item, operation)
            if entry is None:
                continue
            if entry.key in batch:
                # Two requests on one key make AWS refuse the whole batch; the later one is what would remain.
                size -= len(batch.pop(entry.key).wire)
                self.counts.duplicates += 1
            if len(batch) == BATCH_ITEMS or size + len(entry.wire) > BATCH_BYTES:
                yield list(batch.values()), entry.position - 1
                batch, size = {}, 0
            batch[entry.key] = entry
            size += len(entry.wire)
        # Also without a batch: lines at the end that were rejected are settled too.
        yield list(batch.values()), self.counts.read

    def _entry(self, item: Item, operation: Operation) -> _Entry | None:
        try:
            if operation == "PutRequest":
                validate_item(item, self.target.keys, self.target.indexes)
                wire = b'{"PutRequest":{"Item":' + orjson.dumps(item) + b"}}"
            else:
                validate_key(item, self.target.keys)
                wire = b'{"DeleteRequest":{"Key":' + orjson.dumps(item) + b"}}"
        except (Unacceptable, TypeError, orjson.JSONEncodeError) as error:
            self._reject(item, str(error), self.counts.read)
            return None
        return _Entry(self.counts.read, item, key_bytes(item, self.target.keys), wire)

    def _send(self, batch: list[_Entry], operation: Operation) -> None:
        todo = {entry.key: entry for entry in batch}
        tries = 0
        while todo:
            try:
                left = self._once(list(todo.values()), operation)
            except AwsError as error:
                if error.aws_code != "ValidationException":
                    raise
                self._apart(list(todo.values()), operation, error)
                return
            tries = tries + 1 if len(left) == len(todo) else 0
            self.counts.written += len(todo) - len(left)
            todo = {key: todo[key] for key in left}
            if not todo:
                return
            retrier = self.plane.retrier
            if tries >= retrier.policy.attempts:
                failure = Failure("ThrottlingException", "every item of the batch came back unprocessed", 200)
                retrier.give_up(failure, tries, "BatchWriteItem", {"TableName": self.target.table})
            retrier.clock.sleep(retrier.policy.wait_s(tries + 1, retrier.random))

    def _apart(self, entries: list[_Entry], operation: Operation, error: AwsError) -> None:
        """AWS refuses a batch whole for one item: send its halves, until the item that is refused stands alone."""
        if len(entries) == 1:
            self._reject(entries[0].item, error.message, entries[0].position)
            return
        middle = len(entries) // 2
        self._send(entries[:middle], operation)
        self._send(entries[middle:], operation)

    def _once(self, entries: list[_Entry], operation: Operation) -> list[bytes]:
        if self.limit is not None:
            self.limit.before()
        body = b'{"RequestItems":{%s:[%s]},"ReturnConsumedCapacity":"TOTAL"}' % (
            orjson.dumps(self.target.table),
            b",".join(entry.wire for entry in entries),
        )
        params = {"TableName": self.target.table}
        transport = self.plane.transport
        document = self.plane.retrier.run(lambda: transport.send("BatchWriteItem", body), "BatchWriteItem", params)
        if self.limit is not None:
            self.limit.spent(consumed(document))
        return self._left(document, {entry.key for entry in entries}, operation)

    def _left(self, document: dict[str, Any], sent: set[bytes], operation: Operation) -> list[bytes]:
        """Keys of the unprocessed requests, under whatever name of the table (a request is about one table only)."""
        part = "Item" if operation == "PutRequest" else "Key"
        try:
            requests = [request for entry in document["UnprocessedItems"].values() for request in entry]
            left = {key_bytes(request[operation][part], self.target.keys) for request in requests}
        except (AttributeError, KeyError, TypeError, Unacceptable) as error:
            raise BadResponse("BatchWriteItem: UnprocessedItems cannot be read", why=repr(error)) from error
        if not left <= sent:
            raise BadResponse("BatchWriteItem: UnprocessedItems holds what was not sent")
        return sorted(left)

    def _reject(self, item: Item, reason: str, position: int) -> None:
        self.counts.rejected += 1
        if self.on_rejected is not None:
            self.on_rejected(Rejected(position, item, reason))


def key_bytes(item: Item, keys: KeySchema) -> bytes:
    """Equal keys give equal bytes: `1` and `1.0`, or base64 with other unused bits, are one key to DynamoDB."""
    key = key_of(item, keys)
    return orjson.dumps([_key_text(kind, key[name][kind]) for name, kind in keys.types.items()])


def _key_text(kind: str, content: str) -> str:
    if kind == "N":
        return canonical_number(content)
    return decode_binary(content).hex() if kind == "B" else content


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
