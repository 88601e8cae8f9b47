"""A drill for a person at a terminal: one line a mark, the proof, the verdict. Plain text, ASCII from us.

Lines wrap at spaces only, so that an ARN, a path or a command is never cut; colour is never the only sign.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from ops.model.drill import DrillReport, Mark
from ops.model.items import key_text
from ops.model.proof import Comparison
from ops.report.plots import duration, objective

MIN_WIDTH, MAX_WIDTH = 40, 200
_COLORS = {"pass": "\x1b[1;32m", "late": "\x1b[1;33m"}
_RED, _RESET = "\x1b[1;31m", "\x1b[0m"
#: Differing keys named at a terminal; the reports name more.
KEYS = 10


def drill(report: DrillReport, *, width: int = 100, files: Mapping[str, str] | None = None) -> list[str]:
    """The lines of `ops drill run`; `files` are printed whole at the end, one a line."""
    room = max(MIN_WIDTH, min(width, MAX_WIDTH))
    texts = [f"drill {report.scenario}  seed {report.seed}  {report.backend}  {report.environment}"]
    texts += [f"  {report.title}", "", *(_mark(report, mark) for mark in report.marks), "", *_proofs(report), ""]
    texts += [f"NOT HELD  {reason}" for reason in report.reasons]
    lines = [line for text in texts for line in _wrapped(text, room)]
    lines += _wrapped(_verdict(report), room)
    lines += [line for code, text in report.warnings for line in _wrapped(f"warning {code} {text}", room)]
    return [*lines, *(f"{name.ljust(8)} {path}" for name, path in (files or {}).items())]


def _mark(report: DrillReport, mark: Mark) -> str:
    after = "" if mark.name == "T0" else f"+{duration(mark.offset_s)}"
    detail = {"T0": _fault(report), "T2": report.decisions[-1] if report.decisions else ""}.get(mark.name, mark.source)
    return f"{mark.name}  {mark.meaning:<33} {after:<11} {detail}"


def _fault(report: DrillReport) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in report.damage.items())


def _proofs(report: DrillReport) -> list[str]:
    codes = ", ".join(dict.fromkeys(one.code for one in report.planted))
    right = sum(one.caught for one in report.planted)
    texts = [f"controls   {len(report.planted)} planted, {right} answered rightly: {codes}"]
    texts += [
        f"  MISSED {one.code} {one.what} on {one.subject}: {one.reported}" for one in report.planted if not one.caught
    ]
    texts += _comparison("items", report.proof)
    for one in report.index_proof:
        texts += _comparison(one.found.info.where.rpartition("/")[2], one)
    outcome = report.settings
    good = outcome.checked - len(outcome.differing)
    texts.append(f"settings   {good} of {outcome.checked} as the contract wants, {len(outcome.applied)} re-applied")
    texts += [f"  DIFFERS {one.setting}: wanted {one.wanted}, found {one.found}" for one in outcome.differing]
    texts += [f"  pending {name} until {until}" for name, until in outcome.pending]
    equal = "the lists are equal" if report.resources_before == report.resources_after else "THE LISTS DIFFER"
    before, after = len(report.resources_before), len(report.resources_after)
    return [*texts, f"clean-up   {before} resources before, {after} after, {equal}"]


def _comparison(name: str, one: Comparison) -> list[str]:
    verdict = "equal" if one.equal else "VOID" if one.void else "DIFFERENT"
    texts = [
        f"{name:<10} {verdict}: {one.expected.items:,} expected, {one.found.items:,} found, "
        f"missing {one.missing:,}, extra {one.extra:,}, changed {one.changed:,}"
    ]
    for difference in one.differences[:KEYS]:
        shown = key_text(difference.key) if difference.key is not None else f"key digest {difference.key_digest}"
        paths = ", ".join(f"{change.path} {change.note}".strip() for change in difference.changes)
        texts.append(f"  {difference.kind} {shown}{f'   {paths}' if paths else ''}")
    if one.differing > KEYS:
        texts.append(f"  ... and {one.differing - KEYS:,} more in the report")
    return texts


def _verdict(report: DrillReport) -> str:
    parts = [report.verdict.upper(), *(objective(one) for one in report.objectives), f"level {report.level}"]
    return "  ".join(parts)


def _wrapped(text: str, width: int) -> list[str]:
    wrapped = textwrap.wrap(text, width, subsequent_indent=" " * 4, break_long_words=False, break_on_hyphens=False)
    return wrapped or [""]


def painted(verdict: str, line: str) -> str:
    """The line in colour where it begins with the verdict; any other as it is."""
    word = verdict.upper()
    if not line.startswith(f"{word}  "):
        return line
    return f"{_COLORS.get(verdict, _RED)}{word}{_RESET}{line.removeprefix(word)}"
