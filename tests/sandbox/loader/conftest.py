"""The Spotify-shaped API over real HTTP, and a real PostgreSQL, for the loader's tests."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.clock import SystemClock
from ops.sandbox import postgres
from ops.sandbox.postgres import PostgresServer
from ops.sandbox.spotify import make_server
from ops.sandbox.spotify_api import SpotifyConfig, make_api
from ops.sandbox.state import private_folder
from tests.sandbox.loader.kit import LocalApi
from tests.unit.loader.kit import ManualClock, MemoryTable


@pytest.fixture
def api() -> Iterator[LocalApi]:
    """Twenty artists; a new server per test, so that faults and counts are its own."""
    config = SpotifyConfig("client", "the-client-secret", "status-token", items=200)
    served = make_api(config, time.monotonic)
    server = make_server(served, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield LocalApi(served, f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def database_server() -> Iterator[PostgresServer]:
    folder: Path = private_folder()
    server = postgres.start(folder, SystemClock())
    yield server
    postgres.stop(server.process, SystemClock())
    shutil.rmtree(folder)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()
