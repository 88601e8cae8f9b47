"""What DynamoDB accepts as an item: numbers, sizes, keys, nesting; plain JSON in and out.

Limits: docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
and .../CapacityUnitCalculations.html.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ops.model.items import AttributeValue, Item, KeySchema

ITEM_LIMIT_BYTES = 409_600
PARTITION_KEY_LIMIT_BYTES = 2_048
SORT_KEY_LIMIT_BYTES = 1_024
NESTING_LIMIT = 32
NUMBER_DIGITS = 38
TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})

# Decimal also takes underscores, other scripts' digits and NaN: the pattern comes first.
_NUMBER = re.compile(r"([+-]?)([0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,6}))?", re.ASCII)
_PLAIN_INTEGER = re.compile(r"-?[1-9][0-9]{0,18}|0", re.ASCII)
_LARGEST_EXPONENT = 125
_SMALLEST_EXPONENT = -130


class Unacceptable(ValueError):
    """A value that DynamoDB would refuse; the text says where and why."""


def canonical_number(text: object) -> str:
    """Plain positional notation of a DynamoDB number: no exponent, sign `+`, spare zeros or `-0`.

    Raises Unacceptable beyond 38 significant digits or outside 1E-130 to 9.99E+125.
    """
    if not isinstance(text, str):
        raise Unacceptable(f"a number must be written as a string, not {type(text).__name__}")
    if _PLAIN_INTEGER.fullmatch(text):
        return text
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise Unacceptable(f"not a number: {_short(text)}")
    whole, _, fraction = match[2].partition(".")
    exponent = int(match[3] or 0) - len(fraction)
    digits = (whole + fraction).lstrip("0")
    stripped = digits.rstrip("0")
    exponent += len(digits) - len(stripped)
    if not stripped:
        return "0"
    if len(stripped) > NUMBER_DIGITS:
        raise Unacceptable(f"number has {len(stripped)} significant digits, more than {NUMBER_DIGITS}")
    if not _SMALLEST_EXPONENT <= exponent + len(stripped) - 1 <= _LARGEST_EXPONENT:
        raise Unacceptable(f"number out of range: {_short(text)}")
    return ("-" if match[1] == "-" else "") + _positional(stripped, exponent)


def _positional(digits: str, exponent: int) -> str:
    if exponent >= 0:
        return digits + "0" * exponent
    point = len(digits) + exponent
    return f"{digits[:point]}.{digits[point:]}" if point > 0 else "0." + "0" * -point + digits


def decode_binary(text: object) -> bytes:
    """The bytes of a base64 text, decoded strictly."""
    if not isinstance(text, str):
        raise Unacceptable(f"a binary must be base64 text, not {type(text).__name__}")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unacceptable(f"not base64: {_short(text)}") from error


def validate_item(item: object, keys: KeySchema, indexes: Mapping[str, KeySchema] | None = None) -> None:
    """Raise Unacceptable with the first reason for which DynamoDB would refuse to put `item`."""
    if not isinstance(item, dict):
        raise Unacceptable(f"an item must be an object, not {type(item).__name__}")
    for name, value in item.items():
        _check_name(name)
        validate_value(value, name)
    for name, wanted in keys.types.items():
        if name not in item:
            raise Unacceptable(f"key attribute '{name}' is missing")
        limit = PARTITION_KEY_LIMIT_BYTES if name == keys.partition else SORT_KEY_LIMIT_BYTES
        _check_key(name, item[name], wanted, limit)
    for index, schema in (indexes or {}).items():
        for name, wanted in schema.types.items():
            if name in item and name not in keys.types:
                limit = PARTITION_KEY_LIMIT_BYTES if name == schema.partition else SORT_KEY_LIMIT_BYTES
                _check_key(name, item[name], wanted, limit, f" of index '{index}'")
    size = item_size(item)
    if size > ITEM_LIMIT_BYTES:
        raise Unacceptable(f"item has {size} bytes, more than {ITEM_LIMIT_BYTES}")


def validate_key(key: object, keys: KeySchema) -> None:
    """Raise Unacceptable unless `key` is exactly a primary key of the table."""
    if not isinstance(key, dict) or set(key) != set(keys.names):
        raise Unacceptable(f"a key must have exactly the attributes {', '.join(keys.names)}")
    validate_item(key, keys)


def validate_value(value: object, path: str, depth: int = 1) -> None:
    """Raise Unacceptable, naming `path`, unless `value` is one well-formed attribute value."""
    if depth > NESTING_LIMIT:
        raise Unacceptable(f"'{path[:80]}…' is nested more than {NESTING_LIMIT} levels deep")
    if not isinstance(value, dict) or len(value) != 1:
        raise Unacceptable(f'\'{path}\' is not one DynamoDB value such as {{"S": "text"}}')
    tag, content = next(iter(value.items()))
    if tag not in TYPES:
        raise Unacceptable(f"'{path}' has the unknown type '{_short(tag)}'")
    try:
        if tag == "M":
            _check_map(content, path, depth)
        elif tag == "L":
            for position, member in enumerate(_list(content)):
                validate_value(member, f"{path}[{position}]", depth + 1)
        elif tag in {"SS", "NS", "BS"}:
            _check_set(tag, content)
        else:
            _check_scalar(tag, content)
    except _Plain as error:
        raise Unacceptable(f"'{path}': {error}") from error


class _Plain(ValueError):
    """A reason still without its path."""


def _list(content: object) -> list[Any]:
    if not isinstance(content, list):
        raise _Plain("a list or set must be an array")
    return content


def _check_map(content: object, path: str, depth: int) -> None:
    if not isinstance(content, dict):
        raise _Plain("a map must be an object")
    for name, member in content.items():
        _check_name(name)
        validate_value(member, f"{path}.{name}", depth + 1)


def _check_set(tag: str, content: object) -> None:
    members = _list(content)
    if not members:
        raise _Plain("a set must not be empty")
    for member in members:
        _check_scalar(tag[0], member)
    if tag == "SS":
        distinct = len(set(members))
    elif tag == "NS":
        distinct = len({canonical_number(member) for member in members})
    else:
        distinct = len({decode_binary(member) for member in members})
    if distinct != len(members):
        raise _Plain("a set holds a member twice")


def _check_scalar(tag: str, content: object) -> None:
    try:
        if tag == "S":
            if not isinstance(content, str):
                raise _Plain(f"a string must be text, not {type(content).__name__}")
            _utf8(content)
        elif tag == "N":
            canonical_number(content)
        elif tag == "B":
            decode_binary(content)
        elif tag == "BOOL" and not isinstance(content, bool):
            raise _Plain("BOOL must be true or false")
        elif tag == "NULL" and content is not True:
            raise _Plain("NULL must be true")
    except Unacceptable as error:
        raise _Plain(str(error)) from error


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name or len(_utf8(name)) > 65_535:
        raise Unacceptable(f"'{_short(name)}' is not an attribute name")


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Unacceptable("text holds a lone surrogate, which is not Unicode text") from error


def _check_key(name: str, value: AttributeValue, wanted: str, limit_bytes: int, of: str = "") -> None:
    tag = next(iter(value))
    if tag != wanted:
        raise Unacceptable(f"key attribute '{name}'{of} must have type {wanted}, not {tag}")
    size = value_size(value)
    if tag in {"S", "B"} and size == 0:
        raise Unacceptable(f"key attribute '{name}'{of} is empty")
    if tag in {"S", "B"} and size > limit_bytes:
        raise Unacceptable(f"key attribute '{name}'{of} has {size} bytes, more than {limit_bytes}")


def item_size(item: Item) -> int:
    """Bytes by AWS's arithmetic: UTF-8 names plus values."""
    return sum(len(_utf8(name)) + value_size(value) for name, value in item.items())


def value_size(value: AttributeValue) -> int:
    """Bytes of one value: number 1 per two significant digits + 1, list and map 3 + 1 per element."""
    tag, content = next(iter(value.items()))
    if tag == "S":
        return len(content) if content.isascii() else len(_utf8(content))
    if tag == "N":
        return _number_size(content)
    if tag == "B":
        return len(decode_binary(content))
    if tag == "SS":
        return sum(len(_utf8(member)) for member in content)
    if tag == "NS":
        return sum(_number_size(member) for member in content)
    if tag == "BS":
        return sum(len(decode_binary(member)) for member in content)
    if tag == "L":
        return 3 + sum(1 + value_size(member) for member in content)
    if tag == "M":
        return 3 + sum(1 + len(_utf8(name)) + value_size(member) for name, member in content.items())
    return 1


def _number_size(text: str) -> int:
    digits = canonical_number(text)
    significant = digits.lstrip("-0.").replace(".", "") if "." in digits else digits.lstrip("-").rstrip("0")
    return (len(significant) + 1) // 2 + 1 + (1 if digits.startswith("-") else 0)


def from_plain(value: object) -> AttributeValue:
    """A plain JSON value (numbers as int or Decimal, bytes as binary) as DynamoDB JSON.

    A float is refused: its decimal digits are not what the text said. Read JSON with `parse_float=Decimal`.
    """
    if isinstance(value, bool):
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, (int, Decimal)):
        return {"N": canonical_number(str(value))}
    if isinstance(value, bytes):
        return {"B": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return {"L": [from_plain(member) for member in value]}
    if isinstance(value, Mapping):
        return {"M": {str(name): from_plain(member) for name, member in value.items()}}
    if isinstance(value, (set, frozenset)):
        return _set_from_plain(value)
    raise Unacceptable(f"{type(value).__name__} has no DynamoDB type")


def _set_from_plain(members: set[Any] | frozenset[Any]) -> AttributeValue:
    values = [from_plain(member) for member in members]
    tags = {tag for value in values for tag in value}
    if len(tags) != 1 or not tags <= {"S", "N", "B"}:
        raise Unacceptable("a set needs members, all texts, all numbers or all binaries")
    tag = tags.pop()
    return {f"{tag}S": sorted(value[tag] for value in values)}


def item_from_plain(values: Mapping[str, object]) -> Item:
    """An object of plain JSON as an item."""
    return {name: from_plain(value) for name, value in values.items()}


def to_plain(value: AttributeValue) -> Any:
    """A DynamoDB value for display: numbers as int or Decimal, sets as sorted lists, binary as base64 text."""
    tag, content = next(iter(value.items()))
    if tag == "N":
        return _plain_number(content)
    if tag == "NULL":
        return None
    if tag == "L":
        return [to_plain(member) for member in content]
    if tag == "M":
        return {name: to_plain(member) for name, member in content.items()}
    if tag == "NS":
        return sorted(_plain_number(member) for member in content)
    return sorted(content) if tag in {"SS", "BS"} else content


def item_to_plain(item: Item) -> dict[str, Any]:
    """An item for display; see `to_plain` for what is lost (sets and binaries lose their type)."""
    return {name: to_plain(value) for name, value in item.items()}


def _plain_number(text: str) -> int | Decimal:
    digits = canonical_number(text)
    return Decimal(digits) if "." in digits else int(digits)


def key_value(text: str, type_tag: str) -> AttributeValue:
    """A key attribute from what was typed: text, number, or base64 for a binary key."""
    if type_tag == "N":
        return {"N": canonical_number(text)}
    if type_tag == "B":
        return {"B": base64.b64encode(decode_binary(text)).decode()}
    if not text:
        raise Unacceptable("a key must not be empty")
    return {"S": text}


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
