"""ImportTable into a new table, DescribeImport, ListImports.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ImportTable.html. Any bad line ends the job FAILED with
ItemValidationError while the valid rows stay in an ACTIVE table; counters appear at the end only; the table is
invisible first, then CREATING, and ACTIVE shortly before the job ends.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import ResourceInUseException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from ops.sandbox.aws.clock import moment
from ops.sandbox.aws.errors import service_error, validation
from ops.sandbox.aws.history import History
from ops.sandbox.aws.import_reader import COMPRESSIONS, Source, Tally, read_object
from ops.sandbox.aws.table_checks import check_known
from ops.sandbox.aws.tables import state_of
from ops.sandbox.aws.world import ACCOUNT, World

ACTIVE_AT = 0.8  # share of the time in which the table is visible
BUCKET_CHECK_S = 6.0
LOG_GROUP = "/aws-dynamodb/imports"
_ECHOED = ("S3BucketSource", "InputFormat", "InputFormatOptions", "TableCreationParameters", "ClientToken")

Document = dict[str, Any]


@dataclass(slots=True, eq=False)
class Import:
    """One job."""

    arn: str
    body: Document
    started_s: float
    description: Document
    table: Table | None = None
    tally: Tally = field(default_factory=Tally)

    @property
    def source(self) -> Source:
        """Format, compression and options of the objects."""
        options = (self.body.get("InputFormatOptions") or {}).get("Csv") or {}
        form, compression = self.body.get("InputFormat", "DYNAMODB_JSON"), self.body.get("InputCompressionType", "NONE")
        return Source(form, compression, options)

    def fail(self, when_s: float, code: str, message: str) -> None:
        """End FAILED."""
        self.description |= {
            "ImportStatus": "FAILED", "EndTime": moment(when_s), "FailureCode": code, "FailureMessage": message,
        }  # fmt: skip


class Imports:
    """Runs imports along the sandbox's timeline."""

    def __init__(self, world: World, history: History) -> None:
        self._world = world
        self._history = history

    def begin(self, handler: DynamoHandler) -> Import:
        """Accept the job, or refuse it at once: an existing table, or a format the sandbox cannot read."""
        body, backend = handler.body, handler.dynamodb_backend
        parameters = body["TableCreationParameters"]
        _check_format(body)
        check_known(parameters)
        if replay := _replayed(backend, body):
            return replay
        if parameters["TableName"] in backend.tables:
            raise ResourceInUseException(f"Table already exists: {parameters['TableName']}")
        handler._validate_table_creation(
            billing_mode=parameters.get("BillingMode", "PROVISIONED"),
            throughput=parameters.get("ProvisionedThroughput"),
            key_schema=parameters["KeySchema"], global_indexes=parameters.get("GlobalSecondaryIndexes"),
            local_secondary_indexes=None, attr=parameters["AttributeDefinitions"], warm_throughput=None,
        )  # fmt: skip
        job = self._accepted(backend, body)
        duration_s, start_s, at = self._world.durations.import_s, job.started_s, self._world.timeline.at
        hidden_s = min(self._world.durations.import_hidden_s, duration_s / 2)
        at(start_s + min(BUCKET_CHECK_S, hidden_s), lambda when: _check_bucket(job, when))
        at(start_s + hidden_s, lambda when: self._create(backend, job, when))
        at(start_s + duration_s, lambda when: self._end(backend, job, when))
        return job

    def _accepted(self, backend: DynamoDBBackend, body: Document) -> Import:
        now_s, name = self._world.now(), body["TableCreationParameters"]["TableName"]
        table_arn = f"arn:aws:dynamodb:{backend.region_name}:{backend.account_id}:table/{name}"
        arn = f"{table_arn}/import/{int(now_s * 1000):014d}-{uuid.uuid4().hex[:8]}"
        description = {
            "ImportArn": arn, "ImportStatus": "IN_PROGRESS", "TableArn": table_arn, "StartTime": moment(now_s),
            "InputCompressionType": body.get("InputCompressionType", "NONE"),
            "CloudWatchLogGroupArn": f"arn:aws:logs:{backend.region_name}:{backend.account_id}:log-group:"
            f"{LOG_GROUP}:*",
            "ProcessedSizeBytes": 0, "ProcessedItemCount": 0, "ImportedItemCount": 0, "ErrorCount": 0,
            **{name: body[name] for name in _ECHOED if body.get(name) is not None},
        }  # fmt: skip
        job = Import(arn, dict(body), now_s, description)
        backend.table_imports[arn] = job  # type: ignore[assignment]
        return job

    def _create(self, backend: DynamoDBBackend, job: Import, when_s: float) -> None:
        """The table appears, filled but CREATING."""
        source, parameters = job.body["S3BucketSource"], job.body["TableCreationParameters"]
        s3 = s3_backends[ACCOUNT]["aws"]
        _check_bucket(job, when_s)
        if job.description["ImportStatus"] == "FAILED":
            return
        if parameters["TableName"] in backend.tables:
            job.fail(when_s, "TableAlreadyExists", f"Table already exists: {parameters['TableName']}")
            return
        table = backend.create_table(
            name=parameters["TableName"], schema=parameters["KeySchema"],
            throughput=parameters.get("ProvisionedThroughput"), attr=parameters["AttributeDefinitions"],
            global_indexes=parameters.get("GlobalSecondaryIndexes") or [], indexes=[], streams=None,
            billing_mode=parameters.get("BillingMode", "PROVISIONED"),
            sse_specification=parameters.get("SSESpecification"), tags=[], deletion_protection_enabled=False,
            warm_throughput=None,
        )  # fmt: skip
        job.description["TableId"] = state_of(table).table_id
        state_of(table).on_demand = dict(parameters.get("OnDemandThroughput") or {}) or None
        bucket = s3.buckets[source["S3Bucket"]]
        prefix = source.get("S3KeyPrefix", "")
        objects = [(name, bucket.keys[name].value) for name in sorted(bucket.keys) if name.startswith(prefix)]
        job.table = table
        with self._history.atomic():
            for key, content in objects:
                read_object(self._history, table, job.source, key, content, job.tally)
        job_s = self._world.durations.import_s
        state_of(table).ready_s = when_s + ACTIVE_AT * max(0.0, job.started_s + job_s - when_s)

    def _end(self, backend: DynamoDBBackend, job: Import, when_s: float) -> None:
        """Counters, and the verdict."""
        if job.description["ImportStatus"] == "FAILED":
            return
        tally = job.tally
        job.description |= {
            "ProcessedSizeBytes": tally.processed_bytes, "ProcessedItemCount": tally.processed,
            "ImportedItemCount": tally.imported, "ErrorCount": tally.errors,
        }  # fmt: skip
        if tally.errors:
            _log(backend.region_name, job, when_s)
            job.fail(when_s, "ItemValidationError", "Some of the items failed validation checks. Please check "
                     "CloudWatch error logs for more details.")  # fmt: skip
        else:
            job.description |= {"ImportStatus": "COMPLETED", "EndTime": moment(when_s)}


def _check_bucket(job: Import, when_s: float) -> None:
    if job.body["S3BucketSource"]["S3Bucket"] not in s3_backends[ACCOUNT]["aws"].buckets:
        job.fail(when_s, "S3NoSuchBucket", "The specified bucket does not exist")


def _log(region: str, job: Import, when_s: float) -> None:
    """One event per error, in a stream of the job's own."""
    logs, stream = logs_backends[ACCOUNT][region], f"{job.arn.rsplit('/', 1)[-1]}/error"
    if LOG_GROUP not in logs.groups:
        logs.create_log_group(LOG_GROUP, {})
    logs.ensure_log_stream(LOG_GROUP, stream)
    bucket = job.body["S3BucketSource"]["S3Bucket"]
    events = [
        {
            "timestamp": int(when_s * 1_000),
            "message": json.dumps(
                {
                    "itemS3Pointer": {"bucket": bucket, "key": problem.key, "itemIndex": problem.index},
                    "importArn": job.arn, "errorMessages": [problem.message],
                }
            ),
        }
        for problem in job.tally.problems
    ]  # fmt: skip
    logs.put_log_events(LOG_GROUP, stream, events)


def _check_format(body: Document) -> None:
    if (form := body.get("InputFormat", "DYNAMODB_JSON")) not in ("DYNAMODB_JSON", "CSV", "ION"):
        raise validation(f"1 validation error detected: Value '{form}' at 'inputFormat' failed to satisfy "
                         "constraint: Member must satisfy enum value set: [ION, CSV, DYNAMODB_JSON]")  # fmt: skip
    if (compression := body.get("InputCompressionType", "NONE")) not in COMPRESSIONS:
        raise validation(
            f"1 validation error detected: Value '{compression}' at 'inputCompressionType' failed to "
            f"satisfy constraint: Member must satisfy enum value set: [{', '.join(COMPRESSIONS)}]"
        )


def _replayed(backend: DynamoDBBackend, body: Document) -> Import | None:
    """The same token returns the same job; another table under it is a conflict."""
    token = body.get("ClientToken")
    jobs: list[Any] = list(backend.table_imports.values())
    for job in jobs:
        if token and job.body.get("ClientToken") == token:
            if job.body["TableCreationParameters"] != body["TableCreationParameters"]:
                raise service_error("ImportConflictException", "Import conflict: the token names another table")
            return job  # type: ignore[no-any-return]
    return None


def listed(backend: DynamoDBBackend, body: Document) -> Document:
    """ListImports, newest first."""
    arn = body.get("TableArn")
    jobs: list[Any] = [
        one for one in backend.table_imports.values()
        if arn in (None, one.description["TableArn"])  # type: ignore[attr-defined]
    ]  # fmt: skip
    jobs.sort(key=lambda one: one.started_s, reverse=True)
    first, size = int(body.get("NextToken") or 0), body.get("PageSize") or 25
    shown = ("ImportArn", "ImportStatus", "TableArn", "S3BucketSource", "CloudWatchLogGroupArn", "InputFormat",
             "StartTime", "EndTime")  # fmt: skip
    page = [{name: one.description[name] for name in shown if name in one.description} for one in jobs]
    answer: Document = {"ImportSummaryList": page[first : first + size]}
    if first + size < len(jobs):
        answer["NextToken"] = str(first + size)
    return answer


def install(world: World, history: History) -> None:
    """Replace moto's import, which loses bad lines and reports success."""
    imports = Imports(world, history)

    def import_table(self: DynamoHandler) -> ActionResult:
        return ActionResult({"ImportTableDescription": dict(imports.begin(self).description)})

    def describe(self: DynamoHandler) -> ActionResult:
        found: Any = self.dynamodb_backend.table_imports.get(self.body["ImportArn"])
        if found is None:
            raise service_error("ImportNotFoundException", f"Import not found: {self.body['ImportArn']}")
        return ActionResult({"ImportTableDescription": dict(found.description)})

    def list_imports(self: DynamoHandler) -> ActionResult:
        return ActionResult(listed(self.dynamodb_backend, self.body))

    DynamoHandler.import_table = import_table  # type: ignore[method-assign]
    DynamoHandler.describe_import = describe  # type: ignore[method-assign]
    DynamoHandler.list_imports = list_imports  # type: ignore[attr-defined]
