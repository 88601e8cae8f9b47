"""What a long operation says while it works: events, handed to whoever shows or stores them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """The voice that the library is handed; the library itself never prints."""

    def phase(self, name: str, detail: str = "") -> AbstractContextManager[None]:
        """A named part of the work; its end tells the seconds it took."""

    def update(self, done: int, total: int | None = None) -> None:
        """Position inside the current phase; `total` only when it is a real total."""

    def note(self, text: str) -> None:
        """A decision or a fact worth a line."""

    def warn(self, code: str, text: str) -> None:
        """A warning with its `OPS-W` code."""


class SilentProgress:
    """Says nothing."""

    @contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        yield

    def update(self, done: int, total: int | None = None) -> None:
        """Drop the position."""

    def note(self, text: str) -> None:
        """Drop the note."""

    def warn(self, code: str, text: str) -> None:
        """Drop the warning."""
