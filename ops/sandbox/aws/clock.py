"""One clock for the whole sandbox: real time plus every advance that was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class SandboxTime:
    """Seconds since the epoch as the sandbox sees them; it only runs forwards."""

    def __init__(self, real: Callable[[], float] = time.time) -> None:
        self._real = real
        self._offset_s = 0.0
        # (sandbox time before, sandbox time after) of each advance
        self._jumps: list[tuple[float, float]] = []

    @property
    def offset_s(self) -> float:
        """How far the sandbox is ahead of this machine."""
        return self._offset_s

    def time(self) -> float:
        """Epoch seconds, fractions included."""
        return self._real() + self._offset_s

    def advance(self, seconds: float) -> None:
        """Step forwards. Backwards is refused: a journal whose times run back could not be replayed."""
        if not 0 <= seconds <= MAX_ADVANCE_S:
            raise ValueError(f"advance_s must be between 0 and {MAX_ADVANCE_S}, not {seconds}")
        before_s = self.time()
        self._offset_s += seconds
        self._jumps.append((before_s, before_s + seconds))

    def machine_time(self, when_s: float) -> float:
        """What this machine's clock said at that sandbox time; an instant that was skipped is the skip's."""
        behind_s = self._offset_s
        for before_s, after_s in reversed(self._jumps):
            if when_s >= after_s:
                break
            behind_s -= after_s - before_s
            if when_s >= before_s:
                return before_s - behind_s
        return when_s - behind_s

    def utcnow(self) -> datetime:
        """Naive UTC, the form moto stores everywhere."""
        return datetime.fromtimestamp(self.time(), UTC).replace(tzinfo=None)


MAX_ADVANCE_S = 10 * 366 * 86400


def moment(epoch_s: float) -> datetime:
    """Epoch seconds as naive UTC, the form moto's serializer expects."""
    return datetime.fromtimestamp(epoch_s, UTC).replace(tzinfo=None)


def epoch(value: object) -> float:
    """A time from a request (datetime, naive or aware, or a number) as epoch seconds."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(str(value))


def zulu(epoch_s: float, *, millis: bool = False) -> str:
    """`2026-11-20T10:02:16Z`, with `.123` on request, as AWS writes times into texts."""
    text = datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds" if millis else "seconds")
    return text.replace("+00:00", "Z")
