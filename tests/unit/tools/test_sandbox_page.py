"""docs/sandbox.md: how sure each claim is, and what the published suites say."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from ops.sandbox.aws.claims import claims
from tests.aws_live.cases import CASES
from tests.aws_live.same import claims_with_a_case
from tools.conformance import score
from tools.sandbox_page import CONFORMANCE, conformance, page, standing

REPORT = b"""<testsuites><testsuite>
<testcase name="good"/><testcase name="left"><skipped/></testcase><testcase name="bad"><failure/></testcase>
<testcase name="broken"><error/></testcase><testcase name="good"><error/></testcase><testcase name="fine"/>
</testsuite></testsuites>"""


def _results() -> Any:
    return json.loads((CONFORMANCE / "results.json").read_text(encoding="utf-8"))


def test_a_skipped_test_was_not_run_and_an_error_after_a_test_fails_it() -> None:
    assert score(REPORT) == {"run": 4, "passed": 1, "failed": ["bad", "broken", "good"]}


@pytest.mark.parametrize(
    ("source", "seen", "has_case", "said"),
    [
        ("docs.aws.amazon.com/x", None, True, "documented; case ready"),
        ("observed on the service; AWS documents no such statement", None, False, "seen by others; no case"),
        ("assumed: no page names it", None, False, "assumed; no case"),
        ("docs.aws.amazon.com/x", {"result": "confirmed", "date": "2026-11-29", "region": "eu-west-1"}, True,
         "confirmed 2026-11-29 in eu-west-1"),
        ("docs.aws.amazon.com/x", {"result": "refuted", "date": "2026-11-29", "region": "eu-west-1"}, True,
         "refuted 2026-11-29 in eu-west-1"),
    ],
)  # fmt: skip
def test_a_claim_says_what_it_rests_on_or_where_it_was_confirmed(
    source: str, seen: dict[str, str] | None, has_case: bool, said: str
) -> None:
    assert standing(source, seen, has_case=has_case) == said


def test_every_claim_stands_in_the_page_with_its_state() -> None:
    text = page()
    ready = claims_with_a_case() | {name for names in CASES.values() for name in names}
    for claim in claims():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {claim.id} |")]
        assert row.endswith("case ready |") == (claim.test.removeprefix("test_") in ready) or "firmed" in row
    assert sum(line.endswith("case ready |") for line in text.splitlines()) > 100


def test_every_failing_test_has_a_reason_and_no_reason_is_left_over() -> None:
    groups = tomllib.loads((CONFORMANCE / "reasons.toml").read_text(encoding="utf-8"))
    for name, suite in _results()["suites"].items():
        explained = [test for group in groups.get(name, []) for test in group["tests"]]
        assert len(explained) == len(set(explained))
        assert set(explained) == set(suite["scores"]["sandbox"]["failed"])


def test_the_scores_of_sandbox_and_plain_moto_stand_beside_each_other() -> None:
    score_of = {"sandbox": {"run": 4, "passed": 3, "failed": ["one"]}, "moto": {"run": 4, "passed": 2, "failed": []}}
    suite = {"version": "1.0", "licence": "MIT", "about": "tests", "scores": score_of}
    results = {"date": "2026-11-29", "with": {"moto": "5.2.5"}, "suites": {"some": suite}}
    lines = conformance(results, {"some": {"one": "because"}})
    assert "| some 1.0: tests | MIT | 4 | 3 (75.0 %) | 2 (50.0 %) |" in lines
    assert "| `one` | passes | because |" in lines


def test_what_only_the_sandbox_fails_is_no_fault_of_the_sandbox() -> None:
    groups = tomllib.loads((CONFORMANCE / "reasons.toml").read_text(encoding="utf-8"))
    for name, suite in _results()["suites"].items():
        ours, plain = suite["scores"]["sandbox"], suite["scores"]["moto"]
        assert ours["run"] == plain["run"] > 100
        kinds = {test: group["kind"] for group in groups.get(name, []) for test in group["tests"]}
        assert set(kinds.values()) <= {"not AWS", "not documented", "not imitated"}
        only_here = set(ours["failed"]) - set(plain["failed"])
        assert {kinds[test] for test in only_here} <= {"not AWS", "not documented"}
