"""Parallel scan: every segment to its end, every page checked, one lazy stream of items."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ops.dynamodb.capacity import CapacityLimit, consumed
from ops.dynamodb.client import DataPlane
from ops.dynamodb.expressions import Expression
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
    """Where a segment stands, so that a scan can go on elsewhere."""

    segment: int
    start: Item | None = None
    done: bool = False


@dataclass(slots=True)
class Scan:
    """One scan; iterate `items()` once. `cursors` may be given to go on with an earlier one."""

    plane: DataPlane
    request: ScanRequest
    limit: CapacityLimit | None = None
    counts: ScanCounts = field(default_factory=ScanCounts)
    cursors: tuple[Cursor, ...] = ()

    def items(self) -> Iterator[Item]:
        """Every item once, in no particular order."""
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[Page]:
        """Every page; a failure of any segment ends the scan with that failure."""
        cursors = self.cursors or tuple(Cursor(number) for number in range(self.request.segments))
        todo = [cursor for cursor in cursors if not cursor.done]
        if len(todo) == 1:
            for page in self._segment(todo[0], threading.Event()):
                self._count(page)
                yield page
            return
        yield from self._parallel(todo)

    def _parallel(self, todo: list[Cursor]) -> Iterator[Page]:
        waiting: queue.Queue[Page | None] = queue.Queue(maxsize=PAGES_AHEAD * len(todo))
        stop = threading.Event()
        with ThreadPoolExecutor(max_workers=len(todo), thread_name_prefix="scan") as pool:
            try:
                futures = [pool.submit(self._feed, cursor, waiting, stop) for cursor in todo]
                yield from self._collect(waiting, futures)
            finally:
                stop.set()
                _drain(waiting)

    def _collect(self, waiting: queue.Queue[Page | None], futures: list[Future[None]]) -> Iterator[Page]:
        open_segments = len(futures)
        while open_segments:
            page = waiting.get()
            if page is None:
                open_segments -= 1
                for future in futures:
                    if future.done():
                        future.result()  # raises the failure of a segment at once, not at the end
                continue
            self._count(page)
            yield page
        for future in futures:
            future.result()

    def _feed(self, cursor: Cursor, waiting: queue.Queue[Page | None], stop: threading.Event) -> None:
        try:
            for page in self._segment(cursor, stop):
                waiting.put(page)
        finally:
            # In any case, or the reader would wait for ever for a segment that failed.
            waiting.put(None)

    def _segment(self, cursor: Cursor, stop: threading.Event) -> Iterator[Page]:
        seen: Item | None = cursor.start
        while not stop.is_set():
            page = self._page(cursor.segment, seen)
            if page.next_key is not None and page.next_key == seen:
                raise BadResponse(
                    f"scan of {self.request.table}: segment {cursor.segment} was answered its own start key again",
                    why="the same LastEvaluatedKey twice would repeat one page for ever",
                )
            yield page
            seen = cursor.start = page.next_key
            if seen is None:
                cursor.done = True
                return

    def _page(self, segment: int, start: Item | None) -> Page:
        if self.limit is not None:
            self.limit.before()
        document = self.plane.call("Scan", scan_params(self.request, segment, start))
        units = consumed(document)
        if self.limit is not None:
            self.limit.spent(units)
        return Page(
            segment, document["Items"], int(document["ScannedCount"]), units, document.get("LastEvaluatedKey") or None
        )

    def _count(self, page: Page) -> None:
        self.counts.items += len(page.items)
        self.counts.scanned += page.scanned
        self.counts.pages += 1
        self.counts.capacity += page.capacity


def _drain(waiting: queue.Queue[Page | None]) -> None:
    """Make room, so that segments blocked on a full queue see that they must stop."""
    while True:
        try:
            waiting.get(timeout=0.05)
        except queue.Empty:
            return


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
        shown = []
        for number, path in enumerate(fields):
            parts = path.split(".")
            names.update({f"#p{number}_{at}": part for at, part in enumerate(parts)})
            shown.append(".".join(f"#p{number}_{at}" for at in range(len(parts))))
        params["ProjectionExpression"] = ", ".join(shown)
    if names:
        params["ExpressionAttributeNames"] = names
    if values:
        params["ExpressionAttributeValues"] = values
