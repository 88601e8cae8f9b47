"""The work of a bulk write: input packed into batches, sent several at once, settled in the order of the input.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import orjson

from ops.dynamodb.accounting import Rejected, WriteCounts, WriteTarget
from ops.dynamodb.attributes import Unacceptable
from ops.dynamodb.client import DataPlane
from ops.dynamodb.entries import Entries, Entry, Key, item_of_line, key_of_texts
from ops.dynamodb.pipeline import Ended, Pipeline
from ops.dynamodb.retry import Failure
from ops.errors import AccountingMismatch, BadResponse, OpsError

BATCH_ITEMS = 25
#: 16 MB on the wire, less what the frame around the items takes.
BATCH_BYTES = 16 * 1024 * 1024 - 64 * 1024

Operation = Literal["PutRequest", "DeleteRequest"]
#: Which of several items with one key is written: the last, or the first, and the others are rejected.
Repeats = Literal["last", "reject"]
Make = Callable[[int, Any], Entry]


class Writing(Protocol):
    """What a run needs of its writer; `BulkWriter` is one."""

    plane: DataPlane
    target: WriteTarget
    on_rejected: Callable[[Rejected], None] | None
    on_acknowledged: Callable[[int], None] | None
    unchanged: Callable[[bytes], bool] | None
    repeats: Repeats
    counts: WriteCounts
    resumed: WriteCounts
    settled: WriteCounts


@dataclass(slots=True)
class Batch:
    """A stretch of the input: settled when none of its parts is on its way and all before it are settled."""

    #: What was counted while it was packed, from the beginning of the input.
    packed: WriteCounts
    written: int = 0
    rejected: int = 0
    parts: int = 0


@dataclass(slots=True)
class Part:
    """Entries of a batch that travel in one request."""

    batch: Batch
    entries: list[Entry]
    tries: int = 0


class BatchRun:
    """One pass of a bulk write over its input: packs, sends, settles."""

    def __init__(
        self, writer: Writing, pipe: Pipeline[Part], entries: Entries, make: Make, operation: Operation
    ) -> None:
        self._writer = writer
        self._pipe = pipe
        self._make = make
        self._why_not = entries.why_not
        self._operation = operation
        frame = b'{"RequestItems":{%s:[{"%s":' % (orjson.dumps(writer.target.table), operation.encode())
        self._frame = (frame, b'},{"%s":' % operation.encode(), b'}]},"ReturnConsumedCapacity":"TOTAL"}')
        self._before = replace(writer.counts)
        self._packed = replace(writer.resumed)
        self._late = WriteCounts(written=writer.resumed.written)
        self._refused = 0
        writer.counts.written += writer.resumed.written
        self._batch: dict[Key, Entry] = {}
        self._size = 0
        self._unsettled: deque[Batch] = deque()
        self._flying: set[Key] = set()
        #: Hashes are enough: two keys with one hash cost a needless write.
        self._touched: set[int] = set()
        self._seen: set[bytes] | None = set() if writer.repeats == "reject" else None
        writer.settled = replace(writer.resumed)

    def all(self, given: Iterable[Any]) -> None:
        skipped = self._writer.resumed.read
        position = 0
        for position, one in enumerate(given, 1):
            if position <= skipped:
                self._remember(position, one)
                continue
            self._packed.read = position
            try:
                entry = self._make(position, one)
            except Unacceptable as error:
                self._reject(rejected_line(position, one, str(error)))
                continue
            self._add(entry)
        if position < skipped:
            raise AccountingMismatch(f"the input has {position} items, but {skipped} of it were written before")
        # Also without entries: lines at the end that were rejected are settled too.
        self._close(position)
        while ended := self._pipe.take():
            self._settle(ended)
        self._count()

    def give_up(self) -> None:
        for ended in self._pipe.landed():
            # A hook may fail again: what ended the work is told, and what was written is counted.
            with suppress(OpsError):
                self._landed(ended)
        self._count()

    def _landed(self, ended: Ended[Part]) -> None:
        part = ended.ticket
        if not isinstance(ended.outcome, Failure) and not self._take_written(part, self._left(ended.outcome, part)):
            self._end(part)

    def _remember(self, position: int, one: Any) -> None:
        if self._seen is not None:
            try:
                self._seen.add(_digest(self._make(position, one).key))
            except Unacceptable:
                return  # counted by the run before

    def _add(self, entry: Entry) -> None:
        key, batch = entry.key, self._batch
        if self._seen is not None and self._is_repeat(entry):
            return
        while key in self._flying:
            self._settle(self._pipe.take())
        if key in batch and not self._stands_in(entry, batch[key]):
            return
        if self._writer.unchanged is not None and self._is_unchanged(entry):
            return
        if len(batch) == BATCH_ITEMS or self._size + len(entry.wire) > BATCH_BYTES:
            self._close(entry.position - 1)
            batch = self._batch
        batch[key] = entry
        self._size += len(entry.wire)

    def _stands_in(self, entry: Entry, earlier: Entry) -> bool:
        """Whether the later of two entries with one key stays alone in the batch: AWS refuses a batch with both."""
        # Only an item that can be written may stand in for the one before, and only for one that could.
        if (reason := self._why_not(entry)) is not None:
            self._reject(Rejected(entry.position, entry.item, reason, entry.wire))
            return False
        if (reason := self._why_not(earlier)) is not None:
            self._reject(Rejected(earlier.position, earlier.item, reason, earlier.wire))
        else:
            self._packed.duplicates += 1
        self._size -= len(self._batch.pop(entry.key).wire)
        return True

    def _is_repeat(self, entry: Entry) -> bool:
        assert self._seen is not None
        digest = _digest(entry.key)
        if digest in self._seen:
            self._reject(Rejected(entry.position, entry.item, "an item before this one has the same key", entry.wire))
            return True
        self._seen.add(digest)
        return False

    def _is_unchanged(self, entry: Entry) -> bool:
        assert self._writer.unchanged is not None
        # After a write of this run the table no longer holds what the lookup knows.
        if hash(entry.key) in self._touched or not self._writer.unchanged(entry.wire):
            return False
        self._packed.unchanged += 1
        return True

    def _close(self, position: int) -> None:
        """Send what was packed; the input is settled up to `position` once that is acknowledged."""
        batch = Batch(replace(self._packed, read=position))
        packed, self._batch, self._size = self._batch, {}, 0
        entries = list(packed.values())
        self._unsettled.append(batch)
        if not entries:
            self._advance()
            return
        self._flying.update(packed)
        if self._writer.unchanged is not None:
            self._touched.update(map(hash, packed))
        part, body = Part(batch, entries), self._body(entries)
        batch.parts = 1
        while not self._pipe.room(len(body)):
            self._settle(self._pipe.take())
        self._pipe.submit(part, body)

    def _body(self, entries: list[Entry]) -> bytes:
        frame, between, end = self._frame
        wires = [entry.wire for entry in entries]
        # One copy of what may be megabytes.
        wires[0], wires[-1] = frame + wires[0], (wires[-1] if len(wires) > 1 else frame + wires[0]) + end
        return between.join(wires)

    def _settle(self, ended: Ended[Part] | None) -> None:
        assert ended is not None
        part = ended.ticket
        if isinstance(ended.outcome, Failure):
            self._apart(part, ended.outcome)
            return
        left = self._take_written(part, self._left(ended.outcome, part))
        if not left:
            self._end(part)
            return
        tries = part.tries + 1 if len(left) == len(part.entries) else 0
        retrier = self._writer.plane.retrier
        if tries >= retrier.policy.attempts:
            failure = Failure("ThrottlingException", "every item of the batch came back unprocessed", 200)
            retrier.give_up(failure, tries, "BatchWriteItem", {"TableName": self._writer.target.table})
        self._pipe.again(Part(part.batch, left, tries), self._body(left), tries + 1, ended.round)

    def _take_written(self, part: Part, left: set[Key]) -> list[Entry]:
        """Count what was written; the entries that were not."""
        part.batch.written += len(part.entries) - len(left)
        self._writer.counts.written += len(part.entries) - len(left)
        self._flying.difference_update([entry.key for entry in part.entries if entry.key not in left])
        return [entry for entry in part.entries if entry.key in left] if left else []

    def _left(self, document: dict[str, Any], part: Part) -> set[Key]:
        """Keys of the unprocessed requests, under whatever name of the table (a request is about one table only)."""
        unprocessed = document["UnprocessedItems"]
        if not unprocessed:
            return set()
        member = "Item" if self._operation == "PutRequest" else "Key"
        keys = self._writer.target.keys
        try:
            lists = list(unprocessed.values())
            if not all(isinstance(one, list) for one in lists):
                raise TypeError("no list of requests")
            requests = [request for one in lists for request in one]
            left = {key_of_texts(request[self._operation][member], keys) for request in requests}
        except (AttributeError, KeyError, TypeError, Unacceptable) as error:
            raise BadResponse("BatchWriteItem: UnprocessedItems cannot be read", why=repr(error)) from error
        if not left <= {entry.key for entry in part.entries}:
            raise BadResponse("BatchWriteItem: UnprocessedItems holds what was not sent")
        return left

    def _apart(self, part: Part, failure: Failure) -> None:
        """AWS refuses a batch whole for one item: leave out what can be seen to be wrong, else send its halves."""
        entries, why_not = part.entries, self._why_not
        reasons = {entry.key: why for entry in entries if (why := why_not(entry)) is not None}
        if not reasons and len(entries) == 1:
            reasons[entries[0].key] = failure.message
        for entry in entries:
            if entry.key in reasons:
                self._reject_late(part.batch, entry, reasons[entry.key])
        good = [entry for entry in entries if entry.key not in reasons]
        middle = len(good) if reasons else len(good) // 2
        for some in (good[:middle], good[middle:]):
            if some:
                part.batch.parts += 1
                self._pipe.submit(Part(part.batch, some), self._body(some))
        self._end(part)

    def _end(self, part: Part) -> None:
        part.batch.parts -= 1
        if not part.batch.parts:
            self._advance()

    def _advance(self) -> None:
        """Tell how far everything is settled, if that is further than before."""
        moved = None
        while self._unsettled and not self._unsettled[0].parts:
            moved = self._unsettled.popleft()
            self._late.written += moved.written
            self._late.rejected += moved.rejected
        if moved is None:
            return
        self._writer.settled = replace(
            moved.packed, written=self._late.written, rejected=moved.packed.rejected + self._late.rejected
        )
        if self._writer.on_acknowledged is not None:
            self._writer.on_acknowledged(moved.packed.read)

    def _reject(self, rejected: Rejected) -> None:
        self._packed.rejected += 1
        self._tell(rejected)

    def _reject_late(self, batch: Batch, entry: Entry, reason: str) -> None:
        batch.rejected += 1
        self._refused += 1
        self._flying.discard(entry.key)
        self._tell(Rejected(entry.position, entry.item, reason, entry.wire))

    def _tell(self, rejected: Rejected) -> None:
        if self._writer.on_rejected is not None:
            self._writer.on_rejected(rejected)

    def _count(self) -> None:
        """Bring the writer's counts up to date with what was packed; `written` always is."""
        counts, before, packed = self._writer.counts, self._before, self._packed
        counts.read = before.read + packed.read
        counts.unchanged = before.unchanged + packed.unchanged
        counts.duplicates = before.duplicates + packed.duplicates
        counts.rejected = before.rejected + packed.rejected + self._refused


def rejected_line(position: int, given: Any, reason: str) -> Rejected:
    """An input that became no entry."""
    if not isinstance(given, bytes):
        return Rejected(position, given, reason)
    try:
        item = item_of_line(given)
    except Unacceptable:
        item = {}
    return Rejected(position, item, reason, given)


def _digest(key: Key) -> bytes:
    return hashlib.blake2b(orjson.dumps(key), digest_size=16).digest()
