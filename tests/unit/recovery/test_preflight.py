"""Every line of an import's source is judged, named, and never quoted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.model.items import KeySchema
from ops.recovery import preflight as module
from ops.recovery.preflight import keys_of, preflight
from tests.unit.recovery.kit import DATA, document

CASES = sorted(path for path in (DATA / "preflight").glob("*.json"))
KEYS, INDEX_KEYS = keys_of(document())


def lines_of(path: Path) -> Iterator[tuple[str, int, bytes]]:
    for number, raw in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        yield path.name, number, raw


def test_the_declared_keys_are_what_is_judged() -> None:
    assert KeySchema("artist_id", "S", "id", "S") == KEYS
    assert {"genre_index": KeySchema("genre", "S", "year", "N")} == INDEX_KEYS


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_source_is_judged_line_by_line(case: Path) -> None:
    wanted = json.loads(case.read_text())
    source = case.with_suffix("." + wanted["form"])
    found = preflight(lines_of(source), KEYS, INDEX_KEYS, wanted["form"])
    assert (found.read, found.accepted, found.distinct_keys) == (
        wanted["read"], wanted["accepted"], wanted["distinct_keys"],
    )  # fmt: skip
    assert [one.line for one in found.problems] == [line for line, _ in wanted["problems"]]
    for one, (_, reason) in zip(found.problems, wanted["problems"], strict=True):
        assert one.reason.startswith(reason)
        assert one.source == source.name
    assert found.read == found.accepted + found.rejected
    assert found.accepted == found.distinct_keys + found.duplicates
    assert found.clean == (not wanted["problems"])


def item_line(**members: Any) -> bytes:
    return json.dumps({"Item": {"artist_id": {"S": "a"}, "id": {"S": "t"}, **members}}).encode()


SECRET = "hunter2"


@pytest.mark.parametrize(
    "raw",
    [
        item_line(n={"N": SECRET}),
        item_line(n={"N": f"1{SECRET}\n"}),
        item_line(n={"NS": ["1", SECRET]}),
        item_line(n={"B": f"!{SECRET}"}),
        item_line(n={SECRET: "x"}),
        item_line(m={"M": {"deep": {"L": [{"N": SECRET}]}}}),
        item_line(id={"N": SECRET}),
        f'{{"Item": {SECRET}'.encode(),
        SECRET.encode(),
    ],
)
def test_no_reason_quotes_a_value(raw: bytes) -> None:
    found = preflight(iter([("s", 1, raw)]), KEYS, INDEX_KEYS, "dynamodb-json")
    assert found.rejected == 1
    assert SECRET not in found.problems[0].reason


@pytest.mark.parametrize("form", ["dynamodb-json", "jsonl"])
@pytest.mark.parametrize("name", ["x", "\\u0078"])
@pytest.mark.parametrize("value", ["{{}}", '{{"S":"1"}}', '{{"S":"\\""}}'])
def test_a_name_that_stands_twice_is_named_before_a_value_is_lost(form: Any, name: str, value: str) -> None:
    one = '"artist_id":{"S":"a"},"id":{"S":"t"}'
    texts = (
        f'{{"Item":{{{one},"{name}":{value.format()},"x":{{"S":"2"}}}}}}',
        f'{{"Item": {{{one}, "x":{{"M":{{"{name}":{value.format()},"x":{{"S":"2"}}}}}}}}}}',
        f'{{"Item":{{{one}}},"Item":{{{one},"{name}":{{"S":"1"}}}}}}',
    )
    found = preflight(iter([("s", at, text.encode()) for at, text in enumerate(texts)]), KEYS, INDEX_KEYS, form)
    assert [one.reason.partition(" names ")[2] for one in found.problems] == ["'x' twice", "'x' twice", "'Item' twice"]


def test_escapes_and_spaces_do_not_make_a_line_unusable() -> None:
    texts = (
        '{"Item":{"artist_id":{"S":"\\u0061"},"id":{"S":"1\\/\\"\\ud83d\\ude00"}}}',
        ' { "Item" : { "artist_id" : { "S" : "a" } , "id" : { "S" : "2" } } } ',
        '{"Item":{"artist_id":{"S":"é"},"id":{"S":"\\u00e9"},"x":{"S":"x"},"X":{"S":"x"}}}',
    )
    found = preflight(iter([("s", at, text.encode()) for at, text in enumerate(texts)]), KEYS, INDEX_KEYS, "jsonl")
    assert (found.accepted, found.problems) == (3, ())


def test_an_item_above_400_kb_is_named() -> None:
    fits = 409_600 - len("artist_idaidtx")
    for size, rejected in ((fits, 0), (fits + 1, 1)):
        found = preflight(iter([("s", 1, item_line(x={"S": "x" * size}))]), KEYS, INDEX_KEYS, "dynamodb-json")
        assert found.rejected == rejected


def test_duplicates_across_objects_are_named_with_both_places() -> None:
    lines = [("one", 1, item_line()), ("two", 7, item_line(n={"N": "1"}))]
    found = preflight(iter(lines), KEYS, INDEX_KEYS, "dynamodb-json")
    assert (found.accepted, found.distinct_keys, found.duplicates) == (2, 1, 1)
    assert (found.problems[0].source, found.problems[0].line) == ("two", 7)
    assert "also in one, line 1" in found.problems[0].reason


def test_one_key_written_in_two_ways_is_a_duplicate() -> None:
    keys = KeySchema("k", "N", "b", "B")
    rows = [{"k": {"N": number}, "b": {"B": "AP8="}} for number in ("1", "1.0", "1E0", "2")]
    lines = [("s", at, json.dumps({"Item": row}).encode()) for at, row in enumerate(rows, start=1)]
    found = preflight(iter(lines), keys, {}, "dynamodb-json")
    assert (found.distinct_keys, found.duplicates) == (2, 2)


def test_keys_are_not_glued_together() -> None:
    rows = [("ab", "c"), ("a", "bc")]
    lines = [("s", 1, item_line(artist_id={"S": left}, id={"S": right})) for left, right in rows]
    assert preflight(iter(lines), KEYS, {}, "dynamodb-json").duplicates == 0


def test_more_problems_than_can_be_listed_are_still_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LISTED_PROBLEMS", 3)
    found = preflight((("s", at, b"x") for at in range(1, 11)), KEYS, {}, "dynamodb-json")
    assert (found.read, found.rejected, len(found.problems), found.listed_all) == (10, 10, 3, False)


def test_given_headers_make_the_first_line_data() -> None:
    lines = [("one", 1, b"a;t1"), ("two", 1, b"a;t2")]
    found = preflight(iter(lines), KEYS, {}, "csv", delimiter=";", headers=["artist_id", "id"])
    assert (found.read, found.accepted, found.problems) == (2, 2, ())


def test_each_csv_object_has_its_own_header() -> None:
    lines = [("one", 1, b"artist_id,id"), ("one", 2, b"a,t1"), ("two", 1, b"id,artist_id"), ("two", 2, b"t2,a")]
    found = preflight(iter(lines), KEYS, {}, "csv")
    assert (found.read, found.distinct_keys, found.problems) == (2, 2, ())


def test_lines_are_taken_one_by_one() -> None:
    """The source is never read ahead: memory does not grow with it."""
    alive = 0

    def source() -> Iterator[tuple[str, int, bytes]]:
        nonlocal alive
        for at in range(1, 2001):
            alive += 1
            yield "s", at, item_line(id={"S": f"t{at}"}, filler={"S": "x" * 100})
            alive -= 1

    counted = []

    def watched() -> Iterator[tuple[str, int, bytes]]:
        for line in source():
            counted.append(alive)
            yield line

    found = preflight(watched(), KEYS, INDEX_KEYS, "dynamodb-json")
    assert (found.accepted, max(counted)) == (2000, 1)
