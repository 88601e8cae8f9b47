"""A file of items as lines to write into a table: every line judged, of each key one line that counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import orjson

from ops.dynamodb.attributes import Unacceptable, canonical_number, decode_binary, validate_item
from ops.errors import BadArgument
from ops.flows.held import Held
from ops.flows.item_files import LINE_LIMIT_BYTES, Files
from ops.flows.net_lines import WRITE_UNIT_BYTES, Judged, Rejection
from ops.flows.typed_lines import ToWire, csv_records, to_wire
from ops.model.items import Item, KeySchema
from ops.model.recovery import LineProblem
from ops.recovery.lines import BadLine, check_names
from ops.recovery.preflight import LISTED_PROBLEMS, Line, key_digest, without_value

#: Of several lines with one key the last is written; or the first is, and the others are unusable.
Repeats = Literal["last", "reject"]
REPEATS: tuple[Repeats, ...] = ("last", "reject")
_BATCH = 1000
_NUMBER_BYTES = 8


@dataclass(slots=True)
class FileLines:
    """Lines of files for one table. `types` names types of plain JSON members and of CSV columns.

    With `newer_by`, of several lines with one key not the last counts, but the one in which that attribute is largest.
    """

    files: Files
    keys: KeySchema
    indexes: Mapping[str, KeySchema]
    types: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = ","
    repeats: Repeats = "last"
    newer_by: str | None = None
    _stamps: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """For messages."""
        return self.files.where

    def judge(self, newest: Held) -> Judged:
        """Read and judge every line; `newest` learns of each key the number (from 0) of the line that counts.

        With `newer_by` also that attribute of it, as JSON behind the number.
        """
        found, accepted = Judged(), 0
        self._stamps = self.files.stamps()
        waiting: dict[bytes, bytes] = {}
        convert = self._converter()
        for number, (source, line, raw) in enumerate(self._records()):
            try:
                wire = _wire(convert, source, line, raw)
                if wire is None:
                    continue
                key, word = self._judged(wire, number)
                if self.repeats == "reject" and (key in waiting or key in newest):
                    raise BadLine("duplicate key: a line before it has the same")
            except BadLine as error:
                # A quotation mark that should not be there swallows the lines up to the next one: each is a lost line.
                found.read += 0 if error.header else 1 + raw.count(b"\n")
                self._note(found, LineProblem(source, line, str(error)))
                continue
            found.read, accepted = found.read + 1, accepted + 1
            found.units += -(-len(wire) // WRITE_UNIT_BYTES)
            if self.newer_by is not None and not _is_newer(word, waiting.get(key) or newest.get(key)):
                continue
            waiting[key] = word
            if len(waiting) == _BATCH:
                newest.add(waiting.items())
                waiting = {}
        newest.add(waiting.items())
        found.puts = len(newest)
        found.superseded = accepted - found.puts
        return found

    def _judged(self, wire: bytes, number: int) -> tuple[bytes, bytes]:
        item = item_of(wire)
        check_names(wire, {"Item": item})
        try:
            validate_item(item, self.keys, self.indexes)
        except Unacceptable as error:
            raise BadLine(without_value(str(error))) from error
        compared = b"" if self.newer_by is None else orjson.dumps(item.get(self.newer_by))
        return key_digest(item, self.keys), number.to_bytes(_NUMBER_BYTES, "big") + compared

    def _note(self, found: Judged, problem: LineProblem) -> None:
        if len(found.problems) == LISTED_PROBLEMS:
            found.listed_all = False
            return
        found.problems.append(problem)
        found.bad.add((problem.source, problem.line))

    def put_lines(self, judged: Judged, newest: Held) -> Iterator[Line]:
        """`{"Item":…}` lines to put; BadArgument at the end when a file has changed since it was judged."""
        convert = self._converter()
        for number, (source, line, raw) in enumerate(self._records()):
            if (source, line) in judged.bad:
                continue
            try:
                wire = _wire(convert, source, line, raw)
                if wire is None:
                    continue
                word = key_digest(item_of(wire), self.keys) if judged.superseded else b""
            except (BadLine, Unacceptable, KeyError, TypeError) as error:  # what was judged was another line
                raise self._changed() from error
            if not word or (newest.get(word) or b"")[:_NUMBER_BYTES] == number.to_bytes(_NUMBER_BYTES, "big"):
                yield source, line, wire
        if self.files.stamps() != self._stamps:
            raise self._changed()

    def _changed(self) -> BadArgument:
        return BadArgument(
            f"{self.address} changed while it was read",
            why="lines that were never judged may have been written",
            fix=("run the command again, on a file that nobody writes to",),
        )

    def deletions(self, judged: Judged, newest: Held) -> Iterator[Item]:
        """A file deletes nothing."""
        return iter(())

    def rejections(self, judged: Judged) -> Iterator[Rejection]:
        """The unusable lines with their text."""
        reasons = {(one.source, one.line): one for one in judged.problems}
        for source, line, raw in self._records():
            problem = reasons.get((source, line))
            if problem is not None:
                yield Rejection(problem, raw)

    def _records(self) -> Iterator[Line]:
        lines = self.files.lines()
        return csv_records(lines) if self.files.form == "csv" else lines

    def _converter(self) -> ToWire:
        return to_wire(self.files.form, self.keys, self.indexes, self.types, self.delimiter)


def _wire(convert: ToWire, source: str, line: int, raw: bytes) -> bytes | None:
    if len(raw) > LINE_LIMIT_BYTES:
        raise BadLine(f"longer than {LINE_LIMIT_BYTES} bytes")
    return convert(source, line, raw)


def _is_newer(word: bytes, than: bytes | None) -> bool:
    """As the table would decide: an equal value, or one of another type, is not larger."""
    if than is None:
        return True
    (kind, value), (earlier, held) = _compared(word), _compared(than)
    if earlier == "":
        return True
    return bool(kind == earlier and value > held)


def _compared(word: bytes) -> tuple[str, Any]:
    """Type and value in an order that is DynamoDB's; no type for what cannot be compared by."""
    value = orjson.loads(word[_NUMBER_BYTES:])
    if not isinstance(value, dict):
        return "", None
    [(kind, content)] = value.items()
    if kind == "N":
        return kind, Decimal(canonical_number(content))
    if kind == "B":
        return kind, decode_binary(content)
    return (kind, content.encode()) if kind == "S" else ("", None)


def item_of(wire: bytes) -> Item:
    """The item of an export line; BadLine when it is none."""
    try:
        document = orjson.loads(wire)
    except orjson.JSONDecodeError as error:
        raise BadLine(f"not JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(document, dict) or document.keys() != {"Item"} or not isinstance(document["Item"], dict):
        raise BadLine("no member Item")
    item: Item = document["Item"]
    return item
