"""An export line is sent as it is; what is odd about it is found before it is sent, or when AWS refuses its batch."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.dynamodb import entries
from ops.dynamodb.attributes import ITEM_LIMIT_BYTES, Unacceptable
from ops.dynamodb.entries import Entries
from ops.dynamodb.retry import Failure
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


INDEXES = {"genre_index": KeySchema("genre")}


def test_what_was_looked_at_once_is_not_looked_at_again() -> None:
    made = Entries(KEYS, INDEXES)
    assert made.put(1, orjson.loads(GOOD)["Item"]).checked is True
    assert made.delete(2, orjson.loads(GOOD)["Item"]).checked is True
    line = made.line(3, GOOD)
    before, reason, after = line.checked, made.why_not(line), line.checked
    assert (before, reason, after) == (False, None, True)
    # Now whatever it holds is taken to be right.
    line.wire = b"{}"
    assert made.why_not(line) is None


def test_an_entry_knows_its_place_its_key_and_its_item() -> None:
    made = Entries(KeySchema("pk", "B", "sk", "N"), INDEXES)
    item = {"pk": {"B": "AP9="}, "sk": {"N": "1.0"}, "x": {"S": "y"}}
    for entry in (made.put(7, item), made.line(7, orjson.dumps({"Item": item}))):
        assert (entry.position, entry.key, entry.item) == (7, ("00ff", "1"), item)
    key = {"pk": {"B": "AP8="}, "sk": {"N": "1"}}
    deletion = made.delete(8, key)
    assert (deletion.position, deletion.key, deletion.item) == (8, ("00ff", "1"), key)
    deletion.wire = b"{"
    assert deletion.item == {}


def test_a_byte_order_mark_is_called_by_its_name() -> None:
    _, [one], _ = run([b"\xef\xbb\xbf" + GOOD])
    assert one.reason == "the line begins with a byte order mark"
    assert one.item == {}


def test_a_deletion_that_aws_refuses_is_rejected_with_the_words_of_aws() -> None:
    def refuse(operation: str, params: dict[str, Any]) -> dict[str, Any]:
        raise Failure("ValidationException", "The provided key element does not match the schema", 400)

    rejected: list[Rejected] = []
    writer = BulkWriter(plane(Scripted([refuse])), WriteTarget("t", KEYS), on_rejected=rejected.append)
    assert writer.delete([orjson.loads(GOOD)["Item"]]) == WriteCounts(read=1, rejected=1)
    assert [one.reason for one in rejected] == ["The provided key element does not match the schema"]


@pytest.mark.parametrize("spare", [-1, 0, 1])
def test_a_line_about_as_long_as_an_item_may_be_is_judged_by_the_size_of_its_item(spare: int) -> None:
    empty = GOOD.replace(b'"1"}', b'"1"},"x":{"S":""}')
    line = empty.replace(b'""', b'"%s"' % (b"x" * (ITEM_LIMIT_BYTES - len(empty) + spare)))
    assert len(line) == ITEM_LIMIT_BYTES + spare
    counts, _, _ = run([line])
    assert counts == WriteCounts(read=1, written=1)


@pytest.mark.parametrize(
    ("partition", "sort", "reason"),
    [
        ("x" * 2048, "x" * 1024, ""), ("é" * 1024, "é" * 512, ""), ("\U0001f3b8" * 512, "\U0001f3b8" * 256, ""),
        ("x", "x" * 1025, "'sk' has 1025 bytes"), ("x", "é" * 513, "'sk' has 1026 bytes"), ("x", "", "'sk' is empty"),
        ("x" * 2049, "x", "'pk' has 2049 bytes"), ("é" * 1025, "x", "'pk' has 2050 bytes"), ("", "x", "'pk' is empty"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["S", "N"])
def test_the_limits_of_a_key_are_those_of_its_bytes_in_a_line_too(
    partition: str, sort: str, reason: str, kind: str
) -> None:
    keys = KeySchema("pk", "S", "sk", "S")
    if kind == "N":
        keys = KeySchema("pk", "S", "n", "N")
        reason = reason if "'pk'" in reason else ""
    line = orjson.dumps({"Item": {"pk": {"S": partition}, "sk": {"S": sort}, "n": {"N": "1"}}})
    counts, rejected, _ = run([line], keys)
    assert counts == WriteCounts(read=1, written=int(not reason), rejected=int(bool(reason)))
    assert all(reason in one.reason for one in rejected)


FAST = [
    (KeySchema("pk"), {"pk": {"S": "x" * 512}}), (KeySchema("pk"), {"pk": {"S": "x"}}),
    (KeySchema("pk", "S", "sk", "S"), {"pk": {"S": "x" * 512}, "sk": {"S": "y" * 256}}),
    (KeySchema("pk", "S", "sk", "S"), {"pk": {"S": "x"}, "sk": {"S": "y"}}),
    (KeySchema("pk", "B", "sk", "N"), {"pk": {"B": "AAAA" * 128}, "sk": {"N": "1"}}),
    (KeySchema("pk", "S", "sk", "B"), {"pk": {"S": "x" * 512}, "sk": {"B": "AAAA" * 64}}),
]  # fmt: skip
SLOW = [
    (KeySchema("pk"), {"pk": {"S": "x" * 513}}), (KeySchema("pk"), {"pk": {"S": ""}}),
    (KeySchema("pk", "S", "sk", "S"), {"pk": {"S": "x" * 513}, "sk": {"S": "y"}}),
    (KeySchema("pk", "S", "sk", "S"), {"pk": {"S": "x"}, "sk": {"S": "y" * 257}}),
    (KeySchema("pk", "S", "sk", "S"), {"pk": {"S": ""}, "sk": {"S": "y"}}),
    (KeySchema("pk", "S", "sk", "S"), {"pk": {"S": "x"}, "sk": {"S": ""}}),
    (KeySchema("pk", "S", "sk", "B"), {"pk": {"S": "x" * 513}, "sk": {"B": "AA=="}}),
    (KeySchema("pk", "S", "sk", "B"), {"pk": {"S": ""}, "sk": {"B": "AA=="}}),
    (KeySchema("pk", "S", "sk", "B"), {"pk": {"S": "x"}, "sk": {"B": ""}}),
    (KeySchema("pk", "B", "sk", "B"), {"pk": {"B": "AA=="}, "sk": {"B": "AAAA" * 65}}),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "item", "slow"), [*((*one, False) for one in FAST), *((*one, True) for one in SLOW)])
def test_only_a_line_whose_key_may_be_too_long_or_empty_is_looked_at_whole(
    keys: KeySchema, item: Item, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: list[bytes] = []
    usual = entries.item_of_line

    def looked(line: bytes) -> Any:
        whole.append(line)
        return usual(line)

    monkeypatch.setattr(entries, "item_of_line", looked)
    line = orjson.dumps({"Item": item})
    try:
        Entries(keys, {}).line(1, line)
    except Unacceptable:
        assert slow
    assert whole == [line] * slow
