"""One sandbox for all tests of the command line that need AWS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.recovery_stage import Stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A running sandbox with an environment of declared tables."""
    found = Stage(tmp_path_factory.mktemp("stage"))
    yield found
    found.stop()
