"""What differs between two items: each path, both values, and what kind of change it is."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ops.model.items import AttributeValue, Item
from ops.model.proof import AttributeChange
from ops.verify.canonical import canonical_value


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
    kind, inside = _parts(expected)
    other, within = _parts(found)
    if kind != other:
        yield AttributeChange(path, _text(expected), _text(found), "type changed")
    elif kind == "M" and isinstance(inside, dict) and isinstance(within, dict):
        yield from _in_map(path, inside, within)
    elif kind == "L" and isinstance(inside, list) and isinstance(within, list) and len(inside) == len(within):
        for at, (left, right) in enumerate(zip(inside, within, strict=True)):
            yield from _value(f"{path}[{at}]", left, right)
    else:
        yield AttributeChange(path, _text(expected), _text(found))


def _parts(value: object) -> tuple[object, object]:
    """Type and content; a value without a well-formed pair of them has no type."""
    if isinstance(value, dict) and len(value) == 1:
        tag, content = next(iter(value.items()))
        return tag, content
    return None, value


def _canonical(value: AttributeValue) -> object:
    try:
        return canonical_value(value)
    except ValueError:  # ShapeError, or Unacceptable from inside a number or a binary
        return value


def _text(value: AttributeValue | None) -> str | None:
    if value is None:
        return None
    kind, content = _parts(value)
    if kind == "N":
        return f"N {content}"
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return text if kind is None else f"{kind} {text}"
