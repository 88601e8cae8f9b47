"""A comparison that leaves out anything at all is found out by the questions that every drill puts to it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from ops.drill.damage import every_type_item
from ops.drill.details import DETAILS
from ops.drill.verifier import check_verifier
from ops.model.items import AttributeValue, Item, KeySchema
from ops.model.proof import Comparison
from ops.verify.compare import Comparer, TtlRule, compare
from ops.verify.fingerprint import recorder
from ops.verify.sides import LinesSide, Side

SCHEMA = KeySchema("artist", "S", "id", "S")
ITEMS: list[Item] = [
    {"artist": {"S": f"a{number % 7}"}, "id": {"S": f"t{number}"}, "popularity": {"N": str(number)}}
    for number in range(60)
]
SAMPLE = [*ITEMS, every_type_item(ITEMS[0], SCHEMA, (), Random(1))]

Blind = Callable[[str, Any], AttributeValue | None]


def seen(value: AttributeValue, blind: Blind) -> AttributeValue | None:
    """What is left of a value; what is inside it first."""
    [(tag, content)] = value.items()
    if tag == "L":
        content = [one for one in (seen(member, blind) for member in content) if one is not None]
    if tag == "M":
        members = {name: seen(member, blind) for name, member in content.items()}
        content = {name: one for name, one in members.items() if one is not None}
    return blind(tag, content)


def without(*tags: str) -> Blind:
    return lambda tag, content: None if tag in tags else {tag: content}


def as_texts(change: Callable[[str], str]) -> Blind:
    return lambda tag, content: {tag: change(content) if tag == "S" else content}


VALUES: dict[str, Blind] = {
    "binaries": without("B"),
    "sets": without("SS", "NS", "BS"),
    "sets of texts": without("SS"),
    "sets of numbers": without("NS"),
    "sets of binaries": without("BS"),
    "flags": without("BOOL"),
    "NULL": without("NULL"),
    "lists": without("L"),
    "maps": without("M"),
    "numbers": without("N"),
    "digits beyond the seventeenth": lambda tag, content: {tag: repr(float(content)) if tag == "N" else content},
    "signs": lambda tag, content: {tag: content.lstrip("-") if tag == "N" else content},
    "empty texts": lambda tag, content: None if (tag, content) == ("S", "") else {tag: content},
    "empty binaries": lambda tag, content: None if (tag, content) == ("B", "") else {tag: content},
    "empty lists and maps": lambda tag, content: None if content in ([], {}) else {tag: content},
    "zeros at the end of a binary": lambda tag, content: {tag: content.rstrip("A=")[:3] if tag == "B" else content},
    "types": lambda tag, content: {"S": str(content)} if tag in ("N", "B", "S") else {tag: content},
    "letter case": as_texts(str.lower),
    "space": as_texts(str.strip),
    "accents written as two": as_texts(lambda text: unicodedata.normalize("NFC", text)),
    "long texts": as_texts(lambda text: text[:4096]),
    "letters beyond the basic plane": as_texts(lambda text: text.encode("ascii", "replace").decode()),
    "order of lists": lambda tag, content: {tag: sorted(content, key=repr) if tag == "L" else content},
    "all but the first of a list": lambda tag, content: {tag: content[:1] if tag == "L" else content},
    "case of names": lambda tag, content: {
        tag: {name.lower(): one for name, one in content.items()} if tag == "M" else content
    },
}


def items_seen(side: Side, change: Callable[[Iterator[Item]], Iterator[Item]]) -> LinesSide:
    """The side as a blind comparison has it, which itself counts what it read."""
    assert isinstance(side, LinesSide)
    read = side.read
    return replace(side, read=lambda: change(iter(read())), count=None)


def blind_to(change: Callable[[Iterator[Item]], Iterator[Item]]) -> Comparer:
    def comparer(
        expected: Side, found: Side, *, keys: KeySchema, ttl: TtlRule | None = None, listed: int = 1000
    ) -> Comparison:
        return compare(items_seen(expected, change), items_seen(found, change), keys=keys, ttl=ttl, listed=listed)

    return comparer


def each(blind: Blind) -> Callable[[Iterator[Item]], Iterator[Item]]:
    def strip(item: Item) -> Item:
        left = {name: value if name in SCHEMA.names else seen(value, blind) for name, value in item.items()}
        return {name: value for name, value in left.items() if value is not None}

    return lambda items: map(strip, items)


def segment(number: int) -> Callable[[Iterator[Item]], Iterator[Item]]:
    record = recorder(SCHEMA)
    return lambda items: (item for item in items if record(item).key[0] % 4 != number)


SOME: dict[str, Callable[[Iterator[Item]], Iterator[Item]]] = {
    **{f"segment {number}": segment(number) for number in range(4)},
    "first item": lambda items: islice(items, 1, None),
    "last item": lambda items: iter(list(items)[:-1]),
    "last page": lambda items: iter(list(items)[:-20]),
    "items after the first hundred": lambda items: islice(items, 90),
    "attributes after the first": lambda items: (dict(islice(item.items(), 3)) for item in items),
}


def answers(comparer: Comparer) -> dict[str, bool]:
    bench: Any = SimpleNamespace(schema=SCHEMA, chance=lambda about: Random(f"7 {about}"))
    return {one.code: one.caught for one in check_verifier(bench, comparer, SAMPLE)}


def test_a_sound_comparison_answers_every_question_rightly() -> None:
    assert answers(compare) == {"C22": True, "C23": True, "C24": True}


@pytest.mark.parametrize("what", VALUES)
def test_a_comparison_that_leaves_out_some_values_is_found_out(what: str) -> None:
    assert not answers(blind_to(each(VALUES[what])))["C24"]


@pytest.mark.parametrize("what", SOME)
def test_a_comparison_that_leaves_out_some_items_is_found_out(what: str) -> None:
    assert not answers(blind_to(SOME[what]))["C24"]


def test_every_detail_is_a_change_and_there_is_one_of_each() -> None:
    record = recorder(SCHEMA)
    key = {name: {"S": "k"} for name in SCHEMA.names}
    for one in DETAILS:
        before, after = ({**key, **({} if value is None else {"x": value})} for value in (one.before, one.after))
        assert not record(before).fault
        assert not record(after).fault
        assert record(before).item != record(after).item
    assert len({one.what for one in DETAILS}) == len(DETAILS)
