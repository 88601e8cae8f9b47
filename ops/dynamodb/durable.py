"""A bulk write that can be killed anywhere: what is settled and what was rejected stand on disk.

A checkpoint is written only after everything up to its position was acknowledged, and after the rejected lines up to
there were forced to the disk: written before the acknowledgement it would lose what was on its way.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import orjson

from ops.clock import Clock
from ops.dynamodb.write import Rejected, WriteCounts
from ops.errors import AccountingMismatch, BadArgument, RunFolderUnusable
from ops.runs import replace_file, utf8

SCHEMA = "ops.write-checkpoint/1"
#: Between two checkpoints; what was written since is written again after a kill.
EVERY_S = 1.0


@dataclass(slots=True)
class Checkpoint:
    """The file that says how far a bulk write came. `source` names input and table: another's file is refused."""

    path: Path
    source: str
    clock: Clock
    every_s: float = EVERY_S
    _saved_at: float = float("-inf")
    _broken: bool = False

    def load(self) -> WriteCounts:
        """Counts up to the position to go on after; all zero when there is no file."""
        try:
            document = json.loads(self.path.read_bytes())
            if document["schema"] != SCHEMA:
                raise ValueError(f"schema {document['schema']}")
            counts, source = WriteCounts(**document["counts"]), str(document["source"])
            if min(asdict(counts).values()) < 0:
                raise ValueError("a count below zero")
            counts.check()
        except FileNotFoundError:
            return WriteCounts()
        except (OSError, ValueError, KeyError, TypeError, RecursionError, AccountingMismatch) as error:
            raise RunFolderUnusable(f"checkpoint {self.path} cannot be read", why=str(error)) from error
        if source != self.source:
            raise BadArgument(
                f"checkpoint {self.path} belongs to another input or table",
                why=f"it was written for {source}, not for {self.source}",
                fix=(f"choose another folder, or remove {self.path} to begin anew",),
            )
        return counts

    def due(self) -> bool:
        """Whether the last one is old enough."""
        return self.clock.monotonic() - self._saved_at >= self.every_s

    def save(self, counts: WriteCounts) -> None:
        """Replace the file; the one before stays whole when the disk is full."""
        if self._broken:
            return  # the first failure is already on its way to the caller
        document = {"schema": SCHEMA, "source": self.source, "counts": asdict(counts)}
        try:
            replace_file(self.path, json.dumps(document) + "\n")
        except OSError as error:
            self._broken = True
            raise RunFolderUnusable(f"checkpoint {self.path} cannot be written", why=str(error)) from error
        self._saved_at = self.clock.monotonic()


@dataclass(slots=True)
class DeadLetters:
    """A file of what was not written: JSON lines with `line`, `reason`, and the line itself as `text` or `base64`.

    Where `place` tells what a position stands for, its members stand beside the `position`. Only the file's owner may
    read it: it holds items.
    """

    path: Path
    place: Callable[[int], dict[str, Any]] | None = None
    count: int = 0
    _file: IO[bytes] | None = field(default=None, repr=False)

    @contextmanager
    def after(self, position: int) -> Iterator[DeadLetters]:
        """Open it with only what it held up to `position`: what follows is going to be rejected again."""
        kept = [one for one in self.read() if one.get("position", one["line"]) <= position] if position else []
        self.count = len(kept)
        with self._disk():
            replace_file(self.path, "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in kept))
            self.path.chmod(0o600)
            self._file = open(self.path, "ab")  # noqa: SIM115 - closed below
        try:
            yield self
        except BaseException:
            with suppress(OSError):  # what could not be written is told already, or settled without it
                self._file.close()
            raise
        else:
            with self._disk():
                self._file.close()
        finally:
            self._file = None

    def read(self) -> Iterator[dict[str, Any]]:
        """What it holds; a last line that was cut by a kill is left out."""
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            yield from (orjson.loads(line) for line in file if line.endswith(b"\n"))

    def add(self, rejected: Rejected) -> None:
        """Append one."""
        assert self._file is not None
        # json also writes what AWS would refuse: lone surrogates, as escapes.
        line = rejected.line if rejected.line is not None else json.dumps({"Item": rejected.item}).encode()
        at = rejected.position
        place = {"line": at} if self.place is None else {"position": at, **self.place(at)}
        document = {**place, "reason": rejected.reason, **_text_of(line.rstrip(b"\r\n"))}
        with self._disk():
            self._file.write(orjson.dumps({name: _writable(value) for name, value in document.items()}) + b"\n")
        self.count += 1

    def sync(self) -> None:
        """Force it to the disk."""
        assert self._file is not None
        with self._disk():
            self._file.flush()
            os.fsync(self._file.fileno())

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunFolderUnusable(f"rejected lines cannot be written to {self.path}", why=str(error)) from error


def _writable(value: Any) -> Any:
    return utf8(value) if isinstance(value, str) else value


def _text_of(line: bytes) -> dict[str, str]:
    try:
        return {"text": line.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(line).decode()}


class LineWriter(Protocol):
    """A writer that can go on with an earlier run: `BulkWriter`, `ConditionalWriter`."""

    on_acknowledged: Callable[[int], None] | None
    on_rejected: Callable[[Rejected], None] | None
    resumed: WriteCounts
    settled: WriteCounts

    def put_lines(self, lines: Iterable[bytes]) -> WriteCounts:
        """Put every export line."""


def put_lines(writer: LineWriter, lines: Iterable[bytes], checkpoint: Checkpoint, dead: DeadLetters) -> WriteCounts:
    """Put export lines, from where an earlier run of the same checkpoint stopped; `writer` must be a new one."""
    writer.resumed = checkpoint.load()
    told_before, rejected_before = writer.on_acknowledged, writer.on_rejected

    def acknowledged(position: int) -> None:
        if checkpoint.due():
            dead.sync()
            checkpoint.save(writer.settled)
        if told_before is not None:
            told_before(position)

    def rejected(one: Rejected) -> None:
        dead.add(one)
        if rejected_before is not None:
            rejected_before(one)

    writer.on_acknowledged, writer.on_rejected = acknowledged, rejected

    def keep() -> None:
        dead.sync()
        if writer.settled.read > writer.resumed.read:
            checkpoint.save(writer.settled)

    with dead.after(writer.resumed.read):
        try:
            counts = writer.put_lines(lines)
        except BaseException:
            # Also after Ctrl-C: what is settled is settled. On a full disk the error on its way says what was written.
            with suppress(RunFolderUnusable):
                keep()
            raise
        try:
            keep()
        except RunFolderUnusable as error:
            error.changed = f"{counts.written} items were written before"
            raise
        return counts
