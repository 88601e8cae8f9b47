"""What moto's UpdateItem gets wrong around the update itself: groups in the expression, and what is returned.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html (parentheses) and
docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html (ReturnValues).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.dynamodb.exceptions import UpdateHashRangeKeyException
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.validators import UpdateHashRangeKeyValidator

from ops.sandbox.aws.items import StoredItem, Wire

_TOKEN = re.compile(r"[()=,+]|-|[^\s()=,+-]+")
_SECTION = re.compile(r"(?<![#:.\w])(SET|REMOVE|ADD|DELETE)(?!\w)", re.IGNORECASE)
_FUNCTIONS = ("if_not_exists", "list_append")
_ENDS = frozenset({",", "set", "remove", "add", "delete", None})


def without_groups(expression: str) -> str:
    """The same update without parentheses that change nothing, on which moto's parser fails.

    Those are groups around one operand, and around the whole right-hand side; others stay, as do calls.
    """
    tokens = _TOKEN.findall(expression)
    if tokens.count("(") == sum(tokens.count(name) for name in _FUNCTIONS):
        return expression
    while (found := _needless(tokens)) is not None:
        first, last = found
        tokens = [token for at, token in enumerate(tokens) if at not in (first, last)]
    return " ".join(tokens)


def _needless(tokens: list[str]) -> tuple[int, int] | None:
    for first, token in enumerate(tokens):
        if token != "(" or (first and tokens[first - 1] in _FUNCTIONS):
            continue
        last = _closing(tokens, first)
        if last is None:
            return None
        inner = tokens[first + 1 : last]
        following = tokens[last + 1].lower() if last + 1 < len(tokens) else None
        whole = tokens[first - 1 : first] == ["="] and following in _ENDS
        if whole or not {"+", "-"} & set(_outside_calls(inner)):
            return first, last
    return None


def _closing(tokens: list[str], first: int) -> int | None:
    depth = 0
    for at in range(first, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[at], 0)
        if depth == 0:
            return at
    return None


def _outside_calls(tokens: list[str]) -> list[str]:
    found, depth = [], 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0:
            found.append(token)
    return found


def returned(
    body: dict[str, Any], before: StoredItem | None, after: StoredItem | None, given: Wire | None
) -> Wire | None:
    """Attributes of the answer; `given` is moto's: it lacks what was set to the value it had."""
    wanted = body.get("ReturnValues", "NONE")
    if wanted not in ("UPDATED_OLD", "UPDATED_NEW"):
        return given
    item = before if wanted == "UPDATED_OLD" else after
    held = {} if item is None else item.wire
    targets = _targets(body)
    steps = {_first(target) for target in targets}
    moto_s = {name: value for name, value in (given or {}).items() if name in steps}
    return {**moto_s, **{name: held[name] for name in targets if name in held}} or None


def check_targets(table: Table, body: dict[str, Any]) -> None:
    """A key may be read by an update, which moto refuses as well, but not changed."""
    for target in _targets(body):
        if (name := _first(target)) in table.table_key_attrs:
            raise UpdateHashRangeKeyException(name)


def _targets(body: dict[str, Any]) -> set[str]:
    """What the update sets, adds to, removes or deletes from; of a path the alias of its first step is replaced."""
    names = body.get("ExpressionAttributeNames") or {}
    parts = _SECTION.split(body.get("UpdateExpression") or "")
    found = set(body.get("AttributeUpdates") or {})
    for text in parts[2::2]:
        for action in _actions(text):
            target: str = re.split(r"[=\s]", action.strip(), maxsplit=1)[0]
            first = _first(target)
            found.add(names.get(first, first) + target[len(first) :])
    return found


def _first(path: str) -> str:
    """The attribute of the item that the path begins with."""
    found: str = re.split(r"[.\[]", path, maxsplit=1)[0]
    return found


def _actions(text: str) -> list[str]:
    """Split at the commas outside parentheses."""
    found, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return found


def collection_metrics(table: Any, body: dict[str, Any], wire: Mapping[str, Any]) -> dict[str, Any] | None:
    """ItemCollectionMetrics, which only a table with local indexes has: the size is an estimate, of whole GB."""
    if body.get("ReturnItemCollectionMetrics") != "SIZE" or not table.indexes:
        return None
    partition = table.table_key_attrs[0]
    return {"ItemCollectionKey": {partition: wire[partition]}, "SizeEstimateRangeGB": [0.0, 1.0]}


def install() -> None:
    """`check_targets` in place of moto's check."""
    UpdateHashRangeKeyValidator.check_for_hash_or_range_key = lambda self, node: node  # type: ignore[method-assign]
