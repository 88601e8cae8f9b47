"""A table that answers single, conditional writes as DynamoDB does, for the tests of a repair."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from ops.dynamodb.expressions import Expression
from ops.dynamodb.retry import Failure
from ops.dynamodb.write import key_bytes
from ops.model.items import Item
from ops.verify.matching import matcher
from tests.unit.dynamodb.kit import MemoryTable


@dataclass
class WritableTable(MemoryTable):
    """`meanwhile` runs before each request, as another writer would; `writes` are the requests that may change it."""

    meanwhile: Callable[[str, dict[str, Any]], None] = lambda operation, params: None
    writes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    reads: list[dict[str, Any]] = field(default_factory=list)

    def hold(self, *items: Item) -> None:
        self.items.update({key_bytes(item, self.keys): item for item in items})

    def send(self, operation: str, body: bytes) -> dict[str, Any]:
        params = orjson.loads(body)
        self.meanwhile(operation, params)
        if operation in ("Scan", "BatchGetItem", "BatchWriteItem"):
            if operation == "BatchGetItem":
                self.reads.append(params)
            return super().send(operation, body)
        assert params.pop("TableName") == "t"
        assert params.pop("ReturnConsumedCapacity") == "TOTAL"
        key = key_bytes(params.get("Key") or params["Item"], self.keys)
        held = self.items.get(key)
        answer: dict[str, Any] = {"ConsumedCapacity": {"CapacityUnits": 3.0}}
        if operation == "GetItem":
            self.reads.append(params)
            return answer if held is None else {**answer, "Item": held}
        self.writes.append((operation, params))
        names, values = params.get("ExpressionAttributeNames", {}), params.get("ExpressionAttributeValues", {})
        expression = Expression(params["ConditionExpression"], names, values)
        if not matcher(expression).matches(held or {}):
            raise Failure("ConditionalCheckFailedException", "The conditional request failed", 400)
        if operation == "PutItem":
            self.items[key] = params["Item"]
        elif operation == "DeleteItem":
            self.items.pop(key, None)
            answer |= {"Attributes": held} if params["ReturnValues"] == "ALL_OLD" and held else {}
        else:
            assert operation == "UpdateItem"
            self.items[key] = _updated({**params["Key"], **(held or {})}, params["UpdateExpression"], names, values)
            answer |= {"Attributes": self.items[key]} if params["ReturnValues"] == "ALL_NEW" else {}
        return answer


def _updated(item: Item, update: str, names: dict[str, str], values: dict[str, Any]) -> Item:
    new = dict(item)
    sets, _, removes = update.removeprefix("SET ").partition("REMOVE ") if "SET " in update else ("", "", update[7:])
    for name, value in re.findall(r"(#\w+) = (:\w+)", sets):
        new[names[name]] = values[value]
    for name in re.findall(r"#\w+", removes):
        del new[names[name]]
    return new
