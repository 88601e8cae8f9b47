"""Every item read is written, a duplicate, or rejected with its reason; a checkpoint never runs ahead."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import orjson
import pytest

from ops.dynamodb import batches
from ops.dynamodb.client import DataPlane
from ops.dynamodb.retry import Failure, Retrier, RetryPolicy
from ops.dynamodb.write import (
    BATCH_BYTES,
    BATCH_ITEMS,
    BulkWriter,
    Rejected,
    WriteCounts,
    WriteTarget,
    delete_item,
    key_bytes,
    put_item,
    update_item,
)
from ops.errors import AccountingMismatch, BadResponse, CredentialsUnusable, NotAllowed, Throttled
from ops.model.items import Item, KeySchema
from tests.unit.dynamodb.kit import (
    KEYS,
    MemoryTable,
    Scripted,
    ShuffledTable,
    StillClock,
    plane,
    some_items,
    some_lines,
)

TARGET = WriteTarget("t", KEYS, {"genre_index": KeySchema("genre")})


def stored(table: MemoryTable) -> list[Item]:
    return [table.items[key] for key in sorted(table.items)]


def in_order(items: list[Item]) -> list[Item]:
    return sorted(items, key=lambda item: key_bytes(item, KEYS))


@pytest.mark.parametrize("count", [0, 1, 24, 25, 26, 51, 200])
def test_all_items_are_written_in_batches(count: int) -> None:
    table = MemoryTable()
    counts = BulkWriter(plane(table), TARGET).put(some_items(count))
    assert counts == WriteCounts(read=count, written=count)
    assert stored(table) == in_order(some_items(count))
    assert len(table.asked) == -(-count // 25)


def test_a_checkpoint_never_covers_an_item_that_is_not_written() -> None:
    table = MemoryTable()
    told: list[int] = []

    def check(position: int) -> None:
        written = {key_bytes(item, KEYS) for item in some_items(position)}
        assert written <= table.items.keys()
        told.append(position)

    BulkWriter(plane(table), TARGET, on_acknowledged=check).put(some_items(60))
    assert told == [25, 50, 60]


def test_unprocessed_items_are_sent_again_until_none_is_left() -> None:
    clock = StillClock()
    table = MemoryTable(mood=lambda operation, number: 0.6 if number % 3 else None)
    counts = BulkWriter(plane(table, clock), TARGET).put(some_items(100))
    assert counts.written == 100
    assert stored(table) == in_order(some_items(100))
    assert clock.slept  # never resent at once


def test_a_table_that_processes_nothing_ends_in_a_throttle_that_tells_what_was_written() -> None:
    table = MemoryTable(mood=lambda operation, number: 1.0 if number > 2 else None)
    with pytest.raises(Throttled) as caught:
        BulkWriter(plane(table), TARGET).put(some_items(100))
    assert "50 items were written to t" in caught.value.changed
    assert len(table.items) == 50


def test_expired_credentials_stop_at_once_and_keep_the_checkpoint() -> None:
    expired = Failure("ExpiredTokenException", "expired", 400)
    table = MemoryTable(mood=lambda operation, number: expired if number == 3 else None)
    told: list[int] = []
    with pytest.raises(CredentialsUnusable) as caught:
        BulkWriter(plane(table), TARGET, on_acknowledged=told.append).put(some_items(100))
    assert told == [25, 50]
    assert len(table.asked) == 3
    assert "50 items" in caught.value.changed


def test_leftovers_are_found_under_whatever_name_the_answer_gives_the_table() -> None:
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t"

    def half(operation: str, params: dict[str, Any]) -> dict[str, Any]:
        return {"UnprocessedItems": {arn: params["RequestItems"]["t"][:10]}}

    script = Scripted([half, {"UnprocessedItems": {}}])
    counts = BulkWriter(plane(script), TARGET).put(some_items(25))
    assert counts.written == 25
    assert [len(asked["RequestItems"]["t"]) for _, asked in script.asked] == [25, 10]


@pytest.mark.parametrize(
    "left",
    [
        {"t": [{"PutRequest": {"Item": some_items(1, start=900)[0]}}]},
        {"t": [{"DeleteRequest": {"Key": {}}}]},
        {"t": [None]},
        {"t": 5},
        {"t": {}},
        {"t": None},
    ],
)
def test_leftovers_that_were_never_sent_are_not_believed(left: Any) -> None:
    script = Scripted([{"UnprocessedItems": left}])
    with pytest.raises(BadResponse):
        BulkWriter(plane(script), TARGET).put(some_items(3))


def test_what_aws_would_refuse_is_rejected_with_its_place_and_its_neighbours_are_written() -> None:
    good = some_items(6)
    bad: dict[int, tuple[Any, str]] = {
        2: ({"pk": {"S": ""}, "sk": {"N": "1"}}, "empty"),
        3: ({"pk": {"S": "x"}}, "missing"),
        5: ({"pk": {"S": "x"}, "sk": {"S": "1"}}, "type N"),
        6: ({"pk": {"S": "x"}, "sk": {"N": "1"}, "big": {"S": "x" * 410_000}}, "409600"),
        8: ({"pk": {"S": "x"}, "sk": {"N": "1"}, "n": {"N": "1" * 39}}, "39 significant"),
        9: ({"pk": {"S": "x"}, "sk": {"N": "1"}, "n": {"N": "NaN"}}, "not a number"),
        10: ({"pk": {"S": "x"}, "sk": {"N": "1"}, "genre": {"N": "5"}}, "genre_index"),
        11: ("text", "object"),
    }
    items: list[Any] = []
    waiting = iter(good)
    for position in range(1, 15):
        items.append(bad[position][0] if position in bad else next(waiting))
    rejected: list[Rejected] = []
    table = MemoryTable()
    counts = BulkWriter(plane(table), TARGET, on_rejected=rejected.append).put(items)
    assert counts == WriteCounts(read=14, written=6, rejected=8)
    assert [one.position for one in rejected] == sorted(bad)
    assert all(bad[one.position][1] in one.reason for one in rejected)
    assert stored(table) == in_order(good)


def test_an_item_that_only_aws_refuses_does_not_take_its_batch_with_it() -> None:
    table = MemoryTable(refused=lambda item: item["sk"]["N"] in ("3", "17"))
    rejected: list[Rejected] = []
    counts = BulkWriter(plane(table), TARGET, on_rejected=rejected.append).put(some_items(25))
    assert counts == WriteCounts(read=25, written=23, rejected=2)
    assert [(one.position, one.reason) for one in rejected] == [
        (4, "One item is not acceptable"),
        (18, "One item is not acceptable"),
    ]


def test_the_last_of_several_items_with_one_key_in_a_batch_wins() -> None:
    key: Item = {"pk": {"S": "a"}, "sk": {"N": "1"}}
    items: list[Item] = [{**key, "v": {"S": "old"}}, *some_items(3), {**key, "sk": {"N": "1.0"}, "v": {"S": "new"}}]
    table = MemoryTable()
    counts = BulkWriter(plane(table), TARGET).put(items)
    assert counts == WriteCounts(read=5, written=4, duplicates=1)
    assert table.items[key_bytes(key, KEYS)]["v"] == {"S": "new"}


def test_binary_keys_that_differ_in_unused_bits_are_one_key() -> None:
    keys = KeySchema("pk", "B")
    table = MemoryTable(keys)
    items: list[Item] = [{"pk": {"B": "AP8="}}, {"pk": {"B": "AP9="}}]
    counts = BulkWriter(plane(table), WriteTarget("t", keys)).put(items)
    assert (counts.written, counts.duplicates) == (1, 1)


def test_a_batch_stays_below_sixteen_megabytes_on_the_wire() -> None:
    # 300 KB of control characters take six bytes each in JSON: 25 of them would be 45 MB.
    items: list[Item] = [
        {"pk": {"S": "a"}, "sk": {"N": str(number)}, "text": {"S": "\x01" * 300_000}} for number in range(20)
    ]
    script = Scripted([{"UnprocessedItems": {}}])
    counts = BulkWriter(plane(script), TARGET).put(items)
    assert counts.written == 20
    assert [len(asked["RequestItems"]["t"]) for _, asked in script.asked] == [9, 9, 2]


def test_a_batch_holds_what_aws_allows_and_hardly_less() -> None:
    assert BATCH_ITEMS == 25
    frame = 64 * 1024  # room for the name of the table and what stands around each item
    assert BATCH_BYTES + frame == 16 * 1024 * 1024


def test_keys_are_deleted_and_a_whole_item_is_no_key() -> None:
    table = MemoryTable(items={key_bytes(item, KEYS): item for item in some_items(30)})
    keys = [{name: item[name] for name in KEYS.names} for item in some_items(28)]
    rejected: list[Rejected] = []
    counts = BulkWriter(plane(table), TARGET, on_rejected=rejected.append).delete([*keys, *some_items(1, start=29)])
    assert counts == WriteCounts(read=29, written=28, rejected=1)
    assert stored(table) == in_order(some_items(2, start=28))


def test_counts_that_do_not_add_up_are_an_error() -> None:
    with pytest.raises(AccountingMismatch):
        WriteCounts(read=3, written=1, rejected=1).check()


ITEM: Item = {"pk": {"S": "a"}, "sk": {"N": "1"}, "v": {"S": "x"}}
KEY: Item = {"pk": {"S": "a"}, "sk": {"N": "1"}}


def test_a_put_of_one_item_is_asked_for_as_aws_wants_it() -> None:
    script = Scripted([{}])
    put_item(plane(script), "t", ITEM)
    put_item(plane(script), "t", ITEM, absent=KEYS)
    plain = {"TableName": "t", "Item": ITEM, "ReturnConsumedCapacity": "TOTAL"}
    absent = {"ConditionExpression": "attribute_not_exists(#k)", "ExpressionAttributeNames": {"#k": "pk"}}
    assert script.asked == [("PutItem", plain), ("PutItem", {**plain, **absent})]


def test_a_deletion_of_one_item_is_asked_for_as_aws_wants_it() -> None:
    script = Scripted([{}])
    delete_item(plane(script), "t", KEY)
    assert script.asked == [("DeleteItem", {"TableName": "t", "Key": KEY, "ReturnConsumedCapacity": "TOTAL"})]


def test_an_update_of_one_item_is_asked_for_as_aws_wants_it() -> None:
    script = Scripted([{}])
    update_item(plane(script), "t", KEY, "REMOVE #a", {"#a": "v"}, {})
    update_item(plane(script), "t", KEY, "SET #a = :v", {"#a": "v"}, {":v": {"S": "y"}})
    plain = {
        "TableName": "t", "Key": KEY, "ReturnConsumedCapacity": "TOTAL", "ExpressionAttributeNames": {"#a": "v"},
    }  # fmt: skip
    assert script.asked == [
        ("UpdateItem", {**plain, "UpdateExpression": "REMOVE #a"}),
        (
            "UpdateItem",
            {**plain, "UpdateExpression": "SET #a = :v", "ExpressionAttributeValues": {":v": {"S": "y"}}},
        ),
    ]


def test_a_table_that_processes_nothing_is_asked_as_often_as_the_policy_says_with_growing_pauses() -> None:
    clock = StillClock()
    table = MemoryTable(mood=lambda operation, number: 1.0)
    with pytest.raises(Throttled) as caught:
        BulkWriter(DataPlane(table, Retrier(clock, Longest(), POLICY)), TARGET).put(some_items(25))
    assert len(table.asked) == 4
    assert clock.slept == [pytest.approx(0.05 * 2**number) for number in (2, 3, 4)]
    assert caught.value.what == "BatchWriteItem on t was throttled 4 times"
    assert caught.value.why == "every item of the batch came back unprocessed"


class Longest(Random):
    """Always the longest pause."""

    def uniform(self, a: float, b: float) -> float:
        return b


POLICY = RetryPolicy(attempts=4)


def test_an_answer_that_processed_anything_begins_the_count_of_tries_anew() -> None:
    clock, moods = StillClock(), iter([1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.0])
    table = MemoryTable(mood=lambda operation, number: next(moods))
    counts = BulkWriter(DataPlane(table, Retrier(clock, Longest(), POLICY)), TARGET).put(some_items(24))
    assert counts.written == 24
    assert clock.slept == [pytest.approx(0.05 * 2**number) for number in (2, 3, 4, 1, 2, 3, 4)]


def test_unprocessed_deletions_are_sent_again() -> None:
    table = MemoryTable(
        items={key_bytes(item, KEYS): item for item in some_items(60)},
        mood=lambda operation, number: 0.5 if number % 2 else None,
    )
    keys = [{name: item[name] for name in KEYS.names} for item in some_items(60)]
    assert BulkWriter(plane(table), TARGET).delete(keys) == WriteCounts(read=60, written=60)
    assert table.items == {}


def sized(number: int, wire_bytes: int) -> Item:
    item: Item = {"pk": {"S": "p"}, "sk": {"N": str(number)}, "v": {"S": ""}}
    item["v"] = {"S": "x" * (wire_bytes - len(orjson.dumps({"Item": item})))}
    return item


def test_a_batch_is_filled_to_its_limit_and_not_a_byte_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 300)
    script = Scripted([{"UnprocessedItems": {}}])
    BulkWriter(plane(script), TARGET).put([sized(number, 100) for number in range(9)])
    assert [len(asked["RequestItems"]["t"]) for _, asked in script.asked] == [3, 3, 3]
    script.asked.clear()
    BulkWriter(plane(script), TARGET).put([sized(0, 101), *(sized(number, 100) for number in range(1, 6))])
    assert [len(asked["RequestItems"]["t"]) for _, asked in script.asked] == [2, 3, 1]


def test_an_item_that_stands_in_for_another_takes_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 300)
    script = Scripted([{"UnprocessedItems": {}}])
    items = [sized(0, 100), sized(1, 100), *[sized(1, 100)] * 5, sized(2, 100)]
    assert BulkWriter(plane(script), TARGET).put(items) == WriteCounts(read=8, written=3, duplicates=5)
    assert [len(asked["RequestItems"]["t"]) for _, asked in script.asked] == [3]


def test_a_run_that_fails_at_once_is_settled_where_the_one_before_was_and_counts_what_it_rejected() -> None:
    before = WriteCounts(read=30, written=29, rejected=1)
    lines = some_lines(some_items(60))
    lines[40] = b"{"
    table = MemoryTable(mood=lambda operation, number: Failure("AccessDeniedException", "no", 400))
    writer = BulkWriter(plane(table), TARGET, resumed=before)
    with pytest.raises(NotAllowed):
        writer.put_lines(lines)
    assert writer.settled == before
    assert (writer.counts.read, writer.counts.written, writer.counts.rejected) == (60, 29, 2)


def test_with_reject_a_later_item_with_the_same_key_is_named_as_such() -> None:
    rejected: list[Rejected] = []
    writer = BulkWriter(plane(MemoryTable()), TARGET, on_rejected=rejected.append, repeats="reject")
    first, second = some_items(2)
    assert writer.put([first, second, first, first]) == WriteCounts(read=4, written=2, rejected=2)
    assert [(one.position, one.item, one.reason) for one in rejected] == [
        (3, first, "an item before this one has the same key"),
        (4, first, "an item before this one has the same key"),
    ]


def test_counts_begin_at_zero() -> None:
    assert WriteCounts() == WriteCounts(0, 0, 0, 0, 0)


@pytest.mark.parametrize("seed", range(20))
def test_a_later_item_waits_until_an_unprocessed_one_of_its_key_is_written(seed: int) -> None:
    key: Item = {"pk": {"S": "p0"}, "sk": {"N": "0"}}
    items = [*some_items(25), *some_items(24, start=100), {**key, "text": {"S": "later"}}, *some_items(60, start=200)]
    table = MemoryTable(mood=lambda operation, number: 1.0 if number <= 2 else None)
    counts = BulkWriter(plane(ShuffledTable(table, Random(seed)), attempts=50), TARGET).put(items)
    assert counts == WriteCounts(read=110, written=110)
    assert table.items[key_bytes(key, KEYS)]["text"] == {"S": "later"}


@pytest.mark.parametrize("seed", range(10))
def test_what_is_settled_adds_up_each_time_it_is_told_and_is_all_of_it_at_the_end(seed: int) -> None:
    random = Random(seed)
    items: list[Any] = [*some_items(120), *some_items(9, start=110), *({"pk": {"S": ""}} for _ in range(5))]
    random.shuffle(items)
    held = set(some_lines(some_items(15, start=60)))
    table = MemoryTable(
        items={key_bytes(item, KEYS): item for item in some_items(15, start=60)},
        mood=lambda operation, number: random.choice((None, None, 0.4, 1.0)),
        refused=lambda item: item["sk"]["N"] in ("3", "17", "80"),
    )
    wire = ShuffledTable(table, random)
    told: list[WriteCounts] = []

    def settled(position: int) -> None:
        writer.settled.check()
        assert writer.settled.read == position
        told.append(replace(writer.settled))

    writer = BulkWriter(
        plane(wire, attempts=50), TARGET, on_acknowledged=settled, unchanged=held.__contains__,
        on_rejected=lambda one: None,
    )  # fmt: skip
    counts = writer.put_lines(some_lines(items))
    assert (counts.read, counts.rejected, counts.unchanged) == (134, 8, 15)
    assert told[-1] == writer.settled == counts
    assert [one.read for one in told] == sorted({one.read for one in told})
    assert all(one.written <= later.written for one, later in pairwise(told))


def test_an_item_as_it_was_is_written_again_once_another_took_its_place() -> None:
    before, between = some_items(1)[0], {**some_items(1)[0], "text": {"S": "between"}}
    others = some_items(60, start=100)
    table = MemoryTable(items={key_bytes(before, KEYS): before})
    writer = BulkWriter(plane(table), TARGET, unchanged=lambda wire: orjson.loads(wire)["Item"] == before)
    counts = writer.put([before, between, *others, before])
    assert counts == WriteCounts(read=63, written=62, unchanged=1)
    assert table.items[key_bytes(before, KEYS)] == before


def test_a_batch_of_which_nothing_was_processed_counts_nothing_as_written() -> None:
    moods = iter([1.0, 0.5, 0.0])
    told: list[int] = []
    table = MemoryTable(mood=lambda operation, number: next(moods))
    writer = BulkWriter(plane(table), TARGET, on_acknowledged=lambda position: told.append(writer.settled.written))
    assert writer.put(some_items(8)).written == 8
    assert told == [8]
