"""Amazon Ion text, as exports write it and imports read it.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html: each line begins with the version
marker; number is decimal, binary is blob, sets are lists annotated $dynamodb_SS, $dynamodb_NS, $dynamodb_BS.
amazon-ion.github.io/ion-docs/docs/spec.html: the text format itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ops.sandbox.aws.items import Wire

MARKER = "$ion_1_0"
SETS = {"SS": "$dynamodb_SS", "NS": "$dynamodb_NS", "BS": "$dynamodb_BS"}
_MEMBERS = {"SS": "S", "NS": "N", "BS": "B"}
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")
_RESERVED = re.compile(r"(?:null|true|false|nan|\$ion_.*|\$[0-9]+)\Z")
_ESCAPED = re.compile(r"[\x00-\x1f\x7f\"\\]")
_SYMBOL_ESCAPED = re.compile(r"[\x00-\x1f\x7f'\\]")


def line(document: dict[str, str]) -> bytes:
    """One line of an export from members that are already Ion, e.g. {"Item": "{pk:\\"a\\"}"}."""
    members = ",".join(f"{symbol(name)}:{text}" for name, text in document.items())
    return f"{MARKER} {{{members}}}".encode()


def struct(wire: Wire) -> str:
    """An item or a map."""
    return "{" + ",".join(f"{symbol(name)}:{value_text(value)}" for name, value in wire.items()) + "}"


def value_text(value: dict[str, Any]) -> str:
    """One attribute value."""
    ((kind, content),) = value.items()
    if kind == "M":
        return struct(content)
    if kind == "L":
        return "[" + ",".join(map(value_text, content)) + "]"
    if kind in SETS:
        return SETS[kind] + "::[" + ",".join(_scalar(_MEMBERS[kind], one) for one in content) + "]"
    return _scalar(kind, content)


def _scalar(kind: str, content: Any) -> str:
    if kind == "S":
        return '"' + _ESCAPED.sub(_escape, content) + '"'
    if kind == "N":
        return decimal(content)
    if kind == "B":
        return f"{{{{{content}}}}}"
    if kind == "NULL":
        return "null"
    return "true" if content else "false"


def decimal(text: str) -> str:
    """A plain number as an Ion decimal: 103 is `103.`, 600 is `6d2`, 1.5 stays."""
    if "." in text:
        return text
    digits = text.rstrip("0")
    zeros = len(text) - len(digits)
    return f"{digits}d{zeros}" if zeros and digits not in ("", "-") else f"{text}."


def symbol(name: str) -> str:
    """A field name: bare where Ion allows, quoted otherwise."""
    if _IDENTIFIER.match(name) and not _RESERVED.match(name):
        return name
    return "'" + _SYMBOL_ESCAPED.sub(_escape, name) + "'"


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    return "\\" + character if character in "\"'\\" else f"\\x{ord(character):02x}"


class Malformed(Exception):
    """The text is no Ion, or Ion that no DynamoDB value is written in."""


_GAP = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"', re.DOTALL)
_LONG = re.compile(r"'''((?:[^'\\]|\\.|'(?!''))*)'''", re.DOTALL)
_QUOTED = re.compile(r"'((?:[^'\\\n]|\\.)*)'", re.DOTALL)
_BARE = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_BLOB = re.compile(r"\{\{\s*([A-Za-z0-9+/=\s]*)\}\}")
_NUMBER = re.compile(r"-?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[dD][+-]?[0-9]+)?(?=[\s,\]\}]|\Z)")
_BACKSLASH = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\n|.)", re.DOTALL)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0", "\n": ""}


def values(text: str) -> Iterator[dict[str, Any]]:
    """The top-level values as attribute values; Malformed where the text cannot be read on."""
    place = _skip(text, 0)
    while place < len(text):
        if text.startswith(MARKER, place):
            place = _skip(text, place + len(MARKER))
            continue
        value, place = _value(text, place)
        yield value
        place = _skip(text, place)


def _skip(text: str, place: int) -> int:
    found = _GAP.match(text, place)
    return place if found is None else found.end()


def _value(text: str, place: int) -> tuple[dict[str, Any], int]:
    name, after = _annotation(text, place)
    if name is not None:
        return _annotated(name, *_value(text, _skip(text, after)))
    if found := _BLOB.match(text, place):
        return {"B": re.sub(r"\s", "", found.group(1))}, found.end()
    character = text[place : place + 1]
    if character == "{":
        return _struct(text, place + 1)
    if character == "[":
        return _list(text, place + 1)
    if found := _STRING.match(text, place):
        return {"S": _plain(found.group(1))}, found.end()
    if text.startswith("'''", place):
        return _long_string(text, place)
    return _number_or_word(text, place)


def _annotation(text: str, place: int) -> tuple[str | None, int]:
    name, after = _name(text, place)
    if name is None:
        return None, place
    after = _skip(text, after)
    return (name, after + 2) if text.startswith("::", after) else (None, place)


def _annotated(name: str, value: dict[str, Any], after: int) -> tuple[dict[str, Any], int]:
    kind = next((kind for kind, one in SETS.items() if one == name), None)
    if kind is None:
        return value, after  # an annotation that DynamoDB gives no meaning
    if "L" not in value or any(_MEMBERS[kind] not in one for one in value["L"]):
        raise Malformed(f"{name} annotates something else than a list of its type")
    return {kind: [one[_MEMBERS[kind]] for one in value["L"]]}, after


def _struct(text: str, place: int) -> tuple[dict[str, Any], int]:
    fields: dict[str, Any] = {}
    place = _skip(text, place)
    while not text.startswith("}", place):
        name, after = _name(text, place)
        after = _skip(text, after)
        if name is None or not text.startswith(":", after):
            raise Malformed(f"no field name at character {place}")
        fields[name], place = _value(text, _skip(text, after + 1))
        place = _separator(text, place, "}")
    return {"M": fields}, place + 1


def _list(text: str, place: int) -> tuple[dict[str, Any], int]:
    elements = []
    place = _skip(text, place)
    while not text.startswith("]", place):
        element, place = _value(text, place)
        elements.append(element)
        place = _separator(text, place, "]")
    return {"L": elements}, place + 1


def _separator(text: str, place: int, end: str) -> int:
    place = _skip(text, place)
    if text.startswith(",", place):
        return _skip(text, place + 1)
    if not text.startswith(end, place):
        raise Malformed(f"neither a comma nor {end} at character {place}")
    return place


def _name(text: str, place: int) -> tuple[str | None, int]:
    if text.startswith("'''", place):
        return None, place
    if found := _QUOTED.match(text, place) or _STRING.match(text, place):
        return _plain(found.group(1)), found.end()
    if found := _BARE.match(text, place):
        return found.group(), found.end()
    return None, place


def _long_string(text: str, place: int) -> tuple[dict[str, Any], int]:
    """Adjacent long strings are one."""
    parts = []
    while found := _LONG.match(text, place):
        parts.append(_plain(found.group(1)))
        place = _skip(text, found.end())
    if not parts:
        raise Malformed(f"a long string without an end at character {place}")
    return {"S": "".join(parts)}, place


def _number_or_word(text: str, place: int) -> tuple[dict[str, Any], int]:
    if found := _NUMBER.match(text, place):
        return {"N": found.group().replace("_", "").replace("d", "E").replace("D", "E")}, found.end()
    if found := _BARE.match(text, place):
        word, end = found.group(), found.end()
        if word in ("true", "false"):
            return {"BOOL": word == "true"}, end
        if word == "null":
            typed = re.compile(r"\.[a-z]+").match(text, end)
            return {"NULL": True}, typed.end() if typed else end
    raise Malformed(f"no value that DynamoDB knows at character {place}: {text[place : place + 20]!r}")


def _plain(text: str) -> str:
    def replace(found: re.Match[str]) -> str:
        code = found.group(1)
        if code[0] in "xuU":
            return chr(int(code[1:], 16))
        return _SHORT.get(code, code)

    return _BACKSLASH.sub(replace, text)
