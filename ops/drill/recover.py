"""Brings the data back with the code an operator uses: restore to a new name, contract, read-back. T3, T4, T5."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ops.clock import rfc3339, whole_seconds
from ops.drill.bench import Bench
from ops.drill.faults import Damage
from ops.drill.plane import Plane
from ops.drill.stage import LEFT_OUT
from ops.model.proof import SettingsOutcome
from ops.recovery import backups, pitr, reapply, restore
from ops.recovery.reapply import Change
from ops.recovery.settings import TableSettings, read_settings, wanted_settings, with_lineage

#: Applied after the items are proven: both change or hide items, or reach other systems.
AFTER_PROOF = ("stream", "ttl")
#: The SYSTEM backup shows up some seconds after the deletion.
SYSTEM_BACKUP_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Recovered:
    """The restored table with its settings before and after re-applying, and up to when its data is expected."""

    point: str
    data_until: datetime
    rpo_bound_s: float
    wanted: TableSettings
    as_restored: TableSettings
    changes: tuple[Change, ...]
    outcome: SettingsOutcome


def recover(bench: Bench, plane: Plane, damage: Damage) -> Recovered:
    """Restore, wait, re-apply, read back."""
    request, point, until, bound_s = _source(bench, damage)
    if bench.scenario.way == "pitr":
        bench.count(damage.expected, plane.count(bench.subject), "damaged table, when its restore begins")
    else:
        bench.count(damage.expected, 0, "no table, when the restore begins")
    with bench.phase("restore", f"{point} to {bench.restored}"):
        started = restore.start_restore(bench.aws, request, bench.run, bench.clock, bench.progress)
        bench.mark("T3", "answer of the restore call")
        restore.wait_active(bench.aws, bench.restored, bench.clock, bench.progress)
        bench.mark("T4", "ACTIVE seen by DescribeTable, polled every 5 s")
    bench.count(damage.expected, plane.count(bench.restored), "restored table")
    with bench.phase("settings", "re-applying what the restore dropped"):
        as_restored = read_settings(bench.aws, bench.restored)
        wanted = with_lineage(
            wanted_settings(bench.document).but(replicas=()),
            source=bench.subject,
            restored_to=rfc3339(started.restored_to),
            run=bench.run.id,
        )
        changes = reapply.plan(as_restored, wanted)
        outcome = apply_stage(bench, changes, wanted, SettingsOutcome(), after_proof=False)
        bench.mark("T5", "last read-back before the proof")
    return Recovered(point, until, bound_s, wanted, as_restored, changes, outcome)


def _source(bench: Bench, damage: Damage) -> tuple[restore.RestoreRequest, str, datetime, float]:
    if bench.scenario.way == "system-backup":
        with bench.phase("locate", "waiting for the SYSTEM backup"):
            entry = backups.system_backup(
                bench.aws, bench.subject, damage.table_id or None, bench.clock, SYSTEM_BACKUP_WITHIN_S
            )
        request = restore.RestoreRequest(bench.subject, None, bench.restored, backup_arn=entry.arn)
        return request, f"SYSTEM backup {entry.arn}", bench.clock.now(), 0.0
    moment = whole_seconds(damage.bad_from) - timedelta(seconds=1)
    with bench.phase("window", f"waiting until {rfc3339(moment)} is restorable"):
        pitr.wait_until_restorable(bench.aws, bench.subject, moment, bench.clock, bench.progress)
    request = restore.RestoreRequest(bench.subject, None, bench.restored, moment=moment)
    bound_s = (damage.bad_from - moment).total_seconds()
    return request, f"PITR of {bench.subject} at {rfc3339(moment)}", moment, bound_s


def apply_stage(
    bench: Bench, changes: tuple[Change, ...], wanted: TableSettings, before: SettingsOutcome, *, after_proof: bool
) -> SettingsOutcome:
    """One stage of the contract on the restored table, added to what was done before, read back."""
    done = reapply.apply(
        bench.aws, bench.restored, changes, stage="after_proof" if after_proof else "before_proof", run=bench.run,
        clock=bench.clock, progress=bench.progress,
    )  # fmt: skip
    both = SettingsOutcome(applied=(*before.applied, *done.applied), pending=(*before.pending, *done.pending))
    skip = LEFT_OUT if after_proof else (*LEFT_OUT, *AFTER_PROOF)
    return reapply.read_back(bench.aws, bench.restored, wanted, both, skip=skip)
