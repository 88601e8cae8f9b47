"""Time as a seam: aware UTC instants, monotonic intervals, interruptible sleep."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from ops.errors import BadTime

Answer = TypeVar("Answer")


class Clock(Protocol):
    """What every waiting or measuring part is handed."""

    def now(self) -> datetime:
        """The instant, as an aware UTC datetime."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, for intervals."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def whole_seconds(moment: datetime) -> datetime:
    """Cut to the second: point-in-time recovery has no finer grain, and botocore would send the fraction."""
    return moment.astimezone(UTC).replace(microsecond=0)


def rfc3339(moment: datetime) -> str:
    """`2026-11-20T10:02:16Z`; with milliseconds only when the instant has them."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration_s(text: str) -> float:
    """`90s`, `15m`, `2h`, `35d` -> seconds."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd])", text.strip())
    if match is None:
        raise BadTime(f"'{text}' is not a duration", fix=("write durations as 90s, 15m, 2h or 35d",))
    return float(match.group(1)) * _UNITS_S[match.group(2)]


def parse_moment(text: str, now: datetime) -> datetime:
    """An RFC 3339 time with a zone, or `-15m` before `now`; cut to whole seconds."""
    try:
        if text.startswith("-"):
            return whole_seconds(now - timedelta(seconds=parse_duration_s(text[1:])))
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return whole_seconds(moment)
    except (ValueError, OverflowError) as error:  # overflow: a year that no calendar of this program has
        raise BadTime(f"'{text}' is not a time") from error
    zoneless = moment.isoformat(timespec="seconds")
    raise BadTime(
        f"'{text}' has no zone",
        why="a restore to the wrong hour restores the wrong data",
        fix=(f"write {zoneless}Z for UTC, or give an offset such as {zoneless}+02:00",),
    )


def wait_until(
    probe: Callable[[], Answer | None], clock: Clock, *, interval_s: float, timeout_s: float | None = None
) -> Answer | None:
    """Call `probe` until it answers something other than None; None when `timeout_s` is over first."""
    deadline = None if timeout_s is None else clock.monotonic() + timeout_s
    while (answer := probe()) is None:
        if deadline is not None and clock.monotonic() >= deadline:
            return None
        clock.sleep(interval_s)
    return answer
