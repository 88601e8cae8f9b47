"""Exact comparison of two sides: free of order, in bounded memory, every differing key named.

Each side is read once: digests of every key and item are put aside by part of the key's digest, local files by
several processes, a whole file by one. The parts of both sides are then merged by key. Keys that differ on a live
table are read a second time before they are reported. Values are fetched only for what is listed.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

from ops.errors import AccountingMismatch
from ops.model.items import Item, KeySchema
from ops.model.proof import Comparison, Difference, DifferenceKind
from ops.verify.attributes import attribute_changes
from ops.verify.details import Lines
from ops.verify.fingerprint import Record, recorder
from ops.verify.gathering import Gathered, gather, gather_all
from ops.verify.merge import Raw, differences
from ops.verify.sealed import against_seal
from ops.verify.sides import SealedSide, Side, key_from_json
from ops.verify.spill import PARTS, Row
from ops.verify.worker import MergeJob, processors, read_raws, run_jobs

__all__ = ["LISTED", "Comparer", "Gathered", "TtlRule", "compare", "gather", "gather_all", "judge"]

#: AWS never expires an item whose TTL lies further back than this.
TTL_HORIZON_S = 5 * 365 * 86400
LISTED = 1000
#: Fewer rows are merged sooner than another process has started.
_WORTH_A_PROCESS_ROWS = 2_000_000
#: Differences that are looked at together.
_BATCH = 50_000


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


def compare(
    expected: Side,
    found: Side,
    *,
    keys: KeySchema,
    ttl: TtlRule | None = None,
    listed: int = LISTED,
    folder: Path | None = None,
    workers: int | None = None,
) -> Comparison:
    """Compare two sides item by item; at most `listed` differences are listed, all are counted.

    Temporary files lie in `folder`; `workers` processes read and merge, by default one for each processor.
    """
    left, right = gather_all((expected, found), folder, workers=workers)
    with left, right:
        return judge(left, right, keys=keys, ttl=ttl, listed=listed)


def judge(
    expected: Gathered,
    found: Gathered,
    *,
    keys: KeySchema,
    ttl: TtlRule | None = None,
    listed: int = LISTED,
) -> Comparison:
    """Compare two sides that were read already, by as many processes as they were read by."""
    if isinstance(expected.side, SealedSide) or isinstance(found.side, SealedSide):
        return against_seal(expected, found, listed)
    judging = _Judging(expected, found, keys, ttl)
    kept: list[_Known] = []
    seen = 0
    with _merged(expected, found) as raws:
        while batch := list(islice(raws, _BATCH)):
            kept += judging.settle(batch)[: listed - len(kept)]
            seen += len(batch)
    if not seen:
        _check_sums(expected, found)
    counts = judging.counts
    return Comparison(
        expected=expected.count,
        found=found.count,
        missing=counts["missing"],
        extra=counts["extra"],
        changed=counts["changed"],
        duplicates=counts["duplicate"],
        shape=counts["shape"],
        ignored=dict(judging.ignored),
        differences=_described(judging.known(kept), expected, found),
        listed_all=counts.total() <= listed,
    )


def _check_sums(expected: Gathered, found: Gathered) -> None:
    """Where no key differs, the sums must be one: they were made apart from the rows, of which none may be lost."""
    if (expected.digest.count, expected.digest.total) != (found.digest.count, found.digest.total):
        raise AccountingMismatch(
            "no key differs, but the sums over both sides do",
            why=f"{expected.digest.count:,} items with the sum {expected.digest.hex()[:16]} were expected,"
            f" {found.digest.count:,} with {found.digest.hex()[:16]} found",
        )


@contextmanager
def _merged(expected: Gathered, found: Gathered) -> Iterator[Iterator[Raw]]:
    """The differing keys in the order of their digests."""
    rows = expected.spill.count + found.spill.count
    most = expected.workers or found.workers or (1 if rows < _WORTH_A_PROCESS_ROWS else processors())
    if most == 1:
        yield differences(expected.spill, found.spill, folder=expected.folder or found.folder)
        return
    with tempfile.TemporaryDirectory(dir=expected.folder or found.folder, prefix="ops-compare-") as folder:
        edges = [PARTS * number // most for number in range(most + 1)]
        sides = tuple(expected.spill.files()), tuple(found.spill.files())
        targets = [Path(folder, f"{number:03d}") for number in range(most)]
        answers = run_jobs(
            [[MergeJob(*sides, edges[number], edges[number + 1], target)] for number, target in enumerate(targets)]
        )
        with ExitStack() as closing:
            parts = [read_raws(target, one["differences"]) for target, [one] in zip(targets, answers, strict=True)]
            for part in parts:
                closing.callback(part.close)
            yield chain.from_iterable(parts)


@dataclass(frozen=True, slots=True)
class _Known:
    """A differing key with its records; not `whole` before they were asked for."""

    kind: DifferenceKind
    expected: Record | None
    found: Record | None
    raw: Raw
    whole: bool = True

    @property
    def record(self) -> Record:
        """Whichever side knows the key, the one with its text first."""
        known = [one for one in (self.found, self.expected) if one is not None]
        return next((one for one in known if one.key_json is not None), known[0])


class _Judging:
    """Decides batch by batch what of the differing keys is a difference."""

    def __init__(self, expected: Gathered, found: Gathered, keys: KeySchema, ttl: TtlRule | None) -> None:
        self._expected, self._found = expected, found
        self._keys, self._ttl = keys, ttl
        self._record = recorder(keys, ttl=ttl.attribute if ttl else None)
        self.ignored: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    def settle(self, batch: list[Raw]) -> list[_Known]:
        """What is left of a batch, counted."""
        plain = [_Known(raw.kind, None, None, raw, whole=False) for raw in batch]
        live = self._expected.side.live or self._found.side.live
        if self._ttl is not None or live:
            plain = [one for one in self.known(plain) if not self._expired(one)]
        if self._expected.side.live:
            plain = self._look_again(plain, self._expected.side, is_expected=True)
        if self._found.side.live:
            plain = self._look_again(plain, self._found.side, is_expected=False)
        if live:
            plain = [one for one in plain if not self._expired(one)]
        self.counts.update(one.kind for one in plain)
        return plain

    def known(self, some: list[_Known]) -> list[_Known]:
        """The same with whole records."""
        raws = [one.raw for one in some if not one.whole]
        left = self._expected.details.records(raw.expected for raw in raws if raw.expected is not None)
        right = self._found.details.records(raw.found for raw in raws if raw.found is not None)
        return [
            one if one.whole else _Known(one.kind, _at(left, one.raw.expected), _at(right, one.raw.found), one.raw)
            for one in some
        ]

    def _expired(self, one: _Known) -> bool:
        if self._ttl is None or one.kind not in ("missing", "extra") or not self._ttl.covers(one.record):
            return False
        self.ignored["ttl"] += 1
        return True

    def _look_again(self, some: list[_Known], side: Side, *, is_expected: bool) -> list[_Known]:
        """Read differing keys of a live table once more: what was only in flight during the scan is no difference."""
        again = {one.record.key: key_from_json(one.record.key_json) for one in some if _readable(one)}
        if not again:
            return some
        fresh = side.items_for(again)
        kept: list[_Known] = []
        for one in some:
            if not _readable(one):
                kept.append(one)
                continue
            item = fresh.get(one.record.key)
            now = self._record(item) if item is not None else None
            kept += _kind_now(now, one.found, one.raw) if is_expected else _kind_now(one.expected, now, one.raw)
        return kept


def _at(records: dict[int, Record], row: Row | None) -> Record | None:
    return None if row is None else records[row.place]


def _readable(one: _Known) -> bool:
    """A key known by its digest alone cannot be read; a malformed item would not be read better."""
    return one.kind in ("missing", "extra", "changed") and one.record.key_json is not None


def _kind_now(expected: Record | None, found: Record | None, raw: Raw) -> list[_Known]:
    if expected is None and found is None:
        return []
    if expected is None:
        return [_Known("extra", None, found, raw)]
    if found is None:
        return [_Known("missing", expected, None, raw)]
    return [] if expected.item == found.item else [_Known("changed", expected, found, raw)]


def _described(some: list[_Known], expected: Gathered, found: Gathered) -> tuple[Difference, ...]:
    changed = [one for one in some if one.kind == "changed"]
    wanted = _items(expected, changed, [one.raw.expected for one in changed])
    seen = _items(found, changed, [one.raw.found for one in changed])
    return tuple(_describe(one, wanted.get(one.record.key), seen.get(one.record.key)) for one in some)


def _items(gathered: Gathered, some: list[_Known], rows: list[Row | None]) -> dict[bytes, Item]:
    """The items of some keys: of files at their places, else by key."""
    if not some:
        return {}
    if isinstance(gathered.details, Lines):
        return gathered.details.items(row for row in rows if row is not None)
    return gathered.side.items_for({one.record.key: key_from_json(one.record.key_json) for one in some})


def _describe(one: _Known, wanted: Item | None, seen: Item | None) -> Difference:
    record = one.record
    changes = attribute_changes(wanted, seen) if one.kind == "changed" and wanted and seen else ()
    return Difference(one.kind, record.key.hex(), key_from_json(record.key_json), changes)
