"""Artists, tracks and answers, as every source and every database gives them. Pure data."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

UNKNOWN_GENRE = "unknown"
_ARTIST_ID = re.compile(r"[0-9A-Za-z]{22}")
_SERVICE_ID = re.compile(r"[a-z]{2,16}:[0-9A-Za-z._-]{1,100}")
_LINKS = ("spotify:artist:", "https://open.spotify.com/artist/", "http://open.spotify.com/artist/")


@dataclass(frozen=True, slots=True)
class Artist:
    """One artist to load; `genres` holds all of them, the main one first."""

    artist_id: str
    name: str
    genre: str
    genres: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BadArtist:
    """A row of the artists table that cannot be loaded, and why."""

    artist_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Credit:
    """An artist as a track names it."""

    artist_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Album:
    """The album of a track; an empty member is unknown."""

    album_id: str
    name: str
    release_date: str


@dataclass(frozen=True, slots=True)
class Track:
    """One track of one answer. None or an empty text means that the source does not know."""

    track_id: str
    rank: int
    name: str
    artists: tuple[Credit, ...]
    album: Album | None
    duration_ms: int | None
    explicit: bool | None
    isrc: str
    popularity: int | None


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """An entry of an answer that cannot become an item."""

    track_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source says about one artist in one market.

    `complete` means that a track which is missing here has left the list. `nulls` and `dropped_numbers`
    count what was skipped inside otherwise good answers.
    """

    tracks: tuple[Track, ...]
    complete: bool
    source: str
    fetched_at: str
    rejected: tuple[RejectedRow, ...] = ()
    nulls: int = 0
    dropped_numbers: int = 0


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds: fixed width, so that it sorts as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clean_text(text: str) -> str:
    """NFC without white space at the ends."""
    return unicodedata.normalize("NFC", text).strip()


def parse_artist(artist_id: object, name: object, genre: object) -> Artist | BadArtist:
    """An artist from one row. Ids keep their case: they are base 62, and `0tN` is not `0tn`."""
    given = str(artist_id or "").strip()
    bare = bare_artist_id(given)
    if bare is None:
        return BadArtist(given, "not an artist id: 22 characters of 0-9, A-Z, a-z are expected")
    text = clean_text(str(name or ""))
    if "\0" in text:
        return BadArtist(given, "the name holds a NUL character")
    genres = parse_genres(genre)
    return Artist(bare, text, genres[0], genres if len(genres) > 1 else ())


def bare_artist_id(given: str) -> str | None:
    """The id in a bare id, a `spotify:artist:` URI, an open.spotify.com address or another service's id."""
    for link in _LINKS:
        if given.startswith(link):
            given = given.removeprefix(link).partition("?")[0].strip("/")
            break
    if _ARTIST_ID.fullmatch(given) or _SERVICE_ID.fullmatch(given):
        return given
    return None


def is_track_id(given: str) -> bool:
    """A Spotify id, or an id of another service with its prefix."""
    return bool(_ARTIST_ID.fullmatch(given) or _SERVICE_ID.fullmatch(given))


def parse_genres(value: object) -> tuple[str, ...]:
    """Distinct genres in their order; `unknown` when there is none, because an index key may not be empty."""
    values = value if isinstance(value, list | tuple) else [value]
    texts = (normal_genre(entry) for entry in values if isinstance(entry, str))
    return tuple(dict.fromkeys(text for text in texts if text)) or (UNKNOWN_GENRE,)


def normal_genre(text: str) -> str:
    """NFC, lower case, one space between words: `Deep  House` and `deep house` are one index key."""
    return " ".join(unicodedata.normalize("NFC", text).replace("\0", " ").lower().split())
