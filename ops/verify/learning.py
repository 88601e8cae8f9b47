"""Learns the shape of items from one line of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ops.model.items import KeySchema
from ops.verify.shapes import Alike, Form, Settle, Shape, picker, settle_set

#: More groups, or deeper nesting, than an item of regular shape has.
_GROUPS = 120
_DEPTH = 16
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


class _NoShape(Exception):
    """A line from which no pattern can be learned."""


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """A part of a line that differs from item to item, and what makes it canonical."""

    pattern: bytes
    settle: Settle | None = None


_Pieces = tuple[bytes | _Group, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a line: as it is matched, and as it is written; the same groups, in the order of each."""

    match: _Pieces
    text: _Pieces


def learn(line: bytes, keys: KeySchema, *, wrapped: bool = False) -> Shape | None:
    """The shape of the item in `line`, bare (unless `wrapped`) or as the one member `Item`; None when it has none."""
    if len(line) > _LONGEST_LINE:
        return None
    try:
        match, members = _Learner(line).item(wrapped=wrapped)
        return _shape(match, members, keys)
    except _NoShape:
        return None


@dataclass(frozen=True, slots=True)
class _Member:
    """An attribute, or a member of a map: its name in quotation marks, what stands before its value, the value."""

    name: bytes
    head: bytes
    value: _Part


def _shape(match: _Pieces, members: Sequence[_Member], keys: KeySchema) -> Shape:
    by_name = {member.name: member for member in members}
    key = []
    for name, kind in keys.types.items():
        member = by_name.get(b'"%b"' % name.encode(errors="surrogatepass"))
        if member is None or not _begins(member.value, b'{"%b":' % kind.encode()):
            raise _NoShape
        key.append(member)
    groups = [piece for piece in match if isinstance(piece, _Group)]
    if len(groups) > _GROUPS:
        raise _NoShape
    # A line of any other form is its own last group, with its line feed, so that it is never empty.
    whole = re.compile(_rendered(match) + rb"\n|([^\n]*\n)")
    return Shape(whole, _form(_object(members), groups), _form(_object(key), groups))


class _Learner:
    """Reads one line, token by token."""

    def __init__(self, line: bytes) -> None:
        self._tokens = _tokens(line.rstrip(b"\n"))
        self._ahead: tuple[bytes, bytes] | None = None

    def item(self, *, wrapped: bool) -> tuple[_Pieces, list[_Member]]:
        """The match for the whole line, and the attributes; _NoShape when the line is not regular."""
        head, tail = self._take(b"{"), b""
        is_wrapped = self._peek() == b'"Item"'
        if is_wrapped:
            # An attribute that is itself called `Item` has a type where an item has a first name.
            head += self._take(b'"Item"') + self._take(b":") + self._take(b"{")
        elif wrapped:
            raise _NoShape
        members, close = self._members(1)
        if is_wrapped:
            tail = self._take(b"}")
        if self._peek():
            raise _NoShape
        return (head, *_matched(members), close, tail), members

    def _members(self, depth: int) -> tuple[list[_Member], bytes]:
        """The members of a map whose brace was read already, and its closing brace."""
        if depth > _DEPTH:
            raise _NoShape
        members: list[_Member] = []
        if self._peek() == b"}":
            return members, self._take(b"}")
        comma = b""
        while True:
            name = self._peek()
            head = comma + self._name() + self._take(b":")
            members.append(_Member(name, head, self._value(depth)))
            if self._peek() == b"}":
                break
            comma = self._take(b",")
        if len({member.name for member in members}) != len(members):
            raise _NoShape
        return members, self._take(b"}")

    def _value(self, depth: int) -> _Part:
        open_ = self._take(b"{")
        tag = self._peek()[1:-1].decode()
        open_ += self._name() + self._take(b":")
        content = self._content(tag, depth)
        close = self._take(b"}")
        text = (b'{"%b":' % tag.encode(), *content.text, b"}")
        return _Part(_joined((open_, *content.match, close)), _joined(text))

    def _content(self, tag: str, depth: int) -> _Part:
        if tag in _QUOTED:
            blanks, group = self._drop(b'"'), _Group(_QUOTED[tag])
            return _Part((blanks + b'"', group, b'"'), (b'"', group, b'"'))
        if tag in _MEMBER:
            return self._set(_MEMBER[tag])
        if tag == "BOOL":
            blanks, group = self._drop(b"true", b"false"), _Group(b"true|false")
            return _Part((blanks, group), (group,))
        if tag == "NULL":
            return _Part((self._take(b"true"),), (b"true",))
        if tag == "M":
            return self._map(depth + 1)
        if tag == "L":
            return self._list(depth + 1)
        raise _NoShape

    def _map(self, depth: int) -> _Part:
        open_ = self._take(b"{")
        members, close = self._members(depth)
        heads = [b"," * (number > 0) + re.escape(member.name) + b":" for number, member in enumerate(members)]
        maps = len(members) > 1 and all(_begins(member.value, b'{"M":') for member in members)
        if maps and heads == [member.head for member in members]:
            alike = _alike([member.value for member in members], named=True)
            if alike is not None:
                return _Part((open_, alike, close), (b"{", alike, b"}"))
        return _Part((open_, *_matched(members), close), _object(members))

    def _list(self, depth: int) -> _Part:
        if depth > _DEPTH:
            raise _NoShape
        open_ = self._take(b"[")
        values: list[_Part] = []
        commas: list[bytes] = [b""]
        while self._peek() != b"]":
            if values:
                commas.append(self._take(b","))
            values.append(self._value(depth))
        close = self._take(b"]")
        if values and commas == [b"", *[b","] * (len(values) - 1)]:
            alike = _alike(values, named=False)
            if alike is not None:
                return _Part((open_, alike, close), (b"[", alike, b"]"))
        match: list[bytes | _Group] = [open_]
        text: list[bytes | _Group] = [b"["]
        for number, (comma, value) in enumerate(zip(commas, values, strict=False)):
            match += [comma, *value.match]
            text += [b"," * (number > 0), *value.text]
        return _Part((*match, close), (*text, b"]"))

    def _set(self, member: bytes) -> _Part:
        """All members as one group; written with blanks between them a set is left to the parser."""
        open_ = self._take(b"[") + self._drop(b'"')
        while self._peek() == b",":
            if self._drop(b",") or self._drop(b'"'):
                raise _NoShape
        if self._drop(b"]"):
            raise _NoShape
        one = b'"(?:' + member + b')"'
        group = _Group(one + b"(?:," + one + b")*+", settle_set)
        return _Part((open_, group, rb"\]"), (b"[", group, b"]"))

    def _name(self) -> bytes:
        """A name, as a fixed part of the match; names with escapes are left to the parser."""
        token = self._peek()
        if not token.startswith(b'"') or b"\\" in token:
            raise _NoShape
        return self._take(token)

    def _take(self, wanted: bytes) -> bytes:
        """The next token with the blanks before it, as a fixed part of the match."""
        return self._drop(wanted, whole=True) + re.escape(wanted)

    def _drop(self, *starts: bytes, whole: bool = False) -> bytes:
        """The blanks before the next token, which must begin so, as a fixed part of the match."""
        token = self._peek()
        if self._ahead is None or not token.startswith(starts) or (whole and token not in starts):
            raise _NoShape
        blanks, self._ahead = self._ahead[0], None
        return re.escape(blanks)

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


def _alike(values: Sequence[_Part], *, named: bool) -> _Group | None:
    """One group for members that all have the same shape; None when they do not."""
    first = values[0]
    if any(_outline(value.match) != _outline(first.match) for value in values):
        return None
    name = _Group(_PIECE)
    head: _Pieces = (b'"', name, b'":') if named else ()
    groups = [piece for piece in (*head, *first.match) if isinstance(piece, _Group)]
    # Two empty groups: with less than two in all, a match would not be a row.
    pattern = re.compile(_rendered((*head, *first.match)) + b"()()")
    members = Alike(pattern, _form((*head, *first.text), groups), named)
    # What one member looks like stands once: twice would double the pattern with each level of nesting.
    one, close = _rendered((*head, *first.match), capture=False), rb"\}" if named else rb"\]"
    return _Group(b"(?:%b(?:,(?!%b)|(?=%b)))*+" % (one, close, close), members.settle)


def _begins(value: _Part, start: bytes) -> bool:
    return isinstance(value.text[0], bytes) and value.text[0].startswith(start)


def _outline(pieces: _Pieces) -> list[bytes]:
    """What two matches have in common when they match the same."""
    return [piece if isinstance(piece, bytes) else b"(%b" % piece.pattern for piece in pieces]


def _rendered(pieces: Iterable[bytes | _Group], *, capture: bool = True) -> bytes:
    open_ = b"(" if capture else b"(?:"
    return b"".join(piece if isinstance(piece, bytes) else open_ + piece.pattern + b")" for piece in pieces)


def _form(text: _Pieces, groups: Sequence[_Group]) -> Form:
    at = {id(group): number for number, group in enumerate(groups)}
    template = b"".join(piece.replace(b"%", b"%%") if isinstance(piece, bytes) else b"%b" for piece in text)
    order = [piece for piece in text if isinstance(piece, _Group)]
    settled = [(at[id(piece)], piece.settle) for piece in order if piece.settle is not None]
    return Form(template, picker([at[id(piece)] for piece in order]), tuple(settled))


def _matched(members: Iterable[_Member]) -> Iterator[bytes | _Group]:
    for member in members:
        yield member.head
        yield from member.value.match


def _object(members: Iterable[_Member]) -> _Pieces:
    """Sorted by name: the order of UTF-8 bytes is that of code points."""
    pieces: list[bytes | _Group] = [b"{"]
    for number, member in enumerate(sorted(members, key=lambda one: one.name[1:-1])):
        pieces += [b"," * (number > 0) + member.name + b":", *member.value.text]
    return (*pieces, b"}")


def _joined(pieces: _Pieces) -> _Pieces:
    """Neighbouring fixed bytes as one piece, so that a value begins with its type."""
    out: list[bytes | _Group] = []
    for piece in pieces:
        last = out[-1] if out else None
        if isinstance(piece, bytes) and isinstance(last, bytes):
            out[-1] = last + piece
        else:
            out.append(piece)
    return tuple(out)
