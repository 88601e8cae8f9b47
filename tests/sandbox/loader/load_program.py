"""A whole load as a process that can be killed: `python load_program.py URL FOLDER TABLE.sqlite`.

The table is a SQLite file, so that it survives the process as a real one does. SIGINT and SIGTERM set the
stop; the exit code is 128 + signal then, 0 for a finished load, 9 for one that ended early.
"""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from loader.http import RequestsDoor
from loader.items import Item, key_of
from loader.ledger import UnlimitedLedger
from loader.load import LoadRequest, SinkReport, load
from loader.models import parse_artist
from loader.runtime import Runtime
from loader.sources.spotify_top_tracks import SpotifyTopTracks
from loader.spotify import SpotifyAccess, SpotifyClient
from ops.sandbox.catalogue import InventedCatalogue


class SqliteTable:
    """`existing` and `write` of a sink, each in a transaction of its own."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()
        with self._session() as session:
            session.execute(
                "CREATE TABLE IF NOT EXISTS items (owner TEXT, id TEXT, body TEXT, PRIMARY KEY (owner, id))"
            )

    def existing(self, artist_id: str) -> Sequence[Item]:
        rows = self._session().execute("SELECT body FROM items WHERE owner = ?", (artist_id,))
        return [json.loads(body) for (body,) in rows]

    def write(self, items: Sequence[Item]) -> SinkReport:
        with self._session() as session:
            rows = [(*key_of(item), json.dumps(item, sort_keys=True)) for item in items]
            session.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", rows)
        return SinkReport(len(items))

    def _session(self) -> sqlite3.Connection:
        if not hasattr(self._local, "session"):
            self._local.session = sqlite3.connect(self._path, timeout=10)
        session: sqlite3.Connection = self._local.session
        return session


def main(url: str, folder: str, table: str) -> int:
    caught: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _frame: caught.append(got))
    runtime = Runtime(
        lambda: datetime.now(UTC), time.monotonic, time.sleep, random.Random(1).random, lambda: bool(caught)
    )
    access = SpotifyAccess("client", "the-client-secret", f"{url}/v1", url)
    client = SpotifyClient(access, RequestsDoor(), UnlimitedLedger(runtime.now), runtime)
    artists = [parse_artist(row.artist_id, row.name, row.genre) for row in InventedCatalogue(200, 1).artists]
    request = LoadRequest(artists, ("SE", "US"), "run-1", "table", Path(folder), workers=2, batch_items=20)
    report = load(request, SpotifyTopTracks(client), SqliteTable(table), runtime)
    if report.interrupted:
        return 128 + caught[0]
    return 0 if report.finished and not report.differing else 9


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
