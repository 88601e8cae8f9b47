"""Files that survive a crash: replaced whole, or appended and synced; and the lock on a folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from loader.errors import LoadLocked, RunFolderUnusable


def make_folder(folder: Path) -> None:
    """Create it for its owner only."""
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def replace_file(path: Path, text: str) -> None:
    """Write, fsync, rename, fsync of the folder: after a crash the old or the new text stands, never a part."""
    partial = path.with_name(f"{path.name}.part")
    with explained(path):
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)


def append_synced(path: Path, lines: list[str]) -> None:
    """Append whole lines and return when the disk has them."""
    with explained(path):
        fresh = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or a new name in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_line(document: object) -> str:
    """One line of JSON; the same document gives the same line."""
    return json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


@contextlib.contextmanager
def lock(path: Path, what: str) -> Iterator[None]:
    """Hold a lock that the kernel frees with the process."""
    with explained(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LoadLocked(f"another process works on {what}") from error
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one that names the path."""
    try:
        yield
    except OSError as error:
        raise RunFolderUnusable(f"cannot write {path}", why=error.strerror or str(error)) from error
