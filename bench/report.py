"""RESULTS.md: the same results, for readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.cases import GROUPS, RATIO_GOALS, Group
from bench.results import Outcome, growth, held, missed, ratios, reached

#: A server busier than this may hold its client back.
BUSY_LIMIT = 0.5
#: With more of the machine taken by other work than this, times on the wall are not those of the work alone.
OTHERS_LIMIT = 0.1


def markdown(outcomes: Sequence[Outcome], head: Mapping[str, Any], lost: Sequence[str]) -> str:
    """The whole page."""
    found = ratios(outcomes)
    parts = [_head(head)]
    for group in GROUPS:
        chosen = [one for one in outcomes if one.case.group == group.name]
        if chosen:
            parts.append(_table(group, chosen, found))
    parts.append(_growth(outcomes))
    parts.append(_lines("Goals that were missed", missed(outcomes), "None."))
    parts.append(_lines("Ratios more than 10 % worse than in the results before", lost, "None."))
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(head: Mapping[str, Any]) -> str:
    machine, peers = head["machine"], head["peers"]
    versions = ", ".join(f"{name} {machine[name]}" for name in ("python", "orjson", "msgspec", "isal", "boto3", "moto"))
    beside = "; ".join(f"{name} {text}" for name, text in peers.items())
    usual, most = head["others"]
    return (
        "# Figures\n\n"
        "Written by `python -m bench`; do not edit. Every figure is the median of the runs (least - most). Every run "
        "is a process of its own; each round runs all cases once, so that a slow moment of the machine falls on all of "
        "them. CPU is user and system time of the client, from the first line read to the last item acknowledged or "
        "the file closed; wall is the same on the clock. Peak is the memory of all processes of the client together, "
        "what they share counted for each. Times depend on the processor; ratios (against the first way of each table, "
        "or against one process) hardly do.\n\n"
        f"* {head['date']}, {machine['processor']}, {machine['cores']} cores, {machine['memory']}, "
        f"Linux {machine['kernel']}, at most {head['runs']} runs\n"
        f"* ours: commit {head['commit']}; {versions}\n"
        f"* peers: {beside}\n"
        f"* the bench's server was busy for at most {head['server_share']:.0%} of the wall time of a client's run"
        + (" - **too much: it may be what was measured**" if head["server_share"] > BUSY_LIMIT else "")
        + f"\n* other work took {usual:.0%} of the machine's processors during a run (median; at most {most:.0%})"
        + (" - **times on the wall and items/s are worse for it**" if usual > OTHERS_LIMIT else "")
    )


def _table(group: Group, outcomes: Sequence[Outcome], found: Mapping[str, float]) -> str:
    rows = [
        f"## {group.title}",
        "",
        f"| Way | items | {group.unit} | least - most | runs | wall s | CPU s | peak MB | goal | ratio |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    rows += [_row(group, one, found) for one in outcomes]
    return "\n".join(rows)


def _row(group: Group, one: Outcome, found: Mapping[str, float]) -> str:
    if not one.samples:
        return f"| {one.case.title} | {one.case.items:,} | not run: {one.not_run} | | | | | | | |"
    figures, digits = one.figures, group.digits
    cells = (
        one.case.title,
        f"{one.case.items:,}",
        f"{median(figures):,.{digits}f}",
        f"{min(figures):,.{digits}f} - {max(figures):,.{digits}f}",
        str(len(figures)),
        f"{median(sample.wall_s for sample in one.samples):.2f}",
        f"{median(sample.cpu_s for sample in one.samples):.2f}",
        _peak(one),
        _goal(one),
        _ratio(one, found),
    )
    return f"| {' | '.join(cells)} |"


def _goal(one: Outcome) -> str:
    verdict = reached(one)
    if verdict is None:
        return ""
    return f"{one.case.goal:,g} {'reached' if verdict else '**missed**'}"


def _peak(one: Outcome) -> str:
    verdict, peak = held(one), f"{one.peak_mb:.0f}"
    if verdict is None:
        return peak
    return f"{peak} (goal {one.case.memory_goal_mb:.0f}{'' if verdict else ' **missed**'})"


def _ratio(one: Outcome, found: Mapping[str, float]) -> str:
    if one.case.name not in found:
        return ""
    ratio, goal = found[one.case.name], RATIO_GOALS.get(one.case.name)
    # Two processes and one: the first digit after the point is what the goal is about.
    text = f"{ratio:.2f} x" if ratio < 10 else f"{ratio:.1f} x"
    if goal is None:
        return text
    return f"{text} (goal {goal:g}{'' if ratio >= goal else ' **missed**'})"


def _growth(outcomes: Sequence[Outcome]) -> str:
    lines = [
        f"{large}: {times:.1f} times the CPU of {small} (limit {limit:.0f})"
        for small, large, times, limit in growth(outcomes)
    ]
    return _lines("Ten times the items", lines, "") if lines else ""


def _lines(title: str, lines: Sequence[str], otherwise: str) -> str:
    return f"## {title}\n\n" + ("\n".join(f"* {line}" for line in lines) or otherwise)
