"""A patch file that is cut, edited or about something else is refused with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from ops.errors import BadArgument
from ops.model.items import KeySchema
from ops.verify.patch import Change, as_expected, item_digest, verdict
from ops.verify.patch_file import PatchHead, PatchWriter, read_changes, read_head

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
    with pytest.raises(BadArgument, match="has no last line"):
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
    "text", ["", "{}\n", '{"schema":"ops.seal/1"}\n', "[1]\n", '{"schema":"ops.patch/1","keys":[]}\n']
)
def test_another_file_is_no_patch(tmp_path: Path, text: str) -> None:
    other = tmp_path / "other.json"
    other.write_text(text)
    with pytest.raises(BadArgument):
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
