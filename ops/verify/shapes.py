"""Items of one shape, read by one pattern: no parsing where a table's items look alike.

Most items of a table differ in their values only. A shape is a pattern that matches exactly the lines of one
structure whose values are already in canonical notation; the canonical text is then its groups, put in order.
Whatever does not match (another structure, an odd number, an escaped character) is left to the parser. Shapes are
made by `ops.verify.learning`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

#: What is done to a group before it is canonical text.
Settle = Callable[[bytes], bytes]


class HeldTwice(Exception):
    """A set that holds a member twice, or a map a name: such a line is left to the parser."""


def picker(order: Sequence[int]) -> Callable[[Sequence[bytes]], bytes | tuple[bytes, ...]]:
    """The groups of a row in that order, as a template takes them."""
    return itemgetter(*order) if order else _nothing


def _nothing(row: Sequence[bytes]) -> tuple[bytes, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Form:
    """Canonical text with gaps, what fills them from a row of groups, and the groups that are settled first."""

    template: bytes
    pick: Callable[[Sequence[bytes]], bytes | tuple[bytes, ...]]
    settled: tuple[tuple[int, Settle], ...] = ()

    def fill(self, rows: Sequence[Sequence[bytes]]) -> list[bytes]:
        """The texts of rows that are settled."""
        template, pick = self.template, self.pick
        return [template % pick(row) for row in rows]

    def settle(self, row: Sequence[bytes]) -> Sequence[bytes]:
        """The row with every group as canonical text; HeldTwice."""
        cells = list(row)
        for place, settle in self.settled:
            cells[place] = settle(cells[place])
        return cells


def settle_set(text: bytes) -> bytes:
    """Members of a set, sorted. None has an escape: the order of UTF-8 bytes is that of code points."""
    members = text[1:-1].split(b'","')
    members.sort()
    if len(set(members)) != len(members):
        raise HeldTwice
    return b'"%b"' % b'","'.join(members)


_NAME = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Alike:
    """Members of a list, or of a map with names that differ from item to item, which all have one shape."""

    pattern: re.Pattern[bytes]
    form: Form
    named: bool

    def settle(self, text: bytes) -> bytes:
        """The members' canonical texts; those of a map by name, which is the first group of each."""
        rows: list[Sequence[bytes]] = self.pattern.findall(text)
        if self.form.settled:
            rows = [self.form.settle(row) for row in rows]
        if self.named:
            rows.sort(key=_NAME)
            if len({row[0] for row in rows}) != len(rows):
                raise HeldTwice
        return b",".join(self.form.fill(rows))


@dataclass(frozen=True, slots=True)
class Rows:
    """Lines of a block that have the shape: canonical texts of item and key, and which lines they are."""

    at: Sequence[int]
    items: list[bytes]
    keys: list[bytes]
    #: The other lines with their number.
    others: list[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Shape:
    """A pattern for whole lines, whose last group is a line of any other shape, and the forms of item and key."""

    pattern: re.Pattern[bytes]
    item: Form
    key: Form

    def rows(self, lines: Sequence[int], block: bytes) -> Rows:
        """Judge the lines of `block`, whose numbers are `lines`; there may be more numbers than lines."""
        found: list[tuple[bytes, ...]] = self.pattern.findall(block)
        others = [(lines[at], row[-1]) for at, row in enumerate(found) if row[-1]]
        if self.item.settled:
            return self._settled(lines, found, block, others)
        if others:
            lines = [lines[at] for at, row in enumerate(found) if not row[-1]]
            found = [row for row in found if not row[-1]]
        else:
            lines = lines[: len(found)]
        return Rows(lines, self.item.fill(found), self.key.fill(found), others)

    def _settled(
        self, lines: Sequence[int], found: list[tuple[bytes, ...]], block: bytes, others: list[tuple[int, bytes]]
    ) -> Rows:
        kept: list[Sequence[bytes]] = []
        at: list[int] = []
        for number, row in enumerate(found):
            if row[-1]:
                continue
            try:
                kept.append(self.item.settle(row))
                at.append(lines[number])
            except HeldTwice:
                others.append((lines[number], block.split(b"\n")[number] + b"\n"))
        return Rows(at, self.item.fill(kept), self.key.fill(kept), others)
