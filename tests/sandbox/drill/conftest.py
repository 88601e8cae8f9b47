"""A sandbox with one loaded table and its environment document; a drill never changes either."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import boto3
import pytest

from infra.environment import (
    EnvironmentDocument,
    IndexDocument,
    KeyAttribute,
    Objectives,
    RecoveryContract,
    ScalingRule,
    TableDocument,
    parameter_path,
)
from ops.aws import Aws
from ops.clock import Clock
from ops.drill.bench import DrillRequest
from ops.drill.run import run_drill
from ops.environment import Environment, open_environment
from ops.model.drill import DrillReport
from ops.model.items import Item, KeySchema
from ops.progress import Progress, SilentProgress
from ops.recovery import reapply, restore, tables
from ops.recovery.settings import read_settings, wanted_settings
from ops.runs import Run, open_run
from ops.sandbox.control import SandboxClock, SandboxControl
from ops.verify.compare import Comparer, compare

ITEMS = 240
REGION = "us-east-1"
ACCOUNT = "123456789012"
LOGICAL = "top_tracks"
SCHEMA = KeySchema("artist_id", "S", "id", "S")


def document_of(physical: str = LOGICAL, **contract: Any) -> TableDocument:
    """The declared table, with every setting that a restore loses except replicas."""
    rules = tuple(
        ScalingRule(index, dimension=dimension, minimum=5, maximum=100)
        for index in (None, "genre_index")
        for dimension in ("read", "write")
    )
    wanted: dict[str, Any] = {
        "billing_mode": "PROVISIONED",
        "read_capacity": 5,
        "write_capacity": 5,
        "pitr_days": 35,
        "ttl_attribute": "expires_at",
        "stream_view": "NEW_AND_OLD_IMAGES",
        "deletion_protection": True,
        "tags": {"owner": "data", "service": "tracks"},
        "scaling": rules,
    }
    return TableDocument(
        logical=LOGICAL,
        physical=physical,
        arn=f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{physical}",
        region=REGION,
        partition_key=KeyAttribute("artist_id"),
        sort_key=KeyAttribute("id"),
        indexes=(IndexDocument("genre_index", KeyAttribute("genre")),),
        contract=RecoveryContract(**{**wanted, **contract}),
        objectives=Objectives(rto_s=1800, rpo_s=300, max_lost_items=0, level="service"),
    )


def tracks(count: int, seed: int = 1) -> list[Item]:
    """Invented tracks; some have no genre and are in no index."""
    random = Random(seed)
    found: list[Item] = []
    for number in range(count):
        item: Item = {
            "artist_id": {"S": f"a{number % 40:06d}"},
            "id": {"S": f"t{number:08d}"},
            "name": {"S": f"Track {number} \N{LATIN SMALL LETTER E WITH ACUTE}"},
            "popularity": {"N": str(random.randrange(101))},
            "markets": {"SS": ["DE", "SE"]},
            "album": {"M": {"year": {"N": "2020"}, "label": {"S": "none"}}},
        }
        if number % 9:
            item["genre"] = {"S": random.choice(["pop", "rock", "jazz"])}
        found.append(item)
    return found


@dataclass
class DrillLab:
    """The opened environment and the ways a test uses it."""

    aws: Aws
    clock: Clock
    environment: Environment
    dynamodb: Any
    ssm: Any
    runs: Path
    control: SandboxControl
    random: Random = field(default_factory=lambda: Random(11))
    last_run: Path = Path()

    def drill(
        self,
        scenario: str,
        *,
        comparer: Comparer = compare,
        environment: Environment | None = None,
        progress: Progress | None = None,
        aws: Aws | None = None,
        **options: Any,
    ) -> DrillReport:
        """One drill in a run of its own."""
        request = DrillRequest(scenario, LOGICAL, **{"seed": 7, "writes": 12, **options})
        with open_run(self.runs, ["drill", "run", scenario], self.clock, self.random) as run:
            self.last_run = run.folder
            return run_drill(
                request,
                aws=aws or self.aws,
                environment=environment or self.environment,
                clock=self.clock,
                progress=progress or SilentProgress(),
                run=run,
                random=self.random,
                comparer=comparer,
            )

    def drill_tables(self) -> list[str]:
        """Tables left by drills."""
        return [name for name in tables.list_tables(self.aws) if name.startswith("drill-")]

    def scan(self, table: str = LOGICAL) -> dict[str, Item]:
        """All items by key."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
        return {json.dumps([item["artist_id"], item["id"]]): item for page in pages for item in page["Items"]}


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("drill-sandbox")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OPS_SANDBOX_")}
    process = subprocess.Popen([sys.executable, "-m", "ops.sandbox.server", "--folder", str(folder)], env=environ)
    deadline = time.monotonic() + 30
    try:
        while not (folder / "aws.json").exists():
            assert process.poll() is None, "the sandbox server ended before it was ready"
            assert time.monotonic() < deadline, "the sandbox server was not ready in 30 s"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{json.loads((folder / 'aws.json').read_text())['port']}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def loaded(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrillLab]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
        patch.delenv("AWS_PROFILE", raising=False)
        runs = tmp_path_factory.mktemp("runs")
        control = SandboxControl(endpoint)
        clock, aws = SandboxClock(control), Aws(region=REGION)
        dynamodb = boto3.client("dynamodb", region_name=REGION)
        ssm = boto3.client("ssm", region_name=REGION)
        with open_run(runs, ["set up"], clock, Random(3)) as run:
            make_source(aws, clock, run, document_of())
        fill(dynamodb, LOGICAL, tracks(ITEMS))
        environment = publish(aws, ssm, "drills", document_of())
        yield DrillLab(aws, clock, environment, dynamodb, ssm, runs, control)


def make_source(aws: Aws, clock: Clock, run: Run, document: TableDocument) -> None:
    """The declared table with its contract applied, empty."""
    tables.create_like(aws, document.physical, document, run)
    restore.wait_active(aws, document.physical, clock, SilentProgress())
    changes = reapply.plan(read_settings(aws, document.physical), wanted_settings(document))
    for stage in ("before_proof", "after_proof"):
        reapply.apply(aws, document.physical, changes, stage=stage, run=run, clock=clock, progress=SilentProgress())


def fill(dynamodb: Any, table: str, items: list[Item]) -> None:
    for start in range(0, len(items), 25):
        batch = [{"PutRequest": {"Item": one}} for one in items[start : start + 25]]
        assert not dynamodb.batch_write_item(RequestItems={table: batch})["UnprocessedItems"]


def publish(aws: Aws, ssm: Any, stack: str, document: TableDocument) -> Environment:
    """Write the environment document as the Pulumi program does, and open it."""
    whole = EnvironmentDocument(
        project="dynamo-ops",
        stack=stack,
        account=ACCOUNT,
        region=REGION,
        environment_class="sandbox",
        tables={document.logical: document},
        export_bucket="exports",
    )
    ssm.put_parameter(Name=parameter_path("dynamo-ops", stack), Value=whole.to_json(), Type="String", Overwrite=True)
    return open_environment(aws, "dynamo-ops", stack)


@pytest.fixture
def lab(loaded: DrillLab, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[DrillLab]:
    """The lab; after the test nothing of any drill is left, and the source is as it was."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    before = loaded.scan()
    yield loaded
    gc.collect()  # what this test left to the collector must not be blamed on a later one
    assert loaded.scan() == before, "a drill changed its source table"
    assert loaded.drill_tables() == [], "a drill left tables behind"


@pytest.fixture
def declare(loaded: DrillLab) -> Callable[..., Environment]:
    """An environment of another contract, for the same physical table or another one."""

    def make(stack: str, **options: Any) -> Environment:
        return publish(loaded.aws, loaded.ssm, stack, document_of(**options))

    return make


@pytest.fixture
def plain_table(lab: DrillLab) -> Iterator[str]:
    """A table with items and without point-in-time recovery."""
    yield from _other_table(lab, "plain_tracks", pitr=False, items=tracks(5))


@pytest.fixture
def empty_table(lab: DrillLab) -> Iterator[str]:
    """A table with point-in-time recovery and without items."""
    yield from _other_table(lab, "empty_tracks", pitr=True, items=[])


def _other_table(lab: DrillLab, name: str, *, pitr: bool, items: list[Item]) -> Iterator[str]:
    with open_run(lab.runs, ["set up"], lab.clock, Random(name)) as run:
        document = document_of(
            name, pitr_days=35 if pitr else None, deletion_protection=False, scaling=(), stream_view=None
        )
        make_source(lab.aws, lab.clock, run, document)
    fill(lab.dynamodb, name, items)
    yield name
    lab.dynamodb.delete_table(TableName=name)
