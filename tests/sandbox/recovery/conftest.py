"""A sandbox of this area's own, reached over HTTP as every user reaches it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from infra.environment import (
    IndexDocument,
    KeyAttribute,
    Objectives,
    RecoveryContract,
    ReplicaContract,
    ScalingRule,
    TableDocument,
)
from ops.aws import Aws
from ops.progress import SilentProgress
from ops.runs import open_run
from ops.sandbox.control import SandboxClock, SandboxControl
from tests.sandbox.recovery.kit import Bench

START_TIMEOUT_S = 40.0
BUCKET = "recovery-tests"


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running sandbox; it ends with the session."""
    folder = tmp_path_factory.mktemp("sandbox")
    with open(folder / "out", "wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "ops.sandbox.server", "--folder", str(folder)], stdout=out, stderr=out
        )
    try:
        ready = folder / "aws.json"
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready.exists():
            assert child.poll() is None, (folder / "out").read_text()
            assert time.monotonic() < deadline, "the sandbox did not start in time"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{json.loads(ready.read_text())['port']}"
    finally:
        child.terminate()
        child.wait(10)


@pytest.fixture
def bench(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bench]:
    """Control plane, sandbox clock and an open run."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    sandbox = SandboxControl(endpoint)
    clock = SandboxClock(sandbox)
    control = Aws(region="us-east-1")
    control.call("s3", "create_bucket", Bucket=BUCKET)
    with open_run(tmp_path / "runs", ["test"], clock, Random(os.urandom(8))) as run:
        yield Bench(control, clock, sandbox, run, SilentProgress())


@pytest.fixture
def bucket() -> str:
    return BUCKET


def _document(name: str, **contract: object) -> TableDocument:
    return TableDocument(
        logical="top_tracks",
        physical=name,
        arn=f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}",
        region="us-east-1",
        partition_key=KeyAttribute("artist_id"),
        sort_key=KeyAttribute("id"),
        indexes=(IndexDocument("genre_index", KeyAttribute("genre")),),
        contract=RecoveryContract(**contract),  # type: ignore[arg-type]
        objectives=Objectives(3600, 300, 0),
    )


@pytest.fixture
def document(request: pytest.FixtureRequest) -> TableDocument:
    """A provisioned table whose contract states everything; its name is the test's own."""
    name = f"drill-{request.node.name.split('[')[0][-60:].replace('_', '-')}"
    scaling = tuple(
        ScalingRule(index=index, dimension=dimension, minimum=5, maximum=50)
        for index in (None, "genre_index")
        for dimension in ("read", "write")
    )
    return _document(
        name,
        billing_mode="PROVISIONED",
        read_capacity=5,
        write_capacity=5,
        pitr_days=30,
        ttl_attribute="expires_at",
        stream_view="NEW_AND_OLD_IMAGES",
        table_class="STANDARD_INFREQUENT_ACCESS",
        deletion_protection=True,
        tags={"owner": "music", "table": "top_tracks"},
        scaling=scaling,
        replicas=(ReplicaContract("us-west-2"),),
    )


@pytest.fixture
def plain(request: pytest.FixtureRequest) -> TableDocument:
    """An on-demand table with PITR and nothing else."""
    name = f"drill-{request.node.name.split('[')[0][-60:].replace('_', '-')}"
    return _document(name, billing_mode="PAY_PER_REQUEST", pitr_days=35, deletion_protection=False)
