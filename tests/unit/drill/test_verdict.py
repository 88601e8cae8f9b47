"""The verdict: each of the eight conditions alone turns it, and a blind verifier is never a pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ops.drill.verdict import Facts, emptied, judge
from ops.model.drill import VERDICT_EXIT, Objective, Planted
from ops.model.proof import (
    Comparison,
    ControlOutcome,
    Difference,
    SettingDifference,
    SettingsOutcome,
    SideCount,
    SideInfo,
)

PLANTED = (Difference("missing", "a" * 64, None), Difference("changed", "b" * 64, None))
OTHER = Difference("changed", "c" * 64, None)


def _side(items: int = 100, digest: str = "d" * 64) -> SideCount:
    return SideCount(SideInfo("table", "somewhere"), items, digest, declared=items)


def _comparison(differences: tuple[Difference, ...] = (), items: int = 100) -> Comparison:
    kinds = [one.kind for one in differences]
    return Comparison(
        _side(items), _side(items, "d" * 64 if not differences else "e" * 64),
        kinds.count("missing"), kinds.count("extra"), kinds.count("changed"), differences=differences,
    )  # fmt: skip


def _good() -> Facts:
    return Facts(
        demanded="service",
        baseline=_comparison(),
        control=ControlOutcome(PLANTED, PLANTED),
        control_proof=_comparison(PLANTED),
        reread_equal=True,
        proof=_comparison(),
        index_proof=(_comparison(),),
        setting_controls=(Planted("C14", "one tag", "tags.owner", True),),
        verifier_checks=(Planted("C22", "a page dropped", "scan", True),),
        settings=SettingsOutcome(applied=("pitr",), checked=12),
        canary=True,
        canary_detail="",
        objectives=(Objective("RTO", 900, 500), Objective("RPO", 300, 0)),
    )


def test_a_drill_with_every_condition_held_passes() -> None:
    judgement = judge(_good())
    assert judgement.verdict == "pass"
    assert judgement.level == "service"
    assert judgement.reasons == ()
    assert len(judgement.conditions) == 9  # condition 4 is judged with and without the check of the verifier
    assert all(one.held for one in judgement.conditions)


_MISSED = (Planted("C14", "one tag", "tags.owner", False),)
_BAD_SETTING = SettingsOutcome(differing=(SettingDifference("ttl", "expires_at", "off"),), checked=12)
_HALF_READ = replace(_comparison(), found=replace(_side(), declared=99))

TABLE: list[tuple[str, dict[str, object], str]] = [
    ("nothing planted", {"control": ControlOutcome((), ())}, "void"),
    ("a planted difference missed", {"control": ControlOutcome(PLANTED, PLANTED[:1])}, "void"),
    ("a planted setting missed", {"setting_controls": _MISSED}, "void"),
    ("no setting planted at all is not a reason by itself", {"setting_controls": ()}, "pass"),
    ("the verifier passed a dropped page", {"verifier_checks": _MISSED}, "void"),
    ("the verifier was not checked", {"verifier_checks": ()}, "void"),
    ("nothing compared", {"proof": _comparison(items=0)}, "void"),
    ("a side not read whole", {"proof": _HALF_READ}, "void"),
    ("an index not read whole", {"index_proof": (_HALF_READ,)}, "void"),
    ("one unplanted difference under the control", {"control_proof": _comparison((*PLANTED, OTHER))}, "fail"),
    ("one difference left after the undo", {"proof": _comparison((OTHER,))}, "fail"),
    ("subject not equal to its source", {"baseline": _comparison((OTHER,))}, "fail"),
    ("an index entry differs", {"index_proof": (_comparison((OTHER,)),)}, "fail"),
    ("equal counts, other digest", {"proof": replace(_comparison(), found=_side(digest="f" * 64))}, "fail"),
    ("a planted key not as before", {"reread_equal": False}, "fail"),
    ("a setting not restored", {"settings": _BAD_SETTING}, "fail"),
    ("no setting read back", {"settings": SettingsOutcome()}, "fail"),
    ("pending by a date of AWS", {"settings": replace(_BAD_SETTING, pending=(("ttl", "in an hour"),))}, "pass"),
    ("canary failed", {"canary": False, "canary_detail": "empty"}, "fail"),
    ("canary failed where items suffice", {"canary": False, "demanded": "items"}, "pass"),
    ("RTO missed", {"objectives": (Objective("RTO", 900, 901),)}, "late"),
    ("no objective measured", {"objectives": ()}, "late"),
    ("something of before is gone", {"gone": ("table:top_tracks",)}, "fail"),
    ("something is left", {"left": ("table:drill-x",)}, "fail"),
    ("kept as asked", {"left": ("table:drill-x",), "kept": True}, "pass"),
    ("late and different", {"objectives": (Objective("RTO", 1, 2),), "reread_equal": False}, "fail"),
    ("void and different", {"control": ControlOutcome((), ()), "reread_equal": False}, "void"),
]


@pytest.mark.parametrize(("case", "change", "verdict"), TABLE, ids=[one[0] for one in TABLE])
def test_each_condition_turns_the_verdict(case: str, change: dict[str, object], verdict: str) -> None:
    judgement = judge(replace(_good(), **change))  # type: ignore[arg-type]
    assert judgement.verdict == verdict, case
    assert bool(judgement.reasons) == (verdict != "pass")


def test_an_empty_side_is_void_whichever_it_is() -> None:
    sides = emptied(_good())
    assert [name for name, _ in sides] == ["expected", "found"]
    assert [judge(facts).verdict for _, facts in sides] == ["void", "void"]


def test_service_without_items_is_reported_as_schema() -> None:
    judgement = judge(replace(_good(), proof=_comparison((OTHER,))))
    assert judgement.level == "schema"


def test_every_verdict_has_its_documented_exit_code() -> None:
    assert VERDICT_EXIT == {
        "pass": 0, "late": 5, "fail": 4, "unrecoverable": 6, "void": 1, "refused": 7, "aborted": 9,
    }  # fmt: skip


def test_objectives_are_told_with_their_units_and_the_missed_one_is_marked() -> None:
    objectives = (Objective("RTO", 3600, 4000.539), Objective("RPO", 300, 0), Objective("lost items", 0, 0))
    judgement = judge(replace(_good(), objectives=objectives))
    assert judgement.reasons == (
        "objectives are met: RTO 1 h 6 min (target 1 h) MISSED, RPO 0 s (target 5 min), lost writes 0 (allowed 0)",
    )
