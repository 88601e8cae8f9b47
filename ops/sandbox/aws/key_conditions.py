"""KeyConditionExpression: one condition for each key attribute, joined by AND.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html. Equality on every partition
key; sort keys from left to right, all but the last by equality. Every refusal comes before an item is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.sandbox.aws.errors import validation
from ops.sandbox.aws.items import sort_value
from ops.sandbox.aws.values import checked_value

Value = dict[str, Any]
COMPARISONS = frozenset({"=", "<", "<=", ">", ">="})
_TOKEN = re.compile(r"\s*(?:(<=|>=|<>|[=<>(),])|([#:]?[A-Za-z_][A-Za-z0-9_.-]*|[#:][A-Za-z0-9_.-]+))")
_WHERE = "Invalid KeyConditionExpression: "
_TWO_NAMES = f"{_WHERE}Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"


@dataclass(frozen=True, slots=True)
class KeyCondition:
    """`comparison` is one of COMPARISONS, BETWEEN (two values) or begins_with."""

    name: str
    comparison: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class KeyConditions:
    """What a Query asks of the partition keys, and of the sort keys from left to right."""

    partition: tuple[KeyCondition, ...]
    sort: tuple[KeyCondition, ...]


def key_conditions(
    text: str,
    names: Mapping[str, str],
    values: Mapping[str, Value],
    schema: list[dict[str, str]],
    kinds: Mapping[str, str],
) -> KeyConditions:
    """Parse and check against `schema`; `kinds` has the type of every key attribute."""
    found: dict[str, KeyCondition] = {}
    for one in _Parser(text, names, values).conditions():
        if one.name in found:
            raise validation("KeyConditionExpressions must only contain one condition per key")
        found[one.name] = one
    partition = [_hash(found, key["AttributeName"]) for key in schema if key["KeyType"] == "HASH"]
    ranges = [key["AttributeName"] for key in schema if key["KeyType"] == "RANGE"]
    sort = _ranges(found, ranges, {one.name for one in partition})
    checked = [_checked(one, kinds[one.name]) for one in (*partition, *sort)]
    return KeyConditions(tuple(checked[: len(partition)]), tuple(checked[len(partition) :]))


def _hash(found: Mapping[str, KeyCondition], name: str) -> KeyCondition:
    if name not in found:
        raise validation(f"Query condition missed key schema element: {name}")
    if found[name].comparison != "=":
        raise validation("Query key condition not supported")
    return found[name]


def _ranges(found: Mapping[str, KeyCondition], ranges: list[str], partition: set[str]) -> list[KeyCondition]:
    """Conditions on sort keys: none skipped, all but the last by equality, nothing else named."""
    given = [name for name in ranges if name in found]
    if set(found) - set(given) - partition:
        missing = [name for name in ranges if name not in found]
        raise validation(
            f"Query condition missed key schema element: {missing[0]}"
            if missing
            else "Query key condition not supported"
        )
    for place, name in enumerate(ranges[: ranges.index(given[-1])] if given else []):
        if name not in found or found[name].comparison != "=":
            later = next(one for one in ranges[place + 1 :] if one in found)
            raise validation(
                f"RANGE key attributes {name} must have equality conditions specified in the query because a "
                f"condition is present on key attribute {later}"
            )
    return [found[name] for name in given]


def _checked(one: KeyCondition, kind: str) -> KeyCondition:
    values = tuple(checked_value(value)[0] for value in one.values)
    for value in values:
        if kind not in value:
            raise validation(
                "One or more parameter values were invalid: Condition parameter type does not match schema type"
            )
        if not value[kind]:
            word = "binary" if kind == "B" else "string"
            raise validation(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                f"empty {word} value. Key: {one.name}"
            )
    if one.comparison == "begins_with" and kind == "N":
        raise validation(
            f"{_WHERE}Incorrect operand type for operator or function; operator or function: begins_with, "
            "operand type: N"
        )
    if one.comparison == "BETWEEN" and sort_value(values[0]) > sort_value(values[1]):
        low, high = (f"AttributeValue: {{{kind}:{value[kind]}}}" for value in values)
        raise validation(
            f"{_WHERE}The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            f"lower bound operand: {low}, upper bound operand: {high}"
        )
    return KeyCondition(one.name, one.comparison, values)


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, text: str, names: Mapping[str, str], values: Mapping[str, Value]) -> None:
        self._names, self._values = names, values
        self._tokens: list[str] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if found is None:
                raise self._syntax(text[place:].strip()[0])
            self._tokens.append(found.group(1) or found.group(2))
            place = found.end()
        self._tokens.append("<EOF>")
        self._at = 0

    def conditions(self) -> list[KeyCondition]:
        """All of them; the whole text must be read."""
        found = self._joined()
        if self._peek() != "<EOF>":
            raise self._syntax(self._peek())
        return found

    def _joined(self) -> list[KeyCondition]:
        found = self._grouped()
        while self._peek().upper() == "AND":
            self._take()
            found += self._grouped()
        if self._peek().upper() in ("OR", "NOT"):
            raise validation(f"Invalid operator used in KeyConditionExpression: {self._peek().upper()}")
        return found

    def _grouped(self) -> list[KeyCondition]:
        if self._peek() != "(":
            return [self._condition()]
        self._take()
        found = self._joined()
        self._expect(")")
        return found

    def _condition(self) -> KeyCondition:
        first = self._take()
        if first.upper() == "NOT":
            raise validation("Invalid operator used in KeyConditionExpression: NOT")
        if self._peek() == "(":
            return self._function(first)
        name, operator = self._name(first), self._take()
        if operator.upper() == "BETWEEN":
            low = self._value(self._take())
            if self._take().upper() != "AND":
                raise self._syntax(self._tokens[self._at - 1])
            return KeyCondition(name, "BETWEEN", (low, self._value(self._take())))
        if operator in ("<>",) or operator.upper() == "IN":
            raise validation(f"Unsupported operator on KeyConditionExpression: operator: {operator}")
        if operator not in COMPARISONS:
            raise self._syntax(operator)
        return KeyCondition(name, operator, (self._value(self._take()),))

    def _function(self, function: str) -> KeyCondition:
        if function != "begins_with":
            raise validation(f"{_WHERE}Invalid function name; function: {function}")
        self._take()
        name = self._name(self._take())
        self._expect(",")
        value = self._value(self._take())
        self._expect(")")
        return KeyCondition(name, function, (value,))

    def _name(self, token: str) -> str:
        if token.startswith("#"):
            if token not in self._names:
                raise validation(
                    f"{_WHERE}An expression attribute name used in the document path is not defined; "
                    f"attribute name: {token}"
                )
            return self._names[token]
        if not token[0].isalpha() and token[0] != "_":
            raise self._syntax(token)
        return token

    def _value(self, token: str) -> Value:
        if token.startswith(":"):
            if token not in self._values:
                raise validation(
                    f"{_WHERE}An expression attribute value used in expression is not defined; attribute value: {token}"
                )
            return self._values[token]
        if token[0] in "#_" or token[0].isalpha():
            raise validation(_TWO_NAMES)
        raise self._syntax(token)

    def _peek(self) -> str:
        return self._tokens[self._at]

    def _take(self) -> str:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _expect(self, token: str) -> None:
        if (found := self._take()) != token:
            raise self._syntax(found)

    @staticmethod
    def _syntax(token: str) -> Exception:
        return validation(f'{_WHERE}Syntax error; token: "{token}"')
