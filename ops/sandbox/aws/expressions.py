"""Projection over wire items; filters and key conditions are moto's parsers over them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from moto.dynamodb.comparisons import create_condition_expression_parser, get_filter_expression
from moto.dynamodb.responses import ProjectionExpressionParser

from ops.sandbox.aws.conditions import check_distinct
from ops.sandbox.aws.errors import validation
from ops.sandbox.aws.items import StoredItem, Wire, sort_value

Keep = Callable[[StoredItem], bool]
Path = tuple[str | int, ...]

_STEP = re.compile(r"([^\[\]]+)((?:\[[0-9]+\])*)\Z")


def names_of(body: dict[str, Any]) -> dict[str, str]:
    """ExpressionAttributeNames."""
    names: dict[str, str] = body.get("ExpressionAttributeNames") or {}
    return names


def values_of(body: dict[str, Any]) -> dict[str, Any]:
    """ExpressionAttributeValues, refused when present and empty."""
    values = body.get("ExpressionAttributeValues")
    if values == {}:
        raise validation("ExpressionAttributeValues must not be empty")
    return values or {}


def condition_of(body: dict[str, Any], member: str) -> Any | None:
    """The parsed condition of this member, or None."""
    text = body.get(member)
    if text is None:
        return None
    if text == "":
        raise validation(f"Invalid {member}: The expression can not be empty;")
    parser = create_condition_expression_parser(text, names_of(body), values_of(body))
    try:
        parser.parse()
    except ValueError as error:
        raise validation(f"Invalid {member}: {error}") from error
    tree = get_filter_expression(text, names_of(body), values_of(body))
    check_distinct(tree, member)
    return tree


def paths_of(body: dict[str, Any]) -> list[Path] | None:
    """The document paths of ProjectionExpression or of the older AttributesToGet, or None."""
    if older := body.get("AttributesToGet"):
        return [(name,) for name in older]
    text = body.get("ProjectionExpression")
    if text is None:
        return None
    if text == "":
        raise validation("Invalid ProjectionExpression: The expression can not be empty;")
    parser = ProjectionExpressionParser(text, names_of(body))
    found = [_path(steps) for steps in parser.parse()]
    return [tuple(names_of(body).get(step, step) if isinstance(step, str) else step for step in one) for one in found]


def _path(steps: list[str]) -> Path:
    path: list[str | int] = []
    for step in steps:
        match = _STEP.match(step)
        if match is None:
            raise validation(f"Invalid ProjectionExpression: Syntax error; token: {step}")
        path.append(match.group(1))
        path.extend(int(place) for place in re.findall(r"\[([0-9]+)\]", match.group(2)))
    return tuple(path)


def project(wire: Wire, paths: list[Path]) -> Wire:
    """Only what the paths reach; list elements close up, as in DynamoDB."""
    tree: dict[Any, Any] = {}
    for path in paths:
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    return _pick_map(wire, tree)


def _pick_map(wire: Wire, tree: dict[Any, Any]) -> Wire:
    picked = {name: _pick(wire[name], below) for name, below in tree.items() if name in wire}
    return {name: value for name, value in picked.items() if value is not None}


def _pick(value: dict[str, Any], tree: dict[Any, Any]) -> dict[str, Any] | None:
    if not tree:
        return value
    if "M" in value:
        inner = _pick_map(value["M"], tree)
        return {"M": inner} if inner else None
    if "L" in value:
        places = sorted(place for place in tree if isinstance(place, int) and place < len(value["L"]))
        elements = [_pick(value["L"][place], tree[place]) for place in places]
        kept = [one for one in elements if one is not None]
        return {"L": kept} if kept else None
    return None


def key_test(comparison: str, values: tuple[dict[str, Any], ...]) -> Callable[[dict[str, Any]], bool]:
    """A sort-key condition of KeyConditionExpression over a wire value."""
    wanted = [sort_value(one) for one in values]
    tests: dict[str, Callable[[Any], bool]] = {
        "=": lambda found: found == wanted[0],
        "<": lambda found: found < wanted[0],
        "<=": lambda found: found <= wanted[0],
        ">": lambda found: found > wanted[0],
        ">=": lambda found: found >= wanted[0],
        "BETWEEN": lambda found: wanted[0] <= found <= wanted[1],
        "begins_with": lambda found: found.startswith(wanted[0]),
    }
    test = tests[comparison]
    return lambda value: test(sort_value(value))
