"""`GET /search` by artist name: what a development-mode application may use in place of top-tracks.

The order is Spotify's relevance and not a chart; the answer is never complete.
"""

from __future__ import annotations

from loader.decode import decode_tracks
from loader.errors import AnswerRefused
from loader.models import Answer, Artist, timestamp
from loader.spotify import SpotifyClient

NAME = "spotify-search"
# Development mode: limit at most 10 since February 2026, and offsets up to 1,000.
PAGE = 10
MAXIMUM_PAGES = 100


class SpotifySearch:
    """The tracks of a search that name the wanted artist by id."""

    def __init__(self, client: SpotifyClient, pages: int = 1) -> None:
        self._client = client
        self._pages = min(max(1, pages), MAXIMUM_PAGES)

    @property
    def name(self) -> str:
        return NAME

    def tracks(self, artist: Artist, market: str) -> Answer:
        if not artist.name:
            raise AnswerRefused("a search needs the artist's name, and the row has none")
        found: list[object] = []
        for page in range(self._pages):
            entries = self._page(artist, market, page)
            found += [entry for entry in entries if entry is None or _names(entry, artist.artist_id)]
            if len(entries) < PAGE:
                break
        fetched_at = timestamp(self._client.runtime.now())
        return decode_tracks(found, complete=False, source=NAME, fetched_at=fetched_at)

    def cost(self, artists: int, markets: int) -> int:
        return artists * markets * self._pages

    def _page(self, artist: Artist, market: str, page: int) -> list[object]:
        name = artist.name.replace("\\", " ").replace('"', '\\"')
        query = {
            "q": f'artist:"{name}"',
            "type": "track",
            "market": market,
            "limit": str(PAGE),
            "offset": str(page * PAGE),
        }
        document = self._client.get("/search", query)
        tracks = document.get("tracks")
        items = tracks.get("items") if isinstance(tracks, dict) else None
        if not isinstance(items, list):
            raise AnswerRefused("the answer has no list of tracks")
        return items


def _names(entry: object, artist_id: str) -> bool:
    artists = entry.get("artists") if isinstance(entry, dict) else None
    return isinstance(artists, list) and any(
        isinstance(artist, dict) and artist.get("id") == artist_id for artist in artists
    )
