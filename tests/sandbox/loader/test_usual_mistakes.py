"""The eighteen mistakes of the usual tutorial loader: one test each, by number.

Numbers 5, 6 and 8 are about the table's side of the seam: paging, UnprocessedItems and the batch size are
tested with `ops.dynamodb`; here stands what the loader itself must do about them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

import loader
from loader.artists import Database, read_artists
from loader.decode import decode_tracks, parse_json
from loader.errors import BadLoadRequest, SourceQuota, UnsafeDatabase
from loader.http import RequestsDoor
from loader.items import Item, entries_of, key_of
from loader.load import LoadRequest, SinkReport, load
from loader.merge import merge_artist
from loader.models import Artist, parse_artist
from loader.mysql import MySqlDriver
from loader.sources.spotify_top_tracks import SpotifyTopTracks
from tests.sandbox.loader.kit import LocalApi, real_runtime
from tests.unit.loader.kit import (
    ManualClock,
    MemoryTable,
    ScriptedSource,
    answer,
    artist,
    artist_id,
    track,
    track_id,
)

SOURCES = sorted(Path(loader.__file__).parent.rglob("*.py"))


def test_mistake_01_the_second_market_is_not_read_from_a_spent_cursor(
    api: LocalApi, table: MemoryTable, tmp_path: Path
) -> None:
    report = api.load(tmp_path, table)
    assert report.markets["SE"].loaded > 0
    assert report.markets["US"].loaded > 0
    assert report.silent_markets == ()


def test_mistake_02_no_market_is_chosen_in_the_source_code(tmp_path: Path) -> None:
    with pytest.raises(BadLoadRequest, match="no market"):
        load(LoadRequest([], (), "r", "t", tmp_path), ScriptedSource({}), MemoryTable(), real_runtime())
    literals = {
        node.value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not literals & {"US", "SE", "GB", "DE", "JP"}


def test_mistake_03_the_same_track_of_two_markets_keeps_both_facts() -> None:
    answers = {"SE": answer(track(1, 1, 80)), "US": answer(track(1, 7, 20))}
    [item] = merge_artist(artist(), answers, (), run="r").writes
    assert {market: entry["M"]["rank"]["N"] for market, entry in entries_of(item).items()} == {"SE": "1", "US": "7"}


def test_mistake_04_numbers_are_exact_and_not_a_number_is_dropped_and_counted() -> None:
    first = '{"id":"' + track_id(1) + '","popularity":85.0,"duration_ms":122.036}'
    second = '{"id":"' + track_id(2) + '","popularity":NaN}'
    document = parse_json(f"[{first},{second}]")
    assert document[0]["duration_ms"] == Decimal("122.036")
    found = decode_tracks(document, complete=True, source="file", fetched_at="2026-11-20T10:00:00Z")
    assert [one.popularity for one in found.tracks] == [85, None]
    assert found.dropped_numbers == 2


def test_mistake_05_what_the_table_holds_is_asked_per_artist_and_used_whole(table: MemoryTable) -> None:
    many = [merge_artist(artist(), {"SE": answer(track(n))}, (), run="r").writes[0] for n in range(60)]
    table.write(many)
    assert merge_artist(artist(), {"SE": answer(track(59))}, table.existing(artist_id(1)), run="s").unchanged == 1


def test_mistake_06_items_go_to_the_table_in_batches_and_leftovers_to_the_dead_letter_file(
    api: LocalApi, table: MemoryTable, tmp_path: Path
) -> None:
    one = api.artists()[3]
    assert isinstance(one, Artist)
    victim = SpotifyTopTracks(api.client(real_runtime())).tracks(one, "SE").tracks[0].track_id
    table.refuse[one.artist_id, victim] = "unprocessed after the retry budget"
    report = api.load(tmp_path, table)
    assert len(table.writes) < report.rows.written / 5
    assert report.rows.rejected == 1
    assert report.dead_letter is not None
    assert victim in report.dead_letter.read_text()


def test_mistake_07_no_write_holds_one_key_twice(api: LocalApi, table: MemoryTable, tmp_path: Path) -> None:
    artists = api.artists()
    source = SpotifyTopTracks(api.client(real_runtime()))
    report = load(LoadRequest([*artists, *artists], ("SE", "US"), "r", "t", tmp_path), source, table, real_runtime())
    for keys in table.writes:
        assert len(keys) == len(set(keys))
    assert report.rows.duplicates > 0
    assert report.markets["SE"].quarantined == len(artists)


def test_mistake_08_the_size_of_a_write_is_the_tables_business_and_its_count_is_checked(tmp_path: Path) -> None:
    class Counting(MemoryTable):
        def write(self, items: Sequence[Item]) -> SinkReport:
            assert len({key_of(item) for item in items}) == len(items)
            return super().write(items)

    answers = {
        (artist_id(n), "SE"): answer(*(track(n * 100 + k, k + 1, artist=n) for k in range(30))) for n in range(3)
    }
    table = Counting()
    artists = [artist(n) for n in range(3)]
    report = load(LoadRequest(artists, ("SE",), "r", "t", tmp_path), ScriptedSource(answers), table, real_runtime())
    assert report.rows.written == len(table.items) == 90


@pytest.mark.parametrize("genre", [None, "", "  ", [], [None], ["", "  "]])
def test_mistake_09_the_index_key_is_one_text_and_never_absent(genre: object) -> None:
    one = parse_artist(artist_id(1), "A", genre)
    assert isinstance(one, Artist)
    [item] = merge_artist(one, {"SE": answer(track(1))}, (), run="r").writes
    assert item["genre"] == {"S": "unknown"}


def test_mistake_10_a_token_that_expires_during_the_load_is_renewed(
    api: LocalApi, table: MemoryTable, tmp_path: Path
) -> None:
    api.api.config = replace(api.api.config, token_lifetime_s=0.15)
    api.fault("slow", path="top-tracks", seconds=0.02)
    report = api.load(tmp_path, table)
    assert report.finished
    assert api.requests("token") > 1


def test_mistake_11_a_huge_retry_after_is_not_slept(api: LocalApi, table: MemoryTable, tmp_path: Path) -> None:
    api.fault("rate-limit", path="top-tracks", retry_after="48925")
    report = api.load(tmp_path, table)
    assert isinstance(report.error, SourceQuota)
    assert report.seconds < 2
    session = RequestsDoor()._session()
    assert session.get_adapter("https://x").max_retries.total == 0  # type: ignore[attr-defined]
    session.close()


def test_mistake_12_no_source_file_holds_a_secret() -> None:
    suspicious = re.compile(r"(?i)(client_secret|password|token)\s*=\s*['\"][^'\"]+['\"]")
    found = [(path.name, hit.group()) for path in SOURCES for hit in suspicious.finditer(path.read_text())]
    assert found == []


def test_mistake_13_ids_that_differ_in_case_stay_apart_and_a_merging_column_is_refused() -> None:
    one, two = parse_artist("0tN" + "x" * 19, "A", "rock"), parse_artist("0tn" + "x" * 19, "A", "rock")
    assert one != two
    problem = MySqlDriver().collation_problem(
        Database("mysql", "/s", 0, "music", "u", lambda: ""), [("utf8mb4_0900_ai_ci",)]
    )
    assert "ascii_bin" in problem
    with pytest.raises(UnsafeDatabase):
        read_artists(Database("mysql", "db.example.com", 3306, "music", "u", lambda: ""))


def test_mistake_14_one_bad_id_does_not_stop_the_load(api: LocalApi, table: MemoryTable, tmp_path: Path) -> None:
    artists = [parse_artist("not-an-id", "A", "rock"), *api.artists(), parse_artist("", "", "")]
    source = SpotifyTopTracks(api.client(real_runtime()))
    report = load(LoadRequest(artists, ("SE",), "r", "t", tmp_path), source, table, real_runtime())
    assert report.finished
    assert report.quarantined == 2
    assert report.markets["SE"].loaded >= 18


def test_mistake_15_a_failure_does_not_lose_the_calls_that_were_made(
    api: LocalApi, table: MemoryTable, tmp_path: Path
) -> None:
    api.fault("quota", path="top-tracks", skip=20)
    api.load(tmp_path, table)
    api.api.faults.clear()
    api.load(tmp_path, table)
    # At most the artists that were in flight, one per worker, are asked for again.
    assert api.requests("top-tracks") <= 40 + 4 * 2


def test_mistake_16_stale_tracks_are_reported_and_removed_only_on_request(tmp_path: Path, clock: ManualClock) -> None:
    table, artists = MemoryTable(), [artist(n) for n in range(20)]
    full = {(artist_id(n), "SE"): answer(track(n, artist=n), track(100 + n, 2, artist=n)) for n in range(20)}
    less = {**full, (artist_id(0), "SE"): answer(track(0, artist=0))}
    wanted = LoadRequest(artists, ("SE",), "r", "t", tmp_path / "1")
    load(wanted, ScriptedSource(full), table, clock.runtime())
    report = load(replace(wanted, folder=tmp_path / "2"), ScriptedSource(less), table, clock.runtime())
    assert (report.prunable, len(table.items)) == (1, 40)
    again = replace(wanted, folder=tmp_path / "3", prune=True)
    assert load(again, ScriptedSource(less), table, clock.runtime(), pruner=table).pruned == 1
    assert len(table.items) == 39


def test_mistake_17_an_item_that_is_too_large_is_found_before_the_write(
    api: LocalApi, table: MemoryTable, tmp_path: Path
) -> None:
    api.fault("bad-items", path="top-tracks", count=2)
    report = api.load(tmp_path, table)
    assert report.finished
    assert all(len(str(item.get("name"))) < 1000 for item in table.items.values())
    assert report.rows.rejected >= 1


def test_mistake_18_a_track_of_two_artists_is_an_item_under_each(
    api: LocalApi, table: MemoryTable, tmp_path: Path
) -> None:
    api.load(tmp_path, table)
    owners: dict[str, set[str]] = {}
    for owner, one in table.items:
        owners.setdefault(one, set()).add(owner)
    assert any(len(found) == 2 for found in owners.values())
