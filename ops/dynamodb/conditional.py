"""Puts that never overwrite what they must not: one PutItem an item, several on their way at once.

BatchWriteItem takes no conditions. docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson

from ops.dynamodb.accounting import Rejected, WriteCounts, WriteTarget, accounted
from ops.dynamodb.attributes import Unacceptable
from ops.dynamodb.batches import rejected_line
from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.client import DataPlane
from ops.dynamodb.entries import Entries, Entry, Key
from ops.dynamodb.pipeline import MOST_AT_ONCE, Ended, Pipeline
from ops.dynamodb.retry import Failure
from ops.errors import AccountingMismatch, OpsError

_CONDITION_FAILED = "ConditionalCheckFailedException"
_TOLD = frozenset({_CONDITION_FAILED, "ValidationException", "SerializationException"})
_COMPARABLE = frozenset({"S", "N", "B"})


@dataclass(slots=True)
class _Put:
    """A line in the order of the input, and what became of it; None while that is not known."""

    position: int
    entry: Entry | None = None
    ended: Literal["written", "unchanged", "rejected"] | None = None


@dataclass(slots=True)
class ConditionalWriter:
    """Puts items whose key is not in the table; with `newer_by`, also over items in which that attribute is smaller.

    What the table keeps is counted as `unchanged`. A put whose answer was lost and that is then refused because it was
    applied counts as `unchanged` too: the table holds what was wanted. The hooks are those of `BulkWriter`.
    """

    plane: DataPlane
    target: WriteTarget
    newer_by: str | None = None
    on_rejected: Callable[[Rejected], None] | None = None
    on_acknowledged: Callable[[int], None] | None = None
    limit: CapacityLimit | None = None
    most: int = MOST_AT_ONCE
    counts: WriteCounts = field(default_factory=WriteCounts)
    resumed: WriteCounts = field(default_factory=WriteCounts)
    settled: WriteCounts = field(default_factory=WriteCounts)

    def put_lines(self, lines: Iterable[bytes]) -> WriteCounts:
        """Put every export line (`{"Item":{…}}`); the counts, which add up."""
        table = self.target.table
        with Pipeline[_Put](self.plane, "PutItem", table, limit=self.limit, most=self.most, told=_TOLD) as pipe:
            run = _Run(self, pipe)
            with accounted(self.counts, table, run.give_up):
                run.all(lines)
        return self.counts

    def body(self, entry: Entry) -> bytes:
        """The PutItem request of an entry; Unacceptable when it lacks what it is to be compared by."""
        keys = self.target.keys
        params: dict[str, Any] = {"TableName": self.target.table, "ReturnConsumedCapacity": "TOTAL"}
        if self.newer_by is None:
            params["ConditionExpression"] = "attribute_not_exists(#k)"
            params["ExpressionAttributeNames"] = {"#k": keys.partition}
        else:
            value = entry.item.get(self.newer_by)
            if not isinstance(value, dict) or len(value) != 1 or not _COMPARABLE.issuperset(value):
                raise Unacceptable(f"no attribute '{self.newer_by}' of type S, N or B to compare by")
            params["ConditionExpression"] = "attribute_not_exists(#v) OR #v < :v"
            params["ExpressionAttributeNames"] = {"#v": self.newer_by}
            params["ExpressionAttributeValues"] = {":v": value}
        # An export line is an object with the one member that the request still lacks.
        return orjson.dumps(params)[:-1] + b"," + entry.wire.strip()[1:]


class _Run:
    """One pass over the lines."""

    def __init__(self, writer: ConditionalWriter, pipe: Pipeline[_Put]) -> None:
        self._writer = writer
        self._pipe = pipe
        self._entries = Entries(writer.target.keys, writer.target.indexes)
        self._waiting: deque[_Put] = deque()
        self._flying: set[Key] = set()
        writer.settled = replace(writer.resumed)
        writer.counts = replace(writer.resumed)

    def all(self, lines: Iterable[bytes]) -> None:
        skipped, position = self._writer.resumed.read, 0
        for position, line in enumerate(lines, 1):
            if position > skipped:
                self._one(position, line)
        if position < skipped:
            raise AccountingMismatch(f"the input has {position} items, but {skipped} of it were written before")
        while ended := self._pipe.take():
            self._settle(ended)

    def _one(self, position: int, line: bytes) -> None:
        put = _Put(position)
        self._waiting.append(put)
        self._writer.counts.read = position
        try:
            put.entry = entry = self._entries.line(position, line)
            body = self._writer.body(entry)
        except Unacceptable as error:
            self._reject(put, rejected_line(position, line, str(error)))
            return
        while entry.key in self._flying or not self._pipe.room(len(body)):
            ended = self._pipe.take()
            assert ended is not None
            self._settle(ended)
        self._flying.add(entry.key)
        self._pipe.submit(put, body)

    def give_up(self) -> None:
        """What was on its way may still be written: it is waited for, so that counts and checkpoint know of it."""
        for ended in self._pipe.landed():
            # A hook may fail again: what ended the work is told, and what was written is counted.
            with suppress(OpsError):
                self._settle(ended)
        # What never ended was not read, as far as the counts go.
        counts = self._writer.counts
        counts.read = counts.written + counts.unchanged + counts.rejected

    def _settle(self, ended: Ended[_Put]) -> None:
        put, outcome = ended.ticket, ended.outcome
        assert put.entry is not None
        self._flying.discard(put.entry.key)
        if not isinstance(outcome, Failure):
            self._end(put, "written")
        elif outcome.code == _CONDITION_FAILED:
            self._end(put, "unchanged")
        else:
            reason = self._entries.why_not(put.entry) or outcome.message
            self._reject(put, Rejected(put.position, put.entry.item, reason, put.entry.wire))

    def _reject(self, put: _Put, rejected: Rejected) -> None:
        if self._writer.on_rejected is not None:
            self._writer.on_rejected(rejected)
        self._end(put, "rejected")

    def _end(self, put: _Put, kind: Literal["written", "unchanged", "rejected"]) -> None:
        put.ended, put.entry = kind, None
        _count(self._writer.counts, kind)
        moved = False
        while self._waiting and (first := self._waiting[0]).ended is not None:
            self._waiting.popleft()
            _count(self._writer.settled, first.ended)
            self._writer.settled.read = first.position
            moved = True
        if moved and self._writer.on_acknowledged is not None:
            self._writer.on_acknowledged(self._writer.settled.read)


def _count(counts: WriteCounts, kind: Literal["written", "unchanged", "rejected"]) -> None:
    if kind == "written":
        counts.written += 1
    elif kind == "unchanged":
        counts.unchanged += 1
    else:
        counts.rejected += 1
