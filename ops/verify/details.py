"""What a comparison may have to say about an item beside its digests: its key, when it expires, what is wrong."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from ops.errors import RunFolderUnusable
from ops.model.items import Item
from ops.verify.fingerprint import Record, recorder
from ops.verify.sides import FilesSide
from ops.verify.spill import FAULT, NOWHERE, Row
from ops.verify.worker import LINE_BITS

MEMORY_LIMIT_BYTES = 8 * 1024 * 1024
_HEAD = struct.Struct(">qII")
_NO_EXPIRY = -(1 << 63)
_NO_KEY = 0xFFFFFFFF
#: Items asked about together that are kept for another question.
_KEPT_ITEMS = 4000


class Details(Protocol):
    """Tells about rows what their digests do not."""

    def records(self, rows: Iterable[Row]) -> dict[int, Record]:
        """Whole records by place."""

    def close(self) -> None:
        """Give memory and files back."""


class Notes:
    """Details written down while a stream that may cost money to read again is read once."""

    def __init__(self, folder: Path | None = None, *, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self._folder, self._limit = folder, memory_limit_bytes
        self._held = bytearray()
        self._file: IO[bytes] | None = None
        self._written = 0

    def add(self, record: Record) -> int:
        """The place of what is known about a record."""
        flag = FAULT if record.fault else 0
        if record.key_json is None and record.expires is None and not flag:
            return NOWHERE
        place = self._written + len(self._held)
        fault = record.fault.encode()
        self._held += _HEAD.pack(
            _NO_EXPIRY if record.expires is None else max(-(1 << 62), min(record.expires, 1 << 62)),
            _NO_KEY if record.key_json is None else len(record.key_json),
            len(fault),
        )
        self._held += record.key_json or b""
        self._held += fault
        if len(self._held) > self._limit:
            self._flush()
        return place | flag

    def records(self, rows: Iterable[Row]) -> dict[int, Record]:
        return {row.place: self._record(row) for row in sorted(rows, key=lambda row: row.place)}

    def close(self) -> None:
        self._held.clear()
        if self._file is not None:
            with suppress(OSError):  # on a full disk closing tries once more to write what nobody wants any more
                self._file.close()
            self._file = None

    def _record(self, row: Row) -> Record:
        at = row.place & ~FAULT
        if at == NOWHERE:
            return Record(row.key, row.item)
        expires, key_bytes, fault_bytes = _HEAD.unpack(self._read(at, _HEAD.size))
        at += _HEAD.size
        key = None if key_bytes == _NO_KEY else self._read(at, key_bytes)
        fault = self._read(at + (0 if key is None else key_bytes), fault_bytes).decode()
        return Record(row.key, row.item, key, None if expires == _NO_EXPIRY else expires, fault)

    def _read(self, at: int, length: int) -> bytes:
        if at >= self._written:
            return bytes(self._held[at - self._written : at - self._written + length])
        if self._file is None:
            raise ValueError("the notes are closed")
        self._file.seek(at)
        return self._file.read(length)

    def _flush(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, prefix="ops-compare-")  # noqa: SIM115
            self._file.seek(0, 2)
            self._written += self._file.write(self._held)
            self._file.flush()
        except OSError as error:
            raise RunFolderUnusable(
                f"cannot hold the records of the comparison in {self._folder or tempfile.gettempdir()}",
                why=str(error),
                fix=("free space there, or choose another folder with TMPDIR=DIR",),
            ) from error
        self._held.clear()


class Lines:
    """Details read from the files a second time, without parsing the lines between."""

    def __init__(self, side: FilesSide) -> None:
        self._side = side
        self._seen: dict[int, Item] = {}

    def records(self, rows: Iterable[Row]) -> dict[int, Record]:
        wanted = list(rows)
        if len(wanted) > _KEPT_ITEMS:
            return {row.place: record for row, _, record in self._read(wanted)}
        read = list(self._read(wanted))
        self._seen = {row.place: item for row, item, _ in read}
        return {row.place: record for row, _, record in read}

    def items(self, rows: Iterable[Row]) -> dict[bytes, Item]:
        """Items by key digest; those asked about last are not read again."""
        wanted = list(rows)
        new = [row for row in wanted if row.place not in self._seen]
        seen = {**self._seen, **{row.place: item for row, item, _ in self._read(new)}}
        return {row.key: seen[row.place] for row in wanted}

    def close(self) -> None:
        self._seen = {}

    def _read(self, rows: Iterable[Row]) -> Iterator[tuple[Row, Item, Record]]:
        """Each line must still be what it was: another in its place would tell of another item."""
        record = recorder(self._side.keys, ttl=self._side.ttl)
        left = {_line(row.place): row for row in rows}
        for line, item in self._side.items_at(list(left)):
            row, now = left.pop(line), record(item)
            if (now.key, now.item) != (row.key, row.item):
                raise self._side.files[line[0]].changed()
            yield row, item, now
        for number, _ in left:
            raise self._side.files[number].changed()


def _line(place: int) -> tuple[int, int]:
    return (place & ~FAULT) >> LINE_BITS, place & ((1 << LINE_BITS) - 1)
