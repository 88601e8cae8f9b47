"""Puts the report together from what was measured; decides nothing but the verdict, by its own rules."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

from ops.drill.bench import Bench
from ops.drill.faults import Damage
from ops.drill.inventory import compare_resources, system_backups
from ops.drill.ledger import Write
from ops.drill.measure import Figures, figures_of, lost_writes, marks_of, objectives_of, rpo_time_s
from ops.drill.prove import Proof, differing_tokens
from ops.drill.recover import Recovered
from ops.drill.scenario import SANDBOX_CANNOT_PROVE
from ops.drill.stage import LEFT_OUT, NOT_COPIED, Stage
from ops.drill.verdict import Facts, Judgement, emptied, judge
from ops.model.drill import CountSample, DrillReport, LostWrite, Mark, Objective, Planted
from ops.model.proof import SettingsOutcome
from ops.recovery.settings import TableSettings, flatten


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the steps of a drill handed on; `canary` is empty when it was healthy."""

    stage: Stage
    damage: Damage
    recovered: Recovered
    proof: Proof
    settings: SettingsOutcome
    settings_after: TableSettings
    canary: str
    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class _Measured:
    marks: tuple[Mark, ...]
    figures: Figures
    lost: tuple[LostWrite, ...]
    rpo_time_s: float
    objectives: tuple[Objective, ...]


def assemble(bench: Bench, outcome: Outcome, before: tuple[str, ...], after: tuple[str, ...]) -> DrillReport:
    """The report with its verdict."""
    measured = _measure(bench, outcome)
    facts = _facts(bench, outcome, measured, before, after)
    facts = replace(facts, verifier_checks=(*_empty_sides(facts), *facts.verifier_checks))
    return _report(bench, outcome, measured, facts, judge(facts), before, after)


def _measure(bench: Bench, outcome: Outcome) -> _Measured:
    marks = marks_of(bench.moments, bench.pauses)
    figures = figures_of(marks)
    fault_at = bench.moment("T0").at
    lost = lost_writes(outcome.writes, differing_tokens(outcome.proof.proof), fault_at)
    declared = bench.document.objectives
    age_s = rpo_time_s(lost, fault_at)
    objectives = objectives_of(
        figures,
        rto_s=declared.rto_s if bench.request.rto_s is None else bench.request.rto_s,
        rpo_s=declared.rpo_s if bench.request.rpo_s is None else bench.request.rpo_s,
        max_lost=declared.max_lost_items,
        rpo_time=age_s,
        items=len(lost),
    )
    return _Measured(marks, figures, lost, age_s, objectives)


def _facts(bench: Bench, outcome: Outcome, measured: _Measured, before: Sequence[str], after: Sequence[str]) -> Facts:
    proof = outcome.proof
    resources = compare_resources(before, after, bench.run.id8)
    if resources.foreign:
        bench.warn("OPS-W009", f"made by others meanwhile: {', '.join(resources.foreign)}")
    return Facts(
        demanded=bench.scenario.demands,
        baseline=outcome.stage.baseline,
        control=proof.control,
        control_proof=proof.control_proof,
        reread_equal=proof.reread_equal,
        proof=proof.proof,
        index_proof=proof.index_proof,
        setting_controls=proof.setting_control.planted,
        verifier_checks=proof.verifier_checks,
        settings=outcome.settings,
        canary=not outcome.canary,
        canary_detail=outcome.canary,
        objectives=measured.objectives,
        gone=resources.gone,
        left=resources.left,
        kept=bench.request.keep,
    )


def _empty_sides(facts: Facts) -> tuple[Planted, ...]:
    """C19: the verdict itself is asked what it says to an empty side."""
    return tuple(
        Planted("C19", f"verdict with the {side} side empty", "verdict", verdict == "void", verdict)
        for side, verdict in ((side, judge(spoiled).verdict) for side, spoiled in emptied(facts))
    )


def _report(
    bench: Bench,
    outcome: Outcome,
    measured: _Measured,
    facts: Facts,
    judgement: Judgement,
    before: tuple[str, ...],
    after: tuple[str, ...],
) -> DrillReport:
    proof, figures = outcome.proof, measured.figures
    document, identity = bench.environment.document, bench.environment.identity
    if bench.environment.is_sandbox:
        bench.warn("OPS-W003", "sandbox figures are not AWS figures")
    return DrillReport(
        run=bench.run.id,
        scenario=bench.scenario.slug,
        title=bench.scenario.title,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        backend=bench.environment.backend,
        seed=bench.seed,
        environment=f"{document.project}/{document.stack}",
        region=bench.source.region,
        source_table=bench.source.physical,
        subject_table=bench.subject,
        restored_table=bench.restored,
        source_point=outcome.recovered.point,
        started=bench.started,
        seconds=round(bench.clock.monotonic() - bench.started_s, 3),
        level=judgement.level,
        marks=measured.marks,
        phases=tuple(bench.phases),
        objectives=measured.objectives,
        rto_service_s=figures.rto_service_s,
        rto_tool_s=figures.rto_tool_s,
        detect_s=figures.detect_s,
        rpo_bound_s=outcome.recovered.rpo_bound_s,
        rpo_items=len(measured.lost),
        rpo_time_s=measured.rpo_time_s,
        proof=proof.proof,
        index_proof=proof.index_proof,
        control=proof.control,
        control_proof=proof.control_proof,
        setting_control=proof.setting_control.named,
        settings_before=flatten(outcome.stage.source_settings),
        settings_restored=flatten(outcome.recovered.as_restored),
        settings_after=flatten(outcome.settings_after),
        settings=outcome.settings,
        counts=_counts(bench),
        conditions=judgement.conditions,
        calls=bench.recorder.calls(),
        decisions=tuple(bench.decisions),
        resources_before=before,
        resources_after=after,
        residue=system_backups(bench.aws, bench.run.id8),
        not_proven=bench.scenario.not_proven,
        versions=_versions(),
        warnings=tuple(bench.warnings),
        clock_advances=tuple(bench.clock.advanced.items()),
        replay=_replay(bench),
        load=_load(outcome.writes),
        planted=(*proof.planted, *proof.setting_control.planted, *facts.verifier_checks),
        lost=measured.lost,
        account=identity.account,
        operator=identity.arn,
        demanded=bench.scenario.demands,
        people_s=0.0,
        restore_s=figures.restore_s,
        control_s=round(sum(one.end_s - one.start_s for one in bench.pauses), 3),
        damage=outcome.damage.counts,
        ambiguous=proof.ambiguous,
        sandbox_cannot=(*SANDBOX_CANNOT_PROVE, *bench.request.cannot) if bench.environment.is_sandbox else (),
        left_out=(*LEFT_OUT, *NOT_COPIED),
        baseline=outcome.stage.baseline,
    )


def _counts(bench: Bench) -> tuple[CountSample, ...]:
    zero = bench.moment("T0").monotonic_s
    return tuple(replace(sample, offset_s=round(at - zero, 3) or 0.0) for at, sample in bench.counts)


def _load(writes: Sequence[Write]) -> dict[str, int]:
    good = [one for one in writes if not one.fault]
    found = Counter(f"{one.operation}, {one.outcome}" for one in good)
    return dict(sorted(found.items()))


def _replay(bench: Bench) -> str:
    return (
        f"ops drill run {bench.scenario.slug} {bench.request.logical} --seed {bench.seed} "
        f"{bench.request.where or f'--env {bench.environment.document.stack}'}"
    )


def _versions() -> dict[str, str]:
    return {
        "ops": version("dynamo-ops"),
        "boto3": version("boto3"),
        "python": platform.python_version(),
    }
