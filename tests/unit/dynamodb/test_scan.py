"""A scan ends only at its end; each item comes once; a reader that stops can go on later."""

from __future__ import annotations

import threading
from itertools import islice
from typing import Any

import pytest

from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.query import QueryRequest, get_items, query
from ops.dynamodb.retry import Failure
from ops.dynamodb.scan import Cursor, Scan, ScanRequest
from ops.dynamodb.write import key_bytes
from ops.errors import BadResponse, NotAllowed, Throttled
from ops.model.items import Item
from tests.unit.dynamodb.kit import KEYS, MemoryTable, Scripted, StillClock, plane, some_items


def filled(count: int, **given: Any) -> MemoryTable:
    return MemoryTable(items={key_bytes(item, KEYS): item for item in some_items(count)}, **given)


def keys_of(items: list[Item]) -> list[bytes]:
    return sorted(key_bytes(item, KEYS) for item in items)


@pytest.mark.parametrize("segments", [1, 2, 4, 7])
@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_each_item_comes_exactly_once(segments: int, count: int) -> None:
    table = filled(count)
    scan = Scan(plane(table), ScanRequest("t", segments=segments))
    assert keys_of(list(scan.items())) == sorted(table.items)
    assert scan.counts.items == scan.counts.scanned == count
    assert scan.counts.pages == len(table.asked)
    assert all(cursor.done for cursor in scan.cursors)


def page(key: str | None, *names: str) -> dict[str, Any]:
    found: dict[str, Any] = {"Count": len(names), "ScannedCount": 9, "Items": [{"pk": {"S": name}} for name in names]}
    return found if key is None else {**found, "LastEvaluatedKey": {"pk": {"S": key}}}


def test_an_empty_page_with_a_key_is_not_the_end() -> None:
    script = Scripted([page("a"), page("b"), page(None, "c")])
    items = list(Scan(plane(script), ScanRequest("t", segments=1)).items())
    assert items == [{"pk": {"S": "c"}}]
    assert [asked.get("ExclusiveStartKey") for _, asked in script.asked] == [
        None,
        {"pk": {"S": "a"}},
        {"pk": {"S": "b"}},
    ]


@pytest.mark.parametrize("loop", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
def test_a_key_that_comes_twice_ends_the_scan_with_an_error(loop: list[str]) -> None:
    script = Scripted([page(key, key) for key in loop])
    with pytest.raises(BadResponse):
        list(Scan(plane(script), ScanRequest("t", segments=1)).items())
    assert len(script.asked) == len(loop)


@pytest.mark.parametrize("loop", [["a", "a"], ["a", "b", "a"]])
def test_a_query_that_loops_ends_with_an_error(loop: list[str]) -> None:
    script = Scripted([page(key, key) for key in loop])
    with pytest.raises(BadResponse):
        list(query(plane(script), QueryRequest("t", KEYS, {"S": "x"})))


@pytest.mark.parametrize("segments", [1, 3])
def test_the_failure_of_a_segment_is_the_failure_of_the_scan(segments: int) -> None:
    denied = Failure("AccessDeniedException", "no", 400)
    table = filled(60, mood=lambda operation, number: denied if number == 5 else None)
    with pytest.raises(NotAllowed):
        list(Scan(plane(table), ScanRequest("t", segments=segments)).items())


def test_throttles_are_waited_out_and_nothing_is_lost() -> None:
    slow = Failure("ProvisionedThroughputExceededException", "slow", 400)
    clock = StillClock()
    table = filled(30, mood=lambda operation, number: slow if number % 3 else None)
    items = list(Scan(plane(table, clock), ScanRequest("t", segments=2)).items())
    assert keys_of(items) == sorted(table.items)
    assert len(clock.slept) > 0


@pytest.mark.parametrize("used", [0, 1, 3, 4, 17, 48])
@pytest.mark.parametrize("segments", [1, 3])
def test_a_scan_that_was_left_goes_on_without_losing_an_item(used: int, segments: int) -> None:
    table = filled(50)
    first = Scan(plane(table), ScanRequest("t", segments=segments))
    stream = first.items()
    seen = list(islice(stream, used))
    stream.close()
    kept = tuple(Cursor(one.segment, one.start, one.done) for one in first.cursors)
    rest = list(Scan(plane(table), ScanRequest("t", segments=segments), cursors=kept).items())
    assert {*keys_of(seen), *keys_of(rest)} == set(table.items)
    assert len(seen) + len(rest) <= 50 + segments * table.page


@pytest.mark.parametrize("segments", [1, 3, 4])
def test_a_scan_does_not_go_on_with_one_of_another_number_of_segments(segments: int) -> None:
    """DynamoDB parts a table anew by each number: the cursors would skip items and repeat others."""
    first = Scan(plane(filled(50)), ScanRequest("t", segments=2))
    next(first.items())
    with pytest.raises(ValueError, match="2 cursors"):
        list(Scan(plane(filled(50)), ScanRequest("t", segments=segments), cursors=first.cursors).items())
    with pytest.raises(ValueError, match="2 cursors"):
        list(Scan(plane(filled(50)), ScanRequest("t", segments=2), cursors=(Cursor(0), Cursor(0))).items())


@pytest.mark.parametrize("segments", [2, 5])
def test_processes_that_share_the_segments_read_every_item_once(segments: int) -> None:
    shares = [tuple(range(number, segments, 2)) for number in range(2)]
    found = []
    for share in shares:
        reading = Scan(plane(filled(50)), ScanRequest("t", segments=segments, share=share))
        found += list(reading.items())
        assert [cursor.segment for cursor in reading.cursors] == list(share)
    assert sorted(key_bytes(one, KEYS) for one in found) == sorted(key_bytes(one, KEYS) for one in some_items(50))
    first = Scan(plane(filled(50)), ScanRequest("t", segments=segments, share=shares[0]))
    next(first.items())
    with pytest.raises(ValueError, match="cannot go on"):
        list(Scan(plane(filled(50)), ScanRequest("t", segments=segments), cursors=first.cursors).items())


def test_a_finished_scan_has_nothing_to_go_on_with() -> None:
    done = (Cursor(0, None, True), Cursor(1, None, True))
    assert list(Scan(plane(filled(9)), ScanRequest("t", segments=2), cursors=done).items()) == []


def test_a_reader_that_leaves_stops_the_segments() -> None:
    table = filled(5000)
    stream = Scan(plane(table), ScanRequest("t", segments=4)).items()
    next(stream)
    stream.close()
    for thread in threading.enumerate():
        if thread.name.startswith("scan-"):
            thread.join(2)
            assert not thread.is_alive()
    assert len(table.asked) < 30


def test_the_capacity_limit_holds_the_scan_back() -> None:
    clock = StillClock()
    table = filled(30)
    limit = CapacityLimit(2.0, clock)
    scan = Scan(plane(table, clock), ScanRequest("t", segments=1), limit)
    assert len(list(scan.items())) == 30
    assert scan.counts.capacity == 10.0
    assert sum(clock.slept) == pytest.approx(4.5)  # ten units at two a second; the last one is not waited for


def test_keys_are_read_in_batches_and_unprocessed_ones_again() -> None:
    table = filled(230, mood=lambda operation, number: 0.5 if number % 2 else None)
    wanted = [{name: item[name] for name in KEYS.names} for item in some_items(240)]
    found = list(get_items(plane(table), "t", wanted))
    assert keys_of(found) == sorted(table.items)


def test_keys_that_are_never_processed_end_in_a_throttle() -> None:
    table = filled(5, mood=lambda operation, number: 1.0)
    with pytest.raises(Throttled):
        list(get_items(plane(table), "t", [{name: item[name] for name in KEYS.names} for item in some_items(5)]))


MINE, OTHER = ({name: item[name] for name in KEYS.names} for item in some_items(2))


@pytest.mark.parametrize(
    "answer",
    [
        {"Responses": {}, "UnprocessedKeys": {}},
        {"Responses": {"another": []}, "UnprocessedKeys": {}},
        {"Responses": {"t": [], "another": []}, "UnprocessedKeys": {}},
        {"Responses": {"t": [OTHER]}, "UnprocessedKeys": {}},
        {"Responses": {"t": [MINE, MINE]}, "UnprocessedKeys": {}},
        {"Responses": {"t": [MINE]}, "UnprocessedKeys": {"t": {"Keys": [MINE]}}},
        {"Responses": {"t": []}, "UnprocessedKeys": {"t": {"Keys": [OTHER]}}},
        {"Responses": {"t": []}, "UnprocessedKeys": {"another": {"Keys": [MINE]}}},
        {"Responses": {"t": [{"pk": {"S": "a"}}]}, "UnprocessedKeys": {}},
        {"Responses": {"t": ["x"]}, "UnprocessedKeys": {}},
        {"Responses": {"t": None}, "UnprocessedKeys": {}},
        {"Responses": {"t": []}, "UnprocessedKeys": {"t": {}}},
        {"Responses": {"t": []}, "UnprocessedKeys": {"t": None}},
    ],
)
def test_an_answer_that_does_not_speak_of_the_keys_is_not_taken_for_their_absence(answer: dict[str, Any]) -> None:
    with pytest.raises(BadResponse):
        list(get_items(plane(Scripted([answer])), "t", [MINE]))


def test_keys_without_an_item_are_absent_where_the_answer_names_the_table() -> None:
    left_open = {"Responses": {}, "UnprocessedKeys": {"t": {"Keys": [OTHER]}}}
    script = Scripted([left_open, {"Responses": {"t": []}, "UnprocessedKeys": {}}])
    assert list(get_items(plane(script), "t", [OTHER])) == []
    assert len(script.asked) == 2


def test_a_key_in_another_notation_is_the_key_that_was_asked_for() -> None:
    asked = {**MINE, "sk": {"N": MINE["sk"]["N"] + ".0"}}
    script = Scripted([{"Responses": {"t": [MINE]}, "UnprocessedKeys": {}}])
    assert list(get_items(plane(script), "t", [asked])) == [MINE]


def test_projected_paths_never_stand_in_the_expression_themselves() -> None:
    script = Scripted([page(None)])
    request = ScanRequest("t", segments=1, fields=("name", "album.year", "tags[0].name"))
    list(Scan(plane(script), request).items())
    [(_, asked)] = script.asked
    assert asked["ProjectionExpression"] == "#p0, #p1.#p2, #p3[0].#p0"
    assert asked["ExpressionAttributeNames"] == {"#p0": "name", "#p1": "album", "#p2": "year", "#p3": "tags"}
