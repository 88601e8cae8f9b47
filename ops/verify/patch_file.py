"""Patch files: JSON lines, `ops.patch/1`.

The first line says which table and keys the patch is about, the last how many changes it holds: a cut file is refused.
A digest beside an expected item must be that item's, so an edited one is noticed. Files hold items: mode 0600.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson

from ops.dynamodb.attributes import Unacceptable, validate_item, validate_key
from ops.errors import BadArgument, RunFolderUnusable
from ops.model.items import Item, KeySchema, key_of
from ops.recovery.lines import BadLine, check_names
from ops.verify.canonical import ShapeError, canonical_key
from ops.verify.patch import Change, item_digest, same

SCHEMA = "ops.patch/1"


@dataclass(frozen=True, slots=True)
class PatchHead:
    """What a patch is about; without `table_arn` it fits any table of these keys."""

    keys: KeySchema
    table_arn: str | None = None
    table_id: str | None = None
    source: str = ""

    def document(self) -> dict[str, Any]:
        """The first line of the file."""
        table = None if self.table_arn is None else {"arn": self.table_arn, "id": self.table_id}
        names = [{"name": name, "type": kind} for name, kind in self.keys.types.items()]
        return {"schema": SCHEMA, "table": table, "keys": names, "source": self.source}


def change_document(change: Change) -> dict[str, Any]:
    """One line of the file."""
    expected: dict[str, Any] | None = {"digest": change.digest} if change.digest else None
    if change.expected is not None:
        expected = {"digest": item_digest(change.expected), "item": change.expected}
    document: dict[str, Any] = {
        "op": change.op, "key": change.key, "expected": expected, "wanted": change.wanted,
    }  # fmt: skip
    # for the reader only: a reviewed queue of conflicts is a patch like any other
    return {**document, "note": change.reason} if change.reason else document


class PatchWriter:
    """Writes a patch; it stands under its name, forced to the disk, only once it is whole."""

    def __init__(self, path: Path, head: PatchHead) -> None:
        self._path, self._part = path, path.with_name(f".{path.name}.part")
        self._head = head
        self._file: IO[bytes] | None = None
        self._digest = hashlib.sha256()
        self.count = 0

    def __enter__(self) -> Self:
        try:
            self._file = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        except OSError as error:
            raise _unwritable(self._path, error) from error
        try:
            self._line(self._head.document())
        except RunFolderUnusable:
            self._drop()
            raise
        return self

    def add(self, change: Change) -> None:
        """Write one change."""
        self._line(change_document(change))
        self.count += 1

    @property
    def sha256(self) -> str:
        """Digest of what was written."""
        return self._digest.hexdigest()

    def _line(self, document: dict[str, Any]) -> None:
        raw = orjson.dumps(document) + b"\n"
        self._digest.update(raw)
        try:
            if self._file is not None:
                self._file.write(raw)
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        try:
            if kind is None:
                self._line({"end": SCHEMA, "changes": self.count})
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                self._part.replace(self._path)
                sync_folder(self._path.parent)
        except OSError as problem:
            raise _unwritable(self._path, problem) from problem
        finally:
            self._drop()

    def _drop(self) -> None:
        """Nothing of a patch that was not finished stays."""
        if self._file is not None:
            with suppress(OSError):  # what could not be written is told already
                self._file.close()
        self._part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _unwritable(path: Path, error: OSError) -> RunFolderUnusable:
    return RunFolderUnusable(f"cannot write {path}", why=str(error), changed="the step that was to come was not begun")


def file_sha256(path: Path) -> str:
    """Digest of a file; empty when it is not there."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_head(path: Path) -> PatchHead:
    """What the patch is about; BadArgument when the file is none."""
    try:
        with path.open("rb") as file:
            first = file.readline()
    except OSError as error:
        raise BadArgument(f"cannot read {path}", why=error.strerror or str(error)) from error
    try:
        document = orjson.loads(first)
        if document["schema"] != SCHEMA:
            raise BadArgument(f"{path} has the schema {document['schema']}, not {SCHEMA}")
        names = [(str(one["name"]), str(one["type"])) for one in document["keys"]]
        sort = names[1] if len(names) > 1 else (None, None)
        table = document.get("table") or {}
        head = PatchHead(
            KeySchema(*names[0], *sort), table.get("arn"), table.get("id"), str(document.get("source", ""))
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise BadArgument(
            f"{path} is no patch: its first line is not the head of an {SCHEMA} file",
            fix=(f"make one with: ops diff LEFT RIGHT --format patch --out {path.name}",),
        ) from error
    return head


def read_changes(path: Path, head: PatchHead, indexes: Mapping[str, KeySchema] | None = None) -> Iterator[Change]:
    """Every change of a patch; BadArgument names the line that cannot be used, or says that the file was cut.

    Held in memory is 16 bytes for each key, to find one that stands twice.
    """
    seen: set[bytes] = set()
    end: int | None = None
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if number == 1:
                continue
            if end is not None:
                raise _bad(path, number, "stands behind the end of the patch")
            document = _document(path, number, raw)
            if "end" in document:
                end = document.get("changes")
                continue
            change = _change(path, number, document, head.keys, indexes)
            key = hashlib.blake2b(canonical_key(change.key, head.keys), digest_size=16).digest()
            if key in seen:
                raise _bad(path, number, "names a key that stands on an earlier line")
            seen.add(key)
            yield change
    if end != len(seen):
        what = "has no last line" if end is None else f"says {end} changes"
        raise BadArgument(
            f"{path} is not whole: it holds {len(seen):,} changes and {what}",
            fix=("make the patch again", 'or, when lines were removed on purpose, correct "changes" on its last line'),
        )


def _bad(path: Path, number: int, why: str) -> BadArgument:
    return BadArgument(f"{path} line {number} {why}", fix=("make the patch again, or correct the line",))


def _document(path: Path, number: int, raw: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(raw)
    except ValueError as error:
        raise _bad(path, number, f"is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise _bad(path, number, "is no JSON object")
    try:
        check_names(raw.rstrip(b"\n"), document)
    except BadLine as error:
        raise _bad(path, number, f"cannot be used: {error}") from error
    return document


def _change(
    path: Path, number: int, document: dict[str, Any], keys: KeySchema, indexes: Mapping[str, KeySchema] | None
) -> Change:
    try:
        key, wanted, stated = document["key"], document["wanted"], document["expected"]
        validate_key(key, keys)
        if wanted is not None:
            validate_item(wanted, keys, indexes)
        item, digest = _expected(stated, keys)
        for image in (one for one in (item, wanted) if one is not None):
            if not same(key_of(image, keys), key):
                raise ValueError("an item of another key")
        change = Change(key, item, wanted, digest if item is None else "")
        if document.get("op") != change.op:
            raise ValueError(f"op {document.get('op')} does not fit its wanted item")
    except KeyError as error:
        raise _bad(path, number, f"lacks the member {error}") from error
    except (Unacceptable, ShapeError, ValueError, TypeError, AttributeError) as error:
        raise _bad(path, number, f"cannot be used: {error}") from error
    return change


def _expected(stated: dict[str, Any] | None, keys: KeySchema) -> tuple[Item | None, str]:
    if stated is None:
        return None, ""
    digest, item = str(stated.get("digest", "")), stated.get("item")
    if item is None:
        if len(digest) != 64:
            raise ValueError("expected has neither an item nor a digest")
        return None, digest
    validate_item(item, keys)
    if digest and item_digest(item) != digest:
        raise ValueError("the digest is not that of the expected item")
    return item, digest
