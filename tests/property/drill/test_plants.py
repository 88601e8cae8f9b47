"""The negative control: each plant differs from the truth exactly as it says, and its undo leaves nothing."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.drill.damage import every_type_item, keys_now, plan_deletes, plan_traffic, waves
from ops.drill.ledger import Planned, key_token
from ops.drill.plants import MAKERS, Plant, Shape, plan_plants
from ops.model.items import Item, KeySchema, key_of
from ops.verify.fingerprint import recorder

SCHEMA = KeySchema("artist_id", "S", "id", "S")
SHAPE = Shape(SCHEMA, ("genre",))
RECORD = recorder(SCHEMA)


def _track(artist: int, track: int) -> Item:
    return {
        "artist_id": {"S": f"a{artist}"},
        "id": {"S": f"track{track}"},
        "genre": {"S": "pop"},
        "popularity": {"N": str(track % 100)},
        "explicit": {"BOOL": False},
    }


def _table(size: int, seed: int) -> list[Item]:
    random = Random(seed)
    items = [_track(number % 7, number) for number in range(size)]
    return [*items, every_type_item(items[0], SCHEMA, ("genre",), random)]


def _digests(items: dict[str, Item]) -> dict[str, str]:
    return {record.key.hex(): record.item.hex() for record in map(RECORD, items.values())}


def _applied(items: dict[str, Item], writes: tuple[Planned, ...]) -> dict[str, Item]:
    changed = dict(items)
    for one in writes:
        if one.item is None:
            changed.pop(key_token(one.key), None)
        else:
            changed[key_token(one.key)] = one.item
    return changed


def _differences(expected: dict[str, Item], found: dict[str, Item]) -> set[tuple[str, str]]:
    left, right = _digests(expected), _digests(found)
    kinds = {"missing": left.keys() - right.keys(), "extra": right.keys() - left.keys()}
    kinds["changed"] = {key for key in left.keys() & right.keys() if left[key] != right[key]}
    return {(kind, key) for kind, keys in kinds.items() for key in keys}


def _check(plants: tuple[Plant, ...], items: list[Item]) -> None:
    truth = {key_token(key_of(item, SCHEMA)): item for item in items}
    spoiled = truth
    for plant in plants:
        spoiled = _applied(spoiled, plant.writes)
    declared = {(one.kind, one.key_digest) for plant in plants for one in plant.differences}
    assert _differences(truth, spoiled) == declared
    restored = spoiled
    for plant in plants:
        restored = _applied(restored, plant.undo)
    assert _digests(restored) == _digests(truth)


@pytest.mark.parametrize("code", sorted(MAKERS))
def test_each_kind_alone_differs_as_it_says(code: str) -> None:
    items = _table(20, 1)
    plants = plan_plants(items, SHAPE, Random(3), codes=(code,))
    assert [one.code for one in plants] == [code]
    _check(plants, items)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32))
def test_every_drill_plants_three_kinds_on_different_keys(size: int, seed: int) -> None:
    items = _table(size + 3, seed)
    plants = plan_plants(items, SHAPE, Random(seed))
    assert len({one.code for one in plants}) == len(plants) == 3
    _check(plants, items)


def test_the_same_seed_plants_the_same() -> None:
    items = _table(30, 5)
    assert plan_plants(items, SHAPE, Random(9)) == plan_plants(items, SHAPE, Random(9))
    assert plan_plants(items, SHAPE, Random(9)) != plan_plants(items, SHAPE, Random(10))


def test_an_empty_table_gives_no_control_and_the_verdict_will_be_void() -> None:
    assert plan_plants([], SHAPE, Random(1)) == ()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(1, 40), st.integers(0, 2**32))
def test_traffic_writes_each_key_once_and_the_damage_is_the_share_asked_for(size: int, count: int, seed: int) -> None:
    items = [_track(number % 7, number) for number in range(size)]
    traffic = plan_traffic(items, SCHEMA, ("genre",), count, Random(seed))
    assert len({key_token(one.key) for one in traffic}) == len(traffic) == count
    keys = keys_now(items, SCHEMA, traffic)
    truth = _applied({key_token(key_of(item, SCHEMA)): item for item in items}, tuple(traffic))
    assert {key_token(key) for key in keys} == set(truth)
    deletes = plan_deletes(keys, 0.6, Random(seed))
    assert len(deletes) == round(len(keys) * 0.6)
    assert all(one.fault for one in deletes)
    parts, pause_s = waves(deletes, 90)
    assert sum(len(part) for part in parts) == len(deletes)
    assert len(parts) * pause_s == pytest.approx(90)


@pytest.mark.parametrize("kind", ["S", "N", "B"])
def test_new_keys_have_the_type_of_the_tables_key(kind: str) -> None:
    schema = KeySchema("id", kind)
    traffic = plan_traffic([], schema, (), 5, Random(1))
    assert all(kind in one.key["id"] for one in traffic)
    assert len({key_token(one.key) for one in traffic}) == 5
