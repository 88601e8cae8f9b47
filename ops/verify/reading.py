"""Lines to digests, block by block: by learned shapes where items look alike, else item by item."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from ops.model.items import KeySchema
from ops.recovery.lines import BadLine, parse_json
from ops.verify.fingerprint import DIGEST_BYTES, ITEM_PERSON, KEY_PERSON, Record, recorder
from ops.verify.learning import learn
from ops.verify.shapes import Shape

#: Shapes that are tried one after another, and lines from which a further one is learned in vain.
SHAPES, ATTEMPTS = 6, 24
#: A shape that fits fewer lines of a block than this is not worth its pattern.
_WORTH = 0.05


class BadSourceLine(ValueError):
    """Line `number` (from 0) of what was read is no item."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


@dataclass(slots=True)
class Digests:
    """Digests of some lines, and which lines they are; `faulty` are the lines that hold no well-formed item."""

    keys: list[bytes] = field(default_factory=list)
    items: list[bytes] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    faulty: set[int] = field(default_factory=set)

    def add(self, record: Record, line: int) -> None:
        """One record that was made item by item."""
        self.keys.append(record.key)
        self.items.append(record.item)
        self.lines.append(line)
        if record.fault:
            self.faulty.add(line)


class Reader:
    """Digests of whole blocks of lines. What it has learned about their shapes it keeps from block to block."""

    def __init__(self, keys: KeySchema, *, wrapped: bool = False, shapes: int = SHAPES) -> None:
        self._keys, self._wrapped = keys, wrapped
        self._record = recorder(keys)
        self._shapes: list[Shape] = []
        self._room = shapes
        self._attempts = ATTEMPTS

    def digests(self, block: bytes, first: int = 0) -> Digests:
        """Every line of `block`, whose first has the number `first`; each must end in a line feed."""
        found = Digests()
        lines: Sequence[int] = range(first, first + len(block))  # as many as there can be
        if not _utf8(block):
            self._one_by_one(found, list(zip(lines, block.split(b"\n")[:-1], strict=False)))
            return found
        others: list[tuple[int, bytes]] = []
        fitted = 0
        for number in range(self._room):
            shape = self._shape(number, block)
            if shape is None:
                break
            rows = shape.rows(lines, block)
            _take(found, rows.keys, rows.items, rows.at)
            if number and len(rows.at) > fitted:
                # The shape that most lines have is tried first.
                self._shapes[number - 1 : number + 1] = shape, self._shapes[number - 1]
            fitted, others = len(rows.at), rows.others
            if not others:
                return found
            lines, block = [at for at, _ in others], b"".join([line for _, line in others])
        self._one_by_one(found, others or list(zip(lines, block.split(b"\n")[:-1], strict=False)))
        return found

    def _shape(self, number: int, block: bytes) -> Shape | None:
        """The shape to try as the one of this number; a new one is learned from the first line left."""
        if number < len(self._shapes):
            return self._shapes[number]
        if not self._attempts or not block:
            return None
        self._attempts -= 1
        shape = learn(block[: block.index(b"\n")], self._keys, wrapped=self._wrapped)
        if shape is None:
            return None
        fits = sum(1 for row in shape.pattern.findall(block) if not row[-1])
        if fits < _WORTH * block.count(b"\n"):
            return None
        self._shapes.append(shape)
        return shape

    def _one_by_one(self, found: Digests, lines: list[tuple[int, bytes]]) -> None:
        for number, line in lines:
            found.add(self.record(line, number), number)

    def record(self, line: bytes, number: int) -> Record:
        """One line as its record; BadSourceLine when it is no item at all."""
        try:
            return self._record(parse_json(line.rstrip(b"\n"), wrapped=self._wrapped))
        except BadLine as error:
            raise BadSourceLine(number, str(error)) from error


def _utf8(block: bytes) -> bool:
    if block.isascii():
        return True
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _take(found: Digests, keys: list[bytes], items: list[bytes], lines: Sequence[int]) -> None:
    found.keys += _digests(blake2b(digest_size=DIGEST_BYTES, person=KEY_PERSON), keys)
    found.items += _digests(blake2b(digest_size=DIGEST_BYTES, person=ITEM_PERSON), items)
    found.lines += lines


def _digests(empty: blake2b, texts: list[bytes]) -> Iterator[bytes]:
    """A copy of an empty digest is had sooner than a new one."""
    copy = empty.copy
    for text in texts:
        one = copy()
        one.update(text)
        yield one.digest()
