"""A claim without a test is not made."""

from __future__ import annotations

import re
from pathlib import Path

from ops.sandbox.aws.claims import NOT_IMITATED, claims

HERE = Path(__file__).parent


def _tests() -> set[str]:
    return {name for path in HERE.glob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)}


def test_every_claim_names_an_existing_test() -> None:
    missing = {claim.test for claim in claims()} - _tests()
    assert not missing


def test_every_claim_has_a_source_and_an_id_of_its_own() -> None:
    found = claims()
    assert len({claim.id for claim in found}) == len({claim.test for claim in found}) == len(found) > 100
    assert all(claim.source for claim in found)


def test_a_statement_reads_as_a_sentence() -> None:
    by_test = {claim.test: claim.statement for claim in claims()}
    assert by_test["test_ttl_changes_once_an_hour"] == "TTL changes once an hour"


def test_every_gap_is_said_in_a_sentence_with_an_id_of_its_own() -> None:
    assert len({gap.id for gap in NOT_IMITATED}) == len(NOT_IMITATED)
    assert all(gap.statement.endswith(".") for gap in NOT_IMITATED)
