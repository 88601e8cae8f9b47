"""One line of an import, an export or a file of items: what it must be to be an item, and why it is none."""

from __future__ import annotations

import json
from typing import Any

import orjson

from ops.model.items import Item

_BOM = b"\xef\xbb\xbf"


class BadLine(ValueError):
    """Why a line cannot be used; a header line does not count as read."""

    def __init__(self, reason: str, *, header: bool = False) -> None:
        super().__init__(reason)
        self.header = header


def parse_json(raw: bytes, *, wrapped: bool) -> Item:
    """A line of DynamoDB JSON; an item whose only attribute is called `Item` must itself be wrapped."""
    check_bytes(raw)
    try:
        parsed: Any = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadLine(f"not JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(parsed, dict):
        raise BadLine("not a JSON object")
    check_names(raw, parsed)
    if set(parsed) == {"Item"} and isinstance(parsed["Item"], dict):
        item: Item = parsed["Item"]
        return item
    if wrapped or not parsed:
        raise BadLine("no member Item")
    return parsed


def check_names(raw: bytes, parsed: dict[str, Any]) -> None:
    """BadLine when an object of the line names a member twice: its codec kept the last, and dropped the others."""
    if _holds_all(raw, parsed):
        return
    try:
        json.loads(raw, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"not JSON: {error}") from error


def _holds_all(raw: bytes, parsed: dict[str, Any]) -> bool:
    """Whether nothing of a line was dropped, where that is seen without looking at every name of it."""
    try:
        written = orjson.dumps(parsed)
    except TypeError:  # nested deeper than the codec writes
        return False
    # Without a backslash every text has two quotation marks, and every member at least one text: its name.
    return written == raw or (b"\\" not in raw and written.count(b'"') == raw.count(b'"'))


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `object_pairs_hook`: the object, if no name stands twice in it."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise BadLine(f"an object names '{next(name for name in names if names.count(name) > 1)}' twice")
    return found


def check_bytes(raw: bytes) -> None:
    """BadLine for what no line of any form may be."""
    if raw.startswith(_BOM):
        raise BadLine("begins with a byte order mark")
    if raw.endswith(b"\r"):
        raise BadLine("ends with a carriage return")
    if not raw.strip():
        raise BadLine("empty line")
