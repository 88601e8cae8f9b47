"""A table that others write to while it is compared: each key is told as it was at some moment of the comparison."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ops.dynamodb.table import Table
from ops.dynamodb.write import key_bytes
from ops.model.items import Item
from ops.model.proof import SideInfo
from ops.verify.compare import compare
from ops.verify.fingerprint import recorder
from ops.verify.sides import LinesSide, TableSide
from tests.property.examples import examples
from tests.unit.dynamodb.kit import KEYS, MemoryTable, plane, some_items

TABLE = Table("t", "us-east-1", "arn", "id", "ACTIVE", KEYS, {}, None, False, 0)
#: What becomes of an item: nothing, or another value, or no item.
Change = Callable[[Item], Item | None]
CHANGES: list[Change] = [lambda item: item, lambda item: {**item, "text": {"S": "new"}}, lambda item: None]
#: What the table holds of an expected item at first, and what it comes to hold one after another.
HISTORIES = st.lists(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3), min_size=1, max_size=20)


class WrittenTo:
    """A table to which somebody writes between two requests."""

    def __init__(self, table: MemoryTable, writes: list[tuple[bytes, Item | None]], random: Random) -> None:
        self._table, self._writes, self._random = table, writes, random

    def send(self, operation: str, body: bytes) -> dict[str, Any]:
        while self._writes and self._random.random() < 0.4:
            put(self._table, *self._writes.pop(0))
        return self._table.send(operation, body)


def put(table: MemoryTable, key: bytes, item: Item | None) -> None:
    table.items.pop(key, None)
    if item is not None:
        table.items[key] = item


@settings(max_examples=examples(200), deadline=None)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_what_differed_all_along_is_told_and_what_never_differed_is_not(
    histories: list[list[Change]], random: Random
) -> None:
    expected = some_items(len(histories))
    states = {
        key_bytes(item, KEYS): [change(item) for change in history]
        for item, history in zip(expected, histories, strict=True)
    }
    table = MemoryTable()
    for key, [first, *_] in states.items():
        put(table, key, first)
    writes = [(key, state) for at in (1, 2) for key, history in states.items() for state in history[at : at + 1]]
    found = TableSide(plane(WrittenTo(table, writes, random)), TABLE)
    result = compare(LinesSide(SideInfo("lines", "e"), lambda: iter(expected), KEYS), found, keys=KEYS)
    named = {one.key_digest: one.kind for one in result.differences}
    assert len(named) == result.differing
    for item in expected:
        possible = {kind(item, state) for state in states[key_bytes(item, KEYS)]}
        assert named.get(recorder(KEYS)(item).key.hex()) in possible


def kind(item: Item, state: Item | None) -> str | None:
    return "missing" if state is None else None if state == item else "changed"
