from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from ops.runs import Run, open_run
from tests.unit.recovery.kit import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def run(tmp_path: Path, clock: ManualClock) -> Iterator[Run]:
    """A journal on the disk."""
    with open_run(tmp_path / "runs", ["test"], clock, Random(7)) as opened:
        yield opened
