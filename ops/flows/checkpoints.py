"""How far a run has come, kept only after AWS acknowledged everything up to there; and files that grow with it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ops.errors import RunFolderUnusable
from ops.runs import Run


def load_checkpoint(run: Run, name: str) -> dict[str, Any]:
    """The newest checkpoint; empty when there is none."""
    path = run.folder / name
    if not path.is_file():
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        if not isinstance(found, dict):
            raise TypeError("not a JSON object")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RunFolderUnusable(
            f"checkpoint {path} cannot be read",
            why=str(error),
            fix=("begin a new run: what is done already stays done",),
        ) from error
    return found


def save_checkpoint(run: Run, name: str, **state: Any) -> None:
    """Replace the checkpoint whole: a reader sees the old one or the new one."""
    run.save(name, json.dumps(state, sort_keys=True))


class Appended:
    """A file of lines that a resumed run continues exactly where its checkpoint stands; mode 0600, it holds items."""

    def __init__(self, path: Path, kept_bytes: int) -> None:
        self.path = path
        self._kept = kept_bytes
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            opened = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            self._file = os.fdopen(opened, "r+b")
            self._file.truncate(self._kept)
            self._file.seek(self._kept)
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        try:
            self._file.close()
        except OSError as problem:
            if kind is None:  # else it is told already
                raise self._unwritable(problem) from problem

    def add(self, line: bytes) -> None:
        """Append one line."""
        try:
            if self._file is not None:
                self._file.write(line + b"\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def force(self) -> int:
        """Force what was added to the disk; the file's size, for the checkpoint."""
        if self._file is None:
            return self._kept
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error
        return self._file.tell()

    def _unwritable(self, error: OSError) -> RunFolderUnusable:
        return RunFolderUnusable(f"cannot write {self.path}", why=str(error))
