"""Items that a repair removed and has to put back: on the disk before the put, so that no end of a process loses one.

DynamoDB has no condition "and no other attribute", so an item to which another writer has added one is removed before
that is seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from ops.errors import RunFolderUnusable
from ops.model.items import Item


class PutBacks:
    """A file of lines `{"removed": ITEM}` and, once it is back or its key was taken, `{"settled": ITEM}`; mode 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()

    def removed(self, item: Item) -> None:
        """Note an item that is in no table now, before it is put back."""
        self._append({"removed": item})

    def settled(self, item: Item) -> None:
        """Note that it is back, or that its key holds another by now."""
        self._append({"settled": item})

    def left(self) -> list[Item]:
        """Items that were removed and of which nobody knows that they are back."""
        found: list[Item] = []
        for line in self._lines():
            if "removed" in line:
                found.append(line["removed"])
            elif line["settled"] in found:
                found.remove(line["settled"])
        return found

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            # A last line that a kill has cut was never acted upon.
            yield from (orjson.loads(line) for line in file if line.endswith(b"\n"))

    def _append(self, document: dict[str, Any]) -> None:
        with self._lock:
            try:
                opened = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                with os.fdopen(opened, "wb") as file:
                    file.write(orjson.dumps(document) + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise RunFolderUnusable(f"cannot write {self.path}", why=str(error)) from error
