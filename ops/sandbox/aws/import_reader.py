"""Reads the objects of an import as the service does.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Format.html (formats) and
.../S3DataImport.Validation.html (errors). Unparsable text ends the rest of its object and counts once; a row that
parses but is no valid item counts by itself; of duplicate keys one survives and none is an error.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.history import History
from ops.sandbox.aws.items import Wire
from ops.sandbox.aws.limits import checked_item, key_plan
from ops.sandbox.aws.tables import stored

Document = dict[str, Any]


@dataclass(slots=True)
class Tally:
    """The counters of DescribeImport."""

    processed: int = 0
    imported: int = 0
    errors: int = 0
    processed_bytes: int = 0


class Unreadable(Exception):
    """The rest of this object cannot be read."""


def read_objects(history: History, table: Table, body: Document, objects: Iterable[tuple[str, bytes]]) -> Tally:
    """Put every valid row into the table, all at one instant; returns the counters."""
    tally, plan = Tally(), key_plan(table)
    with history.atomic():
        for _, content in objects:
            try:
                for row in _rows(table, body, content, tally):
                    tally.processed += 1
                    try:
                        item = checked_item(plan, row)
                    except JsonRESTError:
                        tally.errors += 1
                        continue
                    history.put(table, item, stored(table, item.wire))
                    tally.imported += 1
            except Unreadable:
                tally.processed += 1
                tally.errors += 1
    return tally


def _rows(table: Table, body: Document, content: bytes, tally: Tally) -> Iterator[Wire]:
    if body.get("InputCompressionType") == "GZIP":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise Unreadable(str(error)) from error
    tally.processed_bytes += len(content)
    if body.get("InputFormat", "DYNAMODB_JSON") == "CSV":
        options = (body.get("InputFormatOptions") or {}).get("Csv") or {}
        return _csv_rows(table, options, content)
    return _json_rows(content)


def _json_rows(content: bytes) -> Iterator[Wire]:
    for line in content.split(b"\n"):
        if not line.strip():
            continue
        try:
            parsed = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise Unreadable(str(error)) from error
        item = parsed.get("Item") if isinstance(parsed, dict) else None
        if not isinstance(item, dict):
            raise Unreadable("a line without an Item")
        yield item


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
