"""The canonical form of an item: one text for one value, whatever way it was written.

UTF-8 JSON without spaces, names sorted by code point at every depth, numbers in plain positional notation,
sets sorted, base64 re-encoded. Equal items give equal bytes; different items give different bytes.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import orjson

from ops.dynamodb.attributes import Unacceptable, canonical_number, decode_binary
from ops.model.items import AttributeValue, Item, KeySchema

#: DynamoDB allows 32; the JSON codec ends at 127, so that nothing between is judged twice.
_DEPTH_LIMIT = 127

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_NUMBER = rb'"(?:0|-?[1-9][0-9]{0,37}|-?(?:0|[1-9][0-9]{0,17})\.[0-9]{0,18}[1-9])"'
_PLAIN = rb'(?:"S":%s|"N":%s|"BOOL":(?:true|false)|"NULL":true|"SS":\[%s(?:,%s)*+\])' % (
    _STRING,
    _NUMBER,
    _STRING,
    _STRING,
)
#: Members of maps and lists nested deeper than this are walked.
_SETTLED_DEPTH = 6


def _settled() -> re.Pattern[bytes]:
    """Text of the codec that is canonical up to the order of sets of strings; all else needs a walk.

    The text is valid JSON already, so brackets and commas are right, and only objects have names.
    """
    value = _PLAIN
    for _ in range(_SETTLED_DEPTH):
        value = rb'(?:%s|(?:"M":\{|"L":\[)(?:(?:%s:)?\{%s\},?)*+[\]}])' % (_PLAIN, _STRING, value)
    return re.compile(rb"\{(?:%s:\{%s\},?)*+\}" % (_STRING, value))


_SETTLED = _settled()
#: A quotation mark inside a string is escaped, so this is always a set of strings in a text that is settled. It is
#: told member by member: a member may itself begin with a bracket.
_SET = re.compile(rb'"SS":\[("[^"\\]*+"(?:,"[^"\\]*+")*+)\]')


class ShapeError(ValueError):
    """An item that is no well-formed DynamoDB JSON; the text says why."""


def canonical_item(item: object) -> bytes:
    """Canonical bytes of an item; ShapeError when it is not well-formed."""
    if not isinstance(item, dict):
        raise ShapeError(f"an item must be an object, not {type(item).__name__}")
    try:
        text = _sorted_json(item)
        if _SETTLED.fullmatch(text) is None:
            return _sorted_json({name: canonical_value(value) for name, value in item.items()})
        sets = text.count(b'"SS":[')
        if sets:
            text, settled = _SET.subn(_sorted_set, text)
            if settled != sets:
                return _sorted_json({name: canonical_value(value) for name, value in item.items()})
    except Unacceptable as error:
        raise ShapeError(str(error)) from error
    return text


def _sorted_set(found: re.Match[bytes]) -> bytes:
    """Members without escapes sort as their texts: the order of UTF-8 bytes is that of code points."""
    members = found[1][1:-1].split(b'","')
    members.sort()
    if len(set(members)) != len(members):
        raise ShapeError("a set holds a member twice")
    return b'"SS":["%b"]' % b'","'.join(members)


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
    # A copy: keys are kept, and what orjson answers keeps the rest of its buffer, some 4 KB, from any other use.
    return bytes(memoryview(canonical_item(found)))


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
