"""The counts of a load, and the sums that must hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from loader.checkpoint import ArtistRecord
from loader.errors import CountsDoNotAddUp, LoaderError


class Status(StrEnum):
    """Where one artist stands in one market."""

    LOADED = "loaded"
    EMPTY = "empty"
    REFUSED = "refused"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class MarketCounts:
    """`artists = loaded + empty + refused + quarantined + pending`; pending is 0 in a finished load."""

    artists: int
    loaded: int
    empty: int
    refused: int
    quarantined: int
    pending: int


@dataclass(frozen=True, slots=True)
class RowCounts:
    """`read = written + unchanged + duplicates + rejected`.

    A duplicate went into an item of the same key: `other_markets` of them are the same track in another
    market, the rest stood twice in one answer.
    """

    read: int
    written: int
    unchanged: int
    duplicates: int
    rejected: int
    other_markets: int


@dataclass(frozen=True, slots=True)
class LoadReport:
    """The whole outcome; `error` is what ended the load early, None when it finished or was interrupted."""

    run: str
    finished: bool
    interrupted: bool
    error: LoaderError | None
    artists: int
    markets: Mapping[str, MarketCounts]
    rows: RowCounts
    quarantined: int
    nulls: int
    dropped_numbers: int
    distinct_keys: int
    prunable: int
    pruned: int
    without_items: Sequence[tuple[str, str]]
    silent_markets: Sequence[str]
    differing: Sequence[tuple[str, str]]
    dead_letter: Path | None
    seconds: float


def count_markets(
    records: Iterable[ArtistRecord], artists: int, markets: Sequence[str], *, finished: bool
) -> dict[str, MarketCounts]:
    """The counts per market, with the sum asserted."""
    tallies = {market: dict.fromkeys(Status, 0) for market in markets}
    for record in records:
        for market in markets:
            tallies[market][Status(record.markets[market])] += 1
    return {market: _market(market, tally, artists, finished) for market, tally in tallies.items()}


def count_rows(records: Sequence[ArtistRecord]) -> RowCounts:
    """The counts of rows, with the sum asserted."""
    counts = RowCounts(
        read=sum(record.read for record in records),
        written=sum(record.written for record in records),
        unchanged=sum(record.unchanged for record in records),
        duplicates=sum(record.duplicates for record in records),
        rejected=sum(record.rejected for record in records),
        other_markets=sum(record.other_markets for record in records),
    )
    placed = counts.written + counts.unchanged + counts.duplicates + counts.rejected
    if counts.read != placed:
        raise CountsDoNotAddUp(
            f"{counts.read} rows read, {placed} accounted for",
            why=f"written {counts.written}, unchanged {counts.unchanged}, "
            f"duplicates {counts.duplicates}, rejected {counts.rejected}",
        )
    return counts


def silent_markets(markets: Mapping[str, MarketCounts]) -> tuple[str, ...]:
    """Markets in which not one artist has a track: a second loop over a spent cursor looks like this."""
    return tuple(market for market, counts in markets.items() if counts.artists and not counts.loaded)


def _market(market: str, tally: Mapping[Status, int], artists: int, finished: bool) -> MarketCounts:
    pending = artists - sum(tally.values())
    if pending < 0 or (finished and pending):
        raise CountsDoNotAddUp(
            f"market {market}: {artists} artists, {sum(tally.values())} accounted for",
            why=", ".join(f"{status} {count}" for status, count in tally.items()),
        )
    return MarketCounts(
        artists,
        tally[Status.LOADED],
        tally[Status.EMPTY],
        tally[Status.REFUSED],
        tally[Status.QUARANTINED],
        pending,
    )
