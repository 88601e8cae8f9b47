"""Records held by bucket in bounded memory: what is over goes to one temporary file.

The comparison needs all records of one bucket range at a time, from both sides; so memory is one range
(1/256 of the table), whatever the size of the table. Small tables never touch the disk.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ops.errors import RunFolderUnusable
from ops.verify.fingerprint import BUCKETS, Record

PARTS = 256
MEMORY_LIMIT_BYTES = 24 * 1024 * 1024
_HEAD = struct.Struct(">32s32sqIH")
_NO_EXPIRY = -(1 << 63)
_NO_KEY = 0xFFFFFFFF


class Spill:
    """A multiset of records, written once, then read part by part any number of times."""

    parts = PARTS

    def __init__(self, folder: Path | None = None, *, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit = memory_limit_bytes
        self._held = [bytearray() for _ in range(PARTS)]
        self._held_bytes = 0
        self._extents: list[list[tuple[int, int]]] = [[] for _ in range(PARTS)]
        self._file: IO[bytes] | None = None
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give memory and file back; the file has no name and vanishes."""
        if self._file is not None:
            self._file.close()
        self._held = [bytearray() for _ in range(PARTS)]
        self._file = None

    def add(self, record: Record) -> None:
        """Keep one record."""
        key_json = record.key_json
        fault = record.fault.encode()[:0xFFFF] if record.fault else b""
        part = self._held[record.key[0]]
        before = len(part)
        part += _HEAD.pack(
            record.key,
            record.item,
            _NO_EXPIRY if record.expires is None else max(-(1 << 62), min(record.expires, 1 << 62)),
            _NO_KEY if key_json is None else len(key_json),
            len(fault),
        )
        if key_json is not None:
            part += key_json
        if fault:
            part += fault
        self.count += 1
        self._held_bytes += len(part) - before
        if self._held_bytes > self._limit:
            self._flush()

    def part(self, number: int) -> Iterator[Record]:
        """The records whose key digest begins with the byte `number`."""
        for start, length in self._extents[number]:
            yield from _records(self._read(start, length))
        yield from _records(bytes(self._held[number]))

    def __iter__(self) -> Iterator[Record]:
        for number in range(PARTS):
            yield from self.part(number)

    @staticmethod
    def buckets_of(part: int) -> tuple[int, int]:
        """First bucket of a part, and the first bucket after it."""
        width = BUCKETS // PARTS
        return part * width, (part + 1) * width

    def _flush(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, prefix="ops-compare-")  # noqa: SIM115
            self._file.seek(0, 2)
            for number, held in enumerate(self._held):
                if held:
                    self._extents[number].append((self._file.tell(), len(held)))
                    self._file.write(held)
                    held.clear()
        except OSError as error:
            raise RunFolderUnusable(
                f"cannot hold the records of the comparison in {self._folder or tempfile.gettempdir()}",
                why=str(error),
                fix=("free space there, or choose another folder with TMPDIR=DIR",),
            ) from error
        self._held_bytes = 0

    def _read(self, start: int, length: int) -> bytes:
        if self._file is None:
            raise ValueError("the spill is closed")
        self._file.seek(start)
        return self._file.read(length)


def _records(data: bytes) -> Iterator[Record]:
    at, end, head = 0, len(data), _HEAD.size
    while at < end:
        key, item, expires, key_length, fault_length = _HEAD.unpack_from(data, at)
        at += head
        key_json = None
        if key_length != _NO_KEY:
            key_json = data[at : at + key_length]
            at += key_length
        fault = data[at : at + fault_length].decode(errors="replace") if fault_length else ""
        at += fault_length
        yield Record(key, item, key_json, None if expires == _NO_EXPIRY else expires, fault)
