"""Removes what a drill made: only names of the drill's own form, run and journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ops.aws import Aws, ControlPlane
from ops.clock import Clock
from ops.drill.bench import Bench
from ops.drill.calls import CallRecorder
from ops.drill.guard import DrillGuard, drill_parameters, parse_drill_name
from ops.environment import Environment
from ops.errors import OpsError
from ops.progress import Progress
from ops.recovery import cutover, tables
from ops.recovery.journal import mutate
from ops.runs import Run

#: Calls that make a drill table; only a name that stands in such an intent of the journal is ever deleted.
_MAKING = ("RestoreTableToPointInTime", "RestoreTableFromBackup", "CreateTable", "ImportTable")


def clean_up(bench: Bench) -> None:
    """Remove tables, scaling, alarms and pointer of this drill; the first failure is raised after all were tried."""
    with bench.phase("clean up", f"removing everything of drill {bench.run.id8}"):
        _remove(bench.aws, bench.run, bench.clock, bench.progress, bench.parameters)


@dataclass(frozen=True, slots=True)
class Collected:
    """What a late clean-up removed, and the names it left alone with the reason."""

    removed: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


def collect(
    run: Run, *, aws: Aws, environment: Environment, clock: Clock, progress: Progress, dry_run: bool = False
) -> Collected:
    """Clean up after a drill that ended badly, by its journal; `run` must be open, so that it is no longer at work.

    A name is removed only when it has the form of a drill name, carries this run's id, and its making stands in
    this run's journal. With `dry_run` nothing is removed and `removed` tells what would be.
    """
    document = environment.document
    parameters = drill_parameters(document.project, document.stack, run.id8)
    guarded = aws.observed_by(DrillGuard(run.id8, parameters), CallRecorder())
    own, left = _sorted_names(guarded, run)
    pointers = list(_pointers(guarded, parameters))
    if not dry_run:
        _remove(guarded, run, clock, progress, parameters)
    return Collected((*own, *pointers), tuple(left))


def _sorted_names(control: ControlPlane, run: Run) -> tuple[list[str], list[tuple[str, str]]]:
    made = _made(run)
    own: list[str] = []
    left: list[tuple[str, str]] = []
    for name in tables.list_tables(control):
        parsed = parse_drill_name(name)
        if parsed is None or parsed.run8 != run.id8:
            continue
        if name in made:
            own.append(name)
        else:
            left.append((name, f"its making does not stand in the journal of run {run.id}"))
    return own, left


def _made(run: Run) -> set[str]:
    """Names whose making this run asked for, in the order of asking."""
    return {
        str(line.data["target"])
        for line in run.lines
        if line.kind == "intent"
        and line.data.get("operation") in _MAKING
        and parse_drill_name(str(line.data["target"]))
    }


def _remove(control: ControlPlane, run: Run, clock: Clock, progress: Progress, parameters: str) -> None:
    failed: list[OpsError] = []
    for path in _pointers(control, parameters):
        _try(failed, progress, path, partial(cutover.delete_pointer, control, path, run))
    for name in sorted(_made(run)):
        _try(failed, progress, name, partial(tables.delete_drill_table, control, name, run, clock))
        _try(failed, progress, name, partial(tables.delete_scaling, control, name, run))
    _try(failed, progress, "alarms", partial(_delete_alarms, control, run))
    if failed:
        raise failed[0]


def _try(failed: list[OpsError], progress: Progress, name: str, remove: Callable[[], object]) -> None:
    """One failure must not leave the rest behind."""
    try:
        remove()
    except OpsError as error:
        failed.append(error)
        progress.note(f"not removed: {name}: {error.what}")


def _pointers(control: ControlPlane, parameters: str) -> Iterator[str]:
    found = control.pages("ssm", "get_parameters_by_path", "Parameters", Path=parameters.rstrip("/"), Recursive=True)
    return iter([one["Name"] for one in found])


def _delete_alarms(control: ControlPlane, run: Run) -> None:
    """Alarms named after this drill; those of target tracking go with their policies."""
    names = [
        one["AlarmName"]
        for one in control.pages("cloudwatch", "describe_alarms", "MetricAlarms")
        if one["AlarmName"].startswith(f"drill-{run.id8}-")
    ]
    if names:
        mutate(control, run, "cloudwatch", "delete_alarms", names[0], {"AlarmNames": names})
