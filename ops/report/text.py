"""Plain-text tables and blocks: no cursor movement, nothing cut that a user must copy."""

from __future__ import annotations

from collections.abc import Sequence

from ops.model.items import key_text
from ops.model.proof import Comparison, Difference, SettingsOutcome

GAP = "  "


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Aligned columns; `name: value` blocks when `width` characters do not hold them."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    if sum(widths) + len(GAP) * (len(columns) - 1) > width:
        return _blocks(columns, rows)
    lines = [_line(columns, widths)]
    lines.extend(_line(row, widths) for row in rows)
    return lines


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(text.ljust(size) for text, size in zip(row, widths, strict=True)).rstrip()


def _blocks(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    name_width = max(len(name) for name in columns)
    lines: list[str] = []
    for row in rows:
        lines.extend(f"{name.ljust(name_width)}: {text}" for name, text in zip(columns, row, strict=True))
        lines.append("")
    return lines[:-1]


def facts(pairs: Sequence[tuple[str, object]]) -> list[str]:
    """Aligned `name  value` lines, pairs without a value left out."""
    shown = [(name, str(value)) for name, value in pairs if value is not None and value != ""]
    name_width = max((len(name) for name, _ in shown), default=0)
    return [f"  {name.ljust(name_width)}  {value}" for name, value in shown]


_SIGNS = {"missing": "-", "extra": "+", "changed": "~", "duplicate": "=", "shape": "!"}


def comparison(proof: Comparison, limit: int, *, values: bool = False, without: Sequence[str] = ()) -> list[str]:
    """The verdict of a comparison and its differing keys; `without`: attributes that were left out."""
    lines = counts(proof, without)
    for one in proof.differences[:limit]:
        lines.extend(_difference(one, values=values))
    unseen = proof.differing - min(limit, len(proof.differences))
    if unseen > 0:
        lines.append(f"  ... and {unseen:,} more: --limit shows more of them")
    return lines


def counts(proof: Comparison, without: Sequence[str] = ()) -> list[str]:
    """The verdict line of a comparison, and everything that it does not speak of."""
    verdict = "equal" if proof.equal else "VOID: nothing proven" if proof.void else "DIFFERENT"
    lines = [
        f"{verdict}: {proof.expected.items:,} expected, {proof.found.items:,} found"
        f"   missing {proof.missing:,}   extra {proof.extra:,}   changed {proof.changed:,}"
    ]
    if proof.duplicates or proof.shape:
        lines.append(f"  duplicate {proof.duplicates:,}   unusable {proof.shape:,}")
    if without:
        lines.append(f"  left out   attributes {', '.join(without)}: nothing is said about them")
    lines.extend(f"  left out by rule {rule}: {count:,}" for rule, count in sorted(proof.ignored.items()))
    return lines


def _difference(one: Difference, *, values: bool) -> list[str]:
    name = key_text(one.key) if one.key is not None else f"key digest {one.key_digest}"
    lines = [f" {_SIGNS[one.kind]} {name}   {one.kind}"]
    for change in one.changes:
        note = f"   ({change.note})" if change.note else ""
        shown = f"   {change.expected} -> {change.found}" if values else ""
        lines.append(f"     {change.path}{shown}{note}")
    return lines


def settings(outcome: SettingsOutcome) -> list[str]:
    """What a read-back found, one line a setting that is not as wanted."""
    good = outcome.checked - len(outcome.differing)
    lines = [f"  settings   {good} of {outcome.checked} as the contract wants"]
    lines.extend(f"    pending  {name} until {until}" for name, until in outcome.pending)
    lines.extend(f"    DIFFERS  {one.setting}: wanted {one.wanted}, found {one.found}" for one in outcome.differing)
    return lines
