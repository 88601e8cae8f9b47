"""The page: well-formed, self-contained, complete, and safe whatever the names in it are."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ops.model.drill import DrillReport, LostWrite, Planted
from ops.model.proof import Difference
from ops.report.html import VERDICT_TEXT, render_drill

_VOID = {"meta", "line", "rect", "circle", "br", "wbr", "link", "img", "hr", "input"}
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202egpj.exe\"' onload=x & {{ 7*7 }}"


class _Reader(HTMLParser):
    """Fails on a tag that is closed out of order; keeps tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_is_well_formed_and_names_each_part_once(report: DrillReport) -> None:
    reader = _read(render_drill(report))
    assert len(reader.ids) == len(set(reader.ids))
    assert reader.tags.count("h1") == 1
    for wanted in ("verdict", "timeline", "counts", "data", "controls", "settings", "decisions", "calls", "cleanup"):
        assert wanted in reader.ids


def test_the_page_needs_nothing_but_itself(report: DrillReport) -> None:
    page = render_drill(report)
    reader = _read(page)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(reader.tags)
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert not [name for name, _ in reader.attributes if name in {"src", "href", "action", "xlink:href"}]
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", page)


def test_every_plot_has_a_title_a_description_and_a_table_of_its_numbers(report: DrillReport) -> None:
    page = render_drill(report)
    plots = re.findall(r"<figure>.*?</table>", page, re.S)
    assert len(plots) == 2
    for plot in plots:
        assert "<title" in plot
        assert "<desc" in plot
    for mark in report.marks:
        assert f"{mark.offset_s:.1f} s" in plots[0]
    for sample in report.counts:
        assert f"{sample.present:,}" in plots[1]


def test_the_page_shows_verdict_figures_controls_and_limits(report: DrillReport) -> None:
    text = " ".join(" ".join(_read(render_drill(report)).text).split())
    for wanted in (
        "PASS", VERDICT_TEXT["pass"], "7 min 52 s", "Sandbox figures are not AWS figures", "people and approvals",
        "C15", "PITR days 35 to 34", "lost, re-applied", "ab" * 32, report.replay, "SYSTEM backup",
        "What the sandbox cannot prove", "sha256sum", report.subject_table,
    ):  # fmt: skip
        assert wanted in text


def test_an_auditor_reads_run_table_environment_and_person_before_anything_else(report: DrillReport) -> None:
    head = " ".join(
        " ".join(_read(render_drill(report).split("</header>")[0] + "</header></main></body></html>").text).split()
    )
    for wanted in (report.run, report.source_table, report.environment, report.region, report.account, report.operator):
        assert wanted in head


def test_a_setting_that_is_absent_says_so_and_one_that_no_copy_has_is_no_loss(report: DrillReport) -> None:
    changed = replace(report, left_out=("alarms",), settings_before={**report.settings_before, "alarms.x": "Throttles"})
    rows = [" ".join(_read(row).text) for row in re.findall(r"<tr>.*?</tr>", render_drill(changed), re.S)]
    (alarm,) = [row for row in rows if "alarms.x" in row]
    assert " ".join(alarm.split()) == "alarms.x Throttles not set not set not copied in a drill"


def test_each_objective_has_its_unit(report: DrillReport) -> None:
    text = " ".join(" ".join(_read(render_drill(report)).text).split())
    for wanted in ("RTO 15 min 7 min 52 s yes", "RPO 5 min 0 s yes", "acknowledged writes lost 0 0 yes"):
        assert wanted in text


@pytest.mark.parametrize("verdict", ["late", "fail", "void", "unrecoverable", "refused", "aborted"])
def test_a_verdict_other_than_pass_says_why(report: DrillReport, verdict: str) -> None:
    changed = replace(report, verdict=verdict, reasons=("objectives are met: RTO 901 over 900",))  # type: ignore[arg-type]
    text = " ".join(_read(render_drill(changed)).text)
    assert verdict.upper() in text
    assert "RTO 901 over 900" in text
    assert VERDICT_TEXT["pass"] not in text


def test_hostile_names_stay_text(report: DrillReport) -> None:
    key = {"artist_id": {"S": HOSTILE}, "id": {"S": HOSTILE}}
    difference = Difference("changed", "f" * 64, key)
    proof = replace(report.proof, changed=1, differences=(difference,))
    page = render_drill(
        replace(
            report,
            title=HOSTILE,
            decisions=(HOSTILE,),
            source_table=HOSTILE,
            proof=proof,
            replay=HOSTILE,
            settings_before={HOSTILE: HOSTILE},
            planted=(Planted("C01", HOSTILE, HOSTILE, True, HOSTILE),),
        )
    )
    reader = _read(page)
    assert "script" not in reader.tags
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "\\u001b[31m\\u202egpj.exe" in page
    assert "49" not in page.split("<h1>")[1].split("</h1>")[0]


def test_keys_outside_the_sandbox_are_shown_as_digests(report: DrillReport, lost: tuple[LostWrite, ...]) -> None:
    real = replace(report, backend="aws", lost=lost)
    assert "43ZHCT0cAZBISjO8DG9PnE" not in render_drill(real)
    assert "a/b" not in render_drill(real)
    assert "43ZHCT0cAZBISjO8DG9PnE" in render_drill(real, show_keys=True)


def test_a_difference_in_the_clean_up_is_shown(report: DrillReport) -> None:
    changed = replace(report, resources_after=(*report.resources_after, "table:drill-left"))
    text = " ".join(_read(render_drill(changed)).text)
    assert "The lists differ." in text
    assert "After, not before" in text


def test_a_moment_just_before_the_fault_is_not_shown_as_minus_zero(report: DrillReport) -> None:
    page = render_drill(replace(report, counts=(replace(report.counts[0], offset_s=-0.04), *report.counts[1:])))
    assert "-0.0 s" not in page
    assert "0.0 s" in page


def test_a_report_without_counts_and_differences_still_renders(report: DrillReport) -> None:
    empty = replace(report, counts=(), marks=report.marks[:1], objectives=(), planted=(), residue=(), calls=())
    assert "No counts were taken" in " ".join(_read(render_drill(empty)).text)
