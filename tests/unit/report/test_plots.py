"""Geometry of the plots: everything inside the picture, in proportion, at round ticks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ops.model.drill import CountSample, DrillReport, Mark
from ops.report.plots import HEADROOM, count_plot, duration, phase_plot


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.44, "0.4 s"), (9.96, "10 s"), (42.2, "42 s"), (60, "1 min"), (492, "8 min 12 s"), (3600, "1 h"),
     (7380, "2 h 3 min"), (-12, "-12 s")],
)  # fmt: skip
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_bars_follow_each_other_in_proportion_and_inside(report: DrillReport) -> None:
    plot = phase_plot(report.marks, 900)
    assert len(plot.bars) == 8
    for bar in plot.bars:
        assert bar.x >= 1
        assert bar.x + bar.width <= 99.5
    assert plot.bars[2].width == pytest.approx(98 * (398.1 - 96.4) / (900 * HEADROOM), abs=0.05)
    assert plot.target_x == pytest.approx(1 + 98 / HEADROOM, abs=0.05)
    assert [bar.people for bar in plot.bars] == [False, True] + [False] * 6


def test_a_target_longer_than_the_drill_keeps_the_scale(report: DrillReport) -> None:
    assert phase_plot(report.marks, 60).target_x == pytest.approx(1 + 98 * 60 / (472.1 * HEADROOM), abs=0.05)
    assert phase_plot(report.marks, None).target_x is None


def test_a_target_far_beyond_is_named_and_leaves_the_room_to_the_bars(report: DrillReport) -> None:
    plot = phase_plot(report.marks, 36_000)
    assert plot.target_x is None
    assert plot.target_label == "target 10 h, far beyond this edge"
    assert plot.bars == phase_plot(report.marks, None).bars


def test_a_phase_of_no_length_is_still_seen() -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    (bar,) = phase_plot([Mark("T0", "fault", at, 0, ""), Mark("T1", "detected", at, 0, "")], None).bars
    assert bar.width > 0


def test_counts_rise_upwards_and_the_fault_is_at_zero() -> None:
    plot = count_plot([CountSample(-10, 100, 100), CountSample(0, 100, 100), CountSample(10, 100, 40)])
    assert plot.fault_x == 50
    assert plot.dots[0].y < plot.dots[2].y
    assert plot.dots[2].y == pytest.approx(174 - 140 * 0.4, abs=0.1)
    assert len(plot.present) == len(plot.expected) == 2


def test_there_are_never_more_than_six_ticks(report: DrillReport) -> None:
    for last in (0.3, 7, 59, 472, 5000, 90_000, 900_000):
        at = datetime(2026, 11, 20, tzinfo=UTC)
        plot = phase_plot([Mark("T0", "fault", at, 0, ""), Mark("T8", "healthy", at, last, "")], None)
        assert 2 <= len(plot.ticks) <= 6
