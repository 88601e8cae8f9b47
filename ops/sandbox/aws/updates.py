"""Capacity of the writes that moto still answers: UpdateItem, and puts and deletes with parameters of the old API."""

from __future__ import annotations

from typing import Any

import moto.dynamodb.responses
from moto.core.responses import ActionResult
from moto.dynamodb.comparisons import get_expected
from moto.dynamodb.exceptions import ConditionalCheckFailed
from moto.dynamodb.responses import DynamoHandler

from ops.sandbox.aws.capacity import level_of, write_of
from ops.sandbox.aws.items import StoredItem, with_bytes
from ops.sandbox.aws.lifecycle import answering_table
from ops.sandbox.aws.tables import stored
from ops.sandbox.aws.throughput import Meter, throttled
from ops.sandbox.aws.update_answers import check_targets, collection_metrics, returned, without_groups
from ops.sandbox.aws.world import World

MAX_TRANSACTION_ITEMS = 100


def install(world: World, meter: Meter) -> None:
    """Replace moto's constants by size arithmetic, and its transaction limit of 25."""
    moto.dynamodb.responses.TRANSACTION_MAX_ITEMS = MAX_TRANSACTION_ITEMS
    for name in ("update_item", "put_item", "delete_item"):
        _measure(world, meter, name)


def _measure(world: World, meter: Meter, name: str) -> None:
    original = getattr(DynamoHandler, name)

    def measured(self: DynamoHandler) -> ActionResult:
        level, body = level_of(self.body), self.body
        table = answering_table(world, self.dynamodb_backend, body["TableName"])
        key = {one: (body.get("Key") or body.get("Item") or {}).get(one) for one in table.table_key_attrs}

        def now() -> StoredItem | None:
            return stored(table, key) if all(key.values()) else None

        before = now()
        if refused := meter.refuse(table, "Write"):
            raise throttled(refused)
        if name == "delete_item":  # which moto forgets
            _check_expected(body, before)
        if name == "update_item":
            check_targets(table, body)
        if body.get("UpdateExpression"):
            body["UpdateExpression"] = without_groups(body["UpdateExpression"])
        result: ActionResult = original(self)
        answer: Any = result.result
        if name == "update_item":
            attributes = returned(body, before, now(), answer.pop("Attributes", None))
            answer |= {} if attributes is None else {"Attributes": with_bytes(attributes)}
        if metrics := collection_metrics(table, body, key):
            answer["ItemCollectionMetrics"] = with_bytes(metrics)
        answer.pop("ConsumedCapacity", None)
        answer.pop("ConsumedCapacityUnits", None)
        if level != "NONE" or meter.on:
            consumed = write_of(table, before, now())
            meter.spend(table, "Write", consumed)
        if level != "NONE":
            answer["ConsumedCapacity"] = consumed.described(table, level)
        return result

    setattr(DynamoHandler, name, measured)


def _check_expected(body: dict[str, Any], before: StoredItem | None) -> None:
    if body.get("Expected") and not get_expected(body["Expected"]).expr(before):
        raise ConditionalCheckFailed()
