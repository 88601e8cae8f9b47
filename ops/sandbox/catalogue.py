"""What the sandbox's track source knows: artists and their tracks, per market.

Invented from a seed, artist by artist and on demand, so that 100,000 tracks cost no memory; two real
answers are mixed in. The same seed gives the same catalogue on every machine and Python version.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

Json = dict[str, object]

DATA = Path(__file__).parent / "data"
TRACKS_PER_ARTIST = 10
BASE62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
REAL_ARTISTS = (
    ("43ZHCT0cAZBISjO8DG9PnE", "Elvis Presley", "rock"),
    ("6v8FB84lnmJs434UJf2Mrm", "Neil Young", "Folk  Rock"),
)
GENRES = ("pop", "rock", "hip-hop", "r&b", "Deep House", "country", "latin", "edm", "jazz", None)
FIRST = (
    *("Amber", "Cobalt", "Distant", "Electric", "Feral", "Golden", "Hollow", "Iron", "Jagged", "Kind"),
    *("Lunar", "Marble", "Northern", "Open", "Paper", "Quiet", "Ragged", "Silver", "Tidal", "Velvet"),
)
SECOND = (
    *("Arcades", "Bridges", "Cartographers", "Doves", "Engines", "Foxes", "Gardens", "Harbours", "Islands"),
    *(
        "Jackdaws",
        "Kites",
        "Lanterns",
        "Meadows",
        "Nomads",
        "Orchards",
        "Pilots",
        "Quarries",
        "Rivers",
        "Señales",
    ),
)
WORDS = (
    *("afternoon", "burning", "carousel", "daylight", "ember", "falling", "glass", "homeward", "indigo"),
    *("juniper", "kilometre", "letters", "midnight", "nowhere", "over", "parade", "quicksilver", "rain"),
    *("slowly", "tomorrow", "under", "voices", "water", "yesterday", "zenith"),
)


@dataclass(frozen=True, slots=True)
class CatalogueArtist:
    """One row of the `artists` table."""

    artist_id: str
    name: str
    genre: str | None


class Catalogue(Protocol):
    """What the API answers from."""

    @property
    def artists(self) -> Sequence[CatalogueArtist]:
        """Every artist, in table order."""

    def tracks(self, artist_id: str) -> list[Json] | None:
        """All tracks of an artist before any market is applied; None for an unknown artist."""


def base62_id(text: str) -> str:
    """A stable 22-character id of the form that Spotify uses, derived from `text`."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = BASE62[rest] + digits
    return digits.rjust(22, "0")


def stable_number(text: str) -> int:
    """The same number for the same text in every process, which Python's `hash` does not give."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def in_market(artist_id: str, tracks: Sequence[Mapping[str, object]], market: str) -> list[Json]:
    """The answer of one market: some tracks hidden, popularity shifted, most popular first, at most ten.

    One artist in forty has no track at all in a given market: an empty list is a valid answer.
    """
    if stable_number(f"empty:{artist_id}{market}") % 40 == 0:
        return []
    shift = stable_number(market) % 11 - 5
    shown = [_shifted(track, shift) for track in tracks if stable_number(f"{track['id']}{market}") % 10 != 0]
    shown.sort(key=lambda track: (-_popularity(track), str(track["id"])))
    return shown[:TRACKS_PER_ARTIST]


class InventedCatalogue:
    """About `items` tracks of invented artists, and two real answers."""

    def __init__(self, items: int, seed: int) -> None:
        self._seed = seed
        self._count = max(1, round(items / TRACKS_PER_ARTIST) - len(REAL_ARTISTS))

    @cached_property
    def artists(self) -> Sequence[CatalogueArtist]:
        real = [CatalogueArtist(*row) for row in REAL_ARTISTS]
        return (*real, *(self._artist(number) for number in range(self._count)))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {artist.artist_id: number - len(REAL_ARTISTS) for number, artist in enumerate(self.artists)}

    def tracks(self, artist_id: str) -> list[Json] | None:
        number = self._numbers.get(artist_id)
        if number is None:
            return None
        if number < 0:
            return _real_tracks(artist_id)
        own = self._own_tracks(number)
        # A track with two artists is a top track of both.
        shared = [track for track in self._own_tracks(number - 1) if _has_artist(track, artist_id)] if number else []
        return [*shared, *own][:TRACKS_PER_ARTIST]

    def _artist(self, number: int) -> CatalogueArtist:
        dice = random.Random(f"{self._seed}:artist:{number}")
        name = f"{dice.choice(FIRST)} {dice.choice(SECOND)}"
        if number >= len(FIRST):
            name = f"{name} {number}"
        return CatalogueArtist(base62_id(f"{self._seed}:artist:{number}"), name, dice.choice(GENRES))

    def _own_tracks(self, number: int) -> list[Json]:
        dice = random.Random(f"{self._seed}:tracks:{number}")
        return [self._track(dice, number, position) for position in range(TRACKS_PER_ARTIST)]

    def _track(self, dice: random.Random, number: int, position: int) -> Json:
        artist = self.artists[number + len(REAL_ARTISTS)]
        credits = [_credit(artist)]
        if dice.random() < 0.1 and number + 1 < self._count:
            credits.append(_credit(self.artists[number + 1 + len(REAL_ARTISTS)]))
        name = " ".join(dice.sample(WORDS, dice.randint(1, 3))).capitalize()
        album = position // 4
        return {
            "id": base62_id(f"{self._seed}:track:{number}:{position}"),
            "name": name,
            "type": "track",
            "artists": credits,
            "album": {
                "id": base62_id(f"{self._seed}:album:{number}:{album}"),
                "name": f"{artist.name} {('One', 'Two', 'Three')[album]}",
                "type": "album",
                "release_date": f"{dice.randint(1970, 2026)}-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}",
            },
            "duration_ms": dice.randint(90_000, 420_000),
            "explicit": dice.random() < 0.2,
            "external_ids": {"isrc": f"ZZ{self._seed % 1000:03d}{stable_number(f'{number}:{position}') % 10**7:07d}"},
            "popularity": dice.randint(5, 95),
        }


class FolderCatalogue:
    """A folder with `artists.csv` (artist_id, name, genre) and `top-tracks.jsonl.gz` (artist_id, response)."""

    def __init__(self, folder: Path) -> None:
        with (folder / "artists.csv").open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        self.artists: Sequence[CatalogueArtist] = tuple(
            CatalogueArtist(row["artist_id"], row["name"], row["genre"] or None) for row in rows
        )
        self._tracks = {artist_id: _real_tracks(artist_id) for artist_id, _, _ in REAL_ARTISTS}
        with gzip.open(folder / "top-tracks.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                entry = json.loads(line)
                self._tracks[entry["artist_id"]] = entry["response"]["tracks"]

    def tracks(self, artist_id: str) -> list[Json] | None:
        return self._tracks.get(artist_id)


def open_catalogue(items: int, seed: int, folder: Path | None) -> Catalogue:
    """The catalogue of a folder when one is given, else an invented one."""
    return FolderCatalogue(folder) if folder is not None else InventedCatalogue(items, seed)


def _real_tracks(artist_id: str) -> list[Json]:
    tracks: list[Json] = json.loads((DATA / "real" / f"{artist_id}.json").read_text(encoding="utf-8"))["tracks"]
    return tracks


def _credit(artist: CatalogueArtist) -> Json:
    return {
        "id": artist.artist_id,
        "name": artist.name,
        "type": "artist",
        "uri": f"spotify:artist:{artist.artist_id}",
    }


def _has_artist(track: Mapping[str, object], artist_id: str) -> bool:
    credits = track["artists"]
    return isinstance(credits, list) and any(credit["id"] == artist_id for credit in credits)


def _popularity(track: Mapping[str, object]) -> int:
    value = track.get("popularity")
    return value if isinstance(value, int) else 0


def _shifted(track: Mapping[str, object], shift: int) -> Json:
    shown = dict(track)
    if isinstance(shown.get("popularity"), int):
        shown["popularity"] = min(100, max(0, _popularity(track) + shift))
    return shown
