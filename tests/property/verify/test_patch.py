"""A patch turns one table into another, its inverse takes it back, and applying it twice changes nothing."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.dynamodb.attributes import Unacceptable, validate_item
from ops.model.items import Item, KeySchema
from ops.verify.canonical import canonical_item
from ops.verify.patch import Change, apply, by_key, inverse, patch, same
from ops.verify.patch_file import PatchHead, PatchWriter, read_changes, read_head
from tests.property.examples import examples
from tests.property.verify.strategies import KEYS, TABLES, items_of

TEN_TYPES: Any = TABLES


def acceptable(table: dict[Any, Any]) -> bool:
    """Whether DynamoDB would take every item: the strategies also make what it refuses."""
    try:
        for item in items_of(table):
            validate_item(item, KEYS)
    except Unacceptable:
        return False
    return True


def canonical(held: dict[bytes, Item]) -> dict[bytes, bytes]:
    return {key: canonical_item(item) for key, item in held.items()}


@given(TEN_TYPES, TEN_TYPES)
@settings(max_examples=examples(200), deadline=None)
def test_the_patch_of_a_and_b_turns_a_into_b(a: dict[Any, Any], b: dict[Any, Any]) -> None:
    changes = list(patch(items_of(a), items_of(b), KEYS))
    held, done = apply(items_of(a), changes, KEYS)
    assert canonical(held) == canonical(by_key(items_of(b), KEYS))
    assert {verdict for _, verdict in done} <= {"apply"}


@given(TEN_TYPES, TEN_TYPES)
@settings(max_examples=examples(100), deadline=None)
def test_the_inverse_takes_it_back(a: dict[Any, Any], b: dict[Any, Any]) -> None:
    changes = list(patch(items_of(a), items_of(b), KEYS))
    there, _ = apply(items_of(a), changes, KEYS)
    back, _ = apply(there.values(), inverse(changes), KEYS)
    assert canonical(back) == canonical(by_key(items_of(a), KEYS))


@given(TEN_TYPES, TEN_TYPES)
@settings(max_examples=examples(100), deadline=None)
def test_a_second_time_every_change_is_there_already(a: dict[Any, Any], b: dict[Any, Any]) -> None:
    changes = list(patch(items_of(a), items_of(b), KEYS))
    once, _ = apply(items_of(a), changes, KEYS)
    twice, done = apply(once.values(), changes, KEYS)
    assert twice == once
    assert [(change, "already") for change in changes] == done


@given(TEN_TYPES, TEN_TYPES, TEN_TYPES)
@settings(max_examples=examples(150), deadline=None)
def test_an_item_that_somebody_changed_since_is_never_overwritten(
    a: dict[Any, Any], b: dict[Any, Any], now: dict[Any, Any]
) -> None:
    changes = list(patch(items_of(a), items_of(b), KEYS))
    before, was = by_key(items_of(now), KEYS), by_key(items_of(a), KEYS)
    held, _ = apply(items_of(now), changes, KEYS)
    for key, item in before.items():
        if not same(was.get(key), item):
            assert held[key] == item


@given(TEN_TYPES.filter(acceptable), TEN_TYPES.filter(acceptable))
@settings(max_examples=examples(50), deadline=None)
def test_a_patch_file_reads_back_as_it_was_written(a: dict[Any, Any], b: dict[Any, Any]) -> None:
    changes = list(patch(items_of(a), items_of(b), KEYS))
    head = PatchHead(KEYS, "arn:aws:dynamodb:us-east-1:123456789012:table/t", "id", "a test")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "p.jsonl"
        with PatchWriter(path, head) as writer:
            for change in changes:
                writer.add(change)
        assert read_head(path) == head
        assert list(read_changes(path, head)) == changes
        assert path.stat().st_mode & 0o777 == 0o600


NUMBERED = KeySchema("id", "N")


@given(st.sampled_from(["1", "1.0", "10E-1"]), st.sampled_from(["2", "2.00"]))
def test_another_notation_of_a_number_is_no_change(one: str, other: str) -> None:
    left: list[Item] = [{"id": {"N": "1"}, "n": {"N": "2"}, "s": {"NS": ["1", "2"]}}]
    right: list[Item] = [{"id": {"N": one}, "n": {"N": other}, "s": {"NS": [other, one]}}]
    assert list(patch(left, right, NUMBERED)) == []


def test_lines_of_a_patch_are_json_with_the_documented_members(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    with PatchWriter(path, PatchHead(NUMBERED)) as writer:
        writer.add(Change({"id": {"N": "1"}}, None, {"id": {"N": "1"}, "a": {"S": "x"}}))
    head, line, end = [orjson.loads(one) for one in path.read_bytes().splitlines()]
    assert (head["schema"], end) == ("ops.patch/1", {"end": "ops.patch/1", "changes": 1})
    assert line == {
        "op": "put", "key": {"id": {"N": "1"}}, "expected": None, "wanted": {"id": {"N": "1"}, "a": {"S": "x"}},
    }  # fmt: skip
