"""Where tracks come from. A source never falls back to another by itself: the user chooses, the item tells."""

from __future__ import annotations

from typing import Protocol

from loader.models import Answer, Artist


class TrackSource(Protocol):
    """One way to get an artist's tracks; called from several threads at once."""

    @property
    def name(self) -> str:
        """What items say in `source`."""

    def tracks(self, artist: Artist, market: str) -> Answer:
        """The tracks, or `ArtistSkipped` for this pair, or a `LoaderError` that ends the load."""

    def cost(self, artists: int, markets: int) -> int:
        """Calls that a load will make when nothing has to be repeated."""
