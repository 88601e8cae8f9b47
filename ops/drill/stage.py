"""Makes the subject of a drill: a copy of the source table that may be broken, and good traffic on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ops.clock import rfc3339, whole_seconds
from ops.drill.bench import Bench
from ops.drill.damage import QUIET_S, plan_traffic
from ops.drill.ledger import Ledger, Planned, key_token
from ops.drill.plane import Plane
from ops.drill.sides import Comparer, compare_sides, table_side
from ops.errors import BadArgument
from ops.model.items import Item, key_of
from ops.model.proof import Comparison
from ops.recovery import pitr, reapply, restore
from ops.recovery.settings import TableSettings, read_settings, wanted_settings, with_lineage

#: Settings a drill leaves out: a replica is a table in another region, outside the guard and the clean-up.
LEFT_OUT = ("replicas",)
#: What the infrastructure program declares for the table's own name: no copy has it, a drill's neither.
NOT_COPIED = ("alarms",)


@dataclass(frozen=True, slots=True)
class Stage:
    """The subject at rest: its items, where they come from, and how it was held against its source."""

    items: tuple[Item, ...]
    restored_to: datetime
    source_settings: TableSettings
    baseline: Comparison | None

    def by_token(self, bench: Bench) -> dict[str, Item]:
        """The items by their keys."""
        return {key_token(key_of(item, bench.schema)): item for item in self.items}


def make_subject(bench: Bench, plane: Plane, comparer: Comparer) -> Stage:
    """Restore the source into the subject, give it the contract's protection, read it whole.

    PitrOff when the source has no point-in-time recovery: then the drill cannot begin, and neither could a rescue.
    """
    source, region = bench.source.physical, bench.source.region
    with bench.phase("subject", f"restoring {source} to {bench.subject}"):
        source_settings = read_settings(bench.aws, source, region)
        moment = _newest_second(bench, source)
        request = restore.RestoreRequest(source, region, bench.subject, moment=moment)
        started = restore.start_restore(bench.aws, request, bench.run, bench.clock, bench.progress)
        restore.wait_active(bench.aws, bench.subject, bench.clock, bench.progress)
        _protect(bench, started.restored_to)
        opened = whole_seconds(bench.clock.now())
        bench.clock.sleep(QUIET_S)
        pitr.wait_until_restorable(bench.aws, bench.subject, opened, bench.clock, bench.progress)
    with bench.phase("baseline", f"reading every item of {bench.subject}"):
        # a parallel scan has no order of its own; the seed must meet the same one in every run
        items = tuple(sorted(plane.scan(bench.subject), key=lambda item: key_token(key_of(item, bench.schema))))
        if not items:
            raise BadArgument(
                f"table {source} held no item at {rfc3339(started.restored_to)}",
                why="a drill on nothing proves nothing",
                fix=("ops load spotify --to " + bench.request.logical,),
            )
        baseline = _against_source(bench, plane, comparer)
    return Stage(items, started.restored_to, source_settings, baseline)


def _newest_second(bench: Bench, source: str) -> datetime:
    """The newest restorable second. The sandbox's clock costs nothing: there, one that holds what was just loaded."""
    window = pitr.restorable_window(bench.aws, source, bench.source.region)
    if not bench.environment.is_sandbox:
        return window.latest
    bench.clock.sleep(QUIET_S)
    moment = whole_seconds(bench.clock.now())
    pitr.wait_until_restorable(bench.aws, source, moment, bench.clock, bench.progress, bench.source.region)
    return moment


def subject_settings(bench: Bench, restored_to: datetime) -> TableSettings:
    """The contract without side effects: no stream, TTL, replica or protection before the proof."""
    wanted = wanted_settings(bench.document).but(
        deletion_protection=False, stream_view=None, ttl_attribute=None, replicas=()
    )
    return with_lineage(wanted, source=bench.source.physical, restored_to=rfc3339(restored_to), run=bench.run.id)


def _protect(bench: Bench, restored_to: datetime) -> None:
    wanted = subject_settings(bench, restored_to)
    changes = reapply.plan(read_settings(bench.aws, bench.subject), wanted)
    reapply.apply(
        bench.aws, bench.subject, changes, stage="before_proof", run=bench.run, clock=bench.clock,
        progress=bench.progress,
    )  # fmt: skip


def _against_source(bench: Bench, plane: Plane, comparer: Comparer) -> Comparison | None:
    """Subject against source, where the source stands still: a scan of a live table would prove nothing."""
    if not bench.environment.is_sandbox:
        bench.warn("OPS-W006", "the source is in use: its copy is the baseline and was not held against it")
        return None
    source = table_side(plane.data, bench, bench.source.physical)
    return compare_sides(comparer, bench.schema, source, table_side(plane.data, bench, bench.subject))


def write_traffic(bench: Bench, plane: Plane, ledger: Ledger, stage: Stage) -> list[Planned]:
    """Good writes, one by one, each in the ledger before it is sent; then the quiet gap."""
    planned = plan_traffic(stage.items, bench.schema, bench.index_keys, bench.request.writes, bench.chance("traffic"))
    with bench.phase("traffic", f"{len(planned)} good writes through the data plane"):
        for number, one in enumerate(planned):
            bench.progress.update(number, len(planned))
            write_one(plane, ledger, bench.subject, one)
        bench.clock.sleep(QUIET_S)
    return planned


def write_one(plane: Plane, ledger: Ledger, table: str, planned: Planned) -> None:
    """Intent, write, answer."""
    numbers = ledger.intend([planned])
    (outcome,) = plane.write(table, [planned])
    if outcome != "unknown":
        ledger.answered(numbers, outcome)
