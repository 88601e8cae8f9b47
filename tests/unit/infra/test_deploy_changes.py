"""Pure parts of the in-process engine: property paths, ignored changes, sealed secrets, comparison, conversion."""

from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.sandbox.deploy.changes import changed, keep_ignored, sealed, steps
from ops.sandbox.deploy.readback import same
from ops.sandbox.deploy.shapes import Unmapped, convert

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
INPUTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
PATHS = st.lists(st.sampled_from(["a", "a.b", "a[*]", "a[*].b", "b[0]", "c.a.b", "c[*].a"]), max_size=4)


@given(INPUTS, PATHS)
def test_ignoring_never_changes_an_unchanged_declaration(inputs: dict[str, Any], paths: list[str]) -> None:
    assert keep_ignored(inputs, inputs, paths) == inputs


@given(INPUTS, INPUTS, PATHS)
def test_keeping_what_is_ignored_twice_is_keeping_it_once(
    old: dict[str, Any], new: dict[str, Any], paths: list[str]
) -> None:
    once = keep_ignored(old, new, paths)
    assert keep_ignored(old, once, paths) == once


@given(INPUTS, INPUTS)
def test_an_ignored_key_never_counts_as_changed(old: dict[str, Any], new: dict[str, Any]) -> None:
    kept = keep_ignored(old, new, ["a"])
    assert "a" not in changed(old, kept)
    assert {key: value for key, value in kept.items() if key != "a"} == {k: v for k, v in new.items() if k != "a"}


def test_a_wildcard_reaches_every_member_that_both_have() -> None:
    old = {"g": [{"n": 1, "c": 5}, {"n": 2, "c": 6}]}
    new = {"g": [{"n": 1, "c": 50}, {"n": 9, "c": 60}, {"n": 3, "c": 70}]}
    expected = {"g": [{"n": 1, "c": 5}, {"n": 9, "c": 6}, {"n": 3, "c": 70}]}
    assert keep_ignored(old, new, ["g[*].c"]) == expected


def test_what_the_old_declaration_lacked_stays_out() -> None:
    assert keep_ignored({"a": {}}, {"a": {"b": 1}, "c": 2}, ["a.b", "c"]) == {"a": {}}


@pytest.mark.parametrize(
    ("path", "found"),
    [("a", ["a"]), ("a.b[0].c", ["a", "b", 0, "c"]), ("a[*].b", ["a", "*", "b"]), ('a["x y"]', ["a", "x y"])],
)
def test_property_paths_are_read(path: str, found: list[str | int]) -> None:
    assert steps(path) == found


def test_a_broken_path_is_refused() -> None:
    with pytest.raises(ValueError, match="not a property path"):
        steps("a[b")


@given(st.text(min_size=4), st.text(min_size=4))
def test_a_sealed_secret_shows_change_and_nothing_else(one: str, other: str) -> None:
    def seal(value: str, salt: str = "s") -> dict[str, Any]:
        return sealed({"p": value, "q": 1}, ["p"], salt)

    assert (seal(one) == seal(other)) == (one == other)
    assert seal(one) != seal(one, "another salt")
    assert set(seal(one)["p"]) == {"$secret"} and len(seal(one)["p"]["$secret"]) == 64


@given(VALUES)
def test_what_was_declared_and_found_alike_is_the_same(value: Any) -> None:
    assert same(value, value)


@pytest.mark.parametrize(
    ("declared", "found", "equal"),
    [
        (5.0, 5, True),
        (5, 6, False),
        (True, 1, False),
        ("5", 5, False),
        (["a", "b"], ["b", "a"], True),
        (["a", "a"], ["a", "b"], False),
        ({"a": 1, "b": None}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "more": 2}, True),
        ({"a": 1}, {}, False),
        ('{"a": [1]}', '{ "a":[1] }', True),
        ('{"a": 1}', '{"a": 2}', False),
        ("{half", "{half", True),
    ],
)
def test_declared_and_found_compare_by_content(declared: Any, found: Any, equal: bool) -> None:
    assert same(declared, found) is equal


def shape(service: str, operation: str) -> Any:
    session = botocore.session.get_session()
    return session.get_service_model(service).operation_model(operation).input_shape


def test_a_key_that_no_member_takes_is_an_error_with_the_members_named() -> None:
    with pytest.raises(Unmapped, match=r"madeUp: the request takes .*Name"):
        convert(shape("sns", "CreateTopic"), {"madeUp": 1})


def test_values_take_the_type_of_the_member() -> None:
    declared = {"alarmName": "a", "period": 60.0, "evaluationPeriods": "5", "threshold": 1, "actionsEnabled": "true"}
    assert convert(shape("cloudwatch", "PutMetricAlarm"), declared) == {
        "AlarmName": "a",
        "Period": 60,
        "EvaluationPeriods": 5,
        "Threshold": 1.0,
        "ActionsEnabled": True,
    }


def test_a_mapping_becomes_a_tag_list_in_the_services_own_spelling() -> None:
    assert convert(shape("kms", "CreateKey"), {"tags": {"k": "v"}}) == {"Tags": [{"TagKey": "k", "TagValue": "v"}]}
    assert convert(shape("sns", "CreateTopic"), {"tags": {"k": "v"}}) == {"Tags": [{"Key": "k", "Value": "v"}]}


def test_a_dotted_name_reaches_into_nested_structures() -> None:
    rename = {"name": "BackupPlan.BackupPlanName"}
    assert convert(shape("backup", "CreateBackupPlan"), {"name": "p"}, rename) == {
        "BackupPlan": {"BackupPlanName": "p"}
    }
