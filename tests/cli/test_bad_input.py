"""Bad input, end to end: each kind is named by place and reason, counted, and none is dropped in silence."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.recovery_stage import Stage

GOOD = b'{"Item":{"artist_id":{"S":"a"},"id":{"S":"good"}}}'


def line(**more: Any) -> bytes:
    return json.dumps({"Item": {"artist_id": {"S": "a"}, "id": {"S": "x"}, **more}}).encode()


BAD: dict[str, tuple[bytes, str]] = {
    "malformed": (b'{"Item":{"artist_id":', "not JSON"),
    "oversized": (line(text={"S": "x" * 409_600}), "more than 409600"),
    "wrong key type": (line(id={"N": "4"}), "must have type S"),
    "wrong index key type": (line(genre={"N": "4"}), "index"),
    "39 digits": (line(n={"N": "1" * 39}), "39 significant digits"),
    "NaN": (line(n={"N": "NaN"}), "not a number"),
    "NaN of JSON": (b'{"Item":{"artist_id":{"S":"a"},"id":{"S":"y"},"n":{"N":NaN}}}', "not JSON"),
    "empty key": (line(id={"S": ""}), "empty"),
    "byte order mark": (b"\xef\xbb\xbf" + line(), "byte order mark"),
    "carriage return": (line() + b"\r", "ends with a carriage return"),
    "not UTF-8": (line(text={"S": "@"}).replace(b"@", b"\xff"), "not JSON"),
    "empty line": (b"", "empty"),
}


@pytest.fixture(scope="module")
def table(stage: Stage) -> str:
    return stage.declare(items=3)


def test_every_kind_of_bad_line_is_named_and_counted_before_anything_is_made(
    stage: Stage, table: str, tmp_path: Path
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_bytes(b"\n".join([GOOD, *(bad for bad, _ in BAD.values())]) + b"\n")
    before = stage.tables_now()
    done = stage.ops("import-s3", str(file), "--as", f"{table}-bad", "--schema-from", table)
    assert (done.code, done.out) == (6, ""), done.err
    for number, (kind, (_, reason)) in enumerate(BAD.items(), start=2):
        [told] = [text for text in done.err.splitlines() if f"{file} line {number}: " in text]
        assert reason in told, kind
    assert f"{file} line 1: " not in done.err
    assert f"{len(BAD)}" in done.err
    assert stage.tables_now() == before


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_gzip_file_that_was_cut_is_refused_whole(stage: Stage, table: str, tmp_path: Path, cut: float) -> None:
    whole = gzip.compress(b"\n".join(line(id={"S": str(number)}) for number in range(500)) + b"\n")
    file = tmp_path / "cut.jsonl.gz"
    file.write_bytes(whole[: int(len(whole) * cut)])
    before = stage.tables_now()
    done = stage.ops("import-s3", str(file), "--as", f"{table}-cut", "--schema-from", table)
    assert (done.code, done.out) == (6, ""), done.err
    assert str(file) in done.err
    assert "Traceback" not in done.err
    assert stage.tables_now() == before


def test_a_filtered_export_is_not_taken_for_a_full_one(stage: Stage, table: str) -> None:
    stage.advance(400)
    arn = stage.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    made = stage.dynamodb.export_table_to_point_in_time(
        TableArn=arn, S3Bucket="music-exports", S3Prefix=f"filtered/{table}",
        FilterSpecification={
            "FilterExpression": "popularity > :p", "ExpressionAttributeValues": {":p": {"N": "5"}},
        },
    )["ExportDescription"]  # fmt: skip
    stage.advance(1200)
    found = stage.dynamodb.describe_export(ExportArn=made["ExportArn"])["ExportDescription"]
    before = stage.items(table)
    done = stage.ops("import-s3", f"s3://music-exports/{found['ExportManifest']}", "--into", table, "--yes")
    assert (done.code, done.out) == (6, ""), done.err
    assert "OPS-E607" in done.err
    assert stage.items(table) == before
