"""Which errors a finished flow ends with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ops.errors import OpsError
from ops.flows import importing, restoring, verifying
from ops.flows import settings as settings_flow
from ops.flows.verifying import Verification
from ops.model.proof import (
    Comparison,
    ControlOutcome,
    Difference,
    SettingDifference,
    SettingsOutcome,
    SideCount,
    SideInfo,
)
from ops.model.recovery import ExportFiles, ImportResult, RestoreResult

ONE = Difference("changed", "ab", {"id": {"S": "t1"}})
GOOD_SETTINGS = SettingsOutcome(checked=3)


def side(items: int, declared: int | None = None) -> SideCount:
    return SideCount(SideInfo("export", "s3://b/manifest-summary.json"), items, "00", declared)


def proof(*, changed: int = 0, items: int = 5, declared: int | None = None) -> Comparison:
    differences = (ONE,) * changed
    return Comparison(side(items, declared), side(items), 0, 0, changed, differences=differences)


def restored(
    found: Comparison | None, settings: SettingsOutcome = GOOD_SETTINGS, notes: tuple[str, ...] = ()
) -> RestoreResult:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    return RestoreResult("t", "t-r1", "arn", now, "pitr", (), settings, found, notes)


def codes(errors: tuple[OpsError, ...]) -> list[str]:
    return [one.code for one in errors]


def test_a_proven_restore_with_its_settings_has_no_error() -> None:
    assert restoring.problems(restored(proof()), proof_waived=False) == ()


def test_a_restore_without_a_proof_is_not_proven_unless_nothing_was_expected() -> None:
    result = restored(None, notes=("items not proven: no seal",))
    assert codes(restoring.problems(result, proof_waived=False)) == ["OPS-E406"]
    assert restoring.problems(result, proof_waived=True) == ()


def test_a_comparison_of_which_a_rule_left_nothing_says_so() -> None:
    found = Comparison(side(3), side(2), 0, 0, 0, ignored={"ttl": 5})
    [error] = verifying.proof_problems(found, "s3://b/manifest-summary.json", "t")
    assert (error.code, error.exit_code) == ("OPS-E406", 4)
    assert error.why == "every item was left out by rule ttl: zero items compared is never a proof"


@pytest.mark.parametrize("found", [proof(items=0), proof(declared=6)])
def test_nothing_compared_or_half_read_is_never_a_pass(found: Comparison) -> None:
    assert codes(restoring.problems(restored(found), proof_waived=False)) == ["OPS-E406"]
    assert codes(verifying.proof_problems(found, "a", "b")) == ["OPS-E406"]


def test_every_problem_of_a_restore_says_that_the_new_table_stays() -> None:
    wrong = SettingsOutcome(differing=(SettingDifference("pitr", "on", "off"),), checked=3)
    errors = restoring.problems(restored(proof(changed=1), wrong), proof_waived=False)
    assert codes(errors) == ["OPS-E401", "OPS-E402"]
    assert all("table t-r1 was made and stays" in one.changed for one in errors)
    assert "t1" in errors[0].why
    assert errors[1].fix == ("ops settings diff ddb:t-r1 --against ddb:t",)


def test_a_setting_that_waits_for_its_date_is_no_failure() -> None:
    waiting = SettingsOutcome(
        pending=(("ttl", "2026-11-20T11:00:00Z"),), differing=(SettingDifference("ttl", "on", "off"),), checked=3
    )
    assert settings_flow.problems(waiting, "t") == ()
    assert codes(settings_flow.problems(SettingsOutcome(), "t")) == ["OPS-E402"]  # nothing read is nothing proven


def test_a_missed_control_is_exit_1_even_when_all_is_equal() -> None:
    missed = ControlOutcome(planted=(ONE,), found=())
    errors = verifying.problems(Verification("items", None, proof(), missed), "a", "b")
    assert [one.exit_code for one in errors] == [1]
    none_planted = verifying.problems(Verification("items", None, proof(), ControlOutcome((), ())), "a", "b")
    assert [one.exit_code for one in none_planted] == [1]


def test_a_bad_file_is_named_with_its_class() -> None:
    errors = verifying.problems(
        Verification("bytes", ExportFiles("bytes", 2, (("k", "checksum: x"),))), "s3://b/p", None
    )
    assert codes(errors) == ["OPS-E604"]
    assert "k: checksum: x" in errors[0].why


def test_an_export_without_a_single_file_proves_nothing() -> None:
    assert codes(verifying.problems(Verification("bytes", ExportFiles("bytes", 0)), "s3://b/p", None)) == ["OPS-E406"]


def test_an_import_that_counts_other_than_the_source_is_exit_4() -> None:
    result = ImportResult("t", "arn", 5, 4, 0, 0, 0, 5, (), proof())
    assert codes(importing.problems(result)) == ["OPS-E403"]
    differing = ImportResult("t", "arn", 5, 5, 0, 0, 0, 5, (), proof(changed=1))
    assert codes(importing.problems(differing)) == ["OPS-E401"]
    assert importing.problems(ImportResult("t", "arn", 5, 5, 0, 0, 0, 5, (), proof())) == ()
