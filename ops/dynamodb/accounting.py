"""What a bulk write is told and tells: its table, its counts, what was rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ops.errors import AccountingMismatch, OpsError
from ops.model.items import Item, KeySchema


@dataclass(slots=True)
class WriteCounts:
    """Items by what became of them."""

    read: int = 0
    written: int = 0
    unchanged: int = 0
    duplicates: int = 0
    rejected: int = 0

    def check(self) -> None:
        """Raise unless every item read is accounted for."""
        known = self.written + self.unchanged + self.duplicates + self.rejected
        if self.read != known:
            raise AccountingMismatch(
                f"{self.read} items were read, but {known} are accounted for",
                why=f"written {self.written}, unchanged {self.unchanged}, "
                f"duplicates {self.duplicates}, rejected {self.rejected}",
                changed=f"{self.written} items were written",
            )


@contextmanager
def accounted(counts: WriteCounts, table: str, give_up: Callable[[], None]) -> Iterator[None]:
    """Inside, items are written: at the end the counts add up; an error says how many were written before it."""
    try:
        yield
    except Exception as error:
        # What is on its way may still be written: it is waited for, so that counts and checkpoint know of it.
        give_up()
        if isinstance(error, OpsError):
            # Without this a throttled load would claim that nothing was changed.
            error.changed = f"{counts.written} items were written to {table} before"
        raise
    counts.check()


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that was not written, where it stood in the input (from 1), and why. Holds the item: never log it.

    Of an input line also its bytes; `item` is empty when they are no item at all.
    """

    position: int
    item: Item
    reason: str
    line: bytes | None = None


@dataclass(frozen=True, slots=True)
class WriteTarget:
    """The table written to, its keys and those of its indexes: what an item must satisfy."""

    table: str
    keys: KeySchema
    indexes: Mapping[str, KeySchema] = field(default_factory=dict)
