"""From what was fetched and acknowledged to the record of an artist, and to the dead-letter file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loader.checkpoint import ArtistRecord
from loader.errors import ArtistSkipped, UnknownArtist
from loader.files import replace_file, to_line
from loader.items import key_of
from loader.merge import Merged, Rejected
from loader.models import Answer, Artist
from loader.report import Status


@dataclass(frozen=True, slots=True)
class Fetched:
    """One artist, ready to be written: what each market answered, or why it did not."""

    artist: Artist
    answers: Mapping[str, Answer]
    skipped: Mapping[str, ArtistSkipped]
    merged: Merged


def record_of(fetched: Fetched, refused: Mapping[tuple[str, str], str]) -> ArtistRecord:
    """The line of the checkpoint; `refused` holds what the table rejected, with its reasons."""
    merged, artist_id = fetched.merged, fetched.artist.artist_id
    rejected = [*merged.rejected]
    for item in merged.writes:
        if key_of(item) in refused:
            rejected.append(Rejected(key_of(item), refused[key_of(item)], item))
    lost = {entry.key[1] for entry in rejected}
    written = sum(key_of(item) not in refused for item in merged.writes)
    return ArtistRecord(
        artist_id=artist_id,
        markets={**_answered(fetched, lost), **_skipped(fetched)},
        read=merged.read,
        written=written,
        unchanged=merged.unchanged,
        duplicates=merged.duplicates,
        other_markets=merged.other_markets,
        rejected=len(rejected),
        nulls=sum(answer.nulls for answer in fetched.answers.values()),
        dropped_numbers=sum(answer.dropped_numbers for answer in fetched.answers.values()),
        dead=(*_dead_artists(fetched), *map(_dead_item, rejected)),
        digests={track: value for track, value in merged.digests.items() if (artist_id, track) not in refused},
        prunable=merged.prunable,
    )


def _answered(fetched: Fetched, lost: set[str]) -> dict[str, str]:
    """A market all of whose tracks were rejected did not load anything."""
    statuses: dict[str, str] = {}
    for market, answer in fetched.answers.items():
        kept = [track for track in answer.tracks if track.track_id not in lost]
        if kept:
            statuses[market] = Status.LOADED
        else:
            statuses[market] = Status.REFUSED if answer.tracks or answer.rejected else Status.EMPTY
    return statuses


def _skipped(fetched: Fetched) -> dict[str, str]:
    return {
        market: Status.QUARANTINED if isinstance(reason, UnknownArtist) else Status.REFUSED
        for market, reason in fetched.skipped.items()
    }


def _dead_artists(fetched: Fetched) -> list[dict[str, object]]:
    return [
        {"kind": "artist", "artist_id": fetched.artist.artist_id, "market": market, "reason": skip.reason}
        for market, skip in fetched.skipped.items()
    ]


def _dead_item(entry: Rejected) -> dict[str, object]:
    key = {"artist_id": entry.key[0], "id": entry.key[1]}
    return {"kind": "item", "key": key, "reason": entry.reason, "item": entry.item}


def without_items(records: Sequence[ArtistRecord]) -> tuple[tuple[str, str], ...]:
    """Artists that have no item from this load, each with the cause in words."""
    return tuple(
        (record.artist_id, ", ".join(f"{market} {status}" for market, status in record.markets.items()))
        for record in records
        if not record.digests
    )


def write_dead_letters(folder: Path, records: Sequence[ArtistRecord]) -> Path | None:
    """Rebuilt from the checkpoint each time, so that a resumed load lists nothing twice."""
    lines = [to_line(entry) for record in records for entry in record.dead]
    if not lines:
        return None
    path = folder / "dead-letter.jsonl"
    replace_file(path, "".join(f"{line}\n" for line in lines))
    return path
