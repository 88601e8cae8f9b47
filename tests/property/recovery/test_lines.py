"""A line of JSON in which a name stands twice loses a value in every codec: it is told, however it is written."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.recovery.lines import BadLine, check_names, parse_json
from tests.property.examples import examples

#: Few names, so that some stand twice; and texts that look like JSON, or need escapes.
NAMES = st.sampled_from(["a", "b", "Item", '"', "\\", "é", '":', "\n"])
TEXTS = st.one_of(st.text(max_size=3), st.sampled_from(['","a":"', "\\", '\\"', "{", " ", "\u2028"]))


class Pairs(list[Any]):
    """An object by its members, in their order, some perhaps of one name."""


LEAVES = st.one_of(TEXTS, st.booleans(), st.none(), st.integers(-9, 9))
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(NAMES, inner), max_size=3).map(Pairs)
)
OBJECTS = st.lists(st.tuples(NAMES, TREES), max_size=4).map(Pairs)


def written(tree: Any, data: st.DataObject) -> str:
    """The tree as JSON: spaces and escapes where they are allowed."""
    gap = data.draw(st.sampled_from(["", "", "", " "]))
    if isinstance(tree, Pairs):
        members = [f"{text(name, data)}{gap}:{gap}{written(one, data)}" for name, one in tree]
        return "{" + f",{gap}".join(members) + "}"
    if isinstance(tree, list):
        return "[" + f"{gap},".join(written(one, data) for one in tree) + "]"
    return text(tree, data) if isinstance(tree, str) else json.dumps(tree)


def text(value: str, data: st.DataObject) -> str:
    how = data.draw(st.sampled_from(["plain", "plain", "ascii", "all"]))
    if how == "all":
        return '"' + "".join(f"\\u{unit:04x}" for unit in units(value)) + '"'
    return json.dumps(value, ensure_ascii=how == "ascii")


def units(value: str) -> list[int]:
    raw = value.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


def repeats(tree: Any) -> bool:
    if isinstance(tree, Pairs):
        names = [name for name, _ in tree]
        return len(set(names)) != len(names) or any(repeats(one) for _, one in tree)
    return isinstance(tree, list) and any(map(repeats, tree))


@settings(max_examples=examples(300), deadline=None)
@given(tree=OBJECTS, data=st.data())
def test_a_name_that_stands_twice_is_found_at_any_depth_and_nothing_else_is(tree: Any, data: st.DataObject) -> None:
    raw = written(tree, data).encode()
    parsed = orjson.loads(raw)
    if repeats(tree):
        with pytest.raises(BadLine, match="twice"):
            check_names(raw, parsed)
        return
    check_names(raw, parsed)
    wrapped = b'{"Item":%s}' % raw
    assert parse_json(wrapped, wrapped=True) == parsed


def test_escaped_quotation_marks_do_not_stand_in_for_those_of_a_lost_member() -> None:
    raw = b'{"a":"","a":"\\u0022\\u0022\\u0022\\u0022"}'
    assert orjson.dumps(orjson.loads(raw)).count(b'"') == raw.count(b'"')
    with pytest.raises(BadLine, match="names 'a' twice"):
        check_names(raw, orjson.loads(raw))
