"""Puts by AWS itself: objects of S3 into a table that exists.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_StartBulkPutItems.html. It only puts: it deletes
nothing, and it is refused on a table of a global table and while an index is created.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ops.aws import AwsError, ControlPlane
from ops.clock import Clock
from ops.errors import BadArgument, OpsError, RecoveryFailed, StillRunning, Throttled
from ops.progress import Progress
from ops.recovery.journal import client_token, mutate
from ops.recovery.waiting import wait_patiently
from ops.runs import Run

POLL_S = 10.0
#: AWS takes no lower limit than this.
LEAST_UNITS = 1024
_ENDED = ("COMPLETED", "COMPLETED_WITH_ERRORS", "CANCELLED", "FAILED")


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """Gzip objects of `{"Item":…}` lines below `prefix`, into `table`; reports of errors go below `reports`."""

    table: str
    bucket: str
    prefix: str
    reports_bucket: str
    reports: str
    units_per_s: int | None = None

    def params(self, run: Run) -> dict[str, Any]:
        """Of StartBulkPutItems; the token stands for the run and every other parameter."""
        params: dict[str, Any] = {
            "TableName": self.table,
            "InputS3Configuration": {
                "S3Bucket": self.bucket, "S3KeyPrefix": self.prefix, "InputFormat": "DYNAMODB_JSON",
                "InputCompressionType": "GZIP",
            },
            "OutputS3Configuration": {
                "S3Bucket": self.reports_bucket, "S3KeyPrefix": self.reports, "OutputType": ["ERROR"],
            },
        }  # fmt: skip
        if self.units_per_s is not None:
            params["MaxWriteRequestUnits"] = self.units_per_s
        return {"ClientToken": client_token(run, params), **params}


@dataclass(frozen=True, slots=True)
class BulkCounts:
    """Lines that AWS has processed, and those of them that it could not put."""

    arn: str
    processed: int
    failed: int
    reports: str


def put_in_bulk(
    control: ControlPlane,
    request: BulkRequest,
    run: Run,
    clock: Clock,
    progress: Progress,
    timeout_s: float | None = None,
) -> BulkCounts:
    """Ask AWS, wait for the end. A resumed run adopts what it has asked for.

    RecoveryFailed for CANCELLED and FAILED: what was put stays. StillRunning after `timeout_s`.
    """
    params = request.params(run)
    outcome = run.find("outcome", operation="StartBulkPutItems", target=request.table)
    arn = None if outcome is None else outcome.data.get("BulkOperationArn")
    if arn is None:
        try:
            answer = mutate(control, run, "dynamodb", "start_bulk_put_items", request.table, params)
        except AwsError as error:
            raise _classified(error, request.table) from error
        arn = answer["BulkOperationDescription"]["BulkOperationArn"]
    progress.note(f"bulk operation {str(arn).rpartition('/')[2]} accepted")
    found = _wait(control, str(arn), clock, timeout_s)
    counts = BulkCounts(
        str(arn), int(found.get("ProcessedItemCount", 0)), int(found.get("FailedItemCount", 0)),
        f"s3://{request.reports_bucket}/{request.reports}",
    )  # fmt: skip
    if found["BulkOperationStatus"] not in ("COMPLETED", "COMPLETED_WITH_ERRORS"):
        raise RecoveryFailed(
            f"bulk operation {arn} ended {found['BulkOperationStatus']}: {found.get('FailureCode', 'no code')}",
            why=f"{counts.processed} lines processed, {counts.failed} failed; "
            + str(found.get("FailureMessage") or "AWS gives no reason"),
            changed=f"what it had put into {request.table} stays",
            fix=("run the same command without --bulk",),
        )
    return counts


def _classified(error: AwsError, table: str) -> OpsError:
    if error.aws_code == "LimitExceededException":
        return Throttled("too many bulk operations run at once in this account", why=error.message)
    if error.aws_code in ("ValidationException", "ResourceInUseException"):
        return BadArgument(
            f"AWS does not put in bulk into {table}", why=error.message, fix=("run the same command without --bulk",)
        )
    return error


def _wait(control: ControlPlane, arn: str, clock: Clock, timeout_s: float | None) -> dict[str, Any]:
    def probe() -> dict[str, Any] | None:
        answer = control.call("dynamodb", "describe_bulk_operation", BulkOperationArn=arn)
        described: dict[str, Any] = answer["BulkOperationDescription"]
        return described if described["BulkOperationStatus"] in _ENDED else None

    found = wait_patiently(probe, clock, interval_s=POLL_S, timeout_s=timeout_s)
    if found is None:
        raise StillRunning(f"bulk operation {arn} is still running", changed="the operation was accepted by AWS")
    return found
