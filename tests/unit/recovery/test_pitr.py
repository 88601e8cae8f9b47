"""The restorable window: its bounds, and waiting for a moment to enter it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ops.errors import (
    NotAllowed,
    OutsideWindow,
    PitrOff,
    StillRunning,
)
from ops.progress import SilentProgress
from ops.recovery import pitr
from tests.unit.recovery.kit import (
    START,
    ManualClock,
    Scripted,
    window,
)

PROGRESS = SilentProgress()


def test_bounds_with_fractions_are_cut_to_what_can_be_asked_for() -> None:
    later = START + timedelta(hours=1, microseconds=900_000)
    control = Scripted({"describe_continuous_backups": window(START + timedelta(microseconds=100), later)})
    found = pitr.restorable_window(control, "t")
    assert found.earliest == START + timedelta(seconds=1)
    assert found.latest == START + timedelta(hours=1)


def test_a_pinned_window_with_a_fraction_is_still_a_window() -> None:
    moment = START + timedelta(microseconds=500_000)
    found = pitr.restorable_window(Scripted({"describe_continuous_backups": window(moment, moment)}), "t")
    assert found.earliest == found.latest == START
    assert pitr.pinned(found)


def test_both_bounds_are_inclusive() -> None:
    found = pitr.restorable_window(
        Scripted({"describe_continuous_backups": window(START, START + timedelta(hours=1))}), "t"
    )
    for moment in (found.earliest, found.latest):
        pitr.check_inside(found, moment, "t")
    for moment in (found.earliest - timedelta(seconds=1), found.latest + timedelta(seconds=1)):
        with pytest.raises(OutsideWindow) as caught:
            pitr.check_inside(found, moment, "t")
        assert "2026-11-20T10:00:00Z to 2026-11-20T11:00:00Z" in caught.value.what


def test_the_status_beside_pitr_says_nothing_about_it() -> None:
    off = {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
    }
    control = Scripted(
        {"describe_continuous_backups": {"ContinuousBackupsDescription": off}, "list_backups": NotAllowed("no")}
    )
    with pytest.raises(PitrOff) as caught:
        pitr.restorable_window(control, "t")
    assert "could not be read" in caught.value.why


def test_waiting_for_a_moment_ends_when_it_is_restorable(clock: ManualClock) -> None:
    def trailing(_: dict[str, Any]) -> dict[str, Any]:
        return window(START - timedelta(days=1), clock.now() - timedelta(seconds=300))

    control = Scripted({"describe_continuous_backups": trailing})
    found = pitr.wait_until_restorable(control, "t", START, clock, PROGRESS)
    assert found.latest >= START
    assert 300 <= clock.passed_s <= 300 + pitr.POLL_S


@pytest.mark.parametrize("offset", [timedelta(days=-2), timedelta(minutes=5)])
def test_a_moment_that_never_comes_is_not_waited_for(clock: ManualClock, offset: timedelta) -> None:
    control = Scripted(
        {"describe_continuous_backups": window(START - timedelta(days=1), START - timedelta(seconds=300))}
    )
    with pytest.raises(OutsideWindow):
        pitr.wait_until_restorable(control, "t", START + offset, clock, PROGRESS)
    assert clock.passed_s == 0


def test_a_window_that_does_not_move_ends_the_wait(clock: ManualClock) -> None:
    stuck = window(START - timedelta(days=1), START - timedelta(seconds=300))
    with pytest.raises(StillRunning, match="did not become restorable"):
        pitr.wait_until_restorable(Scripted({"describe_continuous_backups": stuck}), "t", START, clock, PROGRESS)
