"""A file of export lines is whole or it is not there; what is not one whole gzip stream is never taken for one."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import orjson
import pytest

from ops.dynamodb.answers import RawPage, checked_page
from ops.dynamodb.lines import export_lines, read_lines, write_lines
from ops.dynamodb.retry import Failure
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.write import key_bytes
from ops.errors import NotAllowed
from tests.unit.dynamodb.kit import KEYS, MemoryTable, plane, some_items, some_lines
from tests.unit.dynamodb.test_transport import answer


def filled(count: int, **given: Any) -> MemoryTable:
    return MemoryTable(items={key_bytes(item, KEYS): item for item in some_items(count)}, **given)


@pytest.mark.parametrize("count", [0, 1, 100])
def test_what_was_scanned_is_what_is_read_from_the_file(tmp_path: Path, count: int) -> None:
    table = filled(count)
    scan = Scan(plane(table), ScanRequest("t", segments=3))
    path = tmp_path / "items.json.gz"
    written = write_lines(scan, path)
    assert (written.items, written.size_bytes) == (count, path.stat().st_size)
    assert scan.counts.items == count
    with path.open("rb") as file:
        items = [orjson.loads(line)["Item"] for line in read_lines(file)]
    assert {key_bytes(item, KEYS): item for item in items} == table.items
    assert sorted(gzip.decompress(path.read_bytes()).splitlines(keepends=True)) == sorted(some_lines(items))
    assert all(cursor.done for cursor in scan.cursors)


def test_a_scan_that_fails_leaves_no_file(tmp_path: Path) -> None:
    denied = Failure("AccessDeniedException", "no", 400)
    table = filled(60, mood=lambda operation, number: denied if number == 9 else None)
    with pytest.raises(NotAllowed):
        write_lines(Scan(plane(table), ScanRequest("t", segments=2)), tmp_path / "items.json.gz")
    assert list(tmp_path.iterdir()) == []


def damaged(kind: str) -> bytes:
    whole = gzip.compress(b"".join(some_lines(some_items(2000))), mtime=0)
    if kind.startswith("cut"):
        return whole[: len(whole) * int(kind[3:]) // 100]
    if kind == "flipped":
        return whole[:500] + bytes([whole[500] ^ 16]) + whole[501:]
    if kind == "size":
        return whole[:-4] + b"\0\0\0\1"
    return {"text": b"{}", "followed": whole + b"x"}[kind]


@pytest.mark.parametrize("kind", ["cut1", "cut50", "cut99", "flipped", "size", "text", "followed"])
def test_a_damaged_file_is_an_error_before_its_end_is_believed(kind: str) -> None:
    with pytest.raises(ValueError, match="whole gzip stream"):
        list(read_lines(io.BytesIO(damaged(kind))))


def test_a_file_of_several_members_is_read_whole() -> None:
    lines = some_lines(some_items(300))
    packed = gzip.compress(b"".join(lines[:100])) + gzip.compress(b"".join(lines[100:]))
    assert list(read_lines(io.BytesIO(packed))) == lines


def page(document: dict[str, Any]) -> RawPage:
    return checked_page("Scan", answer(document))


def test_items_are_handed_on_as_the_bytes_that_arrived() -> None:
    item = b'{"pk":{"S":"\\u00e9"},"sk":{"N":"1.50"}}'
    body = b'{"Count":1,"ScannedCount":3,"Items":[%s],"ConsumedCapacity":{"CapacityUnits":2.5}}' % item
    from ops.dynamodb.answers import Answer

    found = checked_page("Scan", Answer(200, {}, body))
    assert export_lines(found) == b'{"Item":%s}\n' % item
    assert (found.scanned, found.capacity, found.next_key) == (3, 2.5, None)


def test_an_indented_answer_still_gives_one_line_an_item() -> None:
    from ops.dynamodb.answers import Answer

    document = {"Count": 2, "ScannedCount": 2, "Items": some_items(2), "LastEvaluatedKey": {"pk": {"S": "a"}}}
    found = checked_page("Scan", Answer(200, {}, orjson.dumps(document, option=orjson.OPT_INDENT_2)))
    assert export_lines(found) == b"".join(some_lines(some_items(2)))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"Count": 0, "ScannedCount": 0},
        {"Count": 2, "ScannedCount": 2, "Items": [{}]},
        {"Count": 1, "ScannedCount": 0, "Items": [{}]},
        {"Count": 0, "ScannedCount": 0, "Items": None},
        {"Count": 1, "ScannedCount": 1, "Items": ["x"]},
        {"Count": 1, "ScannedCount": 1, "Items": [[]]},
        {"Count": "1", "ScannedCount": 1, "Items": [{}]},
        {"Count": 0, "ScannedCount": 0, "Items": [], "LastEvaluatedKey": {}},
        {"Count": 0, "ScannedCount": 0, "Items": [], "LastEvaluatedKey": None},
    ],
)
def test_a_page_without_its_members_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(Failure) as caught:
        page(document)
    assert caught.value.code == "MissingMembers"
    assert caught.value.repeatable


@pytest.mark.parametrize("with_length", [True, False])
def test_a_page_cut_at_any_byte_is_never_a_page(with_length: bool) -> None:
    from ops.dynamodb.answers import Answer

    whole = answer({"Count": 2, "ScannedCount": 2, "Items": some_items(2), "LastEvaluatedKey": {"pk": {"S": "a"}}})
    headers = {"content-length": str(len(whole.body))} if with_length else {}
    for cut in range(len(whole.body)):
        with pytest.raises(Failure) as caught:
            checked_page("Scan", Answer(200, headers, whole.body[:cut]))
        assert caught.value.repeatable


def test_without_a_checksum_texts_that_are_no_utf8_are_refused() -> None:
    from ops.dynamodb.answers import Answer

    body = b'{"Count":1,"ScannedCount":1,"Items":[{"pk":{"S":"\xff"}}]}'
    with pytest.raises(Failure) as caught:
        checked_page("Scan", Answer(200, {}, body))
    assert caught.value.code == "NotJson"


def test_a_refusal_of_a_page_is_told_by_its_code() -> None:
    with pytest.raises(Failure) as caught:
        checked_page("Scan", answer({"__type": "x#ThrottlingException", "message": "slow"}, 400))
    assert caught.value.throttled
