"""Loads on larger and dirtier real data, where it lies beside the repository."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
import threading
import time
from pathlib import Path

import pytest

from loader.load import LoadRequest, load
from loader.models import Artist, BadArtist, parse_artist
from loader.sources.files import FileSource
from loader.sources.spotify_top_tracks import SpotifyTopTracks
from ops.sandbox.spotify import make_server
from ops.sandbox.spotify_api import SpotifyConfig, make_api
from tests.sandbox.loader.kit import LocalApi, real_runtime
from tests.unit.loader.kit import MemoryTable

SHARED = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not (SHARED / "music" / "artists.csv").exists(),
    reason="the large data files may not be shipped; they are read only where they lie beside the repository",
)


def rows(name: str) -> list[dict[str, str]]:
    path = SHARED / "music" / name
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_real_artists_are_loaded_over_http_and_every_one_is_accounted_for(table: MemoryTable, tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue"
    catalogue.mkdir()
    shutil.copy(SHARED / "music" / "artists.csv", catalogue)
    shutil.copy(SHARED / "spotify-api" / "made-from-tracks" / "top-tracks.jsonl.gz", catalogue)
    config = SpotifyConfig("client", "the-client-secret", "t", catalogue=str(catalogue))
    api = make_api(config, time.monotonic)
    server = make_server(api, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        local = LocalApi(api, f"http://127.0.0.1:{server.server_address[1]}")
        source = SpotifyTopTracks(local.client(real_runtime()))
        artists = [parse_artist(row["artist_id"], row["name"], row["genre"]) for row in rows("artists.csv")]
        request = LoadRequest(artists, ("SE", "US"), "r", "t", tmp_path / "run")
        report = load(request, source, table, real_runtime())
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert report.finished
    assert report.differing == ()
    for counts in report.markets.values():
        assert counts.loaded + counts.empty + counts.refused + counts.quarantined == counts.artists == 869
    assert len(table.items) == report.rows.written > 2500


def test_the_dirty_table_of_artists_quarantines_exactly_its_malformed_ids() -> None:
    found = [parse_artist(row["spotify_artist_id"], row["name"], None) for row in rows("wikidata_artists_7970.csv.gz")]
    # Ten are malformed; one of them is an open.spotify.com address, which names its artist.
    assert sum(isinstance(row, BadArtist) for row in found) == 9
    assert Artist("0wq1RlBGMYokt0ShtHI7Ko", "Abu Bokor Siddik", "unknown") in found
    good = [row.artist_id for row in found if isinstance(row, Artist)]
    assert len(good) - len(set(good)) == 1


def test_a_file_of_answers_is_a_source(table: MemoryTable, tmp_path: Path) -> None:
    runtime = real_runtime()
    source = FileSource(SHARED / "spotify-api" / "made-from-tracks" / "top-tracks.jsonl.gz", runtime.now)
    artists = [parse_artist(row["artist_id"], row["name"], row["genre"]) for row in rows("artists.csv")]
    report = load(LoadRequest(artists, ("SE",), "r", "t", tmp_path), source, table, runtime)
    assert report.finished
    assert report.markets["SE"].quarantined == 869 - 868
    assert report.rows.rejected == 0
