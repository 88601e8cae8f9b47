"""What is decided of differing keys: on live tables, after TTL, by how many processes, and beside known differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import ops.verify.compare as compare_module
import ops.verify.merge as merging
import ops.verify.worker as worker
from ops.errors import AccountingMismatch
from ops.model.items import Item
from ops.model.proof import SideInfo
from ops.verify.compare import TtlRule, compare, gather, judge
from ops.verify.control import plant, stream_control
from ops.verify.sides import LinesSide
from ops.verify.spill import PARTS
from ops.verify.worker import MergeJob
from tests.unit.verify.live import KEYS, Live, some_items

NOW = 1_800_000_000
EXPIRED: Item = {"pk": {"S": "old"}, "expires": {"N": str(NOW - 5)}}


def lines(items: list[Item]) -> LinesSide:
    return LinesSide(SideInfo("lines", "test", "T"), lambda: iter(items), KEYS, len(items), "expires")


def test_what_is_expected_of_a_live_table_is_what_it_holds_at_the_second_look() -> None:
    items = some_items(6)
    stale: Item = {**items[1], "n": {"N": "99"}}
    wrong: Item = {**items[2], "n": {"N": "98"}}
    expected = Live([items[0], stale, wrong, items[3], items[4]], [*items[:2], wrong, items[4]])
    found = [items[0], items[1], items[2], items[4], items[5]]
    result = compare(expected, lines(found), keys=KEYS)
    told = {(one.kind, (one.key or {})["pk"]["S"]) for one in result.differences}
    assert told == {("changed", "k2"), ("extra", "k5")}
    [changed] = [one for one in result.differences if one.kind == "changed"]
    assert [(one.path, one.expected, one.found) for one in changed.changes] == [("n", "N 98", "N 2")]


def test_two_live_tables_are_both_looked_at_again() -> None:
    items = some_items(3)
    expected, found = Live(items[:2], items), Live(items[1:], items)
    assert compare(expected, found, keys=KEYS).equal
    assert (expected.asked, found.asked) == ([2], [1])


def test_differences_that_cannot_be_read_again_stay() -> None:
    items = some_items(3)
    result = compare(lines(items), Live([*items, items[1]], items), keys=KEYS)
    assert (result.duplicates, result.differing) == (1, 1)


def test_an_expired_item_is_no_difference_on_whichever_side_it_is_left() -> None:
    rule = TtlRule("expires", NOW)
    items = some_items(2)
    for expected, found in ((items, [*items, EXPIRED]), ([*items, EXPIRED], items)):
        result = compare(lines(expected), lines(found), keys=KEYS, ttl=rule)
        assert (result.differing, result.ignored) == (0, {"ttl": 1})
    both = compare(lines([*items, EXPIRED]), lines([*items, {**EXPIRED, "n": {"N": "1"}}]), keys=KEYS, ttl=rule)
    assert (both.changed, both.ignored) == (1, {}), "an expired item that both hold must be equal"


def noted(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[int, int, Path]]]:
    """The stretches of parts that were shared out, comparison by comparison."""
    found: list[list[tuple[int, int, Path]]] = []
    run = worker.run_jobs

    def watched(jobs: Sequence[Sequence[Any]]) -> Any:
        merges = [job for own in jobs for job in own if isinstance(job, MergeJob)]
        found.append([(job.first, job.last, job.target.parent.parent) for job in merges])
        return run(jobs)

    monkeypatch.setattr(compare_module, "run_jobs", watched)
    return found


def test_few_rows_are_merged_here_and_many_by_a_process_for_each_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = noted(monkeypatch)
    monkeypatch.setattr(compare_module, "processors", lambda: 3)
    monkeypatch.setattr(compare_module, "_WORTH_A_PROCESS_ROWS", 10)
    five, four = lines(some_items(5)), lines(some_items(4))
    assert compare(five, four, keys=KEYS).missing == 1
    assert shared == []
    assert compare(five, five, keys=KEYS).equal
    assert [[(first, end) for first, end, _ in one] for one in shared] == [[(0, 85), (85, 170), (170, PARTS)]]


@pytest.mark.parametrize("named", ["expected", "found"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_merge_puts_its_files_where_either_side_does(
    named: str, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = noted(monkeypatch)
    asked: list[Path | None] = []
    merge = merging.differences

    def watched(*given: Any, folder: Path | None) -> Any:
        asked.append(folder)
        return merge(*given, folder=folder)

    monkeypatch.setattr(compare_module, "differences", watched)
    side = lines(some_items(3))
    place = {name: tmp_path if name == named else None for name in ("expected", "found")}
    with gather(side, place["expected"], workers=workers) as left, gather(side, place["found"]) as right:
        assert judge(left, right, keys=KEYS).equal
    assert asked == ([tmp_path] if workers == 1 else [])
    assert [folder for one in shared for *_, folder in one] == ([] if workers == 1 else [tmp_path] * 2)


def test_the_control_reports_what_it_planted_and_not_what_was_known_before() -> None:
    items = some_items(30)
    known_wrong: list[Item] = [{**items[0], "n": {"N": "-1"}}, *items[2:], {"pk": {"S": "stranger"}}]
    expected, found = lines(items), lines(known_wrong)
    known = compare(expected, found, keys=KEYS)
    assert known.differing == 3
    with gather(found) as gathered:
        outcome = stream_control(expected, gathered, keys=KEYS, random=Random(3), known=known)
    assert outcome.caught
    assert {one.key_digest for one in outcome.found} == {one.key_digest for one in outcome.planted}
    assert not {one.key_digest for one in outcome.found} & {one.key_digest for one in known.differences}


def test_an_altered_side_says_that_it_was_altered() -> None:
    altered, _ = plant(lines(some_items(9)), KEYS, Random(1), set())
    assert altered.info == SideInfo("altered", "test", "T", "altered on purpose")
    assert (altered.declared(), altered.live) == (None, False)


@pytest.mark.parametrize("lost", ["every row", "the rows that differ"])
def test_rows_that_are_lost_on_both_sides_are_missed_by_the_sums(lost: str) -> None:
    """No key would differ: only what was added up beside the rows knows of them."""
    wanted, now = some_items(20), [*some_items(19), {"pk": {"S": "k19"}, "n": {"N": "7"}}]
    with gather(lines(wanted)) as expected, gather(lines(now)) as found:
        assert judge(expected, found, keys=KEYS).changed == 1
        kept = 0 if lost == "every row" else 19
        with gather(lines(wanted[:kept])) as one, gather(lines(now[:kept])) as other:
            cut = replace(expected, spill=one.spill), replace(found, spill=other.spill)
            with pytest.raises(AccountingMismatch, match="the sums over both sides do"):
                judge(*cut, keys=KEYS)


def test_equal_sides_of_any_notation_have_one_sum() -> None:
    left: list[Item] = [{"pk": {"S": "a"}, "n": {"N": "71"}, "s": {"NS": ["1", "2"]}}, {"pk": {"S": "b"}}]
    right: list[Item] = [{"pk": {"S": "b"}}, {"s": {"NS": ["2.0", "1"]}, "n": {"N": "71.0"}, "pk": {"S": "a"}}]
    assert compare(lines(left), lines(right), keys=KEYS).equal
