"""`GET /artists/{id}/top-tracks`: at most ten tracks, most popular first. Needs extended quota mode."""

from __future__ import annotations

from urllib.parse import quote

from loader.decode import decode_tracks
from loader.errors import AnswerRefused
from loader.models import Answer, Artist, timestamp
from loader.spotify import SpotifyClient

NAME = "spotify-top-tracks"


class SpotifyTopTracks:
    """The ranking itself: a complete answer."""

    def __init__(self, client: SpotifyClient) -> None:
        self._client = client

    @property
    def name(self) -> str:
        return NAME

    def tracks(self, artist: Artist, market: str) -> Answer:
        path = f"/artists/{quote(artist.artist_id, safe='')}/top-tracks"
        document = self._client.get(path, {"market": market})
        entries = document.get("tracks")
        if not isinstance(entries, list):
            raise AnswerRefused("the answer has no list of tracks")
        fetched_at = timestamp(self._client.runtime.now())
        return decode_tracks(entries, complete=True, source=NAME, fetched_at=fetched_at)

    def cost(self, artists: int, markets: int) -> int:
        return artists * markets
