"""`ops load FILE` as a process: items of files, objects and stdin, judged, written and read back."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.recovery_stage import BUCKET, Item, Stage, track


@pytest.fixture
def table(stage: Stage) -> Any:
    """A declared table that holds tracks 0 to 9."""
    logical = stage.declare(items=10, stem="loaded")
    yield logical
    stage.forget(logical)


def written(path: Path, items: list[Item], *more: bytes) -> Path:
    lines = [json.dumps({"Item": one}).encode() for one in items]
    body = b"".join(one + b"\n" for one in [*lines, *more])
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


def keyed(items: list[Item]) -> dict[tuple[str, str], Item]:
    return {(one["artist_id"]["S"], one["id"]["S"]): one for one in items}


CHANGED = [{**track(3), "popularity": {"N": "99"}}, track(11), track(12)]


def test_items_are_judged_written_and_proven(stage: Stage, table: str, tmp_path: Path) -> None:
    path = written(tmp_path / "items.jsonl.gz", [*CHANGED, {**track(12), "popularity": {"N": "1"}}])
    plan = stage.ops("load", str(path), "--to", table, "--dry-run", "-o", "json").document
    assert plan["dry_run"] is True
    assert (plan["result"]["lines"], plan["result"]["puts"]) == (4, 3)
    assert len(stage.items(table)) == 10
    done = stage.ops("load", str(path), "--to", table)
    assert done.code == 0, done.err
    assert "4 = 3 written + 0 unchanged + 1 duplicates + 0 rejected" in done.out
    assert "equal: 3 expected, 3 found" in done.out
    assert re.search(r"cost +at most \d+ write units", done.err)
    wanted = keyed([track(number) for number in range(10)])
    assert stage.items(table) == {**wanted, **keyed(CHANGED[:2]), **keyed([{**track(12), "popularity": {"N": "1"}}])}
    again = stage.ops("load", str(path), "--to", table, "--only-changed", "-o", "json").document["result"]
    assert (again["written"], again["unchanged"], again["duplicates"]) == (0, 3, 1)
    assert again["proof"]["equal"] is True


def test_one_unusable_line_refuses_all_unless_some_may_be(stage: Stage, table: str, tmp_path: Path) -> None:
    path = written(tmp_path / "items.jsonl", CHANGED, b"no item", b'{"Item":{"artist_id":{"N":"1"}}}')
    before = stage.items(table)
    for options in ((), ("--max-errors", "1")):
        refused = stage.ops("load", str(path), "--to", table, *options)
        assert refused.code == 6
        assert f"{path} line 4: not JSON" in refused.err
        assert "0 items written" in refused.err
        assert stage.items(table) == before
    dead = tmp_path / "dead.jsonl"
    done = stage.ops("load", str(path), "--to", table, "--max-errors", "2", "--dead-letter", str(dead), "-o", "json")
    assert done.code == 3
    assert [error["code"] for error in done.document["errors"]] == ["OPS-E301"]
    assert (done.document["result"]["read"], done.document["result"]["rejected"]) == (5, 2)
    letters = [json.loads(one) for one in dead.read_text().splitlines()]
    assert [(one["object"], one["line"], one["text"]) for one in letters] == [
        (str(path), 4, "no item"), (str(path), 5, '{"Item":{"artist_id":{"N":"1"}}}'),
    ]  # fmt: skip
    assert dead.stat().st_mode & 0o777 == 0o600
    assert len(stage.items(table)) == 12


def test_put_new_never_overwrites_and_put_newer_only_what_is_older(stage: Stage, table: str, tmp_path: Path) -> None:
    path = written(tmp_path / "items.jsonl", [{**track(1), "popularity": {"N": "50"}}, track(20)])
    done = stage.ops("load", str(path), "--to", table, "--mode", "put-new", "-o", "json").document["result"]
    assert (done["read"], done["written"], done["unchanged"]) == (2, 1, 1)
    assert stage.items(table)["a0000", "t000001"] == track(1)
    newer = ("--mode", "put-newer", "--newer-by", "popularity")
    done = stage.ops("load", str(path), "--to", table, *newer, "-o", "json").document["result"]
    assert (done["written"], done["unchanged"]) == (1, 1)
    assert stage.items(table)["a0000", "t000001"]["popularity"] == {"N": "50"}
    unsorted = written(
        tmp_path / "unsorted.jsonl", [{**track(21), "popularity": {"N": text}} for text in ("9", "80", "70")]
    )
    done = stage.ops("load", str(unsorted), "--to", table, *newer, "-o", "json").document["result"]
    assert (done["written"], done["duplicates"]) == (1, 2)
    assert stage.items(table)["a0002", "t000021"]["popularity"] == {"N": "80"}
    older = written(tmp_path / "older.jsonl", [{**track(1), "popularity": {"N": "49"}}])
    done = stage.ops("load", str(older), "--to", table, *newer, "-o", "json").document["result"]
    assert (done["written"], done["unchanged"]) == (0, 1)
    without = stage.ops("load", str(path), "--to", table, "--mode", "put-newer")  # fetched_at, which they lack
    assert without.code == 3
    assert "no attribute 'fetched_at'" in Path(re.search(r"see (\S+)", without.err)[1]).read_text()  # type: ignore[index]


def test_stdin_csv_and_objects_are_sources_too(stage: Stage, table: str, tmp_path: Path) -> None:
    text = "".join(json.dumps(one) + "\n" for one in CHANGED)
    piped = subprocess.run(
        [sys.executable, "-m", "ops", "load", "-", "--to", table, "-o", "json"],
        input=text, capture_output=True, text=True, env=stage.environ(), timeout=120,
    )  # fmt: skip
    assert piped.returncode == 0, piped.stderr
    assert json.loads(piped.stdout)["result"]["written"] == 3
    s3 = stage.client("s3")
    for name, number in (("one.jsonl", 30), ("two.jsonl", 31)):
        s3.put_object(Bucket=BUCKET, Key=f"in/{table}/{name}", Body=json.dumps({"Item": track(number)}).encode())
    done = stage.ops("load", f"s3://{BUCKET}/in/{table}/", "--to", table, "-o", "json")
    assert done.document["result"]["written"] == 2, done.err
    s3.put_object(Bucket=BUCKET, Key=f"in/{table}-old/one.jsonl", Body=b'{"Item":{}}')
    folder = stage.ops("load", f"s3://{BUCKET}/in/{table}", "--to", table, "--only-changed", "-o", "json")
    assert folder.document["result"]["unchanged"] == 2, "what only begins with the name is not in the folder"
    one = stage.ops("load", f"s3://{BUCKET}/in/{table}/two.jsonl", "--to", table, "--only-changed", "-o", "json")
    assert (one.document["result"]["read"], one.document["result"]["unchanged"]) == (1, 1)
    path = tmp_path / "items.csv"
    path.write_text("artist_id;id;popularity\na0009;t000099;5\n")
    done = stage.ops("load", str(path), "--to", table, "--delimiter", ";", "--types", "popularity=N")
    assert done.code == 0, done.err
    assert stage.items(table)["a0009", "t000099"]["popularity"] == {"N": "5"}


def test_a_run_goes_on_only_with_the_file_it_began_with(stage: Stage, table: str, tmp_path: Path) -> None:
    path = written(tmp_path / "items.jsonl", CHANGED)
    run = stage.ops("load", str(path), "--to", table, "-o", "json").document["run"]
    again = stage.ops("load", str(path), "--to", table, "--resume", run, "-o", "json")
    assert again.code == 0, again.err
    assert again.document["result"]["read"] == 3
    written(path, [*CHANGED, track(13)])
    other = stage.ops("load", str(path), "--to", table, "--resume", run)
    assert other.code == 2
    assert f"is not what run {run} began with" in other.err


def test_a_run_is_not_resumed_with_another_file_or_mode(stage: Stage, table: str, tmp_path: Path) -> None:
    path, other = written(tmp_path / "items.jsonl", CHANGED), written(tmp_path / "other.jsonl", [track(50)])
    run = stage.ops("load", str(path), "--to", table, "-o", "json").document["run"]
    words = (((str(other),), "source"), ((str(path), "--mode", "put-new"), "mode put, not put-new"))
    for given, told in words:
        done = stage.ops("load", *given, "--to", table, "--resume", run)
        assert (done.code, f"run {run} was begun with {told}" in done.err) == (2, True), done.err
    assert ("a0005", "t000050") not in stage.items(table)


def test_ctrl_c_says_how_to_go_on_and_that_goes_on(stage: Stage, table: str, tmp_path: Path) -> None:
    path = written(tmp_path / "two words.jsonl", [track(number) for number in range(100, 400)])
    done = stage.interrupted("BatchWriteItem", '"t000200"', "load", str(path), "--to", table)
    assert done.code == 130, done.err
    command = re.search(r"next: ops (load .*--resume \w{26}.*)", done.err)
    assert command is not None, done.err
    rest = stage.ops(*shlex.split(command[1]), "-o", "json")
    assert rest.code == 0, rest.err
    assert rest.document["result"]["read"] == 300
    assert len(stage.items(table)) == 310


@pytest.mark.parametrize("word", ["good", "bad"])
def test_a_file_whose_name_is_no_text_is_loaded_and_told_like_any_other(
    stage: Stage, table: str, tmp_path: Path, word: str
) -> None:
    path = written(
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jsonl")), [track(1)], *([b"no"] * (word == "bad"))
    )
    done = stage.ops("load", str(path), "--to", table, "--max-errors", "1", "-o", "json")
    assert done.code == (3 if word == "bad" else 0), done.err
    assert done.document["result"]["proof"]["expected"]["where"].endswith("caf\\udce9.jsonl")
    if word == "bad":
        [letter] = map(json.loads, Path(done.document["result"]["quarantine"]).read_text().splitlines())
        assert (letter["object"].rpartition("/")[2], letter["line"]) == ("caf\\udce9.jsonl", 2)
    again = stage.ops("load", str(path), "--to", table, "--resume", done.document["run"])
    assert again.code == done.code, again.err
    path.unlink()
    gone = stage.ops("load", str(path), "--to", table, "--resume", done.document["run"], "-o", "json")
    assert gone.code == 10, gone.err
    assert "caf" in gone.document["errors"][0]["what"]


@pytest.mark.parametrize("reach", ["path", "hard link", "symbolic link"])
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_rejected_lines_never_replace_the_file_they_came_from(
    stage: Stage, table: str, tmp_path: Path, reach: str, options: tuple[str, ...]
) -> None:
    path = written(tmp_path / "items.jsonl", CHANGED)
    body, dead = path.read_bytes(), tmp_path / "dead.jsonl"
    if reach == "path":
        dead = path
    elif reach == "hard link":
        dead.hardlink_to(path)
    else:
        dead.symlink_to(path)
    before = stage.items(table)
    done = stage.ops("load", str(path), "--to", table, "--dead-letter", str(dead), *options)
    assert done.code == 2
    assert "is the file that is loaded" in done.err
    assert (path.read_bytes(), stage.items(table)) == (body, before)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("{file}", "--dead-letter", "no/such/folder/x"), "there is no folder no/such/folder"),
        (("{file}", "--dead-letter", "/"), "it is a folder"),
        (("nothing.jsonl",), "no file nothing.jsonl"),
        (("s3://nobody/nothing.jsonl",), "no bucket nobody"),
        (("{file}", "--mode", "merge"), "--mode merge"),
        (("{file}", "--mode", "put-new", "--only-changed"), "--only-changed goes with --mode put"),
        (("{file}", "--max-errors", "-1"), "--max-errors -1 is neither"),
        (("{file}", "--max-errors", "some"), "--max-errors some is neither"),
        (("{file}", "--types", "a"), "--types: 'a'"),
        (("{file}", "--rate", "fast"), "'fast' is no number of capacity units"),
        (("{file}", "--rate", "0"), "'0' is no number of capacity units"),
        (("{file}", "--delimiter", "::"), "not one character"),
        (("{file}", "--repeats", "first"), "--repeats first"),
        (("{file}", "--input", "xml"), "--input xml"),
        (("{file}", "--artists", "x.csv"), "--market is missing"),
        (("{file}", "--market", "SE", "--mode", "put-new"), "are about items"),
        (("spotify", "--mode", "put-new"), "are about items"),
        (("spotify",), "no market given"),
    ],
)
def test_wrong_words_change_nothing_and_say_what_is_wrong(
    stage: Stage, table: str, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    path = written(tmp_path / "items.jsonl", CHANGED)
    done = stage.ops("load", *(word.replace("{file}", str(path)) for word in words), "--to", table)
    assert done.code in (2, 10), done.err
    assert told in done.err
    assert "Traceback" not in done.err
    assert len(stage.items(table)) == 10


def test_an_export_is_told_to_be_imported(stage: Stage, table: str, tmp_path: Path) -> None:
    (tmp_path / "manifest-summary.json").write_text("{}")
    done = stage.ops("load", str(tmp_path), "--to", table)
    assert done.code == 2
    assert f"ops import-s3 {tmp_path} --into" in done.err


def test_an_empty_file_is_no_success(stage: Stage, table: str, tmp_path: Path) -> None:
    path = written(tmp_path / "items.jsonl", [])
    done = stage.ops("load", str(path), "--to", table)
    assert done.code == 6
    assert "holds no item" in done.err
