"""Where an export lies: in a bucket, or in a folder that holds a copy of its objects."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ops.aws import ControlPlane
from ops.errors import ExportCorrupt
from ops.recovery.objects import Fault, ObjectFault, Spooled, copy_digested, get_small, list_keys, scratch, spooled

#: A manifest is small; what claims to be one and is not must not fill the memory.
SMALL_BYTES = 256 << 20


class Store(Protocol):
    """Objects by key."""

    def text(self, key: str) -> str:
        """The address of an object, for messages."""

    def small(self, key: str) -> bytes | None:
        """A small object whole; None when there is none of that key. A denied read raises."""

    def spooled(self, key: str) -> AbstractContextManager[Spooled]:
        """A whole object as a local file with its md5; a missing one is an ObjectFault."""

    def keys(self, prefix: str) -> list[str]:
        """Keys of all objects below a prefix, in order."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of S3."""

    control: ControlPlane
    name: str

    def text(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def small(self, key: str) -> bytes | None:
        return get_small(self.control, self.name, key)

    def spooled(self, key: str) -> AbstractContextManager[Spooled]:
        return spooled(self.control, self.name, key)

    def keys(self, prefix: str) -> list[str]:
        return list_keys(self.control, self.name, prefix)


@dataclass(frozen=True, slots=True)
class Folder:
    """The file system; a key is an absolute path without its first slash."""

    def text(self, key: str) -> str:
        return str(self._path(key))

    def small(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            with path.open("rb") as file:
                return file.read(SMALL_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(path, error) from error

    @contextmanager
    def spooled(self, key: str) -> Iterator[Spooled]:
        path = self._path(key)
        if not path.is_file():
            raise ObjectFault(Fault(str(path), "missing", "there is no such file"))
        try:
            with path.open("rb") as source, scratch(tempfile.TemporaryFile()) as copy:
                # A copy, so that what was digested is what is read, whatever happens to the file meanwhile.
                digest, size_bytes = copy_digested(source, copy)
                copy.seek(0)
                yield Spooled(copy, digest, size_bytes)
        except OSError as error:
            raise _unreadable(path, error) from error

    def keys(self, prefix: str) -> list[str]:
        root = self._path(prefix)
        return sorted(str(path).lstrip("/") for path in root.rglob("*") if path.is_file())

    def _path(self, key: str) -> Path:
        return Path("/", key)


def _unreadable(path: Path, error: OSError) -> ExportCorrupt:
    return ExportCorrupt(f"{path} cannot be read", why=error.strerror or str(error))
