"""Seeded items: the same seed gives the same bytes. `track` has about 1.5 KB of JSON, `small` about 200 bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

SEED = 20261121
FILES = 4
#: Of a million items: how many the other side of a comparison has changed, lost and gained.
CHANGED, MISSING, ADDED = 480, 200, 220
_MILLION = 1_000_000
_WORDS = ("Love", "Noite", "Größe", "Été", "Night", "Sueño", "愛", "Road", "Fire", "Heart", "Blue", "Star", "Go")
_GENRES = ("pop", "rock", "hip-hop", "deep-house", "country", "classical")
_MARKETS = ("AR", "BR", "CA", "DE", "ES", "FR", "GB", "IT", "JP", "MX", "SE", "US")

MakeItem = Callable[[Random, int], str]


def track(random: Random, number: int) -> str:
    """An item of `top_tracks` as the loader writes it: maps, a list, numbers, every third with a set of strings."""
    artist, name = _id(number // 10), _title(random)
    album = {"id": {"S": _id(random.randrange(10**6))}, "name": {"S": name}, "release_date": {"S": "2019-05-17"}}
    markets = random.sample(_MARKETS, random.randint(5, 7))
    item: dict[str, object] = {
        "artist_id": {"S": artist},
        "id": {"S": _id(number)},
        "name": {"S": name},
        "artist_name": {"S": _title(random)},
        "isrc": {"S": f"US{random.randrange(10**10):010d}"},
        "artists": {"L": [{"M": {"id": {"S": artist}, "name": {"S": _title(random)}}}]},
        "album": {"M": album},
        "duration_ms": {"N": str(random.randint(90_000, 420_000))},
        "explicit": {"BOOL": random.random() < 0.3},
        "genre": {"S": random.choice(_GENRES)},
        "by_market": {"M": {market: _market(random) for market in markets}},
        "rank": {"N": str(random.randint(1, 10))},
        "popularity": {"N": str(random.randint(1, 99))},
        "source": {"S": "spotify"},
        "fetched_at": {"S": _moment(random)},
    }
    if number % 3 == 0:
        item["genres"] = {"SS": random.sample(_GENRES, 3)}
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"))


def small(random: Random, number: int) -> str:
    """An item of five short attributes."""
    return (
        f'{{"artist_id":{{"S":"{_id(number // 10)}"}},"id":{{"S":"{_id(number)}"}},'
        f'"rank":{{"N":"{random.randint(1, 10)}"}},"popularity":{{"N":"{random.randint(1, 99)}"}},'
        f'"genre":{{"S":"{random.choice(_GENRES)}"}},"fetched_at":{{"S":"{_moment(random)}"}}}}'
    )


KINDS: dict[str, MakeItem] = {"track": track, "small": small}


def items(kind: str, count: int, seed: int = SEED) -> Iterator[str]:
    """`count` items as JSON text; all keys differ."""
    random, make = Random(f"{kind}/{seed}"), KINDS[kind]
    return (make(random, number) for number in range(count))


def write_export(folder: Path, kind: str, count: int) -> tuple[Path, ...]:
    """The items as export lines in `FILES` data files; made once, then found again."""
    return _write(folder / f"{kind}-{count}", items(kind, count), count)


def write_other_side(folder: Path, kind: str, count: int) -> tuple[Path, ...]:
    """The same items with known differences: `differences(count)` says how many of each."""
    changed, missing, added = differences(count)
    lines = _altered(kind, count, changed, missing, added)
    return _write(folder / f"{kind}-{count}-other", lines, count - missing + added)


def differences(count: int) -> tuple[int, int, int]:
    """Items changed, missing and added on the other side; at least one of each."""
    changed, missing, added = (max(1, share * count // _MILLION) for share in (CHANGED, MISSING, ADDED))
    return changed, missing, added


def _altered(kind: str, count: int, changed: int, missing: int, added: int) -> Iterator[str]:
    change_each, lose_each = count // changed, count // missing
    lost_at = {lose_each * number + lose_each - 1 for number in range(missing)}
    changed_at = {at + 1 if at in lost_at else at for at in range(0, change_each * changed, change_each)}
    for number, text in enumerate(items(kind, count)):
        if number in changed_at:
            yield text.replace('"fetched_at":{"S":"2026', '"fetched_at":{"S":"2027', 1)
        elif number not in lost_at:
            yield text
    random, make = Random(f"{kind}/added"), KINDS[kind]
    for number in range(added):
        yield make(random, count + number)


def _write(folder: Path, lines: Iterator[str], count: int) -> tuple[Path, ...]:
    paths = tuple(folder / f"part-{number:03d}.json.gz" for number in range(FILES))
    done = folder / "done"
    if done.exists():
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    each = -(-count // FILES)
    written = 0
    for path in paths:
        # mtime 0: equal items give equal files.
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 4, raw, mtime=0) as file:
            for _ in range(min(each, count - written)):
                file.write(f'{{"Item":{next(lines)}}}\n'.encode())
                written += 1
    if written != count or next(lines, None) is not None:
        raise ValueError(f"{folder}: {written} lines written, {count} expected")
    done.touch()
    return paths


def _id(number: int) -> str:
    """22 characters, as long as a Spotify id; scattered, and different for different numbers."""
    return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:06x}"


def _title(random: Random) -> str:
    return " ".join(random.choices(_WORDS, k=random.randint(1, 4)))


def _moment(random: Random) -> str:
    second = random.randrange(86_400)
    return f"2026-11-{random.randint(1, 20):02d}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"


def _market(random: Random) -> dict[str, object]:
    members = {
        "rank": {"N": str(random.randint(1, 10))},
        "source": {"S": "spotify"},
        "fetched_at": {"S": _moment(random)},
        "run": {"S": "20261121T070000Z-load"},
        "popularity": {"N": str(random.randint(1, 99))},
    }
    return {"M": members}
