"""The stream control: differences planted into the expected side in memory, which the comparison must report.

A verifier that cannot fail proves nothing. Nothing is written anywhere: only what the comparer is told to expect is
altered, record by record, chosen by a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from ops.dynamodb.attributes import canonical_number
from ops.model.items import Item, KeySchema
from ops.model.proof import Comparison, ControlOutcome, Difference, SideInfo
from ops.verify.compare import Gathered, TtlRule, gather, judge
from ops.verify.fingerprint import Record, digest, recorder
from ops.verify.sides import LinesSide, Side, key_from_json

#: One of each is planted: as the found side sees it, an item is extra, missing, or changed in one way.
KINDS = ("removed", "added", "number", "type", "text", "attribute")

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
    altered, planted = plant(expected, keys, random, spoken)
    with gather(altered) as left:
        outcome = decide(left, Gathered(_still(found), found.spill, found.digest, found.faults))
    return ControlOutcome(planted, tuple(one for one in outcome.differences if one.key_digest not in spoken))


def plant(side: Side, keys: KeySchema, random: Random, spoken: set[str]) -> tuple[AlteredSide, tuple[Difference, ...]]:
    """Choose records and alter them; keys that differ already are left alone."""
    chosen = _choose((one for one in side.records() if one.key.hex() not in spoken), len(KINDS), random)
    items = side.items_for({one.key: key_from_json(one.key_json) for one in chosen})
    altered: dict[bytes, Record | None] = {}
    added: list[Record] = []
    planted: list[Difference] = []
    for kind, record in zip(KINDS, chosen, strict=False):
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
    """One detail changed in an attribute that is no key; None when the item has nothing of that kind."""
    for name in sorted(item):
        if name in keys.names:
            continue
        tag, content = next(iter(item[name].items()))
        if kind == "number" and tag == "N":
            return {**item, name: {"N": _next_digit(content)}}
        if kind == "type" and tag == "N":
            return {**item, name: {"S": content}}
        if kind == "text" and tag == "S":
            return {**item, name: {"S": content + " "}}
        if kind == "attribute":
            return {other: value for other, value in item.items() if other != name}
    return None


def _next_digit(number: str) -> str:
    """The number with its last digit moved by one: the smallest change that a rounding would hide."""
    plain = canonical_number(number)
    return f"{plain[:-1]}{(int(plain[-1]) + 1) % 10}"
