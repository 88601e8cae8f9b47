"""Time and loss of a drill, from measured moments. Pure.

`RTO_service = T8 - T0` is the only figure compared with the target. What the negative control cost is not part of
a recovery, so it is taken out of every mark after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from ops.drill.ledger import Write, key_token
from ops.model.drill import LostWrite, Mark, Objective
from ops.model.items import key_text

MEANINGS: Mapping[str, str] = {
    "T0": "fault",
    "T1": "detected",
    "T2": "decided",
    "T3": "recovery call accepted",
    "T4": "restored table usable",
    "T5": "settings re-applied and read back",
    "T6": "items proven",
    "T7": "traffic switched",
    "T8": "canary healthy",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """A mark as it was taken: the instant, the monotonic reading, and where they come from."""

    name: str
    at: datetime
    monotonic_s: float
    source: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch of monotonic time that is no part of the recovery (the negative control)."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds between marks; `people` is 0 in a drill that decides by itself."""

    rto_service_s: float
    rto_tool_s: float
    detect_s: float
    people_s: float
    restore_s: float


def marks_of(moments: Iterable[Moment], pauses: Iterable[Pause]) -> tuple[Mark, ...]:
    """The marks with their distance from T0, pauses taken out; ValueError without a T0 or when time runs back."""
    taken = sorted(moments, key=lambda one: one.name)
    breaks = tuple(pauses)
    if not taken or taken[0].name != "T0":
        raise ValueError("a drill without T0 has no timeline")
    zero = taken[0].monotonic_s
    marks = tuple(
        Mark(one.name, MEANINGS[one.name], one.at, _round(_without(breaks, zero, one.monotonic_s)), one.source)
        for one in taken
    )
    for earlier, later in pairwise(marks):
        if later.offset_s < earlier.offset_s:
            raise ValueError(f"{later.name} lies before {earlier.name}")
    return marks


def _without(pauses: Iterable[Pause], start_s: float, end_s: float) -> float:
    paused = sum(max(0.0, min(one.end_s, end_s) - max(one.start_s, start_s)) for one in pauses)
    return end_s - start_s - paused


def figures_of(marks: Iterable[Mark]) -> Figures:
    """The figures of a complete timeline; KeyError names a mark that is missing."""
    at = {mark.name: mark.offset_s for mark in marks}
    return Figures(
        rto_service_s=_round(at["T8"] - at["T0"]),
        rto_tool_s=_round(at["T6"] - at["T2"]),
        detect_s=_round(at["T1"] - at["T0"]),
        people_s=_round(at["T2"] - at["T1"]),
        restore_s=_round(at["T4"] - at["T3"]),
    )


def _round(seconds: float) -> float:
    return round(seconds, 3)


def lost_writes(writes: Iterable[Write], differing: Iterable[str], until: datetime) -> tuple[LostWrite, ...]:
    """The newest acknowledged good write of each differing key (by token), oldest first: what recovery lost.

    A key that differs and was never written by the ledger lost no acknowledged write of the drill; it is a
    difference all the same, and fails the drill as one.
    """
    wanted = set(differing)
    newest: dict[str, Write] = {}
    for one in writes:
        token = key_token(one.key)
        if token in wanted and not one.fault and one.outcome == "ok" and one.acked is not None and one.acked <= until:
            newest[token] = one
    lost = [LostWrite(key_text(one.key), one.operation, one.acked) for one in newest.values() if one.acked is not None]
    return tuple(sorted(lost, key=lambda one: (one.acked, one.key)))


def rpo_time_s(lost: Iterable[LostWrite], fault_at: datetime) -> float:
    """Age, at the fault, of the oldest lost acknowledged write; 0 when none was lost."""
    return max((_round((fault_at - one.acked).total_seconds()) for one in lost), default=0.0)


def objectives_of(figures: Figures, *, rto_s: float, rpo_s: float, max_lost: int, rpo_time: float, items: int) -> tuple[
    Objective, ...
]:  # fmt: skip
    """Targets beside what was measured."""
    return (
        Objective("RTO", rto_s, figures.rto_service_s),
        Objective("RPO", rpo_s, rpo_time),
        Objective("lost items", float(max_lost), float(items)),
    )
