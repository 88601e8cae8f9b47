"""A table compared with exports that speak of a part of it: items of other keys are none of their business."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ops.dynamodb.query import BATCH_KEYS, get_items
from ops.flows import sides
from ops.flows.held import Held, held
from ops.flows.reading import Opened
from ops.flows.session import Session
from ops.model.items import Item, KeySchema
from ops.model.proof import Comparison, SideInfo
from ops.verify.fingerprint import Record
from ops.verify.sides import LinesSide, TableSide

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Stated:
    """What exports say that a table holds at least."""

    where: str
    items: Callable[[], Iterator[Item]]
    keys: KeySchema
    count: int


@dataclass(frozen=True, slots=True)
class _Noted:
    """The expected side; its keys are noted while it is read."""

    base: LinesSide
    noted: Held

    @property
    def info(self) -> SideInfo:
        return self.base.info

    @property
    def live(self) -> bool:
        return False

    def records(self) -> Iterator[Record]:
        records = self.base.records()
        while chunk := list(islice(records, _BATCH)):
            self.noted.add((one.key, b"") for one in chunk)
            yield from chunk

    def declared(self) -> int | None:
        return self.base.declared()

    def items_for(self, keys: Mapping[bytes, Item | None]) -> dict[bytes, Item]:
        return self.base.items_for(keys)


@dataclass(frozen=True, slots=True)
class _OfNoted:
    """The table, as far as its keys were noted; read after the expected side."""

    base: TableSide
    noted: Held

    @property
    def info(self) -> SideInfo:
        return self.base.info

    @property
    def live(self) -> bool:
        return True

    def records(self) -> Iterator[Record]:
        return (one for one in self.base.records() if one.key in self.noted)

    def declared(self) -> int | None:
        return None

    def items_for(self, keys: Mapping[bytes, Item | None]) -> dict[bytes, Item]:
        return self.base.items_for(keys)


def compare_stated(session: Session, stated: Stated, bench: Opened, folder: Path) -> Comparison:
    """Every stated item against the table; what else the table holds is not looked at."""
    lines = LinesSide(SideInfo("export", stated.where), stated.items, stated.keys, stated.count)
    with held(folder, "stated") as noted:
        table = _OfNoted(TableSide(bench.plane, bench.table), noted)
        return sides.compared(session, _Noted(lines, noted), table, stated.keys, None, folder)


def still_there(bench: Opened, keys: Iterator[Item]) -> int:
    """How many of these keys the table holds."""
    count = 0
    while chunk := list(islice(keys, BATCH_KEYS)):
        count += sum(1 for _ in get_items(bench.plane, bench.table.name, chunk, consistent=True))
    return count
