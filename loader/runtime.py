"""Time, chance and the wish to stop, handed in so that a test owns them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from loader.errors import Interrupted

# Ctrl-C has to be answered within a second, so no wait is longer than this without a look.
SLICE_S = 0.2


@dataclass(frozen=True, slots=True)
class Runtime:
    """`now` is an aware UTC time, `random` lies in [0, 1), `stop` says that the caller wants to end."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    stop: Callable[[], bool]

    def check(self) -> None:
        """Raise `Interrupted` when the caller wants to end."""
        if self.stop():
            raise Interrupted("stopped on request")

    def pause(self, seconds: float) -> None:
        """Wait, but notice a stop within a slice."""
        end = self.monotonic() + seconds
        while (left := end - self.monotonic()) > 0:
            self.check()
            self.sleep(min(left, SLICE_S))
        self.check()
