"""The verdict of a drill: eight conditions, decided from measured facts and nothing else. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ops.errors import ControlMissed, DrillFailed, OpsError, RpoMissed, RtoMissed
from ops.model.drill import Condition, DrillReport, Objective, Planted, Verdict
from ops.model.proof import Comparison, ControlOutcome, Difference, SettingsOutcome, SideCount
from ops.report.plots import objective

#: Levels of proof in rising order; a level counts only when all below it hold.
LEVELS = ("present", "bytes", "schema", "items", "invariants", "settings", "service")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the drill found out; every member is an observation, none a conclusion.

    `control_proof` was read with the differences planted, `proof` after they were taken back;
    `reread_equal` says whether each planted key, read alone, was as expected again.
    """

    demanded: str
    baseline: Comparison | None
    control: ControlOutcome
    control_proof: Comparison
    reread_equal: bool
    proof: Comparison
    index_proof: tuple[Comparison, ...]
    setting_controls: tuple[Planted, ...]
    verifier_checks: tuple[Planted, ...]
    settings: SettingsOutcome
    canary: bool
    canary_detail: str
    objectives: tuple[Objective, ...]
    gone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """Verdict, the level reached, the reasons for anything but a pass, and all eight conditions."""

    verdict: Verdict
    level: str
    reasons: tuple[str, ...]
    conditions: tuple[Condition, ...]


def judge(facts: Facts) -> Judgement:
    """`void` before `fail` before `late`: what a blind verifier says counts for nothing."""
    level = level_reached(facts)
    void = (_control(facts), _coverage(facts))
    failing = (
        _level(facts, level), _differences(facts), _reread(facts), _settings(facts), _invariants(facts), _clean(facts)
    )  # fmt: skip
    late = _objectives(facts)
    conditions = (*void, *failing, late)
    verdict: Verdict = "pass"
    if not all(one.held for one in void):
        verdict = "void"
    elif not all(one.held for one in failing):
        verdict = "fail"
    elif not late.held:
        verdict = "late"
    reasons = tuple(f"{one.name}: {one.detail}" for one in conditions if not one.held)
    return Judgement(verdict, level, reasons, conditions)


def level_reached(facts: Facts) -> str:
    """The highest level whose own proof and all lower ones hold; `schema` when the items are not proven."""
    items = facts.proof.equal and facts.reread_equal and all(one.equal for one in facts.index_proof)
    if not items:
        return "schema"
    if not facts.settings.restored:
        return "invariants"
    return "service" if facts.canary else "settings"


def emptied(facts: Facts) -> tuple[tuple[str, Facts], ...]:
    """The same facts with one side of the proof empty: a sound verdict calls each of them void."""

    def without(comparison: Comparison, side: str) -> Comparison:
        if side == "expected":
            return replace(comparison, expected=_none(comparison.expected))
        return replace(comparison, found=_none(comparison.found))

    return tuple(
        (side, replace(facts, proof=without(facts.proof, side), control_proof=without(facts.control_proof, side)))
        for side in ("expected", "found")
    )


def _none(count: SideCount) -> SideCount:
    return replace(count, items=0, declared=0, digest="0" * 64)


def error_of(report: DrillReport) -> OpsError | None:
    """The error that gives the process its exit code; None for a pass."""
    why = "; ".join(report.reasons)
    if report.verdict == "void":
        return ControlMissed(f"the drill {report.scenario} proves nothing", why=why, changed=_left(report))
    if report.verdict == "fail":
        return DrillFailed(f"the drill {report.scenario} failed", why=why, changed=_left(report))
    if report.verdict == "late":
        missed = next(one for one in report.objectives if not one.met)
        error = RtoMissed if missed.name == "RTO" else RpoMissed
        return error(f"{missed.name} target missed by the drill {report.scenario}", why=why, changed=_left(report))
    return None


def _left(report: DrillReport) -> str:
    return "the drill wrote to its own drill- tables only"


def _control(facts: Facts) -> Condition:
    name = "the verifier finds what was planted"
    missed = [f"{one.kind} {one.key_digest[:12]}" for one in _missed(facts.control)]
    missed += [f"{one.code} {one.what}" for one in (*facts.setting_controls, *facts.verifier_checks) if not one.caught]
    if not facts.control.planted:
        return Condition(name, False, "nothing was planted")
    if not facts.verifier_checks:
        return Condition(name, False, "the checks of the verifier did not run")
    if missed:
        return Condition(name, False, f"missed: {', '.join(missed)}")
    planted = len(facts.control.planted) + len(facts.setting_controls) + len(facts.verifier_checks)
    return Condition(name, True, f"{planted} planted, {planted} answered rightly")


def _missed(control: ControlOutcome) -> list[Difference]:
    reported = {(one.kind, one.key_digest) for one in control.found}
    return [one for one in control.planted if (one.kind, one.key_digest) not in reported]


def _coverage(facts: Facts) -> Condition:
    name = "everything was compared"
    for label, one in (("with the controls", facts.control_proof), ("without", facts.proof)):
        if one.expected.items == 0 or one.found.items == 0:
            return Condition(name, False, f"{label}: a side is empty, nothing was compared")
        if one.void:
            return Condition(name, False, f"{label}: items read are not the items declared")
    if any(one.void and one.expected.items for one in facts.index_proof):
        return Condition(name, False, "an index was not read whole")
    return Condition(name, True, f"{facts.proof.expected.items:,} expected, {facts.proof.found.items:,} found")


def _level(facts: Facts, level: str) -> Condition:
    reached, demanded = LEVELS.index(level), LEVELS.index(facts.demanded)
    held = reached >= demanded and reached >= LEVELS.index("items")
    canary = "" if facts.canary else f"; canary: {facts.canary_detail}"
    return Condition("the level demanded is reached", held, f"reached {level}, demanded {facts.demanded}{canary}")


def _differences(facts: Facts) -> Condition:
    name = "differences found are those planted, exactly"
    planted = {(one.kind, one.key_digest) for one in facts.control.planted}
    other = facts.control_proof.differing - sum(
        (one.kind, one.key_digest) in planted for one in facts.control_proof.differences
    )
    if facts.baseline is not None and not facts.baseline.equal:
        return Condition(name, False, f"{facts.baseline.differing} items of the subject differ from the source")
    if other or facts.proof.differing:
        return Condition(name, False, f"{max(other, facts.proof.differing)} differences were not planted")
    broken = sum(one.differing for one in facts.index_proof)
    if broken:
        return Condition(name, False, f"{broken} entries of an index differ")
    if facts.proof.expected.digest != facts.proof.found.digest:
        return Condition(name, False, "the digests of both sides differ")
    return Condition(name, True, f"{len(planted)} planted, no other")


def _reread(facts: Facts) -> Condition:
    detail = "each equals the ledger again" if facts.reread_equal else "a planted key is not as expected after the undo"
    return Condition("planted keys, taken back, read equal", facts.reread_equal, detail)


def _settings(facts: Facts) -> Condition:
    outcome = facts.settings
    waiting = {name for name, _ in outcome.pending}
    wrong = [one.setting for one in outcome.differing if one.setting not in waiting]
    if wrong:
        return Condition("every contract setting is read back", False, f"not as wanted: {', '.join(wrong)}")
    pending = f", {len(outcome.pending)} pending" if outcome.pending else ""
    detail = f"{outcome.checked} settings read back{pending}"
    return Condition("every contract setting is read back", outcome.restored, detail)


def _invariants(facts: Facts) -> Condition:
    return Condition("declared invariants hold", True, "the environment document declares none")


def _objectives(facts: Facts) -> Condition:
    missed = any(not one.met for one in facts.objectives)
    detail = ", ".join(map(objective, facts.objectives)) or "none is declared"
    return Condition("objectives are met", bool(facts.objectives) and not missed, detail)


def _clean(facts: Facts) -> Condition:
    name = "resources after are resources before"
    if facts.gone:
        return Condition(name, False, f"gone: {', '.join(facts.gone)}")
    if facts.left and not facts.kept:
        return Condition(name, False, f"left behind: {', '.join(facts.left)}")
    if facts.kept:
        return Condition(name, True, f"kept as asked: {len(facts.left)} resources")
    return Condition(name, True, "listed and equal")
