"""A running sandbox with a declared environment, and `ops` as a process against it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

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
from ops.sandbox.control import SandboxControl
from tests.cli.gate import Gate

ACCOUNT, REGION, PROJECT, STACK, BUCKET = "123456789012", "us-east-1", "music", "dev", "music-exports"
START_TIMEOUT_S = 60.0
Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Stage:
    """One sandbox server, one environment document that grows a table per test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self._numbers = itertools.count(1)
        self._clients: dict[str, Any] = {}
        self._log = open(folder / "server.log", "wb")  # noqa: SIM115 - closed by `stop`
        self._server = subprocess.Popen(
            [sys.executable, "-m", "ops.sandbox.server", "--folder", str(folder / "aws")],
            stdout=self._log,
            stderr=self._log,
        )
        self.endpoint = f"http://127.0.0.1:{self._port()}"
        self.control = SandboxControl(self.endpoint)
        self.tables: dict[str, TableDocument] = {}
        self.client("s3").create_bucket(Bucket=BUCKET)

    def _port(self) -> int:
        deadline = time.monotonic() + START_TIMEOUT_S
        ready = self.folder / "aws" / "aws.json"
        while not ready.is_file():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "server.log").read_text())
            time.sleep(0.05)
        return int(json.loads(ready.read_text())["port"])

    def stop(self) -> None:
        """End the server that this stage started."""
        self._server.terminate()
        self._server.wait(10)
        self._log.close()

    def client(self, service: str) -> Any:
        """A plain boto3 client: tests arrange and look with it, never through the code under test."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                region_name=REGION,
                endpoint_url=self.endpoint,
                aws_access_key_id="sandbox",
                aws_secret_access_key="sandbox",
                config=Config(s3={"addressing_style": "path"}),
            )
        return self._clients[service]

    @property
    def dynamodb(self) -> Any:
        return self.client("dynamodb")

    def now(self) -> datetime:
        """The sandbox's second."""
        return datetime.fromisoformat(str(self.control.clock()["now"])).astimezone(UTC).replace(microsecond=0)

    def advance(self, seconds: float) -> None:
        """Let sandbox time pass."""
        self.control.advance(seconds)

    def environ(self, **more: str) -> dict[str, str]:
        """What a shell that uses this sandbox has set."""
        return {
            **os.environ, "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox", "AWS_REGION": REGION, "OPS_ENV": STACK, "OPS_PROJECT": PROJECT,
            "OPS_RUNS_DIR": str(self.runs), "COLUMNS": "160", **more,
        }  # fmt: skip

    def ops(self, *words: str, **more: str) -> Done:
        """Run `ops` to its end."""
        found = subprocess.run(
            [sys.executable, "-m", "ops", *words],
            capture_output=True, text=True, env=self.environ(**more), timeout=120, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Done(found.returncode, found.stdout, found.stderr)

    def start(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """Start `ops` and return at once."""
        return subprocess.Popen(
            [sys.executable, "-m", "ops", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environ(**more),
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def interrupted(self, operation: str, text: str, *words: str, **more: str) -> Done:
        """Run `ops`, press Ctrl-C while it waits for the answer to `operation` about `text`, and see how it ends."""
        gate = Gate(self.endpoint)
        try:
            gate.hold(operation, text)
            process = self.start(*words, AWS_ENDPOINT_URL=gate.endpoint, **more)
            if not gate.reached.wait(60):
                process.kill()
                raise AssertionError(f"{operation} {text} was never asked: {process.communicate()}")
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            gate.release()
            out, err = process.communicate(timeout=60)
        finally:
            gate.stop()
        return Done(process.returncode, out, err)

    def unanswered(self, operation: str, *words: str, **more: str) -> Done:
        """Run `ops` to its end; the sandbox does what the first request of `operation` asks, but no answer arrives."""
        gate = Gate(self.endpoint)
        try:
            gate.lose(operation)
            return self.ops(*words, AWS_ENDPOINT_URL=gate.endpoint, **more)
        finally:
            gate.stop()

    def declare(self, *, items: int = 40, pitr: bool = True, stem: str = "tracks") -> str:
        """A declared table of the music schema with `items` items, its window open and past them."""
        logical = f"{stem}_{next(self._numbers)}"
        self.create(logical, pitr=pitr)
        self.put(logical, [track(number) for number in range(items)])
        self.tables[logical] = document_of(logical, pitr=pitr)
        self.publish()
        self.advance(400)
        return logical

    def create(self, name: str, *, pitr: bool = True) -> None:
        """A table of the music schema."""
        units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PROVISIONED",
            ProvisionedThroughput=units,
            KeySchema=[
                {"AttributeName": "artist_id", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}
            ],
            AttributeDefinitions=[
                {"AttributeName": one, "AttributeType": "S"} for one in ("artist_id", "id", "genre")
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "genre_index",
                    "KeySchema": [{"AttributeName": "genre", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                    "ProvisionedThroughput": units,
                }
            ],
        )  # fmt: skip
        self.dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        self.advance(10)
        if pitr:
            self.dynamodb.update_continuous_backups(
                TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
            )

    def publish(self, *, account: str = ACCOUNT, bucket: str = BUCKET) -> None:
        """Write the environment document as the Pulumi program would."""
        document = EnvironmentDocument(
            project=PROJECT, stack=STACK, account=account, region=REGION, environment_class="sandbox",
            tables=dict(self.tables), export_bucket=bucket,
        )  # fmt: skip
        self.client("ssm").put_parameter(
            Name=parameter_path(PROJECT, STACK), Value=document.to_json(), Type="String", Overwrite=True,
            Tier="Advanced",
        )  # fmt: skip

    def forget(self, logical: str) -> None:
        """Take a table out of the document: it holds only so many."""
        self.tables.pop(logical, None)
        self.publish()

    def change(self, logical: str, **contract: Any) -> None:
        """Declare another contract for a table."""
        table = self.tables[logical]
        self.tables[logical] = replace(table, contract=replace(table.contract, **contract))
        self.publish()

    def put(self, table: str, items: list[Item]) -> None:
        """Write items one batch at a time."""
        for at in range(0, len(items), 25):
            requests = [{"PutRequest": {"Item": item}} for item in items[at : at + 25]]
            self.dynamodb.batch_write_item(RequestItems={table: requests})

    def items(self, table: str) -> dict[tuple[str, str], Item]:
        """Every item by key, read with boto3."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
        found = [item for page in pages for item in page["Items"]]
        return {(item["artist_id"]["S"], item["id"]["S"]): item for item in found}

    def tables_now(self) -> list[str]:
        """Names of all tables."""
        pages = self.dynamodb.get_paginator("list_tables").paginate()
        return sorted(name for page in pages for name in page["TableNames"])

    def objects(self, prefix: str) -> list[str]:
        """Keys below a prefix of the bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", ())]


def track(number: int) -> Item:
    """An invented track, different for each number."""
    return {
        "artist_id": {"S": f"a{number // 10:04d}"},
        "id": {"S": f"t{number:06d}"},
        "name": {"S": f"Track {number}"},
        "genre": {"S": ("rock", "jazz", "folk")[number % 3]},
        "popularity": {"N": str(number % 101)},
        "markets": {"SS": ["SE", "US"]},
    }


def document_of(logical: str, *, pitr: bool = True) -> TableDocument:
    """The declared shape and contract of such a table."""
    rules = [
        ScalingRule(index, dimension=dimension, minimum=5, maximum=50)
        for index in (None, "genre_index")
        for dimension in ("read", "write")
    ]
    return TableDocument(
        logical=logical,
        physical=logical,
        arn=f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{logical}",
        region=REGION,
        partition_key=KeyAttribute("artist_id"),
        sort_key=KeyAttribute("id"),
        indexes=(IndexDocument("genre_index", KeyAttribute("genre")),),
        contract=RecoveryContract(
            billing_mode="PROVISIONED", read_capacity=5, write_capacity=5, pitr_days=35 if pitr else None,
            ttl_attribute="expires_at", stream_view="NEW_AND_OLD_IMAGES", deletion_protection=True,
            tags={"owner": "music", "stack": STACK}, scaling=tuple(rules),
        ),
        objectives=Objectives(900.0, 300.0, 0),
    )  # fmt: skip
