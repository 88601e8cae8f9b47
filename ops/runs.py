"""Run journal: what a run was about to do, what it did, and where it can go on.

A run is a folder `<runs>/<run id>/`. Its journal is JSON lines, each written and fsynced before the next step,
each carrying the digest of the line before it: a cut tail is seen and dropped, a changed line is refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from ops.clock import Clock, rfc3339
from ops.errors import Locked, ResourceNotFound, RunFolderUnusable

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GENESIS = "0" * 64


def new_run_id(moment: datetime, random: Random) -> str:
    """26 characters that sort by time: 48 bits of milliseconds, 80 random bits, in Crockford's base 32 (ULID)."""
    number = (int(moment.timestamp() * 1000) << 80) | random.getrandbits(80)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def run8(run_id: str) -> str:
    """The last 8 characters in lower case: the part that goes into resource names."""
    return run_id[-8:].lower()


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One entry of a journal."""

    seq: int
    t: str
    kind: str
    data: dict[str, Any]


class Run:
    """An open run; made by `open_run` or `resume_run`, closed by leaving their context."""

    def __init__(self, folder: Path, clock: Clock, lines: list[JournalLine], last_digest: str) -> None:
        self.folder = folder
        self.id = folder.name
        self._clock = clock
        self._lines = lines
        self._last_digest = last_digest

    @property
    def id8(self) -> str:
        """Short form of the run id, for resource names."""
        return run8(self.id)

    @property
    def lines(self) -> tuple[JournalLine, ...]:
        """The journal so far."""
        return tuple(self._lines)

    def write(self, kind: str, **data: Any) -> None:
        """Append a line and force it to the disk before returning."""
        self._append(kind, data, "the step that was to come was not begun")

    def _append(self, kind: str, data: dict[str, Any], unwritten: str) -> None:
        line = JournalLine(len(self._lines) + 1, rfc3339(self._clock.now()), kind, data)
        text = _encode(line, self._last_digest)
        with _disk(self.folder, unwritten):
            _append_whole(self.folder / "journal.jsonl", f"{text}\n".encode())
        self._lines.append(line)
        self._last_digest = _digest(text)

    def intent(self, operation: str, target: str, **data: Any) -> None:
        """What is about to be asked of AWS; must stand on disk before the call leaves."""
        self.write("intent", operation=operation, target=target, **data)

    def outcome(self, operation: str, target: str, **data: Any) -> None:
        """What AWS answered."""
        unwritten = f"{operation} {target} was asked of AWS; the journal could not keep the answer"
        self._append("outcome", {"operation": operation, "target": target, **data}, unwritten)

    def find(self, kind: str, **wanted: Any) -> JournalLine | None:
        """The newest line of `kind` whose data hold `wanted`."""
        for line in reversed(self._lines):
            if line.kind == kind and all(line.data.get(name) == value for name, value in wanted.items()):
                return line
        return None

    def save(self, name: str, text: str) -> Path:
        """Replace the file `name` in the run folder so that no reader ever sees a half of it."""
        target = self.folder / name
        with _disk(self.folder):
            replace_file(target, text)
        return target


def utf8(text: str) -> str:
    """The text, escapes in place of what UTF-8 cannot hold: file names that are none have such characters."""
    return text.encode(errors="backslashreplace").decode()


def replace_file(target: Path, text: str) -> None:
    """Write, fsync, rename, fsync of the folder."""
    temporary = target.with_name(f".{target.name}.part")
    try:
        # Escaped as JSON escapes it: an error text may name a file whose name is no UTF-8.
        with open(temporary, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def open_run(runs: Path, command: list[str], clock: Clock, random: Random) -> Iterator[Run]:
    """A new run folder, locked while the context is open."""
    folder = runs / new_run_id(clock.now(), random)
    with _disk(runs):
        folder.mkdir(parents=True, mode=0o700)
    with _locked(folder):
        run = Run(folder, clock, [], _GENESIS)
        run.write("start", command=command)
        yield run


@contextmanager
def resume_run(runs: Path, run_id: str, clock: Clock) -> Iterator[Run]:
    """An existing run, its journal checked line by line; a cut last line is dropped."""
    folder = runs / run_id
    if not (folder / "journal.jsonl").is_file():
        raise ResourceNotFound(f"no run {run_id} in {runs}", fix=("ops list runs",))
    with _locked(folder):
        lines, last = read_journal(folder / "journal.jsonl")
        if not lines:
            raise RunFolderUnusable(
                f"run {run_id} ended before it wrote its first line: it has asked for nothing",
                fix=("start the command again without --resume",),
            )
        run = Run(folder, clock, lines, last)
        run.write("resume")
        yield run


def read_journal(path: Path) -> tuple[list[JournalLine], str]:
    """Lines and the digest of the last one; a changed line raises, a cut tail is removed from the file."""
    lines: list[JournalLine] = []
    last, kept = _GENESIS, 0
    raw = path.read_bytes()
    for text in raw.split(b"\n"):
        if kept + len(text) >= len(raw):  # no newline after it: the write was cut
            break
        line = _decode(text, last)
        if line is None:
            raise RunFolderUnusable(
                f"journal line {len(lines) + 1} of {path} was changed",
                why="its chain of digests is broken",
                fix=("start the command again without --resume",),
            )
        lines.append(line)
        last, kept = _digest(text.decode()), kept + len(text) + 1
    if kept < len(raw):
        os.truncate(path, kept)
    return lines, last


def _encode(line: JournalLine, previous: str) -> str:
    document = {"seq": line.seq, "t": line.t, "kind": line.kind, "data": line.data, "prev": previous}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)


def _decode(text: bytes, previous: str) -> JournalLine | None:
    """The line, or None when it does not follow from the one before or is no line at all."""
    try:
        document = json.loads(text)
        if document.pop("prev") != previous:
            return None
        return JournalLine(document["seq"], document["t"], document["kind"], document["data"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _append_whole(path: Path, line: bytes) -> None:
    """On the disk when this returns; a line that did not fit leaves no part that the next one would join."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        try:
            left = memoryview(line)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _disk(folder: Path, unwritten: str = "the step that was to come was not begun") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunFolderUnusable(
            f"cannot write to the run folder {folder}",
            why=str(error),
            changed=unwritten,
        ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with _disk(folder):
        file = open(folder / "lock", "w", encoding="utf-8")  # noqa: SIM115 - closed below
    with file:
        try:
            with _disk(folder):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except RunFolderUnusable as error:
            if not isinstance(error.__cause__, BlockingIOError):
                raise
            raise Locked(f"run {folder.name} is open in another process") from error
        yield
