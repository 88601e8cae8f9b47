"""`ops verify` as a process against the sandbox."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.recovery_stage import Stage

KEY = {"artist_id": {"S": "a0001"}, "id": {"S": "t000013"}}


@pytest.fixture(scope="module")
def restored(stage: Stage) -> Any:
    """A backed-up table and its restored copy: (name, restored name, backup ARN)."""
    table = stage.declare(items=30, stem="proof")
    made = stage.ops("backup", table, "-o", "json").document["result"]
    done = stage.ops("restore", table, "--backup", made["arn"], "--as", f"{table}-copy")
    assert done.code == 0, done.err
    return table, f"{table}-copy", made["arn"]


def change_attribute(stage: Stage, copy: str) -> None:
    stage.dynamodb.update_item(
        TableName=copy, Key=KEY, UpdateExpression="SET popularity = :p", ExpressionAttributeValues={":p": {"N": "14"}}
    )


def remove_item(stage: Stage, copy: str) -> None:
    stage.dynamodb.delete_item(TableName=copy, Key=KEY)


def add_item(stage: Stage, copy: str) -> None:
    stage.put(copy, [{**KEY, "id": {"S": "stranger"}}])


def change_number_type(stage: Stage, copy: str) -> None:
    stage.dynamodb.update_item(
        TableName=copy, Key=KEY, UpdateExpression="SET popularity = :p", ExpressionAttributeValues={":p": {"S": "13"}}
    )


@pytest.mark.parametrize(
    ("damage", "kind", "key"),
    [
        (change_attribute, "changed", "a0001/t000013"),
        (remove_item, "missing", "a0001/t000013"),
        (add_item, "extra", "a0001/stranger"),
        (change_number_type, "changed", "a0001/t000013"),
    ],
)
@pytest.mark.parametrize("expected", ["seal", "table"])
def test_each_planted_difference_alone_turns_verify_red_and_is_named(
    stage: Stage, restored: Any, damage: Callable[[Any, str], None], kind: str, key: str, expected: str
) -> None:
    table, copy, arn = restored
    against = f"backup:{arn}" if expected == "seal" else f"ddb:{table}"
    damage(stage, copy)
    try:
        done = stage.ops("verify", f"ddb:{copy}", "--against", against, "-o", "json")
        said = stage.ops("verify", f"ddb:{copy}", "--against", against)
    finally:
        stage.put(copy, [item for at, item in stage.items(table).items() if at == ("a0001", "t000013")])
        stage.dynamodb.delete_item(TableName=copy, Key={**KEY, "id": {"S": "stranger"}})
    result = done.document["result"]
    assert (done.code, said.code) == (4, 4)
    assert result["missing"] + result["extra"] + result["changed"] == result[kind] == 1
    assert [(one["class"], "/".join(v["S"] for v in one["key"].values())) for one in result["samples"]] == [(kind, key)]
    assert key in said.out
    assert "OPS-E401" in said.err
    assert result["control"]["planted"] == result["control"]["found"] > 0


def test_an_equal_table_is_proven_and_the_control_was_found(stage: Stage, restored: Any) -> None:
    _, copy, arn = restored
    done = stage.ops("verify", f"ddb:{copy}", "--against", f"backup:{arn}", "-o", "json")
    assert done.code == 0, done.err
    result = done.document["result"]
    assert (result["equal"], result["expected"]["items"], result["found"]["items"]) == (True, 30, 30)
    assert result["control"]["planted"] == result["control"]["found"] >= 4
    assert "minute of the request" in result["expected"]["weakness"]


def test_a_changed_number_type_is_called_by_its_name(stage: Stage, restored: Any) -> None:
    table, copy, _ = restored
    change_number_type(stage, copy)
    try:
        done = stage.ops("verify", f"ddb:{copy}", "--against", f"ddb:{table}")
    finally:
        stage.put(copy, [item for at, item in stage.items(table).items() if at == ("a0001", "t000013")])
    assert "popularity   (type changed)" in done.out
    assert '"13"' not in done.out  # values only where asked for: ops diff --format full


@pytest.fixture(scope="module")
def exported(stage: Stage) -> Any:
    """A table and the address of its export."""
    table = stage.declare(items=21, stem="exported")
    done = stage.ops("export-s3", table, "-o", "json")
    assert done.code == 0, done.err
    return table, done.document["result"]["manifest"]


def test_an_export_alone_is_verified_byte_for_byte(stage: Stage, exported: Any) -> None:
    done = stage.ops("verify", exported[1])
    assert done.code == 0, done.err
    assert done.out.startswith("level bytes: ")
    assert " 0 bad" in done.out


def test_an_export_is_held_against_its_table(stage: Stage, exported: Any) -> None:
    table, manifest = exported
    both = [stage.ops("verify", *pair) for pair in ((table, "--against", manifest), (manifest, "--against", table))]
    assert [one.code for one in both] == [0, 0], both
    assert all("21 expected, 21 found" in one.out for one in both)


def test_a_corrupted_export_is_exit_6_and_its_file_is_named(stage: Stage) -> None:
    table = stage.declare(items=21)
    manifest = stage.ops("export-s3", table, "-o", "json").document["result"]["manifest"]
    folder = manifest.removeprefix("s3://music-exports/").removesuffix("manifest-summary.json")
    s3 = stage.client("s3")
    for key in [one for one in stage.objects(f"{folder}data/") if one.endswith(".gz")]:
        body = s3.get_object(Bucket="music-exports", Key=key)["Body"].read()
        lines = gzip.decompress(body).splitlines()
        if not lines:
            continue
        s3.put_object(Bucket="music-exports", Key=key, Body=gzip.compress(b"\n".join(lines[1:])))
        break
    done = stage.ops("verify", manifest, "-o", "json")
    assert done.code == 6, done.err
    assert [one["key"] for one in done.document["result"]["files"]["files_bad"]] == [key]
    assert done.document["errors"][0]["code"] == "OPS-E604"
    against = stage.ops("verify", table, "--against", manifest)
    assert (against.code, against.out) == (6, "")
    assert key in against.err


def test_an_export_without_a_file_is_exit_6(stage: Stage) -> None:
    table = stage.declare(items=21)
    manifest = stage.ops("export-s3", table, "-o", "json").document["result"]["manifest"]
    folder = manifest.removeprefix("s3://music-exports/").removesuffix("manifest-summary.json")
    gone = next(one for one in stage.objects(f"{folder}data/") if one.endswith(".gz"))
    stage.client("s3").delete_object(Bucket="music-exports", Key=gone)
    done = stage.ops("verify", manifest)
    assert done.code == 6
    assert gone in done.err
    assert "missing" in done.err


def test_a_table_against_nothing_says_what_to_give(stage: Stage, exported: Any, restored: Any) -> None:
    done = stage.ops("verify", exported[0])
    assert (done.code, done.out) == (2, "")
    assert f"next: ops verify {exported[0]} --against {exported[1]}" in done.err
    backed = stage.ops("verify", restored[0])
    assert f"--against backup:{restored[2]}" in backed.err


def test_zero_items_compared_is_never_a_pass(stage: Stage) -> None:
    one, other = stage.declare(items=0), stage.declare(items=0)
    done = stage.ops("verify", one, "--against", f"ddb:{other}")
    assert done.code == 4
    assert "OPS-E406" in done.err
    assert "zero items compared is never a proof" in done.err


def test_a_table_that_does_not_exist_is_exit_10_on_either_side(stage: Stage, exported: Any) -> None:
    for words in (("ddb:gone", "--against", exported[1]), (exported[0], "--against", "ddb:gone")):
        done = stage.ops("verify", *words)
        assert (done.code, done.out) == (10, "")
        assert "OPS-E1001" in done.err


def test_a_local_seal_and_json_lines_are_expected_sides(stage: Stage, restored: Any, tmp_path: Any) -> None:
    table, copy, arn = restored
    name = stage.dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupName"]
    for one in ("seal.json", "records.jsonl.gz"):
        stage.client("s3").download_file("music-exports", f"exports/seals/{table}/{name}/{one}", str(tmp_path / one))
    sealed = stage.ops("verify", f"ddb:{copy}", "--against", str(tmp_path / "seal.json"))
    assert sealed.code == 0, sealed.err
    file = tmp_path / "items.jsonl.gz"
    with gzip.open(file, "wt") as out:
        out.writelines(json.dumps({"Item": item}) + "\n" for item in stage.items(table).values())
    lines = stage.ops("verify", f"ddb:{copy}", "--against", str(file))
    assert lines.code == 0, lines.err


def test_records_that_were_not_sealed_are_refused(stage: Stage, restored: Any, tmp_path: Any) -> None:
    table, copy, arn = restored
    name = stage.dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupName"]
    for one in ("seal.json", "records.jsonl.gz"):
        stage.client("s3").download_file("music-exports", f"exports/seals/{table}/{name}/{one}", str(tmp_path / one))
    lines = gzip.decompress((tmp_path / "records.jsonl.gz").read_bytes()).splitlines(keepends=True)
    (tmp_path / "records.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[1:])))
    done = stage.ops("verify", f"ddb:{copy}", "--against", str(tmp_path / "seal.json"))
    assert (done.code, done.out) == (6, "")
    assert "not those that were sealed" in done.err


def test_a_sample_is_read_only_when_asked_for_and_then_said(stage: Stage) -> None:
    logical = stage.declare(items=30, stem="sampled")
    manifest = stage.ops("export-s3", logical, "-o", "json").document["result"]["manifest"]
    every = stage.ops("verify", manifest, "-o", "json").document["result"]["files"]
    assert every["files_not_read"] == 0
    parts = [stage.ops("verify", manifest, "--sample", f"{part}/2", "-o", "json") for part in (1, 2)]
    assert [one.code for one in parts] == [0, 0], parts[0].err
    files = [one.document["result"]["files"] for one in parts]
    assert sum(one["files_ok"] for one in files) == every["files_ok"]
    assert all(one["files_ok"] + one["files_not_read"] == every["files_ok"] for one in files)
    told = stage.ops("verify", manifest, "--sample", "1%")
    assert told.code == 0
    assert "level bytes: 1 files good, 0 bad" in told.out
    assert f"{every['files_ok'] - 1} other files were not read: nothing is proven about them" in told.out
    none = stage.ops("verify", manifest, "--sample", "99/99")
    assert none.code == 4
    assert "the sample holds no file of it" in none.err
    for words in ((logical, "--against", manifest), (logical,)):
        refused = stage.ops("verify", *words, "--sample", "1/2")
        assert refused.code == 2
        assert "a comparison reads every item" in refused.err
    assert stage.ops("verify", manifest, "--sample", "half").code == 2
