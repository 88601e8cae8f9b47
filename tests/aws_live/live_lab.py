"""The sandbox tests' `lab` on a real account: what it makes is tagged, waited for, and deleted again.

A test says how much time passes. Here that is slept, and a job that would be over in the sandbox by then is waited
for: an export takes the sandbox five seconds and AWS some minutes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.config import Config

from ops.sandbox.aws.world import Durations
from tests.aws_live.cases import HOUR_S, MINUTE_S, Place, refusal
from tests.sandbox.aws.lab import Lab

HOME = "us-east-1"  # what the sandbox tests call the Region they run in
LONGEST_S = 1_200.0
JOB_LIMIT_S = 2 * HOUR_S
STANDARD = Durations()


@dataclass(slots=True)
class Job:
    """Something AWS works on; the sandbox is done with it after `sandbox_s`."""

    what: str
    sandbox_s: float
    done: Callable[[], bool]


class LiveControl:
    """`control` of a lab: time passes by itself here."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.jobs: list[Job] = []

    def advance(self, seconds: float) -> None:
        """Sleep, then wait for every job that the sandbox would have finished."""
        assert seconds <= LONGEST_S, f"nobody waits {seconds:.0f} s: this case belongs to the sandbox only"
        self._place.wait(seconds)
        due = [job for job in self.jobs if job.sandbox_s <= seconds]
        self.jobs = [job for job in self.jobs if job.sandbox_s > seconds]
        for job in due:
            self._place.until(job.done, JOB_LIMIT_S, f"{job.what} is over")


class LiveClock:
    """`clock` of a lab."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def now(self) -> datetime:
        """UTC."""
        return self._place.now().astimezone(UTC)


class LiveLab(Lab):
    """Takes the sandbox's clients for `make_client(service, region)`, and hooks into what they call."""

    def __init__(self, place: Place, make_client: Callable[[str, str, Config], Any]) -> None:
        self.place = place
        self.control: Any = LiveControl(place)
        self.clock: Any = LiveClock(place)
        self._make_client = make_client
        self._clients = {}
        self._numbers = itertools.count(1)

    def client(self, service: str, region: str = HOME) -> Any:
        """A client without parameter checks; only throttling and lost connections are retried."""
        region = self.place.region if region == HOME else region
        if (service, region) not in self._clients:
            config = Config(retries={"mode": "standard", "max_attempts": 8}, parameter_validation=False)
            made = self._clients[service, region] = self._make_client(service, region, config)
            if service == "dynamodb":
                self._hook_dynamodb(made)
            if service == "s3":
                self._hook_s3(made)
        return self._clients[service, region]

    def name(self, stem: str = "table") -> str:
        """A name of this run and this test."""
        return f"ops-live-{self.place.run}-{stem}-{next(self._numbers)}".lower()

    def pitr(self, table: str, *, enabled: bool = True, **more: Any) -> Any:
        """UpdateContinuousBackups; refused in the first seconds of a table, and then asked again."""
        busy = "ContinuousBackupsUnavailableException"
        specification = {"PointInTimeRecoveryEnabled": enabled, **more}

        def call() -> Any:
            return self.dynamodb.update_continuous_backups(
                TableName=table, PointInTimeRecoverySpecification=specification
            )

        self.place.until(lambda: refusal(call) != busy, MINUTE_S, f"{table} takes recovery settings", 3.0)
        return call()

    def restore(self, table: str, when: datetime | None, **more: Any) -> str:
        """Restore to a new table and wait until it is ACTIVE."""
        target = super().restore(table, when, **more)
        self.place.active(target, JOB_LIMIT_S)
        return target

    def clean_up(self) -> Iterator[str]:
        """Delete everything; yields what could not be deleted."""
        scaling = self._clients.get(("application-autoscaling", self.place.region))
        if scaling is not None:
            for table in self.place.tables:
                for target in scaling.describe_scalable_targets(
                    ServiceNamespace="dynamodb", ResourceIds=[f"table/{table}"]
                )["ScalableTargets"]:
                    named = ("ServiceNamespace", "ResourceId", "ScalableDimension")
                    scaling.deregister_scalable_target(**{name: target[name] for name in named})
        yield from self.place.clean_up()

    def _hook_dynamodb(self, client: Any) -> None:
        def before(operation: str, change: Callable[[dict[str, Any]], None]) -> None:
            client.meta.events.register(
                f"before-parameter-build.dynamodb.{operation}", lambda params, **_: change(params)
            )

        def after(operation: str, follow: Callable[[dict[str, Any]], None]) -> None:
            def call(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
                if http_response.status_code == 200:
                    follow(parsed)

            client.meta.events.register(f"after-call.dynamodb.{operation}", call)

        before("CreateTable", lambda params: params.setdefault("Tags", []).append(self._tag()))
        for operation in ("GetItem", "Query", "Scan"):
            before(operation, _read_consistently)
        before("BatchGetItem", _batch_read_consistently)
        after("CreateTable", lambda answer: self._made(answer["TableDescription"]["TableName"]))
        after("UpdateTable", lambda answer: self._settled(answer["TableDescription"]["TableName"]))
        after("DeleteTable", lambda answer: self._deleted(answer["TableDescription"]["TableName"]))
        for operation in ("RestoreTableToPointInTime", "RestoreTableFromBackup"):
            after(operation, self._restoring)
        after("CreateBackup", lambda answer: self.place.backups.append(answer["BackupDetails"]["BackupArn"]))
        after("ImportTable", self._importing)
        after("ExportTableToPointInTime", self._exporting)
        after("StartBulkPutItems", self._putting)

    def _hook_s3(self, client: Any) -> None:
        def create(params: dict[str, Any], **_: Any) -> None:
            if self.place.region != HOME:
                params["CreateBucketConfiguration"] = {"LocationConstraint": self.place.region}
            self.place.buckets.append(params["Bucket"])

        def created(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            context["bucket"] = params["Bucket"]

        def tag(http_response: Any, context: dict[str, Any], **_: Any) -> None:
            if http_response.status_code == 200:
                client.put_bucket_tagging(Bucket=context["bucket"], Tagging={"TagSet": [self._tag()]})

        client.meta.events.register("before-parameter-build.s3.CreateBucket", create)
        client.meta.events.register("before-parameter-build.s3.CreateBucket", created)
        client.meta.events.register("after-call.s3.CreateBucket", tag)

    def _tag(self) -> dict[str, str]:
        return {"Key": "ops-live", "Value": self.place.run}

    def _made(self, table: str) -> None:
        self.place.tables.append(table)
        self._settled(table)

    def _settled(self, table: str) -> None:
        """ACTIVE, and every index with it."""

        def ready() -> bool:
            found = self.place.describe(table)
            statuses = [one["IndexStatus"] for one in found.get("GlobalSecondaryIndexes", [])]
            return {found["TableStatus"], *statuses} == {"ACTIVE"}

        self.place.until(ready, HOUR_S, f"{table} is ACTIVE", 5.0)

    def _deleted(self, table: str) -> None:
        gone = "ResourceNotFoundException"
        self.place.until(lambda: refusal(lambda: self.place.describe(table)) == gone, HOUR_S, f"{table} is gone", 5.0)

    def _restoring(self, answer: dict[str, Any]) -> None:
        table = answer["TableDescription"]["TableName"]
        self.place.tables.append(table)
        self._begin(
            f"restore {table}", STANDARD.restore_s, lambda: self.place.describe(table)["TableStatus"] == "ACTIVE"
        )

    def _importing(self, answer: dict[str, Any]) -> None:
        job = answer["ImportTableDescription"]
        self.place.tables.append(job["TableArn"].rsplit("/", 1)[-1])
        self._wait_for(job["ImportArn"], "describe_import", "Import", "ImportTableDescription", STANDARD.import_s)

    def _exporting(self, answer: dict[str, Any]) -> None:
        arn = answer["ExportDescription"]["ExportArn"]
        self._wait_for(arn, "describe_export", "Export", "ExportDescription", STANDARD.export_s)

    def _putting(self, answer: dict[str, Any]) -> None:
        arn = answer["BulkOperationDescription"]["BulkOperationArn"]
        self._wait_for(arn, "describe_bulk_operation", "BulkOperation", "BulkOperationDescription", STANDARD.bulk_s)

    def _wait_for(self, arn: str, call: str, word: str, member: str, sandbox_s: float) -> None:
        def done() -> bool:
            found = getattr(self.dynamodb, call)(**{f"{word}Arn": arn})[member]
            return found[f"{word}Status"] not in ("IN_PROGRESS", "CANCELLING")

        self._begin(arn, sandbox_s, done)

    def _begin(self, what: str, sandbox_s: float, done: Callable[[], bool]) -> None:
        self.control.jobs.append(Job(what, sandbox_s, done))


def _read_consistently(params: dict[str, Any]) -> None:
    """A test reads what it has just written; on AWS that needs saying. Where capacity is the point, tests say it."""
    if not {"IndexName", "ReturnConsumedCapacity"} & params.keys():
        params.setdefault("ConsistentRead", True)


def _batch_read_consistently(params: dict[str, Any]) -> None:
    for request in params["RequestItems"].values():
        if "ReturnConsumedCapacity" not in params:
            _read_consistently(request)


def live(place: Place, make_client: Callable[[str, str, Config], Any]) -> Iterator[LiveLab]:
    """A lab, and its clean-up, which fails the test when something is left."""
    found = LiveLab(place, make_client)
    yield found
    left = list(found.clean_up())
    if left:
        pytest.fail("not deleted, delete by hand: " + ", ".join(left))
