"""Parts of the loader's tests: a clock that a test owns, a table in memory, a scripted source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from loader.items import Item, key_of
from loader.load import SinkReport
from loader.models import Answer, Artist, Credit, Track
from loader.runtime import Runtime


class ManualClock:
    """Time moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
        self.seconds = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def runtime(self, stop: Callable[[], bool] = lambda: False) -> Runtime:
        return Runtime(self.now, self.monotonic, self.sleep, lambda: 0.5, stop)


class MemoryTable:
    """A table in memory that counts its writes and can reject keys."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self._keys: dict[str, list[tuple[str, str]]] = {}
        self.writes: list[list[tuple[str, str]]] = []
        self.refuse: dict[tuple[str, str], str] = {}

    def existing(self, artist_id: str) -> Sequence[Item]:
        return [self.items[key] for key in self._keys.get(artist_id, ()) if key in self.items]

    def write(self, items: Sequence[Item]) -> SinkReport:
        keys = [key_of(item) for item in items]
        self.writes.append(keys)
        for key in keys:
            if key not in self.items:
                self._keys.setdefault(key[0], []).append(key)
        rejected = tuple((key, self.refuse[key]) for key in keys if key in self.refuse)
        self.items |= {key_of(item): item for item in items if key_of(item) not in self.refuse}
        return SinkReport(len(items) - len(rejected), rejected)

    def delete(self, keys: Sequence[tuple[str, str]]) -> SinkReport:
        for key in keys:
            del self.items[key]
        return SinkReport(len(keys))


class ScriptedSource:
    """Answers that a test writes down; an exception in the script is raised."""

    def __init__(self, answers: Mapping[tuple[str, str], Answer | BaseException]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    @property
    def name(self) -> str:
        return "spotify-top-tracks"

    def tracks(self, artist: Artist, market: str) -> Answer:
        self.asked.append((artist.artist_id, market))
        answer = self.answers[artist.artist_id, market]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def cost(self, artists: int, markets: int) -> int:
        return artists * markets


def track_id(number: int) -> str:
    return f"t{number:021d}"


def artist_id(number: int) -> str:
    return f"a{number:021d}"


def track(number: int, rank: int = 1, popularity: int | None = 50, artist: int = 1) -> Track:
    credit = Credit(artist_id(artist), f"Artist {artist}")
    return Track(track_id(number), rank, f"Track {number}", (credit,), None, 1000, False, "", popularity)


def answer(*tracks: Track, complete: bool = True, source: str = "spotify-top-tracks", at: str = "10") -> Answer:
    return Answer(tracks, complete, source, f"2026-11-20T{at}:00:00Z")


def artist(number: int = 1, genre: str = "rock") -> Artist:
    return Artist(artist_id(number), f"Artist {number}", genre)
