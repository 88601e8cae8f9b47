"""What changed between two declarations of a resource, `ignoreChanges` and secrets taken into account."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\*|\"[^\"]*\")\]")
_MISSING = object()
SECRET = "$secret"


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    """Top-level keys whose values differ."""
    return {key for key in {*old, *new} if old.get(key) != new.get(key)}


def keep_ignored(old: Mapping[str, Any], new: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """`new` with every ignored path set back to its old value, so that an update sends what is there.

    A path is `a`, `a.b`, `a[0].b`, `a[*].b` or `a["b"]`; what the old declaration lacked is left out.
    """
    found: dict[str, Any] = json.loads(json.dumps(new))
    for path in paths:
        _restore(old, found, steps(path))
    return found


def steps(path: str) -> list[str | int]:
    """`a[*].b` -> ["a", "*", "b"]; ValueError when the path cannot be read."""
    found: list[str | int] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise ValueError(f"ignoreChanges: {path!r} is not a property path")
        name, index = match.groups()
        if index is None:
            found.append(name)
        else:
            found.append(int(index) if index.isdigit() else index.strip('"'))
        at = match.end()
    return found


def _restore(old: Any, new: Any, path: list[str | int]) -> None:
    step, rest = path[0], path[1:]
    for key in _keys(new, old, step):
        before = _at(old, key)
        if rest:
            inner = _at(new, key)
            if before is not _MISSING and isinstance(inner, dict | list):
                _restore(before, inner, rest)
        elif before is not _MISSING:
            new[key] = json.loads(json.dumps(before))
        elif isinstance(new, dict):
            new.pop(key, None)


def _keys(new: Any, old: Any, step: str | int) -> list[Any]:
    if isinstance(new, list):
        if step == "*":
            return list(range(len(new)))
        return [step] if isinstance(step, int) and step < len(new) else []
    if step == "*":
        return list({**(old if isinstance(old, dict) else {}), **new})
    return [step] if isinstance(step, str) else []


def _at(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        return value.get(key, _MISSING)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return _MISSING


def sealed(inputs: Mapping[str, Any], secrets: Iterable[str], salt: str) -> dict[str, Any]:
    """`inputs` as the state may hold them: a secret becomes a keyed digest, enough to see a change."""
    found = dict(inputs)
    for key in secrets:
        text = json.dumps(inputs[key], sort_keys=True)
        found[key] = {SECRET: hmac.new(salt.encode(), text.encode(), hashlib.sha256).hexdigest()}
    return found
