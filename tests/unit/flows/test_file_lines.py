"""Files of items: read whatever they are packed with, every line judged, of each key one line that counts."""

from __future__ import annotations

import base64
import gzip
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.errors import BadArgument, ResourceNotFound, SourceHasBadLines
from ops.flows.file_lines import FileLines, Repeats
from ops.flows.held import held
from ops.flows.item_files import LINE_LIMIT_BYTES, form_of, local_files
from ops.flows.net_lines import Judged
from ops.model.items import Item, KeySchema

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KEYS = KeySchema("pk", "S", "sk", "N")
PACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress}


def item(name: str, number: int, value: str = "x") -> Item:
    return {"pk": {"S": name}, "sk": {"N": str(number)}, "v": {"S": value}}


def line(one: Item) -> bytes:
    return json.dumps({"Item": one}).encode()


def read(path: Path, folder: Path, repeats: Repeats = "last") -> tuple[Judged, list[Item], list[int]]:
    """What was judged, the items to put, and the lines they stand on."""
    lines = FileLines(local_files(path), KEYS, {}, repeats=repeats)
    with held(folder, "newest") as newest:
        judged = lines.judge(newest)
        puts = list(lines.put_lines(judged, newest))
        assert len(puts) == judged.puts
        assert judged.read == judged.puts + judged.superseded + judged.rejected
        assert list(lines.deletions(judged, newest)) == []
        assert [one.problem for one in lines.rejections(judged)] == sorted(judged.problems, key=lambda one: one.line)
    return judged, [orjson.loads(wire)["Item"] for _, _, wire in puts], [number for _, number, _ in puts]


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("last", [b"", b"\n"])
def test_a_file_is_read_whatever_it_is_packed_with(tmp_path: Path, packing: str, last: bytes) -> None:
    path = tmp_path / f"items.jsonl{packing}"
    path.write_bytes(PACK[packing](b"\n".join(line(item("a", number)) for number in range(50)) + last))
    judged, items, numbers = read(path, tmp_path)
    assert (judged.read, judged.puts, judged.units) == (50, 50, 50)
    assert items == [item("a", number) for number in range(50)]
    assert numbers == list(range(1, 51))


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "plain"])
def test_a_damaged_file_is_told_and_no_line_of_it_is_taken_for_the_last(
    tmp_path: Path, packing: str, damage: str
) -> None:
    whole = PACK[packing](b"\n".join(line(item("a", number, "é" * number)) for number in range(200)))
    broken = {
        "cut": whole[:-9],
        "flip": whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:],
        "empty": b"",
        "plain": line(item("a", 1)),
    }[damage]
    path = tmp_path / f"items.jsonl{packing}"
    path.write_bytes(broken)
    if damage == "empty" and packing == ".gz":
        assert read(path, tmp_path)[0].read == 0  # gzip calls nothing at all a whole file: refused as holding no item
        return
    with pytest.raises(SourceHasBadLines, match=packing[1:]):
        read(path, tmp_path)


def test_a_zstd_file_without_its_checksum_is_still_judged_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl.zst"
    path.write_bytes(zstd.compress(line(item("a", 1)) + b"\nno item\n"))
    judged, items, _ = read(path, tmp_path)
    assert (judged.read, judged.rejected, items) == (2, 1, [item("a", 1)])


@pytest.mark.parametrize("seed", range(10))
def test_the_last_line_of_a_key_counts_however_its_number_is_written(tmp_path: Path, seed: int) -> None:
    random, wanted, lines = Random(seed), {}, []
    for number in range(3000):
        key = random.randrange(400)
        text = random.choice([str(key), f"{key}.0", f"+{key}", f"{key}e0"])
        one = {"pk": {"S": "a"}, "sk": {"N": text}, "v": {"N": str(number)}}
        wanted[key] = one
        lines.append(line(one))
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"\n".join(lines))
    judged, items, _ = read(path, tmp_path)
    assert sorted(items, key=str) == sorted(wanted.values(), key=str)
    assert judged.superseded == 3000 - len(wanted)
    strict, firsts, _ = read(path, tmp_path, "reject")
    assert len(firsts) == len(wanted)
    assert strict.rejected == 3000 - len(wanted)
    assert strict.problems[0].reason == "duplicate key: a line before it has the same"


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["9", "10", "1e1", "-1", "0.5", "10.0"]).map(lambda text: {"N": text}),
    st.sampled_from(["", "9", "10", "é", "z", "\U0001f600", "\uffff"]).map(lambda text: {"S": text}),
    st.binary(max_size=2).map(lambda raw: {"B": base64.b64encode(raw).decode()}),
    st.sampled_from([None, {"BOOL": True}, {"NULL": True}, {"L": []}, {"M": {}}, {"SS": ["x"]}]),
)


def as_the_table_decides(values: list[Any]) -> int:
    """Which of the values stays when each is put, in turn, only over a smaller one or none."""
    stays = 0
    for at, value in enumerate(values[1:], 1):
        held = values[stays] or {}
        if not held.keys() & {"S", "N", "B"}:
            stays = at
        elif value is not None and value.keys() == held.keys():
            [(kind, new)], [old] = value.items(), held.values()
            order: Any = {"N": Decimal, "S": str.encode, "B": base64.b64decode}[kind]
            stays = at if order(new) > order(old) else stays
    return stays


@given(given=st.lists(st.tuples(st.integers(0, 2), VALUES), min_size=1, max_size=12))
def test_where_the_newest_is_asked_for_not_the_last_line_of_a_key_counts_but_the_newest(
    tmp_path_factory: Any, given: list[tuple[int, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("newer")
    path = folder / "items.jsonl"
    texts = [{**item("a", number), **({} if value is None else {"at": value})} for number, value in given]
    path.write_bytes(b"\n".join(map(line, texts)))
    lines = FileLines(local_files(path), KEYS, {}, newer_by="at")
    with held(folder, "newest") as newest:
        judged = lines.judge(newest)
        puts = [number for _, number, _ in lines.put_lines(judged, newest)]
    wanted = []
    for key in {number for number, _ in given}:
        places = [at for at, (number, _) in enumerate(given, 1) if number == key]
        wanted.append(places[as_the_table_decides([given[at - 1][1] for at in places])])
    assert puts == sorted(wanted)
    assert (judged.puts, judged.read, judged.rejected) == (len(wanted), len(given), 0)


def test_unusable_lines_are_named_and_the_others_count(tmp_path: Path) -> None:
    bad = [
        b"", b"{", b"\xef\xbb\xbf" + line(item("a", 1)), line(item("a", 1)) + b"\r", b'{"Item":[]}',
        line({"pk": {"S": "a"}}), line({**item("a", 1), "sk": {"S": "1"}}), line(item("a", 1, "x" * 410_000)),
        line({**item("a", 1), "n": {"N": "1" * 39}}), b'{"Item":{"pk":{"S":"a"}}} trailing',
    ]  # fmt: skip
    lines = [line(item("good", 1)), *bad, line(item("good", 2))]
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"\n".join(lines))
    judged, items, numbers = read(path, tmp_path)
    assert items == [item("good", 1), item("good", 2)]
    assert numbers == [1, len(lines)]
    assert [one.line for one in judged.problems] == list(range(2, len(lines)))
    assert judged.rejected == len(bad)


@pytest.mark.parametrize(
    "bad",
    [
        b'{"Item":{"pk":{"S":"a"},"sk":{"N":"1"}},"Item":{"pk":{"S":"b"},"sk":{"N":"1"}}}',
        b'{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"1"},"v":{"S":"2"}}}',
        b'{"Item":{"pk":{"S":"a"},"sk":{"N":"1","N":"1"}}}',
        b'{"Item": {"pk": {"S": "a"}, "sk": {"N": "1"}, "m": {"M": {"x": {"S": "1"}, "x": {"S": "1"}}}}}',
        b'{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"\\u00e9\\""},"v":{"S":"2"}}}',
        b'{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"1"},"\\u0076":{"S":"2"}}}',
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "dynamodb-json"])
def test_no_item_and_no_value_of_an_export_line_is_dropped_for_a_name_that_stands_twice(
    tmp_path: Path, bad: bytes, form: Any
) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(line(item("good", 1)) + b"\n" + bad)
    lines = FileLines(local_files(path, form), KEYS, {})
    with held(tmp_path, "newest") as newest:
        judged = lines.judge(newest)
    assert (judged.puts, judged.rejected) == (1, 1)
    assert "twice" in judged.problems[0].reason


def test_a_line_without_an_end_is_told_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl.gz"
    path.write_bytes(
        gzip.compress(line(item("a", 1)) + b"\n" + b"x" * (3 * LINE_LIMIT_BYTES) + b"\n" + line(item("a", 2)))
    )
    judged, items, numbers = read(path, tmp_path)
    assert items == [item("a", 1), item("a", 2)]
    assert numbers == [1, 3]
    assert [(one.line, one.reason) for one in judged.problems] == [(2, f"longer than {LINE_LIMIT_BYTES} bytes")]


def test_a_csv_header_is_no_line_that_was_read(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(b'pk,sk,v\na,1,"two\nlines"\na,x,\na,2,\n')
    judged, items, numbers = read(path, tmp_path)
    assert items == [item("a", 1, "two\nlines"), {"pk": {"S": "a"}, "sk": {"N": "2"}}]
    assert (judged.read, judged.rejected, numbers) == (3, 1, [2, 5])


@pytest.mark.parametrize("ended", [False, True])
def test_each_line_that_a_stray_quotation_mark_swallows_is_a_line_that_is_lost(tmp_path: Path, ended: bool) -> None:
    path = tmp_path / "items.csv"
    rows = [b"a,%d,x" % number for number in range(100)]
    rows[10] = b'a,10,"x'
    rows[60] = rows[60] + b'"' * ended
    path.write_bytes(b"pk,sk,v\n" + b"\n".join(rows) + b"\n")
    judged, items, _ = read(path, tmp_path)
    # A closed cell may hold line feeds: that these belong to no value, nobody can see.
    lost = 0 if ended else 90
    assert (judged.read, judged.puts, judged.rejected) == ((50, 50, 0) if ended else (100, 10, lost))
    assert len(items) == judged.puts


def test_a_cell_that_does_not_end_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(b"pk,sk,v\n" + b'a,1,"x\n' + b"a,2,y\n" * 1_000_000)
    with pytest.raises(SourceHasBadLines, match=r"line 2: a quotation mark opens a cell that does not end"):
        read(path, tmp_path)


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(line(item("a", 1)))
    lines = FileLines(local_files(path), KEYS, {})
    with held(tmp_path, "newest") as newest:
        judged = lines.judge(newest)
        path.write_bytes(line(item("a", 1)) + b"\n" + line(item("b", 1)))
        with pytest.raises(BadArgument, match="changed while it was read"):
            list(lines.put_lines(judged, newest))


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("later", [b"{", b"x", b'{"Item":{}}', b'{"Item":[]}', b'{"Item":{"pk":1,"sk":1}}', b"gone"])
def test_a_line_that_became_none_after_it_was_judged_is_told_as_a_changed_file(
    tmp_path: Path, later: bytes, twice: bool
) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"\n".join([line(item("a", 1)), line(item("b", 1)), line(item("a" if twice else "c", 1))]))
    lines = FileLines(local_files(path), KEYS, {})
    with held(tmp_path, "newest") as newest:
        judged = lines.judge(newest)
        path.write_bytes(line(item("a", 1)) + b"\n" + later)
        if later == b"gone":
            path.unlink()
        with pytest.raises(BadArgument, match=r"changed while it was read|cannot be read"):
            list(lines.put_lines(judged, newest))


def test_a_file_that_cannot_be_read_is_told() -> None:
    lines = FileLines(local_files(Path("/proc/self/mem"), "jsonl"), KEYS, {})
    with pytest.raises(BadArgument, match="/proc/self/mem cannot be read"):
        list(lines.rejections(Judged()))


def test_more_unusable_lines_than_are_listed_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"x\n" * 10_050)
    lines: Any = FileLines(local_files(path), KEYS, {})
    with held(tmp_path, "newest") as newest:
        judged = lines.judge(newest)
    assert (judged.read, judged.rejected, len(judged.problems), judged.listed_all) == (10_050, 10_050, 10_000, False)


def test_the_form_is_told_by_the_name() -> None:
    assert [form_of(name) for name in ("a.jsonl", "a.json.gz", "a.ndjson.zst", "a.csv", "a.csv.gz")] == [
        "jsonl", "jsonl", "jsonl", "csv", "csv",
    ]  # fmt: skip
    for name in ("a.txt", "a.gz", "jsonl", "a.jsonl.bz2"):
        with pytest.raises(BadArgument, match="not clear from its name"):
            form_of(name)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ResourceNotFound, match="no file"):
        local_files(tmp_path / "nothing.jsonl")
