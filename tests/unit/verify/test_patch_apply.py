"""Requests of a repair: what is compared, what is touched, and what no condition can hold."""

from __future__ import annotations

from ops.model.items import Item
from ops.verify.patch import Change
from ops.verify.patch_apply import COMPARED_ATTRIBUTES, update_params, write_units

KEY: Item = {"pk": {"S": "a"}}


def item(**values: str) -> Item:
    return {**KEY, **{name: {"S": value} for name, value in values.items()}}


def test_only_what_differs_is_touched_and_everything_is_compared() -> None:
    params = update_params(Change(KEY, item(a="1", b="2", c="3"), item(a="1", b="9", d="4")), ("pk",))
    assert params is not None
    names, values = params["ExpressionAttributeNames"], params["ExpressionAttributeValues"]
    text = params["ConditionExpression"]
    for short, name in names.items():
        text = text.replace(short + " ", name + " ").replace(short + ")", name + ")")
    for short, value in values.items():
        text = text.replace(short, value["S"]) if short in text else text
    assert text.split(" AND ") == ["attribute_exists(pk)", "b = 2", "c = 3", "attribute_not_exists(d)", "a = 1"]
    update = params["UpdateExpression"]
    touched = sorted(names[word.strip(",")] for word in update.split() if word.startswith("#"))
    assert touched == ["b", "c", "d"]
    assert update.startswith("SET ") and " REMOVE " in update


def test_an_item_of_very_many_attributes_is_compared_in_those_that_change() -> None:
    many = {f"x{number}": "v" for number in range(COMPARED_ATTRIBUTES + 20)}
    params = update_params(Change(KEY, item(**many, b="1"), item(**many, b="2")), ("pk",))
    assert params is not None
    assert params["ConditionExpression"].count(" = ") == 1


def test_more_changed_attributes_than_a_condition_holds_are_left_to_a_person() -> None:
    many = {f"x{number}": "v" for number in range(COMPARED_ATTRIBUTES + 1)}
    assert update_params(Change(KEY, item(**many), item(**dict.fromkeys(many, "w"))), ("pk",)) is None


def test_a_widest_item_stays_within_the_limit_of_an_expression() -> None:
    many = {f"x{number}": "v" for number in range(COMPARED_ATTRIBUTES)}
    params = update_params(Change(KEY, item(**many), item(**dict.fromkeys(many, "w"))), ("pk",))
    assert params is not None
    assert len(params["ConditionExpression"]) < 4096
    assert len(params["UpdateExpression"]) < 4096
    assert params["ConditionExpression"].count(" AND ") + params["ConditionExpression"].count("=") < 300


def test_the_cost_bound_counts_every_index_twice() -> None:
    small = Change(KEY, None, item(a="1"))
    assert (write_units(small, 0), write_units(small, 2)) == (1, 5)
    assert write_units(Change(KEY, item(a="x" * 1500), None), 1) == 6


def test_as_many_attributes_as_a_condition_holds_are_compared_and_with_one_more_only_those_that_change() -> None:
    for count, compared in ((COMPARED_ATTRIBUTES, COMPARED_ATTRIBUTES), (COMPARED_ATTRIBUTES + 1, 1)):
        many = {f"x{number}": "v" for number in range(count)}
        params = update_params(Change(KEY, item(**many), item(**{**many, "x0": "w"})), ("pk",))
        assert params is not None
        assert params["ConditionExpression"].count(" = ") == compared


def test_attributes_that_must_not_be_there_count_as_compared_too() -> None:
    for count, fits in ((COMPARED_ATTRIBUTES, True), (COMPARED_ATTRIBUTES + 1, False)):
        new = {f"x{number}": "v" for number in range(count)}
        params = update_params(Change(KEY, item(), item(**new)), ("pk",))
        assert (params is not None) is fits


def test_a_unit_is_paid_for_each_begun_kilobyte() -> None:
    empty = len("pk") + 1 + len("a")
    for spare, units in ((1024 - empty, 1), (1025 - empty, 2)):
        assert write_units(Change(KEY, None, item(a="x" * spare)), 0) == units
    assert write_units(Change(KEY, None, None), 0) == 1
