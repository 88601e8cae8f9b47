"""What DynamoDB takes as a number, a value, a key and an item, case by case, and what a value is in plain JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ops.dynamodb.attributes import (
    ITEM_LIMIT_BYTES,
    Unacceptable,
    canonical_number,
    decode_binary,
    from_plain,
    item_from_plain,
    item_size,
    item_to_plain,
    key_value,
    to_plain,
    validate_item,
    validate_key,
    validate_value,
    value_size,
)
from ops.model.items import Item, KeySchema

KEYS = KeySchema("pk", "S", "sk", "N")
BINARY = KeySchema("pk", "B", "sk", "B")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("0", "0"), ("-0", "0"), ("+0", "0"), ("0.0", "0"), ("000", "0"), (".0", "0"), ("0e5", "0"), ("-0.00e-9", "0"),
        ("1", "1"), ("+1", "1"), ("-1", "-1"), ("01", "1"), ("1.", "1"), ("1.0", "1"), ("10", "10"), ("1e1", "10"),
        ("1E+2", "100"), ("1.5e1", "15"), ("15e-1", "1.5"), (".5", "0.5"), ("0.50", "0.5"), ("5e-3", "0.005"),
        ("-12.340", "-12.34"), ("12e-2", "0.12"), ("123e-2", "1.23"), ("120e-1", "12"), ("1200e-1", "120"),
        ("9" * 38, "9" * 38), ("1" + "0" * 40, "1" + "0" * 40), ("0." + "0" * 50 + "7", "0." + "0" * 50 + "7"),
        ("1e-130", "0." + "0" * 129 + "1"), ("9.9e125", "99" + "0" * 124), ("0" * 50 + "7", "7"),
        ("9223372036854775807", "9223372036854775807"), ("12345678901234567890", "12345678901234567890"),
    ],
)  # fmt: skip
def test_a_number_has_one_notation(text: str, plain: str) -> None:
    assert canonical_number(text) == plain


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a number"), ("NaN", "not a number"), ("Infinity", "not a number"), ("1_0", "not a number"),
        ("\u0661", "not a number"), ("0x1", "not a number"), ("1e", "not a number"), ("--1", "not a number"),
        (" 1", "not a number"), ("1\n", "not a number"), (".", "not a number"), ("1e1234567", "not a number"),
        ("1" * 39, "39 significant digits, more than 38"), ("1." + "1" * 38, "39 significant"),
        ("1e126", "out of range"), ("1e-131", "out of range"), ("99e125", "out of range"), (5, "not int"),
        (None, "not NoneType"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused_with_its_reason(text: object, reason: str) -> None:
    with pytest.raises(Unacceptable, match=reason):
        canonical_number(text)


@pytest.mark.parametrize("text", ["?", "A", "AA", "AAA", "AA==A", "AA ==", "é", 5, None])
def test_what_is_no_base64_text_is_refused(text: object) -> None:
    with pytest.raises(Unacceptable, match="base64"):
        decode_binary(text)


def test_a_long_text_is_not_quoted_whole() -> None:
    with pytest.raises(Unacceptable) as caught:
        canonical_number("x" * 61)
    assert str(caught.value) == f"not a number: {'x' * 57}…"
    with pytest.raises(Unacceptable) as caught:
        canonical_number("x" * 60)
    assert str(caught.value) == f"not a number: {'x' * 60}"


def nested(levels: int, kind: str) -> dict[str, Any]:
    value: dict[str, Any] = {"N": "1"}
    for _ in range(levels - 1):
        value = {"M": {"m": value}} if kind == "M" else {"L": [value]}
    return value


@pytest.mark.parametrize("kind", ["M", "L"])
def test_the_deepest_value_has_thirty_two_levels(kind: str) -> None:
    validate_value(nested(32, kind), "x")
    with pytest.raises(Unacceptable, match="nested more than 32 levels"):
        validate_value(nested(33, kind), "x")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"M": {"a": {"N": "NaN"}}}, "'x.a': not a number"),
        ({"L": [{"S": "a"}, {"S": 1}]}, r"'x\[1\]': a string must"),
        ({"M": {"": {"S": "a"}}}, "not an attribute name"), ({"M": []}, "'x': a map must be an object"),
        ({"L": {}}, "must be an array"), ({"SS": {}}, "must be an array"), ({"SS": []}, "must not be empty"),
        ({"SS": ["a", "a"]}, "twice"), ({"NS": ["1", "1.0"]}, "twice"), ({"BS": ["AP8=", "AP9="]}, "twice"),
        ({"SS": ["a", 1]}, "text, not int"), ({"NS": ["a"]}, "'x': not a number"), ({"BS": ["?"]}, "'x': not base64"),
        ({"BOOL": "true"}, "BOOL must be"), ({"NULL": False}, "NULL must be"), ({"NULL": 1}, "NULL must be"),
        ({"Z": 1}, "unknown type 'Z'"), ({}, "not one DynamoDB value"), ({"S": "a", "N": "1"}, "not one DynamoDB"),
        ("a", "not one DynamoDB"), ({"S": "\ud800"}, "lone surrogate"), ({"B": 5}, "base64 text, not int"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_is_refused_with_its_place(value: object, reason: str) -> None:
    with pytest.raises(Unacceptable, match=reason):
        validate_value(value, "x")


def item(**more: Any) -> Item:
    return {"pk": {"S": "a"}, "sk": {"N": "1"}, **more}


@pytest.mark.parametrize(
    "good",
    [
        item(), item(pk={"S": "x" * 2048}), item(sk={"N": "0"}), item(x={"S": ""}), item(genre={"S": "x" * 2048}),
        item(genre={"S": "g"}, year={"S": "x" * 1024}), item(**{"n" * 65_535: {"S": "a"}}),
        item(all={"L": [{"SS": ["a", "b"]}, {"NS": ["1", "2"]}, {"BS": ["AA==", "AQ=="]}, {"B": ""}, {"BOOL": False}]}),
    ],
)  # fmt: skip
def test_an_item_that_dynamodb_takes_is_taken(good: Item) -> None:
    validate_item(good, KEYS, {"genre_index": KeySchema("genre", "S", "year", "S"), "same": KeySchema("pk", "N")})


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ([], "must be an object, not list"), ({"pk": {"S": "a"}}, "'sk' is missing"),
        (item(sk={"S": "1"}), "'sk' must have type N, not S"), (item(pk={"S": ""}), "'pk' is empty"),
        (item(pk={"S": "x" * 2049}), "'pk' has 2049 bytes, more than 2048"),
        (item(pk={"S": "é" * 1025}), "'pk' has 2050 bytes"),
        (item(**{"": {"S": "a"}}), "not an attribute name"),
        (item(**{"n" * 65_536: {"S": "a"}}), "not an attribute name"),
        (item(genre={"N": "1"}), "'genre' of index 'genre_index' must have type S"),
        (item(genre={"S": ""}), "'genre' of index 'genre_index' is empty"),
        (item(genre={"S": "x" * 2049}), "'genre' of index 'genre_index' has 2049 bytes, more than 2048"),
        (item(year={"S": "x" * 1025}), "'year' of index 'genre_index' has 1025 bytes, more than 1024"),
        (item(big={"S": "x" * ITEM_LIMIT_BYTES}), "more than 409600"),
        (item(x={"M": {"y": {"N": "1" * 39}}}), r"'x\.y': number has 39"),
    ],
)  # fmt: skip
def test_an_item_that_dynamodb_refuses_is_refused_with_its_reason(bad: object, reason: str) -> None:
    with pytest.raises(Unacceptable, match=reason):
        validate_item(bad, KEYS, {"genre_index": KeySchema("genre", "S", "year", "S"), "same": KeySchema("pk", "N")})


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"pk": {"B": "AA=="}, "sk": {"B": ""}}, "'sk' is empty"),
        ({"pk": {"B": ""}, "sk": {"B": "AA=="}}, "'pk' is empty"),
        ({"pk": {"B": "AA=="}, "sk": {"B": "AAAA" * 342}}, "'sk' has 1026 bytes, more than 1024"),
    ],
)  # fmt: skip
def test_a_binary_key_has_limits_in_bytes(bad: Item, reason: str) -> None:
    validate_item({"pk": {"B": "AAAA" * 682}, "sk": {"B": "AAAA" * 341}}, BINARY)
    with pytest.raises(Unacceptable, match=reason):
        validate_item(bad, BINARY)


def test_a_key_has_its_attributes_alone_and_they_are_judged() -> None:
    validate_key({"pk": {"S": "a"}, "sk": {"N": "1"}}, KEYS)
    wrong: tuple[object, ...] = ([], {"pk": {"S": "a"}}, item(x={"S": "y"}))
    for bad in wrong:
        with pytest.raises(Unacceptable, match="exactly the attributes pk, sk"):
            validate_key(bad, KEYS)
    with pytest.raises(Unacceptable, match="'pk' is empty"):
        validate_key({"pk": {"S": ""}, "sk": {"N": "1"}}, KEYS)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "é"}, 2), ({"S": "ab"}, 2), ({"N": "0"}, 1), ({"N": "1"}, 2), ({"N": "-1"}, 3), ({"N": "123"}, 3),
        ({"N": "1200"}, 2), ({"N": "0.5"}, 2), ({"N": "-0.005"}, 3), ({"N": "1.23"}, 3), ({"N": "10.5"}, 3),
        ({"B": "AAAA"}, 3), ({"SS": ["a", "é"]}, 3), ({"NS": ["1", "123"]}, 5), ({"BS": ["AA==", "AAAA"]}, 4),
        ({"L": []}, 3), ({"L": [{"S": "a"}, {"NULL": True}]}, 7), ({"M": {}}, 3), ({"M": {"é": {"S": "a"}}}, 7),
        ({"BOOL": True}, 1), ({"NULL": True}, 1),
    ],
)  # fmt: skip
def test_a_value_has_the_size_that_is_paid_for(value: Any, size: int) -> None:
    assert value_size(value) == size
    assert item_size({"é": value, "b": {"S": "x"}}) == 2 + size + 2


PLAIN: list[tuple[Any, dict[str, Any], Any]] = [
    (True, {"BOOL": True}, True), (None, {"NULL": True}, None), ("a", {"S": "a"}, "a"), (7, {"N": "7"}, 7),
    (Decimal("1.50"), {"N": "1.5"}, Decimal("1.5")), (b"\0\xff", {"B": "AP8="}, "AP8="),
    ([1, "a"], {"L": [{"N": "1"}, {"S": "a"}]}, [1, "a"]), ((1,), {"L": [{"N": "1"}]}, [1]),
    ({"a": {"b": False}}, {"M": {"a": {"M": {"b": {"BOOL": False}}}}}, {"a": {"b": False}}),
    ({"b", "a"}, {"SS": ["a", "b"]}, ["a", "b"]), (frozenset({10, 2}), {"NS": ["10", "2"]}, [2, 10]),
    ({b"\xff", b"\0"}, {"BS": ["/w==", "AA=="]}, ["/w==", "AA=="]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "wire", "shown"), PLAIN)
def test_plain_json_becomes_an_attribute_and_is_shown_again(value: Any, wire: dict[str, Any], shown: Any) -> None:
    assert from_plain(value) == wire
    assert to_plain(wire) == shown
    assert item_from_plain({"x": value}) == {"x": wire}
    assert item_to_plain({"x": wire}) == {"x": shown}


def test_sets_are_shown_in_order() -> None:
    assert to_plain({"SS": ["b", "a"]}) == ["a", "b"]
    assert to_plain({"BS": ["B+==", "AA=="]}) == ["AA==", "B+=="]
    assert to_plain({"NS": ["10", "2"]}) == [2, 10]


@pytest.mark.parametrize("value", [1.5, object(), set(), {1, "a"}, {True}, {None}])
def test_what_has_no_type_is_refused(value: object) -> None:
    with pytest.raises(Unacceptable):
        from_plain(value)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("1.0", "N", {"N": "1"}), ("AP9=", "B", {"B": "AP8="}), ("1.0", "S", {"S": "1.0"})],
)
def test_a_typed_key_has_the_type_of_the_table(text: str, kind: str, value: dict[str, str]) -> None:
    assert key_value(text, kind) == value


def test_an_empty_text_is_no_key() -> None:
    with pytest.raises(Unacceptable, match="must not be empty"):
        key_value("", "S")
