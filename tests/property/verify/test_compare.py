"""The comparison against a plain dictionary, over all ten types."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.model.items import Item
from ops.model.proof import Comparison, SideInfo
from ops.verify.canonical import canonical_item
from ops.verify.compare import TtlRule, compare, gather
from ops.verify.control import KINDS, stream_control
from ops.verify.sides import LinesSide
from tests.property.examples import examples
from tests.property.verify.strategies import KEYS, TABLES, items_of


def side(items: list[Item], **given: Any) -> LinesSide:
    def read() -> Iterator[Item]:
        return iter(items)

    return LinesSide(SideInfo("lines", "test"), read, KEYS, **given)


def check(expected: list[Item], found: list[Item]) -> Comparison:
    return compare(side(expected), side(found), keys=KEYS)


@settings(max_examples=examples(150), deadline=None)
@given(TABLES, TABLES, st.randoms(use_true_random=False))
def test_counts_and_keys_agree_with_a_dictionary(left: Any, right: Any, random: Any) -> None:
    shuffled = items_of(right)
    random.shuffle(shuffled)
    result = check(items_of(left), shuffled)
    both = left.keys() & right.keys()
    changed = {key for key in both if canonical_item(left[key]) != canonical_item(right[key])}
    wanted = {
        *(("missing", key) for key in left.keys() - right.keys()),
        *(("extra", key) for key in right.keys() - left.keys()),
        *(("changed", key) for key in changed),
    }
    named = {(one.kind, (one.key["pk"]["S"], int(one.key["sk"]["N"]))) for one in result.differences if one.key}
    assert named == wanted
    assert result.differing == len(wanted)
    assert all(one.changes for one in result.differences if one.kind == "changed")


@settings(max_examples=examples(60), deadline=None)
@given(TABLES.filter(bool), st.randoms(use_true_random=False))
def test_a_table_equals_itself_in_any_order(table: Any, random: Any) -> None:
    shuffled = items_of(table)
    random.shuffle(shuffled)
    assert check(items_of(table), shuffled).equal


def some_items(count: int) -> list[Item]:
    return [
        {"pk": {"S": f"artist{n % 7}"}, "sk": {"N": str(n)}, "popularity": {"N": str(n)}, "name": {"S": f"track {n}"}}
        for n in range(count)
    ]


def test_nothing_expected_is_never_a_pass() -> None:
    assert check([], []).void
    assert not check([], []).equal
    assert not check([], some_items(1)).equal
    assert not check(some_items(1), []).equal


def test_a_side_that_was_not_read_whole_is_void() -> None:
    items = some_items(5)
    result = compare(side(items, count=6), side(items), keys=KEYS)
    assert result.void
    assert not result.equal


def test_a_line_that_stands_twice_is_a_duplicate() -> None:
    items = some_items(5)
    result = check([*items, items[2]], items)
    assert (result.duplicates, result.changed, result.missing) == (1, 0, 0)
    assert result.differences[0].key == {"pk": {"S": "artist2"}, "sk": {"N": "2"}}


def test_an_item_without_a_usable_form_is_reported_even_if_both_sides_hold_it() -> None:
    items: list[Item] = [*some_items(3), {"pk": {"S": "a"}, "sk": {"N": "9"}, "x": {"N": "NaN"}}]
    assert check(items, items).shape > 0


def test_expired_items_are_left_out_by_rule_and_counted() -> None:
    now = 1_800_000_000
    expired: Item = {"pk": {"S": "a"}, "sk": {"N": "100"}, "expires_at": {"N": str(now - 60)}}
    eternal: Item = {"pk": {"S": "a"}, "sk": {"N": "101"}, "expires_at": {"N": str(now - 6 * 365 * 86400)}}
    rule = TtlRule("expires_at", now)
    expected = side([*some_items(3), expired, eternal], ttl="expires_at")
    result = compare(expected, side(some_items(3), ttl="expires_at"), keys=KEYS, ttl=rule)
    assert result.ignored == {"ttl": 1}
    assert result.missing == 1


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_comparison_in_which_no_item_met_its_counterpart_is_never_a_pass(kept: int) -> None:
    """A table whose items have all expired may rightly be empty; but then nothing shows that it is this table."""
    now = 1_800_000_000
    rule = TtlRule("expires_at", now)
    expired: list[Item] = [{**item, "expires_at": {"N": str(now - 60)}} for item in some_items(7)]
    expected, found = side(expired[2:], ttl="expires_at"), side(expired[: 2 + kept], ttl="expires_at")
    result = compare(expected, found, keys=KEYS, ttl=rule)
    assert result.ignored == {"ttl": 7 - kept}
    assert (result.differing, result.equal, result.void) == (0, kept > 0, kept == 0)
    empty = compare(expected, side([], ttl="expires_at"), keys=KEYS, ttl=rule)
    assert (empty.differing, empty.equal, empty.void) == (0, False, True)


def test_more_differences_than_are_listed_are_still_counted() -> None:
    result = compare(side(some_items(50)), side([]), keys=KEYS, listed=10)
    assert (result.missing, len(result.differences), result.listed_all) == (50, 10, False)


@pytest.mark.parametrize("seed", range(8))
def test_the_stream_control_is_caught(seed: int) -> None:
    expected, found = side(some_items(200)), side(some_items(200))
    known = compare(expected, found, keys=KEYS)
    with gather(found) as gathered:
        outcome = stream_control(expected, gathered, keys=KEYS, random=Random(seed), known=known)
    assert len(outcome.planted) == len(KINDS)
    assert outcome.caught


def test_a_comparer_that_always_says_equal_is_found_out() -> None:
    expected, found = side(some_items(20)), side(some_items(20))
    known = compare(expected, found, keys=KEYS)
    with gather(found) as gathered:
        outcome = stream_control(
            expected, gathered, keys=KEYS, random=Random(1), known=known, judging=lambda left, right: known
        )
    assert not outcome.caught


@pytest.mark.parametrize("seed", range(6))
def test_the_stream_control_is_caught_where_most_items_have_expired(seed: int) -> None:
    now = 1_800_000_000
    rule = TtlRule("expires_at", now)
    expired: list[Item] = [{**item, "expires_at": {"N": str(now - 60)}} for item in some_items(200)[20:]]
    expected = side([*some_items(20), *expired], ttl="expires_at")
    found = side([*some_items(20), *expired[::2]], ttl="expires_at")
    known = compare(expected, found, keys=KEYS, ttl=rule)
    assert known.ignored == {"ttl": 90}
    with gather(found) as gathered:
        outcome = stream_control(expected, gathered, keys=KEYS, random=Random(seed), known=known, ttl=rule)
    assert len(outcome.planted) == len(KINDS)
    assert outcome.caught
    assert len(outcome.found) == len(outcome.planted)


def test_the_stream_control_plants_a_stranger_where_every_item_has_expired() -> None:
    now = 1_800_000_000
    rule = TtlRule("expires_at", now)
    items: list[Item] = [{**item, "expires_at": {"N": str(now - 60)}} for item in some_items(5)]
    expected, found = side(items, ttl="expires_at"), side(items[2:], ttl="expires_at")
    known = compare(expected, found, keys=KEYS, ttl=rule)
    with gather(found) as gathered:
        outcome = stream_control(expected, gathered, keys=KEYS, random=Random(1), known=known, ttl=rule)
    assert [one.kind for one in outcome.planted] == ["missing"]
    assert outcome.caught
