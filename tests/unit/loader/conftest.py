"""Fixtures of the loader's unit tests."""

from __future__ import annotations

import pytest

from tests.unit.loader.kit import ManualClock, MemoryTable


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def table() -> MemoryTable:
    return MemoryTable()
