"""Bounded memory, seals that do not agree with themselves, and second looks at live tables."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ops.errors import RunFolderUnusable
from ops.model.items import Item
from ops.model.proof import SideInfo
from ops.verify import compare as compare_module
from ops.verify import merge
from ops.verify.compare import TtlRule, compare
from ops.verify.details import Notes
from ops.verify.fingerprint import Record, TableDigest, digest, recorder
from ops.verify.merge import differences
from ops.verify.seal import Seal, SealSubject, read_records, seal_of, write_records
from ops.verify.sides import LinesSide, RecordsSide
from ops.verify.spill import FAULT, NOWHERE, PARTS, ROW, Row, Spill, SpillFile
from ops.verify.worker import BorrowedRows
from tests.unit.verify.live import KEYS, Live, some_items

NOW = 1_800_000_000


def records(count: int) -> list[Record]:
    return list(map(recorder(KEYS), some_items(count)))


def odd_records() -> list[Record]:
    """Every form a record can have."""
    bare = Record(digest(b"ops.key.v1", b"x"), digest(b"ops.item.v1", b"x"))
    return [bare, bare._replace(expires=0), bare._replace(expires=-5, key_json=b""), bare._replace(fault="why é")]


def rows(count: int) -> list[Row]:
    return [Row(record.key, record.item, number * 7) for number, record in enumerate(records(count))]


@pytest.mark.parametrize("limit", [0, 1000, 1 << 30])
def test_a_spill_gives_back_what_it_was_given_on_disk_or_not(limit: int, tmp_path: Path) -> None:
    given = [*rows(300), Row(b"\0" * 32, b"\xff" * 32, NOWHERE), Row(b"\xff" * 32, b"\0" * 32, FAULT | 5)]
    with Spill(tmp_path, memory_limit_bytes=limit) as spill:
        for row in given:
            spill.add(*row)
        assert spill.count == len(given)
        assert sorted(spill) == sorted(given)
        assert sorted(spill) == sorted(given), "a second reading gives the same"
        for part in range(PARTS):
            assert {key[0] for key, _, _ in ROW.iter_unpack(spill.part(part))} <= {part}
            assert spill.part_bytes(part) == len(spill.part(part)) == sum(map(len, spill.pieces(part)))
        assert len(list(tmp_path.iterdir())) == (limit < 1 << 30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [0, 1000, 1 << 30])
def test_a_spill_takes_over_the_rows_of_others_and_lends_its_own(limit: int, tmp_path: Path) -> None:
    given = sorted(rows(90))
    other, own = Spill(tmp_path, memory_limit_bytes=limit), Spill(tmp_path, memory_limit_bytes=limit)
    for number, row in enumerate(given):
        (other if number % 3 else own).add(*row)
    handed = SpillFile.from_data(json.loads(json.dumps(other.hand_over().to_data())))
    with own:
        own.adopt(handed, other.count)
        assert own.count == 90
        assert sorted(own) == given
        lent = own.files()
        with BorrowedRows(lent) as borrowed:
            assert sorted(ROW.iter_unpack(b"".join(map(borrowed.part, range(PARTS))))) == given
        assert sorted(own) == given, "what was lent is still there"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [0, 1000, 1 << 30])
def test_a_part_is_parted_again_by_the_next_byte(limit: int, tmp_path: Path) -> None:
    given = [row._replace(key=bytes([7, number % 3]) + row.key[2:]) for number, row in enumerate(rows(60))]
    with Spill(tmp_path, memory_limit_bytes=limit, depth=1) as spill:
        spill.extend_packed(b"".join(ROW.pack(*row) for row in given[:50]))
        for row in given[50:]:
            spill.add(*row)
        assert spill.count == 60
        assert sorted(spill) == sorted(given)
        assert [spill.part_bytes(number) // ROW.size for number in range(4)] == [20, 20, 20, 0]


def test_memory_of_a_merge_does_not_grow_with_the_size_of_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "_PARTED_BYTES", 50_000)
    count, made = 20_000, Random(1)
    with Spill(tmp_path, memory_limit_bytes=100_000) as left, Spill(tmp_path, memory_limit_bytes=100_000) as right:
        for number in range(count):
            key = b"\5" + made.randbytes(31)
            left.add(key, key, number)
            right.add(key, key if number else b"x" * 32, number)
        files = len(list(tmp_path.iterdir()))
        tracemalloc.start()
        try:
            [found] = merge.differences(left, right, at_once=1_000, folder=tmp_path)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert (found.kind, found.found and found.found.item) == ("changed", b"x" * 32)
        assert peak_bytes < count * ROW.size / 2, "less than a quarter of both sides"
        assert len(list(tmp_path.iterdir())) == files, "nothing is left behind"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells the memory of a process so")
def test_keys_that_are_kept_take_no_more_memory_than_they_are_long() -> None:
    code = """
from pathlib import Path
from ops.model.items import KeySchema
from ops.verify.canonical import canonical_key
def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])
keys, before = KeySchema("pk"), pages()
kept = [canonical_key({"pk": {"S": f"k{number}"}}, keys) for number in range(20_000)]
print(pages() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) * os.sysconf("SC_PAGE_SIZE") < 20_000_000


@pytest.mark.parametrize("limit", [0, 200, 1 << 30])
def test_notes_tell_what_they_were_told(limit: int, tmp_path: Path) -> None:
    given = [*records(20), *odd_records()]
    notes = Notes(tmp_path, memory_limit_bytes=limit)
    kept = [Row(record.key, record.item, notes.add(record)) for record in given]
    assert [bool(row.place & FAULT) for row in kept] == [bool(record.fault) for record in given]
    told = notes.records(reversed(kept))
    assert [told[row.place] for row in kept] == given
    notes.close()
    assert list(tmp_path.iterdir()) == []


def test_notes_that_a_full_disk_does_not_take_are_told_when_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(RunFolderUnusable, match="cannot hold the records"):
        Notes(memory_limit_bytes=0).add(records(1)[0])


def test_notes_may_be_read_between_being_written(tmp_path: Path) -> None:
    notes, kept = Notes(tmp_path, memory_limit_bytes=0), []
    for record in records(4):
        kept.append(Row(record.key, record.item, notes.add(record)))
        assert list(notes.records(kept[:1]).values()) == records(1)
    assert list(notes.records(kept).values()) == records(4)
    notes.close()


@pytest.mark.parametrize("limit", [0, 100, 1 << 30])
def test_notes_lie_one_behind_another_and_each_once(limit: int, tmp_path: Path) -> None:
    notes = Notes(tmp_path, memory_limit_bytes=limit)
    [record] = records(1)
    places = [notes.add(record) for _ in range(20)]
    notes.close()
    assert places == [number * places[1] for number in range(20)]


@pytest.mark.parametrize("expires", [1 << 62, 1 << 63, 10**30])
def test_an_expiry_beyond_all_time_is_kept_as_the_last_moment_there_is(expires: int) -> None:
    notes = Notes()
    [record] = records(1)
    for given, kept in ((expires, 1 << 62), (-expires, -(1 << 62))):
        row = Row(record.key, record.item, notes.add(record._replace(expires=given)))
        assert [one.expires for one in notes.records([row]).values()] == [kept]


def test_a_folder_that_cannot_be_written_is_told_with_its_path(tmp_path: Path) -> None:
    with Spill(tmp_path / "absent", memory_limit_bytes=0) as spill, pytest.raises(RunFolderUnusable) as caught:
        spill.add(*rows(1)[0])
    assert str(tmp_path / "absent") in caught.value.what
    with pytest.raises(RunFolderUnusable) as caught:
        Notes(tmp_path / "absent", memory_limit_bytes=0).add(records(1)[0])
    assert str(tmp_path / "absent") in caught.value.what


def test_parts_of_a_table_add_up_in_any_order() -> None:
    whole, left, right = TableDigest(), TableDigest(), TableDigest()
    for number, record in enumerate(records(200)):
        whole.add(record)
        (left if number % 3 else right).add(record)
    right.merge(left)
    right.merge(TableDigest())
    assert (right.count, right.hex()) == (whole.count, whole.hex())
    assert right.differing_buckets(whole) == []
    assert len(left.differing_buckets(whole)) > 0


SUBJECT = SealSubject("t", "arn", "id", KEYS.types, "2026-11-20T10:02:16Z", "table")


def test_a_seal_does_not_depend_on_the_order_and_comes_back_from_json() -> None:
    seal = seal_of(records(50), SUBJECT)
    assert seal_of(reversed(records(50)), SUBJECT) == seal
    assert Seal.from_json(seal.to_json()) == seal
    document = json.loads(seal.to_json())
    del document["records_sha256"]
    assert Seal.from_json(json.dumps(document)) == seal
    assert seal_of(records(51), SUBJECT).root != seal.root


def spoil(change: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads(seal_of(records(20), SUBJECT).to_json())
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(schema="ops.seal/2"),
        lambda it: it.pop("root"),
        lambda it: it["subject"].pop("table_id"),
        lambda it: it.update(subject=None),
        lambda it: it.update(count=21),
        lambda it: it.update(root="00" * 32),
        lambda it: it["leaves"].pop(),
        lambda it: it["leaves"].__setitem__(0, "00" * 32),
        lambda it: it["leaves"].__setitem__(0, "not hexadecimal"),
        lambda it: it["counts"].__setitem__(0, 99),
        lambda it: it.update(count=float("inf")),
        lambda it: it["counts"].__setitem__(0, float("inf")),
        lambda it: it.update(count=-1, counts=[-1] + [0] * 4095),
        lambda it: it.update(count=1 << 64, counts=[1 << 64] + [0] * 4095),
    ],
)
def test_a_seal_that_was_touched_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(ValueError, match=r"seal|hex"):
        Seal.from_json(spoil(change))


def test_a_seal_nested_deeper_than_can_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        Seal.from_json("[" * 100_000)


@pytest.mark.parametrize("line", ["[" * 100_000, '["00","00",null,null]', '["0f","' + "00" * 32 + '",null,null]'])
def test_a_line_that_is_no_record_of_a_seal_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "records").write_text(line + "\n")
    with pytest.raises(ValueError, match="line 1: not a record of a seal"):
        list(read_records(tmp_path / "records"))


def test_records_beside_a_seal_prove_a_table_and_name_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "records"
    assert write_records(records(30), path) == 30
    assert list(read_records(path)) == records(30)
    sealed = RecordsSide(SideInfo("seal", "kept"), lambda: read_records(path), 30)
    found = LinesSide(SideInfo("lines", "now"), lambda: iter(some_items(29)), KEYS)
    result = compare(sealed, found, keys=KEYS)
    assert [(one.kind, one.key) for one in result.differences] == [("missing", {"pk": {"S": "k29"}})]


@pytest.mark.parametrize(
    "line",
    ["", "[]", '["00"]', "{}", '["zz","00",null,null]', "[1,2,3,4]", '["00","00",null,"soon"]', '["00","00",null,1.5]',
     '["00","00",null,true]', '["00","00",7,null]'],
)  # fmt: skip
def test_a_line_that_is_no_record_is_told_with_its_number(line: str, tmp_path: Path) -> None:
    path = tmp_path / "records"
    write_records(records(2), path)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(ValueError, match="line 3"):
        list(read_records(path))


def expected_side(items: list[Item]) -> LinesSide:
    return LinesSide(SideInfo("lines", "test"), lambda: iter(items), KEYS, len(items), "expires")


def test_a_second_look_settles_what_was_in_flight_and_keeps_what_is_wrong() -> None:
    items = some_items(10)
    stale: Item = {**items[3], "n": {"N": "99"}}
    wrong: Item = {**items[4], "n": {"S": "4"}}
    stranger: Item = {"pk": {"S": "stranger"}}
    passing: Item = {"pk": {"S": "passing"}}
    before = [*items[1:3], stale, wrong, *items[5:], stranger, passing]
    after = [*items[:4], wrong, *items[5:], stranger]
    result = compare(expected_side(items), Live(before, after), keys=KEYS)
    assert [(one.kind, one.key) for one in sorted(result.differences, key=lambda one: one.kind)] == [
        ("changed", {"pk": {"S": "k4"}}),
        ("extra", {"pk": {"S": "stranger"}}),
    ]


def test_an_item_that_expires_between_the_looks_is_counted_as_expired() -> None:
    items: list[Item] = [*some_items(3), {"pk": {"S": "old"}, "expires": {"N": str(NOW - 5)}}]
    touched: Item = {**items[3], "n": {"N": "1"}}
    rule = TtlRule("expires", NOW)
    result = compare(expected_side(items), Live([*items[:3], touched], items[:3]), keys=KEYS, ttl=rule)
    assert (result.differing, result.ignored) == (0, {"ttl": 1})


def test_differences_are_listed_in_the_same_order_each_time() -> None:
    left, right = expected_side(some_items(40)), expected_side([])
    found = [one.key_digest for one in compare(left, right, keys=KEYS).differences]
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("expires", "covered"),
    [(NOW, True), (NOW + 1, False), (NOW - 157_680_000, False), (NOW - 157_679_999, True), (None, False)],
)
def test_an_item_may_have_expired_from_its_second_on_for_five_years(expires: int | None, covered: bool) -> None:
    record = Record(digest(b"ops.key.v1", b"x"), digest(b"ops.item.v1", b"x"), None, expires)
    assert TtlRule("expires", NOW).covers(record) is covered


def test_a_thousand_differences_are_listed_unless_another_number_is_given() -> None:
    result = compare(expected_side(some_items(1001)), expected_side([]), keys=KEYS)
    assert (result.missing, len(result.differences), result.listed_all) == (1001, 1000, False)


def test_a_spill_and_notes_that_are_closed_say_so(tmp_path: Path) -> None:
    spill = Spill(tmp_path, memory_limit_bytes=0)
    spill.add(*rows(1)[0])
    spill.hand_over()
    assert spill.files() == []
    notes = Notes(tmp_path, memory_limit_bytes=0)
    place = notes.add(records(1)[0])
    notes.close()
    with pytest.raises(ValueError, match="the notes are closed"):
        notes.records([Row(records(1)[0].key, records(1)[0].item, place)])


def test_a_row_tells_whether_its_item_is_well_formed() -> None:
    key, item = digest(b"ops.key.v1", b"x"), digest(b"ops.item.v1", b"x")
    assert Row(key, item, FAULT | 5).faulty is True
    assert Row(key, item, 5).faulty is False
    assert Row(key, item, NOWHERE).faulty is False


def test_a_differing_key_that_is_known_by_its_digest_alone_is_not_read_again_on_a_live_table() -> None:
    items = some_items(4)
    bare = [Record(record.key, record.item) for record in map(recorder(KEYS), items)]
    side = RecordsSide(SideInfo("seal", "kept"), lambda: iter(bare), len(bare))
    changed: Item = {**items[0], "n": {"N": "99"}}
    table = Live([changed, items[1], items[2]], [changed, items[1], items[2]])
    result = compare(side, table, keys=KEYS)
    # The changed one has a key on the live side; the missing one has none anywhere.
    assert (result.changed, result.missing) == (1, 1)
    assert set(table.asked) == {1}


def test_a_changed_key_is_named_by_whichever_side_knows_it() -> None:
    items = some_items(3)
    changed: list[Item] = [{**items[0], "n": {"N": "99"}}, *items[1:]]
    bare = [Record(record.key, record.item) for record in map(recorder(KEYS), items)]
    side = RecordsSide(SideInfo("seal", "kept"), lambda: iter(bare), len(bare))
    for expected, found in ((side, expected_side(changed)), (expected_side(changed), side)):
        [difference] = compare(expected, found, keys=KEYS).differences
        assert (difference.kind, difference.key) == ("changed", {"pk": {"S": "k0"}})


@pytest.mark.parametrize("at_once", [0, 1])
def test_a_part_that_cannot_be_read_ends_the_merge_and_leaves_no_file(
    tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "_PARTED_BYTES", 0)
    with Spill(tmp_path) as whole, Spill(tmp_path) as broken:
        for row in rows(300):
            whole.add(*row)
            broken.add(*row)

        read = broken.pieces

        def pieces(number: int) -> Iterator[bytes]:
            yield from read(number)
            if broken.part_bytes(number):  # an empty part is merged whole
                raise RunFolderUnusable("gone")

        broken.pieces = pieces  # type: ignore[method-assign]
        with pytest.raises(RunFolderUnusable, match="gone"):
            list(differences(whole, broken, at_once=at_once, folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("at_once", [1, 2, 3, 1000])
def test_parts_are_merged_alike_however_many_rows_are_looked_at_together(tmp_path: Path, at_once: int) -> None:
    mine, theirs = rows(400), [Row(key, item, place + 1) for key, item, place in rows(390)]
    theirs[7] = Row(theirs[7].key, bytes(32), theirs[7].place)
    with Spill(tmp_path) as left, Spill(tmp_path) as right:
        for spill, some in ((left, [*mine, mine[3]]), (right, theirs)):
            for row in some:
                spill.add(*row)
        found = list(differences(left, right, at_once=at_once, folder=tmp_path))
    kinds = Counter(one.kind for one in found)
    assert kinds == {"missing": 10, "changed": 1, "duplicate": 1}


def test_each_kind_of_difference_has_its_own_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_module, "_BATCH", 3)
    items = some_items(40)
    odd: Item = {"pk": {"S": "odd"}, "x": {"SS": ["a", "a"]}}
    found: list[Item] = [
        *({**item, "n": {"N": "-1"}} for item in items[:5]), *items[5:36], items[30],
        *({"pk": {"S": f"new{number}"}} for number in range(3)), odd,
    ]  # fmt: skip
    result = compare(expected_side([*items, odd]), expected_side(found), keys=KEYS, listed=9)
    assert (result.missing, result.extra, result.changed, result.duplicates, result.shape) == (4, 3, 5, 1, 2)
    assert (len(result.differences), result.listed_all) == (9, False)
    assert compare(expected_side(items), expected_side(found[:36]), keys=KEYS, listed=9).listed_all


def test_a_seal_is_written_in_plain_characters() -> None:
    subject = SealSubject("té", "arn", "id", KEYS.types, "2026-11-20T10:02:16Z", "table")
    assert '"logical":"té"' in seal_of([], subject).to_json()


def test_the_members_of_a_seal_stand_in_the_order_of_their_names() -> None:
    names = list(json.loads(seal_of(records(2), SUBJECT).to_json()))
    assert names == sorted(names)


def test_rows_whose_parts_are_not_as_many_are_refused(tmp_path: Path) -> None:
    [row] = rows(1)
    with Spill(tmp_path) as spill, pytest.raises(ValueError, match="shorter"):
        spill.extend((row.key, row.key), (row.item,), (row.place,))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists what a process holds open so")
def test_a_spill_holds_one_file_open_and_none_when_it_is_closed(tmp_path: Path) -> None:
    held = len(list(Path("/proc/self/fd").iterdir()))
    with Spill(tmp_path, memory_limit_bytes=0) as spill:
        for row in rows(9):
            spill.add(*row)
        assert len(list(Path("/proc/self/fd").iterdir())) == held + 1
    assert len(list(Path("/proc/self/fd").iterdir())) == held


def test_a_spill_whose_file_was_taken_away_is_closed_all_the_same(tmp_path: Path) -> None:
    spill = Spill(tmp_path, memory_limit_bytes=0)
    spill.add(*rows(1)[0])
    for file in tmp_path.iterdir():
        file.unlink()
    spill.close()
    assert sorted(spill) == []


def test_a_side_of_lines_answers_for_the_keys_it_is_asked_about_only() -> None:
    [first, second, _] = some_items(3)
    record = recorder(KEYS)
    side = expected_side([first, second])
    assert side.items_for({record(second).key: None}) == {record(second).key: second}
