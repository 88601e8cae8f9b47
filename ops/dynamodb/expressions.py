"""`--where 'popularity > 90 and begins_with(name, "A")'` -> a DynamoDB expression with placeholders.

Names and values never stand in the expression itself: reserved words and quotes in data cannot change its meaning.
docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ops.dynamodb.attributes import Unacceptable, canonical_number, key_value
from ops.errors import BadArgument
from ops.model.items import AttributeValue

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<word>(?:[A-Za-z_][\w-]*|`[^`]+`)(?:\[\d+\])*(?:\.(?:[A-Za-z_][\w-]*|`[^`]+`)(?:\[\d+\])*)*)
    | (?P<sign><>|!=|<=|>=|==|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_COMPARE = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
#: Function name to the number of arguments.
_TESTS = {"attribute_exists": 1, "attribute_not_exists": 1, "attribute_type": 2, "begins_with": 2, "contains": 2}
#: AWS allows 300 operators in an expression; so many levels have no use.
_DEPTH = 50
_KEYWORDS = frozenset({"and", "or", "not", "between", "in", "true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Expression:
    """Text with placeholders, and what they stand for."""

    text: str
    names: dict[str, str]
    values: dict[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def parse_where(text: str, prefix: str = "w") -> Expression:
    """Parse a condition; an error names the column where it cannot be understood."""
    return _Parser(text, _tokens(text), prefix).whole()


_PART = re.compile(r"(`[^`]+`|[^.`\[\]]+)((?:\[\d+\])*)(?:\.|$)")


def path_parts(path: str) -> list[tuple[str, str]]:
    """`album.`odd name`[2]` -> (name, index text) for each step; BadArgument when it is no path."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(path):
        match = _PART.match(path, at)
        if match is None:
            raise BadArgument(f"'{path}' is no attribute path", fix=("write it as name, map.member or list[0]",))
        found.append((match.group(1).strip("`"), match.group(2)))
        at = match.end()
    if not found or path.endswith("."):
        raise BadArgument(f"'{path}' is no attribute path", fix=("write it as name, map.member or list[0]",))
    return found


def projection(paths: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """ProjectionExpression and its names for some attribute paths."""
    names: dict[str, str] = {}
    placeholders: dict[str, str] = {}
    shown: list[str] = []
    for path in paths:
        steps = []
        for name, index in path_parts(path):
            if name not in placeholders:
                placeholders[name] = f"#p{len(placeholders)}"
                names[placeholders[name]] = name
            steps.append(placeholders[name] + index)
        shown.append(".".join(steps))
    return ", ".join(dict.fromkeys(shown)), names


def parse_sort(text: str, sort_key: str, sort_type: str | None = None) -> Expression:
    """Parse a condition on the sort key: `>= a`, `between a and b`, `begins_with a`, or a bare value.

    Values stand with or without quotes. Without `sort_type` a value in quotes is text, and a bare one a number if it
    looks like one.
    """
    names = {"#s0": sort_key}
    stripped = text.strip()
    match = _SORT.fullmatch(stripped)
    if match is None or stripped.startswith(("<>", "!=")):
        raise BadArgument(
            f"sort condition '{text}' cannot be read",
            fix=("""write it as a value, '>= VALUE', 'between A and B' or 'begins_with TEXT'""",),
        )
    if match["low"] is not None:
        values = {":s0": _sort_value(match["low"], sort_type), ":s1": _sort_value(match["high"], sort_type)}
        return Expression("#s0 BETWEEN :s0 AND :s1", names, values)
    if match["start"] is not None:
        return Expression("begins_with(#s0, :s0)", names, {":s0": _sort_value(match["start"], sort_type or "S")})
    return Expression(f"#s0 {match['sign'] or '='} :s0", names, {":s0": _sort_value(match["value"], sort_type)})


_SORT = re.compile(
    r"""(?:between\s+(?P<low>"[^"]*"|'[^']*'|\S+)\s+and\s+(?P<high>"[^"]*"|'[^']*'|\S+)
      | begins_with\s+(?P<start>.+)
      | (?P<sign><=|>=|=|<|>)?\s*(?P<value>.+))""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def _sort_value(text: str, sort_type: str | None) -> AttributeValue:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    bare = text[1:-1] if quoted else text
    try:
        if sort_type is None:
            return {"S": bare} if quoted else _guessed(bare)
        return key_value(bare, sort_type)
    except Unacceptable as error:
        raise BadArgument(f"sort condition: {error}") from error


def _guessed(text: str) -> AttributeValue:
    try:
        return {"N": canonical_number(text)}
    except Unacceptable:
        return {"S": text}


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip()) + 1
            raise _bad(text, column, "this cannot be read")
        kind = str(match.lastgroup)
        found.append(_Token(kind, match.group(kind), match.start(kind) + 1))
        at = match.end()
    return found


def _bad(text: str, column: int, why: str) -> BadArgument:
    return BadArgument(
        f"condition, column {column}: {why}",
        why=f"{text[: column - 1]} >>> {text[column - 1 :]}",
        fix=("""examples: 'popularity > 90', 'genre = "rock" and attribute_exists(by_market.SE)'""",),
    )


@dataclass(slots=True)
class _Parser:
    """Recursive descent over `or` < `and` < `not` < test; names and values become placeholders on the way."""

    text: str
    tokens: list[_Token]
    prefix: str
    at: int = 0
    depth: int = 0
    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, AttributeValue] = field(default_factory=dict)

    def whole(self) -> Expression:
        result = self._any()
        if self.at < len(self.tokens):
            token = self.tokens[self.at]
            raise _bad(self.text, token.column, f"'{token.text}' was not expected here")
        return Expression(result, self.names, self.values)

    def _any(self) -> str:
        parts = [self._all()]
        while self._word("or"):
            parts.append(self._all())
        return " OR ".join(parts)

    def _all(self) -> str:
        parts = [self._not()]
        while self._word("and"):
            parts.append(self._not())
        return " AND ".join(parts)

    def _not(self) -> str:
        if self._word("not"):
            negations = 1
            while self._word("not"):
                negations += 1
            return ("NOT " if negations % 2 else "") + self._not()
        if self._sign("("):
            self.depth += 1
            if self.depth > _DEPTH:
                raise _bad(self.text, self.tokens[self.at - 1].column, "too many parentheses inside each other")
            inner = self._any()
            self._need(")")
            self.depth -= 1
            return f"({inner})"
        return self._test()

    def _test(self) -> str:
        token = self._peek("a name")
        if token.kind == "word" and token.text in _TESTS and self._follows("("):
            return self._function(token.text)
        left = self._operand()
        if self._word("between"):
            low = self._operand()
            if not self._word("and"):
                raise self._expected("and")
            return f"{left} BETWEEN {low} AND {self._operand()}"
        if self._word("in"):
            self._need("(")
            return f"{left} IN ({', '.join(self._list())})"
        sign = self._peek("a comparison")
        if sign.kind != "sign" or sign.text not in _COMPARE:
            raise _bad(self.text, sign.column, f"a comparison was expected, not '{sign.text}'")
        self.at += 1
        return f"{left} {_COMPARE[sign.text]} {self._operand()}"

    def _function(self, name: str) -> str:
        column = self.tokens[self.at].column
        self.at += 2
        arguments = self._list()
        if len(arguments) != _TESTS[name]:
            raise _bad(self.text, column, f"{name} takes {_TESTS[name]} arguments")
        return f"{name}({', '.join(arguments)})"

    def _list(self) -> list[str]:
        found = [self._operand()]
        while self._sign(","):
            found.append(self._operand())
        self._need(")")
        return found

    def _operand(self) -> str:
        token = self._peek("a name or a value")
        self.at += 1
        if token.kind == "string":
            return self._value({"S": re.sub(r"\\(.)", r"\1", token.text[1:-1])})
        if token.kind == "number":
            return self._number(token)
        if token.kind == "word":
            return self._name_or_constant(token)
        raise _bad(self.text, token.column, f"a name or a value was expected, not '{token.text}'")

    def _number(self, token: _Token) -> str:
        try:
            return self._value({"N": canonical_number(token.text)})
        except ValueError as error:
            raise _bad(self.text, token.column, str(error)) from error

    def _name_or_constant(self, token: _Token) -> str:
        word = token.text.lower()
        if word in ("true", "false"):
            return self._value({"BOOL": word == "true"})
        if word == "null":
            return self._value({"NULL": True})
        if token.text == "size" and self._sign("("):
            inner = self._operand()
            self._need(")")
            return f"size({inner})"
        if word in _KEYWORDS:
            raise _bad(self.text, token.column, f"a name or a value was expected, not '{token.text}'")
        return self._path(token.text)

    def _path(self, path: str) -> str:
        return ".".join(self._name(name) + index for name, index in path_parts(path))

    def _name(self, name: str) -> str:
        for placeholder, known in self.names.items():
            if known == name:
                return placeholder
        placeholder = f"#{self.prefix}{len(self.names)}"
        self.names[placeholder] = name
        return placeholder

    def _value(self, value: AttributeValue) -> str:
        placeholder = f":{self.prefix}{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    def _peek(self, wanted: str) -> _Token:
        if self.at >= len(self.tokens):
            raise _bad(self.text, len(self.text) + 1, f"{wanted} was expected, but here it ends")
        return self.tokens[self.at]

    def _follows(self, sign: str) -> bool:
        return self.at + 1 < len(self.tokens) and self.tokens[self.at + 1].text == sign

    def _word(self, word: str) -> bool:
        if self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind == "word" and token.text.lower() == word:
                self.at += 1
                return True
        return False

    def _sign(self, sign: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at].kind == "sign" and self.tokens[self.at].text == sign:
            self.at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._sign(sign):
            raise self._expected(sign)

    def _expected(self, wanted: str) -> BadArgument:
        token = self._peek(f"'{wanted}'")
        return _bad(self.text, token.column, f"'{wanted}' was expected, not '{token.text}'")
