"""Files of item lines: read in blocks of whole lines, and read again line by line where something differs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, cast

from isal import isal_zlib

from ops.errors import BadArgument, ExportCorrupt, OpsError
from ops.recovery.packing import BROKEN
from ops.recovery.packing import unpacked as packed_as

BLOCK_BYTES = 1 << 16
_PACKED_BYTES = 1 << 16
#: zlib's word for gzip, with checksum and length verified.
_GZIP = 31
# isal's stub declares its exception class as an instance.
_UNREADABLE: tuple[type[Exception], ...] = (OSError, cast(type[Exception], isal_zlib.error), *BROKEN)


@dataclass(frozen=True, slots=True)
class LineFile:
    """A local file of items, one per line, gzip or not; `wrapped` lines must have the form `{"Item": ...}`.

    `name` is what messages call it, `items` what its manifest says it holds.
    """

    path: Path
    name: str = ""
    wrapped: bool = True
    items: int | None = None

    @property
    def size_bytes(self) -> int:
        """As it lies on the disk."""
        return self.path.stat().st_size

    @property
    def label(self) -> str:
        """For messages."""
        return self.name or str(self.path)

    def blocks(self) -> Iterator[bytes]:
        """All lines, in blocks of whole lines; the last line gets its line feed when it has none."""
        rest = b""
        try:
            with self.path.open("rb") as file:
                before = _stamp(os.fstat(file.fileno()))
                for chunk in self._chunks(file):
                    end = chunk.rfind(b"\n") + 1
                    if not end:
                        rest += chunk
                        continue
                    yield rest + chunk[:end]
                    rest = chunk[end:]
                if _stamp(self.path.stat()) != before:
                    raise self.changed()
        except _UNREADABLE as error:
            raise self._unusable("cannot be read", "size", f"not a whole file: {error}") from error
        if rest:
            yield rest + b"\n"

    def _chunks(self, file: IO[bytes]) -> Iterator[bytes]:
        if self.path.name.endswith(".gz"):
            yield from unpacked(file)
            return
        with packed_as(self.path.name, file) as plain:
            yield from iter(lambda: plain.read(BLOCK_BYTES), b"")

    def lines_at(self, wanted: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """The lines of these numbers (from 0), in order; the file is read only as far as needed."""
        numbers = iter(sorted(wanted))
        number, first = next(numbers, None), 0
        for block in self.blocks():
            if number is None:
                return
            after = first + block.count(b"\n")
            if number < after:
                lines = block.split(b"\n")
                while number is not None and number < after:
                    yield number, lines[number - first]
                    number = next(numbers, None)
            first = after

    def bad_line(self, number: int, reason: str) -> OpsError:
        """The error that names a line (from 0)."""
        return self._unusable(f"line {number + 1} is not an item", "foreign", reason, f"line {number + 1} is no item: ")

    def check_count(self, lines: int) -> None:
        """ExportCorrupt unless the file holds as many lines as its manifest says."""
        if self.items is not None and lines != self.items:
            raise self._unusable("", "count", f"{lines} lines, the manifest says {self.items}")

    def changed(self) -> OpsError:
        """The error of a file that is not what it was when the comparison began to read it."""
        return self._unusable("changed while it was compared", "foreign", "it is no longer what was read first")

    def _unusable(self, what: str, kind: str, why: str, where: str = "") -> OpsError:
        """An object that a manifest names has a class of fault; a file has none."""
        if self.items is not None:
            return ExportCorrupt(f"export object {self.label} cannot be used", why=f"{kind}: {where}{why}")
        return BadArgument(f"{self.label} {what}", why=why, fix=_FIX)

    def to_data(self) -> dict[str, Any]:
        """For another process."""
        return {"path": str(self.path), "name": self.name, "wrapped": self.wrapped, "items": self.items}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """What `to_data` gave."""
        return cls(Path(data["path"]), data["name"], data["wrapped"], data["items"])


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    """Changes when somebody writes to a file, or puts another one in its place."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """The content of a gzip file, all its members, each with its checksum right; EOFError when it ends too early.

    ISA-L does it in a third of zlib's time.
    """
    unpack, packed = isal_zlib.decompressobj(_GZIP), b""
    while True:
        packed = packed or file.read(_PACKED_BYTES)
        if not packed:
            raise EOFError("the file ends before its last member does")
        chunk = unpack.decompress(packed, BLOCK_BYTES)
        if chunk:
            yield chunk
        packed = unpack.unconsumed_tail
        if unpack.eof:
            packed = (unpack.unused_data or file.read(_PACKED_BYTES)).lstrip(b"\0")  # padding may follow a member
            while not packed:
                packed = file.read(_PACKED_BYTES)
                if not packed:
                    return
                packed = packed.lstrip(b"\0")
            unpack = isal_zlib.decompressobj(_GZIP)


_FIX = ("correct or remove what is named, and compare again",)
