"""PutItem, DeleteItem and BatchWriteItem over wire items.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html: the whole batch is refused for an empty
or too long list, more than 16 MB, a bad item or key, and two requests on one key.
"""

from __future__ import annotations

from typing import Any

import orjson
from moto.dynamodb.exceptions import ConditionalCheckFailed
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.capacity import Consumed, level_of, write_of
from ops.sandbox.aws.errors import service_error, validation
from ops.sandbox.aws.expressions import condition_of
from ops.sandbox.aws.history import History
from ops.sandbox.aws.items import Key, KeyValue, StoredItem, key_of, key_values
from ops.sandbox.aws.limits import checked_item, checked_key, key_plan
from ops.sandbox.aws.reads import EMPTY_BATCH
from ops.sandbox.aws.tables import held, stored
from ops.sandbox.aws.throughput import Meter, Refusal, throttled
from ops.sandbox.aws.update_answers import collection_metrics

MAX_BATCH_REQUESTS = 25
MAX_BATCH_BYTES = 16 * 1024 * 1024

Document = dict[str, Any]
# name in the request, table, key, partition and sort key, item to put (None: delete), the request as it came
Step = tuple[str, Table, Key, KeyValue, KeyValue | None, StoredItem | None, Document]


def put_item(history: History, meter: Meter, table: Table, body: Document) -> bytes:
    """PutItem."""
    level = level_of(body)
    item = checked_item(key_plan(table), body["Item"])
    before = held(table, item.hash_key, item.range_key)
    _check_throughput(meter, table, before, item)
    _check_condition(body, before)
    history.put(table, item, before)
    return _write_answer(table, body, level, before, item)


def delete_item(history: History, meter: Meter, table: Table, body: Document) -> bytes:
    """DeleteItem; deleting what is not there succeeds and costs one unit."""
    level = level_of(body)
    before = stored(table, checked_key(key_plan(table), body["Key"]))
    _check_throughput(meter, table, before, None)
    _check_condition(body, before)
    if before is not None:
        history.delete(table, before)
    return _write_answer(table, body, level, before, None)


def _check_throughput(meter: Meter, table: Table, before: StoredItem | None, after: StoredItem | None) -> None:
    if meter.on and (refused := meter.admit(table, "Write", write_of(table, before, after))):
        raise throttled(refused)


def _check_condition(body: Document, before: StoredItem | None) -> None:
    if body.get("ReturnValues", "NONE") not in ("NONE", "ALL_OLD"):
        raise validation("Return values set to invalid value")
    condition = condition_of(body, "ConditionExpression")
    if condition is not None and not condition.expr(before):
        wanted = body.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before is not None
        raise ConditionalCheckFailed(item=before.wire if wanted and before is not None else None)


def _write_answer(
    table: Table, body: Document, level: str, before: StoredItem | None, after: StoredItem | None
) -> bytes:
    answer: Document = {}
    if body.get("ReturnValues") == "ALL_OLD" and before is not None:
        answer["Attributes"] = before.wire
    if level != "NONE":
        answer["ConsumedCapacity"] = write_of(table, before, after).described(table, level)
    if metrics := collection_metrics(table, body, body.get("Item") or body["Key"]):
        answer["ItemCollectionMetrics"] = metrics
    return orjson.dumps(answer)


def batch_write_item(
    history: History, meter: Meter, tables: dict[str, Table], body: Document, size_bytes: int, left_out: frozenset[int]
) -> bytes:
    """Checks first, all of them; then each request by itself. `left_out` come back unprocessed."""
    level, requests = level_of(body), body["RequestItems"]
    _check_batch_size(requests, size_bytes)
    steps = [step for name, listed in requests.items() for step in _steps(name, tables[name], listed)]
    if meter.on:
        left_out = _without_tokens(meter, steps, left_out)
    if left_out and len(left_out) == len(steps):
        raise service_error(
            "ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for one or more tables was exceeded",
        )
    unprocessed: dict[str, list[Document]] = {}
    consumed: dict[str, Consumed] = {name: Consumed() for name in requests}
    for place, (name, table, _, hash_key, range_key, item, request) in enumerate(steps):
        if place in left_out:
            unprocessed.setdefault(name, []).append(request)
            continue
        before = held(table, hash_key, range_key)
        if item is not None:
            history.put(table, item, before)
        elif before is not None:
            history.delete(table, before)
        if level != "NONE":
            consumed[name].write(table, before, item)
    answer: Document = {"UnprocessedItems": unprocessed}
    if level != "NONE":
        answer["ConsumedCapacity"] = [one.described(tables[name], level) for name, one in consumed.items()]
    return orjson.dumps(answer)


def _without_tokens(meter: Meter, steps: list[Step], left_out: frozenset[int]) -> frozenset[int]:
    """Requests that the capacity does not admit come back; if that is all of them, the batch is refused."""
    refusals: dict[int, Refusal] = {}
    for place, (_, table, _, hash_key, range_key, item, _) in enumerate(steps):
        if place not in left_out:
            refused = meter.admit(table, "Write", write_of(table, held(table, hash_key, range_key), item))
            if refused is not None:
                refusals[place] = refused
    if len(refusals) == len(steps):
        raise throttled(refusals[0])
    return left_out | refusals.keys()


def _check_batch_size(requests: Document, size_bytes: int) -> None:
    count = sum(len(listed) for listed in requests.values())
    if not requests or not all(requests.values()):
        raise validation(EMPTY_BATCH)
    for name, listed in requests.items():
        if len(listed) > MAX_BATCH_REQUESTS:
            raise validation(
                f"1 validation error detected: Value at 'requestItems.{name}.member' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_BATCH_REQUESTS}"
            )
    if count > MAX_BATCH_REQUESTS:
        raise validation("Too many items requested for the BatchWriteItem call")
    if size_bytes > MAX_BATCH_BYTES:
        raise validation(
            "1 validation error detected: the request is larger than 16777216 bytes, the limit of BatchWriteItem"
        )


def _steps(name: str, table: Table, requests: list[Document]) -> list[Step]:
    """The requests of one table, checked; two on one key are refused, put and delete alike."""
    plan = key_plan(table)
    steps: list[Step] = []
    for request in requests:
        if len(request) != 1:
            raise validation(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
                "supported datatypes"
            )
        ((kind, content),) = request.items()
        if kind == "PutRequest":
            item = checked_item(plan, content["Item"])
            steps.append((name, table, item.key, item.hash_key, item.range_key, item, request))
        elif kind == "DeleteRequest":
            wire = checked_key(plan, content["Key"])
            steps.append((name, table, key_of(plan.names, wire), *key_values(plan.names, wire), None, request))
        else:
            raise validation(f"Unknown write request '{kind}'")
    if len({step[2] for step in steps}) != len(steps):
        raise validation("Provided list of item keys contains duplicates")
    return steps
