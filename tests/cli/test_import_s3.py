"""`ops import-s3` as a process against the sandbox."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.recovery_stage import Stage


@pytest.fixture(scope="module")
def source(stage: Stage) -> Any:
    """A table and the address of its export."""
    table = stage.declare(items=27, stem="imported")
    done = stage.ops("export-s3", table, "-o", "json")
    assert done.code == 0, done.err
    return table, done.document["result"]["manifest"]


def test_an_export_becomes_a_table_with_the_same_items_and_indexes(stage: Stage, source: Any) -> None:
    table, manifest = source
    done = stage.ops("import-s3", manifest, "--as", f"{table}-copy", "-o", "json")
    assert done.code == 0, done.err
    result = done.document["result"]
    assert (result["read"], result["written"], result["distinct_keys"], result["rejected"]) == (27, 27, 27, 0)
    assert result["proof"]["equal"] is True
    assert stage.items(f"{table}-copy") == stage.items(table)
    described = stage.dynamodb.describe_table(TableName=f"{table}-copy")["Table"]
    assert [one["IndexName"] for one in described["GlobalSecondaryIndexes"]] == ["genre_index"]


def test_the_prefix_of_an_export_will_do(stage: Stage, source: Any) -> None:
    table, manifest = source
    done = stage.ops("import-s3", manifest.removesuffix("/manifest-summary.json"), "--as", f"{table}-prefix")
    assert done.code == 0, done.err
    assert done.out.startswith("imported 27 items")


def test_a_csv_file_is_uploaded_and_typed_by_the_keys(stage: Stage, source: Any, tmp_path: Path) -> None:
    file = tmp_path / "tracks.csv"
    file.write_text('artist_id,id,name,popularity\na1,t1,"One, two",7\na1,t2,Tvä,8\n')
    done = stage.ops("import-s3", str(file), "--as", f"{source[0]}-csv", "--schema-from", source[0])
    assert done.code == 0, done.err
    assert stage.items(f"{source[0]}-csv")["a1", "t1"] == {
        "artist_id": {"S": "a1"}, "id": {"S": "t1"}, "name": {"S": "One, two"}, "popularity": {"S": "7"},
    }  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_json_lines_are_imported_from_a_file(stage: Stage, source: Any, tmp_path: Path, packed: bool) -> None:
    file = tmp_path / ("tracks.jsonl.gz" if packed else "tracks.jsonl")
    text = "".join(json.dumps({"Item": item}) + "\n" for item in stage.items(source[0]).values())
    file.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    target = f"{source[0]}-lines-{packed}"
    done = stage.ops("import-s3", str(file), "--as", target, "--schema-from", source[0])
    assert done.code == 0, done.err
    assert stage.items(target) == stage.items(source[0])


def test_lines_below_an_s3_prefix_are_imported(stage: Stage, source: Any) -> None:
    stage.client("s3").put_object(Bucket="music-exports", Key="incoming/a.csv", Body=b"artist_id,id\nx,1\nx,2\n")
    stage.client("s3").put_object(
        Bucket="music-exports", Key="incoming/b.csv.gz", Body=gzip.compress(b"artist_id,id\nx,3\n")
    )
    done = stage.ops(
        "import-s3", "s3://music-exports/incoming/", "--input", "csv", "--as", f"{source[0]}-s3csv", "--schema-from",
        source[0],
    )  # fmt: skip
    assert done.code == 0, done.err
    assert len(stage.items(f"{source[0]}-s3csv")) == 3


BAD = [
    '{"Item":{"artist_id":{"S":"a"},"id":{"S":"1"}}}',
    '{"Item":{"artist_id":{"S":"a"},"id":{"S":"2"}',
    '{"Item":{"artist_id":{"S":"a"}}}',
    '{"Item":{"artist_id":{"S":"a"},"id":{"N":"4"}}}',
    '{"Item":{"artist_id":{"S":"a"},"id":{"S":"5"},"genre":{"N":"5"}}}',
    '{"Item":{"artist_id":{"S":"a"},"id":{"S":"1"},"name":{"S":"SECRET"}}}',
]


def test_every_bad_line_is_named_before_anything_is_made(stage: Stage, source: Any, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text("\n".join(BAD) + "\n")
    before, objects = stage.tables_now(), stage.objects("")
    done = stage.ops("import-s3", str(file), "--as", f"{source[0]}-bad", "--schema-from", source[0])
    assert (done.code, done.out) == (6, "")
    assert "OPS-E605" in done.err
    for line in (2, 3, 4, 5, 6):
        assert f"{file} line {line}: " in done.err
    assert f"{file} line 1: " not in done.err
    assert "SECRET" not in done.err
    assert "0 tables created, 0 items written" in done.err
    assert stage.tables_now() == before
    assert stage.objects("") == objects


def test_a_dry_run_judges_every_line_and_makes_nothing(stage: Stage, source: Any, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(BAD[0] + "\n")
    before = stage.tables_now()
    words = ("import-s3", str(file), "--as", f"{source[0]}-dry", "--schema-from", source[0], "--dry-run")
    assert stage.ops(*words).code == 0
    file.write_text(BAD[1] + "\n")
    assert stage.ops(*words).code == 6
    assert stage.tables_now() == before


def test_a_corrupted_export_is_not_imported(stage: Stage) -> None:
    table = stage.declare(items=9)
    manifest = stage.ops("export-s3", table, "-o", "json").document["result"]["manifest"]
    folder = manifest.removeprefix("s3://music-exports/").removesuffix("manifest-summary.json")
    key = next(one for one in stage.objects(f"{folder}data/") if one.endswith(".gz"))
    stage.client("s3").put_object(Bucket="music-exports", Key=key, Body=gzip.compress(b""))
    done = stage.ops("import-s3", manifest, "--as", f"{table}-copy")
    assert (done.code, done.out) == (6, "")
    assert "OPS-E604" in done.err
    assert key in done.err
    assert f"{table}-copy" not in stage.tables_now()


def test_an_object_that_the_manifest_does_not_name_would_be_imported_too_and_is_refused(stage: Stage) -> None:
    table = stage.declare(items=9)
    manifest = stage.ops("export-s3", table, "-o", "json").document["result"]["manifest"]
    folder = manifest.removeprefix("s3://music-exports/").removesuffix("manifest-summary.json")
    stage.client("s3").put_object(
        Bucket="music-exports", Key=f"{folder}data/extra.json.gz", Body=gzip.compress(BAD[0].encode())
    )
    done = stage.ops("import-s3", manifest, "--as", f"{table}-copy")
    assert (done.code, done.out) == (6, "")
    assert "extra.json.gz" in done.err
    assert f"{table}-copy" not in stage.tables_now()


def test_a_taken_target_is_refused(stage: Stage, source: Any) -> None:
    done = stage.ops("import-s3", source[1], "--as", source[0])
    assert (done.code, done.out) == (7, "")
    assert f"OPS-E709 table {source[0]} exists already" in done.err


def test_an_empty_source_is_refused(stage: Stage, source: Any, tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    file.write_text("artist_id,id\n")
    done = stage.ops("import-s3", str(file), "--as", f"{source[0]}-empty", "--schema-from", source[0])
    assert (done.code, done.out) == (6, "")
    assert f"{source[0]}-empty" not in stage.tables_now()


def test_no_such_file_and_no_such_export_are_exit_10(stage: Stage, source: Any, tmp_path: Path) -> None:
    for where in (
        str(tmp_path / "none.csv"),
        "s3://music-exports/none/manifest-summary.json",
        "s3://music-exports/no/",
    ):
        done = stage.ops("import-s3", where, "--as", f"{source[0]}-none", "--schema-from", source[0])
        assert (done.code, done.out) == (10, ""), (where, done.err)


def test_which_schema_is_asked_when_several_tables_are_declared(stage: Stage, source: Any, tmp_path: Path) -> None:
    stage.declare(items=1)
    file = tmp_path / "a.csv"
    file.write_text("artist_id,id\na,b\n")
    done = stage.ops("import-s3", str(file), "--as", f"{source[0]}-which")
    assert (done.code, done.out) == (2, "")
    assert f"give --schema-from {source[0]}" in done.err


def test_an_interrupted_import_is_adopted(stage: Stage, source: Any) -> None:
    target = f"{source[0]}-resumed"
    stopped = stage.interrupted("DescribeImport", "", "import-s3", source[1], "--as", target)
    assert stopped.code == 130, stopped.err
    assert f"ImportTable {target}" in stopped.err
    line = next(one for one in stopped.err.splitlines() if "--resume" in one)
    done = stage.ops(*line.split("ops ", 1)[1].split(), "-o", "json")
    assert done.code == 0, done.err
    assert done.document["result"]["proof"]["equal"] is True


def test_the_line_of_an_interrupted_import_goes_on_with_every_option(stage: Stage, source: Any, tmp_path: Path) -> None:
    stage.declare(items=0)  # a second declared table: the schema must be named
    file, target = tmp_path / "two words;.txt", f"{source[0]}-options"
    file.write_text("artist_id;id\na;b\na;b\nc;d\n")
    words = ("--schema-from", source[0], "--input", "csv", "--delimiter", ";", "--quarantine", "--expect", "2")
    stopped = stage.interrupted("DescribeImport", "", "import-s3", str(file), "--as", target, *words)
    assert stopped.code == 130, stopped.err
    line = next(one for one in stopped.err.splitlines() if "--resume" in one).split("ops ", 1)[1]
    again = shlex.split(line)
    other = stage.ops(*again, "--delimiter", "|")
    assert (other.code, "was begun with delimiter ;, not |" in other.err) == (2, True), other.err
    done = stage.ops(*again, "-o", "json")
    assert done.code == 3, done.err
    assert done.document["result"]["proof"]["equal"] is True
    assert len(stage.items(target)) == 2


def test_unusable_lines_are_left_out_when_that_is_asked_for(stage: Stage, source: Any, tmp_path: Path) -> None:
    items = list(stage.items(source[0]).values())
    lines = [json.dumps({"Item": item}) for item in items]
    lines[3:3] = ["no item", json.dumps({"Item": {**items[0], "popularity": {"N": "many"}}}), lines[0]]
    file, target = tmp_path / "tracks.jsonl", f"{source[0]}-clean"
    file.write_text("\n".join(lines) + "\n")
    words = ("import-s3", str(file), "--as", target, "--schema-from", source[0])
    strict = stage.ops(*words)
    assert strict.code == 6
    assert f"--quarantine imports {len(items)} items" in strict.err
    assert target not in stage.dynamodb.list_tables()["TableNames"]
    plan = stage.ops(*words, "--quarantine", "--dry-run")
    assert plan.code == 0, plan.err
    assert re.search(r"left out +3", plan.out)
    wrong = stage.ops(*words, "--quarantine", "--expect", str(len(items) + 1))
    assert wrong.code == 4
    assert "0 tables created" in wrong.err
    done = stage.ops(*words, "--quarantine", "--expect", str(len(items)), "-o", "json")
    assert done.code == 3, done.err
    result = done.document["result"]
    assert (result["read"], result["written"], result["duplicates"], result["rejected"]) == (
        len(items) + 3,
        len(items),
        1,
        2,
    )
    assert result["read"] == result["written"] + result["unchanged"] + result["duplicates"] + result["rejected"]
    assert result["proof"]["equal"] is True
    assert stage.items(target) == stage.items(source[0])
    kept = [json.loads(one) for one in Path(result["quarantine"]).read_text().splitlines()]
    assert [(one["object"], one["line"]) for one in kept] == [(str(file), line) for line in (4, 5, 6)]
    assert kept[0]["text"] == "no item"
    assert Path(result["quarantine"]).stat().st_mode & 0o777 == 0o600
    assert "many" not in done.err


def test_what_does_not_go_with_a_new_table_is_refused(stage: Stage, source: Any) -> None:
    for words in (("--accept", "foreign"), ("--bulk",), ("--rate", "5"), ("--only-changed",), ("--expect", "0")):
        assert stage.ops("import-s3", source[1], "--as", "never-made", *words).code == 2
    assert stage.ops("import-s3", source[1], "--into", source[0], "--expect", "27", "--yes").code == 2
