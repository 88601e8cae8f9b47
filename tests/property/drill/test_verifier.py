"""C23 asks with other notations of the same values: they must be the same values, and really be written otherwise."""

from __future__ import annotations

import base64
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.drill.damage import every_type_item
from ops.drill.verifier import rewrite
from ops.model.items import Item, KeySchema
from ops.verify.canonical import canonical_item
from ops.verify.fingerprint import recorder

SCHEMA = KeySchema("id")
_NUMBERS = st.integers(-(10**37), 10**37).map(str)
_BINARIES = st.binary(max_size=8).map(lambda raw: base64.b64encode(raw).decode())
_SCALARS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.text(max_size=5).map(lambda text: {"S": text}),
    _NUMBERS.map(lambda text: {"N": text}),
    _BINARIES.map(lambda text: {"B": text}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.lists(_NUMBERS, min_size=1, max_size=4, unique=True).map(lambda members: {"NS": members}),
    st.lists(_BINARIES, min_size=1, max_size=4, unique=True).map(lambda members: {"BS": members}),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda members: {"L": members}),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=4), _VALUES, max_size=5))
def test_another_notation_is_the_same_item(attributes: Item) -> None:
    item = {**attributes, "id": {"S": "k"}}
    record = recorder(SCHEMA)
    assert canonical_item(rewrite(item)) == canonical_item(item)
    assert record(rewrite(item)) == record(item)


def test_the_item_with_every_type_is_really_written_in_another_way() -> None:
    item = every_type_item({"id": {"S": "k"}}, SCHEMA, (), Random(1))
    changed = {name for name, value in rewrite({**item, "n": {"N": "71"}}).items() if value != {**item}.get(name)}
    assert {"n", "drill_binary", "drill_texts", "drill_numbers", "drill_list"} <= changed
