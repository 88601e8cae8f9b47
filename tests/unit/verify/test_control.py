"""Every planted alteration changes the item by DynamoDB's rules, in one place, and never its key."""

from __future__ import annotations

from random import Random

import pytest

from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.verify.attributes import attribute_changes
from ops.verify.canonical import canonical_item
from ops.verify.compare import compare, gather
from ops.verify.control import KINDS, alter, stream_control
from ops.verify.sides import LinesSide

KEYS = KeySchema("pk")
RICH: Item = {
    "pk": {"S": "key"},
    "album": {"M": {"deep": {"L": [{"S": ""}, {"BOOL": True}, {"B": "AP8="}, {"N": "1E2"}]}}},
    "markets": {"SS": ["DE", "SE"]},
}
CHANGES = [kind for kind in KINDS if kind not in ("removed", "added")]


@pytest.mark.parametrize("kind", CHANGES)
def test_each_kind_changes_one_place_and_leaves_the_original_alone(kind: str) -> None:
    before = canonical_item(RICH)
    changed = alter(RICH, kind, KEYS)
    assert changed is not None
    assert canonical_item(RICH) == before
    assert canonical_item(changed) != before
    assert changed["pk"] == RICH["pk"]
    assert len(attribute_changes(RICH, changed)) == 1


@pytest.mark.parametrize("kind", CHANGES)
def test_an_item_without_attributes_offers_nothing_to_change(kind: str) -> None:
    assert alter({"pk": {"S": "key"}}, kind, KEYS) is None


@pytest.mark.parametrize("number", ["9", "-9", "0", "1E2", "1e125", "9" * 38, "0.9", "-0", "1E-130", "5" + "0" * 100])
def test_the_last_digit_moves_and_the_number_stays_one(number: str) -> None:
    item: Item = {"pk": {"S": "key"}, "n": {"N": number}}
    changed = alter(item, "number", KEYS)
    assert changed is not None
    assert canonical_item(changed) != canonical_item(item)


@pytest.mark.parametrize("count", [1, 2, 5, 40])
@pytest.mark.parametrize("seed", range(5))
def test_the_control_is_caught_whatever_the_items_hold(count: int, seed: int) -> None:
    bare: list[Item] = [{"pk": {"S": str(number)}} for number in range(count)]
    rich: list[Item] = [{**RICH, "pk": {"S": str(number)}} for number in range(count)]
    for items in (bare, rich):
        side = LinesSide(SideInfo("lines", "test"), lambda items=items: iter(items), KEYS, count)  # type: ignore[misc]
        known = compare(side, side, keys=KEYS)
        with gather(side) as found:
            outcome = stream_control(side, found, keys=KEYS, random=Random(seed), known=known)
        assert outcome.caught
        assert len(outcome.found) == len(outcome.planted) == min(count, len(KINDS))
