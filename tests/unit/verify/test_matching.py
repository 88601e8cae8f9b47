"""A condition decided here means what it means to DynamoDB."""

from __future__ import annotations

import re

import pytest

from ops.dynamodb.expressions import Expression, parse_where
from ops.model.items import Item
from ops.verify.matching import matcher

ITEM: Item = {
    "pk": {"S": "a"}, "n": {"N": "10"}, "s": {"S": "rock"}, "b": {"B": "AAH/"}, "flag": {"BOOL": True},
    "null": {"NULL": True}, "l": {"L": [{"S": "x"}, {"N": "2"}]}, "m": {"M": {"year": {"N": "1999"}}},
    "ss": {"SS": ["SE", "US"]}, "ns": {"NS": ["1", "2.50"]}, "bs": {"BS": ["AAH/", "AA=="]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("n = 10", True), ("n = 10.0", True), ("n <> 10", False), ("n < 9", False), ("n > 9", True),
        ("n >= 10 and n <= 10", True), ("n between 9 and 11", True), ("n between 11 and 12", False),
        ("n in (1, 10)", True), ("n in (1, 2)", False), ("s = 'rock'", True), ("s < 'a'", False),
        ("s = 10", False), ("s <> 10", True), ("nothing <> 1", True), ("nothing = 1", False), ("nothing < 1", False),
        ("not nothing < 1", True), ("flag = true", True), ("flag = false", False), ("null = null", True),
        ("m.year < 2000", True), ("l[0] = 'x'", True), ("l[1] > 1", True), ("l[2] = 1", False), ("n.year = 1", False),
        ("attribute_exists(m.year)", True), ("attribute_exists(m.month)", False), ("attribute_not_exists(x)", True),
        ("attribute_type(n, 'N')", True), ("attribute_type(n, 'S')", False), ("begins_with(s, 'ro')", True),
        ("begins_with(n, '1')", False), ("contains(s, 'oc')", True), ("contains(ss, 'SE')", True),
        ("contains(ns, 2.5)", True), ("contains(l, 2)", True), ("contains(l, 'y')", False), ("contains(x, 'y')", False),
        ("size(s) = 4", True), ("size(l) = 2", True), ("size(b) = 3", True), ("size(n) > 0", False),
        ("n = 1 or s = 'rock' and flag = true", True), ("(n = 1 or s = 'rock') and flag = false", False),
        ("not (n = 1 or s = 'rock')", False), ("n between 10 and 10", True), ("n between 1 and 9", False),
        ("n < 10", False), ("n <= 9", False), ("n > 10", False), ("n >= 11", False), ("n < 100", True),
        ("s between 'a' and 'z'", True), ("b = b", True), ("flag < true", False), ("l[0] <> 'y'", True),
        ("s.x = 1", False), ("l.x = 1", False), ("s[0] = 'r'", False), ("nothing[0] = 1", False),
        ("nothing.x <> 1", True), ("m.year.x = 1", False), ("size(m) = 1", True), ("size(ss) = 2", True),
        ("size(flag) = 1", False), ("size(null) = 1", False), ("size(nothing) = 0", False),
        ("attribute_type(s, s)", False), ("attribute_type(nothing, 'S')", False), ("contains(s, 1)", False),
        ("contains(s, nothing)", False), ("contains(n, '1')", False), ("contains(ns, '1')", False),
        ("contains(ns, 3)", False), ("contains(m, 'year')", False), ("begins_with(s, 'ck')", False),
        ("begins_with(s, 1)", False), ("begins_with(nothing, 'a')", False), ("begins_with(b, b)", True),
        ("begins_with(ss, ss)", False), ("s in ('jazz', 'rock')", True), ("nothing in (1, 2)", False),
        ("not not n = 10", True), ("n = 10 and not s = 'x'", True), ("n = 1 or n = 2 or n = 10", True),
        ("n = 10 and s = 'rock' and flag = false", False), ("size(s) > size(l)", True),
        ("contains(bs, b)", True), ("contains(bs, s)", False),
    ],
)  # fmt: skip
def test_a_condition_is_decided_as_dynamodb_decides_it(text: str, wanted: bool) -> None:
    assert matcher(parse_where(text)).matches(ITEM) is wanted


def test_the_top_level_attributes_that_a_condition_speaks_of() -> None:
    assert matcher(parse_where("m.year < 1 and (n = 1 or size(s) > 2)")).attributes == {"m", "n", "s"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("#a", "ends too early"), ("#a =", "ends too early"), ("#a = :v #a", "goes on behind its end"),
        ("#a AND :v", "'AND' in '#a AND :v' is no comparison"), ("#a = AND", "'AND' in '#a = AND' is no operand"),
        ("(#a = :v", "')' is missing"), ("#a IN :v", "'(' is missing"), ("#a BETWEEN :v OR :v", "'AND' is missing"),
        ("size #a = :v", "'(' is missing"), ("size(#a = :v", "')' is missing"),
        ("begins_with(#a, :v", "')' is missing"), ("begins_with #a", "'(' is missing"),
        ("#a = :v~", "'~' in '#a = :v~' cannot be read"), ("  ~#a = :v", "'~#a = :v' in '  ~#a = :v' cannot be read"),
    ],
)  # fmt: skip
def test_an_expression_that_is_none_is_named(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        matcher(Expression(text, {"#a": "n"}, {":v": {"N": "1"}}))


def test_an_odd_value_is_only_equal_to_itself() -> None:
    odd = Expression("#a = :v", {"#a": "n"}, {":v": {"N": "NaN"}})
    assert matcher(odd).matches({"n": {"N": "NaN"}})
    assert not matcher(odd).matches({"n": {"N": "nan"}})


@pytest.mark.parametrize(("left", "right"), [("AA==", "+A=="), ("+A==", "/w=="), ("AA==", "AAA="), ("", "AA==")])
def test_binaries_are_in_the_order_of_their_bytes(left: str, right: str) -> None:
    expression = Expression("#a < :v", {"#a": "b"}, {":v": {"B": right}})
    assert matcher(expression).matches({"b": {"B": left}})
    back = Expression("#a < :v", {"#a": "b"}, {":v": {"B": left}})
    assert not matcher(back).matches({"b": {"B": right}})


def test_a_binary_begins_with_its_first_bytes() -> None:
    expression = Expression("begins_with(#a, :v)", {"#a": "b"}, {":v": {"B": "AP8="}})
    assert matcher(expression).matches({"b": {"B": "AP/+"}})
    assert not matcher(expression).matches({"b": {"B": "AP4="}})
