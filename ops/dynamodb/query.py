"""Query and GetItem: all pages of a partition, or one item."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ops.dynamodb.client import DataPlane
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
    while keys:
        asked = {"Keys": keys, "ConsistentRead": consistent}
        params: dict[str, Any] = {"RequestItems": {table: asked}, "ReturnConsumedCapacity": "TOTAL"}
        document = plane.call("BatchGetItem", params)
        found = [item for items in document["Responses"].values() for item in items]
        left = [key for entry in document["UnprocessedKeys"].values() for key in entry["Keys"]]
        if len(found) + len(left) > len(keys):
            raise BadResponse(f"BatchGetItem on {table} answered more than was asked for")
        yield from found
        tries = tries + 1 if len(left) == len(keys) else 0
        keys = left
        if tries >= policy.attempts:
            raise Throttled(f"BatchGetItem on {table}: all keys came back unprocessed {tries} times")
        if keys:
            plane.retrier.clock.sleep(policy.wait_s(tries + 1, plane.retrier.random))
