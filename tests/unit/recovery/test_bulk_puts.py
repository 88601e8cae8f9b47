"""Bulk puts: every end that AWS documents is told as what it is, and none is asked for twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ops.errors import BadArgument, OpsError, RecoveryFailed, StillRunning, Throttled
from ops.progress import SilentProgress
from ops.recovery.bulk_puts import BulkRequest, put_in_bulk
from ops.runs import Run, open_run
from tests.unit.recovery.kit import ManualClock, Scripted, refused

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/t/bulk-operation/1"
REQUEST = BulkRequest("t", "backups", "x/data/", "reports", "bulk/1", 2000)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with open_run(tmp_path, ["import-s3"], ManualClock(), Random(1)) as found:
        yield found


def description(status: str, **members: Any) -> dict[str, Any]:
    return {"BulkOperationDescription": {"BulkOperationArn": ARN, "BulkOperationStatus": status, **members}}


def put(answers: dict[str, Any], run: Run, timeout_s: float | None = None) -> tuple[Any, Scripted]:
    control = Scripted(answers)
    return put_in_bulk(control, REQUEST, run, ManualClock(), SilentProgress(), timeout_s), control


@pytest.mark.parametrize("status", ["COMPLETED", "COMPLETED_WITH_ERRORS"])
def test_the_end_is_waited_for_and_counted(run: Run, status: str) -> None:
    ended = description(status, ProcessedItemCount=5, FailedItemCount=2)
    counts, control = put(
        {
            "start_bulk_put_items": description("IN_PROGRESS"),
            "describe_bulk_operation": [description("IN_PROGRESS"), description("CANCELLING"), ended],
        },
        run,
    )
    assert (counts.arn, counts.processed, counts.failed, counts.reports) == (ARN, 5, 2, "s3://reports/bulk/1")
    [asked] = control.asked("start_bulk_put_items")
    assert asked["MaxWriteRequestUnits"] == 2000
    assert asked["InputS3Configuration"]["S3KeyPrefix"] == "x/data/"
    assert len(control.asked("describe_bulk_operation")) == 3
    again, second = put({"describe_bulk_operation": ended}, run)
    assert again == counts
    assert second.asked("start_bulk_put_items") == []


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_an_operation_that_did_not_end_well_is_told_with_what_stays(run: Run, status: str) -> None:
    with pytest.raises(RecoveryFailed, match=f"ended {status}: S3NoSuchBucket") as raised:
        put(
            {
                "start_bulk_put_items": description("IN_PROGRESS"),
                "describe_bulk_operation": description(
                    status, ProcessedItemCount=3, FailureCode="S3NoSuchBucket", FailureMessage="no bucket"
                ),
            },
            run,
        )
    assert "3 lines processed" in raised.value.why
    assert raised.value.changed == "what it had put into t stays"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ValidationException", BadArgument),
        ("ResourceInUseException", BadArgument),
        ("LimitExceededException", Throttled),
        ("SomethingElse", OpsError),
    ],
)
def test_a_refusal_is_told_as_what_it_is(run: Run, code: str, kind: type[OpsError]) -> None:
    with pytest.raises(kind) as raised:
        put({"start_bulk_put_items": refused(code, "belongs to a global table")}, run)
    assert "belongs to a global table" in raised.value.why + raised.value.what


def test_the_end_of_waiting_leaves_it_running(run: Run) -> None:
    running = description("IN_PROGRESS")
    with pytest.raises(StillRunning, match=ARN):
        put({"start_bulk_put_items": running, "describe_bulk_operation": running}, run, timeout_s=60)
