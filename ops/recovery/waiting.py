"""Waits for what AWS does by itself, through the short outages that a wait of an hour will meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ops.clock import Clock, wait_until
from ops.errors import Throttled, Unreachable

Answer = TypeVar("Answer")

#: Failures in a row, each of them already retried by the client, before a wait gives up.
TOLERATED = 5


def wait_patiently(
    probe: Callable[[], Answer | None], clock: Clock, *, interval_s: float, timeout_s: float | None = None
) -> Answer | None:
    """`wait_until` for a probe that only reads: a throttle or a broken connection counts as "not yet", five times."""
    failed = 0

    def tolerant() -> Answer | None:
        nonlocal failed
        try:
            answer = probe()
        except (Throttled, Unreachable):
            failed += 1
            if failed > TOLERATED:
                raise
            return None
        failed = 0
        return answer

    return wait_until(tolerant, clock, interval_s=interval_s, timeout_s=timeout_s)
