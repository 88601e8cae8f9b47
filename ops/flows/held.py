"""Digests of many items by key, on the disk: memory does not grow with their number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ops.errors import RunFolderUnusable

CACHE_KIB = 64 * 1024


class Held:
    """A set of keys, each with a value of some bytes; a later one of a key replaces the earlier."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def add(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep these."""
        with _disk():
            self._database.executemany("INSERT OR REPLACE INTO held VALUES (?, ?)", pairs)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None when it is not held."""
        with _disk():
            row = self._database.execute("SELECT value FROM held WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def __contains__(self, key: bytes) -> bool:
        return self.get(key) is not None

    def __len__(self) -> int:
        with _disk():
            return int(self._database.execute("SELECT count(*) FROM held").fetchone()[0])


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise RunFolderUnusable(
            "what a run holds on the disk meanwhile cannot be written",
            why=str(error),
            fix=("free space, or set TMPDIR",),
        ) from error


@contextmanager
def held(folder: Path, name: str, *, keep: bool = False) -> Iterator[Held]:
    """An empty one in a scratch folder; nothing in it outlives the context, unless it is to be kept."""
    path = folder / f"{name}.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        # Scratch: after a kill it is made anew, so nothing needs to reach the disk in order.
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        database.execute("CREATE TABLE held (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
        database.execute("BEGIN")
        yield Held(database)
        if keep:
            database.execute("COMMIT")
            return
    path.unlink(missing_ok=True)


@contextmanager
def held_again(folder: Path, name: str) -> Iterator[Held]:
    """One that was kept, to be asked."""
    with closing(sqlite3.connect(folder / f"{name}.sqlite", isolation_level=None)) as database:
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        yield Held(database)
