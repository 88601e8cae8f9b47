"""Each difference of two items is told once, at its path, with both values and what kind of change it is."""

from __future__ import annotations

from typing import Any

import pytest

from ops.verify.attributes import attribute_changes


def changes(expected: Any, found: Any) -> list[tuple[str, str | None, str | None, str]]:
    told = attribute_changes({"x": expected} if expected else {}, {"x": found} if found else {})
    return [(one.path, one.expected, one.found, one.note) for one in told]


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        ({"N": "71"}, {"N": "71.0"}, []),
        ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}, []),
        ({"M": {"a": {"N": "1"}}}, {"M": {"a": {"N": "1.0"}}}, []),
        ({"N": "71"}, {"N": "72"}, [("x", "N 71", "N 72", "")]),
        ({"N": "71"}, {"S": "71"}, [("x", "N 71", 'S "71"', "type changed")]),
        ({"S": "é"}, {"S": "e"}, [("x", 'S "é"', 'S "e"', "")]),
        ({"BOOL": True}, {"BOOL": False}, [("x", "BOOL true", "BOOL false", "")]),
        ({"S": "a"}, None, [("x", 'S "a"', None, "absent")]),
        (None, {"NULL": True}, [("x", None, "NULL true", "only found")]),
        ({"SS": ["a"]}, {"SS": ["a", "b"]}, [("x", 'SS ["a"]', 'SS ["a", "b"]', "")]),
        (
            {"M": {"b": {"N": "1"}, "a": {"S": "s"}, "same": {"S": "s"}}},
            {"M": {"b": {"N": "2"}, "c": {"S": "t"}, "same": {"S": "s"}}},
            [("x.a", 'S "s"', None, "absent"), ("x.b", "N 1", "N 2", ""), ("x.c", None, 'S "t"', "only found")],
        ),
        (
            {"L": [{"S": "a"}, {"S": "b"}, {"M": {"y": {"N": "1"}}}]},
            {"L": [{"S": "a"}, {"S": "c"}, {"M": {"y": {"N": "2"}}}]},
            [("x[1]", 'S "b"', 'S "c"', ""), ("x[2].y", "N 1", "N 2", "")],
        ),
        ({"L": [{"S": "a"}]}, {"L": []}, [("x", 'L [{"S": "a"}]', "L []", "")]),
        ({"M": {"b": {"S": "1"}, "a": {"S": "2"}}}, {"L": []},
         [("x", 'M {"a": {"S": "2"}, "b": {"S": "1"}}', "L []", "type changed")]),
    ],
)  # fmt: skip
def test_what_differs_is_told_with_path_values_and_kind(expected: Any, found: Any, told: Any) -> None:
    assert changes(expected, found) == told


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        ({"N": "NaN"}, {"N": "NaN"}, []),
        ({"N": "NaN"}, {"N": "1"}, [("x", "N NaN", "N 1", "")]),
        ({"S": "a", "N": "1"}, {"S": "a"}, [("x", '{"N": "1", "S": "a"}', 'S "a"', "type changed")]),
        ("text", {"S": "text"}, [("x", '"text"', 'S "text"', "type changed")]),
        ([7], [8], [("x", "[7]", "[8]", "")]),
        ({"M": [1]}, {"M": {}}, [("x", "M [1]", "M {}", "")]),
        ({"M": {}}, {"M": [1]}, [("x", "M {}", "M [1]", "")]),
        ({"L": "a"}, {"L": []}, [("x", 'L "a"', "L []", "")]),
        ({"L": []}, {"L": {}}, [("x", "L []", "L {}", "")]),
        ({"BS": ["!"]}, {"BS": ["AA=="]}, [("x", 'BS ["!"]', 'BS ["AA=="]', "")]),
    ],
)
def test_values_that_are_not_well_formed_are_told_as_they_are(expected: Any, found: Any, told: Any) -> None:
    assert changes(expected, found) == told


def test_paths_come_in_order_and_a_name_at_the_top_stands_alone() -> None:
    told = attribute_changes({"b": {"S": "1"}, "a": {"S": "1"}}, {"b": {"S": "2"}, "a": {"S": "2"}})
    assert [one.path for one in told] == ["a", "b"]
