"""Many batches at once, answered in any order, lost, delayed or refused: the table is that of a plain dictionary."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.dynamodb.pipeline import FIRST_AT_ONCE
from ops.dynamodb.retry import Failure
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.write import BulkWriter, Rejected, WriteCounts, WriteTarget, key_bytes
from ops.errors import OpsError
from ops.model.items import Item
from tests.property.examples import examples
from tests.unit.dynamodb.kit import KEYS, MemoryTable, ShuffledTable, plane, some_items

MOODS = st.lists(
    st.sampled_from([None, None, None, 0.3, 1.0, "ThrottlingException", "InternalServerError", "Truncated"]),
    min_size=1,
    max_size=7,
)
Line = tuple[int, str, str]
#: Number of the key, what is wrong with the line, a text.
WRONG = ["", "", "", "", "", "", "", "key", "json", "value"]


def many_lines(seed: int, count: int, keys: int) -> list[Line]:
    """Long inputs, which a list strategy seldom makes: their keys repeat within batches and far apart."""
    random = Random(seed)
    return [(random.randrange(keys), random.choice(WRONG), str(random.randrange(9))) for _ in range(count)]


LINES = st.one_of(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(WRONG), st.text(max_size=3)), max_size=60),
    st.builds(many_lines, st.integers(), st.integers(50, 400), st.integers(1, 300)),
)


def text_of(line: Line) -> bytes:
    if line[1] == "json":
        return b'{"Item":{"pk":{"S":"p"},"sk":{"N":"%d"},' % line[0]
    return orjson.dumps({"Item": item_of(line)}) + b"\n"


def item_of(line: Line) -> Item:
    number, wrong, text = line
    item: Item = {"pk": {"S": "p"}, "sk": {"N": str(number)}, "text": {"S": text}}
    if wrong == "key":
        item["sk"] = {"S": "x"}
    if wrong == "value":
        item["n"] = {"N": "1" * 39}
    return item


def refused_by_aws(item: Item) -> bool:
    return item.get("n") == {"N": "1" * 39}


def moody(moods: list[Any], seed: int) -> Any:
    random = Random(seed)

    def mood(operation: str, number: int) -> Failure | float | None:
        found = moods[number % len(moods)] if random.random() < 0.4 else None
        return Failure(found, "", 500 if found == "InternalServerError" else 400) if isinstance(found, str) else found

    return mood


def shuffled(moods: list[Any], seed: int, lost: float = 0.0) -> ShuffledTable:
    return ShuffledTable(MemoryTable(mood=moody(moods, seed), refused=refused_by_aws), Random(seed), lost)


@settings(max_examples=examples(150), deadline=None)
@given(LINES, MOODS, st.integers(), st.sampled_from([0.0, 0.3]))
def test_the_last_good_line_of_each_key_stays_and_every_line_is_accounted_for(
    lines: list[Line], moods: list[Any], seed: int, lost: float
) -> None:
    wire = shuffled(moods, seed, lost)
    rejected: list[Rejected] = []
    writer = BulkWriter(plane(wire, attempts=1000, seed=seed), WriteTarget("t", KEYS), on_rejected=rejected.append)
    told: list[int] = []

    def acknowledged(position: int) -> None:
        told.append(position)
        writer.settled.check()
        assert writer.settled.read == position
        before = {key_bytes(item_of(one), KEYS) for one in lines[:position] if not one[1]}
        assert before <= wire.table.items.keys()

    writer.on_acknowledged = acknowledged
    counts = writer.put_lines(map(text_of, lines))
    assert wire.table.items == {key_bytes(item_of(one), KEYS): item_of(one) for one in lines if not one[1]}
    assert sorted(one.position for one in rejected) == [at for at, one in enumerate(lines, 1) if one[1]]
    assert counts.rejected == len(rejected)
    assert told == sorted(set(told))
    assert told[-1] == len(lines)
    assert writer.settled == counts


@settings(max_examples=examples(100), deadline=None)
@given(LINES, st.integers())
def test_with_reject_the_first_good_line_of_each_key_stays(lines: list[Line], seed: int) -> None:
    lines = [one for one in lines if one[1] != "value"]
    wire = shuffled([None], seed)
    rejected: list[Rejected] = []
    writer = BulkWriter(plane(wire), WriteTarget("t", KEYS), on_rejected=rejected.append, repeats="reject")
    counts = writer.put_lines(map(text_of, lines))
    first: dict[bytes, Item] = {}
    for one in lines:
        if not one[1]:
            first.setdefault(key_bytes(item_of(one), KEYS), item_of(one))
    assert wire.table.items == first
    assert counts == WriteCounts(read=len(lines), written=len(first), rejected=len(rejected))


@settings(max_examples=examples(100), deadline=None)
@given(LINES, LINES, st.integers(), MOODS)
def test_only_what_differs_is_written_and_the_table_is_the_same_as_if_all_were(
    held: list[Line], lines: list[Line], seed: int, moods: list[Any]
) -> None:
    wire = shuffled(moods, seed)
    known = {key_bytes(item_of(one), KEYS): item_of(one) for one in held if not one[1]}
    wire.table.items.update(known)

    def unchanged(wire_item: bytes) -> bool:
        item: Item = orjson.loads(wire_item)["Item"]
        return known.get(key_bytes(item, KEYS)) == item

    writer = BulkWriter(plane(wire, attempts=1000), WriteTarget("t", KEYS), unchanged=unchanged)
    counts = writer.put_lines(map(text_of, lines))
    assert wire.table.items == known | {key_bytes(item_of(one), KEYS): item_of(one) for one in lines if not one[1]}
    assert counts.unchanged <= sum(1 for one in lines if not one[1] and item_of(one) in known.values())


def test_a_second_run_over_unchanged_lines_writes_nothing() -> None:
    wire = shuffled([None], 1)
    items = some_items(120)
    lines = [orjson.dumps({"Item": item}) for item in items]
    BulkWriter(plane(wire), WriteTarget("t", KEYS)).put_lines(lines)
    asked = len(wire.table.asked)
    held = dict(wire.table.items)
    writer = BulkWriter(
        plane(wire), WriteTarget("t", KEYS),
        unchanged=lambda line: held[key_bytes(orjson.loads(line)["Item"], KEYS)] == orjson.loads(line)["Item"],
    )  # fmt: skip
    assert writer.put_lines(lines) == WriteCounts(read=120, unchanged=120)
    assert len(wire.table.asked) == asked


@settings(max_examples=examples(100), deadline=None)
@given(LINES, MOODS, st.integers(), st.integers(1, 40))
def test_a_run_that_stops_anywhere_goes_on_to_the_same_table(
    lines: list[Line], moods: list[Any], seed: int, fatal_after: int
) -> None:
    wire = shuffled(moods, seed)
    usual, left = wire.table.mood, [fatal_after]

    def mood(operation: str, number: int) -> Failure | float | None:
        left[0] -= 1
        return Failure("ExpiredTokenException", "expired", 400) if left[0] == 0 else usual(operation, number)

    wire.table.mood = mood
    target = WriteTarget("t", KEYS)
    settled = WriteCounts()
    for _ in range(2):
        writer = BulkWriter(plane(wire, attempts=1000), target, resumed=settled)
        try:
            writer.put_lines(map(text_of, lines))
        except OpsError as error:
            assert f"{writer.counts.written} items were written" in error.changed
        settled = writer.settled
        settled.check()
    assert settled.read == len(lines)
    assert wire.table.items == {key_bytes(item_of(one), KEYS): item_of(one) for one in lines if not one[1]}


def test_many_batches_are_on_their_way_at_once_and_a_throttle_makes_them_fewer() -> None:
    free = shuffled([None], 3)
    BulkWriter(plane(free), WriteTarget("t", KEYS)).put(some_items(4000))
    assert free.most_seen > 30
    slow = Failure("ThrottlingException", "", 400)
    table = MemoryTable(mood=lambda operation, number: slow if number % 3 == 0 else None)
    throttled = ShuffledTable(table, Random(3))
    assert BulkWriter(plane(throttled), WriteTarget("t", KEYS)).put(some_items(4000)).written == 4000
    assert throttled.most_seen <= FIRST_AT_ONCE


@pytest.mark.parametrize("most", [1, 3])
def test_never_more_are_on_their_way_than_allowed(most: int) -> None:
    wire = shuffled([None], 5)
    BulkWriter(plane(wire), WriteTarget("t", KEYS), most=most).put(some_items(500))
    assert wire.most_seen == most


@settings(max_examples=examples(80), deadline=None)
@given(st.integers(0, 120), st.integers(1, 6), MOODS, st.integers())
def test_a_scan_at_once_reads_each_item_once_parsed_or_raw(
    count: int, segments: int, moods: list[Any], seed: int
) -> None:
    random = Random(seed)

    def mood(operation: str, number: int) -> Failure | None:
        found = random.choice(moods)
        return Failure(found, "", 500) if isinstance(found, str) and random.random() < 0.7 else None

    items = some_items(count)
    table = MemoryTable(mood=mood, items={key_bytes(item, KEYS): item for item in items})
    scan = Scan(plane(ShuffledTable(table, random), attempts=1000), ScanRequest("t", segments=segments))
    assert sorted(key_bytes(item, KEYS) for item in scan.items()) == sorted(table.items)
    raw = Scan(plane(ShuffledTable(table, random), attempts=1000), ScanRequest("t", segments=segments))
    read = [orjson.loads(bytes(item)) for page in raw.raw_pages() for item in page.items]
    assert {key_bytes(item, KEYS): item for item in read} == table.items
    assert raw.counts == scan.counts
    assert len(read) == raw.counts.items == count
