"""Merge the answers of all markets with the items a table holds, before anything is written.

One track is one item, whatever number of markets has it: each market is an entry of `by_market`. Writing
market by market would let the last one win.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loader.items import Item, MarketEntry, assemble, digest, entries_of, facts_of, key_of, refusal, settled
from loader.models import Answer, Artist, Track

RANKED_SOURCE = "spotify-top-tracks"
SEARCH_SOURCE = "spotify-search"


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item or row that is not written, with the reason; `item` is what would have been written."""

    key: tuple[str, str]
    reason: str
    item: Item | None = None


@dataclass(slots=True)
class Merged:
    """What one artist comes to. `read = items + duplicates + rejected rows` by construction."""

    writes: list[Item] = field(default_factory=list)
    unchanged: int = 0
    read: int = 0
    repeats: int = 0
    other_markets: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    prunable: dict[str, list[str]] = field(default_factory=dict)

    @property
    def duplicates(self) -> int:
        """Rows that went into an item of the same key: a repeat, or the same track in another market."""
        return self.repeats + self.other_markets


def merge_artist(
    artist: Artist,
    answers: Mapping[str, Answer],
    held: Sequence[Item],
    *,
    run: str,
    replace_ranked: bool = False,
) -> Merged:
    """The items to write for one artist, and where every row of the answers went."""
    merged = Merged()
    held_by_id = {key_of(item)[1]: item for item in held}
    for track_id, rows in _rows_by_track(artist, answers, merged).items():
        item = _merge_track(artist, rows, answers, held_by_id.get(track_id), run, replace_ranked)
        _settle(merged, item, held_by_id.get(track_id))
    merged.prunable = _prunable(answers, held)
    return merged


def without_entries(artist: Artist | None, item: Item, markets: Sequence[str]) -> Item | None:
    """The item without these markets; None when no market is left."""
    entries = {market: entry for market, entry in entries_of(item).items() if market not in markets}
    if not entries:
        return None
    kept_genre = Artist(item["artist_id"]["S"], "", item["genre"]["S"], tuple(item.get("genres", {}).get("SS", ())))
    return assemble(artist or kept_genre, item, entries)


def _rows_by_track(artist: Artist, answers: Mapping[str, Answer], merged: Merged) -> dict[str, list[tuple[str, Track]]]:
    """Rows per track; inside one market the first, which has the better rank, wins."""
    rows: dict[str, list[tuple[str, Track]]] = {}
    for market, answer in answers.items():
        merged.read += len(answer.tracks) + len(answer.rejected)
        merged.rejected += [Rejected((artist.artist_id, row.track_id), row.reason) for row in answer.rejected]
        seen: set[str] = set()
        for track in answer.tracks:
            if track.track_id in seen:
                merged.repeats += 1
                continue
            seen.add(track.track_id)
            merged.other_markets += track.track_id in rows
            rows.setdefault(track.track_id, []).append((market, track))
    return rows


def _merge_track(
    artist: Artist,
    rows: Sequence[tuple[str, Track]],
    answers: Mapping[str, Answer],
    held: Item | None,
    run: str,
    replace_ranked: bool,
) -> Item:
    entries = entries_of(held) if held is not None else {}
    for market, track in rows:
        answer = answers[market]
        entry = MarketEntry(track.rank, track.popularity, answer.source, answer.fetched_at, run)
        if replace_ranked or not _outranked(entries.get(market), answer.source):
            entries[market] = entry.to_attribute()
    _, best = min(rows, key=lambda row: (row[1].rank, row[0]))
    known = {} if held is None else {name: value for name, value in held.items() if name != "genres"}
    return assemble(artist, {**known, **facts_of(artist, best)}, entries)


def _outranked(held_entry: Mapping[str, Item] | None, source: str) -> bool:
    """A search is a guess; it does not replace what the ranking itself said about the same market."""
    if held_entry is None or source != SEARCH_SOURCE:
        return False
    return bool(held_entry["M"].get("source", {}).get("S") == RANKED_SOURCE)


def _settle(merged: Merged, item: Item, held: Item | None) -> None:
    reason = refusal(item)
    if reason:
        merged.rejected.append(Rejected(key_of(item), reason, item))
        return
    merged.digests[key_of(item)[1]] = digest(item)
    if held is not None and settled(item) == settled(held):
        merged.unchanged += 1
    else:
        merged.writes.append(item)


def _prunable(answers: Mapping[str, Answer], held: Sequence[Item]) -> dict[str, list[str]]:
    """Per market: held tracks that a complete answer no longer names."""
    found: dict[str, list[str]] = {}
    for market, answer in answers.items():
        if not answer.complete:
            continue
        named = {track.track_id for track in answer.tracks} | {row.track_id for row in answer.rejected}
        stale = [key_of(item)[1] for item in held if market in entries_of(item) and key_of(item)[1] not in named]
        if stale:
            found[market] = sorted(stale)
    return found
