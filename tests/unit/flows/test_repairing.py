"""The parts of repairs and imports that need no table: lines of changes, scratch on the disk, what a run keeps."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.clock import SystemClock
from ops.errors import RunFolderUnusable
from ops.flows.changes import NetChange, parse_change
from ops.flows.checkpoints import Appended, load_checkpoint, save_checkpoint
from ops.flows.held import held
from ops.flows.repair_plan import NAMED, Forecast
from ops.flows.repairing import CHECKPOINT, Prepared, carry_out, problems
from ops.flows.reverting import Window, changed_attributes
from ops.model.items import Item, KeySchema
from ops.recovery.lines import BadLine
from ops.runs import open_run
from ops.verify.patch import Change
from ops.verify.patch_apply import Foreseen

KEYS = KeySchema("pk", "S", "sk", "N")
INDEXES = {"by_genre": KeySchema("genre", "S")}
KEY: Item = {"pk": {"S": "a"}, "sk": {"N": "1"}}
IMAGE: Item = {**KEY, "n": {"N": "7"}}


def line(**members: Any) -> bytes:
    document = {"Metadata": {"WriteTimestampMicros": {"N": "1"}}, "Keys": KEY, **members}
    return json.dumps({name: value for name, value in document.items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ({"NewImage": IMAGE}, NetChange(KEY, None, IMAGE)),
        ({"OldImage": KEY, "NewImage": IMAGE}, NetChange(KEY, KEY, IMAGE)),
        ({"OldImage": IMAGE}, NetChange(KEY, IMAGE, None)),
        ({}, NetChange(KEY, None, None)),
    ],
    ids=["insert", "update", "delete", "delete without images"],
)
def test_every_kind_of_change_is_read(members: dict[str, Any], wanted: NetChange) -> None:
    assert parse_change(line(**members), KEYS, INDEXES) == wanted


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (line(Keys=None), "no member Keys"),
        (line(Keys={"pk": {"S": "a"}}), "exactly the attributes"),
        (line(Keys={"pk": {"N": "1"}, "sk": {"N": "1"}}), "must have type S"),
        (line(NewImage={**IMAGE, "sk": {"N": "2"}}), "an image of another key"),
        (line(OldImage={**IMAGE, "pk": {"S": "b"}}), "an image of another key"),
        (line(NewImage={**IMAGE, "n": {"N": "9" * 39}}), "39 significant digits"),
        (line(NewImage={**IMAGE, "n": {"N": "NaN"}}), "not a number"),
        (line(NewImage={**IMAGE, "genre": {"N": "1"}}), "of index 'by_genre'"),
        (line(NewImage=[1]), "must be an object"),
        (b"[]", "not a JSON object"),
        (b'{"Item":{}}', "no member Keys"),
        (line(NewImage=IMAGE)[:-4], "not JSON"),
        (line() + b"\r", "carriage return"),
        (b"\xef\xbb\xbf" + line(), "byte order mark"),
    ],
)
def test_a_line_that_is_no_change_says_why_and_never_a_value(raw: bytes, reason: str) -> None:
    with pytest.raises(BadLine, match=reason) as raised:
        parse_change(raw, KEYS, INDEXES)
    assert "NaN" not in str(raised.value)


def test_the_key_of_a_number_may_be_written_in_another_way() -> None:
    assert parse_change(line(NewImage={**IMAGE, "sk": {"N": "1.0"}}), KEYS, INDEXES).new is not None


def test_changed_attributes_are_those_whose_value_differs() -> None:
    old: Item = {**KEY, "same": {"N": "1.0"}, "set": {"SS": ["a", "b"]}, "gone": {"S": "x"}, "turned": {"N": "1"}}
    new: Item = {**KEY, "same": {"N": "1"}, "set": {"SS": ["b", "a"]}, "came": {"S": "x"}, "turned": {"S": "1"}}
    assert changed_attributes(old, new) == {"gone", "came", "turned"}


def test_a_window_reads_as_the_command_line_takes_it() -> None:
    moment = datetime(2026, 11, 20, 10, 2, 17, tzinfo=UTC)
    assert Window(moment, moment.replace(hour=11)).text == "2026-11-20T10:02:17Z..2026-11-20T11:02:17Z"


@given(st.dictionaries(st.binary(min_size=1, max_size=32), st.binary(max_size=32), max_size=40), st.binary(max_size=8))
def test_what_is_held_is_what_a_dictionary_holds(
    tmp_path_factory: Any, pairs: dict[bytes, bytes], other: bytes
) -> None:
    folder = tmp_path_factory.mktemp("held")
    with held(folder, "x") as found:
        found.add((key, b"before") for key in pairs)
        found.add(pairs.items())
        assert len(found) == len(pairs)
        assert all(found.get(key) == value for key, value in pairs.items())
        assert (other in found) == (other in pairs)
    assert list(folder.iterdir()) == []


def test_a_file_goes_on_where_its_checkpoint_stands(tmp_path: Path) -> None:
    path = tmp_path / "q"
    with Appended(path, 0) as file:
        file.add(b"one")
        kept = file.force()
        file.add(b"lost")
    with Appended(path, kept) as file:
        file.add(b"two")
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(RunFolderUnusable), Appended(tmp_path / "none" / "q", 0):
        pass


@pytest.mark.parametrize("raw", [b"", b'{"next":3,"app', b"[]", b"null", b"\0" * 40, b"\xff", b"[" * 100_000])
def test_a_checkpoint_that_a_broken_disk_left_is_told(tmp_path: Path, raw: bytes) -> None:
    with open_run(tmp_path, ["repair"], SystemClock(), Random(1)) as run:
        (run.folder / "c.json").write_bytes(raw)
        with pytest.raises(RunFolderUnusable, match=r"c\.json cannot be read"):
            load_checkpoint(run, "c.json")


@pytest.mark.parametrize(
    "state",
    ['{"next":Infinity}', '{"applied":-1}', '{"already":"3"}', '{"conflicts":1.5}', '{"queue_bytes":true}',
     '{"named":5}', '{"named":[5]}'],
)  # fmt: skip
def test_a_repair_does_not_go_on_from_a_checkpoint_whose_counts_are_none(tmp_path: Path, state: str) -> None:
    with open_run(tmp_path, ["repair"], SystemClock(), Random(1)) as run:
        (run.folder / CHECKPOINT).write_text(state)
        nothing: Any = None
        prepared = Prepared(nothing, Forecast(), "undo.jsonl", keep=False, rate=None)
        with pytest.raises(RunFolderUnusable, match=r"repair\.json cannot be read"):
            carry_out(nothing, run, nothing, prepared, lambda: 0)


def test_a_checkpoint_reads_back(tmp_path: Path) -> None:
    with open_run(tmp_path, ["repair"], SystemClock(), Random(1)) as run:
        assert load_checkpoint(run, "c.json") == {}
        save_checkpoint(run, "c.json", next=3, done=True)
        assert load_checkpoint(run, "c.json") == {"next": 3, "done": True}


def test_a_forecast_counts_names_some_conflicts_and_reads_back() -> None:
    forecast = Forecast()
    for number in range(NAMED + 5):
        forecast.count(Foreseen(Change({"pk": {"S": str(number)}}, None, IMAGE), KEY, "conflict"), 1)
    forecast.count(Foreseen(Change(KEY, None, IMAGE), None, "apply"), 1)
    forecast.count(Foreseen(Change(KEY, IMAGE, None), IMAGE, "apply"), 1)
    forecast.count(Foreseen(Change(KEY, IMAGE, None), None, "already"), 1)
    assert (forecast.changes, forecast.conflicts, len(forecast.named)) == (NAMED + 8, NAMED + 5, NAMED)
    assert (forecast.apply, forecast.puts, forecast.deletes, forecast.already) == (2, 1, 1, 1)
    assert forecast.write_units == 6
    assert Forecast.kept(json.loads(json.dumps(forecast.document()))) == forecast


def test_conflicts_left_alone_on_purpose_are_no_failure() -> None:
    from ops.flows.repairing import RepairResult

    queued = RepairResult("t", 3, 1, 0, 2, "/q", "/u", (("a/1", "newer"),))
    kept = RepairResult("t", 3, 1, 0, 2, None, "/u", (("a/1", "newer"),))
    assert [(error.exit_code, error.why) for error in problems(queued)] == [(3, "a/1: newer")]
    assert "/u" in problems(queued)[0].changed
    assert problems(kept) == ()
