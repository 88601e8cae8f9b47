"""docs/sandbox.md: what the sandbox claims of AWS, how sure that is, what it does not imitate, and how it scores."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONFIRMED = ROOT / "tests" / "aws_live" / "confirmed.json"
CONFORMANCE = ROOT / "tests" / "conformance"

HEAD = """# What the sandbox claims

Each line is a behaviour of AWS that the sandbox shows, with its source and the test that states it.
{confirmed}
**On AWS** says how sure it is: *documented* by AWS, *seen by others* who tried it on the service and published what
they saw, or *assumed*, where neither was found; and whether `pytest tests/aws_live --live ACCOUNT` has a case that
would confirm it. What a sandbox run says nothing about is listed below, and in every drill report.

| Id | Behaviour | Source | Test | On AWS |
|---|---|---|---|---|
"""
NONE_CONFIRMED = "None of them has been confirmed on a real account by this project."
SOME_CONFIRMED = "{count} of {total} have been confirmed on a real account by this project, {wrong} were refuted there."


def page() -> str:
    """The whole page, without the notice that it is made."""
    confirmed: dict[str, dict[str, str]] = _json(CONFIRMED) if CONFIRMED.exists() else {}
    return "\n".join(
        [*_claims(confirmed), "", *_gaps(), "", *conformance(_json(CONFORMANCE / "results.json"), _reasons()), ""]
    )


def _claims(confirmed: dict[str, dict[str, str]]) -> list[str]:
    from ops.sandbox.aws.claims import claims
    from tests.aws_live.cases import CASES
    from tests.aws_live.same import claims_with_a_case

    cases = claims_with_a_case() | {name for names in CASES.values() for name in names}
    found = claims()
    known = {one.test.removeprefix("test_") for one in found}
    results = [one["result"] for name, one in confirmed.items() if name in known]
    said = NONE_CONFIRMED
    if results:
        wrong = results.count("refuted")
        said = SOME_CONFIRMED.format(count=len(results) - wrong, total=len(found), wrong=wrong)
    lines = HEAD.format(confirmed=said).rstrip("\n").split("\n")
    for one in found:
        name = one.test.removeprefix("test_")
        state = standing(one.source, confirmed.get(name), has_case=name in cases)
        lines.append(f"| {one.id} | {one.statement} | {one.source} | `{one.test}` | {state} |")
    return lines


def standing(source: str, seen: dict[str, str] | None, *, has_case: bool) -> str:
    """The last column: confirmed or refuted with day and Region, else what it rests on and whether a case exists."""
    if seen is not None:
        return f"{seen['result']} {seen['date']} in {seen['region']}"
    rests_on = "documented"
    if source.startswith("observed"):
        rests_on = "seen by others"
    elif source.startswith("assumed"):
        rests_on = "assumed"
    return f"{rests_on}; {'case ready' if has_case else 'no case'}"


def _gaps() -> list[str]:
    from ops.sandbox.aws.claims import NOT_IMITATED

    lines = ["## Not imitated", "", "| Id | What a sandbox run says nothing about |", "|---|---|"]
    return lines + [f"| {gap.id} | {gap.statement} |" for gap in NOT_IMITATED]


def conformance(results: dict[str, Any], reasons: dict[str, dict[str, str]]) -> list[str]:
    """The scores side by side, and every test that fails in the sandbox with the reason."""
    used = ", ".join(f"{name} {version}" for name, version in results["with"].items())
    lines = [
        "## Published test suites", "",
        f"Run by `python tools/conformance.py` on {results['date']} with {used}.",
        "AWS publishes no conformance suite for DynamoDB; these two are installed from the package index and were",
        "written by others. Plain moto is moto's own server, without what the sandbox adds.", "",
        "| Suite | Licence | Tests | Sandbox passes | Plain moto passes |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, suite in results["suites"].items():
        ours, plain = suite["scores"]["sandbox"], suite["scores"]["moto"]
        lines.append(
            f"| {name} {suite['version']}: {suite['about']} | {suite['licence']} | {ours['run']} | "
            f"{_share(ours)} | {_share(plain)} |"
        )
    for name, suite in results["suites"].items():
        ours, plain = suite["scores"]["sandbox"], suite["scores"]["moto"]
        lines += ["", f"What fails in the sandbox, of {name}:", "", "| Test | Plain moto | Why |", "|---|---|---|"]
        for test in ours["failed"]:
            moto = "fails too" if test in plain["failed"] else "passes"
            lines.append(f"| `{test}` | {moto} | {reasons[name][test]} |")
    return lines


def _share(score: dict[str, Any]) -> str:
    return f"{score['passed']} ({100 * score['passed'] / score['run']:.1f} %)"


def _reasons() -> dict[str, dict[str, str]]:
    """Why each failing test fails, by suite; the file groups the tests of one reason."""
    groups = tomllib.loads((CONFORMANCE / "reasons.toml").read_text(encoding="utf-8"))
    return {
        suite: {test: f"{group['kind']}: {group['why']}" for group in listed for test in group["tests"]}
        for suite, listed in groups.items()
    }


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
