"""The setting control: one setting, named as the read-back will name it."""

from __future__ import annotations

from random import Random

import pytest

from infra.environment import ScalingRule
from ops.drill.inventory import compare_resources
from ops.drill.setting_plants import plan_setting
from ops.recovery.settings import TableSettings, differences, flatten

WANTED = TableSettings(
    billing_mode="PROVISIONED",
    pitr_days=35,
    deletion_protection=True,
    tags={"owner": "data"},
    scaling=(
        ScalingRule("genre_index", dimension="write", minimum=5, maximum=100),
        ScalingRule(None, dimension="read", minimum=5, maximum=100),
    ),
)


@pytest.mark.parametrize("seed", range(12))
def test_exactly_one_setting_is_spoiled_and_v5_names_it(seed: int) -> None:
    plant = plan_setting(WANTED, Random(seed))
    assert plant is not None
    left, right = flatten(WANTED), flatten(plant.spoiled)
    assert {name for name in {*left, *right} if left.get(name) != right.get(name)} == {plant.setting}
    assert [one.setting for one in differences(WANTED, plant.spoiled)] == [plant.setting]


def test_every_kind_is_reached_by_some_seed() -> None:
    plants = [plan_setting(WANTED, Random(seed)) for seed in range(40)]
    assert {plant.code for plant in plants if plant} == {"C14", "C15", "C16", "C17"}


def test_a_contract_that_states_nothing_gives_no_control() -> None:
    assert plan_setting(TableSettings(billing_mode="PAY_PER_REQUEST"), Random(1)) is None


def test_resources_of_others_are_told_from_our_own() -> None:
    found = compare_resources(
        ["table:a", "table:b"], ["table:a", "table:drill-ab12cd34-x", "backup:nightly"], "ab12cd34"
    )
    assert found.gone == ("table:b",)
    assert found.left == ("table:drill-ab12cd34-x",)
    assert found.foreign == ("backup:nightly",)
