"""A seal whose records are gone (`ops.verify.sealed`) still proves equality, and says in which buckets it ends."""

from __future__ import annotations

import pytest

from ops.model.items import Item, KeySchema
from ops.model.proof import Comparison, SideInfo
from ops.verify.compare import compare
from ops.verify.fingerprint import bucket_of, recorder
from ops.verify.seal import SealSubject, seal_of
from ops.verify.sides import LinesSide, SealedSide

KEYS = KeySchema("pk")
SUBJECT = SealSubject("t", "arn", "id", KEYS.types, "2026-11-20T10:02:16Z", "table")
RECORD = recorder(KEYS)


def items(count: int) -> list[Item]:
    return [{"pk": {"S": f"k{number}"}, "n": {"N": str(number)}} for number in range(count)]


def lines(some: list[Item]) -> LinesSide:
    return LinesSide(SideInfo("lines", "now"), lambda: iter(some), KEYS, len(some))


def sealed(some: list[Item]) -> SealedSide:
    return SealedSide(SideInfo("seal", "kept"), seal_of(map(RECORD, some), SUBJECT))


def bucket(item: Item) -> str:
    return f"{bucket_of(RECORD(item).key):03x}"


def check(expected: list[Item], found: list[Item], listed: int = 100) -> Comparison:
    return compare(sealed(expected), lines(found), keys=KEYS, listed=listed)


def test_equal_items_are_proven_by_the_leaves_alone() -> None:
    result = check(items(300), items(300)[::-1])
    assert result.equal
    assert (result.expected.items, result.expected.declared, result.found.items) == (300, 300, 300)
    assert result.expected.digest == result.found.digest
    assert compare(lines(items(300)), sealed(items(300)), keys=KEYS).equal


def test_nothing_sealed_and_nothing_found_is_void() -> None:
    assert check([], []).void


def test_differing_buckets_are_named_and_counted_by_what_their_number_of_items_tells() -> None:
    some = items(200)
    changed: Item = {**some[50], "n": {"N": "0"}}
    found = check(some, [*some[1:50], changed, *some[51:], {"pk": {"S": "stranger"}}])
    named = {(one.kind, one.key_digest, one.key) for one in found.differences}
    assert named == {
        ("missing", bucket(some[0]), None),
        ("changed", bucket(some[50]), None),
        ("extra", bucket({"pk": {"S": "stranger"}}), None),
    }
    assert (found.missing, found.changed, found.extra, found.duplicates) == (1, 1, 1, 0)
    assert found.listed_all
    assert not found.equal


def test_several_items_of_one_bucket_count_each() -> None:
    some = items(3)
    assert check(some, [*some, some[1], some[1]]).extra == 2
    assert check([*some, some[1], some[1]], some).missing == 2


def test_more_buckets_than_are_listed_are_counted() -> None:
    found = check(items(40), [], listed=5)
    assert (found.missing, len(found.differences), found.listed_all) == (40, 5, False)
    assert [one.key_digest for one in found.differences] == sorted(map(bucket, items(40)))[:5]
    few = check(items(2), [], listed=2)
    assert (len(few.differences), few.listed_all) == (2, True)


@pytest.mark.parametrize("where", ["expected", "found"])
def test_two_seals_can_be_compared(where: str) -> None:
    left, right = items(9), items(9)
    (left if where == "expected" else right).pop()
    found = compare(sealed(left), sealed(right), keys=KEYS)
    assert (found.missing, found.extra) == ((0, 1) if where == "expected" else (1, 0))


def test_items_that_are_not_well_formed_are_never_equal() -> None:
    broken: list[Item] = [*items(3), {"pk": {"S": "x"}, "bad": {"SS": []}}]
    found = check(broken, broken)
    assert found.shape == 1
    assert not found.equal
    assert not found.listed_all


def test_a_sealed_side_holds_no_records_and_no_items() -> None:
    side = sealed(items(3))
    assert list(side.records()) == []
    assert side.declared() == 3
    assert side.items_for({RECORD(items(1)[0]).key: None}) == {}
