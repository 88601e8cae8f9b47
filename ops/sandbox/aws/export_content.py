"""What an export holds, fixed at its request: the state of a second, or the net changes of a window, and their lines.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_FilterSpecification.html: the key condition tests equality on
one partition key; beside it a filter names non-key attributes only. docs.aws.amazon.com/amazondynamodb/latest/
developerguide/S3DataExport.Output.html: lines, images per view type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from moto.dynamodb.models.table import Table

from ops.sandbox.aws import ion
from ops.sandbox.aws.errors import validation
from ops.sandbox.aws.expressions import Path, condition_of, names_of, paths_of, project, values_of
from ops.sandbox.aws.items import Key, StoredItem, Wire
from ops.sandbox.aws.journal import State
from ops.sandbox.aws.key_conditions import key_conditions
from ops.sandbox.aws.tables import key_types, state_of

MAX_EXPRESSION_BYTES = 4_096
_EXPRESSIONS = ("KeyConditionExpression", "FilterExpression", "ProjectionExpression")
_WORD = re.compile(r"(?<![.:#\w])#?[A-Za-z_]\w*")

Document = dict[str, Any]
Images = tuple[StoredItem | None, StoredItem | None]


@dataclass(frozen=True, slots=True)
class Selection:
    """FilterSpecification, checked and parsed."""

    tests: tuple[Any, ...] = ()
    paths: tuple[Path, ...] | None = None

    def keeps(self, item: StoredItem) -> bool:
        """Whether the key condition and the filter hold."""
        return all(test.expr(item) for test in self.tests)

    def shown(self, item: StoredItem) -> Wire:
        """The image, projected."""
        return item.wire if self.paths is None else project(item.wire, list(self.paths))


def selection_of(table: Table, body: Document) -> Selection:
    """Refuses at the request what a job could only fail on later."""
    if not body:
        return Selection()
    for member in _EXPRESSIONS:
        if len((body.get(member) or "").encode()) > MAX_EXPRESSION_BYTES:
            raise validation(f"Invalid {member}: Expression size has exceeded the maximum allowed size")
    if body.get("KeyConditionExpression"):
        _check_key_condition(table, body)
    tests = [condition_of(body, member) for member in _EXPRESSIONS[:2]]
    paths = paths_of(body)
    return Selection(tuple(one for one in tests if one is not None), None if paths is None else tuple(paths))


def _check_key_condition(table: Table, body: Document) -> None:
    key_conditions(body["KeyConditionExpression"], names_of(body), values_of(body), table.schema, key_types(table))
    words = _WORD.findall(body.get("FilterExpression") or "")
    named = {names_of(body).get(word, word) for word in words}
    for key in table.table_key_attrs:
        if key in named:
            raise validation("Filter Expression can only contain non-primary key attributes: "
                             f"Primary key attribute: {key}")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Content:
    """Full: `after` is the state. Incremental: `touched` names the keys, `before` and `after` hold their images."""

    key_names: tuple[str, ...]
    selection: Selection
    view: str
    before: State
    after: State
    touched: dict[Key, float] | None = None

    def lines(self, form: str) -> Iterator[tuple[Wire, bytes]]:
        """(an image that holds the key, its line) in the format DYNAMODB_JSON or ION."""
        if self.touched is not None:
            yield from self._changes(form)
            return
        for item in self.after.values():
            if self.selection.keeps(item):
                yield item.wire, self._item_line(form, item)

    def _item_line(self, form: str, item: StoredItem) -> bytes:
        if form == "ION":
            return ion.line({"Item": ion.struct(self.selection.shown(item))})
        shown = item.raw if self.selection.paths is None else orjson.dumps(self.selection.shown(item))
        return b'{"Item":' + shown + b"}"

    def _changes(self, form: str) -> Iterator[tuple[Wire, bytes]]:
        """One net change per key in [from, to); what was inserted and deleted inside leaves no line."""
        for key, when_s in (self.touched or {}).items():
            old, new = self.before.get(key), self.after.get(key)
            decisive = new or old  # filters look at the newest image, for a delete at the old one
            if decisive is not None and self.selection.keeps(decisive):
                record = self._change(key, (old, new))
                yield decisive.wire, _change_line(form, int(when_s * 1_000_000), record)

    def _change(self, key: Key, images: Images) -> Document:
        old, new = images
        record: Document = {
            "Keys": {name: {kind: value} for name, (kind, value) in zip(self.key_names, key, strict=True)}
        }
        if old is not None and self.view == "NEW_AND_OLD_IMAGES":
            record["OldImage"] = self.selection.shown(old)
        if new is not None:
            record["NewImage"] = self.selection.shown(new)
        return record


def _change_line(form: str, micros: int, record: Document) -> bytes:
    if form == "ION":
        members = {name: ion.struct(wire) for name, wire in record.items()}
        members["Metadata"] = f"{{WriteTimestampMicros:{ion.decimal(str(micros))}}}"
        return ion.line({"Record": "{" + ",".join(f"{name}:{text}" for name, text in members.items()) + "}"})
    return orjson.dumps({"Metadata": {"WriteTimestampMicros": {"N": str(micros)}}, **record})


def content_of(table: Table, selection: Selection, view: str, from_s: int | None, to_s: float) -> Content:
    """Fixed now: what happens to the table or its window later does not change it."""
    names, journal = tuple(table.table_key_attrs), state_of(table).journal
    if from_s is None:
        return Content(names, selection, view, {}, journal.state_at(to_s))
    return Content(
        names, selection, view, journal.state_at(from_s, inclusive=False), journal.state_at(to_s, inclusive=False),
        journal.touched_between(from_s, to_s),
    )  # fmt: skip
