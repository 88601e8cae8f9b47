"""Reads every line of an import's source before anything is created.

ImportTable gives up the rest of an object at its first unusable line, counts that as one error, and lets duplicate
keys overwrite one another in random order without a word
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Validation.html). So each line is
judged here. A problem names object, line and reason, never a value.
"""

from __future__ import annotations

import hashlib
import re
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from infra.environment import IndexDocument, TableDocument
from ops.dynamodb.attributes import Unacceptable, canonical_number, decode_binary, validate_item
from ops.errors import RunFolderUnusable
from ops.model.items import Item, KeySchema
from ops.model.recovery import LineProblem
from ops.recovery.csv_lines import CsvLines
from ops.recovery.lines import BadLine, parse_json

Form = Literal["dynamodb-json", "csv", "jsonl"]
Line = tuple[str, int, bytes]

#: More problems than this are counted, not listed.
LISTED_PROBLEMS = 10_000
_BUCKETS = 256
_RECORD = struct.Struct(">16sIQ")
#: Reasons that end in the value they are about: the value is cut off.
_VALUES = re.compile(r"(not a number|number out of range|not base64): .*|(the unknown type) '.*'", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Preflight:
    """What reading every line found: `read = accepted + rejected`, `accepted = distinct_keys + duplicates`."""

    read: int
    accepted: int
    distinct_keys: int
    duplicates: int
    problems: tuple[LineProblem, ...] = ()
    listed_all: bool = True

    @property
    def rejected(self) -> int:
        """Lines that are no usable item."""
        return self.read - self.accepted

    @property
    def clean(self) -> bool:
        """Whether an import of these lines can be exact."""
        return not self.problems


def keys_of(document: TableDocument) -> tuple[KeySchema, dict[str, KeySchema]]:
    """Key schema of the declared table, and of each of its indexes by name."""
    return _schema(document), {index.name: _schema(index) for index in document.indexes}


def _schema(shape: TableDocument | IndexDocument) -> KeySchema:
    partition, sort = shape.partition_key, shape.sort_key
    if sort is None:
        return KeySchema(partition.name, partition.type)
    return KeySchema(partition.name, partition.type, sort.name, sort.type)


def preflight(
    lines: Iterator[Line],
    keys: KeySchema,
    index_keys: Mapping[str, KeySchema],
    form: Form,
    *,
    delimiter: str = ",",
    headers: Sequence[str] | None = None,
) -> Preflight:
    """Judge every line; memory does not grow with their number (keys are held as digests in temporary files).

    `dynamodb-json` wants `{"Item": ...}` lines, `jsonl` takes DynamoDB JSON with or without that wrapper; `csv`
    has a header line in each object unless `headers` are given.
    """
    parse = parser(form, keys, index_keys, delimiter, headers)
    problems: list[LineProblem] = []
    read = accepted = found = 0
    with _SeenKeys() as seen:
        for source, number, raw in lines:
            try:
                item = parse(source, number, raw)
                if item is None:
                    continue
                _judge(item, keys, index_keys)
            except BadLine as error:
                read += not error.header
                found += 1
                _note(problems, LineProblem(source, number, str(error)))
                continue
            read, accepted = read + 1, accepted + 1
            seen.add(key_digest(item, keys), source, number)
        duplicates = 0
        for problem in seen.duplicates():
            duplicates += 1
            _note(problems, problem)
    problems.sort(key=lambda one: (one.source, one.line))
    listed_all = len(problems) == found + duplicates
    return Preflight(read, accepted, accepted - duplicates, duplicates, tuple(problems), listed_all)


def _note(problems: list[LineProblem], problem: LineProblem) -> None:
    if len(problems) < LISTED_PROBLEMS:
        problems.append(problem)


def _judge(item: Item, keys: KeySchema, index_keys: Mapping[str, KeySchema]) -> None:
    try:
        validate_item(item, keys, index_keys)
    except Unacceptable as error:
        raise BadLine(without_value(str(error))) from error


def without_value(reason: str) -> str:
    """A reason of `ops.dynamodb.attributes` without the value that it quotes."""
    return _VALUES.sub(lambda match: match[1] or match[2], reason)


Parse = Callable[[str, int, bytes], Item | None]


def parser(
    form: Form, keys: KeySchema, index_keys: Mapping[str, KeySchema], delimiter: str, headers: Sequence[str] | None
) -> Parse:
    """(source, line number, raw line) to an item; None for a header line; BadLine for what is no item.

    CSV is typed as ImportTable does it: key columns by the key's type, every other column a string.
    """
    if form != "csv":
        return lambda source, number, raw: parse_json(raw, wrapped=form == "dynamodb-json")
    types = {name: kind for schema in (*index_keys.values(), keys) for name, kind in schema.types.items()}
    lines = CsvLines(keys, delimiter, headers)

    def parse(source: str, number: int, raw: bytes) -> Item | None:
        cells = lines.cells(source, raw)
        return None if cells is None else {name: {types.get(name, "S"): cell} for name, cell in cells.items()}

    return parse


def key_digest(item: Item, keys: KeySchema) -> bytes:
    """16 bytes that are equal for equal keys, whatever way a number or a binary was written."""
    digest = hashlib.blake2b(digest_size=16, person=b"ops.preflight")
    for name, kind in keys.types.items():
        text = item[name][kind]
        if kind == "N":
            data = canonical_number(text).encode()
        else:
            data = decode_binary(text) if kind == "B" else str(text).encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.digest()


class _SeenKeys:
    """Key digests with their place, spread over temporary files, so that repetitions are found bucket by bucket."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="ops-preflight-")))
        self._files: dict[int, IO[bytes]] = {}
        self._sources: dict[str, int] = {}

    def __enter__(self) -> _SeenKeys:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._open.close()
        except OSError:
            if kind is None:  # else it is told already: a file whose last bytes do not fit fails once more when closed
                raise

    def add(self, digest: bytes, source: str, line: int) -> None:
        number = self._sources.setdefault(source, len(self._sources))
        bucket = digest[0] % _BUCKETS
        with _disk():
            if bucket not in self._files:
                self._files[bucket] = self._open.enter_context((self._folder / str(bucket)).open("w+b"))
            self._files[bucket].write(_RECORD.pack(digest, number, line))

    def duplicates(self) -> Iterator[LineProblem]:
        """Every occurrence of a key but its first."""
        names = list(self._sources)
        for file in self._files.values():
            with _disk():
                file.seek(0)
            first: dict[bytes, tuple[int, int]] = {}
            for digest, number, line in _RECORD.iter_unpack(file.read()):
                if digest in first:
                    source, at = first[digest]
                    yield LineProblem(names[number], line, f"duplicate key: also in {names[source]}, line {at}")
                else:
                    first[digest] = (number, line)


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunFolderUnusable(
            "the keys of an import's lines cannot be held on the disk",
            why=str(error),
            fix=("free space, or set TMPDIR",),
        ) from error
