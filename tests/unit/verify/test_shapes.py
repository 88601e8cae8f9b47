"""What a shape is learned from, what it fits, and what is left to the parser."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest

from ops.model.items import AttributeValue, Item, KeySchema
from ops.recovery.lines import parse_json
from ops.verify import reading
from ops.verify.canonical import canonical_item, canonical_key
from ops.verify.fingerprint import recorder
from ops.verify.learning import learn
from ops.verify.reading import BadSourceLine, Reader
from ops.verify.shapes import Rows, Shape

KEYS = KeySchema("pk", "S", "sk", "N")
KEY = b'"sk":{"N":"7"},"pk":{"S":"k"}'
ITEM = b'{"Item":{' + KEY + b',"x":%b}}\n'

#: A value, another one of the same shape, and one that a pattern must not take for it.
VALUES = [
    (b'{"S":"a"}', b'{"S":"%s \\" \\\\ \\n \xc3\xa9 \x7f"}', b'{"S":"\\u0061"}'),
    (b'{"S":""}', b'{"S":"\\b\\f\\r\\t"}', b'{"S":"a\\/b"}'),
    (b'{"N":"1"}', b'{"N":"-120"}', b'{"N":"1.0"}'),
    (b'{"N":"0"}', b'{"N":"-0.05"}', b'{"N":"-0"}'),
    (b'{"N":"0.5"}', b'{"N":"123.456"}', b'{"N":"1e3"}'),
    (b'{"N":"5"}', b'{"N":"%b"}' % (b"9" * 38), b'{"N":"01"}'),
    (b'{"B":"AP8="}', b'{"B":""}', b'{"B":"AP9="}'),
    (b'{"B":"AA=="}', b'{"B":"/+aa"}', b'{"B":"AB=="}'),
    (b'{"BOOL":true}', b'{"BOOL":false}', b'{"BOOL":1}'),
    (b'{"NULL":true}', b'{"NULL":true}', b'{"NULL":false}'),
    (b'{"SS":["b","a"]}', b'{"SS":["c","b","\xc3\xa9","a"]}', b'{"SS":["a","a"]}'),
    (b'{"NS":["2","10"]}', b'{"NS":["3"]}', b'{"NS":["3","3.0"]}'),
    (b'{"BS":["AA==","AP8="]}', b'{"BS":["/+aa","AAAA"]}', b'{"BS":["AB=="]}'),
    (b'{"SS": ["a"]}', b'{"SS": ["b","a"]}', b'{"SS":["b","a"]}'),
    (b'{ "BOOL":\ttrue }', b'{ "BOOL":\tfalse }', b'{ "BOOL": false }'),
    (b'{"SS":["only"]}', b'{"SS":["a,b","a"]}', b'{"SS":[]}'),
    (b'{"M":{}}', b'{"M":{}}', b'{"M":{"a":{"S":"b"}}}'),
    (b'{"L":[]}', b'{"L":[]}', b'{"L":[{"S":"b"}]}'),
    (b'{"M":{"b":{"N":"1"},"a":{"S":"t"}}}', b'{"M":{"b":{"N":"2"},"a":{"S":"u"}}}',
     b'{"M":{"a":{"S":"u"},"b":{"N":"2"}}}'),
    (b'{"L":[{"S":"a"}]}', b'{"L":[]}', b'{"L":[{"N":"1"}]}'),
    (b'{"L":[{"S":"a"},{"S":"b"}]}', b'{"L":[{"S":","},{"S":"a"},{"S":"}"}]}', b'{"L":[{"S":"a"},{"N":"1"}]}'),
    (b'{"L":[{"NULL":true}]}', b'{"L":[{"NULL":true},{"NULL":true}]}', b'{"L":[{"NULL":true},{"BOOL":true}]}'),
    (b'{"L":[{"SS":["b","a"]}]}', b'{"L":[{"SS":["d","c"]},{"SS":["a"]}]}', b'{"L":[{"SS":["d","d"]}]}'),
    (b'{"L":[{"L":[{"N":"2"},{"N":"1"}]},{"L":[{"N":"3"}]}]}', b'{"L":[{"L":[]},{"L":[{"N":"9"}]}]}',
     b'{"L":[{"L":[{"N":"1.0"}]}]}'),
    (b'{"M":{"US":{"M":{"r":{"N":"1"},"a":{"S":"x"}}},"DE":{"M":{"r":{"N":"2"},"a":{"S":"y"}}}}}',
     b'{"M":{"SE":{"M":{"r":{"N":"7"},"a":{"S":"y"}}},"%s":{"M":{"r":{"N":"2"},"a":{"S":""}}},'
     b'"AR":{"M":{"r":{"N":"1"},"a":{"S":"\\""}}}}}',
     b'{"M":{"SE":{"M":{"r":{"N":"7"},"a":{"S":"y"}}},"SE":{"M":{"r":{"N":"7"},"a":{"S":"y"}}}}}'),
    (b'{"M":{"b":{"M":{}},"a":{"M":{}}}}', b'{"M":{"z":{"M":{}}}}', b'{"M":{"b":{"M":{}},"a":{"S":"b"}}}'),
    (b'{"M":{"b":{"M":{"t":{"SS":["b","a"]}}},"a":{"M":{"t":{"SS":["a"]}}}}}', b'{"M":{}}',
     b'{"M":{"b":{"M":{"t":{"SS":["b","b"]}}}}}'),
    (b'{"M":{"b":{"M":{}}, "a":{"M":{}}}}', b'{"M":{"b":{"M":{}}, "a":{"M":{}}}}', b'{"M":{"b":{"M":{}}}}'),
    (b'{"L": [{"S": "a"}, {"S": "b"}]}', b'{"L": [{"S": "c"}, {"S": "d"}]}', b'{"L": [{"S": "c"}]}'),
    (b'{"L":[{"S":"a"},{"M":{"z":{"BOOL":true}}},{"SS":["b","a"]}]}',
     b'{"L":[{"S":"c"},{"M":{"z":{"BOOL":false}}},{"SS":["d","c"]}]}',
     b'{"L":[{"S":"c"},{"M":{"z":{"BOOL":false}}}]}'),
    (b'{ "S": "a" }', b'{ "S": "b" }', b'{"S":"b"}'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "alike", "unlike"), VALUES)
def test_a_shape_fits_lines_that_differ_in_plain_values_only(value: bytes, alike: bytes, unlike: bytes) -> None:
    shape = learn((ITEM % value).rstrip(b"\n"), KEYS, wrapped=True)
    assert shape is not None
    lines = [ITEM % value, ITEM % unlike, ITEM % alike, b"\n", b'{"Item":{}}\n']
    rows = shape.rows(range(10, 20), b"".join(lines))
    assert list(rows.at) == [10, 12]
    items = [orjson.loads(line)["Item"] for line in (lines[0], lines[2])]
    assert rows.items == [canonical_item(item) for item in items]
    assert rows.keys == [canonical_key(item, KEYS) for item in items]
    assert sorted(rows.others) == [(11, lines[1]), (13, b"\n"), (14, lines[4])]
    only = shape.rows([3, 5, 8], lines[2] * 2)
    assert (list(only.at), only.others) == ([3, 5], [])


@pytest.mark.parametrize(("value", "alike", "unlike"), VALUES)
def test_what_stands_behind_a_value_is_read_all_the_same(value: bytes, alike: bytes, unlike: bytes) -> None:
    form = b'{"Item":{"pk":{"S":"k%d"},"x":%b,"y":{"S":"behind"},"sk":{"N":"7"}}}'
    shape = learn(form % (1, value), KEYS, wrapped=True)
    assert shape is not None
    lines = [form % (number, one) + b"\n" for number, one in enumerate((value, alike, unlike))]
    rows = shape.rows(range(3), b"".join(lines))
    items = [orjson.loads(lines[number])["Item"] for number in rows.at]
    assert list(rows.at) == [0, 1]
    assert rows.items == [canonical_item(item) for item in items]
    assert rows.keys == [canonical_key(item, KEYS) for item in items]


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"[]", b"7", b'{"Item":7}', b'{"Item":{}}', b'{"Item":{%b},"more":1}' % KEY, b'{"Item":{%b}' % KEY,
        b'{"Item":{%b}}}' % KEY, b'{"Item":{%b}} x' % KEY, b'{"Item":{%b}}\r' % KEY,
        b'{"Item":{"sk":{"N":"7"}}}', b'{"Item":{"sk":{"S":"7"},"pk":{"S":"k"}}}',
        b'{"Item":{"sk":{"N":"7.0"},"pk":{"S":"k"}}}' + b" ",
        b'{"Item":{%b,"pk":{"S":"k"}}}' % KEY, b'{"Item":{%b,"a\\n":{"S":"k"}}}' % KEY,
        ITEM.rstrip() % b'{"X":"a"}', ITEM.rstrip() % b'{"X":}',
        ITEM.rstrip() % b'{"S":7}', ITEM.rstrip() % b'{"S":"a","N":"1"}',
        ITEM.rstrip() % b"{}", ITEM.rstrip() % b'"a"', ITEM.rstrip() % b'{"NULL":false}', ITEM.rstrip() % b'{"BOOL":1}',
        ITEM.rstrip() % b'{"SS":[]}', ITEM.rstrip() % b'{"SS":["a" ,"b"]}', ITEM.rstrip() % b'{"SS": ["a", "b"]}',
        ITEM.rstrip() % b'{"SS":["a" ]}',
        ITEM.rstrip() % b'{"L":[{"S":"a"}}}', ITEM.rstrip() % b'{"M":[]}', ITEM.rstrip() % b'{"S": "\\u0061"}',
        ITEM.rstrip() % b'{"M":{"a":{"S":"b"},"a":{"S":"c"}}}',
        ITEM.rstrip() % (b'{"L":[' * 40 + b'{"S":"a"}' + b"]}" * 40),
        ITEM.rstrip() % (b'{"M":{"a":' * 40 + b'{"S":"a"}' + b"}}" * 40),
        ITEM.rstrip() % (b'{"L":[' + b'{"S":"a"},{"N":"1"},' * 250 + b'{"S":"a"}]}'),
        ITEM.rstrip() % (b'{"S":"%b"}' % (b"a" * 20_000)),
    ],
)  # fmt: skip
def test_what_is_not_regular_has_no_shape(line: bytes) -> None:
    if line.endswith(b" "):
        # blanks at the end are no harm to the parser, and none to a shape
        assert learn(line.rstrip(), KEYS) is not None
    assert learn(line, KEYS, wrapped=True) is None


def nested(levels: int, open_: bytes, close: bytes) -> bytes:
    return ITEM.rstrip() % (open_ * levels + b'{"S":"a"}' + close * levels)


@pytest.mark.parametrize(
    ("last", "first_too_many"),
    [
        (nested(15, b'{"M":{"a":', b"}}"), nested(16, b'{"M":{"a":', b"}}")),
        (nested(15, b'{"L":[', b"]}"), nested(16, b'{"L":[', b"]}")),
        (b"{%b}" % b",".join([KEY, *(b'"a%d":{"N":"1"}' % number for number in range(118))]),
         b"{%b}" % b",".join([KEY, *(b'"a%d":{"N":"1"}' % number for number in range(119))])),
        (b'{%b,"a":{"S":"%b"}}' % (KEY, b"a" * (16_384 - len(KEY) - 15)),
         b'{%b,"a":{"S":"%b"}}' % (KEY, b"a" * (16_385 - len(KEY) - 15))),
    ],
)  # fmt: skip
def test_a_shape_is_learned_up_to_a_depth_a_number_of_groups_and_a_length(last: bytes, first_too_many: bytes) -> None:
    assert learn(last, KEYS) is not None
    assert learn(first_too_many, KEYS) is None


@pytest.mark.parametrize(
    ("open_", "close"), [(b'{"M":{"a":', b"}}"), (b'{"L":[', b"]}"), (b'{"M":{"b":{"M":{}},"a":', b"}}")]
)
def test_a_pattern_grows_no_faster_than_the_nesting_of_its_line(open_: bytes, close: bytes) -> None:
    shapes = [learn(nested(levels, open_, close), KEYS) for levels in (7, 14)]
    lengths = [len(shape.pattern.pattern) for shape in shapes if shape is not None]
    assert len(lengths) == 2
    assert lengths[1] < 3 * lengths[0]


def test_a_key_that_no_text_can_name_is_in_no_line() -> None:
    assert learn(b"{%b}" % KEY, KeySchema("\ud800")) is None


def test_either_value_of_a_flag_teaches_the_same_shape() -> None:
    for first in (b"true", b"false"):
        shape = learn(ITEM.rstrip() % (b'{"BOOL":%b}' % first), KEYS)
        assert shape is not None
        rows = shape.rows(range(2), ITEM % b'{"BOOL":true}' + ITEM % b'{"BOOL":false}')
        assert list(rows.at) == [0, 1]


def test_a_bare_item_has_a_shape_unless_lines_must_be_wrapped() -> None:
    assert learn(b"{%b}" % KEY, KEYS) is not None
    assert learn(b"{%b}" % KEY, KEYS, wrapped=True) is None


def lines_of(*items: Item) -> bytes:
    return b"".join(orjson.dumps({"Item": item}) + b"\n" for item in items)


def item(number: int, **rest: AttributeValue) -> Item:
    return {"pk": {"S": "k"}, "sk": {"N": str(number)}, **rest}


@pytest.mark.parametrize("text", ["a", "é"])
def test_lines_that_fit_a_shape_are_not_parsed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []

    def parse(line: bytes, *, wrapped: bool) -> Item:
        parsed.append(line)
        return parse_json(line, wrapped=wrapped)

    monkeypatch.setattr(reading, "parse_json", parse)
    reader = Reader(KEYS, wrapped=True)
    some = [item(n) for n in range(20)] + [item(n, x={"S": text}) for n in range(20, 40)]
    odd = item(99, x={"N": "1.0"})
    found = reader.digests(lines_of(*some, odd), 100)
    assert [line for line in parsed if b'"1.0"' not in line] == []
    assert len(parsed) == 1
    again = reader.digests(lines_of(*some), 500)
    assert len(parsed) == 1, "the shapes are kept for the next block"
    record = recorder(KEYS)
    wanted = [(100 + at, record(one).key, record(one).item) for at, one in enumerate([*some, odd])]
    assert sorted(zip(found.lines, found.keys, found.items, strict=True)) == wanted
    assert sorted(again.lines) == list(range(500, 540))


def test_the_shape_that_most_lines_have_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[Shape, int]] = []
    plain = Shape.rows

    def watched(self: Shape, lines: Sequence[int], block: bytes) -> Rows:
        found = plain(self, lines, block)
        tried.append((self, len(found.at)))
        return found

    monkeypatch.setattr(Shape, "rows", watched)
    reader = Reader(KEYS, wrapped=True)
    block = lines_of(*[item(n, x={"S": "rare"}) for n in range(5)], *[item(n) for n in range(20)])
    wanted = reader.digests(block)
    (rare, few), (common, many) = tried
    assert (few, many) == (5, 20)
    tried.clear()
    again = reader.digests(block)
    assert [(shape is common, count) for shape, count in tried] == [(True, 20), (False, 5)]
    assert rare in [shape for shape, _ in tried]
    assert sorted(again.items) == sorted(wanted.items)


def test_a_shape_that_fits_hardly_any_line_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[bytes] = []

    def watched(line: bytes, keys: KeySchema, *, wrapped: bool = False) -> object:
        compiled.append(line)
        return learn(line, keys, wrapped=wrapped)

    monkeypatch.setattr(reading, "learn", watched)
    reader = Reader(KEYS, wrapped=True)
    for block in range(60):
        some = [item(n, **{f"x{block}-{n}": {"S": "a"}}) for n in range(40)]
        assert len(reader.digests(lines_of(*some)).lines) == 40
    assert len(compiled) == reading.ATTEMPTS


def test_a_line_that_is_no_item_is_named_by_its_number() -> None:
    with pytest.raises(BadSourceLine) as caught:
        Reader(KEYS, wrapped=True).digests(lines_of(item(1), item(2)) + b"{}\n", 40)
    assert caught.value.number == 42
    assert str(caught.value) == "no member Item"


def test_text_that_is_not_utf_8_is_no_item() -> None:
    good, bad = lines_of(item(1)), lines_of(item(2, x={"S": "@"})).replace(b"@", b"\xed\xa0\x80")
    with pytest.raises(BadSourceLine) as caught:
        Reader(KEYS).digests(good + bad, 7)
    assert caught.value.number == 8
    assert "not JSON" in str(caught.value)


def test_lines_that_hold_no_well_formed_item_are_marked() -> None:
    found = Reader(KEYS).digests(lines_of(item(1), item(2, x={"SS": ["a", "a"]}), item(3)), 5)
    assert found.faulty == {6}
    assert sorted(found.lines) == [5, 6, 7]


def test_what_stands_behind_an_item_on_its_line_makes_it_none() -> None:
    for more in (b"~", b" ~", b",", b"{}"):
        with pytest.raises(BadSourceLine) as caught:
            Reader(KEYS, wrapped=True).digests(lines_of(item(1)).rstrip(b"\n") + more + b"\n", 100)
        assert caught.value.number == 100
