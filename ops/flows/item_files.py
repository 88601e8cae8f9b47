"""Files and objects of items, as lines: local or in S3, plain or packed, JSON lines or CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ops.errors import BadArgument, ResourceNotFound, SourceHasBadLines
from ops.flows.s3 import Address, list_objects
from ops.flows.session import Session
from ops.recovery.objects import spooled
from ops.recovery.packing import BROKEN, plain_name, unpacked
from ops.recovery.preflight import Form, Line
from ops.runs import utf8

#: A longer line is told as unusable instead of being held: no item in any form is that long.
LINE_LIMIT_BYTES = 4 * 1024 * 1024
FORMS: tuple[Form, ...] = ("dynamodb-json", "csv", "jsonl")


@dataclass(frozen=True, slots=True)
class Files:
    """What is read: `stamps` change when one of the files does."""

    where: str
    form: Form
    lines: Callable[[], Iterator[Line]]
    stamps: Callable[[], list[str]]


def form_of(name: str) -> Form:
    """The form of a file by its name, whatever it is packed with."""
    plain = plain_name(name)
    if plain.endswith(".csv"):
        return "csv"
    if plain.endswith((".jsonl", ".json", ".ndjson")):
        return "jsonl"
    raise BadArgument(f"the form of {name} is not clear from its name", fix=(f"give --input {'|'.join(FORMS)}",))


def local_files(path: Path, form: Form | None = None, label: str | None = None) -> Files:
    """One local file; `label` is what messages call it, if not by its path."""
    if not path.is_file():
        raise ResourceNotFound(f"no file {path}", fix=("give a file, or an address s3://BUCKET/KEY",))

    def stamps() -> list[str]:
        try:
            found = path.stat()
        except OSError as error:
            raise _unreadable(path, error) from error
        return [f"{path} {found.st_size} {found.st_mtime_ns}"]

    name = label or utf8(str(path))
    return Files(name, form or form_of(path.name), lambda: file_lines(path, name), stamps)


def stored_files(session: Session, text: str, form: Form | None = None) -> Files:
    """One object, or all in a folder that are not empty, in the order of their keys."""
    address = Address.parse(text)
    first = _listed(session, address)
    if not first:
        raise ResourceNotFound(f"nothing at {address}", fix=("ops list exports", f"aws s3 ls {address}"))
    keys = [key for key, _ in first]

    def stamps() -> list[str]:
        return [f"s3://{address.bucket}/{key} {etag}" for key, etag in _listed(session, address)]

    return Files(str(address), form or form_of(keys[0]), lambda: object_lines(session, address.bucket, keys), stamps)


def _listed(session: Session, address: Address) -> list[tuple[str, str]]:
    found = [one for one in list_objects(session.aws, address) if int(one["Size"]) > 0]
    # S3 lists what begins so: beside `data` also `data-old`, which nobody has named.
    folder = address.key if address.key.endswith("/") or not address.key else f"{address.key}/"
    chosen = [one for one in found if one["Key"] == address.key] or [
        one for one in found if str(one["Key"]).startswith(folder)
    ]
    return [(str(one["Key"]), str(one.get("ETag", ""))) for one in chosen]


def file_lines(path: Path, label: str | None = None) -> Iterator[Line]:
    """Lines of a local file without their line feeds; SourceHasBadLines when it is not packed as its name says."""
    try:
        with path.open("rb") as file:
            yield from _lines(label or str(path), path.name, file)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> BadArgument:
    return BadArgument(f"{utf8(str(path))} cannot be read", why=error.strerror or str(error))


def object_lines(session: Session, bucket: str, keys: list[str]) -> Iterator[Line]:
    """Lines of objects, each read whole before its first line is handed out."""
    for key in keys:
        with spooled(session.aws, bucket, key) as found:
            yield from _lines(key, key, found.file)


def _lines(source: str, name: str, file: IO[bytes]) -> Iterator[Line]:
    try:
        with unpacked(name, file) as plain:
            for number, line in enumerate(iter(lambda: _line(plain), b""), start=1):
                yield source, number, line.rstrip(b"\n")
    except BROKEN as error:
        raise SourceHasBadLines(f"{source} is not a whole {Path(name).suffix[1:]} file", why=str(error)) from error


def _line(file: IO[bytes]) -> bytes:
    """The next line, of one without an end only as much as shows that it is too long."""
    line = rest = file.readline(LINE_LIMIT_BYTES + 1)
    while len(rest) > LINE_LIMIT_BYTES and not rest.endswith(b"\n"):
        rest = file.readline(LINE_LIMIT_BYTES + 1)
    return line
