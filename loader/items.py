"""The item of `top_tracks` as DynamoDB JSON, and the limits that DynamoDB sets it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loader.models import Artist, Track

Item = dict[str, Any]

# docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
ITEM_LIMIT_BYTES = 400 * 1024
PARTITION_KEY_LIMIT_BYTES = 2048
SORT_KEY_LIMIT_BYTES = 1024
_ENTRY_VOLATILE = ("fetched_at", "run")


@dataclass(frozen=True, slots=True)
class MarketEntry:
    """What one market says about a track: a value of the map `by_market`."""

    rank: int
    popularity: int | None
    source: str
    fetched_at: str
    run: str

    def to_attribute(self) -> dict[str, Any]:
        """The map as DynamoDB JSON; an unknown popularity is absent."""
        members: Item = {
            "rank": {"N": str(self.rank)},
            "source": {"S": self.source},
            "fetched_at": {"S": self.fetched_at},
            "run": {"S": self.run},
        }
        if self.popularity is not None:
            members["popularity"] = {"N": str(self.popularity)}
        return {"M": members}


def key_of(item: Mapping[str, Any]) -> tuple[str, str]:
    """(artist_id, track id)."""
    return str(item["artist_id"]["S"]), str(item["id"]["S"])


def entries_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """The usable entries of `by_market`; an item of another origin, or a damaged one, may have none."""
    return {market: entry for market, entry in _raw_entries(item).items() if _is_entry(entry)}


def facts_of(artist: Artist, track: Track) -> Item:
    """What a track says of itself, market apart; what is unknown is absent, never null or empty."""
    facts: Item = {"artist_id": {"S": artist.artist_id}, "id": {"S": track.track_id}}
    own_name = next((credit.name for credit in track.artists if credit.artist_id == artist.artist_id), "")
    texts = {"name": track.name, "artist_name": own_name or artist.name, "isrc": track.isrc}
    facts |= {name: {"S": text} for name, text in texts.items() if text}
    if track.artists:
        facts["artists"] = {"L": [_texts(id=one.artist_id, name=one.name) for one in track.artists]}
    if track.album is not None:
        album = track.album
        facts["album"] = _texts(id=album.album_id, name=album.name, release_date=album.release_date)
    if track.duration_ms is not None:
        facts["duration_ms"] = {"N": str(track.duration_ms)}
    if track.explicit is not None:
        facts["explicit"] = {"BOOL": track.explicit}
    return facts


def assemble(artist: Artist, facts: Mapping[str, Any], entries: Mapping[str, Any]) -> Item:
    """The whole item: facts, genre, every market's entry, and what follows from the best-ranked entry.

    `popularity` at the top is that of the entry which gave `rank`, so that a filter needs no market.
    """
    item: Item = {name: value for name, value in facts.items() if name not in ("genre", "genres", "popularity")}
    item["genre"] = {"S": artist.genre}
    if artist.genres:
        item["genres"] = {"SS": sorted(artist.genres)}
    item["by_market"] = {"M": dict(sorted(entries.items()))}
    best = min(entries.items(), key=lambda pair: (_rank(pair[1]), pair[0]))[1]["M"]
    item["rank"] = best["rank"]
    item["source"] = best["source"]
    if "popularity" in best:
        item["popularity"] = best["popularity"]
    item["fetched_at"] = {"S": max(entry["M"]["fetched_at"]["S"] for entry in entries.values())}
    return item


def settled(item: Mapping[str, Any]) -> Item:
    """The item without what changes on every run; sets in one order. Two equal ones need no write."""
    kept = {name: value for name, value in item.items() if name != "fetched_at"}
    kept["by_market"] = {"M": {market: _entry_settled(entry) for market, entry in sorted(_raw_entries(item).items())}}
    if isinstance(kept.get("genres"), dict):
        kept["genres"] = {"SS": sorted(kept["genres"].get("SS", []))}
    return kept


def digest(item: Mapping[str, Any]) -> str:
    """A short fingerprint of the settled item, to find later whether the table still holds it."""
    text = json.dumps(settled(item), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def refusal(item: Mapping[str, Any]) -> str:
    """Empty when DynamoDB accepts the item, else the limit that it breaks."""
    limits = (
        ("artist_id", PARTITION_KEY_LIMIT_BYTES),
        ("id", SORT_KEY_LIMIT_BYTES),
        ("genre", PARTITION_KEY_LIMIT_BYTES),
    )
    for name, limit_bytes in limits:
        size = len(str(item[name]["S"]).encode("utf-8", "surrogatepass"))
        if not 0 < size <= limit_bytes:
            return f"{name} has {size} bytes; 1 to {limit_bytes} are allowed"
    try:
        size = item_bytes(item)
    except UnicodeEncodeError:
        return "a text is not valid Unicode"
    return f"item has {size} bytes; the limit is {ITEM_LIMIT_BYTES}" if size > ITEM_LIMIT_BYTES else ""


def item_bytes(item: Mapping[str, Any]) -> int:
    """Size by the rules of the developer guide (CapacityUnitCalculations); numbers count their worst case."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    kind, content = next(iter(value.items()))
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(content) // 2 + 2
    if kind == "SS":
        return sum(len(text.encode()) for text in content)
    if kind == "L":
        return 3 + sum(1 + _value_bytes(entry) for entry in content)
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_bytes(entry) for name, entry in content.items())
    return 1


def _raw_entries(item: Mapping[str, Any]) -> dict[str, Any]:
    attribute = item.get("by_market")
    entries = attribute.get("M") if isinstance(attribute, Mapping) else None
    return dict(entries) if isinstance(entries, Mapping) else {}


def _is_entry(entry: object) -> bool:
    members = entry.get("M") if isinstance(entry, Mapping) else None
    if not isinstance(members, Mapping):
        return False
    rank, others = members.get("rank"), [members.get(name) for name in ("source", "fetched_at", "run")]
    texts = all(isinstance(other, Mapping) and isinstance(other.get("S"), str) for other in others)
    return texts and isinstance(rank, Mapping) and str(rank.get("N", "")).isdecimal()


def _texts(**texts: str) -> dict[str, Any]:
    return {"M": {name: {"S": text} for name, text in texts.items() if text}}


def _rank(entry: Mapping[str, Any]) -> int:
    return int(entry["M"]["rank"]["N"])


def _entry_settled(entry: object) -> object:
    members = entry.get("M") if isinstance(entry, Mapping) else None
    if not isinstance(members, Mapping):
        return entry
    return {"M": {name: members[name] for name in sorted(members) if name not in _ENTRY_VOLATILE}}
