"""One text for one value: items in plain notation need no walk, and a walk gives the same text."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from ops.model.items import Item, KeySchema
from ops.verify import canonical
from ops.verify.canonical import ShapeError, canonical_item, canonical_key, canonical_value


def nested(levels: int, inner: dict[str, Any], kind: str) -> dict[str, Any]:
    for _ in range(levels):
        inner = {"M": {"m": inner, "a": {"S": ""}}} if kind == "M" else {"L": [inner, {"N": "1"}]}
    return inner


PLAIN: dict[str, dict[str, Any]] = {
    "text": {"S": "a"},
    "empty": {"S": ""},
    "escapes": {"S": '"\\ \n "SS":["b","a"] é \U0001f3b8'},
    "zero": {"N": "0"},
    "whole": {"N": "-" + "9" * 38},
    "part": {"N": "0.05"},
    "parts": {"N": "-123456789012345678.000000000000000001"},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "null": {"NULL": True},
    "no map": {"M": {}},
    "no list": {"L": []},
    "map": {"M": {"b": {"S": "1"}, "a": {"N": "2"}, "c": {"L": [{"S": "x"}, {"M": {"y": {"NULL": True}}}]}}},
    "six maps": nested(6, {"S": "x"}, "M"),
    "six lists": nested(6, {"N": "7"}, "L"),
    "strings": {"SS": ["b", "a", "", "B", "é", "a,b"]},
    "a string": {"SS": ["one"]},
    "strings that begin with a bracket": {"SS": ["x", "b", "],z", "]"]},
    "strings inside": {"M": {"s": {"SS": ["y", "x"]}, "l": {"L": [{"SS": ["2", "10"]}]}}},
}


def text_of(item: object) -> bytes:
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def with_sorted_sets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: sorted(inner) if name == "SS" and isinstance(inner, list) else with_sorted_sets(inner)
            for name, inner in value.items()
        }
    return [with_sorted_sets(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", PLAIN)
def test_a_value_in_plain_notation_is_not_walked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def walked(value: object, depth: int = 1) -> Any:
        raise AssertionError(f"walked: {value}")

    item = {"pk": {"S": "k"}, name: PLAIN[name], "z": {"N": "1"}}
    monkeypatch.setattr(canonical, "canonical_value", walked)
    assert canonical_item(item) == text_of(with_sorted_sets(item))


@pytest.mark.parametrize("name", PLAIN)
def test_a_walk_gives_the_text_that_was_given_without(name: str) -> None:
    # A number that needs a walk stands beside it.
    walked = orjson.loads(canonical_item({"x": PLAIN[name], "n": {"N": "1.0"}}))
    assert walked == {"x": orjson.loads(canonical_item({"x": PLAIN[name]}))["x"], "n": {"N": "1"}}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"N": "1.0"}, {"N": "1"}), ({"N": "-0"}, {"N": "0"}), ({"N": "1E2"}, {"N": "100"}), ({"N": "007"}, {"N": "7"}),
        ({"N": "+5"}, {"N": "5"}), ({"N": ".5"}, {"N": "0.5"}), ({"N": "0.10"}, {"N": "0.1"}),
        ({"N": "-0.0"}, {"N": "0"}), ({"N": "1."}, {"N": "1"}),
        ({"B": "AP9="}, {"B": "AP8="}), ({"NS": ["2", "1.0", "10"]}, {"NS": ["1", "10", "2"]}),
        ({"BS": ["AQ==", "AP9="]}, {"BS": ["AP8=", "AQ=="]}), ({"SS": ["b", 'a"']}, {"SS": ['a"', "b"]}),
        ({"SS": ["b]", "a"]}, {"SS": ["a", "b]"]}), (nested(7, {"N": "1.0"}, "M"), nested(7, {"N": "1"}, "M")),
        (nested(9, {"SS": ["b", "a"]}, "L"), nested(9, {"SS": ["a", "b"]}, "L")),
    ],
)  # fmt: skip
def test_another_notation_of_a_value_gives_the_same_text(value: dict[str, Any], plain: dict[str, Any]) -> None:
    assert canonical_item({"x": value}) == text_of({"x": plain})
    assert canonical_item({"x": {"L": [value]}}) == text_of({"x": {"L": [plain]}})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"SS": ["a", "a", "]"]}, "twice"),
        ({"SS": ["a", "a"]}, "twice"), ({"SS": ['a"', 'a"']}, "twice"), ({"NS": ["1", "1.0"]}, "twice"),
        ({"BS": ["AP8=", "AP9="]}, "twice"), ({"SS": []}, "a set is empty"), ({"SS": "a"}, "a set is empty"),
        ({"SS": ["a", 1]}, "something else"), ({"S": 1}, "type 'S'"), ({"BOOL": 1}, "type 'BOOL'"),
        ({"NULL": False}, "type 'NULL'"), ({"NULL": 1}, "type 'NULL'"), ({"X": "a"}, "type 'X'"),
        ({"M": []}, "type 'M'"),
        ({"L": {}}, "type 'L'"), ({"S": "a", "N": "1"}, "not one DynamoDB value"), ({}, "not one DynamoDB value"),
        ("a", "not one DynamoDB value"), ({"N": "NaN"}, "not a number"), ({"N": 1}, "number"), ({"B": "?"}, "base64"),
        ({"S": "\ud800"}, "not writable"), ({"L": [{"M": {"a": {"S": None}}}]}, "type 'S'"),
    ],
)  # fmt: skip
def test_a_value_without_a_usable_form_is_named(value: object, reason: str) -> None:
    with pytest.raises(ShapeError, match=reason):
        canonical_item({"x": value})


def test_an_item_that_is_no_object_is_named() -> None:
    with pytest.raises(ShapeError, match="must be an object, not list"):
        canonical_item([])


@pytest.mark.parametrize("kind", ["M", "L"])
def test_the_deepest_value_that_is_judged_has_as_many_levels_as_the_codec_reads(kind: str) -> None:
    canonical_value(nested(126, {"N": "1"}, kind))
    with pytest.raises(ShapeError, match="nested more than 127 levels"):
        canonical_value(nested(127, {"N": "1"}, kind))


KEYS = KeySchema("pk", "S", "sk", "N")


def test_a_key_is_its_attributes_alone() -> None:
    item: Item = {"x": {"S": "y"}, "sk": {"N": "1.0"}, "pk": {"S": "a"}}
    assert canonical_key(item, KEYS) == b'{"pk":{"S":"a"},"sk":{"N":"1"}}'


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"pk": {"S": "a"}}, "'sk' is missing"), ({"pk": "a", "sk": {"N": "1"}}, "'pk' is missing or malformed"),
        ({"pk": {"S": "a", "N": "1"}, "sk": {"N": "1"}}, "'pk' is missing or malformed"),
        ({"pk": {"S": "a"}, "sk": {"S": "1"}}, "'sk' has type S, not N"),
    ],
)  # fmt: skip
def test_a_key_that_is_none_is_named(item: Item, reason: str) -> None:
    with pytest.raises(ShapeError, match=reason):
        canonical_key(item, KEYS)
