"""Sandboxes of the tests: always private folders, always taken down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.clock import SystemClock
from ops.progress import SilentProgress
from ops.sandbox import lifecycle
from ops.sandbox.lifecycle import SandboxOptions, SandboxStatus
from ops.sandbox.state import private_folder


class Notes(SilentProgress):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def folder() -> Iterator[Path]:
    found = private_folder()
    yield found
    lifecycle.down(found, SystemClock())
    if found.exists():
        found.rmdir()


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxStatus]:
    """One whole sandbox for the tests that do not damage it."""
    found = private_folder()
    yield lifecycle.up(SandboxOptions(found, items=200), SilentProgress())
    lifecycle.down(found)
