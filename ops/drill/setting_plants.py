"""The setting control, planned from a seed: one setting of the contract, kinds C14 to C17. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from ops.recovery.settings import TableSettings, scope_name


@dataclass(frozen=True, slots=True)
class SettingPlant:
    """One setting to spoil on the copy: its name as V5 must report it, and the settings that hold the spoiled value.

    `switch_off` marks deletion protection, which re-applying a contract never does by itself.
    """

    code: str
    setting: str
    what: str
    spoiled: TableSettings
    switch_off: bool = False


def plan_setting(wanted: TableSettings, random: Random) -> SettingPlant | None:
    """One of C14 to C17, as the contract allows; None when it states none of them."""
    found = [plant for make in _SETTING_MAKERS for plant in make(wanted)]
    return random.choice(found) if found else None


def _tag(wanted: TableSettings) -> list[SettingPlant]:
    return [
        SettingPlant("C14", f"tags.{name}", f"tag {name} changed", wanted.but(tags={**wanted.tags, name: "planted"}))
        for name in sorted(wanted.tags)[:1]
    ]


def _pitr_days(wanted: TableSettings) -> list[SettingPlant]:
    days = wanted.pitr_days
    if days is None or days < 2:
        return []
    what = f"PITR days {days} to {days - 1}"
    return [SettingPlant("C15", "pitr.days", what, wanted.but(pitr_days=days - 1))]


def _policy(wanted: TableSettings) -> list[SettingPlant]:
    rules = sorted(wanted.scaling, key=lambda one: (one.index is None, one.index or "", one.dimension))
    if not rules:
        return []
    rule = rules[0]
    higher = replace(rule, target_percent=rule.target_percent + 1)
    spoiled = wanted.but(scaling=tuple(higher if one == rule else one for one in wanted.scaling))
    name = f"scaling.{scope_name(rule.index)}.{rule.dimension}"
    return [SettingPlant("C16", name, f"scaling target {rule.target_percent} to {higher.target_percent}", spoiled)]


def _protection(wanted: TableSettings) -> list[SettingPlant]:
    if not wanted.deletion_protection:
        return []
    spoiled = wanted.but(deletion_protection=False)
    return [SettingPlant("C17", "deletion_protection", "deletion protection off", spoiled, switch_off=True)]


_SETTING_MAKERS = (_tag, _pitr_days, _policy, _protection)
