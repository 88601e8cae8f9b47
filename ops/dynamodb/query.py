"""Query and GetItem: all pages of a partition, or one item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ops.dynamodb.client import DataPlane
from ops.dynamodb.expressions import Expression
from ops.dynamodb.scan import add_expressions
from ops.errors import BadResponse
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
    while True:
        document = plane.call("Query", query_params(request, start))
        yield from document["Items"]
        following: Item | None = document.get("LastEvaluatedKey") or None
        if following is None:
            return
        if following == start:
            raise BadResponse(f"query of {request.table} was answered its own start key again")
        start = following


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
