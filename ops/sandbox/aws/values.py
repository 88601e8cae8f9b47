"""Attribute values: checked, normalised and measured in one pass.

Rules: docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html and
.../CapacityUnitCalculations.html (sizes).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from moto.dynamodb.exceptions import SerializationException

from ops.sandbox.aws.errors import validation

MAX_NESTING = 32
MAX_DIGITS = 38
CONTAINER_BYTES = 3  # a list or map: 3 bytes and 1 per element

_PLAIN_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]{0,37})\Z").match
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")

Checked = tuple[dict[str, Any], int]
# what stands behind the type, the very object when it was normal already, and its size in bytes
Content = tuple[Any, int]


def checked_value(value: Any, depth: int = 0) -> Checked:
    """The normalised attribute value, the very object when it was normal, and its size in bytes.

    Otherwise the ValidationException that AWS answers.
    """
    if type(value) is not dict or len(value) != 1:
        raise validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    ((kind, content),) = value.items()
    # most values by far, and stored as they came: nothing is made for them
    if kind == "S" and type(content) is str:
        return value, len(content) if content.isascii() else len(content.encode())
    if kind == "N" and type(content) is str and _PLAIN_INTEGER(content):
        return value, _integer_bytes(content)
    check = _CHECKS.get(kind)
    if check is None:
        raise validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    normal, size = check(content, depth)
    return (value if normal is content else {kind: normal}), size


def normal_number(text: Any) -> tuple[str, int]:
    """Plain notation without needless zeros, and the stored size: a byte per two digits and one more."""
    if type(text) is not str:
        raise SerializationException("NUMBER_VALUE cannot be converted to String")
    if _PLAIN_INTEGER(text):
        return text, _integer_bytes(text)
    if not _NUMBER.match(text):
        raise validation(f"The parameter cannot be converted to a numeric value: {text}")
    sign, digit_tuple, exponent = Decimal(text).as_tuple()
    digits_text = "".join(map(str, digit_tuple)).lstrip("0")
    stripped = digits_text.rstrip("0")
    if not stripped:
        return "0", 1
    power = int(exponent) + len(digits_text) - len(stripped)
    _check_magnitude(len(stripped), power + len(stripped) - 1)
    number = Decimal((sign, tuple(map(int, stripped)), power))
    return format(number, "f"), (len(stripped) + 1) // 2 + 1 + sign


def _integer_bytes(text: str) -> int:
    """Stored size of a whole number in plain notation."""
    if text[0] == "-":
        return (len(text.rstrip("0")) >> 1) + 2
    return (len(text.rstrip("0")) + 1 >> 1) + 1


def _check_magnitude(digits: int, adjusted: int) -> None:
    if digits > MAX_DIGITS:
        raise validation("Attempting to store more than 38 significant digits in a Number")
    if adjusted > 125:
        raise validation("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if adjusted < -130:
        raise validation("Number underflow. Attempting to store a number with magnitude smaller than supported range")


def normal_binary(content: Any) -> tuple[str, int]:
    """Canonical base64, and the size of the raw bytes."""
    if isinstance(content, bytes):
        return base64.b64encode(content).decode(), len(content)
    try:
        raw = base64.b64decode(content, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise SerializationException("Base64 encoded length or content is invalid") from error
    return base64.b64encode(raw).decode(), len(raw)


def _normal_string(content: Any) -> tuple[str, int]:
    if type(content) is not str:
        raise SerializationException("NUMBER_VALUE cannot be converted to String")
    return content, len(content.encode())


def _boolean(content: Any, _depth: int) -> Content:
    _check_type(content, bool)
    return content, 1


def _null(content: Any, _depth: int) -> Content:
    if content is not True:
        raise validation(
            "One or more parameter values were invalid: Null attribute value types must have the value of true"
        )
    return content, 1


def _set_of(normal: Callable[[Any], tuple[str, int]], word: str) -> Callable[[Any, int], Content]:
    def check(content: Any, _depth: int) -> Content:
        _check_type(content, list)
        if not content:
            # the prefix and both blanks are the service's
            raise validation(
                "1 validation error detected: One or more parameter values were invalid: "
                f"An {word} set  may not be empty"
            )
        members = [normal(one) for one in content]
        if len({text for text, _ in members}) != len(members):
            listed = ", ".join(map(str, content))
            raise validation(
                f"One or more parameter values were invalid: Input collection [{listed}] contains duplicates."
            )
        return [text for text, _ in members], sum(size for _, size in members)

    return check


def _list(content: Any, depth: int) -> Content:
    _check_type(content, list)
    _check_depth(depth)
    total, normal, changed = CONTAINER_BYTES, [], False
    for one in content:
        kept, size = checked_value(one, depth + 1)
        normal.append(kept)
        changed |= kept is not one
        total += size + 1
    return (normal if changed else content), total


def _map(content: Any, depth: int) -> Content:
    _check_type(content, dict)
    _check_depth(depth)
    total, changed = CONTAINER_BYTES, {}
    for name, one in content.items():
        kept, size = checked_value(one, depth + 1)
        if kept is not one:
            changed[name] = kept
        total += (len(name) if name.isascii() else len(name.encode())) + size + 1
    return ({**content, **changed} if changed else content), total


def _check_type(content: Any, wanted: type) -> None:
    if type(content) is not wanted:
        raise SerializationException("Unexpected value type in payload")


def _check_depth(depth: int) -> None:
    if depth >= MAX_NESTING:
        raise validation(
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond "
            "supported limit"
        )


_CHECKS: dict[str, Callable[[Any, int], Content]] = {
    "S": lambda content, _: _normal_string(content),
    "N": lambda content, _: normal_number(content),
    "B": lambda content, _: normal_binary(content),
    "BOOL": _boolean,
    "NULL": _null,
    "SS": _set_of(_normal_string, "string"),
    "NS": _set_of(normal_number, "number"),
    "BS": _set_of(normal_binary, "binary"),
    "L": _list,
    "M": _map,
}
