"""The drill report as one self-contained page: no script, no network, nothing that was not measured."""

from __future__ import annotations

from typing import Any

from ops.clock import rfc3339
from ops.model.drill import DrillReport
from ops.model.items import key_text
from ops.model.proof import Difference
from ops.report.plots import amounts, count_plot, duration, phase_plot

#: Keys named on the page; the JSON report lists all that the comparison kept.
MAX_KEYS = 100

VERDICT_TEXT: dict[str, str] = {
    "pass": "The data came back, item by item, and the check itself was seen to fail where it had to.",
    "late": "The data came back and is proven, but an objective was missed.",
    "fail": "The recovered table is not what it must be.",
    "unrecoverable": "The chosen source cannot give the data back.",
    "void": "This drill proves nothing: the verifier did not find what was planted, or not everything was compared.",
    "refused": "A guard rail or a stop condition ended the drill.",
    "aborted": "The drill did not reach its end.",
}

#: Characters that reorder or hide text; a table or item name may hold them.
_INVISIBLE = frozenset("\u200b\u200c\u200d\u200e\u200f\u2028\u2029\ufeff") | {
    chr(code) for start, end in ((0x202A, 0x202E), (0x2060, 0x206F)) for code in range(start, end + 1)
}


def render_drill(report: DrillReport, *, show_keys: bool | None = None) -> str:
    """The page as HTML text.

    `show_keys` None shows keys in the sandbox and digests of keys elsewhere: keys may be personal data.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    shown = report.backend == "sandbox" if show_keys is None else show_keys
    environment = Environment(
        loader=PackageLoader("ops.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(amounts=amounts, duration=duration, seconds=_seconds, count=_count, moment=rfc3339)
    template = environment.get_template("drill.html.j2")
    return template.render(**_context(report, shown))


def _context(report: DrillReport, show_keys: bool) -> dict[str, Any]:
    targets = {one.name: one for one in report.objectives}
    rto = targets.get("RTO")
    return {
        "r": report,
        "verdict_text": VERDICT_TEXT[report.verdict],
        "phases": phase_plot(report.marks, rto.target if rto else None),
        "counts": count_plot(report.counts),
        "rto": rto,
        "differences": [_named(one, show_keys) for one in report.proof.differences[:MAX_KEYS]],
        "control_keys": [(_named(one, show_keys), _found(report, one)) for one in report.control.planted],
        "proofs": [
            ("Table, controls planted", report.control_proof),
            ("Table, controls taken back", report.proof),
            *((f"Index {one.found.info.where.rpartition('/')[2]}", one) for one in report.index_proof),
        ],
        "settings": _settings(report),
        "show_keys": show_keys,
    }


def _found(report: DrillReport, planted: Difference) -> bool:
    return any((one.kind, one.key_digest) == (planted.kind, planted.key_digest) for one in report.control.found)


def _named(one: Difference, show_keys: bool) -> dict[str, Any]:
    name = key_text(one.key) if show_keys and one.key is not None else f"key digest {one.key_digest[:16]}"
    notes = [f"{change.path}{f' ({change.note})' if change.note else ''}" for change in one.changes]
    return {"kind": one.kind, "name": name, "changes": ", ".join(notes)}


def _settings(report: DrillReport) -> list[dict[str, str]]:
    rows = []
    for name in sorted({*report.settings_before, *report.settings_restored, *report.settings_after}):
        values = {
            "before": report.settings_before.get(name, ""),
            "restored": report.settings_restored.get(name, ""),
            "after": report.settings_after.get(name, ""),
        }
        rows.append({"name": name, **values, "state": _setting_state(report, name, values)})
    return rows


def _setting_state(report: DrillReport, name: str, values: dict[str, str]) -> str:
    pending = dict(report.settings.pending)
    wrong = {one.setting: one for one in report.settings.differing}
    if name in pending:
        return f"pending until {pending[name]}"
    if name in wrong:
        return f"DIFFERS: wanted {wrong[name].wanted}"
    if any(name == one or name.startswith(f"{one}.") for one in report.left_out):
        return "not copied in a drill"
    if values["after"].startswith("not readable"):
        return "not compared"
    if values["before"] == values["after"]:
        return "kept by the restore" if values["restored"] == values["after"] else "lost, re-applied"
    return "set by ops" if not values["before"] else "not in the contract"


def _count(value: int | float) -> str:
    return f"{value:,.0f}"


def _seconds(value: float) -> str:
    """One decimal, and no minus sign before a zero."""
    return f"{round(value, 1) or 0.0:.1f}"


def _finalize(value: Any) -> Any:
    """Control and invisible characters become visible escapes; markup made by the template stays as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return "" if value is None else value
    return "".join(
        f"\\u{ord(one):04x}" if one in _INVISIBLE or not (one.isprintable() or one == "\n") else one for one in value
    )
