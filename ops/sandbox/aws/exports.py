"""ExportTableToPointInTime, DescribeExport, ListExports.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html (tokens, windows, view types);
bucket problems are accepted and surface as FAILED. docs.aws.amazon.com/amazondynamodb/latest/developerguide/
S3DataExport.HowItWorks.html: an incremental window is 15 minutes to 24 hours, from inclusive, to exclusive.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.exceptions import PointInTimeRecoveryUnavailable
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from ops.sandbox.aws.clock import epoch, moment
from ops.sandbox.aws.errors import service_error, table_not_found, validation
from ops.sandbox.aws.export_content import content_of, selection_of
from ops.sandbox.aws.export_files import ExportFailed, ExportRun, start, write
from ops.sandbox.aws.faults import OF_EXPORTS
from ops.sandbox.aws.lifecycle import is_creating
from ops.sandbox.aws.tables import find_table
from ops.sandbox.aws.window import window_of
from ops.sandbox.aws.world import World

SHORTEST_S, LONGEST_S = 900, 86_400
FORMATS = ("DYNAMODB_JSON", "ION")
VIEWS = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE")
TOKEN_VALID_S = 8 * 3_600
_ECHOED = (
    "ClientToken", "S3Bucket", "S3BucketOwner", "S3Prefix", "S3SseKmsKeyId", "IncrementalExportSpecification",
    "FilterSpecification",
)  # fmt: skip

Document = dict[str, Any]


@dataclass(slots=True, eq=False)
class Export:
    """One export, running or ended."""

    run: ExportRun
    body: Document
    started_s: float
    description: Document = field(default_factory=dict)

    def shape(self) -> Document:
        """What a replayed ClientToken must repeat."""
        return {name: value for name, value in self.body.items() if name != "ClientToken"}

    def finish(self, when_s: float) -> None:
        """Write the files; COMPLETED, or FAILED with the service's failure code."""
        self.description["EndTime"] = moment(when_s)
        try:
            result = write(self.run, when_s)
        except ExportFailed as failure:
            self.description |= {
                "ExportStatus": "FAILED", "FailureCode": failure.code, "FailureMessage": str(failure),
            }  # fmt: skip
            return
        self.description |= {
            "ExportStatus": "COMPLETED", "ItemCount": result.item_count, "BilledSizeBytes": result.billed_bytes,
            "ExportManifest": result.manifest_key,
        }  # fmt: skip


def begin(world: World, backend: DynamoDBBackend, body: Document) -> Export:
    """Checks, then an export that completes after its duration in sandbox time."""
    _check_shape(body)
    table = find_table(backend, body["TableArn"])
    if table is None or is_creating(world, table):
        raise table_not_found(body["TableArn"])
    bounds = window_of(world, table)
    if bounds is None:
        raise PointInTimeRecoveryUnavailable(table.name)
    if replay := _replayed(world, backend, body):
        return replay
    from_s, to_s = _times(body, bounds, world.now())
    export = _created(world, table, body, from_s, to_s)
    backend.table_exports[export.run.arn] = export  # type: ignore[assignment]
    start(export.run)
    world.timeline.at(export.started_s + world.durations.export_s, export.finish)
    return export


def _check_shape(body: Document) -> None:
    if body.get("ExportFormat", "DYNAMODB_JSON") not in FORMATS:
        raise validation(f"1 validation error detected: Value '{body['ExportFormat']}' at 'exportFormat' failed to "
                         "satisfy constraint: Member must satisfy enum value set: [ION, DYNAMODB_JSON]")  # fmt: skip
    view = (body.get("IncrementalExportSpecification") or {}).get("ExportViewType", VIEWS[0])
    if view not in VIEWS:
        raise validation(f"1 validation error detected: Value '{view}' at 'exportViewType' failed to satisfy "
                         "constraint: Member must satisfy enum value set: [NEW_IMAGE, NEW_AND_OLD_IMAGES]")  # fmt: skip
    if not body["TableArn"].startswith("arn:"):
        raise validation("One or more parameter values were invalid: tableArn is not a valid ARN")
    incremental, spec = body.get("ExportType") == "INCREMENTAL_EXPORT", body.get("IncrementalExportSpecification")
    if incremental != (spec is not None):
        raise validation("Invalid Request: IncrementalExportSpecification must be given exactly when ExportType "
                         "is INCREMENTAL_EXPORT")  # fmt: skip
    if incremental and body.get("ExportTime"):
        raise validation("Invalid Request: ExportTime cannot be given for an INCREMENTAL_EXPORT")
    if spec is not None and not spec.get("ExportFromTime"):
        raise validation("Invalid Request: ExportFromTime is required for an INCREMENTAL_EXPORT")
    if body.get("S3SseKmsKeyId") and body.get("S3SseAlgorithm") != "KMS":
        raise validation("Invalid Request: S3SseKmsKeyId can only be given when S3SseAlgorithm is KMS")


def _replayed(world: World, backend: DynamoDBBackend, body: Document) -> Export | None:
    token = body.get("ClientToken")
    exports: list[Any] = list(backend.table_exports.values())
    for export in exports:
        recent = world.now() - export.started_s < TOKEN_VALID_S
        if token and recent and export.body.get("ClientToken") == token:
            if export.shape() != {name: value for name, value in body.items() if name != "ClientToken"}:
                raise service_error(
                    "ExportConflictException",
                    "Export conflict: Duplicate request detected with conflicting parameters",
                )
            return export  # type: ignore[no-any-return]
    return None


def _times(body: Document, bounds: tuple[int, int], now_s: float) -> tuple[int | None, float]:
    """(from, to), whole seconds but for a full export that names no time: it holds what is there at its request."""
    earliest, latest = bounds
    spec = body.get("IncrementalExportSpecification")
    if spec is None:
        if not body.get("ExportTime"):
            return None, now_s
        to_s = int(epoch(body["ExportTime"]))
        if not earliest <= to_s <= latest:
            raise service_error("InvalidExportTimeException", "ExportTime is outside the point-in-time recovery window")
        return None, to_s
    from_s = int(epoch(spec["ExportFromTime"]))
    to_s = int(epoch(spec["ExportToTime"])) if spec.get("ExportToTime") else latest
    if not earliest <= from_s or not to_s <= latest:
        raise service_error(
            "InvalidExportTimeException", "The export period is outside the point-in-time recovery window"
        )
    if not SHORTEST_S <= to_s - from_s <= LONGEST_S:
        raise service_error(
            "InvalidExportTimeException",
            "Difference between export period from time and export period to time is less than 15 minutes or "
            "more than 24 hours",
        )
    return from_s, to_s


def _created(world: World, table: Table, body: Document, from_s: int | None, to_s: float) -> Export:
    now_s = world.now()
    identifier = f"{int(now_s * 1000):014d}-{uuid.uuid4().hex[:8]}"
    spec, filters = body.get("IncrementalExportSpecification") or {}, body.get("FilterSpecification") or {}
    view = spec.get("ExportViewType", VIEWS[0])
    run = ExportRun(
        arn=f"{table.table_arn}/export/{identifier}", identifier=identifier, table=table, started_s=now_s,
        from_s=from_s, to_s=to_s, bucket=body["S3Bucket"], prefix=body.get("S3Prefix"),
        sse_algorithm=body.get("S3SseAlgorithm", "AES256"), kms_key_id=body.get("S3SseKmsKeyId"),
        form=body.get("ExportFormat", FORMATS[0]), reduced=from_s is not None or bool(filters),
        content=content_of(table, selection_of(table, filters), view, from_s, to_s), failure=_failure(world, body),
    )  # fmt: skip
    export = Export(run, dict(body), now_s)
    export.description = {
        "ExportArn": run.arn, "ExportStatus": "IN_PROGRESS", "StartTime": moment(now_s),
        "TableArn": table.table_arn, "TableId": run.table_id, "S3SseAlgorithm": run.sse_algorithm,
        "ExportFormat": run.form,
        **{name: body[name] for name in _ECHOED if body.get(name) is not None},
    }  # fmt: skip
    if from_s is None:
        export.description["ExportTime"] = moment(to_s)
    else:
        export.description["ExportType"] = "INCREMENTAL_EXPORT"
    return export


def _failure(world: World, body: Document) -> tuple[str, str] | None:
    """What a fault has in store: accepted now, seen in DescribeExport only."""
    kms = {"export_kms"} if body.get("S3SseAlgorithm") != "KMS" else set()
    fault = world.faults.strike("ExportTableToPointInTime", names=OF_EXPORTS - kms)
    if fault is None:
        return None
    if fault.name == "export_denied":
        return "S3AccessDenied", f"Access to the S3 bucket {body['S3Bucket']} is denied"
    return "KmsNotFoundException", f"The KMS key {body.get('S3SseKmsKeyId', 'aws/s3')} does not exist"


def listed(backend: DynamoDBBackend, body: Document) -> Document:
    """ListExports: newest first, 25 a page; empty once the table is deleted, though DescribeExport answers."""
    arn = body.get("TableArn")
    if arn is not None and find_table(backend, arn) is None:
        return {"ExportSummaries": []}
    exports: list[Any] = [
        one for one in backend.table_exports.values()
        if arn is None or one.run.table.table_arn == arn  # type: ignore[attr-defined]
    ]  # fmt: skip
    exports.sort(key=lambda one: one.started_s, reverse=True)
    first, size = int(body.get("NextToken") or 0), body.get("MaxResults") or 25
    answer: Document = {
        "ExportSummaries": [
            {
                "ExportArn": one.run.arn, "ExportStatus": one.description["ExportStatus"],
                "ExportType": one.body.get("ExportType", "FULL_EXPORT"),
            }
            for one in exports[first : first + size]
        ]
    }  # fmt: skip
    if first + size < len(exports):
        answer["NextToken"] = str(first + size)
    return answer


def install(world: World) -> None:
    """Replace moto's export, which writes no manifest and the present items."""

    def export(self: DynamoHandler) -> ActionResult:
        return ActionResult({"ExportDescription": dict(begin(world, self.dynamodb_backend, self.body).description)})

    def describe(self: DynamoHandler) -> ActionResult:
        found: Any = self.dynamodb_backend.table_exports.get(self.body["ExportArn"])
        if found is None:
            raise service_error("ExportNotFoundException", f"Export not found: {self.body['ExportArn']}")
        return ActionResult({"ExportDescription": dict(found.description)})

    def list_all(self: DynamoHandler) -> ActionResult:
        return ActionResult(listed(self.dynamodb_backend, self.body))

    DynamoHandler.export_table_to_point_in_time = export  # type: ignore[method-assign]
    DynamoHandler.describe_export = describe  # type: ignore[method-assign]
    DynamoHandler.list_exports = list_all  # type: ignore[method-assign]
