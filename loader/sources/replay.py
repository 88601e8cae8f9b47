"""A whole load without a network: the sources of Spotify on a recording made with `--record`."""

from __future__ import annotations

from pathlib import Path

from loader.http import ReplayDoor
from loader.ledger import UnlimitedLedger
from loader.runtime import Runtime
from loader.sources import TrackSource
from loader.sources.spotify_search import SpotifySearch
from loader.sources.spotify_top_tracks import SpotifyTopTracks
from loader.spotify import SpotifyAccess, SpotifyClient


def replay_source(folder: Path, runtime: Runtime, *, search: bool = False, pages: int = 1) -> TrackSource:
    """Answers exactly what was recorded; a request that was not is an `UnrecordedRequest`."""
    access = SpotifyAccess("replay", "replay", api_url="http://replay.invalid/v1", accounts_url="http://replay.invalid")
    client = SpotifyClient(access, ReplayDoor(folder), UnlimitedLedger(runtime.now), runtime)
    return SpotifySearch(client, pages) if search else SpotifyTopTracks(client)
