"""Jobs of AWS: what is asked, how failures are told, what a resumed run does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ops.errors import (
    BadArgument,
    OpsError,
    OutsideWindow,
    PitrOff,
    RecoveryFailed,
    StillRunning,
    TargetExists,
    Throttled,
)
from ops.progress import SilentProgress
from ops.recovery import exports, imports, tables
from ops.runs import Run, open_run, resume_run
from tests.unit.recovery.kit import (
    ARN,
    START,
    ManualClock,
    Scripted,
    document,
    not_found,
    refused,
    table,
)

PROGRESS = SilentProgress()


def test_a_failed_export_carries_awss_code_and_a_way_out(clock: ManualClock) -> None:
    failed = {"ExportStatus": "FAILED", "FailureCode": "S3AccessDenied", "S3Bucket": "b", "FailureMessage": "no"}
    control = Scripted({"describe_export": {"ExportDescription": failed}})
    with pytest.raises(RecoveryFailed, match="S3AccessDenied") as caught:
        exports.wait_export(control, f"{ARN}/export/1-1", clock, PROGRESS)
    assert "bucket b" in caught.value.fix[0]


def test_an_export_that_takes_too_long_goes_on_in_aws(clock: ManualClock) -> None:
    control = Scripted({"describe_export": {"ExportDescription": {"ExportStatus": "IN_PROGRESS"}}})
    with pytest.raises(StillRunning):
        exports.wait_export(control, f"{ARN}/export/1-1", clock, PROGRESS, timeout_s=60)


def test_an_export_sends_no_fraction_and_nothing_empty(run: Run, clock: ManualClock) -> None:
    control = Scripted({"export_table_to_point_in_time": {"ExportDescription": {"ExportArn": f"{ARN}/export/1-1"}}})
    exports.start_export(
        control, ARN, bucket="b", prefix="", at=START + timedelta(microseconds=5), token="t", run=run, clock=clock,
        progress=PROGRESS,
    )  # fmt: skip
    (params,) = control.asked("export_table_to_point_in_time")
    assert params["ExportTime"] == START
    assert all(value not in (None, "", {}) for value in params.values())


def test_an_incremental_export_needs_its_beginning(run: Run, clock: ManualClock) -> None:
    with pytest.raises(BadArgument):
        exports.start_export(
            Scripted({}), ARN, bucket="b", prefix="", kind="INCREMENTAL_EXPORT", token="t", run=run, clock=clock,
            progress=PROGRESS,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("PointInTimeRecoveryUnavailableException", PitrOff),
        ("InvalidExportTimeException", OutsideWindow),
        ("ExportConflictException", RecoveryFailed),
        ("LimitExceededException", Throttled),
    ],
)
def test_awss_refusals_of_an_export_are_classed(run: Run, clock: ManualClock, code: str, kind: type[OpsError]) -> None:
    with pytest.raises(kind):
        exports.start_export(
            Scripted({"export_table_to_point_in_time": refused(code)}), ARN, bucket="b", prefix="", token="t",
            run=run, clock=clock, progress=PROGRESS,
        )  # fmt: skip


def test_exports_asked_before_a_moment_are_not_even_looked_at() -> None:
    early = f"{ARN}/export/{int((START - timedelta(hours=1)).timestamp() * 1000):014d}-00000000"
    control = Scripted({"list_exports": {"ExportSummaries": [{"ExportArn": early, "ExportStatus": "COMPLETED"}]}})
    assert exports.find_export(control, ARN, START) is None
    assert control.asked("describe_export") == []


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({}, True),
        ({"ExportTime": START + timedelta(milliseconds=700)}, True),
        ({"ExportTime": START + timedelta(seconds=1)}, False),
        ({"FilterSpecification": {"FilterExpression": "x"}}, False),
        ({"ExportFormat": "ION"}, False),
    ],
)
def test_only_a_whole_export_of_that_very_second_is_found(members: dict[str, Any], found: bool) -> None:
    arn = f"{ARN}/export/{int(START.timestamp() * 1000) + 400_000:014d}-00000000"
    described = {"ExportArn": arn, "ExportTime": START, "S3Bucket": "b", "ExportManifest": "p/manifest-summary.json"}
    control = Scripted(
        {
            "list_exports": {"ExportSummaries": [{"ExportArn": arn, "ExportStatus": "COMPLETED"}]},
            "describe_export": {"ExportDescription": {**described, **members}},
        }
    )
    address = exports.find_export(control, ARN, START)
    assert address == ("s3://b/p/manifest-summary.json" if found else None)


def importing(control: Scripted, run: Run, clock: ManualClock, **more: Any) -> imports.ImportCounts:
    wanted: dict[str, Any] = {
        "bucket": "b", "prefix": "p/", "form": "dynamodb-json", "compression": "GZIP", "table": "drill-new",
        "schema": tables.create_parameters("drill-new", document(), run), "token": "tok", "run": run, "clock": clock,
        "progress": PROGRESS,
    }  # fmt: skip
    return imports.import_table(control, **{**wanted, **more})


def described_import(status: str, **members: Any) -> dict[str, Any]:
    return {"ImportTableDescription": {"ImportArn": "imp/1", "ImportStatus": status, **members}}


def test_an_import_waits_for_the_job_not_for_the_table(run: Run, clock: ManualClock) -> None:
    control = Scripted(
        {
            "describe_table": [not_found(), table()],
            "import_table": described_import("IN_PROGRESS"),
            "describe_import": [
                described_import("IN_PROGRESS"),
                described_import("COMPLETED", ImportedItemCount=4, ProcessedItemCount=5, ErrorCount=0),
            ],
        }
    )
    counts = importing(control, run, clock)
    assert (counts.processed, counts.imported, counts.arn) == (5, 4, "imp/1")
    names = [name for name, _ in control.calls]
    assert names == ["describe_table", "import_table", "describe_import", "describe_import", "describe_table"]
    (params,) = control.asked("import_table")
    assert "Tags" not in params["TableCreationParameters"], "ImportTable takes no tags"


def test_an_imports_failure_tells_counts_and_that_the_table_may_exist(run: Run, clock: ManualClock) -> None:
    failed = described_import("FAILED", FailureCode="ItemValidationError", ImportedItemCount=2, ErrorCount=1)
    control = Scripted(
        {"describe_table": not_found(), "import_table": described_import("IN_PROGRESS"), "describe_import": failed}
    )
    with pytest.raises(RecoveryFailed, match="ItemValidationError") as caught:
        importing(control, run, clock)
    assert "2 imported, 1 errors" in caught.value.why
    assert "may exist" in caught.value.changed


def test_the_loser_of_two_imports_is_told_that_the_name_is_taken(run: Run, clock: ManualClock) -> None:
    failed = described_import("FAILED", FailureCode="TableAlreadyExists")
    control = Scripted(
        {"describe_table": not_found(), "import_table": described_import("IN_PROGRESS"), "describe_import": failed}
    )
    with pytest.raises(TargetExists):
        importing(control, run, clock)


def test_a_killed_import_asks_again_under_its_token(tmp_path: Path, clock: ManualClock) -> None:
    with open_run(tmp_path, ["import"], clock, Random(1)) as first:
        first.intent("ImportTable", "drill-new", token="tok")
    control = Scripted(
        {
            "describe_table": table(),
            "import_table": described_import("IN_PROGRESS"),
            "describe_import": described_import("COMPLETED"),
        }
    )
    with resume_run(tmp_path, first.id, clock) as again:
        importing(control, again, clock)
    assert control.asked("import_table")[0]["ClientToken"] == "tok"


def test_a_form_that_aws_does_not_import_is_refused_before_any_call(run: Run, clock: ManualClock) -> None:
    control = Scripted({})
    with pytest.raises(BadArgument, match="jsonl"):
        importing(control, run, clock, form="jsonl")
    assert control.calls == []
