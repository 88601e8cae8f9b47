"""The window of point-in-time recovery."""

from __future__ import annotations

from typing import Any


def _description(lab: Any, table: str) -> dict[str, Any]:
    answer: dict[str, Any] = lab.dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    found: dict[str, Any] = answer["PointInTimeRecoveryDescription"]
    return found


def test_without_pitr_the_window_is_absent(lab: Any) -> None:
    assert _description(lab, lab.table(pitr=False)) == {"PointInTimeRecoveryStatus": "DISABLED"}


def test_right_after_enabling_both_bounds_are_pinned_to_the_enable_time(lab: Any) -> None:
    table = lab.table()
    first = _description(lab, table)
    assert first["EarliestRestorableDateTime"] == first["LatestRestorableDateTime"]
    lab.control.advance(200)
    assert _description(lab, table)["LatestRestorableDateTime"] == first["LatestRestorableDateTime"]


def test_the_latest_restorable_time_trails_now_by_300_seconds(lab: Any) -> None:
    table = lab.table()
    lab.control.advance(1000)
    lag = lab.clock.now() - _description(lab, table)["LatestRestorableDateTime"]
    assert 300 <= lag.total_seconds() <= 303


def test_the_earliest_restorable_time_moves_with_the_recovery_period(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.pitr(table, RecoveryPeriodInDays=2)
    lab.control.advance(5 * 86400)
    age = lab.clock.now() - _description(lab, table)["EarliestRestorableDateTime"]
    assert abs(age.total_seconds() - 2 * 86400) < 5


def test_the_recovery_period_is_1_to_35_days_and_35_by_default(lab: Any) -> None:
    table = lab.table()
    assert _description(lab, table)["RecoveryPeriodInDays"] == 35
    for days in (0, 36):
        assert lab.refusal(lab.pitr, table=table, RecoveryPeriodInDays=days) == "ValidationException"
    lab.pitr(table, RecoveryPeriodInDays=1)
    assert _description(lab, table)["RecoveryPeriodInDays"] == 1


def test_a_recovery_period_is_rejected_together_with_enabled_false(lab: Any) -> None:
    table = lab.table()
    assert lab.refusal(lab.pitr, table=table, enabled=False, RecoveryPeriodInDays=7) == "ValidationException"


def test_disabling_and_enabling_again_loses_the_history_and_returns_to_35_days(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.pitr(table, RecoveryPeriodInDays=7)
    lab.control.advance(3600)
    lab.pitr(table, enabled=False)
    lab.pitr(table)
    again = _description(lab, table)
    assert again["RecoveryPeriodInDays"] == 35
    assert (lab.clock.now() - again["EarliestRestorableDateTime"]).total_seconds() < 60


def test_enabling_what_is_enabled_keeps_the_history(lab: Any) -> None:
    table = lab.table()
    first = _description(lab, table)["EarliestRestorableDateTime"]
    lab.control.advance(3600)
    lab.pitr(table)
    assert _description(lab, table)["EarliestRestorableDateTime"] == first
