"""StartBulkPutItems into an existing table, and the calls around it.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_StartBulkPutItems.html and API_BulkOperationDescription.html
(counts, statuses); .../developerguide/BulkPutItems.Requesting.html. Puts only; a parsing or validation error makes it
COMPLETED_WITH_ERRORS; a cancelled operation keeps what it has written. Not imitated, and refused or left out: lines
with a condition, the report objects.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import ResourceInUseException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from moto.s3.models import s3_backends

from ops.sandbox.aws.clock import moment
from ops.sandbox.aws.errors import not_found, service_error, validation
from ops.sandbox.aws.history import History
from ops.sandbox.aws.import_reader import COMPRESSIONS, Conditional, Source, Tally, read_object
from ops.sandbox.aws.lifecycle import is_creating
from ops.sandbox.aws.tables import find_table, state_of
from ops.sandbox.aws.world import ACCOUNT, World

TOKEN_VALID_S = 8 * 3_600
LISTED_S = 90 * 86_400
LEAST_UNITS = 1_024
PAGE = 10
OUTPUT_TYPES = frozenset({"ERROR", "CONDITION_CHECK_FAILURE"})
FORMATS = frozenset({"DYNAMODB_JSON", "ION"})
TIERS = frozenset({"STANDARD", "ACCELERATED"})

Document = dict[str, Any]


@dataclass(slots=True, eq=False)
class Operation:
    """One bulk operation."""

    arn: str
    table: Table
    body: Document
    started_s: float
    status: str = "IN_PROGRESS"
    ended_s: float | None = None
    failure: tuple[str, str] | None = None
    total_bytes: int | None = None
    tally: Tally = field(default_factory=Tally)

    def end(self, when_s: float, status: str, failure: tuple[str, str] | None = None) -> None:
        """Reach a terminal status."""
        self.status, self.ended_s, self.failure = status, when_s, failure

    def summary(self) -> Document:
        """One entry of ListBulkOperations."""
        answer = {
            "BulkOperationArn": self.arn, "BulkOperationStatus": self.status, "StartTime": moment(self.started_s),
        }  # fmt: skip
        return answer if self.ended_s is None else {**answer, "EndTime": moment(self.ended_s)}

    def description(self) -> Document:
        """DescribeBulkOperation."""
        answer = self.summary() | {
            "TableDetails": [{"TableName": self.table.name, "TableId": state_of(self.table).table_id}],
            "InputS3Configuration": self.body["InputS3Configuration"],
            "OutputS3Configuration": self.body["OutputS3Configuration"],
            "PerformanceTier": self.body.get("PerformanceTier", "STANDARD"),
            "ProcessedItemCount": self.tally.processed, "ProcessedInputBytes": self.tally.processed_bytes,
            "FailedItemCount": self.tally.errors,
            "BulkOperationUsage": [
                {
                    "TableName": self.table.name, "BulkPutBytes": self.tally.imported_bytes,
                    "Table": {"BulkPutBytes": self.tally.imported_bytes},
                }
            ],
        }  # fmt: skip
        answer |= {name: self.body[name] for name in ("ClientToken", "MaxWriteRequestUnits") if name in self.body}
        if self.total_bytes is not None:
            answer["TotalInputBytes"] = self.total_bytes
        if self.failure is not None:
            answer["FailureCode"], answer["FailureMessage"] = self.failure
        return answer


class BulkOperations:
    """All of one sandbox, by Region."""

    def __init__(self, world: World, history: History) -> None:
        self._world = world
        self._history = history
        self._operations: dict[str, dict[str, Operation]] = {}

    def begin(self, backend: DynamoDBBackend, body: Document) -> Operation:
        """Refuse at once, or accept."""
        _check_shape(body)
        region = self._operations.setdefault(backend.region_name, {})
        if replay := self._replayed(region, body):
            return replay
        table = self._target(backend, body["TableName"])
        now_s = self._world.now()
        arn = f"{table.table_arn}/bulk-operation/{int(now_s * 1000):014d}-{uuid.uuid4().hex[:8]}"
        operation = region[arn] = Operation(arn, table, dict(body), now_s)
        state_of(table).bulk_until_s = now_s + self._world.durations.bulk_s
        self._schedule(operation)
        return operation

    def _replayed(self, region: dict[str, Operation], body: Document) -> Operation | None:
        token = body.get("ClientToken")
        for one in region.values():
            recent = self._world.now() - one.started_s < TOKEN_VALID_S
            if token and recent and one.body.get("ClientToken") == token:
                if one.body != body:
                    raise service_error(
                        "IdempotentParameterMismatchException", "The token was used with other parameters"
                    )
                return one
        return None

    def _target(self, backend: DynamoDBBackend, name: str) -> Table:
        table = find_table(backend, name)
        if table is None:
            raise not_found(name)
        state = state_of(table)
        if is_creating(self._world, table) or state.updating_until_s > self._world.now():
            raise ResourceInUseException(f"Table is being changed: {table.name}")
        if state.group:
            raise validation("Bulk put items is not supported on a table that belongs to a global table")
        return table

    def _schedule(self, operation: Operation) -> None:
        """The objects one by one along the operation's time, the verdict at its end."""
        source = operation.body["InputS3Configuration"]
        bucket = s3_backends[ACCOUNT]["aws"].buckets.get(source["S3Bucket"])
        end_s = operation.started_s + self._world.durations.bulk_s
        if bucket is None:
            failure = ("S3NoSuchBucket", "The specified bucket does not exist")
            self._world.timeline.at(end_s, lambda when: operation.end(when, "FAILED", failure))
            return
        prefix = source.get("S3KeyPrefix", "")
        objects = [(name, bucket.keys[name].value) for name in sorted(bucket.keys) if name.startswith(prefix)]
        operation.total_bytes = sum(len(content) for _, content in objects)
        step_s = self._world.durations.bulk_s / (len(objects) + 1)
        for number, (key, content) in enumerate(objects, start=1):
            self._world.timeline.at(operation.started_s + number * step_s, self._step(operation, key, content))
        self._world.timeline.at(end_s, lambda when: self._finish(operation, when))

    def _step(self, operation: Operation, key: str, content: bytes) -> Any:
        given = operation.body["InputS3Configuration"]
        source = Source(given["InputFormat"], given.get("InputCompressionType", "NONE"), items_only=True)

        def run(when_s: float) -> None:
            if operation.status == "CANCELLING":
                operation.end(when_s, "CANCELLED")
            if operation.status != "IN_PROGRESS" or state_of(operation.table).deleted:
                return
            try:
                read_object(self._history, operation.table, source, key, content, operation.tally)
            except Conditional as members:
                failure = ("NotImitatedBySandbox", f"lines with {members}: their form is not known to the sandbox")
                operation.end(when_s, "FAILED", failure)

        return run

    def _finish(self, operation: Operation, when_s: float) -> None:
        if operation.status == "CANCELLING":
            operation.end(when_s, "CANCELLED")
        if operation.status == "IN_PROGRESS":
            operation.end(when_s, "COMPLETED_WITH_ERRORS" if operation.tally.errors else "COMPLETED")

    def found(self, region: str, arn: str) -> Operation:
        """The operation, or ResourceNotFoundException."""
        operation = self._operations.get(region, {}).get(arn)
        if operation is None:
            raise service_error("ResourceNotFoundException", f"Bulk operation not found: {arn}")
        return operation

    def cancel(self, region: str, arn: str) -> Operation:
        """CANCELLING; what is written stays written."""
        operation = self.found(region, arn)
        if operation.status == "IN_PROGRESS":
            operation.status = "CANCELLING"
        return operation

    def listed(self, region: str, body: Document) -> Document:
        """ListBulkOperations: newest first, 90 days, pages of 10."""
        oldest_s = self._world.now() - LISTED_S
        held = [one for one in self._operations.get(region, {}).values() if one.started_s >= oldest_s]
        held.sort(key=lambda one: (one.started_s, one.arn), reverse=True)
        first, size = int(body.get("NextToken") or 0), body.get("MaxResults") or PAGE
        answer: Document = {"BulkOperationsSummaryList": [one.summary() for one in held[first : first + size]]}
        if first + size < len(held):
            answer["NextToken"] = str(first + size)
        return answer


def _check_shape(body: Document) -> None:
    source, output = body["InputS3Configuration"], body["OutputS3Configuration"]
    if source.get("InputFormat") not in FORMATS:
        raise validation(f"InputFormat must be one of {', '.join(sorted(FORMATS))}")
    if source.get("InputCompressionType", "NONE") not in COMPRESSIONS:
        raise validation(f"InputCompressionType must be one of {', '.join(COMPRESSIONS)}")
    types = output.get("OutputType") or []
    if not types or not set(types) <= OUTPUT_TYPES:
        raise validation(f"OutputType must name one or both of {', '.join(sorted(OUTPUT_TYPES))}")
    if output.get("S3SseKmsKeyId") and output.get("S3SseAlgorithm") != "KMS":
        raise validation("S3SseKmsKeyId can only be given when S3SseAlgorithm is KMS")
    if body.get("MaxWriteRequestUnits", LEAST_UNITS) < LEAST_UNITS:
        raise validation(f"MaxWriteRequestUnits must be at least {LEAST_UNITS}")
    if body.get("PerformanceTier", "STANDARD") not in TIERS:
        raise validation(f"PerformanceTier must be one of {', '.join(sorted(TIERS))}")


def install(world: World, history: History) -> None:
    """Actions that moto has not: a method of the right name on its handler is all it takes."""
    operations = BulkOperations(world, history)

    def start(self: DynamoHandler) -> ActionResult:
        operation = operations.begin(self.dynamodb_backend, self.body)
        return ActionResult({"BulkOperationDescription": operation.description()})

    def describe(self: DynamoHandler) -> ActionResult:
        operation = operations.found(self.region, self.body["BulkOperationArn"])
        return ActionResult({"BulkOperationDescription": operation.description()})

    def cancel(self: DynamoHandler) -> ActionResult:
        operation = operations.cancel(self.region, self.body["BulkOperationArn"])
        return ActionResult({"BulkOperationArn": operation.arn, "BulkOperationStatus": operation.status})

    def list_all(self: DynamoHandler) -> ActionResult:
        return ActionResult(operations.listed(self.region, self.body))

    DynamoHandler.start_bulk_put_items = start  # type: ignore[attr-defined]
    DynamoHandler.describe_bulk_operation = describe  # type: ignore[attr-defined]
    DynamoHandler.cancel_bulk_operation = cancel  # type: ignore[attr-defined]
    DynamoHandler.list_bulk_operations = list_all  # type: ignore[attr-defined]
