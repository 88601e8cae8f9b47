"""Tracks from a file: JSON lines of answers (plain or gzip), or CSV with one row per track."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from loader.decode import decode_tracks, parse_json
from loader.errors import BadLoadRequest, FileMissing, UnknownArtist
from loader.models import Answer, Artist, timestamp

NAME = "file"
LINE_LIMIT = 4 * 1024 * 1024
_Key = tuple[str, str]


class FileSource:
    """Answers by artist and market; a line without a market answers for every market."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._path = path
        self._now = now
        self._answers = dict(_read(path))

    @property
    def name(self) -> str:
        return NAME

    def tracks(self, artist: Artist, market: str) -> Answer:
        entries = self._answers.get((artist.artist_id, market), self._answers.get((artist.artist_id, "")))
        if entries is None:
            raise UnknownArtist(f"{self._path.name} has no line for this artist")
        return decode_tracks(entries, complete=True, source=NAME, fetched_at=timestamp(self._now()))

    def cost(self, artists: int, markets: int) -> int:
        return 0


def _read(path: Path) -> Iterator[tuple[_Key, list[Any]]]:
    names = path.name.removesuffix(".gz")
    if not names.endswith((".jsonl", ".csv")):
        raise BadLoadRequest(f"{path.name}: a file ends in .jsonl, .jsonl.gz or .csv")
    try:
        with _open(path) as lines:
            yield from _csv_answers(lines, path) if names.endswith(".csv") else _line_answers(lines, path)
    except (UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadLoadRequest(f"{path} cannot be decoded", why=str(error)) from error
    except OSError as error:
        raise FileMissing(f"{path} cannot be read", why=error.strerror or str(error)) from error


def _open(path: Path) -> Any:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _line_answers(lines: Any, path: Path) -> Iterator[tuple[_Key, list[Any]]]:
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_LIMIT:
            raise BadLoadRequest(f"{path}:{number}: line is longer than {LINE_LIMIT} characters")
        if not line.strip():
            continue
        try:
            document = parse_json(line)
            tracks = document["response"]["tracks"] if "response" in document else document["tracks"]
            key = (str(document["artist_id"]), str(document.get("market") or ""))
        except (ValueError, KeyError, TypeError) as error:
            raise BadLoadRequest(f"{path}:{number}: not an answer", why=str(error)) from error
        if not isinstance(tracks, list):
            raise BadLoadRequest(f"{path}:{number}: tracks is not a list")
        yield key, tracks


def _csv_answers(lines: Any, path: Path) -> Iterator[tuple[_Key, list[Any]]]:
    answers: dict[_Key, list[Any]] = {}
    reader = csv.DictReader(lines)
    missing = {"artist_id", "id", "name"} - set(reader.fieldnames or ())
    if missing:
        raise BadLoadRequest(f"{path}: column {', '.join(sorted(missing))} is missing")
    for row in reader:
        if None in row:
            raise BadLoadRequest(f"{path}:{reader.line_num}: more values than columns")
        answers.setdefault((row["artist_id"], row.get("market") or ""), []).append(_csv_track(row))
    yield from answers.items()


def _csv_track(row: dict[str, str]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "artists": [{"id": row["artist_id"], "name": row.get("artist_name") or ""}],
        "album": {"id": row.get("album_id") or "", "name": row.get("album_name") or ""},
        "duration_ms": _number(row.get("duration_ms")),
        "popularity": _number(row.get("popularity")),
        "explicit": {"true": True, "false": False}.get((row.get("explicit") or "").lower()),
        "external_ids": {"isrc": row.get("isrc") or ""},
    }


def _number(text: str | None) -> object:
    """A number, None for an empty field, and the text itself when it is no number: it is dropped and counted."""
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return text
