"""Backups when AWS answers late, or the run was killed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from ops.errors import (
    BackupGone,
    NotAllowed,
    RecoveryFailed,
    StillRunning,
    TableNotFound,
    Throttled,
)
from ops.progress import SilentProgress
from ops.recovery import backups, tables
from ops.runs import Run, open_run, resume_run
from tests.unit.recovery.kit import (
    BACKUP,
    START,
    ManualClock,
    Scripted,
    backup,
    not_found,
    refused,
    summary,
    table,
)

PROGRESS = SilentProgress()


def test_the_refusals_of_a_tables_first_seconds_are_waited_out(run: Run, clock: ManualClock) -> None:
    made = {"BackupDetails": {"BackupArn": BACKUP}}
    control = Scripted(
        {
            "create_backup": [refused("ContinuousBackupsUnavailableException"), not_found(), made],
            "describe_table": table("CREATING"),
            "describe_backup": [backup("CREATING"), backup()],
        }
    )
    entry = backups.create_backup(control, "t", "nightly", run, clock, PROGRESS)
    assert (entry.arn, entry.status) == (BACKUP, "AVAILABLE")
    assert clock.passed_s == 3 * backups.POLL_S


def test_too_many_backups_at_once_are_told_as_that(run: Run, clock: ManualClock) -> None:
    control = Scripted({"create_backup": refused("LimitExceededException")})
    with pytest.raises(Throttled, match="too many backups"):
        backups.create_backup(control, "t", "nightly", run, clock, PROGRESS)


def test_a_table_that_is_really_absent_is_not_waited_for(run: Run, clock: ManualClock) -> None:
    control = Scripted({"create_backup": not_found(), "describe_table": not_found()})
    with pytest.raises(TableNotFound):
        backups.create_backup(control, "t", "nightly", run, clock, PROGRESS)
    assert clock.passed_s == 0


def test_a_table_that_stays_unready_ends_with_a_reason(run: Run, clock: ManualClock) -> None:
    control = Scripted({"create_backup": refused("ContinuousBackupsUnavailableException")})
    with pytest.raises(RecoveryFailed, match="yet"):
        backups.create_backup(control, "t", "nightly", run, clock, PROGRESS)


def test_a_backup_that_takes_too_long_goes_on_in_aws(run: Run, clock: ManualClock) -> None:
    control = Scripted(
        {"create_backup": {"BackupDetails": {"BackupArn": BACKUP}}, "describe_backup": backup("CREATING")}
    )
    with pytest.raises(StillRunning, match="CREATING"):
        backups.create_backup(control, "t", "nightly", run, clock, PROGRESS, timeout_s=30)


def test_a_killed_run_finds_its_backup_instead_of_paying_twice(tmp_path: Path, clock: ManualClock) -> None:
    """Killed between the call and its answer: the journal holds an intent without outcome."""
    with open_run(tmp_path, ["backup"], clock, Random(1)) as first:
        first.intent("CreateBackup", "t", name="nightly-abc")
    control = Scripted({"list_backups": {"BackupSummaries": [summary()]}, "describe_backup": backup()})
    with resume_run(tmp_path, first.id, clock) as again:
        assert backups.create_backup(control, "t", "nightly-abc", again, clock, PROGRESS).arn == BACKUP
    assert control.asked("create_backup") == []


def test_a_killed_run_whose_call_never_left_asks_again(tmp_path: Path, clock: ManualClock) -> None:
    with open_run(tmp_path, ["backup"], clock, Random(1)) as first:
        first.intent("CreateBackup", "t", name="nightly-abc")
    control = Scripted(
        {
            "list_backups": {"BackupSummaries": [summary(BackupName="nightly-other")]},
            "create_backup": {"BackupDetails": {"BackupArn": BACKUP}},
            "describe_backup": backup(),
        }
    )
    with resume_run(tmp_path, first.id, clock) as again:
        backups.create_backup(control, "t", "nightly-abc", again, clock, PROGRESS)
    assert len(control.asked("create_backup")) == 1


def test_lists_ask_for_every_kind_and_begin_with_the_newest() -> None:
    old = summary(BackupArn="a1", BackupCreationDateTime=START - timedelta(days=1))
    control = Scripted({"list_backups": {"BackupSummaries": [old, summary()]}})
    found = backups.list_backups(control, "t", since=START - timedelta(days=2), limit=1)
    assert [one.arn for one in found] == [BACKUP]
    (params,) = control.asked("list_backups")
    assert (params["BackupType"], params["TableName"]) == ("ALL", "t")
    assert "Limit" not in params


def test_a_system_backup_is_told_apart_by_table_id(clock: ManualClock) -> None:
    other = summary(BackupArn="other", BackupType="SYSTEM") | {"TableId": "id-0"}
    control = Scripted({"list_backups": {"BackupSummaries": [other]}})
    with pytest.raises(BackupGone, match="no system backup"):
        backups.system_backup(control, "t", "id-1", clock, 20)
    assert clock.passed_s >= 20
    assert backups.system_backup(control, "t", "id-0", clock, 20).arn == "other"


def test_a_deleted_backup_is_gone() -> None:
    with pytest.raises(BackupGone, match="deleted"):
        backups.describe_backup(Scripted({"describe_backup": backup("DELETED")}), BACKUP)


def test_a_denied_look_is_not_taken_for_absence() -> None:
    control = Scripted({"describe_table": NotAllowed("not allowed: dynamodb:DescribeTable on t")})
    with pytest.raises(NotAllowed):
        tables.exists(control, "t")
