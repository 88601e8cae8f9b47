"""A token bucket over consumed capacity units, fed by what AWS reports."""

from __future__ import annotations

import re
import threading
from collections import deque
from typing import Any, Self

from ops.clock import Clock
from ops.errors import BadArgument

_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?", re.ASCII)


class CapacityLimit:
    """Holds callers back so that at most `units_per_s` are consumed; shared between threads.

    A request's cost is known only from its answer. Until then it is taken to cost what requests cost so far, so that
    many requests on their way at once do not spend what only one of them may.
    """

    def __init__(self, units_per_s: float, clock: Clock) -> None:
        self.units_per_s = units_per_s
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock.monotonic()
        self._usual = 0.0
        self._held: deque[float] = deque()

    @classmethod
    def share(cls, provisioned_units: int, percent: float, clock: Clock) -> Self:
        """A share of what a table is provisioned for."""
        return cls(provisioned_units * percent / 100, clock)

    @classmethod
    def of(cls, text: str | None, provisioned_units: int, what: str, clock: Clock) -> Self | None:
        """`40` units a second, `25%` of what `what` is provisioned for, or `adaptive`: None, as throttles allow.

        BadArgument for anything else, and for a share of what is on demand.
        """
        if text is None or text == "adaptive":
            return None
        number, percent = text.removesuffix("%"), text.endswith("%")
        if (
            not _DECIMAL.fullmatch(number)
            or float(number) < (0.1 if percent else 1)
            or (percent and float(number) > 100)
        ):
            raise BadArgument(
                f"'{text}' is no number of capacity units", fix=("write units a second: 40, or a share: 25%",)
            )
        if not percent:
            return cls(float(number), clock)
        if not provisioned_units:
            raise BadArgument(
                f"{what} is on demand: there is no provisioned capacity to take {text} of",
                fix=("give units a second instead",),
            )
        return cls.share(provisioned_units, float(number), clock)

    def before(self) -> None:
        """Wait until what was consumed so far has been paid for."""
        with self._lock:
            wait = self._free_at - self._clock.monotonic()
        if wait > 0:
            self._clock.sleep(wait)
        with self._lock:
            self._held.append(self._usual)
            self._owe(self._usual)

    def spent(self, units: float) -> None:
        """Tell what a request consumed (0 when it failed); the debt delays the next ones."""
        with self._lock:
            self._owe(units - (self._held.popleft() if self._held else 0.0))
            if units > 0:
                self._usual = units if not self._usual else (self._usual * 7 + units) / 8

    def _owe(self, units: float) -> None:
        self._free_at = max(self._free_at, self._clock.monotonic()) + units / self.units_per_s


def consumed(document: dict[str, Any]) -> float:
    """Capacity units in an answer; BatchWriteItem reports a list."""
    found = document.get("ConsumedCapacity")
    entries = found if isinstance(found, list) else [found] if found else []
    return sum(float(one.get("CapacityUnits", 0.0)) for one in entries)
