"""What must hold for every input: sums, merging, decoding, the checkpoint."""

from __future__ import annotations

import json
import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from loader.checkpoint import ArtistRecord, Checkpoint, LoadIdentity
from loader.decode import decode_tracks, parse_json, whole_number
from loader.items import Item, key_of, refusal, settled
from loader.merge import merge_artist
from loader.models import Answer, Artist, Credit, Track, parse_genres

OWNER = "a" * 22
ARTIST = Artist(OWNER, "Artist", "rock")
MARKETS = ("SE", "US", "JP")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)
loose_tracks = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["t" * 22, "u" * 22, "bad"]) | json_values,
        "name": json_values,
        "artists": json_values,
        "album": json_values,
        "duration_ms": json_values,
        "popularity": json_values,
        "explicit": json_values,
        "external_ids": json_values,
    },
)
tracks = st.builds(
    lambda number, popularity: Track(
        f"{number:022d}", 0, f"Track {number}", (Credit(OWNER, "Artist"),), None, 1000, None, "", popularity
    ),
    st.integers(0, 6),
    st.none() | st.integers(0, 100),
)


def ranked(found: list[Track]) -> tuple[Track, ...]:
    return tuple(
        Track(t.track_id, rank, t.name, t.artists, t.album, t.duration_ms, t.explicit, t.isrc, t.popularity)
        for rank, t in enumerate(found, 1)
    )


answers = st.dictionaries(
    st.sampled_from(MARKETS),
    st.builds(
        lambda found, complete: Answer(ranked(found), complete, "spotify-top-tracks", "2026-11-20T10:00:00Z"),
        st.lists(tracks, max_size=10),
        st.booleans(),
    ),
    max_size=3,
)


def applied(held: list[Item], writes: list[Item]) -> list[Item]:
    return list({key_of(item): item for item in [*held, *writes]}.values())


@given(st.lists(answers, min_size=1, max_size=3))
def test_every_row_is_written_unchanged_duplicate_or_rejected(rounds: list[dict[str, Answer]]) -> None:
    held: list[Item] = []
    for given_answers in rounds:
        found = merge_artist(ARTIST, given_answers, held, run="r")
        assert found.read == len(found.writes) + found.unchanged + found.duplicates + len(found.rejected)
        assert found.read == sum(len(answer.tracks) for answer in given_answers.values())
        keys = [key_of(item) for item in found.writes]
        assert len(keys) == len(set(keys))
        held = applied(held, found.writes)


@given(answers, answers)
def test_merging_the_same_answers_again_writes_nothing(first: dict[str, Answer], second: dict[str, Answer]) -> None:
    held = applied([], merge_artist(ARTIST, first, [], run="1").writes)
    held = applied(held, merge_artist(ARTIST, second, held, run="2").writes)
    assert merge_artist(ARTIST, second, held, run="3").writes == []


@given(answers)
def test_market_by_market_and_all_at_once_give_the_same_table(found: dict[str, Answer]) -> None:
    at_once = merge_artist(ARTIST, found, [], run="r").writes
    held: list[Item] = []
    for market in found:
        held = applied(held, merge_artist(ARTIST, {market: found[market]}, held, run="r").writes)
    wanted = {key_of(item): settled(item)["by_market"] for item in at_once}
    assert {key_of(item): settled(item)["by_market"] for item in held} == wanted
    assert {key_of(item): item["rank"] for item in held} == {key_of(item): item["rank"] for item in at_once}


@given(st.lists(st.none() | loose_tracks | json_values, max_size=4))
def test_no_answer_breaks_the_decoder_and_every_entry_is_counted(entries: list[object]) -> None:
    document = parse_json(json.dumps(entries))
    found = decode_tracks(document, complete=True, source="file", fetched_at="2026-11-20T10:00:00Z")
    assert len(found.tracks) + len(found.rejected) + found.nulls == len(entries)
    merged = merge_artist(ARTIST, {"SE": found}, [], run="r")
    for item in merged.writes:
        assert refusal(item) == ""
        assert all(value != {"S": ""} for value in item.values())


@given(st.binary(max_size=60))
def test_parsing_any_bytes_gives_a_document_or_a_value_error(body: bytes) -> None:
    try:
        parse_json(body)
    except ValueError:
        return


@given(st.integers(-(10**11), 10**11))
def test_an_integral_decimal_is_the_integer(number: int) -> None:
    assert whole_number(Decimal(f"{number}.0")) == number == whole_number(number)
    assert whole_number(Decimal(number) + Decimal("0.5")) is None


@given(st.none() | st.text() | st.lists(st.none() | st.text(), max_size=4))
def test_a_genre_is_never_empty_and_normal_forms_are_stable(value: object) -> None:
    found = parse_genres(value)
    assert all(found)
    assert parse_genres(list(found)) == found


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2000))
def test_a_checkpoint_cut_anywhere_keeps_a_prefix(artists: int, cut: int) -> None:
    identity = LoadIdentity("run", "table", "file", ("SE",))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Checkpoint(folder, identity).add([ArtistRecord(f"a{n}", {"SE": "loaded"}) for n in range(artists)])
        done = folder / "done.jsonl"
        content = done.read_bytes()
        done.write_bytes(content[: min(cut, len(content))])
        kept = list(Checkpoint(folder, identity).records)
        assert kept == [f"a{n}" for n in range(content[: min(cut, len(content))].count(b"\n"))]
