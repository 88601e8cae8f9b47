"""What the stand-in for Spotify knows."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from loader.decode import decode_tracks
from ops.sandbox.catalogue import DATA, FolderCatalogue, InventedCatalogue, in_market

CATALOGUE = InventedCatalogue(500, 1)


def test_the_size_is_about_what_was_asked_for() -> None:
    keys = {
        (artist.artist_id, str(track["id"]))
        for artist in CATALOGUE.artists
        for market in ("SE", "US")
        for track in in_market(artist.artist_id, CATALOGUE.tracks(artist.artist_id) or [], market)
    }
    assert len(CATALOGUE.artists) == 50
    assert 450 <= len(keys) <= 500


def test_the_same_seed_is_the_same_catalogue_in_another_process() -> None:
    program = (
        "import hashlib, json\nfrom ops.sandbox.catalogue import InventedCatalogue\n"
        "c = InventedCatalogue(100, 7)\n"
        "found = json.dumps([[c.tracks(a.artist_id), a.name, a.genre] for a in c.artists])\n"
        "print(hashlib.sha256(found.encode()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    one = InventedCatalogue(100, 7)
    here = json.dumps([[one.tracks(artist.artist_id), artist.name, artist.genre] for artist in one.artists])
    assert done.stdout.strip() == hashlib.sha256(here.encode()).hexdigest()
    assert InventedCatalogue(100, 8).artists[5] != one.artists[5]


def test_every_id_has_the_form_of_a_spotify_id_and_is_unique() -> None:
    ids = [artist.artist_id for artist in CATALOGUE.artists]
    own = [str(track["id"]) for artist in CATALOGUE.artists for track in CATALOGUE.tracks(artist.artist_id) or []]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[0-9A-Za-z]{22}", one) for one in [*ids, *own])


def test_two_markets_differ_and_overlap_and_some_artists_are_empty_in_one() -> None:
    many = InventedCatalogue(2000, 1)
    answers = [
        {
            market: {str(track["id"]) for track in in_market(one.artist_id, many.tracks(one.artist_id) or [], market)}
            for market in ("SE", "US")
        }
        for one in many.artists
    ]
    assert any(found["SE"] - found["US"] for found in answers)
    assert any(found["US"] - found["SE"] for found in answers)
    assert sum(bool(found["SE"] & found["US"]) for found in answers) > 150
    assert 0 < sum(not found["SE"] or not found["US"] for found in answers) < 20


def test_the_two_real_answers_are_decoded_whole_and_keep_their_notices() -> None:
    for artist in CATALOGUE.artists[:2]:
        found = decode_tracks(
            CATALOGUE.tracks(artist.artist_id) or [], complete=True, source="x", fetched_at="2026-11-20T10:00:00Z"
        )
        assert len(found.tracks) == 10
        assert all(track.isrc and track.popularity and track.duration_ms for track in found.tracks)
    notice = (DATA / "README.md").read_text()
    for path in (DATA / "real").glob("*.json"):
        assert path.name in notice
    assert "Apache License" in (DATA / "real" / "LICENSE-Apache-2.0.txt").read_text()
    assert "Jonathan Wilsson" in (DATA / "real" / "LICENSE-MIT.txt").read_text()


def test_a_large_catalogue_costs_nothing_until_it_is_asked() -> None:
    large = InventedCatalogue(1_000_000, 1)
    assert large._count == 99_998
    assert "artists" not in vars(large)


def test_a_folder_answers_what_its_files_say(tmp_path: Path) -> None:
    with (tmp_path / "artists.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["artist_id", "name", "genre"], ["a" * 22, "A", ""]])
    line = {"artist_id": "a" * 22, "response": {"tracks": [{"id": "t" * 22}]}}
    (tmp_path / "top-tracks.jsonl.gz").write_bytes(gzip.compress(json.dumps(line).encode()))
    found = FolderCatalogue(tmp_path)
    assert found.artists[0].genre is None
    assert found.tracks("a" * 22) == [{"id": "t" * 22}]
    assert found.tracks("b" * 22) is None


def test_a_folder_without_its_files_is_an_error_that_names_them(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"artists\.csv"):
        FolderCatalogue(tmp_path)
