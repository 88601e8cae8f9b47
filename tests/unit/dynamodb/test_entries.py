"""An export line is sent as it is; what is odd about it is found before it is sent, or when AWS refuses its batch."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.dynamodb.attributes import Unacceptable
from ops.dynamodb.entries import Entries
from ops.dynamodb.write import BulkWriter, Rejected, WriteCounts, WriteTarget
from ops.model.items import Item, KeySchema
from tests.property.examples import examples
from tests.unit.dynamodb.kit import KEYS, MemoryTable, Scripted, plane, some_items, some_lines

GOOD = b'{"Item":{"pk":{"S":"a"},"sk":{"N":"1"}}}'
DEEP = b'{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"deep":' + b'{"L":[' * 40 + b"]}" * 40 + b"}}"


def run(lines: list[bytes], keys: KeySchema = KEYS) -> tuple[WriteCounts, list[Rejected], MemoryTable]:
    table = MemoryTable(keys)
    rejected: list[Rejected] = []
    counts = BulkWriter(plane(table), WriteTarget("t", keys), on_rejected=rejected.append).put_lines(lines)
    return counts, rejected, table


def test_a_line_travels_as_it_is() -> None:
    odd = b'{ "Item" : {"sk":{"N":"1.50"},"z":{"S":"\\u0041"},"pk":{"S":"a"}}}\r\n'
    seen: list[bytes] = []

    class Keeping(Scripted):
        def send(self, operation: str, body: bytes) -> dict[str, Any]:
            seen.append(body)
            return super().send(operation, body)

    BulkWriter(plane(Keeping([{"UnprocessedItems": {}}])), WriteTarget("t", KEYS)).put_lines([odd])
    [body] = seen
    assert odd in body
    assert orjson.loads(body)["RequestItems"] == {"t": [{"PutRequest": orjson.loads(odd)}]}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\xef\xbb\xbf" + GOOD, "byte order mark"),
        (b"\n", "empty"),
        (b"", "empty"),
        (GOOD[:-1], "not JSON"),
        (GOOD + b",", "not JSON"),
        (GOOD + GOOD, "not JSON"),
        (b"{}", '{"Item": {'),
        (b"[]", '{"Item": {'),
        (b'{"Item":{"pk":{"S":"a"},"sk":{"N":"1"}},"Keys":{}}', "nothing else"),
        (b'{"NewImage":{}}', '{"Item": {'),
        (b'{"Item":[]}', "object"),
        (b'{"Item":{"sk":{"N":"1"}}}', "'pk' is missing"),
        (b'{"Item":{"pk":{"S":"a"},"sk":{"S":"1"}}}', "must have type N"),
        (b'{"Item":{"pk":{"S":"a","N":"1"},"sk":{"N":"1"}}}', "one DynamoDB value"),
        (b'{"Item":{"pk":{"S":5},"sk":{"N":"1"}}}', "string must be text"),
        (b'{"Item":{"pk":{"S":""},"sk":{"N":"1"}}}', "empty"),
        (b'{"Item":{"pk":{"S":"%s"},"sk":{"N":"1"}}}' % (b"x" * 2049), "2049 bytes"),
        (b'{"Item":{"pk":{"S":"a"},"sk":{"N":"one"}}}', "not a number"),
        (b'{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"x":{"S":"%s"}}}' % (b"x" * 410_000), "more than 409600"),
        (b'{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"x":{"N":NaN}}}', "not JSON"),
        (b'{"Item":{"pk":{"S":"\\ud800"},"sk":{"N":"1"}}}', "not JSON"),
        (b'{"Item":' * 5000, "not JSON"),
    ],
)
def test_a_line_that_is_no_item_is_rejected_with_its_place_its_reason_and_its_bytes(line: bytes, reason: str) -> None:
    counts, rejected, table = run([*some_lines(some_items(3)), line, *some_lines(some_items(3, start=10))])
    assert counts == WriteCounts(read=7, written=6, rejected=1)
    [one] = rejected
    assert (one.position, one.line) == (4, line)
    assert reason in one.reason
    assert len(table.items) == 6


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD.replace(b'"1"}', b'"1"},"n":{"N":"%s"}' % (b"1" * 39)), "39 significant"),
        (GOOD.replace(b'"1"}', b'"1"},"n":{"NS":[]}'), "must not be empty"),
        (GOOD.replace(b'"1"}', b'"1"},"n":{"S":"\xff"}'), "not JSON"),
        (GOOD.replace(b'"1"}', b'"1"},"n":{"X":"1"}'), "unknown type"),
        (DEEP, "nested"),
    ],
)
def test_a_value_that_aws_refuses_is_rejected_with_its_reason_and_its_batch_is_written(
    line: bytes, reason: str
) -> None:
    from ops.dynamodb.attributes import validate_item

    def refused(item: Item) -> bool:
        try:
            validate_item(item, KEYS)
        except Unacceptable:
            return True
        return False

    table = MemoryTable(refused=refused)
    rejected: list[Rejected] = []
    writer = BulkWriter(plane(table), WriteTarget("t", KEYS), on_rejected=rejected.append)
    counts = writer.put_lines([*some_lines(some_items(30)), line, *some_lines(some_items(30, start=30))])
    assert counts == WriteCounts(read=61, written=60, rejected=1)
    [one] = rejected
    assert one.position == 31
    assert reason in one.reason
    # One look at the values, not one request for each half.
    assert len(table.asked) == 4


@pytest.mark.parametrize("name", ['with"quote', "back\\slash", "ünïcode", "a.b", "class", "k0", "Item", "S"])
def test_key_attributes_may_have_any_name(name: str) -> None:
    keys = KeySchema(name, "S")
    lines = [orjson.dumps({"Item": {name: {"S": f"v{number}"}, "x": {"N": "1"}}}) for number in range(30)]
    counts, _, table = run(lines, keys)
    assert counts == WriteCounts(read=30, written=30)
    assert len(table.items) == 30


@pytest.mark.parametrize(
    ("keys", "first", "second"),
    [
        (KeySchema("pk", "N"), {"pk": {"N": "1"}}, {"pk": {"N": "1.0"}}),
        (KeySchema("pk", "B"), {"pk": {"B": "AP8="}}, {"pk": {"B": "AP9="}}),
        (KeySchema("a", "S", "b", "B"), {"a": {"S": "x"}, "b": {"B": "AP8="}}, {"b": {"B": "AP9="}, "a": {"S": "x"}}),
        (KeySchema("pk", "S"), {"pk": {"S": "é"}}, {"pk": {"S": "\u00e9"}}),
    ],
)  # fmt: skip
def test_two_writings_of_one_key_are_one_key(keys: KeySchema, first: Item, second: Item) -> None:
    lines = [
        orjson.dumps({"Item": {**first, "v": {"S": "old"}}}),
        orjson.dumps({"Item": {**second, "v": {"S": "new"}}}),
    ]
    counts, _, table = run(lines, keys)
    assert counts == WriteCounts(read=2, written=1, duplicates=1)
    assert [item["v"] for item in table.items.values()] == [{"S": "new"}]


KEY_TEXT = st.one_of(
    st.text(max_size=3), st.sampled_from(["1", "1.0", "-0", "1e3", "AA==", "AP9=", "x" * 600, "é" * 1025])
)


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from("SNB"), st.sampled_from("SNB"), KEY_TEXT, KEY_TEXT, st.booleans())
def test_a_line_and_its_item_are_judged_alike(kind: str, sort_kind: str, key: str, sort: str, strange: bool) -> None:
    keys = KeySchema("pk", kind, "sk", sort_kind)
    entries = Entries(keys, {})
    tag = "N" if strange else kind
    item: Item = {"sk": {sort_kind: sort}, "pk": {tag: key}, "m": {"M": {"pk": {"S": "nested"}}}}

    def judged(make: Any, given: Any) -> Any:
        try:
            return make(7, given).key
        except Unacceptable as error:
            return str(error)

    assert judged(entries.line, orjson.dumps({"Item": item})) == judged(entries.put, item)
