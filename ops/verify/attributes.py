"""What differs between two items: each path, both values, and what kind of change it is."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ops.model.items import AttributeValue, Item
from ops.model.proof import AttributeChange
from ops.verify.canonical import ShapeError, canonical_value


def attribute_changes(expected: Item, found: Item) -> tuple[AttributeChange, ...]:
    """Differing paths in order; equal values in another notation (`71`, `71.0`) are no change."""
    return tuple(_in_map("", expected, found))


def _in_map(path: str, expected: Item, found: Item) -> Iterator[AttributeChange]:
    for name in sorted(expected.keys() | found.keys()):
        yield from _value(f"{path}.{name}" if path else name, expected.get(name), found.get(name))


def _value(path: str, expected: AttributeValue | None, found: AttributeValue | None) -> Iterator[AttributeChange]:
    if expected is None or found is None:
        note = "only found" if expected is None else "absent"
        yield AttributeChange(path, _text(expected), _text(found), note)
        return
    if _canonical(expected) == _canonical(found):
        return
    kind, other = next(iter(expected)), next(iter(found))
    if kind != other:
        yield AttributeChange(path, _text(expected), _text(found), "type changed")
    elif kind == "M":
        yield from _in_map(path, expected["M"], found["M"])
    elif kind == "L" and len(expected["L"]) == len(found["L"]):
        for at, (left, right) in enumerate(zip(expected["L"], found["L"], strict=True)):
            yield from _value(f"{path}[{at}]", left, right)
    else:
        yield AttributeChange(path, _text(expected), _text(found))


def _canonical(value: AttributeValue) -> object:
    try:
        return canonical_value(value)
    except ShapeError:
        return value


def _text(value: AttributeValue | None) -> str | None:
    if value is None:
        return None
    kind, content = next(iter(value.items()))
    return f"{kind} {content}" if kind == "N" else f"{kind} {json.dumps(content, ensure_ascii=False, sort_keys=True)}"
