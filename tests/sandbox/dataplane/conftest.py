"""A sandbox of this area's own, and a data plane that reaches it over HTTP as every command does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from ops.aws import Aws
from ops.dynamodb.client import DataPlane, data_plane
from ops.dynamodb.retry import RetryPolicy
from ops.dynamodb.table import Table
from ops.sandbox.control import SandboxControl
from tests.sandbox.dataplane.kit import Brisk, make_table

START_TIMEOUT_S = 40.0


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running sandbox; it ends with the session."""
    folder: Path = tmp_path_factory.mktemp("sandbox")
    with open(folder / "out", "wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "ops.sandbox.server", "--folder", str(folder)], stdout=out, stderr=out
        )
    try:
        ready, deadline = folder / "aws.json", time.monotonic() + START_TIMEOUT_S
        while not ready.exists():
            assert child.poll() is None, (folder / "out").read_text()
            assert time.monotonic() < deadline, "the sandbox did not start in time"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{json.loads(ready.read_text())['port']}"
    finally:
        child.terminate()
        child.wait(10)


@pytest.fixture
def sandbox(endpoint: str) -> Iterator[SandboxControl]:
    control = SandboxControl(endpoint)
    yield control
    control.clear_faults()


@pytest.fixture
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Aws:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return Aws(region="us-east-1")


@pytest.fixture
def plane(aws: Aws) -> DataPlane:
    """Patient, but with short waits."""
    return data_plane(aws, Brisk(), Random(1), policy=RetryPolicy(attempts=60, unreached_attempts=60))


@pytest.fixture
def table(aws: Aws, request: pytest.FixtureRequest) -> Table:
    """A table with an index, named after the test."""
    return make_table(aws, re.sub("[^A-Za-z0-9_.-]+", "-", request.node.name)[:200])
