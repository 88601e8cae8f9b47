"""Merging the answers of several markets with what the table holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loader.items import Item, entries_of, item_bytes, settled
from loader.merge import merge_artist, without_entries
from loader.models import RejectedRow
from tests.unit.loader.kit import answer, artist, track, track_id


def merged_items(*calls: tuple[str, object]) -> list[Item]:
    found = merge_artist(artist(), dict(calls), (), run="r1")  # type: ignore[arg-type]
    return found.writes


def test_a_track_of_two_markets_is_one_item_with_both_entries_and_the_better_rank() -> None:
    answers = {"SE": answer(track(1, 3, 60)), "US": answer(track(1, 2, 70))}
    found = merge_artist(artist(), answers, (), run="r1")
    [item] = found.writes
    assert set(entries_of(item)) == {"SE", "US"}
    assert item["rank"] == {"N": "2"}
    assert item["popularity"] == {"N": "70"}
    assert (found.read, found.duplicates, found.other_markets) == (2, 1, 1)


def test_the_order_of_markets_does_not_change_the_item() -> None:
    one, two = answer(track(1, 1, 60)), answer(track(1, 1, 70))
    forwards = merge_artist(artist(), {"SE": one, "US": two}, (), run="r").writes
    backwards = merge_artist(artist(), {"US": two, "SE": one}, (), run="r").writes
    assert forwards == backwards


def test_a_market_that_is_not_asked_again_keeps_its_entry() -> None:
    held = merge_artist(artist(), {"SE": answer(track(1, 1))}, (), run="r1").writes
    [item] = merge_artist(artist(), {"US": answer(track(1, 5))}, held, run="r2").writes
    assert set(entries_of(item)) == {"SE", "US"}
    assert item["rank"] == {"N": "1"}


def test_an_answer_equal_but_for_its_time_and_run_writes_nothing() -> None:
    held = merge_artist(artist(), {"SE": answer(track(1), at="10")}, (), run="r1").writes
    found = merge_artist(artist(), {"SE": answer(track(1), at="11")}, held, run="r2")
    assert (found.writes, found.unchanged) == ([], 1)


def test_a_repeat_inside_one_answer_loses_to_the_better_rank_and_is_counted() -> None:
    found = merge_artist(artist(), {"SE": answer(track(1, 1, 90), track(1, 2, 10))}, (), run="r")
    assert (found.read, found.repeats, len(found.writes)) == (2, 1, 1)
    assert found.writes[0]["popularity"] == {"N": "90"}


def test_a_search_does_not_replace_a_ranking_of_the_same_market_unless_asked() -> None:
    held = merge_artist(artist(), {"SE": answer(track(1, 4))}, (), run="r1").writes
    search = {"SE": answer(track(1, 1), complete=False, source="spotify-search")}
    assert merge_artist(artist(), search, held, run="r2").unchanged == 1
    [item] = merge_artist(artist(), search, held, run="r2", replace_ranked=True).writes
    assert item["source"] == {"S": "spotify-search"}


def test_what_an_answer_no_longer_knows_is_kept_from_before() -> None:
    known = replace(track(1), isrc="SEABC0000001")
    held = merge_artist(artist(), {"SE": answer(known)}, (), run="r1").writes
    found = merge_artist(artist(), {"SE": answer(track(1))}, held, run="r2")
    assert found.unchanged == 1
    assert held[0]["isrc"] == {"S": "SEABC0000001"}


def test_attributes_of_another_writer_survive() -> None:
    [held] = merge_artist(artist(), {"SE": answer(track(1))}, (), run="r1").writes
    held["expires_at"] = {"N": "1800000000"}
    [item] = merge_artist(artist(), {"US": answer(track(1))}, [held], run="r2").writes
    assert item["expires_at"] == {"N": "1800000000"}


def test_a_damaged_entry_in_the_table_is_repaired_and_never_counts_as_unchanged() -> None:
    [held] = merge_artist(artist(), {"SE": answer(track(1))}, (), run="r1").writes
    held["by_market"]["M"]["SE"] = {"S": "broken"}
    [item] = merge_artist(artist(), {"SE": answer(track(1))}, [held], run="r2").writes
    assert item["by_market"]["M"]["SE"]["M"]["rank"] == {"N": "1"}


def test_a_track_that_left_a_complete_list_is_reported_and_kept() -> None:
    held = merge_artist(artist(), {"SE": answer(track(1), track(2, 2))}, (), run="r1").writes
    found = merge_artist(artist(), {"SE": answer(track(1))}, held, run="r2")
    assert found.prunable == {"SE": [track_id(2)]}
    assert found.writes == []


def test_an_incomplete_answer_reports_nothing_as_left() -> None:
    held = merge_artist(artist(), {"SE": answer(track(1), track(2, 2))}, (), run="r1").writes
    found = merge_artist(artist(), {"SE": answer(track(1), complete=False)}, held, run="r2")
    assert found.prunable == {}


def test_removing_the_last_market_removes_the_item() -> None:
    [item] = merge_artist(artist(), {"SE": answer(track(1)), "US": answer(track(1))}, (), run="r").writes
    assert without_entries(None, item, ["SE", "US"]) is None
    left = without_entries(None, item, ["SE"])
    assert left is not None
    assert set(entries_of(left)) == {"US"}
    assert left["genre"] == {"S": "rock"}


def test_an_item_over_the_size_limit_is_rejected_and_its_neighbour_written() -> None:
    big = replace(track(1), name="x" * 410_000)
    found = merge_artist(artist(), {"SE": answer(big, track(2, 2))}, (), run="r")
    assert [item["id"]["S"] for item in found.writes] == [track_id(2)]
    assert "409600" in found.rejected[0].reason


def test_rows_that_the_decoder_rejected_are_counted_as_read_and_rejected() -> None:
    bad = replace(answer(track(1)), rejected=(RejectedRow("", "track without a usable id"),))
    found = merge_artist(artist(), {"SE": bad}, (), run="r")
    assert (found.read, len(found.rejected), len(found.writes)) == (2, 1, 1)


def test_unknown_values_are_absent_and_nothing_is_null_or_empty() -> None:
    bare = replace(track(1, popularity=None), name="", artists=(), duration_ms=None, explicit=None)
    [item] = merge_artist(replace(artist(), name=""), {"SE": answer(bare)}, (), run="r").writes
    absent = {"name", "artist_name", "artists", "album", "duration_ms", "explicit", "isrc", "popularity"}
    assert not absent & set(item)
    assert item["genre"] == {"S": "rock"}


def test_several_genres_are_a_set_and_the_index_key_stays_one_text() -> None:
    several = replace(artist(), genres=("rock", "folk"))
    [item] = merge_artist(several, {"SE": answer(track(1))}, (), run="r").writes
    assert item["genre"] == {"S": "rock"}
    assert item["genres"] == {"SS": ["folk", "rock"]}
    reordered = {**item, "genres": {"SS": ["rock", "folk"]}}
    assert settled(item) == settled(reordered)


@pytest.mark.parametrize("size", [1, 100, 10_000])
def test_the_size_of_an_item_grows_with_its_text(size: int) -> None:
    [small] = merged_items(("SE", answer(replace(track(1), name="é"))))
    [large] = merged_items(("SE", answer(replace(track(1), name="é" * (size + 1)))))
    assert item_bytes(large) - item_bytes(small) == 2 * size
