"""Exact comparison of two sides: free of order, in bounded memory, every differing key named.

Pass 1 reads each side once, keeps counts and sums of digests for each of 4,096 buckets, and puts the records aside.
Where a bucket differs, its records are merged by key. Keys that differ on a live table are read a second time before
they are reported. Values are fetched only for what is listed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ops.model.items import Item, KeySchema
from ops.model.proof import Comparison, Difference, DifferenceKind, SideCount
from ops.verify.attributes import attribute_changes
from ops.verify.fingerprint import Record, TableDigest, recorder
from ops.verify.sides import Side, key_from_json
from ops.verify.spill import Spill

#: AWS never expires an item whose TTL lies further back than this.
TTL_HORIZON_S = 5 * 365 * 86400
LISTED = 1000


@dataclass(frozen=True, slots=True)
class TtlRule:
    """Items that TTL may already have removed at `now_s` (epoch seconds): absent on one side is no difference."""

    attribute: str
    now_s: int

    def covers(self, record: Record) -> bool:
        """Whether AWS may have expired this item by now."""
        return record.expires is not None and self.now_s - TTL_HORIZON_S < record.expires <= self.now_s


class Comparer(Protocol):
    """The shape of `compare`, so that a drill can be handed another one and show that it would notice."""

    def __call__(
        self, expected: Side, found: Side, *, keys: KeySchema, ttl: TtlRule | None = None, listed: int = LISTED
    ) -> Comparison: ...


@dataclass(slots=True)
class Gathered:
    """A side, read once: its digest, its records, and what could not be used."""

    side: Side
    spill: Spill
    digest: TableDigest = field(default_factory=TableDigest)
    faults: int = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.spill.close()

    @property
    def count(self) -> SideCount:
        """For the result."""
        return SideCount(self.side.info, self.digest.count, self.digest.hex(), self.side.declared())


def gather(side: Side, folder: Path | None = None) -> Gathered:
    """Read a side once, to its end."""
    gathered = Gathered(side, Spill(folder))
    for record in side.records():
        gathered.digest.add(record)
        gathered.spill.add(record)
        if record.fault:
            gathered.faults += 1
    return gathered


def compare(
    expected: Side, found: Side, *, keys: KeySchema, ttl: TtlRule | None = None, listed: int = LISTED
) -> Comparison:
    """Compare two sides item by item; at most `listed` differences are listed, all are counted."""
    with gather(expected) as left, gather(found) as right:
        return judge(left, right, keys=keys, ttl=ttl, listed=listed)


def judge(
    expected: Gathered, found: Gathered, *, keys: KeySchema, ttl: TtlRule | None = None, listed: int = LISTED
) -> Comparison:
    """Compare two sides that were read already."""
    ignored: Counter[str] = Counter()
    raw = [one for one in _differences(expected, found) if not _expired(one, ttl, ignored)]
    raw = _settled(raw, expected.side, found.side, keys, ttl)
    raw = [one for one in raw if not _expired(one, ttl, ignored)]
    counts = Counter(one.kind for one in raw)
    return Comparison(
        expected=expected.count,
        found=found.count,
        missing=counts["missing"],
        extra=counts["extra"],
        changed=counts["changed"],
        duplicates=counts["duplicate"],
        shape=counts["shape"],
        ignored=dict(ignored),
        differences=_described(raw[:listed], expected.side, found.side),
        listed_all=len(raw) <= listed,
    )


@dataclass(frozen=True, slots=True)
class _Raw:
    """A differing key, before values are fetched."""

    kind: DifferenceKind
    expected: Record | None
    found: Record | None

    @property
    def record(self) -> Record:
        """Whichever side knows the key, the one with its text first."""
        known = [one for one in (self.found, self.expected) if one is not None]
        return next((one for one in known if one.key_json is not None), known[0])


def _differences(expected: Gathered, found: Gathered) -> list[_Raw]:
    buckets = expected.digest.differing_buckets(found.digest)
    parts = {bucket // (Spill.buckets_of(0)[1]) for bucket in buckets}
    if expected.faults or found.faults:
        parts = set(range(Spill.parts))
    return [one for part in sorted(parts) for one in _merge(expected.spill.part(part), found.spill.part(part))]


def _merge(expected: Iterable[Record], found: Iterable[Record]) -> Iterator[_Raw]:
    left, right = _by_key(expected), _by_key(found)
    for key in sorted(left.keys() | right.keys()):
        wanted, seen = left.get(key, []), right.get(key, [])
        for record in (*wanted, *seen):
            if record.fault:
                yield _Raw("shape", record if record in wanted else None, record if record in seen else None)
        for copies in (wanted, seen):
            for again in copies[1:]:
                yield _Raw("duplicate", again if copies is wanted else None, again if copies is seen else None)
        if not seen:
            yield _Raw("missing", wanted[0], None)
        elif not wanted:
            yield _Raw("extra", None, seen[0])
        elif {one.item for one in wanted} != {one.item for one in seen}:
            yield _Raw("changed", wanted[0], seen[0])


def _by_key(records: Iterable[Record]) -> dict[bytes, list[Record]]:
    found: dict[bytes, list[Record]] = {}
    for record in records:
        found.setdefault(record.key, []).append(record)
    return found


def _expired(one: _Raw, ttl: TtlRule | None, ignored: Counter[str]) -> bool:
    if ttl is None or one.kind not in ("missing", "extra") or not ttl.covers(one.record):
        return False
    ignored["ttl"] += 1
    return True


def _settled(raw: list[_Raw], expected: Side, found: Side, keys: KeySchema, ttl: TtlRule | None) -> list[_Raw]:
    """Read differing keys of live tables once more: what was only in flight during the scan is no difference."""
    if expected.live and raw:
        raw = _look_again(raw, expected, keys, ttl, is_expected=True)
    if found.live and raw:
        raw = _look_again(raw, found, keys, ttl, is_expected=False)
    return raw


def _look_again(raw: list[_Raw], side: Side, keys: KeySchema, ttl: TtlRule | None, *, is_expected: bool) -> list[_Raw]:
    # A key known by its digest alone cannot be read; a malformed item would not be read better.
    again = [one for one in raw if one.kind in ("missing", "extra", "changed") and one.record.key_json is not None]
    kept = [one for one in raw if one.kind not in ("missing", "extra", "changed") or one.record.key_json is None]
    fresh = side.items_for({one.record.key: key_from_json(one.record.key_json) for one in again})
    record = recorder(keys, ttl=ttl.attribute if ttl else None)
    for one in again:
        item = fresh.get(one.record.key)
        now = record(item) if item is not None else None
        if is_expected:
            kept.extend(_kind_now(_Raw(one.kind, now, one.found)))
        else:
            kept.extend(_kind_now(_Raw(one.kind, one.expected, now)))
    return kept


def _kind_now(one: _Raw) -> list[_Raw]:
    if one.expected is None and one.found is None:
        return []
    if one.expected is None:
        return [replace(one, kind="extra")]
    if one.found is None:
        return [replace(one, kind="missing")]
    return [] if one.expected.item == one.found.item else [replace(one, kind="changed")]


def _described(raw: list[_Raw], expected: Side, found: Side) -> tuple[Difference, ...]:
    changed = {one.record.key: key_from_json(one.record.key_json) for one in raw if one.kind == "changed"}
    wanted: dict[bytes, Item] = expected.items_for(changed) if changed else {}
    seen: dict[bytes, Item] = found.items_for(changed) if changed else {}
    return tuple(_describe(one, wanted.get(one.record.key), seen.get(one.record.key)) for one in raw)


def _describe(one: _Raw, wanted: Item | None, seen: Item | None) -> Difference:
    record = one.record
    changes = attribute_changes(wanted, seen) if one.kind == "changed" and wanted and seen else ()
    return Difference(one.kind, record.key.hex(), key_from_json(record.key_json), changes)
