"""Parallel scan: every segment to its end, every page checked, one lazy stream of items."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from ops.dynamodb.answers import RawPage, checked, checked_page
from ops.dynamodb.capacity import CapacityLimit, consumed
from ops.dynamodb.client import DataPlane
from ops.dynamodb.expressions import Expression, projection
from ops.dynamodb.pipeline import Pipeline
from ops.dynamodb.transport import Decode
from ops.errors import BadResponse
from ops.model.items import Item

DEFAULT_SEGMENTS = 4
#: What reading an item is taken to cost before the first page says it: half a unit is 4 KB, or 2 KB read consistently.
_FIRST_GUESS_UNITS = 0.5


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What to read. `consistent` is refused by AWS on a global secondary index."""

    table: str
    index: str | None = None
    segments: int = DEFAULT_SEGMENTS
    consistent: bool = False
    where: Expression | None = None
    fields: tuple[str, ...] = ()
    page_limit: int | None = None
    #: Numbers of the segments that this reader takes; None: all. Others are for other processes.
    share: tuple[int, ...] | None = None

    @property
    def own(self) -> tuple[int, ...]:
        """Numbers of the segments that are read here."""
        return tuple(range(self.segments)) if self.share is None else self.share


@dataclass(slots=True)
class ScanCounts:
    """Counted from the pages as they came: items handed on, items read before the filter, pages, capacity."""

    items: int = 0
    scanned: int = 0
    pages: int = 0
    capacity: float = 0.0


@dataclass(frozen=True, slots=True)
class Page:
    """One page of one segment; `next_key` None only on the last."""

    segment: int
    items: list[Item]
    scanned: int
    capacity: float
    next_key: Item | None


@dataclass(slots=True)
class Cursor:
    """Where the reader of a segment stands: it moves on only when a page was used, so a scan can go on from it."""

    segment: int
    start: Item | None = None
    done: bool = False


@dataclass(slots=True)
class Scan:
    """One scan; iterate it once. `cursors` may be given to go on with an earlier one of as many segments."""

    plane: DataPlane
    request: ScanRequest
    limit: CapacityLimit | None = None
    counts: ScanCounts = field(default_factory=ScanCounts)
    cursors: tuple[Cursor, ...] = ()

    def items(self) -> Generator[Item, None, None]:
        """Every item once, in no particular order."""
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[Page]:
        """Every page; a failure of any segment ends the scan with that failure."""
        for cursor, document in self._walk(checked, _key_of):
            units = consumed(document)
            page = Page(cursor.segment, document["Items"], document["ScannedCount"], units, _key_of(document))
            self._count(len(page.items), page.scanned, units)
            yield page
            cursor.start, cursor.done = page.next_key, page.next_key is None

    def raw_pages(self) -> Iterator[RawPage]:
        """The same pages, each item as the bytes that AWS sent."""
        for cursor, page in self._walk(checked_page, _raw_key):
            self._count(len(page.items), page.scanned, page.capacity)
            yield page
            cursor.start, cursor.done = page.next_key, page.next_key is None

    def _walk(self, decode: Decode, next_key: Callable[[Any], Item | None]) -> Iterator[tuple[Cursor, Any]]:
        """Pages as they come. Of each segment one page is on its way while another is used."""
        request = self.request
        self.cursors = self.cursors or tuple(map(Cursor, request.own))
        if sorted(cursor.segment for cursor in self.cursors) != sorted(request.own):
            raise ValueError(f"a scan by {len(request.own)} segments cannot go on with {len(self.cursors)} cursors")
        todo = deque((cursor, cursor.start) for cursor in self.cursors if not cursor.done)
        guards = {
            cursor.segment: LoopGuard(f"scan of {request.table}, segment {cursor.segment},") for cursor, _ in todo
        }
        with Pipeline[Cursor](
            self.plane, "Scan", request.table, decode=decode, limit=self.limit, most=max(1, len(todo))
        ) as pipe:
            while todo or pipe.busy:
                self._ask(pipe, todo)
                ended = pipe.take()
                assert ended is not None
                cursor, key = ended.ticket, next_key(ended.outcome)
                guards[cursor.segment].check(key)
                if key is not None:
                    todo.append((cursor, key))
                    self._ask(pipe, todo)
                yield cursor, ended.outcome

    def _ask(self, pipe: Pipeline[Cursor], todo: deque[tuple[Cursor, Item | None]]) -> None:
        while todo and pipe.room():
            cursor, start = todo.popleft()
            params = scan_params(self.request, cursor.segment, start)
            if (most := self._page_items()) is not None:
                params["Limit"] = most
            pipe.submit(cursor, orjson.dumps(params))

    def _page_items(self) -> int | None:
        """Items that a page may read: a whole one costs up to 256 units, under a limit it costs a second's at most."""
        asked, read = self.request.page_limit, self.counts
        if self.limit is None or (read.scanned and not read.capacity):
            return asked
        units_each = read.capacity / read.scanned if read.scanned else _FIRST_GUESS_UNITS
        fits = max(1, int(self.limit.units_per_s / units_each))
        return fits if asked is None else min(asked, fits)

    def _count(self, items: int, scanned: int, capacity: float) -> None:
        self.counts.items += items
        self.counts.scanned += scanned
        self.counts.pages += 1
        self.counts.capacity += capacity


def _key_of(document: dict[str, Any]) -> Item | None:
    key: Item | None = document.get("LastEvaluatedKey")
    return key


def _raw_key(page: RawPage) -> Item | None:
    return page.next_key


class LoopGuard:
    """Remembers every LastEvaluatedKey of one read by its digest: one seen twice would repeat pages for ever."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: set[bytes] = set()

    def check(self, key: Item | None) -> None:
        """Raise BadResponse when this key was answered before."""
        if key is None:
            return
        digest = hashlib.blake2b(orjson.dumps(key, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
        if digest in self._seen:
            raise BadResponse(
                f"{self._what} was answered a LastEvaluatedKey a second time",
                why="following it would repeat the same pages for ever",
            )
        self._seen.add(digest)


def scan_params(request: ScanRequest, segment: int, start: Item | None) -> dict[str, Any]:
    """Parameters of one Scan call."""
    params: dict[str, Any] = {"TableName": request.table, "ReturnConsumedCapacity": "TOTAL"}
    if request.segments > 1:
        params.update(Segment=segment, TotalSegments=request.segments)
    if request.index:
        params["IndexName"] = request.index
    if request.consistent:
        params["ConsistentRead"] = True
    if start is not None:
        params["ExclusiveStartKey"] = start
    add_expressions(params, request.where, request.fields)
    return params


def add_expressions(params: dict[str, Any], where: Expression | None, fields: tuple[str, ...]) -> None:
    """Put a filter and a projection into the parameters of a Scan or Query."""
    names: dict[str, str] = dict(params.get("ExpressionAttributeNames", {}))
    values: dict[str, Any] = dict(params.get("ExpressionAttributeValues", {}))
    if where is not None:
        params["FilterExpression"] = where.text
        names.update(where.names)
        values.update(where.values)
    if fields:
        params["ProjectionExpression"], shown = projection(fields)
        names.update(shown)
    if names:
        params["ExpressionAttributeNames"] = names
    if values:
        params["ExpressionAttributeValues"] = values
