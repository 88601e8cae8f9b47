"""What a load has done so far, by artist id, on disk before it counts.

`load.json` names the load (replaced whole). `done.jsonl` has one line per artist, appended and synced after
the write of its items was acknowledged. Each line carries a digest over the line before it: a cut tail is
dropped, a changed line is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loader.errors import CheckpointMismatch
from loader.files import append_synced, explained, make_folder, replace_file, to_line

SCHEMA = "loader.checkpoint/1"
_START = "0" * 16


@dataclass(frozen=True, slots=True)
class LoadIdentity:
    """What must not change between a load and its resumption."""

    run: str
    target: str
    source: str
    markets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArtistRecord:
    """One finished artist. `dead` holds the dead-letter entries, `digests` the item each key must have."""

    artist_id: str
    markets: Mapping[str, str]
    read: int = 0
    written: int = 0
    unchanged: int = 0
    duplicates: int = 0
    other_markets: int = 0
    rejected: int = 0
    nulls: int = 0
    dropped_numbers: int = 0
    dead: Sequence[Mapping[str, Any]] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    prunable: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Checkpoint:
    """The folder of one load. Held by one process at a time; the caller locks it."""

    def __init__(self, folder: Path, identity: LoadIdentity) -> None:
        make_folder(folder)
        self._done = folder / "done.jsonl"
        self._head = folder / "load.json"
        self._last = _START
        self._check_identity(identity)
        self.records: dict[str, ArtistRecord] = {}
        self._load()

    def add(self, records: Sequence[ArtistRecord]) -> None:
        """Return when the disk has them."""
        lines, last = [], self._last
        for record in records:
            document = asdict(record)
            last = _link(last, document)
            lines.append(to_line({**document, "link": last}))
        append_synced(self._done, lines)
        self._last = last
        self.records |= {record.artist_id: record for record in records}

    def _check_identity(self, identity: LoadIdentity) -> None:
        wanted = {"schema": SCHEMA, **asdict(identity), "markets": list(identity.markets)}
        if not self._head.exists():
            replace_file(self._head, json.dumps(wanted, indent=1))
            return
        with explained(self._head):
            text = self._head.read_text(encoding="utf-8")
        try:
            found = json.loads(text)
        except ValueError as error:
            raise CheckpointMismatch(f"{self._head} is damaged") from error
        if found != wanted:
            changed = [name for name in wanted if not isinstance(found, dict) or found.get(name) != wanted[name]]
            raise CheckpointMismatch(
                f"the checkpoint in {self._head.parent} is of another load", why=f"differs in {', '.join(changed)}"
            )

    def _load(self) -> None:
        if not self._done.exists():
            return
        with explained(self._done):
            content = self._done.read_bytes()
        good = 0
        for line in content.splitlines(keepends=True):
            record = self._parse(line)
            if record is None:
                break
            self.records[record.artist_id] = record
            good += len(line)
        if good < len(content):
            self._drop_tail(content, good)

    def _parse(self, line: bytes) -> ArtistRecord | None:
        try:
            document = json.loads(line)
            link = document.pop("link")
            if not line.endswith(b"\n") or link != _link(self._last, document):
                return None
            record = ArtistRecord(**document)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        self._last = link
        return record

    def _drop_tail(self, content: bytes, good: int) -> None:
        tail = content[good:]
        if b"\n" in tail:
            raise CheckpointMismatch(
                f"{self._done} was changed after it was written",
                why=f"byte {good} begins a line that does not follow from the one before",
                hint="start a new run: items that are in the table already count as unchanged",
            )
        with explained(self._done):
            os.truncate(self._done, good)


def _link(last: str, document: Mapping[str, Any]) -> str:
    return hashlib.sha256(f"{last}{to_line(document)}".encode()).hexdigest()[:16]
