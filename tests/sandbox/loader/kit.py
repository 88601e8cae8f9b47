"""The parts that the loader's sandbox tests share."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from loader.http import HttpDoor, RequestsDoor
from loader.ledger import UnlimitedLedger
from loader.load import LoadRequest, Sink, load
from loader.models import Artist, BadArtist, parse_artist
from loader.patience import RetryPolicy
from loader.report import LoadReport
from loader.runtime import Runtime
from loader.sources import TrackSource
from loader.sources.spotify_search import SpotifySearch
from loader.sources.spotify_top_tracks import SpotifyTopTracks
from loader.spotify import SpotifyAccess, SpotifyClient
from ops.sandbox.spotify_api import Api

QUICK = RetryPolicy(transient_base_s=0.01, default_wait_s=0.05, longest_wait_s=2.0)


def real_runtime(stop: Callable[[], bool] = lambda: False) -> Runtime:
    return Runtime(lambda: datetime.now(UTC), time.monotonic, time.sleep, random.Random(1).random, stop)


@dataclass(frozen=True)
class LocalApi:
    """A served API and its address."""

    api: Api
    url: str

    def fault(self, name: str, **more: object) -> None:
        self.api.faults.add({"name": name, **more})

    def requests(self, kind: str) -> int:
        return int(self.api._counts[kind])

    def artists(self) -> list[Artist | BadArtist]:
        return [parse_artist(row.artist_id, row.name, row.genre) for row in self.api.catalogue.artists]

    def client(
        self, runtime: Runtime, *, secret: str = "the-client-secret", door: HttpDoor | None = None
    ) -> SpotifyClient:
        access = SpotifyAccess("client", secret, f"{self.url}/v1", self.url)
        return SpotifyClient(access, door or RequestsDoor(), UnlimitedLedger(runtime.now), runtime, QUICK)

    def load(self, folder: Path, sink: Sink, *, search: bool = False, runtime: Runtime | None = None) -> LoadReport:
        runtime = runtime or real_runtime()
        client = self.client(runtime)
        source: TrackSource = SpotifySearch(client) if search else SpotifyTopTracks(client)
        request = LoadRequest(self.artists(), ("SE", "US"), "run-1", "table", folder)
        return load(request, source, sink, runtime)
