"""Filters and conditions over values of every type."""

from __future__ import annotations

from typing import Any

import pytest

VALUES: dict[str, Any] = {
    ":n2": {"N": "2"}, ":n2b": {"N": "2.0"}, ":n9": {"N": "9"}, ":x": {"S": "x"}, ":a": {"S": "a"},
    ":f": {"BOOL": False}, ":b": {"B": b"\xf0"}, ":b2": {"B": b"\x10"}, ":set": {"SS": ["b", "a"]},
    ":list": {"L": [{"S": "x"}, {"N": "1"}]},
    ":null": {"NULL": True}, ":map": {"M": {"deep": {"S": "y"}}}, ":M": {"S": "M"},
}  # fmt: skip
FULL: dict[str, Any] = {
    "s": {"S": "xyä"}, "v": {"N": "4"}, "f": {"BOOL": False}, "z": {"NULL": True}, "b": {"B": b"\x20\xf0"},
    "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2"]}, "l": {"L": [{"S": "x"}, {"N": "1"}]},
    "m": {"M": {"deep": {"S": "y"}}},
}  # fmt: skip
OTHER: dict[str, Any] = {"s": {"N": "1"}, "v": {"S": "text"}, "ss": {"L": [{"S": "a"}]}, "m": {"S": "no map"}}


@pytest.fixture(scope="module")
def kinds(shared_lab: Any) -> str:
    """Three items: with every type, with other types under the same names, with nothing but a key."""
    table: str = shared_lab.table(pitr=False)
    shared_lab.put(table, "full", **FULL)
    shared_lab.put(table, "other", **OTHER)
    shared_lab.put(table, "bare")
    return table


FULL_ONLY, OTHER_ONLY, ALL = {"full"}, {"other"}, {"full", "other", "bare"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("v > :n2", FULL_ONLY), ("v < :n9", FULL_ONLY), ("v > :x", set()), ("NOT v > :n2", {"other", "bare"}),
        ("v BETWEEN :n2 AND :n9", FULL_ONLY), ("v BETWEEN :n2 AND :x", set()), ("v IN (:n2, :x)", set()),
        ("v <> :n2", ALL), ("size(s) = :n2", set()), ("size(ss) = :n2", FULL_ONLY), ("size(b) = :n2", FULL_ONLY),
        ("size(m) < :n2", FULL_ONLY), ("size(v) > :n2", OTHER_ONLY), ("size(gone) > :n2", set()),
        ("contains(ss, :a)", ALL - {"bare"}), ("contains(ns, :n2b)", FULL_ONLY), ("contains(l, :x)", FULL_ONLY),
        ("contains(s, :x)", FULL_ONLY), ("contains(b, :b)", FULL_ONLY), ("contains(s, :n2)", set()),
        ("begins_with(s, :x)", FULL_ONLY), ("begins_with(b, :b)", set()), ("b > :b2", FULL_ONLY), ("b < :b", FULL_ONLY),
        ("f = :f", FULL_ONLY), ("f > :f", set()), ("z = :null", FULL_ONLY), ("gone = :null", set()),
        ("ss = :set", FULL_ONLY), ("l = :list", FULL_ONLY), ("m = :map", FULL_ONLY), ("m.deep = :x", set()),
        ("attribute_type(m, :M)", FULL_ONLY), ("l[5] = :x", set()), ("l[0] = :x", FULL_ONLY),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_false_and_never_an_error(
    shared_lab: Any, kinds: str, condition: str, expected: set[str]
) -> None:
    words = condition.replace("(", " ").replace(")", " ").replace(",", " ").split()
    used = {name: value for name, value in VALUES.items() if name in words}
    found = shared_lab.scan(kinds, FilterExpression=condition, ExpressionAttributeValues=used)
    assert {item["pk"]["S"] for item in found.values()} == expected


@pytest.mark.parametrize(
    ("condition", "operator"),
    [("contains(a, a)", "contains"), ("b = b", "="), ("NOT (a = b AND (c < d OR d >= d))", ">="),
     ("begins_with(a.b, a.b)", "begins_with")],
)  # fmt: skip
def test_nothing_is_compared_with_itself(shared_lab: Any, kinds: str, condition: str, operator: str) -> None:
    text = shared_lab.message(shared_lab.dynamodb.scan, TableName=kinds, FilterExpression=condition)
    assert text.startswith("Invalid FilterExpression: The first operand must be distinct from the remaining operands")
    assert f"operator: {operator}, first operand: [" in text
