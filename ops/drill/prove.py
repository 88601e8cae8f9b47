"""The proof and its negative control: plant, compare everything, take back, read again, compare the indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from infra.environment import IndexDocument
from ops.clock import rfc3339
from ops.drill.bench import Bench
from ops.drill.ledger import Ledger, Planned, admitted, expected_items, key_token, uncertain
from ops.drill.plane import Plane
from ops.drill.plants import Plant, Shape, plan_plants
from ops.drill.settings_control import SettingControl, plant_setting
from ops.drill.sides import Comparer, compare_sides, index_expected, ledger_side, table_side
from ops.drill.stage import Stage
from ops.drill.verifier import check_verifier
from ops.errors import RecoveryFailed
from ops.model.drill import Planted
from ops.model.items import Item, key_of, key_text
from ops.model.proof import Comparison, ControlOutcome, Difference, SideCount
from ops.recovery.settings import TableSettings
from ops.verify.fingerprint import recorder

_MODULUS = 1 << 256


@dataclass(frozen=True, slots=True)
class Proof:
    """What the comparison said with the controls in place and after they were taken back."""

    control: ControlOutcome
    control_proof: Comparison
    proof: Comparison
    reread_equal: bool
    index_proof: tuple[Comparison, ...]
    planted: tuple[Planted, ...]
    setting_control: SettingControl
    verifier_checks: tuple[Planted, ...]
    ambiguous: int
    expected: tuple[Item, ...]


def prove(
    bench: Bench,
    plane: Plane,
    comparer: Comparer,
    ledger: Ledger,
    stage: Stage,
    until: datetime,
    wanted: TableSettings,
) -> Proof:
    """Everything up to T6; the time of the controls is noted as a pause."""
    with bench.phase("prove", f"comparing every item of {bench.restored} with the ledger"):
        expected, ambiguous = expected_now(bench, plane, ledger, stage, until)
        with bench.pause():
            plants = plan_plants(expected, Shape(bench.schema, bench.index_keys), bench.chance("control"))
            _write_all(plane, bench.restored, [one for plant in plants for one in plant.writes])
            for plant in plants:
                bench.run.write("control", code=plant.code, what=plant.what, seed=bench.seed)
        moment = rfc3339(until)
        read = compare_sides(
            comparer,
            bench.schema,
            ledger_side(bench, expected, moment),
            table_side(plane.data, bench, bench.restored),
        )
        with bench.pause():
            found = _planted_found(plants, read)
            left = _index_misses(bench, plane, comparer, expected, plants)
            _write_all(plane, bench.restored, [one for plant in plants for one in plant.undo])
            seen = [(one, plane.get(bench.restored, one.key)) for plant in plants for one in plant.undo]
            proof = without_plants(bench, read, plants, seen)
            setting_control = plant_setting(bench, wanted)
            checks = check_verifier(bench, comparer, expected)
        indexes = tuple(_index(bench, plane, comparer, expected, one, moment) for one in bench.document.indexes)
        bench.mark("T6", "end of the comparison of items and indexes, the controls excluded from the time")
    return Proof(
        control=ControlOutcome(tuple(one for plant in plants for one in plant.differences), found),
        control_proof=read,
        proof=proof,
        reread_equal=bool(seen) and all(_same(bench, one.item, value) for one, value in seen),
        index_proof=indexes,
        planted=tuple(_told(plant, found, left) for plant in plants),
        setting_control=setting_control,
        verifier_checks=checks,
        ambiguous=ambiguous,
        expected=expected,
    )


def expected_now(
    bench: Bench, plane: Plane, ledger: Ledger, stage: Stage, until: datetime
) -> tuple[tuple[Item, ...], int]:
    """The items that must be there by baseline and ledger, and for how many keys two values were admitted."""
    values = admitted(ledger.writes, stage.by_token(bench), until)
    keys = {key_token(one.key): one.key for one in ledger.writes}
    open_tokens = uncertain(values)
    found: Mapping[str, Item | None] = {token: plane.get(bench.restored, keys[token]) for token in open_tokens}
    return tuple(expected_items(stage.items, bench.schema, values, found)), len(open_tokens)


def _write_all(plane: Plane, table: str, planned: Sequence[Planned]) -> None:
    for one in planned:
        (outcome,) = plane.write(table, [one])
        if outcome != "ok":
            raise RecoveryFailed(
                f"a write of the control to {table} was not acknowledged: {outcome}",
                changed="the drill copy may hold a planted difference; it is removed with the drill",
            )


def _planted_found(plants: Iterable[Plant], read: Comparison) -> tuple[Difference, ...]:
    planted = {(one.kind, one.key_digest) for plant in plants for one in plant.differences}
    return tuple(one for one in read.differences if (one.kind, one.key_digest) in planted)


def _told(plant: Plant, found: Sequence[Difference], index_misses: Mapping[str, bool]) -> Planted:
    wanted = {(one.kind, one.key_digest) for one in plant.differences}
    reported = [one for one in found if (one.kind, one.key_digest) in wanted]
    words = [f"{one.kind}{''.join(f' ({c.note})' for c in one.changes if c.note)}" for one in reported]
    caught = len(reported) == len(wanted)
    if plant.code in index_misses:
        caught = caught and index_misses[plant.code]
        words.append("missing from the index" if index_misses[plant.code] else "NOT missed in the index")
    return Planted(plant.code, plant.what, plant.subject, caught, ", ".join(words) or "not reported")


def _index_misses(
    bench: Bench, plane: Plane, comparer: Comparer, expected: Sequence[Item], plants: Sequence[Plant]
) -> dict[str, bool]:
    """C12 takes an item out of an index: the index comparison must miss exactly that key, too."""
    for plant in plants:
        if plant.code != "C12":
            continue
        (difference,) = plant.differences
        for index in bench.document.indexes:
            if _leaves(plant, index):
                read = _index(bench, plane, comparer, expected, index, rfc3339(bench.clock.now()))
                return {"C12": ("missing", difference.key_digest) in {(d.kind, d.key_digest) for d in read.differences}}
    return {}


def _index(
    bench: Bench, plane: Plane, comparer: Comparer, expected: Sequence[Item], index: IndexDocument, moment: str
) -> Comparison:
    return compare_sides(
        comparer,
        bench.schema,
        index_expected(bench, expected, index, moment),
        table_side(plane.data, bench, bench.restored, index.name),
    )


def _leaves(plant: Plant, index: IndexDocument) -> bool:
    names = [key.name for key in (index.partition_key, index.sort_key) if key is not None]
    before, after = plant.undo[0].item or {}, plant.writes[0].item or {}
    return all(name in before for name in names) and not all(name in after for name in names)


def _same(bench: Bench, expected: Item | None, found: Item | None) -> bool:
    if expected is None or found is None:
        return expected is None and found is None
    record = recorder(bench.schema)
    return record(expected).item == record(found).item


def without_plants(
    bench: Bench, read: Comparison, plants: Sequence[Plant], seen: Sequence[tuple[Planned, Item | None]]
) -> Comparison:
    """The one full read, corrected by what the planted keys hold now: read again, not assumed.

    A sum of digests lets single items be taken out and put in, so the corrected digest must equal the expected
    one, without a second read of the table.
    """
    planted = {(one.kind, one.key_digest) for plant in plants for one in plant.differences}
    rest = tuple(one for one in read.differences if (one.kind, one.key_digest) not in planted)
    gone = [one.kind for one in read.differences if (one.kind, one.key_digest) in planted]
    return replace(
        read,
        found=_corrected(bench, read.found, plants, seen),
        missing=read.missing - gone.count("missing"),
        extra=read.extra - gone.count("extra"),
        changed=read.changed - gone.count("changed"),
        differences=rest,
    )


def _corrected(
    bench: Bench, found: SideCount, plants: Sequence[Plant], seen: Sequence[tuple[Planned, Item | None]]
) -> SideCount:
    record = recorder(bench.schema)
    total, items = int(found.digest, 16), 0
    for one in (write for plant in plants for write in plant.writes):
        if one.item is not None:
            total -= int.from_bytes(record(one.item).item, "big")
            items -= 1
    for _, value in seen:
        if value is not None:
            total += int.from_bytes(record(value).item, "big")
            items += 1
    declared = None if found.declared is None else found.declared + items
    return replace(found, items=found.items + items, declared=declared, digest=f"{total % _MODULUS:064x}")


def differing_tokens(comparison: Comparison) -> set[str]:
    """Tokens of the keys that differ, as far as the comparison knows the keys."""
    return {key_token(one.key) for one in comparison.differences if one.key is not None}


def canary_item(bench: Bench, expected: Sequence[Item]) -> Item:
    """An item for the canary: one that is in an index, when there is one."""
    indexed = [item for item in expected if all(name in item for name in bench.index_keys)]
    return bench.chance("service").choice(indexed or list(expected))


def canary_text(bench: Bench, item: Item) -> str:
    """The canary's key for a reader."""
    return key_text(key_of(item, bench.schema))
