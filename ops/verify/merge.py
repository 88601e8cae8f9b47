"""The rows of two sides, merged by key: what differs, in the order of the key digests."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from ops.model.proof import DifferenceKind
from ops.verify.spill import FAULT, PARTS, ROW, Row, Spill

#: Rows of both sides that are looked at together; a part with more is parted again, by the next byte.
AT_ONCE = 100_000
#: Of each side of such a part, in memory; the rest goes to a file.
_PARTED_BYTES = 8 * 1024 * 1024
#: What has this many bytes of the digest in common is merged as it is: no table has as many keys.
_DEEPEST = 5
_PAIR, _PAIR_BYTES, _FAULT_BYTE = struct.Struct(">32s32s8x"), 64, 0x80


class Parts(Protocol):
    """Rows by part: a spill."""

    def part(self, number: int) -> bytes:
        """The rows of one part."""

    def pieces(self, number: int) -> Iterator[bytes]:
        """The same, a piece at a time."""

    def part_bytes(self, number: int) -> int:
        """The size of one part."""


class Raw(NamedTuple):
    """A differing key, before anything is read about it."""

    kind: DifferenceKind
    expected: Row | None
    found: Row | None


def differences(
    expected: Parts,
    found: Parts,
    parts: Iterable[int] = range(PARTS),
    *,
    at_once: int = AT_ONCE,
    folder: Path | None = None,
    depth: int = 0,
) -> Iterator[Raw]:
    """Missing, extra and changed keys, repeated keys on either side, and items that are not well-formed.

    Memory is that of `at_once` rows, whatever the size of the sides; temporary files lie in `folder`. Both sides are
    parted by the byte number `depth` of the key's digest.
    """
    for number in parts:
        size_bytes = expected.part_bytes(number) + found.part_bytes(number)
        if size_bytes <= at_once * ROW.size or depth == _DEEPEST:
            yield from _merge(expected.part(number), found.part(number))
            continue
        with _parted(expected, number, depth + 1, folder) as mine, _parted(found, number, depth + 1, folder) as theirs:
            yield from differences(mine, theirs, at_once=at_once, folder=folder, depth=depth + 1)


def _parted(side: Parts, number: int, depth: int, folder: Path | None) -> Spill:
    spill = Spill(folder, memory_limit_bytes=_PARTED_BYTES, depth=depth)
    try:
        for piece in side.pieces(number):
            spill.extend_packed(piece)
    except BaseException:
        spill.close()
        raise
    return spill


def _merge(left: bytes, right: bytes) -> Iterator[Raw]:
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


def _odd(rows: bytes, distinct: int) -> Iterator[bytes]:
    """Keys that stand in the rows more than once, and keys of items that are not well-formed."""
    if distinct * ROW.size != len(rows):
        times = Counter(key for key, _ in _PAIR.iter_unpack(rows))
        yield from (key for key, count in times.items() if count > 1)
    # the first byte of every place
    if max(rows[_PAIR_BYTES :: ROW.size], default=0) >= _FAULT_BYTE:
        yield from (key for key, _, place in ROW.iter_unpack(rows) if place & FAULT)


def _rows(rows: bytes, keys: set[bytes]) -> dict[bytes, list[Row]]:
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
