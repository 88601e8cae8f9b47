"""How conditions compare: by type first, then by value; what cannot be compared is false and never an error.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html. moto compares Python
values: it fails on a number beside a text, on the size of a missing attribute, and orders binaries by their base64.
"""

from __future__ import annotations

import base64
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from moto.dynamodb import comparisons

from ops.sandbox.aws.errors import validation
from ops.sandbox.aws.items import plain_wire

Typed = tuple[str, Any]
_SIZED = ("S", "B", "SS", "NS", "BS", "L", "M")
_ORDERED = ("S", "N", "B")


def canonical(value: dict[str, Any]) -> Typed:
    """A wire value as (type, something that compares as DynamoDB does)."""
    ((kind, content),) = value.items()
    if kind == "N":
        return kind, Decimal(content)
    if kind == "S":
        return kind, content.encode()
    if kind == "B":
        return kind, base64.b64decode(content)
    if kind in ("SS", "NS", "BS"):
        return kind, frozenset(canonical({kind[0]: one}) for one in content)
    if kind == "L":
        return kind, [canonical(one) for one in content]
    if kind == "M":
        return kind, {name: canonical(one) for name, one in content.items()}
    return kind, content


def typed(operand: Any, item: Any) -> Typed | None:
    """What an operand stands for in this item; None when it is not there or has no such value."""
    if isinstance(operand, comparisons.FuncSize):
        return _size(typed(operand.attr, item))
    if isinstance(operand, comparisons.AttributeValue):
        return canonical(plain_wire({"value": {operand.type: operand.value}})["value"])
    if isinstance(operand, comparisons.AttributePath):
        found = operand._get_attr(item)
        return None if found is None else canonical(plain_wire({"value": found})["value"])
    return "BOOL", operand.expr(item)


def _size(value: Typed | None) -> Typed | None:
    """Characters of a string, bytes of a binary, elements of the rest."""
    if value is None or value[0] not in _SIZED:
        return None
    kind, content = value
    return "N", Decimal(len(content.decode()) if kind == "S" else len(content))


def _compared(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def expr(self: Any, item: Any) -> bool:
        return _in_order(test, typed(self.lhs, item), typed(self.rhs, item))

    return expr


def _in_order(test: Callable[[Any, Any], bool], left: Typed | None, right: Typed | None) -> bool:
    if left is None or right is None or left[0] != right[0] or left[0] not in _ORDERED:
        return False
    return test(left[1], right[1])


def _equal(self: Any, item: Any) -> bool:
    left = typed(self.lhs, item)
    return left is not None and left == typed(self.rhs, item)


def _between(self: Any, item: Any) -> bool:
    value = typed(self.attr, item)
    low, high = typed(self.start, item), typed(self.end, item)
    return _in_order(operator.le, low, value) and _in_order(operator.le, value, high)


def _one_of(self: Any, item: Any) -> bool:
    value = typed(self.attr, item)
    return value is not None and any(typed(one, item) == value for one in self.possible_values)


def _begins_with(self: Any, item: Any) -> bool:
    value, start = typed(self.attr, item), typed(self.substr, item)
    if value is None or start is None or value[0] != start[0] or value[0] not in ("S", "B"):
        return False
    return bool(value[1].startswith(start[1]))


def _contains(self: Any, item: Any) -> bool:
    value, wanted = typed(self.attr, item), typed(self.operand, item)
    if value is None or wanted is None:
        return False
    kind, content = value
    if kind in ("S", "B"):
        return wanted[0] == kind and wanted[1] in content
    return kind in ("SS", "NS", "BS", "L") and wanted in content


_SIGNS: dict[type[Any], str] = {
    comparisons.OpEqual: "=", comparisons.OpNotEqual: "<>", comparisons.OpLessThan: "<",
    comparisons.OpLessThanOrEqual: "<=", comparisons.OpGreaterThan: ">", comparisons.OpGreaterThanOrEqual: ">=",
    comparisons.FuncContains: "contains", comparisons.FuncBeginsWith: "begins_with",
}  # fmt: skip


def check_distinct(tree: Any, member: str) -> None:
    """Nothing is compared with itself."""
    if isinstance(tree, comparisons.OpAnd | comparisons.OpOr | comparisons.OpNot):
        check_distinct(tree.lhs, member)
        check_distinct(tree.rhs, member)
    if (sign := _SIGNS.get(type(tree))) is None:
        return
    first, second = next(
        (getattr(tree, one), getattr(tree, other))
        for one, other in (("lhs", "rhs"), ("attr", "operand"), ("attr", "substr"))
        if hasattr(tree, one) and hasattr(tree, other)
    )
    both_paths = isinstance(first, comparisons.AttributePath) and isinstance(second, comparisons.AttributePath)
    if both_paths and first.path == second.path:
        shown = ", ".join(map(str, first.path))
        raise validation(
            f"Invalid {member}: The first operand must be distinct from the remaining operands for this operator or "
            f"function; operator: {sign}, first operand: [{shown}]"
        )


def install() -> None:
    """Replace the comparisons, not the parsers."""
    replaced: tuple[tuple[Any, Callable[[Any, Any], bool]], ...] = (
        (comparisons.OpLessThan, _compared(operator.lt)), (comparisons.OpLessThanOrEqual, _compared(operator.le)),
        (comparisons.OpGreaterThan, _compared(operator.gt)),
        (comparisons.OpGreaterThanOrEqual, _compared(operator.ge)), (comparisons.OpEqual, _equal),
        (comparisons.OpNotEqual, lambda self, item: not _equal(self, item)), (comparisons.FuncBetween, _between),
        (comparisons.FuncIn, _one_of), (comparisons.FuncBeginsWith, _begins_with),
        (comparisons.FuncContains, _contains),
    )  # fmt: skip
    for owner, expr in replaced:
        owner.expr = expr
