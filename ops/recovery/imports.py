"""Imports from S3, always into a new table.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.HowItWorks.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ops.aws import AwsError, ControlPlane
from ops.clock import Clock
from ops.errors import BadArgument, OpsError, RecoveryFailed, StillRunning, TargetExists, Throttled
from ops.progress import Progress
from ops.recovery import tables
from ops.recovery.journal import mutate
from ops.recovery.waiting import wait_patiently
from ops.runs import Run

POLL_S = 10.0
Compression = Literal["GZIP", "NONE", "ZSTD"]
_FORMATS = {"dynamodb-json": "DYNAMODB_JSON", "csv": "CSV"}


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What DescribeImport says of a COMPLETED import; duplicates are in `imported` and not told apart."""

    arn: str
    table: str
    processed: int
    imported: int
    errors: int
    processed_bytes: int


def import_table(
    control: ControlPlane,
    *,
    bucket: str,
    prefix: str,
    form: Literal["dynamodb-json", "csv"],
    compression: Compression,
    table: str,
    schema: dict[str, Any],
    token: str,
    run: Run,
    clock: Clock,
    progress: Progress,
    timeout_s: float | None = None,
    delimiter: str | None = None,
    headers: Sequence[str] | None = None,
) -> ImportCounts:
    """Import the objects below `prefix` into the new table `table`; `schema` are CreateTable parameters.

    Waits for the import, not for the table, which is ACTIVE earlier. TargetExists; RecoveryFailed with the counts
    (the table may exist and hold the good lines: it is never deleted here); StillRunning after `timeout_s`.
    """
    if form not in _FORMATS:
        raise BadArgument(f"AWS does not import the form {form}", fix=("stage the lines as dynamodb-json first",))
    params = _params(bucket, prefix, form, compression, table, schema, token, delimiter, headers)
    arn = _own_import(run, table, token) or _ask(control, table, params, token, run)
    progress.note(f"import {arn.rpartition('/')[2]} accepted")
    found = _wait(control, arn, clock, timeout_s)
    counts = _counts(arn, table, found)
    if found["ImportStatus"] != "COMPLETED":
        raise _failed(counts, found, table, progress)
    tables.wait_settled(control, table, clock, timeout_s)
    return counts


def _params(
    bucket: str,
    prefix: str,
    form: str,
    compression: str,
    table: str,
    schema: dict[str, Any],
    token: str,
    delimiter: str | None,
    headers: Sequence[str] | None,
) -> dict[str, Any]:
    creation = {name: value for name, value in schema.items() if name in _CREATION} | {"TableName": table}
    params: dict[str, Any] = {
        "ClientToken": token,
        "S3BucketSource": {"S3Bucket": bucket, "S3KeyPrefix": prefix},
        "InputFormat": _FORMATS[form],
        "InputCompressionType": compression,
        "TableCreationParameters": creation,
    }
    csv: dict[str, Any] = {"Delimiter": delimiter, "HeaderList": list(headers) if headers else None}
    options = {name: value for name, value in csv.items() if value}
    if form == "csv" and options:
        params["InputFormatOptions"] = {"Csv": options}
    return params


#: TableCreationParameters takes fewer members than CreateTable.
_CREATION = (
    "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput", "OnDemandThroughput",
    "SSESpecification", "GlobalSecondaryIndexes",
)  # fmt: skip


def _own_import(run: Run, table: str, token: str) -> str | None:
    """The ARN that AWS has already answered this run for this very request."""
    intent = run.find("intent", operation="ImportTable", target=table, token=token)
    outcome = run.find("outcome", operation="ImportTable", target=table)
    if intent is None or outcome is None or outcome.seq < intent.seq:
        return None
    arn = outcome.data.get("ImportArn")
    return None if arn is None else str(arn)


def _ask(control: ControlPlane, table: str, params: dict[str, Any], token: str, run: Run) -> str:
    asked = run.find("intent", operation="ImportTable", target=table, token=token) is not None
    if not asked and tables.exists(control, table):
        raise TargetExists(f"table {table} exists already", why="AWS imports into new tables only")
    try:
        answer = mutate(control, run, "dynamodb", "import_table", table, params, notes={"token": token})
    except AwsError as error:
        raise _classified(error, table) from error
    return str(answer["ImportTableDescription"]["ImportArn"])


def _classified(error: AwsError, table: str) -> OpsError:
    if error.aws_code == "ResourceInUseException":
        return TargetExists(f"table {table} exists already", why=error.message)
    if error.aws_code == "ImportConflictException":
        return RecoveryFailed("an import with this token was asked for with another table", why=error.message)
    if error.aws_code == "LimitExceededException":
        return Throttled("too many imports run at once in this account", why=error.message)
    return error


def _wait(control: ControlPlane, arn: str, clock: Clock, timeout_s: float | None) -> dict[str, Any]:
    def probe() -> dict[str, Any] | None:
        described = describe_import(control, arn)
        return None if described["ImportStatus"] in ("IN_PROGRESS", "CANCELLING") else described

    found = wait_patiently(probe, clock, interval_s=POLL_S, timeout_s=timeout_s)
    if found is None:
        raise StillRunning(f"import {arn} is still IN_PROGRESS", changed="the import was accepted by AWS")
    return found


def describe_import(control: ControlPlane, arn: str) -> dict[str, Any]:
    """`ImportTableDescription` of DescribeImport."""
    found: dict[str, Any] = control.call("dynamodb", "describe_import", ImportArn=arn)["ImportTableDescription"]
    return found


def list_imports(control: ControlPlane, table_arn: str | None = None) -> list[dict[str, Any]]:
    """Summaries of the imports of the last 90 days, newest first."""
    wanted = {} if table_arn is None else {"TableArn": table_arn}
    listed = control.pages("dynamodb", "list_imports", "ImportSummaryList", **wanted)
    return sorted(listed, key=lambda one: str(one["ImportArn"]).rpartition("/")[2], reverse=True)


def _counts(arn: str, table: str, found: dict[str, Any]) -> ImportCounts:
    return ImportCounts(
        arn,
        table,
        int(found.get("ProcessedItemCount", 0)),
        int(found.get("ImportedItemCount", 0)),
        int(found.get("ErrorCount", 0)),
        int(found.get("ProcessedSizeBytes", 0)),
    )


def _failed(counts: ImportCounts, found: dict[str, Any], table: str, progress: Progress) -> OpsError:
    code = str(found.get("FailureCode", "unknown"))
    if code in ("TableAlreadyExists", "TableAlreadyExistsException"):
        return TargetExists(
            f"table {table} was created by somebody else meanwhile", why=str(found.get("FailureMessage"))
        )
    log = found.get("CloudWatchLogGroupArn")
    if log:
        progress.note(f"AWS wrote the reasons to {log}")
    return RecoveryFailed(
        f"import {counts.arn} ended {found['ImportStatus']}: {code}",
        why=f"{counts.processed} lines read, {counts.imported} imported, {counts.errors} errors; "
        + str(found.get("FailureMessage") or "AWS gives no reason"),
        changed=f"table {table} may exist and hold the imported items; it was not deleted",
        fix=("correct the source and import into another name", f"ops verify ddb:{table} --against SOURCE"),
    )
