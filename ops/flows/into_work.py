"""What is written into a table that exists, and how: the lines, the options, the plan, and what came of it.

`ops import-s3 --into` and `ops load FILE` differ in where the lines come from. Nothing is written before every line was
judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from ops.dynamodb.capacity import CapacityLimit
from ops.errors import SourceHasBadLines
from ops.flows.held import Held
from ops.flows.importing import NAMED_PROBLEMS
from ops.flows.net_lines import Judged, Rejection
from ops.flows.reading import Opened
from ops.flows.session import Session
from ops.model.items import Item
from ops.model.recovery import ImportResult
from ops.recovery.preflight import Line

#: Files of the run folder: lines that cannot be used, lines that AWS refused.
REJECTED, REFUSED = "rejected.jsonl", "refused.jsonl"

#: `put` overwrites, `put-new` writes no key that is there, `put-newer` only over an item with a smaller attribute.
Mode = Literal["put", "put-new", "put-newer"]
MODES: tuple[Mode, ...] = ("put", "put-new", "put-newer")


class Lines(Protocol):
    """What is to be written; it can be read more than once."""

    @property
    def address(self) -> str:
        """For messages."""

    def judge(self, newest: Held) -> Judged:
        """Read and judge every line; `newest` learns which line has the last word on a key."""

    def put_lines(self, judged: Judged, newest: Held) -> Iterator[Line]:
        """`{"Item":…}` lines to put, each with its place: of each key the one that counts."""

    def deletions(self, judged: Judged, newest: Held) -> Iterator[Item]:
        """Keys to delete."""

    def rejections(self, judged: Judged) -> Iterator[Rejection]:
        """The unusable lines with their text."""


@dataclass(frozen=True, slots=True)
class How:
    """`most_bad` unusable lines are left out and kept in a file (None: any number); more of them refuse the whole."""

    only_changed: bool = False
    most_bad: int | None = 0
    #: As `CapacityLimit.of` takes it.
    rate: str | None = None
    mode: Mode = "put"
    newer_by: str = ""
    #: The option that lets unusable lines pass, for an error text.
    way_out: str = "--quarantine writes the other lines and keeps these in a file"


@dataclass(frozen=True, slots=True)
class IntoPlan:
    """What would be done, after every line was read."""

    source: str
    table: str
    lines: int
    puts: int
    deletes: int
    rejected: int
    write_units: int


@dataclass(frozen=True, slots=True)
class IntoResult:
    """The counts, deleted keys that were found again, keys that are not there; `rejects` names the files."""

    counts: ImportResult
    deleted_found: int
    rejects: str | None
    absent: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """Everything judged, and the scratch that the writing needs."""

    bench: Opened
    lines: Lines
    judged: Judged
    newest: Held
    folder: Path

    @property
    def plan(self) -> IntoPlan:
        """What is going to be done."""
        found = self.judged
        units = found.units * (1 + 2 * len(self.bench.table.indexes)) + found.deletes
        table = self.bench.table.name
        return IntoPlan(self.lines.address, table, found.read, found.puts, found.deletes, found.rejected, units)


def judged(session: Session, bench: Opened, lines: Lines, newest: Held, folder: Path, how: How) -> Work:
    """Every line read; SourceHasBadLines when more cannot be used than may, or when there is no item at all."""
    write_limit(session, bench, how)  # a mistyped one must not show only after every line was read
    with session.progress.phase("check", f"every object and line of {lines.address}"):
        found = lines.judge(newest)
    listed = [f"{one.source} line {one.line}: {one.reason}" for one in found.problems[:NAMED_PROBLEMS]]
    too_many = how.most_bad is not None and found.rejected > how.most_bad
    if found.problems and (too_many or not found.listed_all):
        more = found.rejected - len(listed)
        raise SourceHasBadLines(
            f"{lines.address} has {found.rejected:,} unusable lines of {found.read:,}",
            why="; ".join(listed) + (f"; and {more:,} more" if more > 0 else ""),
            changed="0 items written",
            fix=(how.way_out,),
        )
    if not found.puts:
        raise SourceHasBadLines(f"{lines.address} holds no item", changed="0 items written")
    return Work(bench, lines, found, newest, folder)


def write_limit(session: Session, bench: Opened, how: How) -> CapacityLimit | None:
    """The bound on write units that `how.rate` asks for."""
    return CapacityLimit.of(how.rate, bench.table.write_capacity, f"table {bench.table.name}", session.clock)
