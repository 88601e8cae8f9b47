"""Items of one shape, read by one pattern: no parsing where a table's items look alike.

Most items of a table differ in their values only. From one line a pattern is learned that matches exactly the lines
of the same structure whose values are already in canonical notation; the canonical text is then its groups, put in
order. Whatever does not match (another structure, an odd number, an escaped character) is left to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from ops.model.items import KeySchema

#: More groups, or deeper nesting, than an item of regular shape has.
_GROUPS, _DEPTH = 120, 16
#: A line as long as this is cheap to parse for its length.
_LONGEST_LINE = 16_384

# UTF-8 is checked before a pattern sees the text. Control characters never stand raw in JSON, so no match can leave
# its line; of the escapes only those that the canonical form uses are let through.
_PIECE = rb'[^"\\\x00-\x1f]*+'
_TEXT = _PIECE + rb'(?:\\["\\bfnrt]' + _PIECE + rb")*+"
_NUMBER = rb"0|-?[1-9][0-9]{0,37}|-?(?:0|[1-9][0-9]{0,17})\.[0-9]{0,18}[1-9]"
_BASE64 = (
    rb"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?"  # unused bits are zero
)
_QUOTED = {"S": _TEXT, "N": _NUMBER, "B": _BASE64}
_MEMBER = {"SS": _PIECE, "NS": _NUMBER, "BS": _BASE64}
_TOKEN = re.compile(rb'([ \t]*+)("' + _TEXT + rb'"|[{}\[\]:,]|true|false)')

#: Canonical text in order: fixed bytes, and the numbers of the groups between them.
_Text = tuple[bytes | int, ...]


class _NoShape(Exception):
    """A line from which no pattern can be learned."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Lines of a block that have the shape: canonical texts of item and key, and which lines they are."""

    at: Sequence[int]
    items: list[bytes]
    keys: list[bytes]
    #: The other lines with their number.
    others: list[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Shape:
    """A pattern for whole lines, and the canonical texts of item and key to put its groups into."""

    pattern: re.Pattern[bytes]
    item: tuple[bytes, tuple[int, ...]]
    key: tuple[bytes, tuple[int, ...]]
    sets: tuple[int, ...]

    def rows(self, lines: Sequence[int], block: bytes) -> Rows:
        """Judge the lines of `block`, whose numbers are `lines`; there may be more numbers than lines."""
        found: list[tuple[bytes, ...]] = self.pattern.findall(block)
        others = [(lines[at], row[-1]) for at, row in enumerate(found) if row[-1]]
        if self.sets:
            return self._sorted_sets(lines, found, block, others)
        if others:
            lines = [lines[at] for at, row in enumerate(found) if not row[-1]]
            found = [row for row in found if not row[-1]]
        else:
            lines = lines[: len(found)]
        return Rows(lines, _fill(self.item, found), _fill(self.key, found), others)

    def _sorted_sets(
        self, lines: Sequence[int], found: list[tuple[bytes, ...]], block: bytes, others: list[tuple[int, bytes]]
    ) -> Rows:
        """Sort the members of each set; a set that holds a member twice is no set, and left to the parser."""
        kept: list[Sequence[bytes]] = []
        at: list[int] = []
        whole: list[bytes] = []
        for number, row in enumerate(found):
            if row[-1]:
                continue
            cells = list(row)
            for place in self.sets:
                members = row[place][1:-1].split(b'","')
                members.sort()
                cells[place] = b'"%b"' % b'","'.join(members)
                if len(set(members)) != len(members):
                    whole = whole or block.split(b"\n")
                    others.append((lines[number], whole[number] + b"\n"))
                    break
            else:
                kept.append(cells)
                at.append(lines[number])
        return Rows(at, _fill(self.item, kept), _fill(self.key, kept), others)


def _fill(text: tuple[bytes, tuple[int, ...]], rows: Iterable[Sequence[bytes]]) -> list[bytes]:
    template, order = text
    if not order:
        return [template % () for _ in rows]
    if len(order) == 1:
        (only,) = order
        return [template % row[only] for row in rows]
    pick = itemgetter(*order)
    return [template % pick(row) for row in rows]


def learn(line: bytes, keys: KeySchema, *, wrapped: bool = False) -> Shape | None:
    """The shape of the item in `line`, bare (unless `wrapped`) or as the one member `Item`; None when it has none."""
    if len(line) > _LONGEST_LINE:
        return None
    try:
        return _Learner(line).shape(keys, wrapped=wrapped)
    except _NoShape:
        return None


_Members = list[tuple[bytes, _Text]]


class _Learner:
    """Reads one line, token by token, and writes the pattern along the way."""

    def __init__(self, line: bytes) -> None:
        self._tokens = _tokens(line.rstrip(b"\n"))
        self._ahead: tuple[bytes, bytes] | None = None
        self._pattern: list[bytes] = []
        self._groups: list[bytes] = []
        self._sets: list[int] = []

    def shape(self, keys: KeySchema, *, wrapped: bool) -> Shape:
        """The whole line; _NoShape when it is not regular."""
        members = self._item(wrapped=wrapped)
        by_name = dict(members)
        key: _Members = []
        for name, kind in keys.types.items():
            value = by_name.get(_quoted(name))
            if value is None or not _begins(value, kind):
                raise _NoShape
            key.append((_quoted(name), value))
        # A line of any other form is its own last group, with its line feed, so that it is never empty.
        whole = re.compile(b"".join(self._pattern) + rb"\n|([^\n]*\n)")
        return Shape(whole, _template(_object(members)), _template(_object(key)), tuple(self._sets))

    def _item(self, *, wrapped: bool) -> _Members:
        self._take(b"{")
        if self._peek() == b'"Item"':
            self._unwrap()
            members = self._members(1)
            self._take(b"}")
        elif wrapped:
            raise _NoShape
        else:
            members = self._members(1)
        if self._peek():
            raise _NoShape
        return members

    def _unwrap(self) -> None:
        """`{"Item":{`; an attribute that is itself called `Item` has a type where an item has a first name."""
        self._take(b'"Item"')
        self._take(b":")
        self._take(b"{")

    def _members(self, depth: int) -> _Members:
        """Name and value of each attribute, the opening brace being read already."""
        if depth > _DEPTH:
            raise _NoShape
        members: _Members = []
        if self._peek() == b"}":
            self._take(b"}")
            return members
        while True:
            name = self._name()
            self._take(b":")
            members.append((name, self._value(depth)))
            if self._next(b",", b"}") == b"}":
                break
        if len(dict(members)) != len(members):
            raise _NoShape
        return members

    def _value(self, depth: int) -> _Text:
        self._take(b"{")
        tag = self._name()[1:-1].decode()
        self._take(b":")
        content = self._content(tag, depth)
        self._take(b"}")
        return _joined((b'{"' + tag.encode() + b'":', *content, b"}"))

    def _content(self, tag: str, depth: int) -> _Text:
        if tag in _QUOTED:
            self._drop(b'"')
            return self._group(b'"(', _QUOTED[tag], b')"', b'"', b'"')
        if tag in _MEMBER:
            return self._set(tag)
        if tag == "BOOL":
            self._drop(b"true", b"false")
            return self._group(b"(", b"true|false", b")", b"", b"")
        if tag == "NULL":
            self._take(b"true")
            return (b"true",)
        if tag == "M":
            self._take(b"{")
            return _object(self._members(depth + 1))
        if tag == "L":
            return self._list(depth + 1)
        raise _NoShape

    def _list(self, depth: int) -> _Text:
        if depth > _DEPTH:
            raise _NoShape
        self._take(b"[")
        pieces: list[bytes | int] = [b"["]
        if self._peek() == b"]":
            self._take(b"]")
            return (b"[]",)
        while True:
            pieces += self._value(depth)
            end = self._next(b",", b"]")
            pieces.append(end)
            if end == b"]":
                return tuple(pieces)

    def _set(self, tag: str) -> _Text:
        member = b'"(?:' + _MEMBER[tag] + b')"'
        self._take(b"[")
        self._drop(b'"')
        while self._drop(b",", b"]", close=True) == b",":
            self._drop(b'"', close=True)
        self._sets.append(len(self._groups))
        text = self._group(b"(", member + b"(?:," + member + b")*+", b")", b"", b"")
        self._pattern.append(rb"\]")
        return (b"[", *text, b"]")

    def _group(self, before: bytes, inner: bytes, after: bytes, left: bytes, right: bytes) -> _Text:
        if len(self._groups) >= _GROUPS:
            raise _NoShape
        self._groups.append(inner)
        self._pattern.append(before + inner + after)
        return (left, len(self._groups) - 1, right)

    def _name(self) -> bytes:
        """A name, as a fixed part of the pattern; names with escapes are left to the parser."""
        token = self._peek()
        if not token.startswith(b'"') or b"\\" in token:
            raise _NoShape
        self._take(token)
        return token

    def _next(self, *wanted: bytes) -> bytes:
        token = self._peek()
        if token not in wanted:
            raise _NoShape
        self._take(token)
        return token

    def _take(self, wanted: bytes) -> None:
        """The next token, as a fixed part of the pattern with the blanks before it."""
        if self._peek() != wanted or self._ahead is None:
            raise _NoShape
        self._pattern.append(re.escape(self._ahead[0] + wanted))
        self._ahead = None

    def _drop(self, *starts: bytes, close: bool = False) -> bytes:
        """A token that a group stands for; blanks before it stay as a fixed part, unless it must follow closely."""
        token = self._peek()
        if not token.startswith(starts) or self._ahead is None or (close and self._ahead[0]):
            raise _NoShape
        self._pattern.append(re.escape(self._ahead[0]))
        self._ahead = None
        return token

    def _peek(self) -> bytes:
        if self._ahead is None:
            self._ahead = next(self._tokens, (b"", b""))
        return self._ahead[1]


def _tokens(line: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Blanks and token, one after another; _NoShape where the line holds anything else."""
    at = 0
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None:
            raise _NoShape
        yield match[1], match[2]
        at = match.end()


def _quoted(name: str) -> bytes:
    return b'"%b"' % name.encode(errors="surrogatepass")


def _object(members: Iterable[tuple[bytes, _Text]]) -> _Text:
    """Sorted by name: the order of UTF-8 bytes is that of code points."""
    pieces: list[bytes | int] = [b"{"]
    for number, (name, value) in enumerate(sorted(members, key=lambda one: one[0][1:-1])):
        pieces += [(b"," if number else b"") + name + b":", *value]
    return (*pieces, b"}")


def _begins(value: _Text, kind: str) -> bool:
    return isinstance(value[0], bytes) and value[0].startswith(b'{"%b":' % kind.encode())


def _joined(pieces: _Text) -> _Text:
    """Neighbouring fixed bytes as one piece, so that a value begins with its type."""
    out: list[bytes | int] = []
    for piece in pieces:
        last = out[-1] if out else None
        if isinstance(piece, bytes) and isinstance(last, bytes):
            out[-1] = last + piece
        else:
            out.append(piece)
    return tuple(out)


def _template(pieces: _Text) -> tuple[bytes, tuple[int, ...]]:
    fixed = b"".join(b"%b" if isinstance(piece, int) else piece.replace(b"%", b"%%") for piece in pieces)
    return fixed, tuple(piece for piece in pieces if isinstance(piece, int))
