"""Inflicts the fault, notices it, and decides: T0, T1, T2."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ops.clock import rfc3339
from ops.drill.bench import Bench
from ops.drill.damage import batches, canary_keys, keys_now, new_key, plan_deletes, waves
from ops.drill.ledger import Ledger, Planned
from ops.drill.plane import Plane
from ops.drill.stage import Stage, write_one
from ops.errors import OpsError, RecoveryFailed, TableNotFound
from ops.model.items import Item
from ops.recovery import tables
from ops.recovery.journal import mutate

#: A detector fires when at least this share of its canary keys is missing.
CANARY_SHARE = 0.1
#: Below this share of damaged items, selective repair is the better way (decision tree 2a).
REPAIR_BELOW = 0.2
#: Good writes tried after the table was deleted: those that are still acknowledged must come back.
LATE_WRITES = 3
GONE_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Damage:
    """What was done: the first bad moment, the counts, and the id of the table it was done to."""

    bad_from: datetime
    expected: int
    counts: dict[str, int]
    table_id: str


def inflict(bench: Bench, plane: Plane, ledger: Ledger, stage: Stage, traffic: list[Planned]) -> Damage:
    """The scenario's fault, its detection and the decision; ends with T2."""
    keys = keys_now(stage.items, bench.schema, traffic)
    bench.count(len(keys), plane.count(bench.subject), "before the fault")
    if bench.scenario.fault == "delete-table":
        return _delete_table(bench, plane, ledger, stage, keys)
    return _delete_items(bench, plane, ledger, keys)


def _delete_items(bench: Bench, plane: Plane, ledger: Ledger, keys: list[Item]) -> Damage:
    planned = plan_deletes(keys, bench.scenario.share_deleted, bench.chance("fault"))
    parts, pause_s = waves(planned, bench.scenario.fault_s)
    canaries = canary_keys(keys, bench.chance("canary"))
    zero = bench.mark("T0", "clock of the environment, at the first bad write")
    detected = False
    with bench.phase("fault", f"deleting {len(planned):,} of {len(keys):,} items over {bench.scenario.fault_s:g} s"):
        for number, part in enumerate(parts):
            _delete(bench, plane, ledger, part)
            detected = detected or _canaries_missing(bench, plane, canaries)
            if number == len(parts) // 2:
                bench.count(len(keys), plane.count(bench.subject), "during the fault")
            bench.clock.sleep(pause_s)
    present = plane.count(bench.subject)
    bench.count(len(keys), present, "after the fault")
    if not detected:
        bench.mark("T1", f"count by scan: {present:,} of {len(keys):,}")
    _decide_by_share(bench, len(keys), present)
    counts = {"keys before the fault": len(keys), "keys deleted": len(planned), "waves": len(parts)}
    return Damage(zero.at, len(keys), counts, "")


def _delete(bench: Bench, plane: Plane, ledger: Ledger, part: list[Planned]) -> None:
    for batch in batches(part):
        numbers = ledger.intend(batch)
        for number, outcome in zip(numbers, plane.write(bench.subject, batch), strict=True):
            if outcome != "unknown":
                ledger.answered([number], outcome)


def _canaries_missing(bench: Bench, plane: Plane, canaries: list[Item]) -> bool:
    missing = sum(plane.get(bench.subject, key) is None for key in canaries)
    if missing < max(1, round(len(canaries) * CANARY_SHARE)):
        return False
    bench.mark("T1", f"detector canary-keys: {missing} of {len(canaries)} missing")
    return True


def _decide_by_share(bench: Bench, expected: int, present: int) -> None:
    share = (expected - present) / expected
    for option in bench.scenario.decision:
        bench.decide(f"option: {option}")
    if share < REPAIR_BELOW:
        bench.decide(f"only {share:.0%} of the items are damaged: repair would do, the scenario restores all the same")
    bench.decide(
        f"decided: PITR to one second before the first bad write, {share:.1%} of {expected:,} items are damaged"
    )
    bench.mark("T2", "the tool, by the decision tree")


def _delete_table(bench: Bench, plane: Plane, ledger: Ledger, stage: Stage, keys: list[Item]) -> Damage:
    table_id = str(tables.describe(bench.aws, bench.subject).get("TableId", ""))
    canary = bench.chance("canary").choice(keys)
    zero = bench.mark("T0", "clock of the environment, before DeleteTable")
    with bench.phase("fault", f"deleting table {bench.subject}"):
        mutate(
            bench.aws, bench.run, "dynamodb", "delete_table", bench.subject, {"TableName": bench.subject},
            notes={"fault": True},
        )  # fmt: skip
        late = _write_on(bench, plane, ledger, stage)
    with bench.phase("detect", "reading a canary key"):
        _until_gone(bench, plane, canary)
    bench.count(len(keys) + late, 0, "after the fault")
    for option in bench.scenario.decision:
        bench.decide(f"option: {option}")
    bench.decide(f"decided: SYSTEM backup of table id {table_id}, the state just before {rfc3339(zero.at)}")
    bench.mark("T2", "the tool, by the decision tree")
    counts = {"keys before the fault": len(keys), "writes acknowledged while DELETING": late}
    return Damage(zero.at, len(keys) + late, counts, table_id)


def _write_on(bench: Bench, plane: Plane, ledger: Ledger, stage: Stage) -> int:
    """The writer does not know yet: what is acknowledged now must come back too."""
    random = bench.chance("late writes")
    before = len(ledger.writes)
    for number in range(LATE_WRITES):
        template = random.choice(stage.items)
        key = new_key(template, bench.schema, 9000 + number, random)
        write_one(plane, ledger, bench.subject, Planned("insert", key, {**template, **key}))
    return sum(one.outcome == "ok" for one in ledger.writes[before:])


def _until_gone(bench: Bench, plane: Plane, canary: Item) -> None:
    deadline = bench.clock.monotonic() + GONE_WITHIN_S
    while True:
        try:
            plane.get(bench.subject, canary)
        except TableNotFound:
            bench.mark("T1", "detector canary-read: the table is not found")
            return
        except OpsError as error:
            bench.progress.note(f"the canary read failed otherwise: {error.what}")
        if bench.clock.monotonic() > deadline:
            raise RecoveryFailed(f"table {bench.subject} still answers {GONE_WITHIN_S:g} s after its deletion")
        bench.clock.sleep(1.5)
