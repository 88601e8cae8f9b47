"""The load: every artist in every market, merged, written, counted, resumable.

Artists are read once and are the outer loop; markets are the inner one. Requests run in a few threads;
writes, checkpoint and counts belong to the calling thread alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loader import report as counting
from loader.checkpoint import ArtistRecord, Checkpoint, LoadIdentity
from loader.errors import ArtistSkipped, CountsDoNotAddUp, Interrupted, LoaderError
from loader.files import lock, make_folder, replace_file
from loader.items import Item
from loader.markets import check_markets
from loader.merge import merge_artist
from loader.models import Answer, Artist, BadArtist
from loader.outcome import Fetched, record_of, without_items, write_dead_letters
from loader.pool import Failure, run_all
from loader.prune import Pruner, plan_pruning, prune
from loader.reconcile import read_back
from loader.report import LoadReport, Status
from loader.runtime import Runtime
from loader.sources import TrackSource

Key = tuple[str, str]
ARTISTS_PER_CHECKPOINT = 50


@dataclass(frozen=True, slots=True)
class SinkReport:
    """The acknowledged outcome of a write: `written + len(rejected)` is the number of items given."""

    written: int
    rejected: tuple[tuple[Key, str], ...] = ()


class Sink(Protocol):
    """The table, as the loader needs it. Items are DynamoDB JSON."""

    def existing(self, artist_id: str) -> Sequence[Item]:
        """Every item of the partition, all pages, strongly consistent; called from several threads."""

    def write(self, items: Sequence[Item]) -> SinkReport:
        """Put the items (no two of one key) and return when each is acknowledged or given up."""


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What to load, and where the checkpoint lies. `target` names the table, so that no other one is resumed."""

    artists: Sequence[Artist | BadArtist]
    markets: Sequence[str]
    run: str
    target: str
    folder: Path
    workers: int = 4
    batch_items: int = 200
    replace_ranked: bool = False
    prune: bool = False
    prune_share: float = 0.1
    read_back: bool = True


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What a load will cost, known before the first call."""

    artists: int
    quarantined: int
    markets: tuple[str, ...]
    calls: int
    days: float
    write_units: int


def plan(request: LoadRequest, source: TrackSource, budget: int | None) -> LoadPlan:
    """Calls, days at the budget, and an upper estimate of write units: ten items each, table and index."""
    good = [artist for artist in request.artists if isinstance(artist, Artist)]
    markets = check_markets(request.markets)
    calls = source.cost(len(good), len(markets))
    days = calls / budget if budget else 0.0
    return LoadPlan(len(request.artists), len(request.artists) - len(good), markets, calls, days, len(good) * 10 * 2)


def load(
    request: LoadRequest,
    source: TrackSource,
    sink: Sink,
    runtime: Runtime,
    *,
    pruner: Pruner | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> LoadReport:
    """Run or resume. A `LoaderError` that ends it early is in the report, beside what was done until then.

    Errors of the sink, of the checkpoint and of the counts are raised.
    """
    markets = check_markets(request.markets)
    make_folder(request.folder)
    with lock(request.folder / "lock", f"run {request.run}"):
        identity = LoadIdentity(request.run, request.target, source.name, markets)
        run = _Run(request, markets, source, sink, runtime, Checkpoint(request.folder, identity))
        ended: LoaderError | None = None
        try:
            run.work(on_progress)
            run.prove_and_prune(pruner)
        except LoaderError as error:
            if isinstance(error, CountsDoNotAddUp):
                raise
            ended = error
        return run.report(ended)


class _Run:
    """One process's share of a load."""

    def __init__(
        self,
        request: LoadRequest,
        markets: tuple[str, ...],
        source: TrackSource,
        sink: Sink,
        runtime: Runtime,
        checkpoint: Checkpoint,
    ) -> None:
        self._request = request
        self._markets = markets
        self._source = source
        self._sink = sink
        self._runtime = runtime
        self._checkpoint = checkpoint
        self._started = self._runtime.monotonic()
        self._pruned = 0
        self._differing: Sequence[Key] = ()
        self._artists = _distinct(request.artists)

    def work(self, on_progress: Callable[[int, int], None] | None) -> None:
        """Fetch, write and check off every artist that is not checked off yet."""
        self._quarantine_rows()
        done = self._checkpoint.records
        todo = [
            artist for artist in self._artists.values() if isinstance(artist, Artist) and artist.artist_id not in done
        ]
        waiting: list[Fetched] = []
        for result in run_all(self._fetch, todo, self._request.workers):
            self._runtime.check()
            if isinstance(result, Failure):
                self._end_early(result, waiting)
            if isinstance(result, Fetched):
                waiting.append(result)
            if waiting and (result is None or self._is_full(waiting)):
                self._write(waiting)
                waiting = []
                if on_progress is not None:
                    on_progress(len(done), len(self._artists))
        self._write(waiting)
        if on_progress is not None:
            on_progress(len(done), len(self._artists))

    def _is_full(self, waiting: Sequence[Fetched]) -> bool:
        items = sum(len(fetched.merged.writes) for fetched in waiting)
        return items >= self._request.batch_items or len(waiting) >= ARTISTS_PER_CHECKPOINT

    def _records(self) -> list[ArtistRecord]:
        """The artists of this request that are checked off; one that has left the table since counts no more."""
        return [record for name, record in self._checkpoint.records.items() if name in self._artists]

    def prove_and_prune(self, pruner: Pruner | None) -> None:
        """Read every item back; then, if asked, remove what complete answers no longer name.

        A pruned load is not read back again: pruning has changed items on purpose.
        """
        marker = self._request.folder / "pruned"
        if marker.exists():
            return
        records = self._records()
        if self._request.read_back:
            self._differing = read_back(records, self._sink.existing, self._runtime, self._request.workers)
        if self._request.prune and not self._differing:
            steps = plan_pruning(records, self._sink.existing, self._request.prune_share)
            self._pruned = prune(steps, self._sink.write, pruner, self._runtime)
            replace_file(marker, f"{self._pruned}\n")

    def report(self, ended: LoaderError | None) -> LoadReport:
        """The counts of everything in the checkpoint, and the dead-letter file."""
        records = self._records()
        finished = len(records) == len(self._artists)
        markets = counting.count_markets(records, len(self._artists), self._markets, finished=finished)
        return LoadReport(
            run=self._request.run,
            finished=finished and ended is None,
            interrupted=isinstance(ended, Interrupted),
            error=None if isinstance(ended, Interrupted) else ended,
            artists=len(self._artists),
            markets=markets,
            rows=counting.count_rows(records),
            quarantined=sum(Status.QUARANTINED in record.markets.values() for record in records),
            nulls=sum(record.nulls for record in records),
            dropped_numbers=sum(record.dropped_numbers for record in records),
            distinct_keys=sum(len(record.digests) for record in records),
            prunable=sum(len(stale) for record in records for stale in record.prunable.values()),
            pruned=self._pruned,
            without_items=without_items(records),
            silent_markets=counting.silent_markets(markets) if finished else (),
            differing=self._differing,
            dead_letter=write_dead_letters(self._request.folder, records),
            seconds=self._runtime.monotonic() - self._started,
        )

    def _quarantine_rows(self) -> None:
        """Rows that are no artists count in every market, and never reach the source."""
        bad = [(name, row) for name, row in self._artists.items() if isinstance(row, BadArtist)]
        fresh = [
            ArtistRecord(
                name,
                dict.fromkeys(self._markets, Status.QUARANTINED),
                dead=({"kind": "artist", "artist_id": row.artist_id, "reason": row.reason},),
            )
            for name, row in bad
            if name not in self._checkpoint.records
        ]
        if fresh:
            self._checkpoint.add(fresh)

    def _fetch(self, artist: Artist) -> Fetched:
        """All markets of one artist, and the merge with what the table holds. Runs in a thread."""
        answers: dict[str, Answer] = {}
        skipped: dict[str, ArtistSkipped] = {}
        for market in self._markets:
            self._runtime.check()
            try:
                answers[market] = self._source.tracks(artist, market)
            except ArtistSkipped as reason:
                skipped[market] = reason
        held = self._sink.existing(artist.artist_id) if answers else ()
        merged = merge_artist(artist, answers, held, run=self._request.run, replace_ranked=self._request.replace_ranked)
        return Fetched(artist, answers, skipped, merged)

    def _end_early(self, failure: Failure, waiting: list[Fetched]) -> None:
        """Keep what was paid for, then raise. After a stop nothing more is sent."""
        if isinstance(failure.cause, LoaderError) and not isinstance(failure.cause, Interrupted):
            self._write(waiting)
        raise failure.cause

    def _write(self, fetched: Sequence[Fetched]) -> None:
        """Write, wait for the acknowledgement, and only then check the artists off."""
        items = [item for one in fetched for item in one.merged.writes]
        refused: dict[Key, str] = {}
        if items:
            outcome = self._sink.write(items)
            refused = dict(outcome.rejected)
            if outcome.written + len(refused) != len(items):
                raise CountsDoNotAddUp(
                    f"{len(items)} items given to the table",
                    why=f"{outcome.written} acknowledged and {len(refused)} rejected",
                )
        if fetched:
            self._checkpoint.add([record_of(one, refused) for one in fetched])


def _distinct(rows: Sequence[Artist | BadArtist]) -> dict[str, Artist | BadArtist]:
    """Every artist id once; a second row of an id counts as a row that cannot be loaded."""
    found: dict[str, Artist | BadArtist] = {}
    for number, row in enumerate(rows, 1):
        if isinstance(row, Artist) and row.artist_id not in found:
            found[row.artist_id] = row
            continue
        reason = row.reason if isinstance(row, BadArtist) else "this id stands on an earlier row"
        found[f"row {number}: {row.artist_id}"] = BadArtist(row.artist_id, reason)
    return found
