"""A drill at a terminal: every width, no colour unless asked for, nothing cut that must be copied."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ops.model.drill import DrillReport, Objective, Planted, Verdict
from ops.model.proof import Difference, SettingDifference
from ops.report.terminal import drill, painted

PATH = "/home/somebody/.local/state/ops/runs/01JD7Q0000000000000AB12CD34/report.html"


@pytest.mark.parametrize("width", [1, 40, 80, 120, 200, 5000])
def test_lines_keep_the_width_except_for_words_that_must_stay_whole(report: DrillReport, width: int) -> None:
    lines = drill(report, width=width, files={"report": PATH})
    room = max(40, min(width, 200))
    for line in lines:
        assert len(line) <= room or max(map(len, line.split())) > room - 12, line
    assert any(line.endswith(PATH) for line in lines)


def test_without_colour_there_is_no_escape_and_ascii_suffices(report: DrillReport) -> None:
    text = "\n".join(drill(report))
    assert "\x1b" not in text
    assert text.isascii()
    assert "PASS  RTO 7 min 52 s (target 15 min)" in text


def test_colour_marks_the_verdict_and_the_word_stays(report: DrillReport) -> None:
    colours: tuple[tuple[Verdict, int], ...] = (("pass", 32), ("late", 33), ("fail", 31))
    for verdict, code in colours:
        lines = drill(replace(report, verdict=verdict))
        coloured = [painted(verdict, line) for line in lines]
        (changed,) = [new for new, old in zip(coloured, lines, strict=True) if new != old]
        assert changed.startswith(f"\x1b[1;{code}m{verdict.upper()}\x1b[0m  RTO ")


def test_every_mark_is_told(report: DrillReport) -> None:
    lines = drill(report)
    for mark in report.marks:
        assert any(line.startswith(f"{mark.name}  {mark.meaning}") for line in lines)


def test_what_went_wrong_is_named(report: DrillReport) -> None:
    key = {"artist_id": {"S": "a1"}, "id": {"S": "t9"}}
    wrong = replace(
        report,
        verdict="fail",
        reasons=("differences found are those planted, exactly: 1 differences were not planted",),
        proof=replace(report.proof, changed=1, differences=(Difference("changed", "f" * 64, key),)),
        planted=(Planted("C01", "item removed", "a1/t1", False, "not reported"),),
        settings=replace(report.settings, differing=(SettingDifference("ttl", "expires_at", "off"),)),
        objectives=(Objective("RTO", 1, 472.1),),
        resources_after=(),
    )
    text = "\n".join(drill(wrong))
    for wanted in (
        "changed a1/t9", "MISSED C01", "DIFFERS ttl: wanted expires_at, found off", "MISSED", "THE LISTS DIFFER",
        "NOT HELD", "FAIL",
    ):  # fmt: skip
        assert wanted in text
