"""Items as table, JSON, JSON lines or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from ops.report.text import table

FORMATS = ("table", "json", "jsonl", "csv")
#: Text longer than this is shortened in a table; the other forms show it whole.
CELL = 40
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def columns_of(items: Sequence[dict[str, Any]], first: Sequence[str]) -> list[str]:
    """Column names: the keys, then the others by name."""
    others = {name for item in items for name in item} - set(first)
    return [*first, *sorted(others)]


def as_table(items: Sequence[dict[str, Any]], first: Sequence[str], width: int) -> list[str]:
    """A text table of plain values."""
    columns = columns_of(items, first)
    rows = [[_cell(item.get(name)) for name in columns] for item in items]
    return table(columns, rows, width)


def as_csv(items: Sequence[dict[str, Any]], first: Sequence[str]) -> list[str]:
    """CSV lines; a value that a spreadsheet would run as a formula gets an apostrophe before it."""
    columns = columns_of(items, first)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_safe(name) for name in columns])
    for item in items:
        writer.writerow([_csv_cell(item.get(name)) for name in columns])
    return buffer.getvalue().rstrip("\n").split("\n")


def as_json_lines(items: Iterable[Any]) -> Iterator[str]:
    """One JSON document a line."""
    return (json.dumps(item, ensure_ascii=False, separators=(",", ":"), default=_plain) for item in items)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 2**53 else str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _cell(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else next(as_json_lines([value]))
    return text if len(text) <= CELL else text[: CELL - 3] + "..."


def _csv_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float | Decimal):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return _safe(value if isinstance(value, str) else next(as_json_lines([value])))


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False
