"""From the text of an answer to tracks. Never trusts a shape that it has not looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from loader.models import Album, Answer, Credit, RejectedRow, Track, clean_text, is_track_id

NUMBER_LIMIT = 10**12


class _NotANumber:
    """NaN or an infinity, which DynamoDB does not hold."""


NOT_A_NUMBER = _NotANumber()


@dataclass(slots=True)
class _Counts:
    nulls: int = 0
    dropped_numbers: int = 0
    rejected: list[RejectedRow] = field(default_factory=list)


def parse_json(text: str | bytes) -> Any:
    """JSON with exact decimals; ValueError for anything else, deep nesting included."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=lambda _: NOT_A_NUMBER)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def decode_tracks(entries: Sequence[object], *, complete: bool, source: str, fetched_at: str) -> Answer:
    """The tracks in the order of the answer; nulls are skipped and counted, unusable entries are named."""
    counts = _Counts()
    tracks: list[Track] = []
    for entry in entries:
        if entry is None:
            counts.nulls += 1
            continue
        track = _track(entry, len(tracks) + len(counts.rejected) + 1, counts)
        if isinstance(track, Track):
            tracks.append(track)
        else:
            counts.rejected.append(track)
    return Answer(
        tuple(tracks), complete, source, fetched_at, tuple(counts.rejected), counts.nulls, counts.dropped_numbers
    )


def whole_number(value: object) -> int | None:
    """An integer, also from `85.0`; None for everything that is not one (True is no number)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < NUMBER_LIMIT:
        return int(value)
    return value if isinstance(value, int) and abs(value) < NUMBER_LIMIT else None


def _track(entry: object, rank: int, counts: _Counts) -> Track | RejectedRow:
    if not isinstance(entry, dict):
        return RejectedRow("", "entry is not an object")
    track_id = entry.get("id")
    if not isinstance(track_id, str) or not is_track_id(track_id):
        return RejectedRow(str(track_id or "")[:100], "track without a usable id")
    track = Track(
        track_id=track_id,
        rank=rank,
        name=_text(entry.get("name")),
        artists=_credits(entry.get("artists")),
        album=_album(entry.get("album")),
        duration_ms=_counted_number(entry.get("duration_ms"), counts),
        explicit=_flag(entry.get("explicit")),
        isrc=_isrc(entry.get("external_ids")),
        popularity=_counted_number(entry.get("popularity"), counts),
    )
    if "\0" in _all_text(track):
        return RejectedRow(track_id, "a text holds a NUL character")
    return track


def _counted_number(value: object, counts: _Counts) -> int | None:
    number = whole_number(value)
    if value is not None and number is None:
        counts.dropped_numbers += 1
    return number


def _credits(value: object) -> tuple[Credit, ...]:
    found = value if isinstance(value, list) else []
    credits = (Credit(_text(one.get("id")), _text(one.get("name"))) for one in found if isinstance(one, Mapping))
    return tuple(credit for credit in credits if credit.artist_id or credit.name)


def _album(value: object) -> Album | None:
    if not isinstance(value, Mapping):
        return None
    album = Album(_text(value.get("id")), _text(value.get("name")), _text(value.get("release_date")))
    return album if album.album_id or album.name else None


def _isrc(value: object) -> str:
    return _text(value.get("isrc")) if isinstance(value, Mapping) else ""


def _text(value: object) -> str:
    return clean_text(value) if isinstance(value, str) else ""


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _all_text(track: Track) -> str:
    album = track.album
    parts = [track.name, track.isrc, *(f"{one.artist_id}{one.name}" for one in track.artists)]
    return "".join(parts) + (f"{album.album_id}{album.name}{album.release_date}" if album else "")
