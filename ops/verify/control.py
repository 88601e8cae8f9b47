"""The stream control: differences planted into the expected side in memory, which the comparison must report.

A verifier that cannot fail proves nothing. Nothing is written anywhere: only what the comparer is told to expect is
altered, record by record, chosen by a seed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from ops.dynamodb.attributes import canonical_number, decode_binary
from ops.model.items import AttributeValue, Item, KeySchema
from ops.model.proof import Comparison, ControlOutcome, Difference, SideInfo
from ops.verify.compare import Gathered, TtlRule, gather, judge
from ops.verify.fingerprint import Record, digest, recorder
from ops.verify.sides import LinesSide, Side, key_from_json

#: One of each is planted: as the found side sees it, an item is extra, missing, or changed in one way.
KINDS: tuple[str, ...] = ("removed", "added", "number", "type", "text", "attribute", "set", "binary", "empty", "flag")

#: Records of which some are altered: enough to hold values of most types.
CANDIDATES = 200

#: Type tag and content of a value -> the value changed, or None.
Alteration = Callable[[str, Any], AttributeValue | None]
Judge = Callable[[Gathered, Gathered], Comparison]


@dataclass(frozen=True, slots=True)
class AlteredSide:
    """A side with a few records altered, one added."""

    base: Side
    altered: dict[bytes, Record | None]
    added: tuple[Record, ...]
    live: bool = False

    @property
    def info(self) -> SideInfo:
        return SideInfo("altered", self.base.info.where, self.base.info.moment, "altered on purpose")

    def records(self) -> Iterator[Record]:
        for record in self.base.records():
            now = self.altered.get(record.key, record)
            if now is not None:
                yield now
        yield from self.added

    def declared(self) -> int | None:
        return None

    def items_for(self, keys: object) -> dict[bytes, Item]:
        return {}


def stream_control(
    expected: Side,
    found: Gathered,
    *,
    keys: KeySchema,
    random: Random,
    known: Comparison,
    ttl: TtlRule | None = None,
    judging: Judge | None = None,
) -> ControlOutcome:
    """Plant differences, compare again, and tell which of them were reported beyond those `known` already."""
    decide = judging or (lambda left, right: judge(left, right, keys=keys, ttl=ttl))
    spoken = {one.key_digest for one in known.differences}
    altered, planted = plant(expected, keys, random, spoken, ttl)
    with gather(altered) as left:
        outcome = decide(left, replace(found, side=_still(found)))
    return ControlOutcome(planted, tuple(one for one in outcome.differences if one.key_digest not in spoken))


def plant(
    side: Side, keys: KeySchema, random: Random, spoken: set[str], ttl: TtlRule | None = None
) -> tuple[AlteredSide, tuple[Difference, ...]]:
    """Choose records and alter them; keys that differ already, and items that may have expired, are left alone."""
    # an expired item on one side only is no difference, so to plant one would be to plant nothing
    fit = (one for one in side.records() if one.key.hex() not in spoken and not (ttl and ttl.covers(one)))
    kinds, chosen = KINDS, _choose(fit, CANDIDATES, random)
    if not chosen:
        kinds, chosen = ("added",), _choose(side.records(), 1, random)
    items = side.items_for({one.key: key_from_json(one.key_json) for one in chosen})
    altered: dict[bytes, Record | None] = {}
    added: list[Record] = []
    planted: list[Difference] = []
    for kind, record in _assigned(kinds, chosen, items, keys):
        difference_key = key_from_json(record.key_json)
        if kind == "removed":
            altered[record.key] = None
            planted.append(Difference("extra", record.key.hex(), difference_key))
        elif kind == "added":
            stranger = _stranger(record, random)
            added.append(stranger)
            planted.append(Difference("missing", stranger.key.hex(), None))
        else:
            altered[record.key] = _changed(record, items.get(record.key), kind, keys)
            planted.append(Difference("changed", record.key.hex(), difference_key))
    return AlteredSide(side, altered, tuple(added)), tuple(planted)


def _assigned(
    kinds: tuple[str, ...], chosen: list[Record], items: dict[bytes, Item], keys: KeySchema
) -> Iterator[tuple[str, Record]]:
    """A record of its own for each kind: one that has such a value, where there is any, and few others."""
    fits = {
        one.key: frozenset(kind for kind in _ALTERATIONS.keys() | {"attribute"} if alter(item, kind, keys) is not None)
        for one in chosen
        if (item := items.get(one.key)) is not None
    }
    left = list(chosen)
    for kind in kinds:
        if not left:
            return
        best = min(left, key=lambda one: (kind not in fits.get(one.key, ()), len(fits.get(one.key, ()))))
        left.remove(best)
        yield kind, best


def _still(found: Gathered) -> Side:
    """The found side as it was read: planted keys must not be read again on the live table."""
    side = found.side
    return side if not side.live else LinesSide(side.info, lambda: iter(()), KeySchema("unread"), side.declared())


def _choose(records: Iterator[Record], wanted: int, random: Random) -> list[Record]:
    """A uniform sample in one pass (reservoir), in an order of its own."""
    kept: list[Record] = []
    for seen, record in enumerate(records):
        if len(kept) < wanted:
            kept.append(record)
        elif (place := random.randrange(seen + 1)) < wanted:
            kept[place] = record
    random.shuffle(kept)
    return kept


def _stranger(record: Record, random: Random) -> Record:
    """A record whose key no table holds: a digest of random bytes."""
    return Record(digest(b"ops.key.v1", random.randbytes(32)), record.item)


def _changed(record: Record, item: Item | None, kind: str, keys: KeySchema) -> Record:
    """The same key with a value changed in one detail; without values, with another digest."""
    changed = alter(item, kind, keys) if item is not None else None
    if changed is None:
        return _other_digest(record)
    return recorder(keys)(changed)


def _other_digest(record: Record) -> Record:
    """The record with one bit of its item digest turned."""
    return record._replace(item=bytes([record.item[0] ^ 1]) + record.item[1:])


def alter(item: Item, kind: str, keys: KeySchema) -> Item | None:
    """One detail changed in an attribute that is no key, at any depth; None when the item has nothing of that kind."""
    names = [name for name in sorted(item) if name not in keys.names]
    if kind == "attribute":
        return {name: value for name, value in item.items() if name != names[0]} if names else None
    for name in names:
        changed = _altered(item[name], _ALTERATIONS[kind])
        if changed is not None:
            return {**item, name: changed}
    return None


def _altered(value: AttributeValue, change: Alteration) -> AttributeValue | None:
    """The value with its first fitting detail changed, its own before those inside it."""
    tag, content = next(iter(value.items()))
    own = change(tag, content)
    if own is not None or tag not in ("M", "L"):
        return own
    for place in sorted(content) if tag == "M" else range(len(content)):
        inner = _altered(content[place], change)
        if inner is not None:
            copy = content.copy()
            copy[place] = inner
            return {tag: copy}
    return None


def _last_bit(content: str) -> str:
    raw = bytearray(decode_binary(content))
    raw[-1:] = bytes([raw[-1] ^ 1]) if raw else b"\0"
    return base64.b64encode(raw).decode()


#: What each kind changes in a value of its type; None where it does not fit.
_ALTERATIONS: dict[str, Alteration] = {
    "number": lambda tag, content: {"N": _next_digit(content)} if tag == "N" else None,
    "type": lambda tag, content: {"S": content} if tag == "N" else None,
    "text": lambda tag, content: {"S": content + " "} if tag == "S" else None,
    "set": lambda tag, content: {"SS": [*content, max(content) + "a"]} if tag == "SS" else None,
    "binary": lambda tag, content: {"B": _last_bit(content)} if tag == "B" else None,
    "empty": lambda tag, content: {"NULL": True} if tag == "S" and content == "" else None,
    "flag": lambda tag, content: {"BOOL": not content} if tag == "BOOL" else None,
}


def _next_digit(number: str) -> str:
    """The number with its last significant digit moved: the smallest change that a rounding would hide."""
    plain = canonical_number(number)
    if plain == "0":
        return "1"
    head = plain.rstrip("0")  # a fraction ends with no zero in canonical form
    return f"{head[:-1]}{int(head[-1]) % 9 + 1}{plain[len(head) :]}"
