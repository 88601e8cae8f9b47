"""What is compared: tables, exports, lines and seals, each as a stream of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.client import DataPlane
from ops.dynamodb.query import get_items
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.table import Index, Table
from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.recovery.lines import BadLine, parse_json
from ops.verify.fingerprint import Record, recorder
from ops.verify.lines import LineFile
from ops.verify.seal import Seal


class Side(Protocol):
    """One side of a comparison. It may be read more than once."""

    @property
    def info(self) -> SideInfo:
        """What it is, and what it cannot show."""

    @property
    def live(self) -> bool:
        """Whether it may change while it is read, so that differing keys deserve a second look."""

    def records(self) -> Iterator[Record]:
        """Every item as its record."""

    def declared(self) -> int | None:
        """Items the side must hold by its own word; asked after the records were read."""

    def items_for(self, keys: Mapping[bytes, Item | None]) -> dict[bytes, Item]:
        """The items of some keys (by key digest), to show what differs; a side without values answers none."""


@dataclass(frozen=True, slots=True)
class LinesSide:
    """Items that can be read again from their source: an export, a file, a ledger.

    `files` gives the same items as local files, which several processes read in a fraction of the time; None when
    there are to be none. A comparison asks for them once, just before it reads.
    """

    info: SideInfo
    read: Callable[[], Iterator[Item]]
    keys: KeySchema
    count: int | None = None
    ttl: str | None = None
    live: bool = False
    files: Callable[[], tuple[LineFile, ...] | None] | None = None

    def in_files(self) -> FilesSide | None:
        """The same side as local files; None when it has none."""
        files = self.files() if self.files is not None else None
        if files is None:
            return None
        return FilesSide(self.info, files, self.keys, self.count, self.ttl, self.live)

    def records(self) -> Iterator[Record]:
        return map(recorder(self.keys, ttl=self.ttl), self.read())

    def declared(self) -> int | None:
        return self.count

    def items_for(self, keys: Mapping[bytes, Item | None]) -> dict[bytes, Item]:
        record = recorder(self.keys)
        pairs = ((record(item).key, item) for item in self.read())
        return {digest: item for digest, item in pairs if digest in keys}


@dataclass(frozen=True, slots=True)
class FilesSide:
    """Items in local files, one per line: read by several processes, a whole file by one, and by shape."""

    info: SideInfo
    files: tuple[LineFile, ...]
    keys: KeySchema
    count: int | None = None
    ttl: str | None = None
    live: bool = False

    def read(self) -> Iterator[Item]:
        """Every item, file by file."""
        for file in self.files:
            count = 0
            for block in file.blocks():
                for line in block.split(b"\n")[:-1]:
                    yield _item_in(file, count, line)
                    count += 1
            file.check_count(count)

    def records(self) -> Iterator[Record]:
        return map(recorder(self.keys, ttl=self.ttl), self.read())

    def declared(self) -> int | None:
        return self.count

    def items_for(self, keys: Mapping[bytes, Item | None]) -> dict[bytes, Item]:
        record = recorder(self.keys)
        pairs = ((record(item).key, item) for item in self.read())
        return {digest: item for digest, item in pairs if digest in keys}

    def items_at(self, places: Iterable[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], Item]]:
        """The items at some places (number of the file, number of the line, both from 0), without parsing others."""
        wanted: dict[int, list[int]] = {}
        for number, line in places:
            wanted.setdefault(number, []).append(line)
        for number in sorted(wanted):
            for line, text in self.files[number].lines_at(wanted[number]):
                yield (number, line), _item_in(self.files[number], line, text)


def _item_in(file: LineFile, number: int, line: bytes) -> Item:
    try:
        return parse_json(line, wrapped=file.wrapped)
    except BadLine as error:
        raise file.bad_line(number, str(error)) from error


@dataclass(frozen=True, slots=True)
class SealedSide:
    """A seal without its records: it proves equality, and names the buckets that differ, but no key in them."""

    info: SideInfo
    seal: Seal
    live: bool = False

    def records(self) -> Iterator[Record]:
        """None: only the digests of whole buckets are known."""
        return iter(())

    def declared(self) -> int | None:
        return self.seal.count

    def items_for(self, keys: Mapping[bytes, Item | None]) -> dict[bytes, Item]:
        return {}


@dataclass(frozen=True, slots=True)
class TableSide:
    """A table, read by a parallel scan; consistent, except through a global index, where AWS has no such read."""

    plane: DataPlane
    table: Table
    index: str | None = None
    limit: CapacityLimit | None = None
    live: bool = True
    _counted: list[int] = field(default_factory=list)

    @property
    def info(self) -> SideInfo:
        where = self.table.name if self.index is None else f"{self.table.name}/{self.index}"
        return SideInfo("table", where, weakness="a scan is no snapshot: it is exact only while nothing writes")

    def records(self) -> Iterator[Record]:
        scan = self._scan()
        yield from map(recorder(self.table.keys, ttl=self.table.ttl_attribute), scan.items())
        self._counted[:] = [scan.counts.items]

    def declared(self) -> int | None:
        return self._counted[0] if self._counted else None

    def items_for(self, keys: Mapping[bytes, Item | None]) -> dict[bytes, Item]:
        record = recorder(self.table.keys)
        if self.index is not None:
            # No read of one key exists on an index; a second scan also gives a lagging index time to follow.
            found: Iterator[Item] = self._scan().items()
        else:
            wanted = [key for key in keys.values() if key is not None]
            found = get_items(self.plane, self.table.name, wanted, consistent=True)
        pairs = ((record(item).key, item) for item in found)
        return {digest: item for digest, item in pairs if digest in keys}

    def _scan(self) -> Scan:
        consistent = self.index is None or not self.table.index(self.index).is_global
        return Scan(self.plane, ScanRequest(self.table.name, self.index, self.table.segments, consistent), self.limit)


@dataclass(frozen=True, slots=True)
class RecordsSide:
    """Records without values, such as those kept beside a backup."""

    info: SideInfo
    read: Callable[[], Iterator[Record]]
    count: int | None = None
    live: bool = False

    def records(self) -> Iterator[Record]:
        return self.read()

    def declared(self) -> int | None:
        return self.count

    def items_for(self, keys: Mapping[bytes, Item | None]) -> dict[bytes, Item]:
        return {}


def index_side(base: LinesSide, index: Index) -> LinesSide:
    """What an index must hold, derived from the items that the table must hold.

    An item is in the index exactly if every key attribute of the index is there with its declared type.
    """

    def read() -> Iterator[Item]:
        for item in base.read():
            if all(kind in item.get(name, {}) for name, kind in index.keys.types.items()):
                yield project(item, base.keys, index)

    info = SideInfo(base.info.kind, f"{base.info.where}, as {index.name} must hold it", base.info.moment)
    return LinesSide(info, read, base.keys, None, base.ttl)


def project(item: Item, keys: KeySchema, index: Index) -> Item:
    """The attributes of `item` that the index holds."""
    if index.projection == "ALL":
        return item
    kept = {*keys.names, *index.keys.names, *(index.include if index.projection == "INCLUDE" else ())}
    return {name: value for name, value in item.items() if name in kept}


def key_from_json(key_json: bytes | None) -> Item | None:
    """The key attributes out of a record's canonical key."""
    if key_json is None:
        return None
    key: Item = orjson.loads(key_json)
    return key
