"""Runs a drill from the first list of resources to the last, and judges it.

Whatever happens on the way, Ctrl-C included, what the drill made is removed (unless it is to be kept).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ops.aws import Aws
from ops.clock import Clock
from ops.drill import evidence
from ops.drill.assemble import Outcome, assemble
from ops.drill.bench import Bench, DrillRequest, open_bench
from ops.drill.cleanup import clean_up
from ops.drill.faults import inflict
from ops.drill.inventory import list_resources
from ops.drill.ledger import Ledger
from ops.drill.plane import Plane, TablePlane
from ops.drill.prove import prove
from ops.drill.recover import apply_stage, recover
from ops.drill.scenario import find_scenario
from ops.drill.serve import serve
from ops.drill.sides import Comparer
from ops.drill.stage import make_subject, write_traffic
from ops.dynamodb.client import data_plane
from ops.environment import Environment
from ops.errors import Interrupted, OpsError, SignalReceived
from ops.model.drill import DrillReport
from ops.progress import Progress
from ops.recovery.settings import read_settings
from ops.runs import Run
from ops.verify.compare import compare

__all__ = ["DrillRequest", "run_drill"]


@dataclass(frozen=True, slots=True)
class _Tools:
    """What reads and compares items."""

    plane: Plane
    comparer: Comparer


def run_drill(
    request: DrillRequest,
    *,
    aws: Aws,
    environment: Environment,
    clock: Clock,
    progress: Progress,
    run: Run,
    random: Random,
    comparer: Comparer = compare,
) -> DrillReport:
    """The whole drill; its report is also kept in the run folder (`evidence.files_of`).

    The verdict is in the report. An error means that the drill could not come to one: PitrOff when the source
    cannot be recovered at all; TableNotFound; NotADrillName when a guard had to step in.
    """
    scenario = find_scenario(request.scenario)
    bench = open_bench(
        request, scenario, aws=aws, environment=environment, clock=clock, progress=progress, run=run, random=random
    )
    run.write(
        "drill", scenario=scenario.slug, seed=bench.seed, source=bench.source.physical, subject=bench.subject,
        restored=bench.restored, pointer=bench.pointer,
    )  # fmt: skip
    data = data_plane(bench.aws, bench.clock, random, region=bench.source.region)
    tools = _Tools(TablePlane(data, bench.schema, bench.clock), comparer)
    before = list_resources(bench.aws, bench.parameters)
    try:
        outcome = _perform(bench, tools)
        if not request.keep:
            _clean_at_the_end(bench)
    except SignalReceived as received:
        error = Interrupted(f"the drill {scenario.slug} was interrupted", signal_number=received.signal_number)
        _clean_after(bench, error)
        raise error from received
    except BaseException as error:
        _clean_after(bench, error)
        raise
    after = list_resources(bench.aws, bench.parameters)
    report = assemble(bench, outcome, before, after)
    evidence.keep(run, report)
    return report


def _perform(bench: Bench, tools: _Tools) -> Outcome:
    stage = make_subject(bench, tools.plane, tools.comparer)
    with Ledger(bench.run.folder / evidence.LEDGER, bench.clock) as ledger:
        traffic = write_traffic(bench, tools.plane, ledger, stage)
        damage = inflict(bench, tools.plane, ledger, stage, traffic)
        recovered = recover(bench, tools.plane, damage)
        proof = prove(bench, tools.plane, tools.comparer, ledger, stage, recovered.data_until, recovered.wanted)
        with bench.phase("side effects", "stream and TTL, now that the items are proven"):
            settings = apply_stage(bench, recovered.changes, recovered.wanted, recovered.outcome, after_proof=True)
            settings_after = read_settings(bench.aws, bench.restored)
        canary = serve(bench, tools.plane, proof.expected)
        bench.count(damage.expected, tools.plane.count(bench.restored), "after the canary")
        writes = ledger.writes
    return Outcome(
        stage=stage,
        damage=damage,
        recovered=recovered,
        proof=proof,
        settings=settings,
        settings_after=settings_after,
        canary=canary,
        writes=writes,
    )


def _clean_at_the_end(bench: Bench) -> None:
    """A clean-up that fails does not undo the proof: what is left shows in the second list, and fails the drill."""
    try:
        clean_up(bench)
    except OpsError as failure:
        bench.warn("OPS-W008", f"the clean-up failed: {failure.what}; ops drill gc {bench.run.id} tries again")


def _clean_after(bench: Bench, error: BaseException) -> None:
    """The drill failed or was interrupted: remove what it made, and say in the error what is left."""
    if bench.request.keep:
        _say(error, f"kept as asked: {bench.subject}, {bench.restored}, {bench.pointer}", bench)
        return
    left = f"drill resources of run {bench.run.id} are left: {bench.subject}, {bench.restored}"
    try:
        clean_up(bench)
    except OpsError as failure:
        bench.warn("OPS-W008", f"the clean-up failed: {failure.what}")
        _say(error, left, bench)
        return
    except SignalReceived as received:
        raise Interrupted(
            f"interrupted while cleaning up after: {error}",
            signal_number=received.signal_number,
            changed=left,
            fix=(f"ops drill gc {bench.run.id}",),
        ) from error
    if isinstance(error, OpsError):
        error.changed = "the drill wrote to its own drill- tables only; they were removed"


def _say(error: BaseException, text: str, bench: Bench) -> None:
    bench.progress.note(text)
    if isinstance(error, OpsError):
        error.changed = text
        error.fix = (*error.fix, f"ops drill gc {bench.run.id}")
