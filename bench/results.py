"""What the runs gave: figures, ratios, goals, and what became worse since the committed results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.cases import GROUPS, GROWTH, RATES, RATIO_GOALS, Case, Figure

SCHEMA = "bench.results/1"
#: A ratio this much worse than the committed one is reported.
TOLERANCE = 0.10


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one case. `server_cpu_s` is what the other side needed meanwhile, `others` the share of the machine's
    processors that was used by neither.
    """

    items: int
    cpu_s: float
    wall_s: float
    peak_mb: float
    server_cpu_s: float = 0.0
    others: float = 0.0


@dataclass(slots=True)
class Outcome:
    """All runs of a case, or why there are none."""

    case: Case
    samples: list[Sample] = field(default_factory=list)
    not_run: str = ""

    @property
    def figures(self) -> list[float]:
        """The figure of its group, run by run."""
        return [figure(sample, FIGURES[self.case.group]) for sample in self.samples]

    @property
    def middle(self) -> float | None:
        """Median figure."""
        return median(self.figures) if self.samples else None

    @property
    def peak_mb(self) -> float:
        """The most memory that a run took."""
        return max((sample.peak_mb for sample in self.samples), default=0.0)


FIGURES: dict[str, Figure] = {group.name: group.figure for group in GROUPS}


def figure(sample: Sample, kind: Figure) -> float:
    """The figure of a sample; a time too short to measure counts as a microsecond."""
    cpu_s, wall_s = max(sample.cpu_s, 1e-6), max(sample.wall_s, 1e-6)
    if kind == "cpu_per_100k":
        return cpu_s / sample.items * 100_000
    if kind == "items_per_cpu_s":
        return sample.items / cpu_s
    if kind == "items_per_s":
        return sample.items / wall_s
    if kind == "items_per_server_cpu_s":
        return sample.items / max(sample.server_cpu_s, 1e-6)
    if kind == "items_per_whole_cpu_s":
        return sample.items / (cpu_s + sample.server_cpu_s)
    return cpu_s if kind == "cpu_s" else wall_s


def times_better(ours: float, other: float, kind: Figure) -> float:
    """How many times better `ours` is than `other`."""
    return ours / other if kind in RATES else other / ours


def ratios(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """For each case with a peer of which both ran: how many times better it is than its peer."""
    by_name = {outcome.case.name: outcome for outcome in outcomes}
    found = {}
    for outcome in outcomes:
        peer = by_name.get(outcome.case.peer or "")
        if outcome.middle is not None and peer is not None and peer.middle is not None:
            found[outcome.case.name] = times_better(outcome.middle, peer.middle, FIGURES[outcome.case.group])
    return found


def growth(outcomes: Sequence[Outcome]) -> list[tuple[str, str, float, float]]:
    """(smaller, larger, CPU of the larger over CPU of the smaller, limit) of the pairs that ran."""
    cpu_s = {one.case.name: median(sample.cpu_s for sample in one.samples) for one in outcomes if one.samples}
    return [
        (small, large, cpu_s[large] / cpu_s[small], limit)
        for small, large, limit in GROWTH
        if small in cpu_s and large in cpu_s
    ]


def reached(outcome: Outcome) -> bool | None:
    """Whether the median reaches the case's goal; None without a goal or a run."""
    if outcome.case.goal is None or outcome.middle is None:
        return None
    if FIGURES[outcome.case.group] in RATES:
        return outcome.middle >= outcome.case.goal
    return outcome.middle <= outcome.case.goal


def held(outcome: Outcome) -> bool | None:
    """Whether no run took more memory than the case's goal; None without a goal or a run."""
    if outcome.case.memory_goal_mb is None or not outcome.samples:
        return None
    return outcome.peak_mb <= outcome.case.memory_goal_mb


def missed(outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each goal that was missed."""
    lines = [
        f"{one.case.name}: {one.middle:,.3g}, the goal is {one.case.goal:,.5g}"
        for one in outcomes
        if reached(one) is False
    ]
    lines += [
        f"{one.case.name}: {one.peak_mb:,.0f} MB, the goal is {one.case.memory_goal_mb:,.0f}"
        for one in outcomes
        if held(one) is False
    ]
    found = ratios(outcomes)
    lines += [
        f"{name}: {found[name]:.2f} times better than its peer, the goal is {goal:g}"
        for name, goal in RATIO_GOALS.items()
        if name in found and found[name] < goal
    ]
    lines += [
        f"{large} costs {times:.1f} times {small}, the limit is {limit:.0f}"
        for small, large, times, limit in growth(outcomes)
        if times > limit
    ]
    return lines


def worse(now: Mapping[str, float], committed: Mapping[str, float]) -> list[str]:
    """One line for each ratio that lost more than the tolerance since the committed results."""
    return [
        f"{name}: {committed[name]:.2f} times better than its peer before, {now[name]:.2f} now"
        for name in now
        if name in committed and now[name] < committed[name] * (1 - TOLERANCE)
    ]


def document(outcomes: Sequence[Outcome], head: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, as JSON."""
    cases = {
        one.case.name: {
            "title": one.case.title,
            "figure": FIGURES[one.case.group],
            "items": one.case.items,
            "median": one.middle,
            "min": min(one.figures, default=None),
            "max": max(one.figures, default=None),
            "goal": one.case.goal,
            "memory_goal_mb": one.case.memory_goal_mb,
            "not_run": one.not_run,
            "runs": [asdict(sample) for sample in one.samples],
        }
        for one in outcomes
    }
    return {"schema": SCHEMA, **head, "ratios": ratios(outcomes), "missed": missed(outcomes), "cases": cases}


def committed_ratios(path: Path) -> dict[str, float]:
    """The ratios of committed results; none when there are none yet."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    if found.get("schema") != SCHEMA:
        raise ValueError(f"{path}: not a document of schema {SCHEMA}")
    return {str(name): float(value) for name, value in found["ratios"].items()}
