"""What other loaders got wrong, by name; see `test_peers.py`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loader.artists import Connection, Database, Row, read_artists
from loader.load import LoadRequest, load
from loader.models import Answer
from loader.postgres import PostgresDriver
from ops.flows.loading import problems
from tests.unit.loader.kit import ManualClock, MemoryTable, ScriptedSource, answer, artist_id, track

MARKETS = ("SE", "US")
DATABASE = Database("postgres", "/run", 5432, "music", "reader", lambda: "")


class SpentCursor(PostgresDriver):
    """A database whose rows can be fetched once."""

    def __init__(self, artists: int) -> None:
        self._rows: list[Row] = [(artist_id(number), f"Artist {number}", "rock") for number in range(artists)]

    def connect(self, database: Database) -> Connection:
        return self

    def rows(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        if "pg_collation" in statement:
            return [("C", True)]
        found, self._rows = self._rows, []
        return found

    def close(self) -> None:
        """Nothing is held."""


def test_once_only_cursor(tmp_path: Path) -> None:
    """A second `fetchall()` returns no rows: only the first market is loaded (measured, psycopg 3.3.9, PyMySQL 1.2.4).

    Here artists are read once for all markets, and a market in which nobody has a track fails the load.
    """
    artists = read_artists(DATABASE, SpentCursor(7))
    answers: dict[tuple[str, str], Answer | BaseException] = {
        (artist_id(number), market): answer(track(number, artist=number)) for number in range(7) for market in MARKETS
    }
    request = LoadRequest(artists, MARKETS, "run", "table", tmp_path / "both")
    report = load(request, ScriptedSource(answers), MemoryTable(), ManualClock().runtime())
    assert {market: counts.loaded for market, counts in report.markets.items()} == {"SE": 7, "US": 7}
    assert problems(report, (), "run") == ()

    answers |= {(artist_id(number), "US"): answer() for number in range(7)}
    request = LoadRequest(artists, MARKETS, "run", "table", tmp_path / "one")
    report = load(request, ScriptedSource(answers), MemoryTable(), ManualClock().runtime())
    (problem,) = problems(report, (), "run")
    assert problem.exit_code == 4
    assert "market US: not one artist" in problem.what
