"""Restores: what is asked of AWS, how refusals are classed, what a resumed run adopts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ops.clock import rfc3339
from ops.errors import (
    BackupGone,
    OpsError,
    OutsideWindow,
    PitrOff,
    RecoveryFailed,
    StillRunning,
    TableNotFound,
    TargetExists,
    Throttled,
    Unreachable,
)
from ops.progress import SilentProgress
from ops.recovery import restore, waiting
from ops.recovery.restore import RestoreRequest, start_restore
from ops.runs import Run, open_run, resume_run
from tests.unit.recovery.kit import (
    ARN,
    START,
    ManualClock,
    Scripted,
    by_name,
    not_found,
    refused,
    table,
    window,
)

PROGRESS = SilentProgress()


OPEN = window(START - timedelta(days=1), START)
REQUEST = RestoreRequest("t", None, "drill-new", moment=START - timedelta(hours=1))


def restoring(**answers: Any) -> Scripted:
    return Scripted(
        {
            "describe_table": by_name(t=table()),
            "describe_continuous_backups": OPEN,
            "restore_table_to_point_in_time": {"TableDescription": {"TableId": "id-2"}},
            **answers,
        }
    )


def test_a_restore_asks_for_whole_seconds_and_sends_no_empty_override(run: Run, clock: ManualClock) -> None:
    control = restoring()
    request = RestoreRequest("t", None, "drill-new", moment=START - timedelta(microseconds=1))
    start_restore(control, request, run, clock, PROGRESS)
    (params,) = control.asked("restore_table_to_point_in_time")
    assert params == {
        "SourceTableName": "t", "TargetTableName": "drill-new", "RestoreDateTime": START - timedelta(seconds=1),
    }  # fmt: skip


def test_latest_names_its_second_unless_the_window_is_pinned(run: Run, clock: ManualClock) -> None:
    control = restoring()
    started = start_restore(control, RestoreRequest("t", None, "one", latest=True), run, clock, PROGRESS)
    assert started.restored_to == START
    assert control.asked("restore_table_to_point_in_time")[0]["RestoreDateTime"] == START
    pinned = START + timedelta(microseconds=700_000)
    control = restoring(describe_continuous_backups=window(pinned, pinned))
    start_restore(control, RestoreRequest("t", None, "two", latest=True), run, clock, PROGRESS)
    assert control.asked("restore_table_to_point_in_time")[0]["UseLatestRestorableTime"] is True


def test_indexes_are_dropped_only_when_asked(run: Run, clock: ManualClock) -> None:
    control = restoring()
    request = RestoreRequest("t", None, "drill-new", latest=True, indexes_kept=False)
    start_restore(control, request, run, clock, PROGRESS)
    assert control.asked("restore_table_to_point_in_time")[0]["GlobalSecondaryIndexOverride"] == []


def test_another_region_is_named_by_arn_and_with_encryption(run: Run, clock: ManualClock) -> None:
    control = restoring()
    request = RestoreRequest("t", "us-west-2", "drill-new", latest=True)
    start_restore(control, request, run, clock, PROGRESS)
    (params,) = control.asked("restore_table_to_point_in_time")
    assert params["SourceTableArn"] == ARN
    assert params["SSESpecificationOverride"]["Enabled"] is True
    assert "SourceTableName" not in params
    assert control.asked("describe_continuous_backups")[0]["region"] == "us-west-2"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("TableAlreadyExistsException", TargetExists),
        ("TableInUseException", TargetExists),
        ("InvalidRestoreTimeException", OutsideWindow),
        ("PointInTimeRecoveryUnavailableException", PitrOff),
        ("BackupInUseException", RecoveryFailed),
        ("BackupNotFoundException", BackupGone),
        ("LimitExceededException", Throttled),
    ],
)
def test_awss_refusals_of_a_restore_are_classed(run: Run, clock: ManualClock, code: str, kind: type[OpsError]) -> None:
    with pytest.raises(kind) as caught:
        start_restore(restoring(restore_table_to_point_in_time=refused(code)), REQUEST, run, clock, PROGRESS)
    assert caught.value.why == "said AWS"


def test_a_refused_restore_gives_no_right_to_the_name(run: Run, clock: ManualClock) -> None:
    """The name was taken by somebody else between our look and our call; the second start must refuse it too."""
    taken = refused("TableAlreadyExistsException")
    with pytest.raises(TargetExists):
        start_restore(restoring(restore_table_to_point_in_time=taken), REQUEST, run, clock, PROGRESS)
    control = restoring(describe_table=by_name(t=table(), drill_new=table(TableId="foreign")))
    with pytest.raises(TargetExists, match="exists already"):
        start_restore(control, REQUEST, run, clock, PROGRESS)


MADE = {"SourceTableArn": ARN, "RestoreDateTime": START - timedelta(hours=1)}


def test_a_restore_whose_answer_was_lost_is_ours_when_aws_makes_it(run: Run, clock: ManualClock) -> None:
    looks = [not_found(), table("CREATING", RestoreSummary=MADE)]
    control = restoring(
        describe_table=by_name(t=table(), drill_new=lambda: looks.pop(0)),
        restore_table_to_point_in_time=Unreachable("no answer"),
    )
    started = start_restore(control, REQUEST, run, clock, PROGRESS)
    assert (started.adopted, started.restored_to) == (True, START - timedelta(hours=1))


def test_a_restore_whose_answer_was_lost_and_that_shows_later_is_ours_too(run: Run, clock: ManualClock) -> None:
    with pytest.raises(Unreachable):
        start_restore(restoring(restore_table_to_point_in_time=Unreachable("no answer")), REQUEST, run, clock, PROGRESS)
    looks = [not_found(), not_found(), table("CREATING", RestoreSummary=MADE)]
    control = restoring(
        describe_table=by_name(t=table(), drill_new=lambda: looks.pop(0)),
        restore_table_to_point_in_time=refused("TableAlreadyExistsException"),
    )
    assert start_restore(control, REQUEST, run, clock, PROGRESS).adopted


def test_a_throttled_restore_is_asked_for_again(run: Run, clock: ManualClock) -> None:
    answers = [Throttled("slow"), refused("LimitExceededException"), {"TableDescription": {"TableId": "id-2"}}]
    control = restoring(restore_table_to_point_in_time=answers)
    assert not start_restore(control, REQUEST, run, clock, PROGRESS).adopted
    assert len(control.asked("restore_table_to_point_in_time")) == 3


def killed_after_intent(tmp_path: Path, clock: ManualClock) -> str:
    with open_run(tmp_path, ["restore"], clock, Random(1)) as first:
        first.intent(
            "RestoreTableToPointInTime", "drill-new", source="t", source_arn=ARN, way="pitr",
            restored_to=rfc3339(START - timedelta(hours=1)),
        )  # fmt: skip
    return first.id


@pytest.mark.parametrize(
    ("found", "ours"),
    [
        (table("CREATING", RestoreSummary={"SourceTableArn": ARN}), True),
        (table("CREATING", RestoreSummary={"SourceTableArn": ARN + "2"}), False),
        (table("CREATING", RestoreSummary=MADE), True),
        (table("CREATING", RestoreSummary={**MADE, "RestoreDateTime": START - timedelta(hours=2)}), False),
        (table(CreationDateTime=START + timedelta(seconds=5)), True),
        (table(CreationDateTime=START - timedelta(days=1)), False),
    ],
)
def test_a_killed_restore_is_adopted_only_if_nothing_speaks_against_it(
    tmp_path: Path, clock: ManualClock, found: dict[str, Any], ours: bool
) -> None:
    run_id = killed_after_intent(tmp_path, clock)
    control = restoring(describe_table=by_name(t=table(), drill_new=found))
    with resume_run(tmp_path, run_id, clock) as again:
        if ours:
            started = start_restore(control, REQUEST, again, clock, PROGRESS)
            assert (started.adopted, started.restored_to) == (True, START - timedelta(hours=1))
        else:
            with pytest.raises(TargetExists):
                start_restore(control, REQUEST, again, clock, PROGRESS)
    assert control.asked("restore_table_to_point_in_time") == []


def test_a_killed_restore_that_never_left_is_asked_for_again(tmp_path: Path, clock: ManualClock) -> None:
    run_id = killed_after_intent(tmp_path, clock)
    control = restoring()
    with resume_run(tmp_path, run_id, clock) as again:
        assert not start_restore(control, REQUEST, again, clock, PROGRESS).adopted
    assert len(control.asked("restore_table_to_point_in_time")) == 1


def test_active_means_table_indexes_and_replicas(clock: ManualClock) -> None:
    index = {"IndexName": "g", "IndexStatus": "CREATING"}
    replica = {"RegionName": "us-west-2", "ReplicaStatus": "CREATING"}
    answers = [
        not_found(), table("CREATING"), table(GlobalSecondaryIndexes=[index]),
        table(GlobalSecondaryIndexes=[{**index, "IndexStatus": "ACTIVE", "Backfilling": True}]),
        table(Replicas=[replica]), table(),
    ]  # fmt: skip
    control = Scripted({"describe_table": answers})
    restore.wait_active(control, "t", clock, PROGRESS, 600)
    assert len(control.calls) == 6


def test_a_restore_that_takes_too_long_or_another_way_is_said(clock: ManualClock) -> None:
    with pytest.raises(StillRunning, match="after 60 s"):
        restore.wait_active(Scripted({"describe_table": table("CREATING")}), "t", clock, PROGRESS, 60)
    with pytest.raises(RecoveryFailed, match="DELETING"):
        restore.wait_active(Scripted({"describe_table": table("DELETING")}), "t", clock, PROGRESS)
    with pytest.raises(TableNotFound):
        restore.wait_active(Scripted({"describe_table": not_found()}), "t", clock, PROGRESS)


def test_a_short_outage_does_not_end_a_long_wait(clock: ManualClock) -> None:
    down: list[Any] = [Unreachable("endpoint unreachable")] * waiting.TOLERATED
    control = Scripted({"describe_table": [table("CREATING"), *down, table("CREATING"), *down, table()]})
    restore.wait_active(control, "t", clock, PROGRESS)
    with pytest.raises(Throttled):
        restore.wait_active(Scripted({"describe_table": [*down, Throttled("slow down")]}), "t", clock, PROGRESS)


def test_a_target_name_holds_its_moment() -> None:
    assert restore.target_name("top_tracks", START) == "top_tracks-r20261120T100000Z"
