"""The loader against the Spotify-shaped API over real HTTP: each answer that was seen in the field."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from loader.errors import (
    AnswerRefused,
    LoaderError,
    SourceBug,
    SourceCredentials,
    SourceForbidden,
    SourceQuota,
    SourceUnavailable,
)
from loader.http import RecordingDoor, RequestsDoor
from loader.items import entries_of, settled
from loader.load import LoadRequest, load
from loader.models import Artist
from loader.sources.replay import replay_source
from loader.sources.spotify_search import SpotifySearch
from loader.sources.spotify_top_tracks import SpotifyTopTracks
from ops.sandbox.catalogue import stable_number
from tests.sandbox.loader.kit import LocalApi, real_runtime
from tests.unit.loader.kit import MemoryTable, artist_id


def first(api: LocalApi) -> Artist:
    found = api.artists()[2]
    assert isinstance(found, Artist)
    return found


def test_a_load_of_two_markets_counts_every_artist_and_holds_both_markets(
    api: LocalApi, table: MemoryTable, tmp_path: Path
) -> None:
    report = api.load(tmp_path, table)
    assert report.finished
    for counts in report.markets.values():
        assert counts.artists == counts.loaded + counts.empty == 20
        assert counts.loaded > 0
    rows = report.rows
    assert rows.read == rows.written + rows.unchanged + rows.duplicates + rows.rejected
    assert len(table.items) == rows.written == report.distinct_keys
    assert api.requests("token") == 1
    assert api.requests("top-tracks") == 40
    markets = [frozenset(entries_of(item)) for item in table.items.values()]
    assert {frozenset({"SE"}), frozenset({"US"}), frozenset({"SE", "US"})} == set(markets)


def test_a_market_hides_tracks_by_the_stable_rule(api: LocalApi) -> None:
    source = SpotifyTopTracks(api.client(real_runtime()))
    one = first(api)
    for market in ("SE", "US", "JP"):
        shown = {track.track_id for track in source.tracks(one, market).tracks}
        every = {str(track["id"]) for track in api.api.catalogue.tracks(one.artist_id) or []}
        hidden = {track_id for track_id in every if stable_number(f"{track_id}{market}") % 10 == 0}
        assert shown == every - hidden


def test_ranks_follow_popularity_and_unknown_artists_are_quarantined(
    api: LocalApi, table: MemoryTable, tmp_path: Path
) -> None:
    source = SpotifyTopTracks(api.client(real_runtime()))
    found = source.tracks(first(api), "SE")
    popularity = [track.popularity or 0 for track in found.tracks]
    assert popularity == sorted(popularity, reverse=True)
    unknown = Artist(artist_id(7), "Nobody", "rock")
    report = load(LoadRequest([unknown], ("SE",), "r", "t", tmp_path), source, table, real_runtime())
    assert report.markets["SE"].quarantined == 1
    assert report.dead_letter is not None
    assert "non existing id" in report.dead_letter.read_text()


@pytest.mark.parametrize(
    ("fault", "more", "error", "words"),
    [
        ("forbidden", {}, SourceForbidden, "top-tracks is not open"),
        ("premium", {}, SourceForbidden, "Premium"),
        ("quota", {}, SourceQuota, "used up until"),
        ("rate-limit-text", {"retry_after": "4397"}, SourceQuota, "used up until"),
        ("rate-limit", {"retry_after": "48925"}, SourceQuota, "used up until"),
        ("bad-request", {}, SourceBug, "Invalid limit"),
        ("expired-token", {}, SourceCredentials, "just issued"),
        ("server-error", {}, SourceUnavailable, "503"),
        ("not-json", {}, SourceUnavailable, "maintenance"),
        ("cut-body", {}, SourceUnavailable, "after 5 tries"),
        ("reset", {}, SourceUnavailable, "after 5 tries"),
    ],
)
def test_an_answer_that_stays_ends_the_load_quickly_and_keeps_the_counts(
    api: LocalApi, table: MemoryTable, tmp_path: Path, fault: str, more: dict[str, object],
    error: type[LoaderError], words: str,
) -> None:  # fmt: skip
    api.fault(fault, path="top-tracks", skip=8, **more)
    began = time.monotonic()
    report = api.load(tmp_path, table)
    assert time.monotonic() - began < 3
    assert isinstance(report.error, error)
    assert words in str(report.error)
    assert not report.finished
    counts = report.markets["SE"]
    assert counts.pending > 0
    assert counts.artists == counts.loaded + counts.empty + counts.refused + counts.quarantined + counts.pending
    api.api.faults.clear()
    resumed = api.load(tmp_path, table)
    assert resumed.finished
    assert resumed.markets["SE"].pending == 0


@pytest.mark.parametrize(
    ("fault", "more"),
    [
        ("expired-token", {"count": 1}),
        ("invalid-token", {"count": 1}),
        ("rate-limit", {"count": 3, "retry_after": "1"}),
        ("rate-limit", {"count": 1}),
        ("rate-limit", {"count": 1, "retry_after": "-1"}),
        ("server-error", {"count": 3, "status": 502}),
        ("cut-body", {"count": 2}),
        ("reset", {"count": 2}),
        ("not-json", {"count": 2}),
        ("slow", {"count": 5}),
    ],
)
def test_a_passing_fault_costs_no_artist(
    api: LocalApi, table: MemoryTable, tmp_path: Path, fault: str, more: dict[str, object]
) -> None:
    api.fault(fault, path="top-tracks", **more)
    report = api.load(tmp_path, table)
    assert report.finished
    assert all(counts.loaded + counts.empty == 20 for counts in report.markets.values())


def test_an_artist_that_is_refused_does_not_stop_the_others(api: LocalApi, table: MemoryTable, tmp_path: Path) -> None:
    api.fault("gone", path="top-tracks", market="SE", count=1)
    api.fault("wrong-shape", path="top-tracks", market="US", count=1)
    report = api.load(tmp_path, table)
    assert report.finished
    assert report.markets["SE"].refused == report.markets["US"].refused == 1


def test_nulls_decimals_and_not_a_number_are_counted_and_not_stored(
    api: LocalApi, table: MemoryTable, tmp_path: Path
) -> None:
    api.fault("null-entries", path="top-tracks", count=1)
    api.fault("odd-numbers", path="top-tracks", count=1)
    report = api.load(tmp_path, table)
    assert report.finished
    assert report.nulls == 2
    assert report.dropped_numbers == 1
    numbers = [item["duration_ms"]["N"] for item in table.items.values()]
    assert all(number.isdecimal() for number in numbers)


def test_an_oversized_item_is_dead_lettered_and_its_neighbours_are_written(
    api: LocalApi, table: MemoryTable, tmp_path: Path
) -> None:
    api.fault("bad-items", path="top-tracks", market="SE", count=1)
    report = api.load(tmp_path, table)
    assert report.finished
    assert report.rows.rejected in (0, 1)
    assert report.rows.read == report.rows.written + report.rows.duplicates + report.rows.rejected
    assert report.dead_letter is None or "limit is 409600" in report.dead_letter.read_text()


def test_development_mode_closes_top_tracks_and_search_still_works(
    api: LocalApi, table: MemoryTable, tmp_path: Path
) -> None:
    api.api.mode = "development"
    refused = api.load(tmp_path / "top", table)
    assert isinstance(refused.error, SourceForbidden)
    assert "search" in refused.error.hint
    report = api.load(tmp_path / "search", table, search=True)
    assert report.finished
    assert report.rows.written > 50
    item = next(iter(table.items.values()))
    assert item["source"] == {"S": "spotify-search"}
    assert "popularity" not in item


def test_a_search_keeps_only_tracks_of_the_wanted_artist(api: LocalApi) -> None:
    source = SpotifySearch(api.client(real_runtime()), pages=2)
    wanted = first(api)
    found = source.tracks(replace(wanted, name=wanted.name.split()[0]), "SE")
    assert found.tracks
    assert not found.complete
    for track in found.tracks:
        assert wanted.artist_id in [credit.artist_id for credit in track.artists]
    with pytest.raises(AnswerRefused):
        source.tracks(replace(wanted, name=""), "SE")


def test_a_wrong_secret_stops_the_load_and_appears_nowhere(api: LocalApi, table: MemoryTable, tmp_path: Path) -> None:
    secret = "a-wrong-secret-value"
    source = SpotifyTopTracks(api.client(real_runtime(), secret=secret))
    report = load(LoadRequest(api.artists(), ("SE",), "r", "t", tmp_path), source, table, real_runtime())
    assert isinstance(report.error, SourceCredentials)
    assert api.requests("top-tracks") == 0
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert secret not in f"{report}{report.error!r}{report.error.hint}{written}"


def test_a_recorded_load_replays_offline_to_the_same_table(api: LocalApi, table: MemoryTable, tmp_path: Path) -> None:
    runtime = real_runtime()
    recording = RecordingDoor(RequestsDoor(), tmp_path / "recording")
    source = SpotifyTopTracks(api.client(runtime, door=recording))
    request = LoadRequest(api.artists(), ("SE", "US"), "run-1", "t", tmp_path / "1")
    load(request, source, table, runtime)
    calls = api.requests("top-tracks")
    offline = MemoryTable()
    replayed = replay_source(tmp_path / "recording", runtime)
    report = load(replace(request, folder=tmp_path / "2"), replayed, offline, runtime)
    assert report.finished
    assert api.requests("top-tracks") == calls
    assert {key: settled(item) for key, item in offline.items.items()} == {
        key: settled(item) for key, item in table.items.items()
    }
