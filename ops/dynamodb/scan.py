"""Parallel scan: every segment to its end, every page checked, one lazy stream of items."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from ops.dynamodb.capacity import CapacityLimit, consumed
from ops.dynamodb.client import DataPlane
from ops.dynamodb.expressions import Expression, projection
from ops.errors import BadResponse
from ops.model.items import Item

#: Pages that may wait for the reader, for each segment: 1 MB each on the wire.
PAGES_AHEAD = 2
DEFAULT_SEGMENTS = 4


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


#: What a segment's thread hands over: a page, its end (None), or the failure that ended it.
_Handed = Page | BaseException | None


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
        self.cursors = self.cursors or tuple(Cursor(number) for number in range(self.request.segments))
        todo = {cursor.segment: cursor for cursor in self.cursors if not cursor.done}
        never = threading.Event()
        one = next(iter(todo.values()), None)
        pages = self._parallel(todo) if one is None or len(todo) > 1 else self._segment(one.segment, one.start, never)
        for page in pages:
            self._count(page)
            yield page
            cursor = todo[page.segment]
            cursor.start, cursor.done = page.next_key, page.next_key is None

    def _parallel(self, todo: Mapping[int, Cursor]) -> Iterator[Page]:
        waiting: queue.Queue[_Handed] = queue.Queue(maxsize=PAGES_AHEAD * len(todo) or 1)
        stop = threading.Event()
        try:
            for cursor in todo.values():
                # Daemons: Ctrl-C must not wait for a request that is on its way.
                work = (cursor.segment, cursor.start, waiting, stop)
                threading.Thread(target=self._feed, args=work, name=f"scan-{cursor.segment}", daemon=True).start()
            running = len(todo)
            while running:
                handed = waiting.get()
                if isinstance(handed, BaseException):
                    raise handed
                if handed is None:
                    running -= 1
                else:
                    yield handed
        finally:
            stop.set()

    def _feed(self, segment: int, start: Item | None, waiting: queue.Queue[_Handed], stop: threading.Event) -> None:
        last: BaseException | None = None
        try:
            for page in self._segment(segment, start, stop):
                _hand(waiting, page, stop)
        except BaseException as error:  # noqa: BLE001 - raised again by the reader, in its own thread
            last = error
        _hand(waiting, last, stop)

    def _segment(self, segment: int, start: Item | None, stop: threading.Event) -> Iterator[Page]:
        keys = LoopGuard(f"scan of {self.request.table}, segment {segment},")
        while not stop.is_set():
            page = self._page(segment, start)
            keys.check(page.next_key)
            yield page
            if page.next_key is None:
                return
            start = page.next_key

    def _page(self, segment: int, start: Item | None) -> Page:
        if self.limit is not None:
            self.limit.before()
        document = self.plane.call("Scan", scan_params(self.request, segment, start))
        units = consumed(document)
        if self.limit is not None:
            self.limit.spent(units)
        return Page(segment, document["Items"], document["ScannedCount"], units, document.get("LastEvaluatedKey"))

    def _count(self, page: Page) -> None:
        self.counts.items += len(page.items)
        self.counts.scanned += page.scanned
        self.counts.pages += 1
        self.counts.capacity += page.capacity


def _hand(waiting: queue.Queue[_Handed], handed: _Handed, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            waiting.put(handed, timeout=0.1)
        except queue.Full:
            continue
        return


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
    if request.page_limit:
        params["Limit"] = request.page_limit
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
