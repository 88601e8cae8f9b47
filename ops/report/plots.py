"""Geometry of the report's plots: horizontal places in percent, so that text keeps its size at any width. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ops.model.drill import CountSample, Mark, Objective

#: The plot area leaves a little room on both sides for marks that sit on the edge.
LEFT, RIGHT = 1.0, 99.0
#: The scale goes on past its last value, so that a line there does not run through the figures.
HEADROOM = 1.09
#: A target this many times beyond the last mark would leave no room for the bars: it is named, not drawn.
FAR = 3.0
ROW_HEIGHT = 40
AXIS_HEIGHT = 44
COUNT_HEIGHT = 210
COUNT_TOP, COUNT_BOTTOM = 34, 174


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis; `anchor` keeps the text of the outer ones inside the picture."""

    x: float
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One phase: from one mark to the next."""

    label: str
    y: int
    x: float
    width: float
    seconds: str
    people: bool


@dataclass(frozen=True, slots=True)
class PhasePlot:
    """Plot A: phases between the marks, with the target as a line."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    target_x: float | None
    target_label: str
    target_anchor: str
    height: int
    axis_y: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A straight piece of a line."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Dot:
    """A measured point."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class CountPlot:
    """Plot B: items over time; `expected` is what must be there, `present` what was counted."""

    expected: tuple[Segment, ...]
    present: tuple[Segment, ...]
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    levels: tuple[tuple[float, str], ...]
    fault_x: float
    height: int


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `8 min 12 s`, `2 h 3 min`."""
    if round(seconds, 1) == 0:
        return "0 s"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole, 3600)
    return f"{hours} h {rest // 60} min" if rest >= 60 else f"{hours} h"


def amounts(one: Objective) -> tuple[str, str]:
    """Measured value and target with their unit: a number of writes, or a duration."""
    if one.name == "lost items":
        return f"{one.measured:,.0f}", f"{one.target:,.0f}"
    return duration(one.measured), duration(one.target)


def objective(one: Objective) -> str:
    """`RTO 7 min 52 s (target 15 min)`, with MISSED when it was."""
    measured, target = amounts(one)
    named = f"lost writes {measured} (allowed {target})" if one.name == "lost items" else None
    return f"{named or f'{one.name} {measured} (target {target})'}{'' if one.met else ' MISSED'}"


def phase_plot(marks: Sequence[Mark], target_s: float | None) -> PhasePlot:
    """Bars from each mark to the next, on a scale that holds the last mark and, unless far beyond, the target."""
    last = max((mark.offset_s for mark in marks), default=0.0)
    beyond = target_s is not None and target_s > max(last, 1.0) * FAR
    end = max(last, 1.0, 0.0 if target_s is None or beyond else target_s) * HEADROOM
    bars = []
    for row, (earlier, later) in enumerate(pairwise(marks)):
        start, stop = _x(earlier.offset_s, 0, end), _x(later.offset_s, 0, end)
        label = f"{earlier.name}\N{EN DASH}{later.name}  {later.meaning}"
        seconds = duration(later.offset_s - earlier.offset_s)
        bars.append(Bar(label, row * ROW_HEIGHT, start, max(stop - start, 0.4), seconds, later.name == "T2"))
    axis_y = len(bars) * ROW_HEIGHT + 6
    target_x = None if target_s is None or beyond else _x(target_s, 0, end)
    label = "" if target_s is None else f"target {duration(target_s)}{', far beyond this edge' if beyond else ''}"
    anchor = "start" if target_x is not None and target_x <= 50 else "end"
    return PhasePlot(tuple(bars), _ticks(0, end), target_x, label, anchor, axis_y + AXIS_HEIGHT, axis_y)


def count_plot(samples: Sequence[CountSample]) -> CountPlot:
    """Straight lines between counted moments; no value is invented between them but the line."""
    ordered = sorted(samples, key=lambda one: one.offset_s)
    first = min((one.offset_s for one in ordered), default=0.0)
    last = max((one.offset_s for one in ordered), default=1.0)
    start, end = min(first, 0.0), max(last, first + 1.0)
    top = max((max(one.expected, one.present) for one in ordered), default=1) or 1

    def y(items: int) -> float:
        return round(COUNT_BOTTOM - (COUNT_BOTTOM - COUNT_TOP) * items / top, 1)

    def line(values: Sequence[int]) -> tuple[Segment, ...]:
        places = [(_x(one.offset_s, start, end), y(value)) for one, value in zip(ordered, values, strict=True)]
        return tuple(Segment(*a, *b) for a, b in pairwise(places))

    return CountPlot(
        expected=line([one.expected for one in ordered]),
        present=line([one.present for one in ordered]),
        dots=tuple(Dot(_x(one.offset_s, start, end), y(one.present), f"{one.present:,}") for one in ordered),
        ticks=_ticks(start, end),
        levels=((y(top), f"{top:,}"), (y(0), "0")),
        fault_x=_x(0.0, start, end),
        height=COUNT_HEIGHT,
    )


def _x(value: float, start: float, end: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * (value - start) / (end - start), 2)


_STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


def _ticks(start: float, end: float) -> tuple[Tick, ...]:
    """At most five round times."""
    step = next((one for one in _STEPS_S if (end - start) / one <= 4), (end - start) / 4)
    ticks = []
    at = -(-start // step) * step
    while at <= end + 1e-9:
        x = _x(at, start, end)
        anchor = "start" if x < 8 else "end" if x > 92 else "middle"
        ticks.append(Tick(x, duration(at), anchor))
        at += step
    return tuple(ticks)
