"""One sandbox server for all tests of this folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.aws.lab import Lab


def start_server(folder: Path, *arguments: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """A server process and its ready file."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OPS_SANDBOX_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.sandbox.server", "--folder", str(folder), *arguments], env=environ
    )
    deadline = time.monotonic() + 20
    while not (folder / "aws.json").exists():
        assert process.poll() is None, "the server ended before it was ready"
        assert time.monotonic() < deadline, "the server was not ready in 20 s"
        time.sleep(0.02)
    return process, json.loads((folder / "aws.json").read_text())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Endpoint of the server all tests share."""
    process, ready = start_server(tmp_path_factory.mktemp("sandbox"))
    yield f"http://127.0.0.1:{ready['port']}"
    process.terminate()
    process.wait(timeout=5)


@pytest.fixture(scope="session")
def shared_lab(server: str) -> Lab:
    return Lab(server)


@pytest.fixture
def lab(shared_lab: Lab) -> Iterator[Lab]:
    yield shared_lab
    shared_lab.control.clear_faults()


@pytest.fixture
def server_starter() -> Callable[..., tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    return start_server


@pytest.fixture(scope="module")
def server_starter_of_the_module() -> Callable[..., tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """For a module whose server must not be the shared one."""
    return start_server


@pytest.fixture(scope="module")
def make_lab() -> type[Lab]:
    return Lab
