"""Every planted alteration changes the item by DynamoDB's rules, in one place, and never its key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import pytest

from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.verify import control
from ops.verify.attributes import attribute_changes
from ops.verify.canonical import canonical_item
from ops.verify.compare import compare, gather
from ops.verify.control import KINDS, alter, plant, stream_control
from ops.verify.fingerprint import Record, recorder
from ops.verify.sides import LinesSide, RecordsSide

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


@pytest.mark.parametrize(
    ("kind", "value", "changed"),
    [
        ("number", {"N": "0"}, {"N": "1"}), ("number", {"N": "120"}, {"N": "130"}), ("number", {"N": "9"}, {"N": "1"}),
        ("number", {"N": "-0.9"}, {"N": "-0.1"}), ("number", {"N": "1.24"}, {"N": "1.25"}),
        ("type", {"N": "7"}, {"S": "7"}), ("text", {"S": "a"}, {"S": "a "}), ("text", {"S": ""}, {"S": " "}),
        ("set", {"SS": ["b", "a"]}, {"SS": ["b", "a", "ba"]}), ("binary", {"B": "AP8="}, {"B": "AP4="}),
        ("binary", {"B": ""}, {"B": "AA=="}), ("binary", {"B": "AA=="}, {"B": "AQ=="}),
        ("empty", {"S": ""}, {"NULL": True}), ("flag", {"BOOL": True}, {"BOOL": False}),
        ("flag", {"BOOL": False}, {"BOOL": True}),
        ("number", {"M": {"b": {"N": "1"}, "a": {"S": "x"}}}, {"M": {"b": {"N": "2"}, "a": {"S": "x"}}}),
        ("number", {"M": {"b": {"N": "1"}, "a": {"N": "5"}}}, {"M": {"b": {"N": "1"}, "a": {"N": "6"}}}),
        ("number", {"L": [{"S": "x"}, {"N": "1"}, {"N": "5"}]}, {"L": [{"S": "x"}, {"N": "2"}, {"N": "5"}]}),
    ],
)  # fmt: skip
def test_the_smallest_change_of_each_kind_is_made(kind: str, value: Any, changed: Any) -> None:
    assert alter({"pk": {"S": "key"}, "x": value}, kind, KEYS) == {"pk": {"S": "key"}, "x": changed}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", {"S": "1"}), ("type", {"S": "1"}), ("text", {"N": "1"}), ("set", {"NS": ["1"]}),
        ("binary", {"S": "AA=="}), ("empty", {"S": "x"}), ("empty", {"SS": ["x"]}), ("flag", {"NULL": True}),
        ("number", {"L": []}), ("number", {"M": {"a": {"S": "1"}}}),
    ],
)  # fmt: skip
def test_what_has_nothing_of_a_kind_is_not_changed(kind: str, value: Any) -> None:
    assert alter({"pk": {"S": "key"}, "x": value}, kind, KEYS) is None


def test_an_attribute_that_is_no_key_is_left_out() -> None:
    item: Item = {"pk": {"S": "key"}, "b": {"S": "x"}, "a": {"N": "1"}}
    assert alter(item, "attribute", KEYS) == {"pk": {"S": "key"}, "b": {"S": "x"}}


def records_side(items: list[Item]) -> RecordsSide:
    """A side of digests alone, as a seal's records are."""
    bare = [Record(one.key, one.item, one.key_json) for one in map(recorder(KEYS), items)]
    return RecordsSide(SideInfo("seal", "test"), lambda: iter(bare), len(bare))


def lines_side(items: list[Item]) -> LinesSide:
    return LinesSide(SideInfo("lines", "test"), lambda: iter(items), KEYS, len(items))


def test_an_item_is_changed_as_its_kind_says_and_without_values_in_one_bit_of_its_digest() -> None:
    items: list[Item] = [{**RICH, "pk": {"S": str(number)}} for number in range(len(KINDS))]
    record = recorder(KEYS)
    by_key = {record(item).key: item for item in items}
    for seed in range(5):
        for side in (lines_side(items), records_side(items)):
            altered, _ = plant(side, KEYS, Random(seed), set())
            changed = {key: one for key, one in altered.altered.items() if one is not None}
            assert len(changed) == len(CHANGES)
            for key, one in changed.items():
                before = record(by_key[key])
                assert one.key == key
                if isinstance(side, LinesSide):
                    assert one in [record(alter(by_key[key], kind, KEYS) or {}) for kind in CHANGES]
                else:
                    turned = int.from_bytes(one.item) ^ int.from_bytes(before.item)
                    assert (len(one.item), turned) == (32, 1 << 248)


@pytest.mark.parametrize("seed", range(20))
def test_each_kind_falls_on_an_item_that_has_such_a_value(seed: int) -> None:
    """Else the digest alone is altered, and a comparison that leaves binaries out, say, would pass its control."""
    values: list[Item] = [
        {"number": {"N": "1"}}, {"binary": {"B": "AQ=="}}, {"set": {"SS": ["a"]}}, {"flag": {"BOOL": True}},
        {"empty": {"S": ""}}, {"text": {"S": "a"}}, {"number": {"N": "2"}},
    ]  # fmt: skip
    plain: list[Item] = [{"null": {"NULL": True}} for _ in range(150)]
    items: list[Item] = [{"pk": {"S": str(number)}, **value} for number, value in enumerate([*values, *plain])]
    altered, planted = plant(lines_side(items), KEYS, Random(seed), set())
    record = recorder(KEYS)
    before = {record(item).key: item for item in items}
    done = {key: one.item for key, one in altered.altered.items() if one is not None}
    made = {
        kind: [key for key, item in done.items() if record(alter(before[key], kind, KEYS) or {}).item == item]
        for kind in CHANGES
    }
    assert len(planted) == len(KINDS)
    assert all(made.values()), made


def test_planted_keys_are_not_read_again_on_a_live_table() -> None:
    items: list[Item] = [{**RICH, "pk": {"S": str(number)}} for number in range(30)]
    asked: list[int] = []

    class Table:
        live = True
        info = SideInfo("table", "live")

        def records(self) -> Iterator[Record]:
            return map(recorder(KEYS), items)

        def declared(self) -> int | None:
            return len(items)

        def items_for(self, keys: Mapping[bytes, Item | None]) -> dict[bytes, Item]:
            asked.append(len(keys))
            return {}

    expected = lines_side(items)
    with gather(Table()) as found:
        known = compare(expected, lines_side(items), keys=KEYS)
        outcome = stream_control(expected, found, keys=KEYS, random=Random(1), known=known)
    assert outcome.caught
    assert asked == []


def test_every_record_is_as_likely_to_be_altered_and_in_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "CANDIDATES", len(KINDS))
    items: list[Item] = [{**RICH, "pk": {"S": str(number)}} for number in range(len(KINDS) + 3)]
    side, rounds = records_side(items), 2000
    removed: Counter[str] = Counter()
    touched: Counter[str] = Counter()
    for seed in range(rounds):
        _, planted = plant(side, KEYS, Random(seed), set())
        removed.update(one.key["pk"]["S"] for one in planted if one.kind == "extra" and one.key)
        touched.update(one.key["pk"]["S"] for one in planted if one.key)
    assert len(removed) == len(touched) == len(items)
    assert all(0.6 < count * len(items) / rounds < 1.5 for count in removed.values())
    # All kinds but the one that adds a stranger: more than the chance of few rounds is a choice that leans to one end.
    share = (len(KINDS) - 1) / len(items)
    assert all(abs(count / rounds - share) < 0.03 for count in touched.values())
