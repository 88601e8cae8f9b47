"""Lines of any form become the items they say, digit by digit, or are told as unusable with their reason."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.errors import BadArgument
from ops.flows.typed_lines import csv_records, to_wire, types_of
from ops.model.items import KeySchema
from ops.recovery.lines import BadLine

KEYS = KeySchema("pk", "S", "sk", "N")
INDEXES = {"by_genre": KeySchema("genre", "S", "year", "N")}


def items(form: Any, *lines: bytes, types: str = "", delimiter: str = ",") -> list[Any]:
    convert = to_wire(form, KEYS, INDEXES, types_of(types), delimiter)
    wires = (convert("f", number, line) for number, line in enumerate(lines, 1))
    return [orjson.loads(wire)["Item"] for wire in wires if wire is not None]


@pytest.mark.parametrize("line", [b'{"Item":{"pk":{"S":"a"}}}', b' {"Item": {"pk": {"S": "a"}}}', b'{"pk":{"S":"a"}}'])
def test_dynamodb_json_is_taken_as_it_is(line: bytes) -> None:
    assert items("jsonl", line) == [{"pk": {"S": "a"}}]


def test_a_line_without_the_wrapper_is_no_export_line() -> None:
    with pytest.raises(BadLine, match="no member Item"):
        items("dynamodb-json", b'{"pk":{"S":"a"}}')


def test_plain_json_says_its_types_and_keeps_every_digit() -> None:
    line = (
        b'{"pk":"a","sk":12345678901234567890123456789012345678,"f":1.10,"e":1E-7,"t":true,"n":null,'
        b'"l":[1,"x",[]],"m":{"a":{"S":"not a type"}}}'
    )
    assert items("jsonl", line) == [
        {
            "pk": {"S": "a"}, "sk": {"N": "12345678901234567890123456789012345678"}, "f": {"N": "1.1"},
            "e": {"N": "0.0000001"}, "t": {"BOOL": True}, "n": {"NULL": True},
            "l": {"L": [{"N": "1"}, {"S": "x"}, {"L": []}]}, "m": {"M": {"a": {"M": {"S": {"S": "not a type"}}}}},
        }
    ]  # fmt: skip


def test_named_types_are_given() -> None:
    line = b'{"pk":"a","sk":"7","s":["x","y"],"ns":[1,2.50],"bs":["AA=="],"b":"AP8=","n":null}'
    [found] = items("jsonl", line, types="sk=N,s=SS,ns=NS,bs=BS,b=B,n=NULL")
    assert found == {
        "pk": {"S": "a"}, "sk": {"N": "7"}, "s": {"SS": ["x", "y"]}, "ns": {"NS": ["1", "2.5"]},
        "bs": {"BS": ["AA=="]}, "b": {"B": "AP8="}, "n": {"NULL": True},
    }  # fmt: skip


#: Deeper than the writer of JSON goes, than our own walk goes, than the reader of JSON goes.
DEEP = (300, 500, 900, 5000)


@pytest.mark.parametrize(
    ("line", "types", "reason"),
    [
        (b'{"pk":"a",', "", "not JSON"),
        (b"[1]", "", "not a JSON object"),
        (b"{}", "", "no member Item"),
        (b"", "", "empty line"),
        (b'\xef\xbb\xbf{"pk":"a"}', "", "byte order mark"),
        (b'{"pk":"a"}\r', "", "carriage return"),
        (b'{"Item":{"pk":{"S":"a"}}}\r', "", "carriage return"),
        (b'{"pk":NaN}', "", "NaN is not a number"),
        (b'{"pk":-Infinity}', "", "-Infinity is not a number"),
        (b'{"pk":"a","pk":"b"}', "", "names 'pk' twice"),
        (b'{"pk":{"S":"a"},"m":{"M":{"x":{"S":"1"},"x":{"S":"2"}}}}', "", "names 'x' twice"),
        (b'{"pk":"\xff"}', "", "not UTF-8"),
        (b'{"pk":"\\ud800"}', "", "surrogate"),
        (b'{"pk":"a","n":' + b"1" * 39 + b"}", "", "39 significant digits"),
        (b'{"pk":"a","n":' + b"1" * 5000 + b"}", "", "not JSON"),
        (b'{"pk":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "", "not JSON"),
        *((b'{"pk":"a","x":' + b"[" * deep + b"]" * deep + b"}", "", "") for deep in DEEP),
        *((b'{"pk":' + b'{"x":' * deep + b"1" + b"}" * deep + b"}", "", "") for deep in DEEP),
        (b'{"pk":"a","n":1e9999999999999999999}', "", "a number is out of range"),
        (b'{"pk":"a","n":[0e-9999999999999999999]}', "", "a number is out of range"),
        (b'{"pk":"a","x":"1"}', "x=SS", "'x': a SS must be an array"),
        (b'{"pk":"a","x":[]}', "x=SS", "'x': a SS must be an array with members"),
        (b'{"pk":"a","x":[1]}', "x=SS", "'x': a member is none of a SS"),
        (b'{"pk":"a","x":[true]}', "x=NS", "'x': a member is none of a NS"),
        (b'{"pk":"a","x":["?"]}', "x=BS", "'x': not base64"),
        (b'{"pk":"a","x":"?"}', "x=B", "'x': not base64"),
        (b'{"pk":"a","x":"many"}', "x=N", "'x': not a number"),
        (b'{"pk":"a","x":1}', "x=S", "'x' is no S"),
        (b'{"pk":"a","x":"y"}', "x=BOOL", "'x' is no BOOL"),
    ],
)
def test_what_is_no_item_is_told_with_its_reason(line: bytes, types: str, reason: str) -> None:
    with pytest.raises(BadLine) as raised:
        items("jsonl", line, types=types)
    assert reason in str(raised.value)


@pytest.mark.parametrize("text", ["n", "n=", "=N", "n=X", "n=N,n=S", "n=n"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(BadArgument, match="is not NAME=TYPE"):
        types_of(text)


def test_types_may_be_named_for_any_name() -> None:
    assert types_of(" a=N, b=c=SS ,") == {"a": "N", "b=c": "SS"}
    assert types_of(None) == {}


def test_csv_cells_are_text_unless_they_are_keys_or_have_a_type() -> None:
    found = items(
        "csv", b"pk,sk,year,genre,name,x,tags,m,ok",
        b'a,1,1999,rock,"one ""two"", three",1.0,"[""x"",""y""]","{""k"":1}",true',
        b"b,2,,,,,,,", types="x=N,tags=SS,m=M,ok=BOOL",
    )  # fmt: skip
    assert found == [
        {
            "pk": {"S": "a"}, "sk": {"N": "1"}, "year": {"N": "1999"}, "genre": {"S": "rock"},
            "name": {"S": 'one "two", three'}, "x": {"N": "1"}, "tags": {"SS": ["x", "y"]},
            "m": {"M": {"k": {"N": "1"}}}, "ok": {"BOOL": True},
        },
        {"pk": {"S": "b"}, "sk": {"N": "2"}},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([b"pk,name", b"a,1"], "header without the key column 'sk'"),
        ([b"pk,sk,pk", b"a,1,b"], "names a column twice"),
        ([b"pk,sk,", b"a,1,b"], "names a column twice or not at all"),
        ([b"pk,sk", b"a,1,b"], "3 cells under 2 columns"),
        ([b"pk,sk", b"pk,sk"], "the header line again"),
        ([b"pk,sk", b'a,"1'], "not CSV"),
        ([b"pk,sk", b"a,\xff"], "not UTF-8"),
        ([b"pk,sk", b"a,x"], "'sk': not a number"),
        ([b"pk,sk", b"a,1\r"], "carriage return"),
        ([b"pk,sk,m", b"a,1,{"], "'m' is no M in JSON"),
        ([b"pk,sk,m", b'a,1,{""x"":1e9999999999999999999}'], "'m' is no M in JSON"),
        ([b"pk,sk,m", b"a,1," + b'{"x":' * 500 + b"1" + b"}" * 500], "'m'"),
        ([b"pk;sk", b"a;1"], "header without the key column 'pk' (delimiter ',')"),
    ],
)
def test_a_csv_line_that_is_none_is_told_with_its_reason(lines: list[bytes], reason: str) -> None:
    with pytest.raises(BadLine) as raised:
        items("csv", *lines, types="m=M")
    assert reason in str(raised.value)


def test_after_a_header_that_cannot_be_used_no_line_of_its_file_is() -> None:
    convert = to_wire("csv", KEYS, {}, {})
    with pytest.raises(BadLine) as header:
        convert("f", 1, b"name")
    assert header.value.header
    with pytest.raises(BadLine, match="no usable header"):
        convert("f", 2, b"a,1")
    assert convert("g", 1, b"pk,sk") is None
    assert convert("g", 2, b"a,1") is not None


PIECES = st.sampled_from(
    [
        *[
            b'{"pk":"a"',
            b'{"Item":{',
            b'"x":',
            b"[",
            b"{",
            b"}",
            b"]",
            b",",
            b'"',
            b"\\ud800",
            b"\\u0000",
            b"\xff",
            b" ",
        ],
        *[b"\xef\xbb\xbf", b"NaN", b"-0", b"1E400", b"1e99999999999999999999", b"7" * 39, b"true", b"null", b"\r"],
        *[b'{"S":"a"}', b'{"N":""}', b'{"SS":[]}', b"[" * 300, b"]" * 300, b'{"L":[' * 300, b'{"a":' * 300, b"}" * 300],
    ]
)


@given(pieces=st.lists(PIECES, max_size=12), form=st.sampled_from(["jsonl", "dynamodb-json", "csv"]))
def test_whatever_a_line_holds_it_is_an_export_line_or_told_to_be_none(pieces: list[bytes], form: Any) -> None:
    convert = to_wire(form, KEYS, {}, {"x": "SS", "y": "M"})
    if form == "csv":
        assert convert("f", 1, b"pk,sk,x,y") is None
    try:
        found = convert("f", 2, b"".join(pieces))
    except BadLine as error:
        assert str(error)
        return
    assert found is not None
    assert found.lstrip().startswith(b"{")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12)


@given(rows=st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=8), gap=st.sampled_from(",;\t"))
def test_records_of_csv_are_those_that_were_written(rows: list[list[str]], gap: str) -> None:
    import csv
    import io

    text = io.StringIO()
    csv.writer(text, delimiter=gap, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    lines = text.getvalue().encode().split(b"\n")[:-1]
    records = list(csv_records(("f", number, line) for number, line in enumerate(lines, 1)))
    assert [next(csv.reader([raw.decode()], delimiter=gap)) for _, _, raw in records] == rows
    starts = [number for _, number, _ in records]
    assert starts == sorted(set(starts))


def test_a_quote_that_is_never_closed_ends_with_its_file() -> None:
    lines = [("f", 1, b'a,"b'), ("f", 2, b"c"), ("g", 1, b"d")]
    assert list(csv_records(iter(lines))) == [("f", 1, b'a,"b\nc'), ("g", 1, b"d")]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.text(st.characters(codec="utf-8"), max_size=5) | st.integers(-(10**37), 10**37)
    | st.decimals(-10**6, 10**6, places=3, allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=4), PLAIN, min_size=1, max_size=4))
def test_plain_json_comes_back_as_what_was_written(value: dict[str, Any]) -> None:
    from ops.dynamodb.attributes import item_to_plain

    if all(isinstance(one, dict) and len(one) == 1 for one in value.values()):
        return  # could be meant as DynamoDB JSON
    assert item_to_plain(items("jsonl", _dumped(value))[0]) == value


def _dumped(value: Any) -> bytes:
    if isinstance(value, dict):
        return b"{%s}" % b",".join(json.dumps(k).encode() + b":" + _dumped(v) for k, v in value.items())
    if isinstance(value, list):
        return b"[%s]" % b",".join(map(_dumped, value))
    return str(value).encode() if isinstance(value, Decimal) else json.dumps(value).encode()
