"""The rows of two sides, merged by key: what differs, in the order of the key digests."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from ops.model.proof import DifferenceKind
from ops.verify.spill import FAULT, PARTS, ROW, Row

#: Rows of both sides that are looked at together; a part with more is merged in smaller ones.
AT_ONCE = 100_000
_PAIR, _PAIR_BYTES, _FAULT_BYTE = struct.Struct(">32s32s8x"), 64, 0x80


class Parts(Protocol):
    """Rows by part: a spill."""

    def part(self, number: int) -> bytes:
        """The rows of one part."""


class Raw(NamedTuple):
    """A differing key, before anything is read about it."""

    kind: DifferenceKind
    expected: Row | None
    found: Row | None


def differences(
    expected: Parts, found: Parts, parts: Iterable[int] = range(PARTS), *, at_once: int = AT_ONCE
) -> Iterator[Raw]:
    """Missing, extra and changed keys, repeated keys on either side, and items that are not well-formed."""
    for number in parts:
        left, right = expected.part(number), found.part(number)
        slices = -(-(len(left) + len(right)) // (at_once * ROW.size))
        if slices <= 1:
            yield from _merge(left, right)
            continue
        # by the second byte of the digest, in its order
        for mine, theirs in zip(_slices(left, slices), _slices(right, slices), strict=True):
            yield from _merge(mine, theirs)


def _slices(rows: bytes, count: int) -> list[bytearray]:
    out = [bytearray() for _ in range(min(count, 256))]
    for at in range(0, len(rows), ROW.size):
        out[rows[at + 1] * len(out) >> 8] += rows[at : at + ROW.size]
    return out


def _merge(left: bytes | bytearray, right: bytes | bytearray) -> Iterator[Raw]:
    wanted: dict[bytes, bytes] = dict(_PAIR.iter_unpack(left))
    seen: dict[bytes, bytes] = dict(_PAIR.iter_unpack(right))
    odd = {*_odd(left, len(wanted)), *_odd(right, len(seen))}
    if wanted != seen:
        odd.update(key for key, _ in wanted.items() ^ seen.items())
    if not odd:
        return
    mine, theirs = _rows(left, odd), _rows(right, odd)
    for key in sorted(odd):
        yield from _of_key(mine.get(key, []), theirs.get(key, []))


def _odd(rows: bytes | bytearray, distinct: int) -> Iterator[bytes]:
    """Keys that stand in the rows more than once, and keys of items that are not well-formed."""
    if distinct * ROW.size != len(rows):
        times = Counter(key for key, _ in _PAIR.iter_unpack(rows))
        yield from (key for key, count in times.items() if count > 1)
    # the first byte of every place
    if max(rows[_PAIR_BYTES :: ROW.size], default=0) >= _FAULT_BYTE:
        yield from (key for key, _, place in ROW.iter_unpack(rows) if place & FAULT)


def _rows(rows: bytes | bytearray, keys: set[bytes]) -> dict[bytes, list[Row]]:
    found: dict[bytes, list[Row]] = {}
    for key, item, place in ROW.iter_unpack(rows):
        if key in keys:
            found.setdefault(key, []).append(Row(key, item, place))
    for same in found.values():
        same.sort()
    return found


def _of_key(wanted: list[Row], seen: list[Row]) -> Iterator[Raw]:
    for row in wanted:
        if row.place & FAULT:
            yield Raw("shape", row, None)
    for row in seen:
        if row.place & FAULT:
            yield Raw("shape", None, row)
    for again in wanted[1:]:
        yield Raw("duplicate", again, None)
    for again in seen[1:]:
        yield Raw("duplicate", None, again)
    if not seen:
        yield Raw("missing", wanted[0], None)
    elif not wanted:
        yield Raw("extra", None, seen[0])
    elif {row.item for row in wanted} != {row.item for row in seen}:
        yield Raw("changed", wanted[0], seen[0])
