"""Time and loss: computed from the marks, the control taken out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ops.drill.ledger import Write, key_token
from ops.drill.measure import Moment, Pause, figures_of, lost_writes, marks_of, objectives_of, rpo_time_s

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def _moments(*seconds: float) -> list[Moment]:
    return [Moment(f"T{number}", START + timedelta(seconds=at), 1000 + at, "test") for number, at in enumerate(seconds)]


def test_rto_service_runs_from_the_fault_to_the_healthy_canary() -> None:
    figures = figures_of(marks_of(_moments(0, 10, 12, 20, 100, 110, 150, 151, 153), ()))
    assert figures.rto_service_s == 153
    assert figures.rto_tool_s == 138
    assert figures.detect_s == 10
    assert figures.people_s == 2
    assert figures.restore_s == 80


def test_the_time_of_the_control_is_no_part_of_the_recovery() -> None:
    marks = marks_of(_moments(0, 10, 12, 20, 100, 110, 150, 151, 153), [Pause(1115, 1125), Pause(1140, 1143)])
    assert figures_of(marks).rto_service_s == 140
    assert {mark.name: mark.offset_s for mark in marks}["T5"] == 110
    assert {mark.name: mark.offset_s for mark in marks}["T6"] == 137


def test_a_pause_before_the_fault_changes_nothing() -> None:
    marks = marks_of(_moments(0, 1, 2, 3, 4, 5, 6, 7, 8), [Pause(900, 950)])
    assert figures_of(marks).rto_service_s == 8


def test_a_timeline_without_fault_or_running_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="without T0"):
        marks_of([], ())
    with pytest.raises(ValueError, match="T2 lies before T1"):
        marks_of(_moments(0, 5, 3), ())


def _write(seq: int, key: str, acked_s: float | None, *, outcome: str = "ok", fault: bool = False) -> Write:
    acked = None if acked_s is None else START + timedelta(seconds=acked_s)
    return Write(seq, "update", {"id": {"S": key}}, None, fault, START, outcome, acked)  # type: ignore[arg-type]


def test_a_lost_write_is_acknowledged_before_the_fault_and_not_there() -> None:
    writes = [
        _write(1, "a", 10), _write(2, "a", 20), _write(3, "b", 5), _write(4, "c", 30),
        _write(5, "d", 7, outcome="fail"), _write(6, "e", 8, fault=True), _write(7, "f", None, outcome="unknown"),
    ]  # fmt: skip
    differing = [key_token({"id": {"S": key}}) for key in "abcdef"]
    lost = lost_writes(writes, differing, START + timedelta(seconds=25))
    assert [(one.key, one.acked) for one in lost] == [
        ("b", START + timedelta(seconds=5)),
        ("a", START + timedelta(seconds=20)),
    ]
    assert rpo_time_s(lost, START + timedelta(seconds=25)) == 20
    assert rpo_time_s((), START) == 0


def test_a_target_is_met_up_to_and_including_its_value() -> None:
    figures = figures_of(marks_of(_moments(0, 1, 2, 3, 4, 5, 6, 7, 8), ()))
    objectives = objectives_of(figures, rto_s=8, rpo_s=0, max_lost=0, rpo_time=0.0, items=1)
    assert [one.met for one in objectives] == [True, True, False]
