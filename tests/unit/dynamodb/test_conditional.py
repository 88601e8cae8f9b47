"""Conditional puts overwrite nothing that they must not, and account for every line."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.dynamodb.accounting import Rejected, WriteCounts, WriteTarget
from ops.dynamodb.conditional import ConditionalWriter
from ops.dynamodb.retry import Failure
from ops.dynamodb.write import key_bytes
from ops.errors import AccountingMismatch, CredentialsUnusable, Throttled
from ops.model.items import Item
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

TARGET = WriteTarget("t", KEYS)


@dataclass
class PutTable(MemoryTable):
    """A table that takes PutItem under the two conditions of the writer."""

    def send(self, operation: str, body: bytes) -> dict[str, Any]:
        assert operation == "PutItem"
        self.asked.append(operation)
        mood = self.mood(operation, len(self.asked))
        if isinstance(mood, Failure):
            raise mood
        params = orjson.loads(body)
        item, key = params["Item"], key_bytes(params["Item"], self.keys)
        if self.refused(item):
            raise Failure("ValidationException", "One item is not acceptable", 400)
        if not self._holds(params, self.items.get(key)):
            raise Failure("ConditionalCheckFailedException", "The conditional request failed", 400)
        self.items[key] = item
        return {"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.0}}

    def _holds(self, params: dict[str, Any], there: Item | None) -> bool:
        names = params["ExpressionAttributeNames"]
        if params["ConditionExpression"] == "attribute_not_exists(#k)":
            assert names == {"#k": self.keys.partition}
            return there is None
        assert params["ConditionExpression"] == "attribute_not_exists(#v) OR #v < :v"
        ours, theirs = params["ExpressionAttributeValues"][":v"], (there or {}).get(names["#v"])
        if theirs is None:
            return True
        return theirs.keys() == ours.keys() and float(theirs["N"]) < float(ours["N"])


def versioned(number: int, version: int) -> Item:
    return {"pk": {"S": f"p{number}"}, "sk": {"N": str(number)}, "v": {"N": str(version)}}


def keyed(*items: Item) -> dict[bytes, Item]:
    return {key_bytes(item, KEYS): item for item in items}


def test_what_is_there_stays_and_what_is_not_is_put() -> None:
    table = PutTable(items=keyed(versioned(1, 1), versioned(2, 1)))
    given = [versioned(number, 9) for number in range(4)]
    counts = ConditionalWriter(plane(table), TARGET).put_lines(some_lines(given))
    assert counts == WriteCounts(read=4, written=2, unchanged=2)
    assert table.items == keyed(versioned(0, 9), versioned(1, 1), versioned(2, 1), versioned(3, 9))


def test_only_what_is_older_or_has_no_version_is_overwritten() -> None:
    bare = {"pk": {"S": "p4"}, "sk": {"N": "4"}}
    table = PutTable(items=keyed(versioned(1, 5), versioned(2, 3), versioned(3, 1), bare))
    given = [versioned(number, 3) for number in range(5)]
    counts = ConditionalWriter(plane(table), TARGET, newer_by="v").put_lines(some_lines(given))
    assert counts == WriteCounts(read=5, written=3, unchanged=2)
    assert table.items == keyed(*(versioned(number, 5 if number == 1 else 3) for number in range(5)))


def test_an_item_without_what_it_is_compared_by_is_rejected_and_its_neighbours_are_written() -> None:
    table, told = PutTable(), list[Rejected]()
    lines = some_lines([versioned(0, 1), {"pk": {"S": "x"}, "sk": {"N": "1"}}, versioned(2, 1)])
    lines[2:2] = [b'{"Item":{"pk":{"S":"y"},"sk":{"N":"1"},"v":{"L":[]}}}', b"no item"]
    counts = ConditionalWriter(plane(table), TARGET, newer_by="v", on_rejected=told.append).put_lines(lines)
    assert counts == WriteCounts(read=5, written=2, rejected=3)
    assert [(one.position, one.line) for one in told] == [(2, lines[1]), (3, lines[2]), (4, lines[3])]
    assert "no attribute 'v'" in told[0].reason
    assert "not JSON" in told[2].reason


def test_what_aws_refuses_is_rejected_with_its_reason() -> None:
    table, told = PutTable(refused=lambda item: item["v"] == {"N": "7"}), list[Rejected]()
    counts = ConditionalWriter(plane(table), TARGET, on_rejected=told.append).put_lines(
        some_lines([versioned(1, 7), versioned(2, 1)])
    )
    assert counts == WriteCounts(read=2, written=1, rejected=1)
    assert [(one.position, one.reason) for one in told] == [(1, "One item is not acceptable")]


@given(seed=st.integers(0, 10_000), lost=st.sampled_from([0.0, 0.3]), newer=st.booleans())
def test_whatever_the_order_of_the_answers_the_table_is_what_the_rule_says(seed: int, lost: float, newer: bool) -> None:
    random = Random(seed)
    start = [versioned(number, random.randrange(5)) for number in range(8)]
    given = [versioned(random.randrange(16), random.randrange(5)) for _ in range(60)]
    table = PutTable(items=keyed(*start))
    wanted = keyed(*start)
    for item in given:
        there = wanted.get(key_bytes(item, KEYS))
        if there is None or (newer and int(there["v"]["N"]) < int(item["v"]["N"])):
            wanted[key_bytes(item, KEYS)] = item
    told: list[int] = []
    writer = ConditionalWriter(
        plane(ShuffledTable(table, random, lost), attempts=60), TARGET, "v" if newer else None,
        on_acknowledged=told.append,
    )  # fmt: skip
    counts = writer.put_lines(some_lines(given))
    assert table.items == wanted
    assert counts == writer.settled
    assert (counts.read, counts.rejected, counts.duplicates) == (60, 0, 0)
    assert told == sorted(set(told))
    assert told[-1] == 60


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure("ExpiredTokenException", "expired", 400), CredentialsUnusable),
        (Failure("ThrottlingException", "slow down", 400), Throttled),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_run_that_ends_early_goes_on_where_all_before_was_settled(
    failure: Failure, kind: type[Exception], seed: int
) -> None:
    random = Random(seed)
    broken = random.randrange(3, 40)
    table = PutTable(mood=lambda operation, number: failure if number >= broken else None)
    lines = some_lines([versioned(number, 1) for number in range(50)])
    first = ConditionalWriter(plane(ShuffledTable(table, random), attempts=2), TARGET, most=8)
    with pytest.raises(kind) as raised:
        first.put_lines(lines)
    assert raised.value.changed == f"{len(table.items)} items were written to t before"  # type: ignore[attr-defined]
    first.counts.check()
    first.settled.check()
    assert {key_bytes(versioned(number, 1), KEYS) for number in range(first.settled.read)} <= table.items.keys()
    table.mood = lambda operation, number: None
    second = ConditionalWriter(plane(table), TARGET, resumed=first.settled)
    counts = second.put_lines(lines)
    assert (counts.read, counts.written + counts.unchanged) == (50, 50)
    assert len(table.items) == 50


@pytest.mark.parametrize("seed", range(10))
def test_what_was_on_its_way_when_the_work_ended_is_counted_as_what_became_of_it(seed: int) -> None:
    random = Random(seed)
    expired, broken = Failure("ExpiredTokenException", "expired", 400), random.randrange(12, 30)
    there = [versioned(number, 1) for number in range(0, 40, 3)]
    table = PutTable(
        items=keyed(*there),
        mood=lambda operation, number: expired if number == broken else None,
        refused=lambda item: int(item["sk"]["N"]) % 5 == 1,
    )
    told: list[Rejected] = []
    writer = ConditionalWriter(plane(ShuffledTable(table, random)), TARGET, most=8, on_rejected=told.append)
    with pytest.raises(CredentialsUnusable):
        writer.put_lines([*some_lines([versioned(0, 2)]), b"none", *some_lines([versioned(n, 1) for n in range(40)])])
    counts = writer.counts
    counts.check()
    writer.settled.check()
    assert counts.written == len(table.items) - len(there)
    assert counts.rejected == len(told) > 1
    assert counts.unchanged > 0


def test_a_run_that_fails_at_its_first_line_is_settled_where_the_one_before_was() -> None:
    before = WriteCounts(read=2, written=1, unchanged=1)
    table = PutTable(mood=lambda operation, number: Failure("ExpiredTokenException", "expired", 400))
    writer = ConditionalWriter(plane(table), TARGET, resumed=before)
    with pytest.raises(CredentialsUnusable):
        writer.put_lines(some_lines(some_items(3)))
    assert (writer.settled, writer.counts) == (before, before)


def test_a_run_that_is_resumed_behind_the_last_line_has_nothing_to_do() -> None:
    before = WriteCounts(read=3, written=3)
    table = PutTable()
    assert ConditionalWriter(plane(table), TARGET, resumed=before).put_lines(some_lines(some_items(3))) == before
    assert table.asked == []


@pytest.mark.parametrize("value", [{"S": "b"}, {"B": "AP8="}, {"N": "2"}])
def test_a_put_is_asked_for_as_aws_wants_it(value: dict[str, str]) -> None:
    item: Item = {"pk": {"S": "p"}, "sk": {"N": "1"}, "v": value}
    script = Scripted([{"ConsumedCapacity": {"CapacityUnits": 1.0}}])
    ConditionalWriter(plane(script), TARGET).put_lines(some_lines([item]))
    ConditionalWriter(plane(script), TARGET, newer_by="v").put_lines(some_lines([item]))
    both = {"TableName": "t", "ReturnConsumedCapacity": "TOTAL", "Item": item}
    assert script.asked == [
        ("PutItem", {
            **both, "ConditionExpression": "attribute_not_exists(#k)", "ExpressionAttributeNames": {"#k": "pk"},
        }),
        ("PutItem", {
            **both, "ConditionExpression": "attribute_not_exists(#v) OR #v < :v",
            "ExpressionAttributeNames": {"#v": "v"}, "ExpressionAttributeValues": {":v": value},
        }),
    ]  # fmt: skip


@pytest.mark.parametrize("value", [{}, {"S": "a", "N": "1"}, {"BOOL": True}, "a"])
def test_a_version_that_cannot_be_compared_is_no_version(value: Any) -> None:
    lines = some_lines([{"pk": {"S": "p"}, "sk": {"N": "1"}, "v": value}])
    counts = ConditionalWriter(plane(PutTable()), TARGET, newer_by="v").put_lines(lines)
    assert counts == WriteCounts(read=1, rejected=1)


def test_a_request_that_dynamodb_cannot_read_is_rejected_and_its_neighbours_are_put() -> None:
    answers: list[Any] = [
        {"ConsumedCapacity": {}}, Failure("SerializationException", "cannot be read", 400), {"ConsumedCapacity": {}},
    ]  # fmt: skip
    told: list[Rejected] = []
    writer = ConditionalWriter(plane(Scripted(answers)), TARGET, on_rejected=told.append)
    assert writer.put_lines(some_lines(some_items(3))) == WriteCounts(read=3, written=2, rejected=1)
    assert [(one.position, one.reason) for one in told] == [(2, "cannot be read")]


def test_an_input_shorter_than_what_was_written_before_is_an_error() -> None:
    for count, before in ((2, 3), (0, 1)):
        writer = ConditionalWriter(plane(PutTable()), TARGET, resumed=WriteCounts(read=before, written=before))
        with pytest.raises(AccountingMismatch):
            writer.put_lines(some_lines(some_items(count)))


def test_a_conditional_write_stays_within_its_units() -> None:
    from ops.dynamodb.capacity import CapacityLimit

    clock = StillClock()
    table = PutTable()
    limit = CapacityLimit(10.0, clock)
    ConditionalWriter(plane(table, clock), TARGET, limit=limit).put_lines(
        some_lines([versioned(number, 1) for number in range(100)])
    )
    assert clock.monotonic() >= 9.0
