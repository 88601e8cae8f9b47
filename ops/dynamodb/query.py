"""Query and GetItem: all pages of a partition, or one item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.dynamodb.attributes import Unacceptable
from ops.dynamodb.client import DataPlane
from ops.dynamodb.entries import Key, key_of_texts
from ops.dynamodb.expressions import Expression
from ops.dynamodb.scan import LoopGuard, add_expressions
from ops.errors import BadResponse, Throttled
from ops.model.items import AttributeValue, Item, KeySchema


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """One partition of a table or an index. `sort` is a condition on the sort key."""

    table: str
    keys: KeySchema
    partition: AttributeValue
    index: str | None = None
    sort: Expression | None = None
    where: Expression | None = None
    fields: tuple[str, ...] = ()
    descending: bool = False
    consistent: bool = False


def query(plane: DataPlane, request: QueryRequest) -> Iterator[Item]:
    """Items in the order of the sort key, over all pages; a page may be empty and still not be the last."""
    start: Item | None = None
    keys = LoopGuard(f"query of {request.table}")
    while True:
        document = plane.call("Query", query_params(request, start))
        start = document.get("LastEvaluatedKey")
        keys.check(start)
        yield from document["Items"]
        if start is None:
            return


def query_params(request: QueryRequest, start: Item | None) -> dict[str, Any]:
    """Parameters of one Query call."""
    condition = "#pk = :pk"
    names, values = {"#pk": request.keys.partition}, {":pk": request.partition}
    if request.sort is not None:
        condition = f"{condition} AND {request.sort.text}"
        names.update(request.sort.names)
        values.update(request.sort.values)
    params: dict[str, Any] = {
        "TableName": request.table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "ReturnConsumedCapacity": "TOTAL",
        "ScanIndexForward": not request.descending,
    }
    if request.index:
        params["IndexName"] = request.index
    if request.consistent:
        params["ConsistentRead"] = True
    if start is not None:
        params["ExclusiveStartKey"] = start
    add_expressions(params, request.where, request.fields)
    return params


def get_item(plane: DataPlane, table: str, key: Item, *, consistent: bool = False) -> Item | None:
    """The item of that key; None when there is none."""
    params = {"TableName": table, "Key": key, "ConsistentRead": consistent, "ReturnConsumedCapacity": "TOTAL"}
    found: Item | None = plane.call("GetItem", params).get("Item")
    return found


#: docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html: 100 keys, 16 MB a request.
BATCH_KEYS = 100


def get_items(plane: DataPlane, table: str, keys: Sequence[Item], *, consistent: bool = True) -> Iterator[Item]:
    """The items of these distinct keys, in no particular order; a key without an item yields nothing."""
    for at in range(0, len(keys), BATCH_KEYS):
        yield from _batch(plane, table, list(keys[at : at + BATCH_KEYS]), consistent)


def _batch(plane: DataPlane, table: str, keys: list[Item], consistent: bool) -> Iterator[Item]:
    policy, tries = plane.retrier.policy, 0
    schema = _schema_of(keys[0])
    still = {key_of_texts(key, schema): key for key in keys}
    while still:
        asked = {"Keys": list(still.values()), "ConsistentRead": consistent}
        params: dict[str, Any] = {"RequestItems": {table: asked}, "ReturnConsumedCapacity": "TOTAL"}
        found, left = _told(plane.call("BatchGetItem", params), table, still, schema)
        yield from found
        tries = tries + 1 if len(left) == len(still) else 0
        still = left
        if tries >= policy.attempts:
            raise Throttled(f"BatchGetItem on {table}: all keys came back unprocessed {tries} times")
        if still:
            plane.retrier.clock.sleep(policy.wait_s(tries + 1, plane.retrier.random))


def _told(
    document: dict[str, Any], table: str, asked: Mapping[Key, Item], schema: KeySchema
) -> tuple[list[Item], dict[Key, Item]]:
    """The items of an answer, and the keys it left open; BadResponse when it does not speak of what was asked.

    A key that is in neither has no item, so nothing else may be taken for that: AWS names the table even when it holds
    none of the keys, and answers each key once.
    """
    responses, unprocessed = document["Responses"], document["UnprocessedKeys"]
    try:
        items = [item for some in responses.values() for item in some]
        keys = [key for entry in unprocessed.values() for key in entry["Keys"]]
        found, left = ([key_of_texts(one, schema) for one in some] for some in (items, keys))
    except (KeyError, TypeError, AttributeError, Unacceptable) as error:
        raise BadResponse(f"BatchGetItem on {table} answered what is no item, or no key") from error
    once = {*found, *left}
    if len(once) != len(found) + len(left) or not once <= asked.keys() or {*responses, *unprocessed} - {table}:
        raise BadResponse(f"BatchGetItem on {table} answered other keys than it was asked for, or one twice")
    if table not in responses and len(left) != len(asked):
        raise BadResponse(f"BatchGetItem on {table} was answered without a word on the table")
    return items, dict(zip(left, keys, strict=True))


def _schema_of(key: Item) -> KeySchema:
    pairs = [(name, next(iter(value))) for name, value in key.items()]
    return KeySchema(*pairs[0], *(pairs[1] if len(pairs) > 1 else (None, None)))
