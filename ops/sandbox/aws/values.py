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

_PLAIN_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]{0,37})\Z")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")

Checked = tuple[dict[str, Any], int]


def checked_value(value: Any, depth: int = 0) -> Checked:
    """The normalised attribute value and its size in bytes; ValidationException as AWS words it."""
    if type(value) is not dict or len(value) != 1:
        raise validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    ((kind, content),) = value.items()
    if kind == "S":
        if type(content) is not str:
            raise SerializationException("NUMBER_VALUE cannot be converted to String")
        return value, len(content) if content.isascii() else len(content.encode())
    check = _CHECKS.get(kind)
    if check is None:
        raise validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    return check(content, depth)


def normal_number(text: Any) -> tuple[str, int]:
    """Plain notation without needless zeros, and the stored size: a byte per two digits and one more."""
    if type(text) is not str:
        raise SerializationException("NUMBER_VALUE cannot be converted to String")
    if _PLAIN_INTEGER.match(text):
        digits = len(text.strip("-").rstrip("0"))
        return text, (digits + 1) // 2 + 1 + text.startswith("-")
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


def _number(content: Any, _depth: int) -> Checked:
    text, size = normal_number(content)
    return {"N": text}, size


def _binary(content: Any, _depth: int) -> Checked:
    text, size = normal_binary(content)
    return {"B": text}, size


def _boolean(content: Any, _depth: int) -> Checked:
    if type(content) is not bool:
        raise SerializationException("Unexpected value type in payload")
    return {"BOOL": content}, 1


def _null(content: Any, _depth: int) -> Checked:
    if content is not True:
        raise validation(
            "One or more parameter values were invalid: Null attribute value types must have the value of true"
        )
    return {"NULL": True}, 1


def _set_of(kind: str, normal: Callable[[Any], tuple[str, int]], word: str) -> Callable[[Any, int], Checked]:
    def check(content: Any, _depth: int) -> Checked:
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
        return {kind: [text for text, _ in members]}, sum(size for _, size in members)

    return check


def _list(content: Any, depth: int) -> Checked:
    _check_depth(depth)
    checked = [checked_value(one, depth + 1) for one in content]
    return {"L": [one for one, _ in checked]}, CONTAINER_BYTES + sum(size + 1 for _, size in checked)


def _map(content: Any, depth: int) -> Checked:
    _check_depth(depth)
    total, normal = CONTAINER_BYTES, {}
    for name, one in content.items():
        normal[name], size = checked_value(one, depth + 1)
        total += len(name.encode()) + size + 1
    return {"M": normal}, total


def _check_depth(depth: int) -> None:
    if depth >= MAX_NESTING:
        raise validation(
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond "
            "supported limit"
        )


_CHECKS: dict[str, Callable[[Any, int], Checked]] = {
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "SS": _set_of("SS", _normal_string, "string"),
    "NS": _set_of("NS", normal_number, "number"),
    "BS": _set_of("BS", normal_binary, "binary"),
    "L": _list,
    "M": _map,
}
