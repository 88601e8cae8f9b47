"""Pulumi inputs (camelCase, shaped by Terraform) to botocore request parameters.

The botocore service model is the only source of truth: a key is matched to a member of the shape by
normalised name, a value is coerced to the member's type, and a key that matches nothing raises, so that
nothing a program declares is dropped unseen.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_PLURALS = ("{}", "{}s", "{}list")


class Unmapped(Exception):
    """An input that no member of the AWS request takes."""


def convert(shape: Any, value: Any, rename: Mapping[str, str] | None = None, path: str = "") -> Any:
    """`value` as the request parameter that `shape` describes; `rename` maps top-level keys, dotted into
    nested structures where the API nests what Pulumi keeps flat."""
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, _single(value), rename or {}, path)
    if kind == "list":
        return _list(shape, value, path)
    if kind == "map":
        return {key: convert(shape.value, entry, None, f"{path}{key}.") for key, entry in value.items()}
    return _scalar(kind, value)


def _single(value: Any) -> Any:
    """Terraform writes a single nested block as a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _structure(shape: Any, value: Mapping[str, Any], rename: Mapping[str, str], path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, entry in value.items():
        if entry is None or key.startswith("__"):
            continue
        target = rename.get(key) or _member(shape.members, key)
        if target is None:
            raise Unmapped(f"{path}{key}: the request takes {', '.join(sorted(shape.members))}")
        node, place = shape, found
        *outer, last = target.split(".")
        for part in outer:
            node, place = node.members[part], place.setdefault(part, {})
        place[last] = convert(node.members[last], entry, None, f"{path}{key}.")
    return found


def _list(shape: Any, value: Any, path: str) -> list[Any]:
    if isinstance(value, Mapping) and _is_tag_list(shape):
        names = {_normal(member).removeprefix("tag"): member for member in shape.member.members}
        return [{names["key"]: key, names["value"]: str(entry)} for key, entry in value.items()]
    entries = value if isinstance(value, list) else [value]
    return [convert(shape.member, entry, None, f"{path}{at}.") for at, entry in enumerate(entries)]


def _scalar(kind: str, value: Any) -> Any:
    if kind in {"integer", "long"}:
        return int(value)
    if kind in {"float", "double"}:
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if kind == "string":
        return _string(value)
    return value


def _string(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _normal(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _member(members: Iterable[str], key: str) -> str | None:
    by_name = {_normal(member): member for member in members}
    normal = _normal(key)
    singular = normal.removesuffix("s")
    candidates = [pattern.format(stem) for stem in (normal, singular) for pattern in _PLURALS]
    if normal.endswith("ies"):
        candidates.append(f"{normal[:-3]}y")
    return next((by_name[candidate] for candidate in candidates if candidate in by_name), None)


def _is_tag_list(shape: Any) -> bool:
    entry = shape.member
    if entry.type_name != "structure":
        return False
    return {_normal(member).removeprefix("tag") for member in entry.members} == {"key", "value"}
