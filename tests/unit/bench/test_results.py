"""Ratios, goals and what became worse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cases import GROUPS, RATES, all_cases
from bench.machine import OURS
from bench.report import markdown
from bench.results import Outcome, Sample, committed_ratios, document, growth, held, missed, ratios, reached, worse
from bench.run import sources

HEAD = {
    "date": "2026-11-21",
    "commit": "abc",
    "runs": 3,
    "server_share": 0.1,
    "others": (0.02, 0.3),
    "machine": dict.fromkeys(("processor", "cores", "memory", "kernel", "python", *OURS), "x"),
    "peers": {"boto3": "1"},
}
CASES = {case.name: case for case in all_cases()}


def outcome(name: str, *cpu_s: float, items: int = 100_000) -> Outcome:
    return Outcome(CASES[name], [Sample(items, one, one * 2, 50.0) for one in cpu_s])


def test_the_median_of_the_runs_counts() -> None:
    assert outcome("write-track.ours", 9.0, 2.0, 1.0).middle == 2.0


def test_a_ratio_is_greater_than_one_when_ours_is_better_whatever_the_figure() -> None:
    cpu = ratios([outcome("write-track.batch_writer", 100.0), outcome("write-track.ours", 2.0)])
    rate = ratios([outcome("sandbox-scan.moto", 10.0), outcome("sandbox-scan.ours", 2.0)])
    assert cpu == {"write-track.ours": pytest.approx(50.0)}
    assert rate == {"sandbox-scan.ours": pytest.approx(5.0)}


def test_without_its_peer_a_case_has_no_ratio() -> None:
    peer = Outcome(CASES["write-track.batch_writer"], not_run="not installed")
    assert ratios([peer, outcome("write-track.ours", 2.0)]) == {}


@pytest.mark.parametrize(("cpu_s", "expected"), [(2.5, True), (2.51, False)])
def test_a_cost_reaches_its_goal_at_or_below_it(cpu_s: float, expected: bool) -> None:
    assert reached(outcome("write-track.ours", cpu_s)) is expected


@pytest.mark.parametrize(("items", "expected"), [(45_000, True), (44_000, False)])
def test_a_rate_reaches_its_goal_at_or_above_it(items: int, expected: bool) -> None:
    assert reached(outcome("fingerprint.track", 1.0, items=items)) is expected


def test_missed_goals_ratios_and_growth_are_each_named() -> None:
    outcomes = [
        outcome("write-track.batch_writer", 100.0),
        outcome("write-track.ours", 3.0),
        outcome("compare.200000", 1.0),
        outcome("compare.2000000", 11.5),
        outcome("processes.scan_1", 1.0),
        outcome("processes.scan_2", 0.7),
    ]
    assert growth(outcomes) == [("compare.200000", "compare.2000000", 11.5, 11.0)]
    lines = "\n".join(missed(outcomes))
    assert "write-track.ours: 3, the goal is 2.5" in lines
    assert "33.33 times better than its peer, the goal is 50" in lines
    assert "1.43 times better than its peer, the goal is 1.6" in lines
    assert "11.5 times" in lines


@pytest.mark.parametrize(("peaks_mb", "expected"), [((59.0, 60.0), True), ((50.0, 60.1), False)])
def test_the_run_that_took_most_memory_counts(peaks_mb: tuple[float, ...], expected: bool) -> None:
    one = Outcome(CASES["scan-track.ours_many"], [Sample(200_000, 1.0, 2.0, peak_mb) for peak_mb in peaks_mb])
    assert held(one) is expected
    assert ("scan-track.ours_many: 60 MB, the goal is 60" in missed([one])) is not expected
    assert ("(goal 60 **missed**)" in markdown([one], HEAD, [])) is not expected


def test_only_a_loss_of_more_than_ten_percent_is_worse() -> None:
    before = {"a": 10.0, "b": 10.0, "c": 10.0, "gone": 5.0}
    assert worse({"a": 9.1, "b": 8.9, "c": 20.0, "new": 1.0}, before) == [
        "b: 10.00 times better than its peer before, 8.90 now"
    ]


def test_committed_results_give_their_ratios_back(tmp_path: Path) -> None:
    outcomes = [outcome("write-track.batch_writer", 100.0), outcome("write-track.ours", 2.0)]
    path = tmp_path / "results.json"
    assert committed_ratios(path) == {}
    path.write_text(json.dumps(document(outcomes, HEAD)))
    assert committed_ratios(path) == {"write-track.ours": pytest.approx(50.0)}
    path.write_text('{"schema": "other"}')
    with pytest.raises(ValueError, match="schema"):
        committed_ratios(path)


def test_the_page_says_what_was_not_run_and_why() -> None:
    failed = Outcome(CASES["write-track.ours_tls"], not_run="built without OpenSSL's headers")
    page = markdown([outcome("write-track.batch_writer", 100.0), failed], HEAD, ["x: worse"])
    assert "not run: built without OpenSSL's headers" in page
    assert "* x: worse" in page


@pytest.mark.parametrize(("share", "warned"), [(0.5, False), (0.51, True)])
def test_a_server_too_busy_to_trust_is_said(share: float, warned: bool) -> None:
    page = markdown([outcome("write-track.ours", 2.0)], {**HEAD, "server_share": share}, [])
    assert ("may be what was measured" in page) is warned


@pytest.mark.parametrize(("usual", "warned"), [(0.1, False), (0.11, True)])
def test_a_machine_that_had_other_work_is_said(usual: float, warned: bool) -> None:
    page = markdown([outcome("write-track.ours", 2.0)], {**HEAD, "others": (usual, 0.9)}, [])
    assert ("items/s are worse for it" in page) is warned


@pytest.mark.parametrize(("two", "shown"), [(0.6, "1.67 x (goal 1.6)"), (0.7, "1.43 x (goal 1.6 **missed**)")])
def test_a_ratio_that_has_a_goal_is_shown_with_it(two: float, shown: str) -> None:
    assert shown in markdown([outcome("processes.scan_1", 1.0), outcome("processes.scan_2", two)], HEAD, [])


def test_a_change_of_the_measured_sources_is_noticed(tmp_path: Path) -> None:
    for name in ("ops/a.py", "bench/b.py", "bench/server.c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    before = sources(tmp_path)
    assert sources(tmp_path) == before
    (tmp_path / "bench" / "RESULTS.md").write_text("a result is no source")
    assert sources(tmp_path) == before
    (tmp_path / "ops" / "a.py").write_text("2")
    assert sources(tmp_path) != before


def test_every_case_has_a_table_and_every_peer_is_a_case_of_the_same_table() -> None:
    groups = {group.name for group in GROUPS}
    assert {case.group for case in CASES.values()} == groups
    assert len(CASES) == len(all_cases())
    for case in CASES.values():
        assert case.peer is None or CASES[case.peer].group == case.group


def test_of_rates_more_is_better() -> None:
    slow, fast = outcome("fingerprint.small", 2.0), outcome("fingerprint.small", 1.0)
    assert slow.middle is not None
    assert fast.middle is not None
    assert fast.middle > slow.middle
    assert {group.figure for group in GROUPS if group.figure.startswith("items")} == RATES


def test_the_sandbox_and_its_peer_are_charged_for_client_and_server_together() -> None:
    slow, fast = (
        Outcome(CASES[f"sandbox-write.{name}"], [Sample(10_000, 0.1, 9.0, 50.0, server)])
        for name, server in (("moto", 0.9), ("ours", 0.1))
    )
    assert [*slow.figures, *fast.figures] == pytest.approx([10_000, 50_000])
    assert ratios([slow, fast]) == {"sandbox-write.ours": pytest.approx(5.0)}
