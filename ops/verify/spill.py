"""Digests held by part in bounded memory: what is over goes to one temporary file.

The comparison needs all digests of one part (1/256 of the table) at a time, from both sides; so memory is one part,
whatever the size of the table. Small tables never touch the disk. A row has a fixed size: digest of the key, digest
of the item, and a place at which the side can tell more about it.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

from ops.errors import RunFolderUnusable
from ops.verify.fingerprint import BUCKETS

PARTS = 256
MEMORY_LIMIT_BYTES = 16 * 1024 * 1024
ROW = struct.Struct(">32s32sQ")
#: In a place: the item is not well-formed.
FAULT = 1 << 63
#: The place of a row of which nothing else is known.
NOWHERE = FAULT - 1


class Row(NamedTuple):
    """Digests of key and item, and where to learn more."""

    key: bytes
    item: bytes
    place: int

    @property
    def faulty(self) -> bool:
        """Whether the item is not well-formed."""
        return bool(self.place & FAULT)


@dataclass(frozen=True, slots=True)
class SpillFile:
    """A file of rows: for each time it was written to, where each part begins and where the last one ends."""

    path: str
    runs: tuple[tuple[int, ...], ...]

    def to_data(self) -> dict[str, Any]:
        """For another process."""
        return {"path": self.path, "runs": self.runs}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """What `to_data` gave."""
        return cls(data["path"], tuple(tuple(run) for run in data["runs"]))


class Spill:
    """A multiset of rows, written once, then read part by part any number of times.

    The byte number `depth` of the key's digest says which part a row belongs to.
    """

    parts = PARTS

    def __init__(
        self, folder: Path | None = None, *, memory_limit_bytes: int = MEMORY_LIMIT_BYTES, depth: int = 0
    ) -> None:
        self._folder = folder
        self._depth = depth
        self._limit = memory_limit_bytes
        self._held = [bytearray() for _ in range(PARTS)]
        self._held_bytes = 0
        self._runs: list[tuple[int, ...]] = []
        self._file: IO[bytes] | None = None
        self._others: list[tuple[SpillFile, IO[bytes]]] = []
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give memory and files back."""
        self._held = [bytearray() for _ in range(PARTS)]
        for file in (*(file for _, file in self._others), *([self._file] if self._file else ())):
            with suppress(OSError):  # on a full disk closing tries once more to write what nobody wants any more
                file.close()
            Path(file.name).unlink(missing_ok=True)
        self._file, self._others = None, []

    def add(self, key: bytes, item: bytes, place: int = NOWHERE) -> None:
        """Keep one row."""
        self.extend((key,), (item,), (place,))

    def extend(self, keys: Sequence[bytes], items: Iterable[bytes], places: Iterable[int]) -> None:
        """Keep rows."""
        held, depth = self._held, self._depth
        for key, row in zip(keys, map(ROW.pack, keys, items, places), strict=True):
            held[key[depth]] += row
        self._held_more(len(keys))

    def extend_packed(self, rows: bytes) -> None:
        """Keep rows that are packed already."""
        held, depth = self._held, self._depth
        for at in range(0, len(rows), ROW.size):
            held[rows[at + depth]] += rows[at : at + ROW.size]
        self._held_more(len(rows) // ROW.size)

    def _held_more(self, count: int) -> None:
        self.count += count
        self._held_bytes += count * ROW.size
        if self._held_bytes > self._limit:
            self._flush()

    def adopt(self, file: SpillFile, count: int) -> None:
        """Take over the file of another process; it is removed with this one."""
        self._others.append((file, Path(file.path).open("rb")))  # noqa: SIM115
        self.count += count

    def files(self) -> list[SpillFile]:
        """All rows as files that another process can read, as long as this one is open."""
        if self._held_bytes:
            self._flush()
        own = [] if self._file is None else [SpillFile(self._file.name, tuple(self._runs))]
        return [*own, *(file for file, _ in self._others)]

    def hand_over(self) -> SpillFile:
        """All rows as one file that another process takes over; this spill is then closed."""
        self._flush()
        if self._file is None:
            raise ValueError("the spill is closed")
        self._file.close()
        found, self._file = SpillFile(self._file.name, tuple(self._runs)), None
        return found

    def part(self, number: int) -> bytes:
        """The rows whose key digest has `number` as its byte, as one."""
        return b"".join(self.pieces(number))

    def pieces(self, number: int) -> Iterator[bytes]:
        """The same rows, as much at a time as was held in memory."""
        if self._file is not None:
            yield from _pieces(self._file, self._runs, number)
        for other, file in self._others:
            yield from _pieces(file, other.runs, number)
        yield bytes(self._held[number])

    def part_bytes(self, number: int) -> int:
        """The size of a part."""
        runs = (run for some in (self._runs, *(other.runs for other, _ in self._others)) for run in some)
        return sum(run[number + 1] - run[number] for run in runs) + len(self._held[number])

    def __iter__(self) -> Iterator[Row]:
        for number in range(PARTS):
            yield from map(Row._make, ROW.iter_unpack(self.part(number)))

    @staticmethod
    def buckets_of(part: int) -> tuple[int, int]:
        """First bucket of a part, and the first bucket after it."""
        width = BUCKETS // PARTS
        return part * width, (part + 1) * width

    def _flush(self) -> None:
        try:
            if self._file is None:
                number, path = tempfile.mkstemp(dir=self._folder, prefix="ops-compare-")
                os.close(number)
                self._file = Path(path).open("r+b")  # noqa: SIM115
            at = self._file.seek(0, 2)
            run = [at]
            for held in self._held:
                at += self._file.write(held)
                held.clear()
                run.append(at)
            self._file.flush()
        except OSError as error:
            raise RunFolderUnusable(
                f"cannot hold the records of the comparison in {self._folder or tempfile.gettempdir()}",
                why=str(error),
                fix=("free space there, or choose another folder with TMPDIR=DIR",),
            ) from error
        self._runs.append(tuple(run))
        self._held_bytes = 0


def _pieces(file: IO[bytes], runs: Iterable[tuple[int, ...]], number: int) -> Iterator[bytes]:
    for run in runs:
        length = run[number + 1] - run[number]
        if length:
            file.seek(run[number])
            piece = file.read(length)
            if len(piece) != length:  # rows lost on both sides would be differences unseen
                raise RunFolderUnusable(f"{file.name} no longer holds the records that were written to it")
            yield piece
