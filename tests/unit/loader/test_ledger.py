"""The quota ledger: rolling, shared, and never fooled by a clock that steps back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from loader.errors import RunFolderUnusable, SourceQuota
from loader.ledger import FileLedger
from tests.unit.loader.kit import ManualClock


def test_the_budget_is_counted_across_processes_and_opens_when_the_oldest_minute_leaves(
    clock: ManualClock, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.json"
    for _ in range(3):
        FileLedger(path, clock.now, budget=3).spend()
    with pytest.raises(SourceQuota) as caught:
        FileLedger(path, clock.now, budget=3).spend()
    assert timedelta(hours=24) <= caught.value.resume_at - clock.now() <= timedelta(hours=24, minutes=2)
    clock.seconds = (caught.value.resume_at - clock.now()).total_seconds()
    FileLedger(path, clock.now, budget=3).spend()


def test_the_window_rolls_and_does_not_reset_at_midnight(clock: ManualClock, tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path / "l.json", clock.now, budget=2)
    ledger.spend()
    clock.seconds += 15 * 3600
    ledger.spend()
    with pytest.raises(SourceQuota):
        ledger.spend()
    clock.seconds += 9 * 3600 + 120
    ledger.spend()
    with pytest.raises(SourceQuota):
        ledger.spend()


def test_a_clock_that_steps_back_frees_nothing(clock: ManualClock, tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path / "l.json", clock.now, budget=2)
    ledger.spend()
    ledger.spend()
    clock.seconds -= 48 * 3600
    with pytest.raises(SourceQuota):
        ledger.spend()


def test_a_damaged_ledger_is_named_and_not_taken_for_an_empty_one(clock: ManualClock, tmp_path: Path) -> None:
    (tmp_path / "l.json").write_text('{"buckets": {"1":')
    with pytest.raises(RunFolderUnusable, match=r"l\.json"):
        FileLedger(tmp_path / "l.json", clock.now).spend()
