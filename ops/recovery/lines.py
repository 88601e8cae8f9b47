"""One line of an import, an export or a file of items: what it must be to be an item, and why it is none."""

from __future__ import annotations

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
    if set(parsed) == {"Item"} and isinstance(parsed["Item"], dict):
        item: Item = parsed["Item"]
        return item
    if wrapped or not parsed:
        raise BadLine("no member Item")
    return parsed


def check_bytes(raw: bytes) -> None:
    """BadLine for what no line of any form may be."""
    if raw.startswith(_BOM):
        raise BadLine("begins with a byte order mark")
    if raw.endswith(b"\r"):
        raise BadLine("ends with a carriage return")
    if not raw.strip():
        raise BadLine("empty line")
