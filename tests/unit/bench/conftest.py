"""The bench's own server, built once for these tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench import servers


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for data and servers; needs a C compiler and make."""
    if shutil.which("cc") is None or shutil.which("make") is None:
        pytest.skip("no cc or make here: the server of the benchmarks is written in C")
    servers.build()
    return tmp_path_factory.mktemp("bench")
