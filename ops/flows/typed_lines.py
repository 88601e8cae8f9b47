"""Lines of a file as export lines `{"Item":{…}}`: DynamoDB JSON as it is, plain JSON and CSV given types.

Nothing is guessed from a value: plain JSON says what is text and what is a number, a CSV cell is text unless it is a
key or a type was named for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import orjson

from ops.dynamodb.attributes import TYPES, Unacceptable, canonical_number, decode_binary, from_plain
from ops.errors import BadArgument, SourceHasBadLines
from ops.flows.item_files import LINE_LIMIT_BYTES
from ops.model.items import AttributeValue, Item, KeySchema
from ops.recovery.csv_lines import CsvLines
from ops.recovery.lines import BadLine, check_bytes, once
from ops.recovery.preflight import Form, Line, without_value

#: (where, line number, raw line) to `{"Item":{…}}`; None for a header line; BadLine says why it is no item.
ToWire = Callable[[str, int, bytes], bytes | None]
_SET_MEMBERS: dict[str, type | tuple[type, ...]] = {"SS": str, "NS": (int, Decimal), "BS": str}
_EXPORT_LINE = b'{"Item":{'


def types_of(text: str | None) -> dict[str, str]:
    """`popularity=N,markets=SS` as a mapping; BadArgument for what is no type."""
    found: dict[str, str] = {}
    for part in (text or "").split(","):
        name, sign, kind = part.strip().rpartition("=")
        if not part.strip():
            continue
        if not sign or not name or kind not in TYPES or name in found:
            raise BadArgument(
                f"--types: '{part.strip()}' is not NAME=TYPE",
                fix=(f"types are {', '.join(sorted(TYPES))}; once a name",),
            )
        found[name] = kind
    return found


def to_wire(
    form: Form, keys: KeySchema, indexes: Mapping[str, KeySchema], types: Mapping[str, str], delimiter: str = ","
) -> ToWire:
    """The converter of a form."""
    if form == "csv":
        of_keys = {name: kind for schema in (*indexes.values(), keys) for name, kind in schema.types.items()}
        return _Csv(keys, {**of_keys, **types}, delimiter).wire
    return lambda _source, _number, raw: _json_wire(raw, types, wrapped=form == "dynamodb-json")


def _json_wire(raw: bytes, types: Mapping[str, str], *, wrapped: bool) -> bytes:
    if raw.startswith(_EXPORT_LINE) and not raw.endswith(b"\r"):
        return raw  # looked at by the check that follows, without being parsed twice
    check_bytes(raw)
    document = _parsed(raw)
    if document.keys() == {"Item"} and isinstance(document["Item"], dict):
        return raw
    if wrapped or not document:
        raise BadLine("no member Item")
    if all(_is_value(value) for value in document.values()):
        return b'{"Item":%s}' % raw.strip()
    return _wire({name: _typed(name, value, types.get(name)) for name, value in document.items()})


def _wire(item: Item) -> bytes:
    try:
        return orjson.dumps({"Item": item})
    except TypeError as error:
        raise BadLine(str(error)) from error


def _is_value(value: object) -> bool:
    return isinstance(value, dict) and len(value) == 1 and value.keys() <= TYPES


def _parsed(raw: bytes) -> dict[str, Any]:
    """Numbers keep their digits; a name that stands twice would drop a value without a word."""
    try:
        found = json.loads(raw, parse_float=_decimal, parse_constant=_no_constant, object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise BadLine("not UTF-8") from error
    except json.JSONDecodeError as error:
        raise BadLine(f"not JSON: {error.msg} at column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise BadLine(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadLine("not a JSON object")
    return found


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:  # an exponent that no computer counts to
        raise BadLine("a number is out of range") from error


def _no_constant(name: str) -> NoReturn:
    raise BadLine(f"{name} is not a number")


def _typed(name: str, value: object, kind: str | None) -> AttributeValue:
    """A plain JSON value as the type that was named for it, or as what it is."""
    try:
        if kind is None or (kind == "NULL" and value is None):
            return from_plain(value)
        if kind in _SET_MEMBERS:
            return _set(value, kind)
        if kind == "B" and isinstance(value, str):
            decode_binary(value)
            return {"B": value}
        if kind == "N" and isinstance(value, str):
            return {"N": canonical_number(value)}
        found = from_plain(value)
    except Unacceptable as error:
        raise BadLine(f"'{name}': {without_value(str(error))}") from error
    except RecursionError as error:
        raise BadLine(f"'{name}' is nested too deep") from error
    if kind not in found:
        raise BadLine(f"'{name}' is no {kind}")
    return found


def _set(value: object, kind: str) -> AttributeValue:
    if not isinstance(value, list) or not value:
        raise Unacceptable(f"a {kind} must be an array with members")
    members = []
    for one in value:
        if isinstance(one, bool) or not isinstance(one, _SET_MEMBERS[kind]):
            raise Unacceptable(f"a member is none of a {kind}")
        if kind == "BS":
            decode_binary(one)
        members.append(canonical_number(str(one)) if kind == "NS" else one)
    return {kind: members}


class _Csv:
    """Cells of the types that were named for their columns; the keys have theirs."""

    def __init__(self, keys: KeySchema, types: Mapping[str, str], delimiter: str) -> None:
        self._types, self._lines = types, CsvLines(keys, delimiter)

    def wire(self, source: str, number: int, raw: bytes) -> bytes | None:
        cells = self._lines.cells(source, raw)
        return None if cells is None else _wire({name: self._value(name, cell) for name, cell in cells.items()})

    def _value(self, name: str, cell: str) -> AttributeValue:
        kind = self._types.get(name, "S")
        if kind == "S":
            return {"S": cell}
        if kind in ("N", "B"):
            return _typed(name, cell, kind)
        try:
            value = json.loads(cell, parse_float=_decimal, parse_constant=_no_constant, object_pairs_hook=once)
        except (ValueError, RecursionError) as error:
            raise BadLine(f"'{name}' is no {kind} in JSON") from error
        return _typed(name, value, kind)


def csv_records(lines: Iterator[Line]) -> Iterator[Line]:
    """CSV records of lines: a quoted cell may hold line feeds. A record has the number of its first line.

    SourceHasBadLines when a cell does not end: what it would swallow is the rest of the file.
    """
    held: list[bytes] = []
    place, quotes, size = ("", 0), 0, 0
    for source, number, raw in lines:
        if held and source != place[0]:
            yield *place, b"\n".join(held)
            held, quotes = [], 0
        if not held:
            place, size = (source, number), 0
        held.append(raw)
        size += len(raw)
        if size > LINE_LIMIT_BYTES and len(held) > 1:
            raise SourceHasBadLines(
                f"{source} line {place[1]}: a quotation mark opens a cell that does not end",
                why=f"{len(held):,} lines, {size:,} bytes, follow without the one that closes it",
                changed="0 items written",
                fix=("correct the line, or double a quotation mark that belongs to a value",),
            )
        quotes += raw.count(b'"')
        if quotes % 2 == 0:
            yield *place, b"\n".join(held)
            held, quotes = [], 0
    if held:
        yield *place, b"\n".join(held)
