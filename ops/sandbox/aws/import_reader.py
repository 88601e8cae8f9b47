"""Reads the objects of an import or a bulk put as the service does.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Format.html (formats) and
.../S3DataImport.Validation.html (errors). Unparsable text ends the rest of its object and counts once; a row that
parses but is no valid item counts by itself; of duplicate keys one survives, whichever, and none is an error.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models.table import Table

from ops.sandbox.aws import ion
from ops.sandbox.aws.history import History
from ops.sandbox.aws.items import StoredItem, Wire
from ops.sandbox.aws.limits import checked_item, key_plan
from ops.sandbox.aws.tables import stored

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESSIONS = ("GZIP", "ZSTD", "NONE")
_DOCUMENT = re.compile(r"\S")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of the error log."""

    key: str
    index: int
    message: str


@dataclass(frozen=True, slots=True)
class Source:
    """How the objects are written."""

    form: str
    compression: str
    csv_options: Document = field(default_factory=dict)
    items_only: bool = False  # a line with more than an item raises Conditional


@dataclass(slots=True)
class Tally:
    """The counters of DescribeImport, and what the error log says."""

    processed: int = 0
    imported: int = 0
    imported_bytes: int = 0
    processed_bytes: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """ErrorCount."""
        return len(self.problems)


class Unreadable(Exception):
    """The rest of this object cannot be read."""


class Conditional(Exception):
    """A line carries more than an item."""


def read_object(history: History, table: Table, source: Source, key: str, content: bytes, tally: Tally) -> None:
    """Put every valid row of one object into the table, in no order; counts into `tally`."""
    plan, count, items = key_plan(table), 0, []
    try:
        for row in _rows(table, source, content, tally):
            tally.processed += 1
            count += 1
            try:
                item = checked_item(plan, row)
            except JsonRESTError as error:
                tally.problems.append(Problem(key, count - 1, _message(error)))
                continue
            items.append(item)
    except Unreadable as error:
        tally.processed += 1
        tally.problems.append(Problem(key, count, str(error)))
    # the service says of duplicates only that one wins; whoever counts on the last one is wrong one time in two
    random.Random(f"{key} {len(items)}").shuffle(items)
    for item in items:
        _keep(history, table, item, tally)


def _keep(history: History, table: Table, item: StoredItem, tally: Tally) -> None:
    history.put(table, item, stored(table, item.wire))
    tally.imported += 1
    tally.imported_bytes += item.size_bytes


def _message(error: JsonRESTError) -> str:
    found: Document = json.loads(str(error.description))
    return str(found.get("message") or found.get("Message") or error)


def _rows(table: Table, source: Source, content: bytes, tally: Tally) -> Iterator[Wire]:
    try:
        content = _unpacked(source.compression, content)
    except (OSError, EOFError, zlib.error, zstd.ZstdError) as error:
        raise Unreadable(str(error)) from error
    tally.processed_bytes += len(content)
    if source.form == "CSV":
        return _csv_rows(table, source.csv_options, content)
    reader = _ion_rows if source.form == "ION" else _json_rows
    return reader(content, source.items_only)


def _unpacked(compression: str, content: bytes) -> bytes:
    """An object of several frames or members is read to its end; an empty object holds nothing."""
    if not content or compression == "NONE":
        return content
    return gzip.decompress(content) if compression == "GZIP" else zstd.decompress(content)


def _json_rows(content: bytes, items_only: bool) -> Iterator[Wire]:
    """One document a line; the service also reads several in one line, or one over several."""
    place = 0
    for line in content.split(b"\n"):
        if line.strip():
            try:
                yield _item(orjson.loads(line), items_only)
            except orjson.JSONDecodeError:
                yield from _json_stream(content[place:], items_only)
                return
        place += len(line) + 1


def _json_stream(content: bytes, items_only: bool) -> Iterator[Wire]:
    """Documents one after the other, with or without white space between them."""
    decoder, place = json.JSONDecoder(), 0
    try:
        text = content.decode()
        while start := _DOCUMENT.search(text, place):
            parsed, place = decoder.raw_decode(text, start.start())
            yield _item(parsed, items_only)
    except ValueError as error:
        raise Unreadable(str(error)) from error


def _ion_rows(content: bytes, items_only: bool) -> Iterator[Wire]:
    try:
        for value in ion.values(content.decode()):
            item = _item(value.get("M"), items_only)
            if "M" not in item:
                raise Unreadable("an Item that is no struct")
            yield item["M"]
    except (UnicodeDecodeError, ion.Malformed) as error:
        raise Unreadable(str(error)) from error


def _item(parsed: Any, items_only: bool) -> Wire:
    item = parsed.get("Item") if isinstance(parsed, dict) else None
    if not isinstance(item, dict):
        raise Unreadable("a line without an Item")
    if items_only and len(parsed) > 1:
        raise Conditional(", ".join(sorted(map(str, set(parsed) - {"Item"}))))
    return item


def _csv_rows(table: Table, options: Document, content: bytes) -> Iterator[Wire]:
    """Key columns take the key's type, every other column is a string; empty cells are left out."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(str(error)) from error
    kinds = {one["AttributeName"]: one["AttributeType"] for one in table.attr}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=options.get("Delimiter") or ",", strict=True)
    header = options.get("HeaderList")
    try:
        names = list(header) if header else next(reader, [])
        for row in reader:
            if row and len(row) > len(names):
                raise Unreadable("a row with more cells than the header")
            if row:
                cells = zip(names, row, strict=False)
                yield {name: {kinds.get(name, "S"): cell} for name, cell in cells if cell != ""}
    except csv.Error as error:
        raise Unreadable(str(error)) from error
