"""Results as JSON: dataclasses by member name, instants in RFC 3339, one text for one value."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

from ops.clock import rfc3339
from ops.model.drill import VERDICT_EXIT, DrillReport


def to_data(value: Any) -> Any:
    """Plain JSON values of a result; TypeError names a type that has no form here."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: to_data(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): to_data(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_data(member) for member in value]
    if isinstance(value, (set, frozenset)):
        return sorted(to_data(member) for member in value)
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, Enum):
        return to_data(value.value)
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, (Decimal, PurePath)):  # money and number digits are decimal texts
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: Any) -> str:
    """One line of JSON, members in the order they were given."""
    return json.dumps(to_data(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> str:
    """JSON with sorted members and no spaces: equal values give equal text, so that it can be signed."""
    return json.dumps(to_data(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def drill_result(report: DrillReport, files: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The `result` of `ops drill run`: the answers first, then the whole report."""
    return {
        "scenario": report.scenario,
        "verdict": report.verdict,
        "exit": VERDICT_EXIT[report.verdict],
        "level": report.level,
        "timeline": {mark.name: {"at": rfc3339(mark.at), "offset_s": mark.offset_s} for mark in report.marks},
        "rto": {
            "service_s": report.rto_service_s,
            "tool_s": report.rto_tool_s,
            "detect_s": report.detect_s,
        },
        "rpo": {"bound_s": report.rpo_bound_s, "items": report.rpo_items, "time_s": report.rpo_time_s},
        "objectives": [
            {"name": one.name, "target": one.target, "measured": one.measured, "met": one.met}
            for one in report.objectives
        ],
        "control": {"planted": len(report.control.planted), "found": len(report.control.found)},
        "files": dict(files or {}),
        "report": to_data(report),
    }
