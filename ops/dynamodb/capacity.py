"""A token bucket over consumed capacity units, fed by what AWS reports."""

from __future__ import annotations

import threading
from typing import Any

from ops.clock import Clock


class CapacityLimit:
    """Holds callers back so that at most `units_per_s` are consumed; shared between threads."""

    def __init__(self, units_per_s: float, clock: Clock) -> None:
        self._rate = units_per_s
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock.monotonic()

    def before(self) -> None:
        """Wait until what was consumed so far has been paid for."""
        with self._lock:
            wait = self._free_at - self._clock.monotonic()
        if wait > 0:
            self._clock.sleep(wait)

    def spent(self, units: float) -> None:
        """Tell what a request consumed; the debt delays the next ones."""
        with self._lock:
            self._free_at = max(self._free_at, self._clock.monotonic()) + units / self._rate


def consumed(document: dict[str, Any]) -> float:
    """Capacity units in an answer; BatchWriteItem reports a list."""
    found = document.get("ConsumedCapacity")
    entries = found if isinstance(found, list) else [found] if found else []
    return sum(float(one.get("CapacityUnits", 0.0)) for one in entries)
