"""The canonical form of an item: one text for one value, whatever way it was written.

UTF-8 JSON without spaces, names sorted by code point at every depth, numbers in plain positional notation,
sets sorted, base64 re-encoded. Equal items give equal bytes; different items give different bytes.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import orjson

from ops.dynamodb.attributes import TYPES, Unacceptable, canonical_number, decode_binary
from ops.model.items import AttributeValue, Item, KeySchema

#: DynamoDB allows 32; the JSON codec ends at 127, so that nothing between is judged twice.
_DEPTH_LIMIT = 127

#: What the codec's sorted text cannot settle by itself: sets, binaries, numbers not in plain notation.
#: Inside a string value a quotation mark is escaped, so a match is always a member of the document.
_NEEDS_WALK = re.compile(
    rb'"(?:[SNB]S":\[|B":"|N":"(?!(?:0|-?[1-9][0-9]{0,37}|-?(?:0|[1-9][0-9]{0,17})\.[0-9]{0,18}[1-9])"))'
)


class ShapeError(ValueError):
    """An item that is no well-formed DynamoDB JSON; the text says why."""


def canonical_item(item: object) -> bytes:
    """Canonical bytes of an item; ShapeError when it is not well-formed."""
    if not isinstance(item, dict):
        raise ShapeError(f"an item must be an object, not {type(item).__name__}")
    try:
        text = _sorted_json(item)
        if _NEEDS_WALK.search(text) or not _flat_and_known(item):
            text = _sorted_json({name: canonical_value(value) for name, value in item.items()})
    except Unacceptable as error:
        raise ShapeError(str(error)) from error
    return text


def canonical_key(item: Item, keys: KeySchema) -> bytes:
    """Canonical bytes of the key attributes of an item; ShapeError when one is missing or mistyped."""
    found: Item = {}
    for name, wanted in keys.types.items():
        value = item.get(name)
        if not isinstance(value, dict) or len(value) != 1:
            raise ShapeError(f"key attribute '{name}' is missing or malformed")
        if wanted not in value:
            raise ShapeError(f"key attribute '{name}' has type {next(iter(value))}, not {wanted}")
        found[name] = value
    return canonical_item(found)


def canonical_value(value: object, depth: int = 1) -> AttributeValue:
    """One attribute value with numbers, sets and binaries in their one notation."""
    if not isinstance(value, dict) or len(value) != 1:
        raise ShapeError("an attribute is not one DynamoDB value")
    if depth > _DEPTH_LIMIT:
        raise ShapeError(f"nested more than {_DEPTH_LIMIT} levels deep")
    tag, content = next(iter(value.items()))
    if tag == "N":
        return {"N": canonical_number(content)}
    if tag == "M" and isinstance(content, dict):
        return {"M": {name: canonical_value(member, depth + 1) for name, member in content.items()}}
    if tag == "L" and isinstance(content, list):
        return {"L": [canonical_value(member, depth + 1) for member in content]}
    if tag == "B":
        return {"B": _base64(content)}
    if tag in {"SS", "NS", "BS"}:
        return {tag: _canonical_set(tag, content)}
    if not _plain(tag, content):
        raise ShapeError(f"a value of type '{str(tag)[:20]}' is malformed")
    return value


def _plain(tag: str, content: Any) -> bool:
    if tag == "S":
        return isinstance(content, str)
    return isinstance(content, bool) if tag == "BOOL" else tag == "NULL" and content is True


def _canonical_set(tag: str, content: Any) -> list[str]:
    if not isinstance(content, list) or not content:
        raise ShapeError("a set is empty or not an array")
    if tag == "SS":
        if not all(isinstance(member, str) for member in content):
            raise ShapeError("a set of strings holds something else")
        members = sorted(content)
    elif tag == "NS":
        members = sorted(canonical_number(member) for member in content)
    else:
        members = sorted(_base64(member) for member in content)
    if len(set(members)) != len(members):
        raise ShapeError("a set holds a member twice")
    return members


def _base64(content: Any) -> str:
    return base64.b64encode(decode_binary(content)).decode()


def _sorted_json(document: Any) -> bytes:
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # orjson: lone surrogates, foreign types, too deep
        raise ShapeError(f"not writable as JSON: {error}") from error


def _flat_and_known(item: dict[str, Any]) -> bool:
    """Whether every value is a plain scalar of the right kind, so that no walk is needed to know its shape."""
    for value in item.values():
        if type(value) is not dict or len(value) != 1:
            return False
        for tag, content in value.items():
            if tag == "S" or tag == "N":
                if type(content) is not str:
                    return False
            elif tag == "M" or tag == "L":
                if not _known_inside(tag, content):
                    return False
            elif tag not in TYPES or not _plain(tag, content):
                return False
    return True


def _known_inside(tag: str, content: Any) -> bool:
    if tag == "M":
        return type(content) is dict and _flat_and_known(content)
    if type(content) is not list:
        return False
    return all(_flat_and_known({"": member}) for member in content)
