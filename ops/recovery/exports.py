"""Exports to S3: ask, wait, find.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from ops.aws import AwsError, ControlPlane
from ops.clock import Clock, rfc3339, whole_seconds
from ops.errors import BadArgument, OpsError, OutsideWindow, PitrOff, RecoveryFailed, StillRunning, Throttled
from ops.progress import Progress
from ops.recovery.journal import mutate, params_digest
from ops.recovery.waiting import wait_patiently
from ops.runs import Run

POLL_S = 10.0
Kind = Literal["FULL_EXPORT", "INCREMENTAL_EXPORT"]
View = Literal["NEW_AND_OLD_IMAGES", "NEW_IMAGE"]

#: What leads out of AWS's failure codes: a bucket's or key's trouble shows only after the request was accepted.
_WAY_OUT = {
    "S3NoSuchBucket": "aws s3api head-bucket --bucket {bucket}; give an existing bucket with --to",
    "S3AccessDenied": "allow s3:PutObject and s3:AbortMultipartUpload on bucket {bucket} to the exporting role",
    "KmsNotFoundException": "give a KMS key of the bucket's region with --kms",
}


def start_export(
    control: ControlPlane,
    table_arn: str,
    *,
    bucket: str,
    prefix: str,
    at: datetime | None = None,
    kind: Kind = "FULL_EXPORT",
    since: datetime | None = None,
    until: datetime | None = None,
    view: View | None = None,
    owner: str | None = None,
    kms_key: str | None = None,
    token: str,
    run: Run,
    clock: Clock,
    progress: Progress,
) -> str:
    """ARN of an accepted export, asked for once in a run. The same token and parameters give the same export again for
    eight hours, which covers an answer that was lost; after them it would be another one, and billed again.

    PitrOff, OutsideWindow, TableNotFound: nothing was begun. `clock` is part of the signature of every start.
    """
    incremental = {"ExportFromTime": since, "ExportToTime": until, "ExportViewType": view}
    if kind == "INCREMENTAL_EXPORT" and since is None:
        raise BadArgument("an incremental export needs the time it begins at", fix=("give --since TIME",))
    wanted: dict[str, Any] = {
        "TableArn": table_arn,
        "S3Bucket": bucket,
        "S3Prefix": prefix or None,
        "S3BucketOwner": owner,
        "ClientToken": token,
        "ExportFormat": "DYNAMODB_JSON",
        "ExportType": kind,
        "ExportTime": at,
        "S3SseAlgorithm": "KMS" if kms_key else None,
        "S3SseKmsKeyId": kms_key,
    }
    if kind == "INCREMENTAL_EXPORT":
        wanted["IncrementalExportSpecification"] = _given(incremental)
    wanted = _given(wanted)
    own = _own_export(control, table_arn, wanted, run)
    if own is not None:
        progress.note(f"export {own.rpartition('/')[2]} was already asked for by this run: adopted")
        return own
    notes = {"token": token, "export_type": kind, "at": None if at is None else rfc3339(whole_seconds(at))}
    try:
        answer = mutate(
            control, run, "dynamodb", "export_table_to_point_in_time", table_arn, wanted,
            region=table_arn.split(":")[3], notes=notes,
        )  # fmt: skip
    except AwsError as error:
        raise _classified(error, table_arn) from error
    arn = str(answer["ExportDescription"]["ExportArn"])
    progress.note(f"export {arn.rpartition('/')[2]} accepted")
    return arn


def _own_export(control: ControlPlane, table_arn: str, wanted: dict[str, Any], run: Run) -> str | None:
    """What AWS has already answered this run for these very parameters, unless it failed."""
    outcome = run.find(
        "outcome", operation="ExportTableToPointInTime", target=table_arn, params_digest=params_digest(wanted)
    )
    if outcome is None or "ExportArn" not in outcome.data:
        return None
    arn = str(outcome.data["ExportArn"])
    return None if describe_export(control, arn)["ExportStatus"] == "FAILED" else arn


def _given(params: dict[str, Any]) -> dict[str, Any]:
    """Without what was left out; times cut to the second, since botocore would send the fraction."""
    return {
        name: whole_seconds(value) if isinstance(value, datetime) else value
        for name, value in params.items()
        if value is not None
    }


def _classified(error: AwsError, table_arn: str) -> OpsError:
    table = table_arn.rpartition("/")[2]
    if error.aws_code == "PointInTimeRecoveryUnavailableException":
        return PitrOff(f"point-in-time recovery of {table} is off: an export needs it", why=error.message)
    if error.aws_code == "InvalidExportTimeException":
        return OutsideWindow(f"AWS cannot export {table} at that time", why=error.message)
    if error.aws_code == "ExportConflictException":
        return RecoveryFailed("an export with this token was asked for with other parameters", why=error.message)
    if error.aws_code == "LimitExceededException":
        return Throttled("too many exports run at once in this account", why=error.message)
    return error


def wait_export(
    control: ControlPlane, arn: str, clock: Clock, progress: Progress, timeout_s: float | None = None
) -> dict[str, Any]:
    """`ExportDescription` once COMPLETED; RecoveryFailed with AWS's own code, StillRunning after `timeout_s`."""

    def probe() -> dict[str, Any] | None:
        described = describe_export(control, arn)
        return None if described["ExportStatus"] == "IN_PROGRESS" else described

    found = wait_patiently(probe, clock, interval_s=POLL_S, timeout_s=timeout_s)
    if found is None:
        raise StillRunning(f"export {arn} is still IN_PROGRESS", changed="the export was accepted by AWS")
    if found["ExportStatus"] != "COMPLETED":
        code = str(found.get("FailureCode", "unknown"))
        way_out = _WAY_OUT.get(code, RecoveryFailed.hint).format(bucket=found.get("S3Bucket"))
        raise RecoveryFailed(
            f"export {arn} failed: {code}",
            why=str(found.get("FailureMessage") or "AWS gives no reason"),
            changed="objects of an unfinished export may be in the bucket",
            fix=(way_out,),
        )
    progress.note(f"export {arn.rpartition('/')[2]} completed")
    return found


def describe_export(control: ControlPlane, arn: str) -> dict[str, Any]:
    """`ExportDescription` of DescribeExport."""
    found: dict[str, Any] = control.call("dynamodb", "describe_export", region=arn.split(":")[3], ExportArn=arn)[
        "ExportDescription"
    ]
    return found


def list_exports(
    control: ControlPlane, table_arn: str | None = None, region: str | None = None
) -> list[dict[str, Any]]:
    """Summaries (`ExportArn`, `ExportStatus`, `ExportType`) of the last 90 days, newest first."""
    wanted = {} if table_arn is None else {"TableArn": table_arn}
    listed = control.pages("dynamodb", "list_exports", "ExportSummaries", region=region, **wanted)
    return sorted(listed, key=lambda one: str(one["ExportArn"]).rpartition("/")[2], reverse=True)


def find_export(control: ControlPlane, table_arn: str, moment: datetime) -> str | None:
    """Manifest address of a full, unfiltered, COMPLETED export of exactly that second; None when there is none."""
    second = whole_seconds(moment)
    for summary in list_exports(control, table_arn, table_arn.split(":")[3]):
        arn, kind = str(summary["ExportArn"]), summary.get("ExportType", "FULL_EXPORT")
        if summary.get("ExportStatus") != "COMPLETED" or kind != "FULL_EXPORT" or _asked_before(arn, second):
            continue
        found = describe_export(control, arn)
        shown = found.get("ExportTime")
        if shown is None or whole_seconds(shown) != second or found.get("FilterSpecification"):
            continue
        if found.get("ExportFormat", "DYNAMODB_JSON") == "DYNAMODB_JSON" and found.get("ExportManifest"):
            return manifest_address(found)
    return None


def _asked_before(arn: str, moment: datetime) -> bool:
    """An export's id begins with the milliseconds of its request: it cannot show what came after."""
    digits = arn.rpartition("/")[2].partition("-")[0]
    if not digits.isdigit():
        return False
    return datetime.fromtimestamp(int(digits) / 1000, UTC) < moment - timedelta(minutes=1)


def manifest_address(described: dict[str, Any]) -> str:
    """The s3:// address of the summary of a COMPLETED export."""
    return f"s3://{described['S3Bucket']}/{described['ExportManifest']}"
