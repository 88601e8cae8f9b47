"""`ops repair`, `ops diff --format patch` and `ops import-s3 --into` as processes against the sandbox."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.gate import Gate
from tests.cli.recovery_stage import Stage, track


@pytest.fixture
def pair(stage: Stage) -> Iterator[tuple[str, str]]:
    """A good table and a damaged one: an item missing, one more, two changed."""
    good, damaged = stage.declare(items=20, stem="good"), stage.declare(items=20, stem="damaged")
    stage.dynamodb.delete_item(TableName=damaged, Key={"artist_id": {"S": "a0000"}, "id": {"S": "t000001"}})
    stage.put(damaged, [{**track(number), "popularity": {"N": "-1"}} for number in (2, 3)])
    stage.put(damaged, [track(700)])
    yield good, damaged
    stage.forget(good)
    stage.forget(damaged)


@pytest.fixture
def patch(stage: Stage, pair: tuple[str, str], tmp_path: Path) -> Path:
    """The patch that makes the damaged table like the good one."""
    out = tmp_path / "fix.jsonl"
    done = stage.ops("diff", pair[0], pair[1], "--format", "patch", "--out", str(out))
    assert done.code == 4, done.err
    assert f"patch      {out}: 4 changes" in done.out
    assert f"next: ops repair {pair[1]} --patch {out}" in done.err
    return out


def test_without_apply_nothing_is_written_and_the_plan_is_shown(
    stage: Stage, pair: tuple[str, str], patch: Path
) -> None:
    before = stage.items(pair[1])
    done = stage.ops("repair", pair[1], "--patch", str(patch))
    assert done.code == 0, done.err
    assert f"would repair {pair[1]} from {patch}; no item was written" in done.out
    assert "4 to apply (3 put, 1 deleted), 0 already as wanted, 0 conflicts" in done.out
    assert "at most 12 write units" in done.out
    assert "way back" in done.out
    assert f"--apply --confirm {pair[1]}" in done.err
    document = stage.ops("repair", pair[1], "--patch", str(patch), "--dry-run", "-o", "json").document
    result = document["result"]
    assert document["dry_run"] is True
    assert (result["planned"], result["apply"], result["puts"], result["deletes"]) == (4, 4, 3, 1)
    assert stage.items(pair[1]) == before


@pytest.mark.parametrize("more", [(), ("--confirm", "other"), ("--no-input",)])
def test_without_its_name_nothing_is_written(
    stage: Stage, pair: tuple[str, str], patch: Path, more: tuple[str, ...]
) -> None:
    before = stage.items(pair[1])
    done = stage.ops("repair", pair[1], "--patch", str(patch), "--apply", *more)
    assert (done.code, done.out) == (7, "")
    assert "OPS-E702" in done.err
    assert f"give --confirm {pair[1]}" in done.err
    assert stage.items(pair[1]) == before


def test_a_repair_a_second_one_and_its_undo(stage: Stage, pair: tuple[str, str], patch: Path, tmp_path: Path) -> None:
    good, damaged = pair
    before, undo = stage.items(damaged), tmp_path / "undo.jsonl"
    words = ("repair", damaged, "--patch", str(patch), "--apply", "--confirm", damaged)
    done = stage.ops(*words, "--undo", str(undo), "-o", "json")
    assert done.code == 0, done.err
    result, run = done.document["result"], done.document["run"]
    assert (result["planned"], result["applied"], result["already"], result["conflicts"]) == (4, 4, 0, 0)
    assert (result["queue"], result["undo"]) == (None, str(undo))
    assert stage.items(damaged) == stage.items(good)
    again = stage.ops(*words, "-o", "json").document["result"]
    assert (again["applied"], again["already"]) == (0, 4)
    assert stage.ops("diff", good, damaged).code == 0
    other = stage.ops("repair", damaged, "--patch", str(undo), "--apply", "--confirm", damaged, "--resume", run)
    assert (other.code, f"run {run} was begun with patch {patch}" in other.err) == (2, True), other.err
    assert stage.ops(*words, "--undo", str(undo)).code == 2
    back = stage.ops("repair", damaged, "--patch", str(undo), "--apply", "--confirm", damaged)
    assert back.code == 0, back.err
    assert stage.items(damaged) == before


def test_a_conflict_is_kept_queued_and_exit_3(stage: Stage, pair: tuple[str, str], patch: Path) -> None:
    damaged = pair[1]
    stage.put(damaged, [{**track(2), "popularity": {"N": "88"}}])
    words = ("repair", damaged, "--patch", str(patch), "--apply", "--confirm", damaged)
    done = stage.ops(*words)
    assert done.code == 3, done.err
    assert "4 changes = 3 applied + 0 already as wanted + 1 conflicts" in done.out
    assert "conflict a0000/t000002: " in done.out
    assert stage.items(damaged)["a0000", "t000002"]["popularity"] == {"N": "88"}
    kept = stage.ops(*words, "--on-conflict", "keep", "-o", "json")
    assert (kept.code, kept.document["result"]["queue"], kept.document["result"]["conflicts"]) == (0, None, 1)


def test_a_window_is_taken_back_with_where(stage: Stage) -> None:
    table = stage.declare(items=12, stem="window")
    before = stage.items(table)
    stage.advance(60)
    since = stage.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    stage.advance(2)
    stage.put(table, [{**track(number), "popularity": {"N": "-5"}} for number in range(4)])
    stage.put(table, [{**track(9), "name": {"S": "Renamed"}}])
    stage.advance(1000)
    until = stage.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    stage.put(table, [{**track(3), "popularity": {"N": "70"}}])
    window = ("--revert", f"{since}..{until}", "--where", "popularity < 0")
    dry = stage.ops("repair", table, *window, "--dry-run")
    assert dry.code == 0, dry.err
    assert "must be exported before its changes are known" in dry.out
    plan = stage.ops("repair", table, *window, "-o", "json").document["result"]
    assert (plan["planned"], plan["apply"], plan["conflicts"], plan["left"]) == (4, 3, 1, 1)
    done = stage.ops("repair", table, *window, "--apply", "--confirm", table, "-o", "json")
    assert done.code == 3, done.err
    assert done.document["result"]["applied"] == 3
    renamed = {**track(9), "name": {"S": "Renamed"}}
    later = {**track(3), "popularity": {"N": "70"}}
    assert stage.items(table) == {**before, ("a0000", "t000009"): renamed, ("a0000", "t000003"): later}
    short = stage.ops("repair", table, "--revert", f"{since}..{since}")
    assert short.code == 2
    assert "15 minutes to 24 hours" in short.err
    stage.forget(table)


def test_without_a_way_back_a_repair_is_refused(stage: Stage, tmp_path: Path) -> None:
    good, bare = stage.declare(items=3), stage.declare(items=2, pitr=False)
    out = tmp_path / "fix.jsonl"
    assert stage.ops("diff", good, bare, "--format", "patch", "--out", str(out)).code == 4
    done = stage.ops("repair", bare, "--patch", str(out), "--apply", "--confirm", bare)
    assert (done.code, done.out) == (7, "")
    assert "OPS-E708" in done.err
    assert f"ops settings apply {bare} --only pitr" in done.err
    assert len(stage.items(bare)) == 2
    other = stage.ops("repair", good, "--patch", str(out))
    assert other.code == 7
    assert "OPS-E704" in other.err
    stage.forget(good)
    stage.forget(bare)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "choose one of --patch FILE and --revert T..T"),
        (("--patch", "a", "--revert", "-1h..latest"), "choose one of"),
        (("--patch", "a", "--where", "n = 1"), "--where narrows --revert"),
        (("--patch", "/none/a.jsonl"), "cannot read"),
        (("--revert", "-1h"), "is no window"),
        (("--patch", "a", "--on-conflict", "overwrite"), "not one of keep, queue"),
    ],
)
def test_arguments_that_cannot_be_used_are_exit_2(stage: Stage, words: tuple[str, ...], text: str) -> None:
    table = stage.declare(items=1)
    done = stage.ops("repair", table, *words)
    assert (done.code, done.out) == (2, ""), done.err
    assert text in done.err
    stage.forget(table)


def test_ctrl_c_stops_between_two_writes_and_resumes(stage: Stage, tmp_path: Path) -> None:
    good, damaged = stage.declare(items=300, stem="good"), stage.declare(items=1, stem="damaged")
    out = tmp_path / "fix.jsonl"
    assert stage.ops("diff", good, damaged, "--format", "patch", "--out", str(out)).code == 4
    second = json.loads(out.read_text().splitlines()[2])["key"]["id"]["S"]
    gate = Gate(stage.endpoint)
    try:
        gate.hold("PutItem", f'"{second}"')
        words = ("repair", damaged, "--patch", str(out), "--apply", "--confirm", damaged)
        process = stage.start(*words, AWS_ENDPOINT_URL=gate.endpoint)
        assert gate.reached.wait(60)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        gate.release()
        printed, err = process.communicate(timeout=60)
    finally:
        gate.stop()
    assert (process.returncode, printed) == (130, ""), err
    assert " changes were applied; undo: " in err
    assert 0 < len(stage.items(damaged)) < 300
    line = next(one for one in err.splitlines() if "--resume" in one)
    done = stage.ops(*line.split("ops ", 1)[1].split(), "-o", "json")
    assert done.code == 0, done.err
    result = done.document["result"]
    assert result["planned"] == result["applied"] + result["already"] == 299
    assert stage.items(damaged) == stage.items(good)
    stage.forget(good)
    stage.forget(damaged)


# --- ops import-s3 --into ------------------------------------------------------------------------------------------


def test_an_export_goes_into_a_table_that_exists(stage: Stage) -> None:
    table = stage.declare(items=27, stem="into")
    before = stage.items(table)
    manifest = stage.ops("export-s3", table, "-o", "json").document["result"]["manifest"]
    stage.dynamodb.delete_item(TableName=table, Key={"artist_id": {"S": "a0000"}, "id": {"S": "t000001"}})
    stage.put(table, [{**track(2), "popularity": {"N": "-1"}}])
    words = ("import-s3", manifest, "--into", table)
    unsaid = stage.ops(*words)
    assert (unsaid.code, unsaid.out) == (7, "")
    dry = stage.ops(*words, "--dry-run")
    assert dry.code == 0, dry.err
    assert f"would put 27 items into {table} and delete 0; nothing was changed" in dry.out
    assert len(stage.items(table)) == 26
    done = stage.ops(*words, "--only-changed", "--yes", "-o", "json")
    assert done.code == 0, done.err
    result = done.document["result"]
    assert (result["read"], result["written"], result["unchanged"]) == (27, 2, 25)
    assert (result["duplicates"], result["rejected"], result["quarantine"]) == (0, 0, None)
    assert result["proof"]["equal"] is True
    assert stage.items(table) == before
    text = stage.ops(*words, "--yes")
    assert "27 = 27 written + 0 unchanged + 0 duplicates + 0 rejected" in text.out
    stage.forget(table)


def test_an_import_that_was_interrupted_says_so_and_goes_on(stage: Stage) -> None:
    table = stage.declare(items=200, stem="into")
    before = stage.items(table)
    manifest = stage.ops("export-s3", table, "-o", "json").document["result"]["manifest"]
    for artist, ident in list(before)[::2]:
        stage.dynamodb.delete_item(TableName=table, Key={"artist_id": {"S": artist}, "id": {"S": ident}})
    stopped = stage.interrupted("BatchWriteItem", "", "import-s3", manifest, "--into", table, "--yes")
    assert (stopped.code, stopped.out) == (130, ""), stopped.err
    assert f"BatchWriteItem {table}" in stopped.err
    line = next(one for one in stopped.err.splitlines() if "--resume" in one)
    again = line.split("ops ", 1)[1].split()
    for words in (("--only-changed",), ("--then", manifest)):
        refused = stage.ops(*again, *words)
        assert (refused.code, "was begun with" in refused.err) == (2, True), refused.err
    done = stage.ops(*again, "-o", "json")
    assert done.code == 0, done.err
    assert done.document["result"]["read"] == 200
    assert stage.items(table) == before
    stage.forget(table)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--as", "x-copy", "--into", "y"),
        ("--as", "x-copy", "--only-changed"),
        ("--into", "y", "--input", "csv"),
    ],
)
def test_options_of_the_two_ways_do_not_mix(stage: Stage, words: tuple[str, ...]) -> None:
    done = stage.ops("import-s3", "s3://music-exports/x/manifest-summary.json", *words)
    assert (done.code, done.out) == (2, "")
    assert "--into" in done.err


def test_an_export_of_another_table_is_named_as_such(stage: Stage) -> None:
    one, other = stage.declare(items=3), stage.declare(items=3)
    manifest = stage.ops("export-s3", one, "-o", "json").document["result"]["manifest"]
    done = stage.ops("import-s3", manifest, "--into", other, "--yes")
    assert (done.code, done.out) == (6, "")
    assert "is of another table" in done.err
    assert "give --accept foreign" in done.err
    stage.forget(one)
    stage.forget(other)


def test_files_with_items_are_for_their_owner_alone(stage: Stage, pair: tuple[str, str], patch: Path) -> None:
    done = stage.ops("repair", pair[1], "--patch", str(patch), "--apply", "--confirm", pair[1], "-o", "json")
    folder = stage.runs / str(done.document["run"])
    for name in ("patch.jsonl", "undo.jsonl", "conflicts.jsonl"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert patch.stat().st_mode & 0o777 == 0o600
    journal = (folder / "journal.jsonl").read_text()
    assert "Track" not in journal
    planned: Any = [json.loads(one) for one in journal.splitlines() if '"planned"' in one]
    assert planned[0]["data"]["forecast"]["apply"] == 4
