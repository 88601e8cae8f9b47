"""Processes of a comparison: how files are shared out (`ops.verify.gathering`), what they answer, how they fail."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from isal import isal_zlib

from ops.errors import BadArgument, ExportCorrupt, OpsError, RunFolderUnusable
from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.verify import compare as compare_module
from ops.verify import details as details_module
from ops.verify import gathering, worker
from ops.verify import lines as lines_module
from ops.verify.compare import TtlRule, compare, gather, gather_all, judge
from ops.verify.details import Lines, Notes
from ops.verify.fingerprint import TableDigest, recorder
from ops.verify.gathering import Gathered, digest_files
from ops.verify.lines import LineFile, unpacked
from ops.verify.merge import Raw, differences
from ops.verify.sides import FilesSide, LinesSide
from ops.verify.spill import FAULT, Row, Spill
from ops.verify.worker import LINE_BITS, MergeJob, ReadJob, processors, read_raws, read_rows, run_jobs, shares

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

KEYS = KeySchema("pk")
BOTH = pytest.mark.parametrize("workers", [1, 2])


def items(count: int) -> list[Item]:
    return [{"pk": {"S": f"k{number}"}, "n": {"N": str(number)}} for number in range(count)]


def lines(some: list[Item]) -> bytes:
    return b"".join(orjson.dumps({"Item": item}) + b"\n" for item in some)


def export(folder: Path, *parts: bytes, name: str = "part") -> tuple[LineFile, ...]:
    files = []
    for number, part in enumerate(parts):
        path = folder / f"{name}-{number}.json.gz"
        path.write_bytes(gzip.compress(part))
        files.append(LineFile(path, f"s3://bucket/{name}-{number}.json.gz"))
    return tuple(files)


def side(files: tuple[LineFile, ...], count: int | None = None, ttl: str | None = None) -> FilesSide:
    return FilesSide(SideInfo("export", "test"), files, KEYS, count, ttl)


@BOTH
def test_a_line_that_is_no_item_is_named_with_its_file(tmp_path: Path, workers: int) -> None:
    files = export(tmp_path, lines(items(40)), lines(items(3)) + b'{"Item":7}\n' + lines(items(2)))
    with pytest.raises(BadArgument) as caught:
        gather(side(files), tmp_path, workers=workers)
    assert caught.value.what == "s3://bucket/part-1.json.gz line 4 is not an item"
    assert caught.value.why == "no member Item"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-0.json.gz", "part-1.json.gz"]
    with pytest.raises(BadArgument, match="line 4 is not an item"):
        list(side(files).read())


@BOTH
def test_an_object_of_an_export_that_is_not_what_its_manifest_says_has_a_class(tmp_path: Path, workers: int) -> None:
    good, bad = export(tmp_path, lines(items(4)), lines(items(3)))
    good = replace(good, items=4)
    wrong = replace(bad, items=2)
    with pytest.raises(ExportCorrupt) as caught:
        gather(side((good, wrong)), tmp_path, workers=workers)
    assert caught.value.what == "export object s3://bucket/part-1.json.gz cannot be used"
    assert caught.value.why == "count: 3 lines, the manifest says 2"
    with gather(side((good, replace(bad, items=3))), tmp_path, workers=workers) as found:
        assert found.count.items == 7
    bad.path.write_bytes(gzip.compress(lines(items(2)) + b"{}\n"))
    with pytest.raises(ExportCorrupt) as caught:
        gather(side((good, replace(bad, items=3))), tmp_path, workers=workers)
    assert caught.value.why == "foreign: line 3 is no item: no member Item"
    bad.path.write_bytes(b"")
    with pytest.raises(ExportCorrupt, match="export object") as caught:
        gather(side((good, replace(bad, items=0))), tmp_path, workers=workers)
    assert caught.value.why.startswith("size: not a whole file: ")


def spoiled(content: bytes) -> dict[str, bytes]:
    middle = len(content) // 2
    return {
        "cut": content[:middle],
        "cut in the checksum": content[:-3],
        "empty": b"",
        "flipped": content[:middle] + bytes([content[middle] ^ 16]) + content[middle + 1 :],
        "checksum": content[:-8] + bytes([content[-8] ^ 1]) + content[-7:],
        "length": content[:-1] + b"\1",
        "followed by something else": content + b"more",
        "zeros, then something else": content + b"\0\0\1",
        "not packed": lines(items(3)),
    }


@pytest.mark.parametrize("name", spoiled(b"0123456789abcdef"))
@BOTH
def test_a_broken_gzip_file_is_never_read_as_a_whole_one(tmp_path: Path, name: str, workers: int) -> None:
    good, bad = export(tmp_path, lines(items(50)), lines(items(5000)))
    bad.path.write_bytes(spoiled(bad.path.read_bytes())[name])
    with pytest.raises(BadArgument) as caught:
        gather(side((good, bad)), tmp_path, workers=workers)
    assert caught.value.what == "s3://bucket/part-1.json.gz cannot be read"
    assert caught.value.why


@pytest.mark.parametrize("name", ["cut", "cut in the checksum", "empty", "followed by something else", "not packed"])
@BOTH
def test_a_broken_zstandard_file_is_never_read_as_a_whole_one(tmp_path: Path, name: str, workers: int) -> None:
    [good] = export(tmp_path, lines(items(50)))
    path = tmp_path / "items.jsonl.zst"
    path.write_bytes(spoiled(zstd.compress(lines(items(5000))))[name])
    with pytest.raises(BadArgument) as caught:
        gather(side((good, LineFile(path, "items"))), tmp_path, workers=workers)
    assert caught.value.what == "items cannot be read"
    assert caught.value.why.startswith("not a whole file: ")


def test_the_last_line_of_a_file_gets_the_line_feed_that_it_lacks(tmp_path: Path) -> None:
    [file] = export(tmp_path, lines(items(3)).rstrip(b"\n"))
    assert b"".join(file.blocks()) == lines(items(3))


def test_a_gzip_file_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    [file] = export(tmp_path, b"")
    some = items(30_000)
    members = [gzip.compress(lines(some[at : at + 10_000])) for at in range(0, 30_000, 10_000)]
    file.path.write_bytes(members[0] + members[1] + b"\0" * 200_000 + members[2] + b"\0")
    assert list(side((file,)).read()) == some
    assert max(map(len, file.blocks())) < 200_000


def test_a_file_that_is_gone_is_told_by_the_process_that_misses_it(tmp_path: Path) -> None:
    files = export(tmp_path, lines(items(2)), lines(items(2)))
    jobs = [[ReadJob(KEYS, ((number, file),), tmp_path)] for number, file in enumerate(files)]
    files[1].path.unlink()
    with pytest.raises(BadArgument) as caught:
        run_jobs(jobs)
    assert caught.value.what == "s3://bucket/part-1.json.gz cannot be read"
    assert "No such file" in caught.value.why


def test_a_folder_that_cannot_hold_the_rows_is_told_by_the_process(tmp_path: Path) -> None:
    files = export(tmp_path, lines(items(2)))
    with pytest.raises(RunFolderUnusable) as caught:
        run_jobs([[ReadJob(KEYS, ((0, files[0]),), tmp_path / "absent")]] * 2)
    assert str(tmp_path / "absent") in caught.value.what
    assert caught.value.fix


def test_a_process_that_ends_unasked_is_an_error(tmp_path: Path) -> None:
    job = MergeJob((), (), 0, 257, tmp_path / "target")  # there is no such part
    with pytest.raises(OpsError, match="a process of the comparison ended with 1") as caught:
        run_jobs([[job], [job]])
    assert "IndexError" in caught.value.why


@pytest.mark.parametrize("files", [1, 3000])
def test_a_process_that_ends_before_it_has_read_its_jobs_is_an_error(
    files: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that the system has killed for want of memory: 3,000 files are more than a pipe holds."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec 0<&-\nkill -KILL $$\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    [file] = export(tmp_path, lines(items(1)))
    job = ReadJob(KEYS, tuple((number, file) for number in range(files)), tmp_path)
    with pytest.raises(OpsError, match="a process of the comparison ended with -9"):
        run_jobs([[job], [job]])


def test_answers_come_in_the_order_of_the_jobs(tmp_path: Path) -> None:
    files = export(tmp_path, lines(items(5)), lines(items(3)), lines(items(1)))
    jobs = [ReadJob(KEYS, ((number, file),), tmp_path) for number, file in enumerate(files)]
    assert [[one["count"] for one in share] for share in run_jobs([jobs[:2], jobs[2:]])] == [[5, 3], [1]]
    assert [[one["count"] for one in share] for share in run_jobs([jobs])] == [[5, 3, 1]]
    assert run_jobs([]) == []


def test_files_are_shared_out_whole_and_evenly(tmp_path: Path) -> None:
    files = []
    for number, size in enumerate([10, 70, 20, 60, 0]):
        (tmp_path / str(number)).write_bytes(b"x" * size)
        files.append(LineFile(tmp_path / str(number)))
    assert [[number for number, _ in share] for share in shares(files, 2)] == [[1, 0, 4], [3, 2]]
    assert [[number for number, _ in share] for share in shares(files, 9)] == [[1], [3], [2], [0], [4]]
    assert shares([], 2) == []
    assert 1 <= processors() <= 4096


def test_places_tell_file_line_and_fault(tmp_path: Path) -> None:
    [file] = export(tmp_path, lines([*items(3), {"pk": {"S": "x"}, "bad": {"SS": []}}, *items(1)]))
    [(keys, digests, places)] = read_rows(file, 5, KEYS)
    base = 5 << LINE_BITS
    assert sorted(places) == [base, base + 1, base + 2, base + 4, base + 3 | FAULT]
    record = recorder(KEYS)
    by_place = dict(zip(places, zip(keys, digests, strict=True), strict=True))
    assert by_place[base + 2] == (record(items(3)[2]).key, record(items(3)[2]).item)


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_what_a_process_answers_is_what_a_stream_gives(tmp_path: Path, limit: int) -> None:
    some: list[Item] = [*items(500), {"pk": {"S": "x"}, "bad": {"SS": []}}]
    digest = TableDigest()
    for record in map(recorder(KEYS), some):
        digest.add(record)
    files = export(tmp_path, lines(some[:200]), lines(some[200:]))
    job = ReadJob(KEYS, tuple(enumerate(files)), tmp_path, limit)
    for answer in (job.run(), *run_jobs([[job], [job]])[1]):
        with gathering.Gathered(side(files), Spill()) as gathered:
            gathered.adopt(json.loads(json.dumps(answer)))
            assert (gathered.digest.count, gathered.digest.hex(), gathered.faults) == (501, digest.hex(), 1)
            assert gathered.spill.count == 501
            assert {row.key for row in gathered.spill} == {record.key for record in map(recorder(KEYS), some)}
            gathered.adopt(job.run())
            assert (gathered.digest.count, gathered.faults, gathered.spill.count) == (1002, 2, 1002)


@pytest.mark.parametrize("workers", [None, 1, 2, 9])
def test_the_digest_of_files_is_that_of_their_records(tmp_path: Path, workers: int | None) -> None:
    some = items(300)
    wanted = TableDigest()
    for record in map(recorder(KEYS), some):
        wanted.add(record)
    files = export(tmp_path, lines(some[:7]), b"", lines(some[7:]))
    found = digest_files(files, KEYS, workers=workers)
    assert (found.count, found.hex()) == (300, wanted.hex())
    assert found.differing_buckets(wanted) == []
    assert digest_files(files[:1], KEYS, workers=workers).differing_buckets(wanted)
    assert digest_files((), KEYS, workers=workers).count == 0


def test_what_was_merged_elsewhere_comes_back_as_it_was(tmp_path: Path) -> None:
    with Spill(tmp_path) as left, Spill(tmp_path) as right:
        for number in range(256):
            row = Row(bytes([number]) * 32, b"i" * 32, number)
            if number % 5:
                left.add(*row)
            if number % 7:
                right.add(row.key, b"j" * 32 if number % 11 == 0 else row.item, FAULT | 9 if number == 3 else 9)
            if number % 50 == 0:
                right.add(*row)
        whole = list(differences(left, right))
        assert {one.kind for one in whole} == {"missing", "extra", "changed", "duplicate", "shape"}
        files = tuple(left.files()), tuple(right.files())
        targets = [tmp_path / "a", tmp_path / "b"]
        jobs = [MergeJob(*files, 0, 99, targets[0]), MergeJob(*files, 99, 256, targets[1])]
        answers = run_jobs([[jobs[0]], [jobs[1]]])
        read: list[list[Raw]] = [
            list(read_raws(target, one["differences"])) for target, [one] in zip(targets, answers, strict=True)
        ]
        assert [one["differences"] for [one] in answers] == [len(part) for part in read]
        assert read[0] + read[1] == whole
        assert all(part for part in read)
        assert list(differences(left, right)) == whole, "what was lent is still there"


def test_a_difference_that_was_lost_between_two_processes_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = side(export(tmp_path, lines(items(9)))), side(export(tmp_path, lines(items(8)), name="right"))

    def losing(shares: Any) -> Any:
        answers = run_jobs(shares)
        for [job] in shares:
            if isinstance(job, MergeJob):
                job.target.write_bytes(b"")
        return answers

    monkeypatch.setattr(compare_module, "run_jobs", losing)
    with pytest.raises(RunFolderUnusable, match="no longer holds the 1 differences"):
        compare(left, right, keys=KEYS, folder=tmp_path, workers=2)


@BOTH
@pytest.mark.parametrize("kept", [0, 1, 71, 72])
def test_rows_that_were_lost_on_the_disk_are_missed(tmp_path: Path, workers: int, kept: int) -> None:
    """On both sides alike, they would be a difference that nobody sees."""
    left, right = side(export(tmp_path, lines(items(9)))), side(export(tmp_path, lines(items(8)), name="right"))
    with gather(left, tmp_path, workers=workers) as one, gather(right, tmp_path, workers=workers) as other:
        for file in (*one.spill.files(), *other.spill.files()):
            os.truncate(file.path, kept)
        with pytest.raises(RunFolderUnusable, match="no longer holds the records"):
            judge(one, other, keys=KEYS)


def test_every_side_of_a_comparison_is_closed_when_one_cannot_be_read(tmp_path: Path) -> None:
    good, bad = export(tmp_path, lines(items(5))), export(tmp_path, b"{}\n", name="bad")
    with pytest.raises(BadArgument, match="bad-0"):
        gather_all((side(good), side(bad)), tmp_path, workers=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad-0.json.gz", "part-0.json.gz"]


def test_files_and_streams_are_gathered_in_the_order_they_were_given(tmp_path: Path) -> None:
    stream = LinesSide(SideInfo("lines", "memory"), lambda: iter(items(7)), KEYS)
    files = side(export(tmp_path, lines(items(4)), lines(items(9)[4:])), 9)
    found = gather_all((stream, files, stream), tmp_path)
    try:
        assert [one.count.items for one in found] == [7, 9, 7]
        assert [one.count.declared for one in found] == [None, 9, None]
    finally:
        for one in found:
            one.close()


@BOTH
def test_items_of_files_that_have_expired_are_left_out_and_counted(tmp_path: Path, workers: int) -> None:
    now = 1_800_000_000
    past: Item = {"pk": {"S": "past"}, "expires": {"N": str(now - 1)}}
    ahead: Item = {"pk": {"S": "ahead"}, "expires": {"N": str(now + 1)}}
    left = side(export(tmp_path, lines([*items(4), past]), lines([ahead])), 6, "expires")
    right = side(export(tmp_path, lines(items(4)[1:]), name="right"), 3, "expires")
    found = compare(left, right, keys=KEYS, ttl=TtlRule("expires", now), folder=tmp_path, workers=workers)
    assert found.ignored == {"ttl": 1}
    assert sorted(one.key["pk"]["S"] for one in found.differences if one.key) == ["ahead", "k0"]
    assert found.missing == 2


@BOTH
def test_more_differing_items_of_files_than_are_listed_are_counted(tmp_path: Path, workers: int) -> None:
    left, right = side(export(tmp_path, lines(items(60)))), side(export(tmp_path, b"", name="right"))
    found = compare(left, right, keys=KEYS, listed=7, folder=tmp_path, workers=workers)
    assert (found.missing, len(found.differences), found.listed_all) == (60, 7, False)
    digests = [one.key_digest for one in found.differences]
    assert digests == sorted(record.key.hex() for record in map(recorder(KEYS), items(60)))[:7]
    assert compare(left, right, keys=KEYS, listed=60).listed_all


def test_changed_items_of_files_are_told_by_attribute(tmp_path: Path) -> None:
    changed: Item = {**items(9)[4], "n": {"N": "99"}}
    left, right = side(export(tmp_path, lines(items(9)))), side(
        export(tmp_path, lines([*items(4), changed, *items(9)[5:]]), name="right")
    )  # fmt: skip
    [one] = compare(left, right, keys=KEYS).differences
    assert (one.kind, one.key) == ("changed", {"pk": {"S": "k4"}})
    assert [(change.path, change.expected, change.found) for change in one.changes] == [("n", "N 4", "N 99")]
    with gather(left) as first, gather(right, workers=2) as second:
        assert judge(first, second, keys=KEYS).differences == (one,)


def test_a_side_of_files_can_be_asked_for_items_by_key_and_by_place(tmp_path: Path) -> None:
    files = side(export(tmp_path, lines(items(4)), lines(items(9)[4:])))
    record = recorder(KEYS)
    wanted = {record(one).key: None for one in items(9)[3:6]}
    assert files.items_for(wanted) == {record(one).key: one for one in items(9)[3:6]}
    assert dict(files.items_at([(1, 4), (0, 0), (1, 1)])) == {
        (0, 0): items(1)[0], (1, 1): items(9)[5], (1, 4): items(9)[8]
    }  # fmt: skip
    assert [one.key for one in files.records()] == [record(one).key for one in items(9)]


def test_a_job_is_read_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What runs in the other process, run here."""
    import gc
    import io
    import signal

    class Input:
        buffer = io.BytesIO()

    [good, bad] = export(tmp_path, lines(items(2)), b"{}\n")
    jobs = [ReadJob(KEYS, ((0, good),), tmp_path).to_data(), ReadJob(KEYS, ((0, bad),), tmp_path).to_data()]
    Input.buffer = io.BytesIO(json.dumps(jobs).encode())
    monkeypatch.setattr(sys, "stdin", Input)
    before = signal.getsignal(signal.SIGINT)
    try:
        assert worker.main() == 0
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
        gc.enable()
    first, second = json.loads(capsys.readouterr().out)
    assert (first["count"], first["faults"]) == (2, 0)
    assert second["error"] == "lines"
    assert second["what"].endswith("part-1.json.gz line 1 is not an item")


def test_a_side_that_can_be_had_as_files_is_read_from_them(tmp_path: Path) -> None:
    some = items(300)
    files = export(tmp_path, lines(some[:200]), lines(some[200:]))
    asked: list[int] = []

    def made() -> tuple[LineFile, ...]:
        asked.append(1)
        return files

    def streamed() -> Iterator[Item]:
        raise AssertionError("the files were there to be read")

    info = SideInfo("export", "e")
    with gather(LinesSide(info, streamed, KEYS, 300, files=made), tmp_path) as gathered:
        assert (gathered.count.items, gathered.count.declared, gathered.count.info) == (300, 300, info)
        assert asked == [1]
    with gather(LinesSide(info, lambda: iter(some), KEYS, 300, files=lambda: None), tmp_path) as streams:
        assert streams.count == gathered.count


def test_a_file_read_as_a_stream_holds_what_its_manifest_says(tmp_path: Path) -> None:
    [file] = export(tmp_path, lines(items(5)))
    assert list(side((replace(file, items=5),)).read()) == items(5)
    with pytest.raises(ExportCorrupt, match="cannot be used") as caught:
        list(side((replace(file, items=6),)).read())
    assert caught.value.why == "count: 5 lines, the manifest says 6"


@pytest.mark.parametrize("behind", [b"~", b"\0~", b"x", b"\0" * 9 + b"{}", b"\0" * 70_000 + b"~"])
@pytest.mark.parametrize("at_once", [64 * 1024, 1 << 20])
def test_behind_a_gzip_member_only_zeros_or_another_member_may_stand(
    behind: bytes, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "_PACKED_BYTES", at_once)
    whole = gzip.compress(b"one\n")
    assert b"".join(unpacked(io.BytesIO(whole + b"\0" * 9 + whole))) == b"one\none\n"
    with pytest.raises((cast(type[Exception], isal_zlib.error), EOFError)):
        b"".join(unpacked(io.BytesIO(whole + behind)))


def test_lines_are_read_again_only_when_they_were_not_asked_about_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = side(export(tmp_path, lines(items(6))))
    with gather(files, workers=1) as gathered:
        rows = {row.key: row for row in gathered.spill}
        details, record = gathered.details, recorder(KEYS)
        assert isinstance(details, Lines)
        asked: list[int] = []
        read = FilesSide.items_at

        def counted(self: FilesSide, places: Iterable[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], Item]]:
            wanted = list(places)
            asked.append(len(wanted))
            return read(self, wanted)

        monkeypatch.setattr(FilesSide, "items_at", counted)
        of = [rows[record(item).key] for item in items(6)]
        assert details.items(of[:2]) == {of[0].key: items(1)[0], of[1].key: items(2)[1]}
        assert list(details.records(of[2:4]).values()) == list(map(record, items(4)[2:]))
        assert details.items(of[3:5]) == {of[3].key: items(4)[3], of[4].key: items(5)[4]}
        assert asked == [2, 2, 1]
        monkeypatch.setattr(details_module, "_KEPT_ITEMS", 2)
        assert list(details.records(of[:3]).values()) == list(map(record, items(3)))
        assert details.items(of[2:3]) == {of[2].key: items(3)[2]}
        assert asked == [2, 2, 1, 3, 0], "too many to be kept leave what was kept before"


def test_files_of_a_comparison_lie_where_they_were_asked_for_and_go_with_it(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with gather(side(export(tmp_path, lines(items(6)))), place, workers=1) as gathered:
        assert gathered.folder is not None
        assert gathered.folder.parent == place
        assert any(gathered.folder.iterdir())
    assert list(place.iterdir()) == []


def test_what_is_closed_closes_its_details_too(tmp_path: Path) -> None:
    closed: list[str] = []

    class Watched(Notes):
        def close(self) -> None:
            closed.append("details")
            super().close()

    Gathered(side(()), Spill(tmp_path), details=Watched()).close()
    assert closed == ["details"]


def test_few_bytes_are_read_by_one_process_and_many_by_one_for_each_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared: list[int] = []
    run = worker.run_jobs

    def counted(jobs: Sequence[Sequence[Any]]) -> Any:
        shared.append(len(jobs))
        return run(jobs)

    files = export(tmp_path, lines(items(50)), lines(items(99)[50:]))
    monkeypatch.setattr(gathering, "run_jobs", counted)
    monkeypatch.setattr(gathering, "processors", lambda: 2)
    for worth, wanted in ((sum(one.size_bytes for one in files), 2), (sum(one.size_bytes for one in files) + 1, 1)):
        monkeypatch.setattr(gathering, "_WORTH_A_PROCESS_BYTES", worth)
        assert digest_files(files, KEYS).count == 99
        assert shared.pop() == wanted


def test_an_item_that_is_not_well_formed_is_counted_wherever_it_stands(tmp_path: Path) -> None:
    odd: Item = {"pk": {"S": "odd"}, "n": {"N": "x"}}
    for some in ([odd, *items(3)], [*items(3), odd], [odd]):
        [file] = export(tmp_path, lines(some))
        with gather(side((file,)), tmp_path, workers=1) as gathered:
            assert (gathered.faults, gathered.count.items) == (1, len(some))


def test_processors_are_those_that_the_process_may_use_where_the_system_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0: {0, 2, 5}}[pid], raising=False)
    assert processors() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert processors() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors() == 1


def test_how_a_process_ended_is_told_by_the_last_that_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [file] = export(tmp_path, lines(items(2)))
    ending = tmp_path / "python"
    ending.write_text("#!/bin/sh\ncat > /dev/null\nprintf 'first\\nwhy \\377\\n' >&2\nexit 3\n")
    ending.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(ending))
    with pytest.raises(OpsError) as caught:
        run_jobs([[ReadJob(KEYS, ((0, file),), tmp_path)]] * 2)
    assert caught.value.what == "a process of the comparison ended with 3"
    assert caught.value.why == "why \ufffd"


def test_when_one_process_fails_the_others_are_ended_at_once(tmp_path: Path) -> None:
    [bad] = export(tmp_path, b"{}\n")
    endless = tmp_path / "endless.json"
    os.mkfifo(endless)
    with pytest.raises(BadArgument, match="line 1 is not an item"):
        run_jobs([[ReadJob(KEYS, ((0, bad),), tmp_path)], [ReadJob(KEYS, ((0, LineFile(endless)),), tmp_path)]])
