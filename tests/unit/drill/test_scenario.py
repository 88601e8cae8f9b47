"""The scenarios as data: complete, distinct, in the order of the marks."""

from __future__ import annotations

import pytest

from ops.drill.measure import MEANINGS
from ops.drill.scenario import SANDBOX_CANNOT_PROVE, SCENARIOS, Scenario, find_scenario
from ops.drill.verdict import LEVELS
from ops.errors import BadArgument


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.slug)
def test_a_scenario_takes_every_mark_once_and_in_order(scenario: Scenario) -> None:
    assert [step.mark for step in scenario.steps if step.mark] == list(MEANINGS)
    assert scenario.demands in LEVELS
    assert scenario.decision
    assert scenario.not_proven
    assert SANDBOX_CANNOT_PROVE


def test_slugs_and_ids_find_their_scenario_and_are_distinct() -> None:
    names = [name for one in SCENARIOS for name in (one.slug, one.id)]
    assert len(set(names)) == len(names)
    assert find_scenario("mass-delete") is find_scenario("S04")


def test_an_unknown_scenario_names_the_near_one() -> None:
    with pytest.raises(BadArgument) as refusal:
        find_scenario("mass-delte")
    assert refusal.value.exit_code == 2
    assert refusal.value.fix[0] == "did you mean mass-delete?"
