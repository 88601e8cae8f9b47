"""GetItem, BatchGetItem, Query and Scan over wire items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import validate_select

from ops.sandbox.aws import pages
from ops.sandbox.aws.capacity import Consumed, is_global, level_of, projected, read_of, total
from ops.sandbox.aws.errors import service_error, validation
from ops.sandbox.aws.expressions import (
    Path,
    condition_of,
    key_test,
    names_of,
    paths_of,
    project,
    values_of,
)
from ops.sandbox.aws.items import StoredItem, Wire, sort_value
from ops.sandbox.aws.key_conditions import KeyConditions, key_conditions
from ops.sandbox.aws.limits import checked_key, key_plan
from ops.sandbox.aws.tables import all_items, key_types, stored
from ops.sandbox.aws.throughput import Meter, Refusal, throttled

MAX_SEGMENTS = 1_000_000
MAX_BATCH_KEYS = 100
MAX_BATCH_BYTES = 16 * 1024 * 1024

Document = dict[str, Any]


def get_item(meter: Meter, table: Table, body: Document) -> bytes:
    """GetItem."""
    level, paths = level_of(body), paths_of(body)
    item = stored(table, checked_key(key_plan(table), body["Key"]))
    members: list[bytes] = []
    if item is not None:
        members.append(b'"Item":' + _shown(item, paths))
    if level != "NONE" or meter.on:
        size = 0 if item is None else item.size_bytes
        consumed = read_of(size, consistent=bool(body.get("ConsistentRead")))
        if refused := meter.admit(table, "Read", consumed):
            raise throttled(refused)
    if level != "NONE":
        members.append(b'"ConsumedCapacity":' + orjson.dumps(consumed.described(table, level)))
    return b"{" + b",".join(members) + b"}"


def batch_get_item(meter: Meter, tables: dict[str, Table], body: Document, left_out: frozenset[int]) -> bytes:
    """BatchGetItem: at most 100 keys, 16 MB; what does not fit or is left out comes back unprocessed."""
    level, requests = level_of(body), body["RequestItems"]
    count = sum(len(one["Keys"]) for one in requests.values())
    if not 1 <= count <= MAX_BATCH_KEYS:
        raise validation("Too many items requested for the BatchGetItem call" if count else EMPTY_BATCH)
    answers: list[bytes] = []
    unprocessed: Document = {}
    capacity: list[Document] = []
    refusals: list[Refusal] = []
    place, size_bytes = 0, 0
    for name, request in requests.items():
        table, found = tables[name], list[bytes]()
        paths, consumed = paths_of(request), list[Consumed]()
        for key, item in _batch_keys(table, request["Keys"]):
            size = 0 if item is None else item.size_bytes
            cost = read_of(size, consistent=bool(request.get("ConsistentRead")))
            refused = None if place in left_out else meter.admit(table, "Read", cost)
            refusals += [] if refused is None else [refused]
            if place in left_out or refused or size_bytes + size > MAX_BATCH_BYTES:
                unprocessed.setdefault(name, {**request, "Keys": []})["Keys"].append(key)
            else:
                size_bytes += size
                consumed.append(cost)
                found += [] if item is None else [_shown(item, paths)]
            place += 1
        answers.append(orjson.dumps(name) + b":[" + b",".join(found) + b"]")
        capacity.append(total(consumed).described(table, level))
    if len(refusals) == count:
        raise throttled(refusals[0])
    rest: Document = {"UnprocessedKeys": unprocessed}
    if level != "NONE":
        rest["ConsumedCapacity"] = capacity
    return b'{"Responses":{' + b",".join(answers) + b"}," + orjson.dumps(rest)[1:]


EMPTY_BATCH = (
    "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must have "
    "length greater than or equal to 1"
)


def _batch_keys(table: Table, keys: list[Wire]) -> list[tuple[Wire, StoredItem | None]]:
    plan = key_plan(table)
    checked = [checked_key(plan, key) for key in keys]
    if len({orjson.dumps(key, option=orjson.OPT_SORT_KEYS) for key in checked}) != len(checked):
        raise validation("Provided list of item keys contains duplicates")
    return [(given, stored(table, key)) for given, key in zip(keys, checked, strict=True)]


def scan(meter: Meter, table: Table, body: Document) -> bytes:
    """Scan of the table, an index, or a segment of either."""
    index = _index(table, body)
    segment, segments = _segment(body)
    order = pages.scan_order(table, index)
    first, end = pages.segment_bounds(order, segment, segments)
    if start := body.get("ExclusiveStartKey"):
        pages.start_key(table, index, start)
        first = max(first, pages.after(order.positions, pages.position_of(table, index)(start)))
    return _answer(meter, table, index, body, order.items[first:end])


def query(meter: Meter, table: Table, body: Document) -> bytes:
    """Query of one partition of the table or an index."""
    index = _index(table, body)
    schema = table.schema if index is None else index.schema
    wanted = key_conditions(
        body["KeyConditionExpression"], names_of(body), values_of(body), schema, key_types(table)
    )  # fmt: skip
    items = _partition(table, index, wanted)
    tests = [(one.name, key_test(one.comparison, one.values)) for one in wanted.sort]
    for name, test in tests:
        items = [item for item in items if test(item.wire[name])]
    order = [*(one["AttributeName"] for one in schema if one["KeyType"] == "RANGE")]
    names = order if index is None else [*order, *table.table_key_attrs]
    forward = body.get("ScanIndexForward", True)

    def position(wire: Wire) -> tuple[Any, ...]:
        return tuple(sort_value(wire[name]) for name in names)

    items.sort(key=lambda item: position(item.wire), reverse=not forward)
    if start := body.get("ExclusiveStartKey"):
        pages.start_key(table, index, start)
        _check_start(start, wanted, tests)
        at = position(start)
        items = [item for item in items if (position(item.wire) > at if forward else position(item.wire) < at)]
    return _answer(meter, table, index, body, items)


def _check_start(start: Wire, wanted: KeyConditions, tests: list[tuple[str, Callable[[Document], bool]]]) -> None:
    """No page of this query can have ended there."""
    if any(start[one.name] != one.values[0] for one in wanted.partition):
        raise validation("The provided starting key is outside query boundaries based on provided conditions")
    if not all(test(start[name]) for name, test in tests):
        raise validation("The provided starting key does not match the range key predicate")


def _partition(table: Table, index: Any | None, wanted: KeyConditions) -> list[StoredItem]:
    if index is None:
        return _of_hash(table, wanted.partition[0].values[0])
    values = {one.name: one.values[0] for one in wanted.partition}
    return [
        item
        for item in all_items(table)
        if all(item.wire.get(name) == value for name, value in values.items())
        and all(name in item.wire for name in index.schema_key_attrs)
    ]


def _of_hash(table: Table, value: Document) -> list[StoredItem]:
    held: Any = table.items.get(DynamoType(value))
    if held is None:
        return []
    return list(held.values()) if table.has_range_key else [held]


def _answer(meter: Meter, table: Table, index: Any | None, body: Document, items: Any) -> bytes:
    """One page: cut first, filter then, project last."""
    name = None if index is None else index.name
    if refused := meter.refuse(table, "Read", () if name is None else (name,), own=name is None):
        raise throttled(refused)
    level = level_of(body)
    keep, paths = condition_of(body, "FilterExpression"), paths_of(body)
    _check_select(table, index, body)
    page = pages.cut(items, body.get("Limit"), pages.size_in(index))
    kept = page.items if keep is None else [item for item in page.items if keep.expr(item)]
    rest: Document = {"Count": len(kept), "ScannedCount": len(page.items)}
    if page.last is not None:
        rest["LastEvaluatedKey"] = pages.last_key(table, index, page.last)
    if level != "NONE" or meter.on:
        consumed = read_of(page.size_bytes, consistent=bool(body.get("ConsistentRead")), index=name)
        meter.spend(table, "Read", consumed)
    if level != "NONE":
        rest["ConsumedCapacity"] = consumed.described(table, level)
    if body.get("Select") == "COUNT":
        return orjson.dumps(rest)
    shown = b",".join([_shown(item, paths, index) for item in kept])
    return b'{"Items":[' + shown + b"]," + orjson.dumps(rest)[1:]


def _shown(item: StoredItem, paths: list[Path] | None, index: Any | None = None) -> bytes:
    if paths is None and (index is None or index.projection.get("ProjectionType", "ALL") == "ALL"):
        return item.raw
    wire = item.wire if index is None else projected(index, item) or {}
    return orjson.dumps(wire if paths is None else project(wire, paths))


def _check_select(table: Table, index: Any | None, body: Document) -> None:
    validate_select(
        operation="Query", select=body.get("Select"), projection_expression=body.get("ProjectionExpression"),
        attributes_to_get=body.get("AttributesToGet"), table=table, index_name=None if index is None else index.name,
    )  # fmt: skip


def _index(table: Table, body: Document) -> Any | None:
    name = body.get("IndexName")
    if name is None:
        return None
    index = next((one for one in table.all_indexes() if one.name == name), None)
    if index is None:
        raise validation(f"The table does not have the specified index: {name}")
    if body.get("ConsistentRead") and is_global(table, index):
        raise validation("Consistent reads are not supported on global secondary indexes")
    return index


def _segment(body: Document) -> tuple[int | None, int | None]:
    segment, segments = body.get("Segment"), body.get("TotalSegments")
    if (segment is None) != (segments is None):
        # the service words the two differently
        said = ("TotalSegments", "Segment parameter") if segments is None else ("Segment", "parameter TotalSegments")
        raise validation(
            f"The {said[0]} parameter is required but was not present in the request when {said[1]} is present"
        )
    if segment is None or segments is None:
        return None, None
    if not 1 <= segments <= MAX_SEGMENTS or segment < 0:
        raise service_error(
            "ValidationException",
            f"1 validation error detected: Value '{segments}' at 'totalSegments' failed to satisfy constraint: "
            "Member must have value less than or equal to 1000000",
        )
    if segment >= segments:
        raise validation("The Segment parameter is zero-based and must be less than parameter TotalSegments")
    return segment, segments
