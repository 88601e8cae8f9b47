"""A patch file that is cut, edited or about something else is refused with its line."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from ops.errors import BadArgument, RunFolderUnusable
from ops.model.items import Item, KeySchema
from ops.verify.fingerprint import recorder
from ops.verify.patch import Change, as_expected, by_key, item_digest, verdict
from ops.verify.patch_file import PatchHead, PatchWriter, file_sha256, read_changes, read_head

KEYS = KeySchema("pk", "S")
HEAD = PatchHead(KEYS)
ONE, TWO = {"pk": {"S": "a"}, "n": {"N": "1"}}, {"pk": {"S": "a"}, "n": {"N": "2"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A patch of two changes."""
    found = tmp_path / "p.jsonl"
    with PatchWriter(found, HEAD) as writer:
        writer.add(Change({"pk": {"S": "a"}}, ONE, TWO))
        writer.add(Change({"pk": {"S": "b"}}, {"pk": {"S": "b"}}, None))
    return found


def test_a_whole_patch_is_read(path: Path) -> None:
    assert [one.op for one in read_changes(path, read_head(path))] == ["put", "delete"]


def edit(path: Path, number: int, **members: Any) -> None:
    lines = path.read_bytes().splitlines()
    lines[number - 1] = orjson.dumps({**orjson.loads(lines[number - 1]), **members})
    path.write_bytes(b"\n".join(lines) + b"\n")


@pytest.mark.parametrize(
    ("number", "members", "reason"),
    [
        (2, {"key": {"pk": {"N": "1"}}}, "line 2 cannot be used"),
        (2, {"key": {"pk": {"S": "z"}}}, "an item of another key"),
        (2, {"wanted": {"pk": {"S": "a"}, "n": {"N": "NaN"}}}, "line 2 cannot be used"),
        (2, {"wanted": {"n": {"N": "2"}}}, "line 2 cannot be used"),
        (2, {"op": "delete"}, "op delete does not fit"),
        (2, {"expected": {"digest": "0" * 64, "item": ONE}}, "the digest is not that of the expected item"),
        (2, {"expected": {}}, "neither an item nor a digest"),
        (3, {"key": {"pk": {"S": "a"}}, "expected": {"item": ONE}}, "names a key that stands on an earlier line"),
        (4, {"changes": 3}, "says 3 changes"),
    ],
)
def test_an_edited_line_is_named(path: Path, number: int, members: dict[str, Any], reason: str) -> None:
    edit(path, number, **members)
    with pytest.raises(BadArgument, match=reason):
        list(read_changes(path, HEAD))


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_cut_patch_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:kept]))
    with pytest.raises(BadArgument, match=r"has no last line$"):
        list(read_changes(path, HEAD))


def test_a_cut_inside_a_line_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(BadArgument, match="is not JSON"):
        list(read_changes(path, HEAD))


def test_nothing_may_stand_behind_the_end(path: Path) -> None:
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines()[1] + b"\n")
    with pytest.raises(BadArgument, match="line 5 stands behind the end"):
        list(read_changes(path, HEAD))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no patch"), ("{}\n", "is no patch"), ("[1]\n", "is no patch"),
        ('{"schema":"ops.patch/1","keys":[]}\n', "is no patch"),
        ('{"schema":"ops.patch/1","keys":[{"name":"pk","type":"S"}],"table":"arn"}\n', "is no patch"),
        ('{"schema":"ops.seal/1"}\n', "has the schema ops.seal/1, not ops.patch/1"),
        ('{"schema":"ops.patch/2","keys":[{"name":"pk","type":"S"}]}\n', "has the schema ops.patch/2, not ops.patch/1"),
    ],
)  # fmt: skip
def test_another_file_is_no_patch(tmp_path: Path, text: str, reason: str) -> None:
    other = tmp_path / "other.json"
    other.write_text(text)
    with pytest.raises(BadArgument, match=reason):
        read_head(other)
    with pytest.raises(BadArgument, match="cannot read"):
        read_head(tmp_path / "none.jsonl")


def test_a_patch_that_could_not_be_finished_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    with pytest.raises(RuntimeError), PatchWriter(path, HEAD) as writer:
        writer.add(Change({"pk": {"S": "a"}}, None, ONE))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_expected_item_may_be_known_by_its_digest_alone(tmp_path: Path) -> None:
    change = Change({"pk": {"S": "a"}}, None, TWO, digest=item_digest(ONE))
    path = tmp_path / "p.jsonl"
    with PatchWriter(path, HEAD) as writer:
        writer.add(change)
    assert list(read_changes(path, HEAD)) == [change]
    assert as_expected(change, {"pk": {"S": "a"}, "n": {"N": "1.0"}})
    assert not as_expected(change, None)
    with pytest.raises(ValueError, match="digest alone"):
        change.inverse()


def test_what_a_person_must_decide_is_a_conflict_even_when_the_item_is_as_expected() -> None:
    change = Change({"pk": {"S": "a"}}, ONE, TWO, reason="mixed")
    assert (verdict(change, ONE), verdict(change, TWO)) == ("conflict", "already")


def test_the_digest_of_a_written_patch_is_that_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    assert file_sha256(path) == ""
    with PatchWriter(path, HEAD) as writer:
        writer.add(Change({"pk": {"S": "a"}}, ONE, TWO))
    assert writer.sha256 == file_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert writer.count == 1


def test_a_patch_that_cannot_be_written_says_so_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunFolderUnusable, match="cannot write"):
        PatchWriter(tmp_path / "none" / "p.jsonl", HEAD).__enter__()
    path = tmp_path / "p.jsonl"
    with PatchWriter(path, HEAD) as writer:
        writer.add(Change({"pk": {"S": "a"}}, ONE, TWO))
    before = path.read_bytes()

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFolderUnusable, match="cannot write") as caught, PatchWriter(path, HEAD) as writer:
        writer.add(Change({"pk": {"S": "a"}}, None, ONE))
    assert "No space left" in caught.value.why
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("good", [0, 1, 2])
def test_a_disk_that_is_full_at_any_line_ends_the_patch_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: int
) -> None:
    class Full(io.FileIO):
        lines = 0

        def write(self, text: Any) -> int:
            self.lines += 1
            if self.lines > good:
                raise OSError(28, "No space left on device")
            return super().write(text)

    monkeypatch.setattr(os, "fdopen", Full)
    if not good:
        with pytest.raises(RunFolderUnusable, match="cannot write"):
            PatchWriter(tmp_path / "p.jsonl", HEAD).__enter__()
    with pytest.raises(RunFolderUnusable, match="cannot write"), PatchWriter(tmp_path / "p.jsonl", HEAD) as writer:
        writer.add(Change({"pk": {"S": "a"}}, None, ONE))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1]", "line 2 is no JSON object"),
        (b'{"op":"put","key":{"pk":{"S":"a"}},"expected":null}', "line 2 lacks the member 'wanted'"),
        (b'{"op":"put","key":{"pk":{"S":"a"}},"wanted":{"pk":{"S":"a"}}}', "line 2 lacks the member 'expected'"),
        (b'{"op":"delete","wanted":null,"expected":null}', "line 2 lacks the member 'key'"),
        (
            b'{"op":"delete","key":{"pk":{"S":"a"},"x":{"S":"b"}},"wanted":null,"expected":null}',
            "line 2 cannot be used: a key must have exactly",
        ),
        (b'{"op":"put","key":{"pk":{"S":"a"}},"expected":5,"wanted":{"pk":{"S":"a"}}}', "line 2 cannot be used"),
        (
            b'{"op":"put","key":{"pk":{"S":"a"}},"expected":{"digest":"00"},"wanted":{"pk":{"S":"a"}}}',
            "neither an item nor a digest",
        ),
        (
            b'{"op":"put","key":{"pk":{"S":"a"}},"expected":{"item":{"pk":{"S":"a"},"n":{"N":"x"}}},'
            b'"wanted":{"pk":{"S":"a"}}}',
            "line 2 cannot be used: .*n",
        ),
        (
            b'{"op":"put","key":{"pk":{"S":"a"}},"expected":null,"wanted":{"pk":{"S":"a"},"n":{"N":"1"},"n":{"N":"2"}}}',
            "line 2 cannot be used: .*'n' twice",
        ),
        (
            b'{"op":"put","key":{"pk":{"S":"a"}},"expected":null,"wanted":{"pk":{"S":"b"}},"wanted":{"pk":{"S":"a"}}}',
            "line 2 cannot be used: .*'wanted' twice",
        ),
    ],
)
def test_a_line_that_is_no_change_is_named(path: Path, line: bytes, reason: str) -> None:
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], line, *lines[2:]]) + b"\n")
    with pytest.raises(BadArgument, match=reason):
        list(read_changes(path, HEAD))


def test_a_wanted_item_must_fit_the_indexes_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    wanted: Item = {"pk": {"S": "a"}, "genre": {"N": "5"}}
    with PatchWriter(path, HEAD) as writer:
        writer.add(Change({"pk": {"S": "a"}}, None, wanted))
    assert [one.wanted for one in read_changes(path, HEAD)] == [wanted]
    with pytest.raises(BadArgument, match="genre"):
        list(read_changes(path, HEAD, {"genre_index": KeySchema("genre")}))


def test_a_note_and_the_table_of_a_patch_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    head = PatchHead(KeySchema("pk", "S", "sk", "N"), "arn", "id", "a diff")
    with PatchWriter(path, head) as writer:
        writer.add(Change({"pk": {"S": "a"}, "sk": {"N": "1"}}, None, None, item_digest(ONE), reason="mixed"))
    assert read_head(path) == head
    document = orjson.loads(path.read_bytes().splitlines()[1])
    assert (document["note"], document["expected"]) == ("mixed", {"digest": item_digest(ONE)})


def test_an_expected_item_is_written_with_the_digest_that_comparisons_have(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    with PatchWriter(path, HEAD) as writer:
        writer.add(Change({"pk": {"S": "a"}}, ONE, None))
    document = orjson.loads(path.read_bytes().splitlines()[1])
    assert document["expected"] == {"digest": recorder(HEAD.keys)(ONE).item.hex(), "item": ONE}


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="stands twice"):
        by_key([ONE, TWO], KEYS)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists what a process holds open so")
def test_nothing_that_was_forced_to_the_disk_stays_open(tmp_path: Path) -> None:
    held = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(9):
        with PatchWriter(tmp_path / f"{number}.jsonl", HEAD) as writer:
            writer.add(Change({"pk": {"S": "a"}}, None, ONE))
    assert len(list(Path("/proc/self/fd").iterdir())) == held


def test_a_patch_and_its_name_are_forced_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[tuple[bool, bool]] = []
    sizes: list[int] = []
    path = tmp_path / "p.jsonl"

    def fsync(number: int) -> None:
        forced.append((stat.S_ISDIR(os.fstat(number).st_mode), path.exists()))
        sizes.append(os.fstat(number).st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    with PatchWriter(path, HEAD) as writer:
        writer.add(Change({"pk": {"S": "a"}}, None, ONE))
    # The file before it has its name, the folder after.
    assert forced == [(False, False), (True, True)]
    assert sizes[0] == path.stat().st_size
