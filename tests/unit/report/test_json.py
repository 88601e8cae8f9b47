"""JSON of results: RFC 3339 times, canonical text, the shape that `ops drill run -o json` promises."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from ops.model.drill import DrillReport
from ops.report.json import canonical, drill_result, dumps, to_data


@dataclass(frozen=True)
class _Inner:
    at: datetime
    cost: Decimal


@dataclass(frozen=True)
class _Outer:
    inner: tuple[_Inner, ...]
    path: Path
    raw: bytes


def test_dataclasses_times_money_and_bytes_have_one_form() -> None:
    value = _Outer((_Inner(datetime(2026, 11, 20, 10, 2, 16, tzinfo=UTC), Decimal("0.10")),), Path("a/b"), b"\x00\xff")
    assert to_data(value) == {
        "inner": [{"at": "2026-11-20T10:02:16Z", "cost": "0.10"}],
        "path": "a/b",
        "raw": "AP8=",
    }


def test_a_type_without_a_form_is_an_error_not_a_guess() -> None:
    with pytest.raises(TypeError, match="complex"):
        to_data({"x": 1j})


def test_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dumps(float("nan"))


def test_the_canonical_text_does_not_depend_on_order() -> None:
    assert canonical({"b": 1, "a": {"d": 2, "c": 3}}) == canonical({"a": {"c": 3, "d": 2}, "b": 1})
    assert canonical({"b": 1, "a": 2}) == '{"a":2,"b":1}'


def test_the_result_of_a_drill_has_its_documented_members(report: DrillReport) -> None:
    result = json.loads(dumps(drill_result(report, {"report": "x/report.html"})))
    assert {"scenario", "verdict", "level", "timeline", "rto", "rpo", "objectives", "control", "files"} <= set(result)
    assert result["timeline"]["T8"] == {"at": "2026-11-20T10:17:52.100Z", "offset_s": 472.1}
    assert result["rto"]["service_s"] == 472.1
    assert result["control"] == {"planted": 2, "found": 2}
    assert result["objectives"][0] == {"name": "RTO", "target": 900, "measured": 472.1, "met": True}
    assert result["report"]["started"] == "2026-11-20T10:00:00Z"
    assert result["files"]["report"] == "x/report.html"
