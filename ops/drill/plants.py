"""The negative control, planned from a seed: small differences of known key and kind. Pure.

A verifier that cannot fail proves nothing. Kinds C01 to C12 change items.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ops.drill.damage import new_key
from ops.drill.ledger import Planned, key_token
from ops.model.items import AttributeValue, Item, KeySchema, key_of, key_text
from ops.model.proof import Difference, DifferenceKind
from ops.verify.fingerprint import recorder

KINDS_PER_DRILL = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """The keys of the table, and the attributes that are keys of an index."""

    schema: KeySchema
    index_keys: tuple[str, ...] = ()

    @property
    def reserved(self) -> frozenset[str]:
        """Attributes whose type AWS guards; a planted value must leave them alone."""
        return frozenset((*self.schema.names, *self.index_keys))


@dataclass(frozen=True, slots=True)
class Plant:
    """One control: the writes that plant it, those that take it back, and what must be reported."""

    code: str
    what: str
    subject: str
    writes: tuple[Planned, ...]
    undo: tuple[Planned, ...]
    differences: tuple[Difference, ...]


Maker = Callable[[Item, Shape, Random], Plant | None]


def plan_plants(
    items: Iterable[Item], shape: Shape, random: Random, kinds: int = KINDS_PER_DRILL, codes: Sequence[str] = ()
) -> tuple[Plant, ...]:
    """`kinds` controls of different kind on different keys (or exactly those of `codes`), as the items allow."""
    pool = list(items)
    random.shuffle(pool)
    wanted = list(codes) or random.sample(sorted(MAKERS), len(MAKERS))
    taken: set[str] = set()
    present = {key_token(key_of(item, shape.schema)) for item in pool}
    plants: list[Plant] = []
    for code in wanted:
        if len(plants) == (len(codes) or kinds):
            break
        plant = _first(code, pool, shape, random, taken, present)
        if plant is not None:
            plants.append(plant)
            taken |= {key_token(one.key) for one in plant.writes}
    return tuple(plants)


def _first(
    code: str, pool: Sequence[Item], shape: Shape, random: Random, taken: set[str], present: set[str]
) -> Plant | None:
    for item in pool:
        if key_token(key_of(item, shape.schema)) in taken:
            continue
        plant = MAKERS[code](item, shape, random)
        if plant is None:
            continue
        fresh = [key_token(one.key) for one in plant.undo if one.item is None]
        if present.isdisjoint(fresh) and taken.isdisjoint(fresh):
            return plant
    return None


def _difference(kind: DifferenceKind, item: Item, schema: KeySchema) -> Difference:
    return Difference(kind, recorder(schema)(item).key.hex(), key_of(item, schema))


def _changed(code: str, what: str, item: Item, spoiled: Item, shape: Shape) -> Plant:
    key = key_of(item, shape.schema)
    return Plant(
        code,
        what,
        key_text(key),
        writes=(Planned("update", key, spoiled),),
        undo=(Planned("update", key, item),),
        differences=(_difference("changed", item, shape.schema),),
    )


def _removed(item: Item, shape: Shape, random: Random) -> Plant | None:
    key = key_of(item, shape.schema)
    difference = _difference("missing", item, shape.schema)
    return Plant(
        "C01", "item removed", key_text(key), (Planned("delete", key, None),), (Planned("insert", key, item),),
        (difference,),
    )  # fmt: skip


def _added(item: Item, shape: Shape, random: Random) -> Plant | None:
    key = new_key(item, shape.schema, random.randrange(10_000), random)
    extra = {**item, **key}
    difference = _difference("extra", extra, shape.schema)
    return Plant(
        "C02", "item added", key_text(key), (Planned("insert", key, extra),), (Planned("delete", key, None),),
        (difference,),
    )  # fmt: skip


def _free(item: Item, shape: Shape, kind: str) -> list[str]:
    return sorted(name for name, value in item.items() if kind in value and name not in shape.reserved)


def _last_digit(item: Item, shape: Shape, random: Random) -> Plant | None:
    numbers = [name for name in _free(item, shape, "N") if item[name]["N"][-1].isdigit()]
    if not numbers:
        return None
    name = max(numbers, key=lambda one: len(item[one]["N"]))
    text: str = item[name]["N"]
    last = "8" if text[-1] == "9" else str(int(text[-1]) + 1)  # never a trailing 0, which would change the length
    digits = sum(one.isdigit() for one in text)
    return _changed(
        "C03", f"last digit of a {digits}-digit number", item, {**item, name: {"N": text[:-1] + last}}, shape
    )


def _number_to_text(item: Item, shape: Shape, random: Random) -> Plant | None:
    numbers = _free(item, shape, "N")
    if not numbers:
        return None
    name = random.choice(numbers)
    spoiled = {**item, name: {"S": item[name]["N"]}}
    return _changed("C04", f"number {name} became text of the same digits", item, spoiled, shape)


def _set_member(item: Item, shape: Shape, random: Random) -> Plant | None:
    for kind in ("SS", "NS", "BS"):
        for name in _free(item, shape, kind):
            members: list[str] = item[name][kind]
            if len(members) > 1:
                return _changed("C05", f"one member of {name} gone", item, {**item, name: {kind: members[:-1]}}, shape)
    return None


def _last_byte(item: Item, shape: Shape, random: Random) -> Plant | None:
    for name in _free(item, shape, "B"):
        raw = bytearray(base64.b64decode(item[name]["B"]))
        if raw:
            raw[-1] ^= 1
            spoiled = {**item, name: {"B": base64.b64encode(bytes(raw)).decode()}}
            return _changed("C06", f"last byte of the binary {name}", item, spoiled, shape)
    return None


def _deep_value(item: Item, shape: Shape, random: Random) -> Plant | None:
    """The text that lies deepest in maps."""
    best: tuple[int, str] | None = None
    for name in _free(item, shape, "M"):
        depth = _depth(item[name])
        if depth and (best is None or depth > best[0]):
            best = (depth, name)
    if best is None:
        return None
    depth, name = best
    spoiled = {**item, name: _spoil_deepest(item[name])}
    return _changed("C07", f"one text {depth} map{'s' if depth > 1 else ''} deep", item, spoiled, shape)


def _depth(value: AttributeValue) -> int:
    """Maps above the deepest text; 0 when there is none below this value."""
    if "M" not in value:
        return 0
    below = [1 + _depth(one) for one in value["M"].values() if "S" in one or _depth(one)]
    return max(below, default=0)


def _spoil_deepest(value: AttributeValue) -> AttributeValue:
    members: dict[str, Any] = dict(value["M"])
    target = _depth(value) - 1
    for name, one in sorted(members.items()):
        if target == 0 and "S" in one:
            members[name] = {"S": one["S"] + "~"}
            break
        if target > 0 and _depth(one) == target:
            members[name] = _spoil_deepest(one)
            break
    return {"M": members}


def _absent(code: str, what: str, empty: AttributeValue) -> Maker:
    def make(item: Item, shape: Shape, random: Random) -> Plant | None:
        for name in sorted(item):
            if item[name] == empty and name not in shape.reserved:
                spoiled = {key: value for key, value in item.items() if key != name}
                return _changed(code, f"{what} {name} became absent", item, spoiled, shape)
        return None

    return make


def _other_case(item: Item, shape: Shape, random: Random) -> Plant | None:
    key = key_of(item, shape.schema)
    for name, kind in reversed(shape.schema.types.items()):
        text = key[name].get("S", "") if kind == "S" else ""
        if text.swapcase() != text and text.isascii():
            swapped = {**key, name: {"S": text.swapcase()}}
            moved = {**item, **swapped}
            return Plant(
                "C10",
                "key replaced by one that differs in letter case only",
                key_text(key),
                writes=(Planned("delete", key, None), Planned("insert", swapped, moved)),
                undo=(Planned("insert", key, item), Planned("delete", swapped, None)),
                differences=(
                    _difference("missing", item, shape.schema),
                    _difference("extra", moved, shape.schema),
                ),
            )
    return None


def _left_index(item: Item, shape: Shape, random: Random) -> Plant | None:
    for name in shape.index_keys:
        if name in item and name not in shape.schema.names:
            spoiled = {key: value for key, value in item.items() if key != name}
            return _changed("C12", f"index key {name} removed from one item", item, spoiled, shape)
    return None


MAKERS: dict[str, Maker] = {
    "C01": _removed,
    "C02": _added,
    "C03": _last_digit,
    "C04": _number_to_text,
    "C05": _set_member,
    "C06": _last_byte,
    "C07": _deep_value,
    "C08": _absent("C08", "empty text", {"S": ""}),
    "C09": _absent("C09", "NULL", {"NULL": True}),
    "C10": _other_case,
    "C12": _left_index,
}
