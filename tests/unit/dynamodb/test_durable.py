"""A checkpoint stands on disk only for what is settled; a run goes on from it, or says why it cannot."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.dynamodb import durable
from ops.dynamodb.durable import Checkpoint, DeadLetters, put_lines
from ops.dynamodb.retry import Failure
from ops.dynamodb.write import BulkWriter, Rejected, WriteCounts, WriteTarget, key_bytes
from ops.errors import AccountingMismatch, BadArgument, CredentialsUnusable, RunFolderUnusable
from ops.runs import replace_file
from tests.property.examples import examples
from tests.unit.dynamodb.kit import KEYS, MemoryTable, ShuffledTable, StillClock, plane, some_items, some_lines

ANY_TEXT = st.text(st.one_of(st.characters(), st.characters(categories=["Cs"])), max_size=5)
LINES = some_lines(some_items(300))
LINES[40], LINES[250] = b"no item\n", b"\xff\n"


def writer(table: Any, **given: Any) -> BulkWriter:
    return BulkWriter(plane(table), WriteTarget("t", KEYS), **given)


def checkpoint(folder: Path, source: str = "lines", every_s: float = 0.0) -> Checkpoint:
    return Checkpoint(folder / "checkpoint.json", source, StillClock(), every_s)


def dead(folder: Path) -> DeadLetters:
    return DeadLetters(folder / "dead.jsonl")


def expiring(after: int) -> MemoryTable:
    expired = Failure("ExpiredTokenException", "expired", 400)
    return MemoryTable(mood=lambda operation, number: expired if number == after else None)


@pytest.mark.parametrize("after", range(1, 13))
def test_a_run_that_stopped_goes_on_where_it_was_settled(tmp_path: Path, after: int) -> None:
    table = expiring(after)
    wire = ShuffledTable(table, Random(after))
    with pytest.raises(CredentialsUnusable):
        put_lines(writer(wire), LINES, checkpoint(tmp_path), dead(tmp_path))
    reached = checkpoint(tmp_path).load().read
    counts = put_lines(writer(wire), LINES, checkpoint(tmp_path), dead(tmp_path))
    assert counts == WriteCounts(read=300, written=298, rejected=2)
    assert table.items == {key_bytes(one, KEYS): one for at, one in enumerate(some_items(300)) if at not in (40, 250)}
    assert [one["line"] for one in dead(tmp_path).read()] == [41, 251]
    assert reached < 300
    assert len(table.asked) <= 12 + 1 + 12 - reached // 25


def test_a_finished_run_has_nothing_to_do(tmp_path: Path) -> None:
    table = MemoryTable()
    first = put_lines(writer(table), LINES, checkpoint(tmp_path), dead(tmp_path))
    asked = len(table.asked)
    assert put_lines(writer(table), LINES, checkpoint(tmp_path), dead(tmp_path)) == first
    assert len(table.asked) == asked
    assert [one["line"] for one in dead(tmp_path).read()] == [41, 251]


def test_rejected_lines_are_kept_with_place_reason_and_text_for_the_owner_only(tmp_path: Path) -> None:
    put_lines(writer(MemoryTable()), LINES, checkpoint(tmp_path), dead(tmp_path))
    first, second = dead(tmp_path).read()
    assert (first["line"], first["text"]) == (41, "no item")
    assert "not JSON" in first["reason"]
    assert (second["line"], second["base64"]) == (251, "/w==")
    assert (tmp_path / "dead.jsonl").stat().st_mode & 0o777 == 0o600


def test_items_that_are_no_lines_are_kept_as_lines(tmp_path: Path) -> None:
    item = {"pk": {"S": "a"}}
    with dead(tmp_path).after(0) as letters:
        letters.add(Rejected(7, item, "key attribute 'sk' is missing"))
    [one] = dead(tmp_path).read()
    assert orjson.loads(one["text"]) == {"Item": item}


@pytest.mark.parametrize("where", ["value", "name", "reason", "place", "line"])
def test_what_was_rejected_for_a_lone_surrogate_is_kept_and_can_be_read(tmp_path: Path, where: str) -> None:
    odd = {one: "\ud800" if one == where else "x" for one in ("value", "name", "reason", "place")}
    item: Any = {"pk": {"S": odd["value"]}, odd["name"]: {"L": [{"S": odd["value"]}]}}
    line = b'{"Item":{"pk":{"S":"\\ud800\xed\xa0\x80"}}}' if where == "line" else None
    letters = DeadLetters(tmp_path / "dead.jsonl", lambda position: {"object": odd["place"], "line": position})
    with letters.after(0):
        letters.add(Rejected(1, item, odd["reason"], line))
        letters.add(Rejected(2, {}, "x", b"no"))
    with letters.after(1):  # a resumed run writes it anew
        assert letters.count == 1
    [one] = letters.read()
    assert (one["reason"], one["object"]) == tuple(
        "\\ud800" if odd[name] == "\ud800" else "x" for name in ("reason", "place")
    )
    if line is None:
        assert json.loads(one["text"]) == {"Item": item}
    else:
        assert base64.b64decode(one["base64"]) == line


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.tuples(ANY_TEXT, st.binary(max_size=9), ANY_TEXT)),
    cut=st.integers(0, 400), position=st.integers(0, 9),
)  # fmt: skip
def test_whatever_was_rejected_is_read_again_up_to_where_a_kill_cut_it(
    tmp_path: Path, texts: list[tuple[str, bytes, str]], cut: int, position: int
) -> None:
    letters = dead(tmp_path)
    with letters.after(0):
        for at, (reason, line, text) in enumerate(texts, 1):
            letters.add(Rejected(at, {"x": {"S": text}}, reason, line if at % 2 else None))
    whole = letters.path.read_bytes()
    letters.path.write_bytes(whole[: len(whole) - cut] if cut < len(whole) else b"")
    kept = list(letters.read())
    assert [one["line"] for one in kept] == list(range(1, len(kept) + 1))
    assert len(kept) == letters.path.read_bytes().count(b"\n")
    with letters.after(position):
        assert letters.count == min(position, len(kept))
    assert list(letters.read()) == kept[:position]


def test_a_last_rejected_line_that_was_cut_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "dead.jsonl").write_text('{"line":3,"reason":"x","text":"y"}\n{"line":5,"rea')
    with dead(tmp_path).after(9) as letters:
        assert letters.count == 1
    assert [one["line"] for one in dead(tmp_path).read()] == [3]


def test_what_was_rejected_after_the_checkpoint_is_rejected_again_and_stands_once(tmp_path: Path) -> None:
    (tmp_path / "dead.jsonl").write_text('{"line":41,"reason":"x","text":"y"}\n{"line":251,"reason":"x","text":"y"}\n')
    checkpoint(tmp_path).save(WriteCounts(read=200, written=199, rejected=1))
    counts = put_lines(writer(MemoryTable()), LINES, checkpoint(tmp_path), dead(tmp_path))
    assert counts == WriteCounts(read=300, written=298, rejected=2)
    assert [(one["line"], one["reason"] == "x") for one in dead(tmp_path).read()] == [(41, True), (251, False)]


def test_checkpoints_are_as_far_apart_as_asked_and_the_last_is_always_written(tmp_path: Path) -> None:
    saved: list[int] = []
    kept = checkpoint(tmp_path, every_s=3600)

    def look(position: int) -> None:
        saved.append(kept.load().read)

    put_lines(writer(MemoryTable(), on_acknowledged=look), LINES, kept, dead(tmp_path))
    assert set(saved) == {25}
    assert kept.load().read == 300


def test_the_checkpoint_of_another_input_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    checkpoint(tmp_path, "other lines").save(WriteCounts(read=5, written=5))
    table = MemoryTable()
    with pytest.raises(BadArgument) as caught:
        put_lines(writer(table), LINES, checkpoint(tmp_path), dead(tmp_path))
    assert "other lines" in caught.value.why
    assert table.asked == []


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '{"schema":"ops.write-checkpoint/9","source":"lines","counts":{}}',
     json.dumps({"schema": "ops.write-checkpoint/1", "source": "lines", "counts": {"read": 9, "written": 5}}),
     json.dumps({"schema": "ops.write-checkpoint/1", "source": "lines", "counts": {"red": 9}}),
     json.dumps({"schema": "ops.write-checkpoint/1", "counts": {"read": 9, "written": 9}}),
     json.dumps({"schema": "ops.write-checkpoint/1", "source": "lines", "counts": {"read": -9, "written": -9}}),
     json.dumps({"schema": "ops.write-checkpoint/1", "source": "lines", "counts": {"written": -9, "rejected": 9}}),
     "[" * 100_000],
)  # fmt: skip
def test_a_checkpoint_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "checkpoint.json").write_text(text)
    with pytest.raises(RunFolderUnusable) as caught:
        checkpoint(tmp_path).load()
    assert "checkpoint.json" in caught.value.what


def test_an_input_shorter_than_its_checkpoint_is_an_error(tmp_path: Path) -> None:
    checkpoint(tmp_path).save(WriteCounts(read=50, written=50))
    with pytest.raises(AccountingMismatch):
        put_lines(writer(MemoryTable()), LINES[:49], checkpoint(tmp_path), dead(tmp_path))


def test_when_the_disk_takes_no_more_the_run_stops_and_the_last_checkpoint_is_whole(tmp_path: Path) -> None:
    folder, moved = tmp_path / "run", tmp_path / "moved"
    folder.mkdir()
    table = MemoryTable()

    def gone(position: int) -> None:
        if position >= 75 and folder.exists():
            shutil.move(folder, moved)

    with pytest.raises(RunFolderUnusable) as caught:
        put_lines(writer(table, on_acknowledged=gone), LINES, checkpoint(folder), dead(folder))
    assert "checkpoint.json" in caught.value.what
    assert f"{len(table.items)} items were written to t" in caught.value.changed
    counts = checkpoint(moved).load()
    counts.check()
    assert counts.read >= 75
    written = {key_bytes(one, KEYS) for at, one in enumerate(some_items(counts.read)) if at != 40}
    assert written <= table.items.keys()


def test_an_interruption_keeps_what_is_settled(tmp_path: Path) -> None:
    def interrupted(operation: str, number: int) -> None:
        if number == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_lines(writer(MemoryTable(mood=interrupted)), LINES, checkpoint(tmp_path, every_s=3600), dead(tmp_path))
    assert checkpoint(tmp_path).load().read == 101  # four batches; the line that was rejected is settled with them


@pytest.mark.parametrize("after", [1, 3, 4])
def test_a_resumed_run_still_knows_the_keys_of_the_lines_before_it(tmp_path: Path, after: int) -> None:
    # Every line of the second half repeats a key of the first, with another value.
    first = some_items(100)
    lines = [*some_lines(first), *some_lines([{**one, "text": {"S": "again"}} for one in first])]
    table = expiring(after)
    with pytest.raises(CredentialsUnusable):
        put_lines(writer(table, repeats="reject"), lines, checkpoint(tmp_path), dead(tmp_path))
    counts = put_lines(writer(table, repeats="reject"), lines, checkpoint(tmp_path), dead(tmp_path))
    assert counts == WriteCounts(read=200, written=100, rejected=100)
    assert table.items == {key_bytes(one, KEYS): one for one in first}
    assert [one["line"] for one in dead(tmp_path).read()] == list(range(101, 201))


def test_the_callers_own_hooks_are_still_told(tmp_path: Path) -> None:
    told: list[int] = []
    refused: list[Rejected] = []
    given = writer(MemoryTable(), on_acknowledged=told.append, on_rejected=refused.append)
    put_lines(given, LINES, checkpoint(tmp_path), dead(tmp_path))
    assert told[-1] == 300
    assert [one.position for one in refused] == [41, 251]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("share_left", [0.0, 0.5])
def test_when_a_run_ends_early_what_was_on_its_way_is_settled_only_if_it_was_written(
    seed: int, share_left: float
) -> None:
    expired = Failure("ExpiredTokenException", "expired", 400)
    # The first batch to arrive, whichever the seed makes it, ends the run while the others are on their way.
    table = MemoryTable(mood=lambda operation, number: expired if number == 1 else share_left)
    given = writer(ShuffledTable(table, Random(seed)))
    with pytest.raises(CredentialsUnusable):
        given.put(some_items(200))
    given.settled.check()
    assert given.counts.written == len(table.items) == 7 * (13 if share_left else 25)
    missing = [at for at, one in enumerate(some_items(200)) if key_bytes(one, KEYS) not in table.items]
    assert given.settled.read == (0 if share_left else missing[0])


def test_the_files_are_as_documented(tmp_path: Path) -> None:
    put_lines(writer(MemoryTable()), [b'{"Item":"\xc3\xa9"}~\r\n', *LINES[:3]], checkpoint(tmp_path), dead(tmp_path))
    assert json.loads((tmp_path / "checkpoint.json").read_text()) == {
        "schema": "ops.write-checkpoint/1",
        "source": "lines",
        "counts": {"read": 4, "written": 3, "unchanged": 0, "duplicates": 0, "rejected": 1},
    }
    [one] = dead(tmp_path).read()
    assert one == {"line": 1, "reason": one["reason"], "text": '{"Item":"é"}~'}


def test_rejected_lines_are_counted_from_what_was_kept_and_the_last_kept_is_that_of_the_position(
    tmp_path: Path,
) -> None:
    letters = dead(tmp_path)
    assert letters.count == 0
    with letters.after(0):
        for position in (3, 5, 7):
            letters.add(Rejected(position, {}, "é", b"no"))
        letters.sync()
        assert letters.count == 3
    with pytest.raises(AssertionError):
        letters.add(Rejected(9, {}, "after its end", b"no"))
    with letters.after(5):
        assert letters.count == 2
        letters.add(Rejected(6, {}, "new", b"no"))
    assert letters.count == 3
    assert [one["line"] for one in letters.read()] == [3, 5, 6]
    assert "é" in letters.path.read_text()
    assert "item" not in repr(letters)


def test_a_rejected_line_is_kept_by_its_position_and_not_by_its_number_in_its_file(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "dead.jsonl", lambda position: {"object": f"o{position}", "line": 10 - position})
    with letters.after(0):
        for position in (3, 5, 7):
            letters.add(Rejected(position, {}, "why", b"no"))
    with letters.after(5):
        assert letters.count == 2
    assert [(one["position"], one["object"], one["line"]) for one in letters.read()] == [(3, "o3", 7), (5, "o5", 5)]


def test_rejected_lines_are_forced_to_the_disk_before_a_checkpoint_that_covers_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters, synced, covered = dead(tmp_path), [0], []

    def fsync(number: int) -> None:
        if os.fstat(number).st_ino == (letters.path.stat().st_ino if letters.path.exists() else 0):
            synced.append(len(letters.path.read_bytes().splitlines()))

    def replaced(path: Path, text: str) -> None:
        if path.name == "checkpoint.json":
            covered.append(json.loads(text)["counts"]["rejected"])
            assert synced[-1] >= covered[-1]
        replace_file(path, text)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(durable, "replace_file", replaced)
    put_lines(writer(MemoryTable()), LINES, checkpoint(tmp_path), letters)
    assert covered[-1] == 2
    assert len(covered) > 10


def test_the_last_checkpoint_is_preceded_by_the_lines_it_covers_even_when_none_was_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters, held = dead(tmp_path), []
    monkeypatch.setattr(
        durable.Checkpoint, "save", lambda self, counts: held.append([one["line"] for one in letters.read()])
    )
    monkeypatch.setattr(durable.Checkpoint, "due", lambda self: False)
    put_lines(writer(MemoryTable()), LINES, checkpoint(tmp_path), letters)
    assert held == [[41, 251]]


def test_a_run_that_settles_nothing_new_writes_no_checkpoint(tmp_path: Path) -> None:
    table = MemoryTable(mood=lambda operation, number: Failure("ExpiredTokenException", "expired", 400))
    with pytest.raises(CredentialsUnusable):
        put_lines(writer(table), LINES[:40], checkpoint(tmp_path), dead(tmp_path))
    assert not (tmp_path / "checkpoint.json").exists()


def test_rejected_lines_that_the_disk_does_not_take_end_the_run(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, text: Any) -> int:
            raise OSError(28, "No space left on device")

    letters = dead(tmp_path)
    with letters.after(0):
        usual, letters._file = letters._file, Full()
        with pytest.raises(RunFolderUnusable, match="rejected lines cannot be written") as caught:
            letters.add(Rejected(1, {}, "x", b"no"))
        letters._file = usual
    assert "No space left" in caught.value.why
    assert letters.count == 0


def test_a_last_checkpoint_that_cannot_be_written_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []

    def full(path: Path, text: str) -> None:
        if path.name == "checkpoint.json":
            saved.append(text)
            raise OSError(28, "No space left on device")
        replace_file(path, text)

    monkeypatch.setattr(durable, "replace_file", full)
    kept = Checkpoint(tmp_path / "checkpoint.json", "lines", StillClock(), float("inf"))
    kept._saved_at = 0.0
    with pytest.raises(RunFolderUnusable) as caught:
        put_lines(writer(MemoryTable()), some_lines(some_items(40)), kept, dead(tmp_path))
    assert caught.value.changed == "40 items were written before"
    kept.save(WriteCounts())
    assert len(saved) == 1, "a file that could not be written is not written behind its back"
