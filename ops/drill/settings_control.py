"""The setting control: one setting of the copy is spoiled, must be named by the read-back, and is put right again."""

from __future__ import annotations

from dataclasses import dataclass

from ops.drill.bench import Bench
from ops.drill.recover import AFTER_PROOF
from ops.drill.setting_plants import SettingPlant, plan_setting
from ops.drill.stage import LEFT_OUT
from ops.model.drill import Planted
from ops.model.proof import SettingDifference, SettingsOutcome
from ops.recovery import reapply
from ops.recovery.journal import mutate
from ops.recovery.settings import TableSettings, read_settings


@dataclass(frozen=True, slots=True)
class SettingControl:
    """What was planted (nothing when the contract states nothing to spoil), and what the read-back named."""

    planted: tuple[Planted, ...] = ()
    named: tuple[SettingDifference, ...] = ()


def plant_setting(bench: Bench, wanted: TableSettings) -> SettingControl:
    """Spoil, read back, put right, read back: caught only when exactly the spoiled setting was named in addition.

    What differed before the control stays a difference of the drill; it is not the control's.
    """
    plant = plan_setting(wanted, bench.chance("setting"))
    if plant is None:
        bench.warn("OPS-W007", "the contract states no setting that the control could spoil")
        return SettingControl()
    bench.run.write("control", code=plant.code, what=plant.what, seed=bench.seed)
    before = {one.setting for one in _read(bench, wanted)}
    _spoil(bench, plant)
    named = [one for one in _read(bench, wanted) if one.setting not in before]
    _apply(bench, wanted)
    left = [one for one in _read(bench, wanted) if one.setting not in before]
    caught = [one.setting for one in named] == [plant.setting] and not left
    words = ", ".join(f"{one.setting}: wanted {one.wanted}, found {one.found}" for one in named)
    if left:
        words += f"; not put right: {', '.join(one.setting for one in left)}"
    planted = Planted(plant.code, plant.what, plant.setting, caught, words or "not reported")
    return SettingControl((planted,), tuple(named))


def _spoil(bench: Bench, plant: SettingPlant) -> None:
    if not plant.switch_off:
        _apply(bench, plant.spoiled)
        return
    # re-applying a contract never switches protection off, so the control does it itself
    params = {"TableName": bench.restored, "DeletionProtectionEnabled": False}
    mutate(bench.aws, bench.run, "dynamodb", "update_table", bench.restored, params, notes={"control": plant.code})


def _apply(bench: Bench, settings: TableSettings) -> None:
    changes = reapply.plan(read_settings(bench.aws, bench.restored), settings)
    reapply.apply(
        bench.aws, bench.restored, changes, stage="before_proof", run=bench.run, clock=bench.clock,
        progress=bench.progress,
    )  # fmt: skip


def _read(bench: Bench, wanted: TableSettings) -> tuple[SettingDifference, ...]:
    skip = (*LEFT_OUT, *AFTER_PROOF)
    return reapply.read_back(bench.aws, bench.restored, wanted, SettingsOutcome(), skip=skip).differing
