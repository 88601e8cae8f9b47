"""A condition of `--where`, decided here instead of by DynamoDB: for items that are in no table (old images).

It reads the text that `parse_where` makes, so that one language serves both, and follows DynamoDB's rules:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ops.dynamodb.attributes import decode_binary
from ops.dynamodb.expressions import Expression
from ops.model.items import AttributeValue, Item
from ops.verify.canonical import canonical_value

Test = Callable[[Item], bool]
#: None: the path leads nowhere in this item.
Operand = Callable[[Item], AttributeValue | None]

_TOKEN = re.compile(
    r"\s*(?:(?P<path>#\w+(?:\[\d+\])*(?:\.#\w+(?:\[\d+\])*)*)|(?P<value>:\w+)|(?P<word>[A-Za-z_]+)"
    r"|(?P<sign><>|<=|>=|=|<|>|\(|\)|,))"
)
_ORDERED = {"S", "N", "B"}
_SIGNS = {"=", "<>", "<", "<=", ">", ">="}


@dataclass(frozen=True, slots=True)
class Matcher:
    """Decides a condition for an item; `attributes` are the top-level ones that it speaks of."""

    matches: Test
    attributes: frozenset[str]


def matcher(expression: Expression) -> Matcher:
    """The condition as a function."""
    reader = _Reader(expression)
    test = reader.any()
    reader.end()
    return Matcher(test, frozenset(reader.roots))


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"{text[at:].lstrip()!r} in {text!r} cannot be read")
        kind = str(match.lastgroup)
        yield kind, match.group(kind)
        at = match.end()


class _Reader:
    def __init__(self, expression: Expression) -> None:
        self._expression = expression
        self._tokens = list(_tokens(expression.text.rstrip()))
        self._at = 0
        self.roots: set[str] = set()

    def any(self) -> Test:
        tests = [self._all()]
        while self._take("OR"):
            tests.append(self._all())
        return lambda item: any(test(item) for test in tests)

    def _all(self) -> Test:
        tests = [self._not()]
        while self._take("AND"):
            tests.append(self._not())
        return lambda item: all(test(item) for test in tests)

    def _not(self) -> Test:
        if self._take("NOT"):
            inner = self._not()
            return lambda item: not inner(item)
        if self._take("("):
            inner = self.any()
            self._need(")")
            return inner
        return self._test()

    def _test(self) -> Test:
        kind, text = self._peek()
        if kind == "word" and text != "size":
            self._at += 1
            self._need("(")
            return _function(text, self._operands())
        left = self._operand()
        if self._take("BETWEEN"):
            low = self._operand()
            self._need("AND")
            high = self._operand()
            return lambda item: _ordered(">=", left(item), low(item)) and _ordered("<=", left(item), high(item))
        if self._take("IN"):
            self._need("(")
            members = self._operands()
            return lambda item: any(_compare("=", left(item), member(item)) for member in members)
        sign = self._peek()[1]
        if sign not in _SIGNS:
            raise ValueError(f"'{sign}' in '{self._expression.text}' is no comparison")
        self._at += 1
        right = self._operand()
        return lambda item: _compare(sign, left(item), right(item))

    def _operands(self) -> list[Operand]:
        found = [self._operand()]
        while self._take(","):
            found.append(self._operand())
        self._need(")")
        return found

    def _operand(self) -> Operand:
        kind, text = self._peek()
        self._at += 1
        if kind == "value":
            value = self._expression.values[text]
            return lambda item: value
        if kind == "path":
            return self._path(text)
        if text == "size":
            self._need("(")
            inner = self._operand()
            self._need(")")
            return lambda item: _size(inner(item))
        raise ValueError(f"'{text}' in '{self._expression.text}' is no operand")

    def _path(self, text: str) -> Operand:
        steps: list[str | int] = []
        for part in text.split("."):
            name, *places = re.findall(r"#\w+|\d+(?=\])", part)
            steps.append(self._expression.names[name])
            steps.extend(int(place) for place in places)
        self.roots.add(str(steps[0]))
        return lambda item: _follow(item, steps)

    def _peek(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise ValueError(f"'{self._expression.text}' ends too early")
        return self._tokens[self._at]

    def _take(self, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][1] == text:
            self._at += 1
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise ValueError(f"'{text}' is missing in '{self._expression.text}'")

    def end(self) -> None:
        """Raise unless all was read."""
        if self._at != len(self._tokens):
            raise ValueError(f"'{self._expression.text}' goes on behind its end")


def _follow(item: Item, steps: list[str | int]) -> AttributeValue | None:
    value: AttributeValue | None = {"M": item}
    for step in steps:
        if value is None:
            return None
        if isinstance(step, str):
            value = value["M"].get(step) if "M" in value else None
        else:
            value = value["L"][step] if "L" in value and step < len(value["L"]) else None
    return value


def _compare(sign: str, left: AttributeValue | None, right: AttributeValue | None) -> bool:
    """`<>` also holds where the attribute is absent or of another type; the others do not."""
    if sign in ("=", "<>"):
        equal = left is not None and right is not None and _plain(left) == _plain(right)
        return equal == (sign == "=")
    return _ordered(sign, left, right)


def _plain(value: AttributeValue) -> object:
    try:
        return canonical_value(value)
    except ValueError:  # ShapeError, or Unacceptable from inside a number or a binary
        return value


def _ordered(sign: str, left: AttributeValue | None, right: AttributeValue | None) -> bool:
    if left is None or right is None:
        return False
    kind = next(iter(left))
    if kind != next(iter(right)) or kind not in _ORDERED:
        return False
    one, other = _sortable(kind, left[kind]), _sortable(kind, right[kind])
    return bool({"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[sign])


def _sortable(kind: str, content: str) -> Any:
    if kind == "N":
        return Decimal(content)
    return decode_binary(content) if kind == "B" else content.encode()


def _size(value: AttributeValue | None) -> AttributeValue | None:
    if value is None:
        return None
    kind, content = next(iter(value.items()))
    if kind in ("N", "BOOL", "NULL"):
        return None
    return {"N": str(len(decode_binary(content) if kind == "B" else content))}


def _function(name: str, operands: list[Operand]) -> Test:
    first = operands[0]
    if name == "attribute_exists":
        return lambda item: first(item) is not None
    if name == "attribute_not_exists":
        return lambda item: first(item) is None
    tests: dict[str, Callable[[AttributeValue, AttributeValue], bool]] = {
        "attribute_type": lambda value, kind: kind.get("S") in value,
        "begins_with": _begins_with,
        "contains": _contains,
    }
    test, second = tests[name], operands[1]

    def decide(item: Item) -> bool:
        value, other = first(item), second(item)
        return value is not None and other is not None and test(value, other)

    return decide


def _begins_with(value: AttributeValue, start: AttributeValue) -> bool:
    kind = next(iter(start))
    if kind not in value or kind not in ("S", "B"):
        return False
    return bool(_sortable(kind, value[kind]).startswith(_sortable(kind, start[kind])))


def _contains(value: AttributeValue, member: AttributeValue) -> bool:
    kind, content = next(iter(value.items()))
    if kind == "L":
        return any(_plain(one) == _plain(member) for one in content)
    if kind in ("SS", "NS", "BS"):
        return any(_plain({kind[0]: one}) == _plain(member) for one in content)
    return kind == "S" and "S" in member and member["S"] in content
