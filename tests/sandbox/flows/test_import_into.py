"""Exports written into a table that exists: everything checked before the first write, everything compared after it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ops.errors import BadArgument, ExportCorrupt, OpsError, SourceHasBadLines
from ops.flows import into_outcome, into_table, verifying
from ops.flows.importing_into import IntoOptions, plan_into
from ops.flows.into_work import IntoResult
from ops.flows.verifying import VerifyOptions
from tests.cli.recovery_stage import BUCKET, Stage, track
from tests.sandbox.flows.import_kit import Bench, Open, hand_made, line


def adds_up(result: IntoResult) -> bool:
    counts = result.counts
    return counts.read == counts.written + counts.unchanged + counts.duplicates + counts.rejected


def test_an_export_brings_lost_and_changed_items_back_and_keeps_new_ones(bench: Bench) -> None:
    before = bench.items()
    source, _ = bench.full()
    bench.stage.dynamodb.delete_item(TableName=bench.logical, Key={"artist_id": {"S": "a0000"}, "id": {"S": "t000001"}})
    bench.stage.put(bench.logical, [{**track(2), "popularity": {"N": "-1"}}, track(900)])
    result = bench.run(source)
    assert (result.counts.read, result.counts.written, result.counts.unchanged) == (40, 40, 0)
    assert into_outcome.problems(result) == ()
    assert bench.items() == {**before, ("a0090", "t000900"): track(900)}


def test_only_changed_writes_only_what_differs(bench: Bench) -> None:
    before = bench.items()
    source, _ = bench.full()
    bench.stage.dynamodb.delete_item(TableName=bench.logical, Key={"artist_id": {"S": "a0000"}, "id": {"S": "t000001"}})
    bench.stage.put(bench.logical, [{**track(2), "popularity": {"N": "-1"}}])
    result = bench.run(source, only_changed=True)
    assert (result.counts.written, result.counts.unchanged) == (2, 38)
    assert bench.items() == before
    again = bench.run(source, only_changed=True)
    assert (again.counts.written, again.counts.unchanged, adds_up(again)) == (0, 40, True)


def scramble(bench: Bench, random: Random) -> None:
    """Inserts, updates, deletions, some of one key after another."""
    for _ in range(25):
        number = random.randrange(60)
        key = {"artist_id": {"S": f"a{number // 10:04d}"}, "id": {"S": f"t{number:06d}"}}
        if random.random() < 0.4:
            bench.stage.dynamodb.delete_item(TableName=bench.logical, Key=key)
        else:
            bench.stage.put(bench.logical, [{**track(number), "popularity": {"N": str(random.randrange(1000))}}])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("view", ["NEW_AND_OLD_IMAGES", "NEW_IMAGE"])
def test_updates_unsupported(bench: Bench, seed: int, view: str) -> None:
    """ddb-pitr cannot apply the UPDATE records of incremental exports.

    Here full(T0) + incrementals = full(T1), with inserts, updates and deletions: each key's newest line counts.
    """
    random = Random(seed)
    source, reached = bench.full()
    then = []
    for _ in range(2):
        scramble(bench, random)
        bench.stage.advance(1500)
        until = bench.stage.now()
        bench.stage.advance(400)
        then.append(bench.changes(reached, until, view))
        reached = until
    wanted = bench.items()
    scramble(bench, random)
    if seed % 2:
        bench.empty()
    else:  # what is there and in no export stays: begin from the state that the full export shows
        bench.empty()
        bench.run(source)
    result = bench.run(source, then=tuple(then), only_changed=bool(seed % 2))
    assert into_outcome.problems(result) == ()
    assert adds_up(result)
    assert bench.items() == wanted


def test_a_gap_between_exports_or_a_wrong_order_is_refused(bench: Bench) -> None:
    source, reached = bench.full()
    from datetime import timedelta

    bench.stage.advance(6000)
    one = bench.changes(reached, reached + timedelta(seconds=1000))
    two = bench.changes(reached + timedelta(seconds=1000), reached + timedelta(seconds=2000))
    before = bench.items()
    for then in ((two,), (two, one)):
        with pytest.raises(BadArgument, match="but what comes before ends at"):
            bench.run(source, then=then)
        with pytest.raises(BadArgument, match="but what comes before ends at"):
            verifying.verify(bench.session, "+".join((source, *then)), None, VerifyOptions())
    whole = verifying.verify(bench.session, f"{source}+{one}+{two}", None, VerifyOptions())
    assert verifying.problems(whole, source, None) == ()
    with pytest.raises(BadArgument, match="holds changes, not a table"):
        bench.run(one)
    with pytest.raises(BadArgument, match="is a full export"):
        bench.run(source, then=(source,))
    assert bench.items() == before


def test_changes_that_begin_before_what_is_there_already_are_refused(bench: Bench) -> None:
    """An item put before the full export and deleted after it has no line where a window is around both."""
    from datetime import timedelta

    bench.stage.advance(2000)
    bench.stage.put(bench.logical, [track(300)])
    source, reached = bench.full()
    key = {name: track(300)[name] for name in ("artist_id", "id")}
    bench.stage.dynamodb.delete_item(TableName=bench.logical, Key=key)
    bench.stage.advance(2000)
    begun = reached - timedelta(seconds=1500)
    then = bench.changes(begun, begun + timedelta(seconds=3000))
    wanted = bench.items()
    with pytest.raises(BadArgument, match="but what comes before ends at") as raised:
        bench.run(source, then=(then,))
    assert "would come back" in raised.value.why
    with pytest.raises(BadArgument, match="but what comes before ends at"):
        verifying.diff(bench.session, f"{source}+{then}", bench.logical, (), 20)
    assert bench.items() == wanted


@pytest.mark.parametrize("number", [0, 5, 7])
@pytest.mark.parametrize("damage", ["checksum", "missing", "swap", "empty"])
def test_first_five_files(bench: Bench, number: int, damage: str) -> None:
    """bulk_executor's data_file_validator.py looks at the first five data files only.

    Here every object is held against its manifest before the first write.
    """
    source, keys = hand_made(bench, [[line(track(100 + at))] for at in range(8)])
    s3, key = bench.stage.client("s3"), keys[number]
    if damage == "missing":
        s3.delete_object(Bucket=BUCKET, Key=key)
    elif damage == "swap":
        s3.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": keys[(number + 1) % 8]})
    else:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"" if damage == "empty" else gzip.compress(line(track(1))))
    before = bench.items()
    with pytest.raises(ExportCorrupt) as raised:
        bench.run(source)
    assert raised.value.exit_code == 6
    assert key in raised.value.what
    assert bench.items() == before


BAD: list[tuple[bytes, str]] = [
    (b'{"Item":{"artist_id":{"S":"a"},"id":', "not JSON"),
    (b"\xef\xbb\xbf" + line(track(1)), "byte order mark"),
    (line(track(1)) + b"\r", "carriage return"),
    (line({**track(1), "n": {"N": "NaN"}}), "not a number"),
    (line({**track(1), "n": {"N": "1" * 39}}), "39 significant digits"),
    (line({**track(1), "id": {"N": "1"}}), "must have type S"),
    (line({**track(1), "genre": {"N": "1"}}), "must have type S"),
    (line({**track(1), "name": {"S": "x" * 410_000}}), "more than 409600"),
    (line(track(150)), "duplicate key"),
    (b'{"Keys":{}}', "no member Item"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_a_bad_line_is_named_and_nothing_is_written_or_the_others_are(bench: Bench, bad: bytes, reason: str) -> None:
    source, keys = hand_made(bench, [[line(track(150)), line(track(151))], [line(track(152)), bad]])
    before = bench.items()
    with pytest.raises(SourceHasBadLines) as raised:
        bench.run(source)
    assert raised.value.exit_code == 6
    assert f"{keys[1]} line 2: " in raised.value.why
    assert reason in raised.value.why
    assert bench.items() == before
    result = bench.run(source, quarantine=True)
    assert (result.counts.read, result.counts.written, result.counts.rejected) == (4, 3, 1)
    assert [error.exit_code for error in into_outcome.problems(result)] == [3]
    assert len(bench.items()) == 43
    assert result.rejects is not None
    [kept] = [json.loads(one) for one in Path(result.rejects).read_text().splitlines()]
    assert (kept["object"], kept["line"]) == (keys[1], 2)
    assert Path(result.rejects).stat().st_mode & 0o777 == 0o600


def test_a_bad_line_of_changes_is_named(bench: Bench) -> None:
    source, keys = hand_made(bench, [[line(track(150))]])
    change = {"Keys": {"artist_id": {"S": "a"}, "id": {"S": "b"}}, "NewImage": {**track(1)}}
    folder = source.rpartition("/")[0].removeprefix(f"s3://{BUCKET}/")
    body = gzip.compress(json.dumps(change).encode() + b"\n")
    ident = "01700000000001-0a0b0c0d"
    key = f"{folder.rpartition('/')[0]}/data/changes.json.gz"
    bench.stage.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    then, _ = hand_made(
        bench, [], ident, exportFromTime="2026-01-01T00:00:00Z", exportToTime="2026-01-01T01:00:00Z",
        exportType="INCREMENTAL_EXPORT", itemCount=1, exportTime=None,
    )  # fmt: skip
    files = {"itemCount": 1, "md5Checksum": base64.b64encode(hashlib.md5(body).digest()).decode(), "dataFileS3Key": key}
    text = json.dumps(files).encode() + b"\n"
    where = f"{folder.rpartition('/')[0]}/{ident}/manifest-files"
    bench.stage.client("s3").put_object(Bucket=BUCKET, Key=f"{where}.json", Body=text)
    bench.stage.client("s3").put_object(
        Bucket=BUCKET, Key=f"{where}.md5", Body=base64.b64encode(hashlib.md5(text).digest())
    )
    with pytest.raises(SourceHasBadLines, match="1 unusable lines of 2") as raised:
        bench.run(source, then=(then,))
    assert "an image of another key" in raised.value.why
    assert len(bench.items()) == 40
    assert keys


def test_an_export_of_another_table_is_refused_unless_that_is_said(
    stage: Stage, session: Open, tmp_path: Path, bench: Bench
) -> None:
    source, _ = bench.full()
    other = stage.declare(items=2, stem="other")
    opened = Bench(stage, session(), other, tmp_path)
    with pytest.raises(ExportCorrupt, match="is of another table"):
        opened.run(source)
    assert len(stage.items(other)) == 2
    result = opened.run(source, accept=frozenset({"foreign"}))
    assert result.counts.written == 40
    assert stage.items(other) == bench.items()
    stage.forget(other)


def test_an_export_of_a_table_made_anew_is_refused_unless_that_is_said(bench: Bench) -> None:
    source, _ = hand_made(bench, [[line(track(200))]], tableId="another")
    with pytest.raises(ExportCorrupt, match="before it was made anew"):
        bench.run(source)
    assert bench.run(source, accept=frozenset({"foreign"})).counts.written == 1


def test_a_filtered_export_is_refused(bench: Bench) -> None:
    source = bench.export(
        FilterSpecification={
            "FilterExpression": "popularity > :p", "ExpressionAttributeValues": {":p": {"N": "5"}},
        }
    )  # fmt: skip
    with pytest.raises(OpsError) as raised:
        bench.run(source, accept=frozenset({"unknown-filter"}))
    assert raised.value.code == "OPS-E607"


def test_an_export_copied_to_another_bucket_is_read_there(bench: Bench) -> None:
    source, _ = bench.full()
    before = bench.items()
    s3 = bench.stage.client("s3")
    other = f"copied-{bench.logical.replace('_', '-')}"
    s3.create_bucket(Bucket=other)
    folder = source.removeprefix(f"s3://{BUCKET}/").rpartition("/")[0]
    for key in bench.stage.objects(folder):
        s3.copy_object(Bucket=other, Key=key, CopySource={"Bucket": BUCKET, "Key": key})
        s3.delete_object(Bucket=BUCKET, Key=key)
    bench.empty()
    bench.run(source.replace(f"s3://{BUCKET}/", f"s3://{other}/"))
    assert bench.items() == before


def test_a_plan_reads_every_line_and_writes_nothing(bench: Bench) -> None:
    source, _ = bench.full()
    bench.empty()
    plan = plan_into(bench.session, bench.target, IntoOptions(source))
    assert (plan.lines, plan.puts, plan.deletes, plan.rejected) == (40, 40, 0, 0)
    assert bench.items() == {}


def test_a_difference_after_the_import_is_exit_4(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer takes an item away right after it was written."""
    source, _ = bench.full()
    original = into_table._write

    def and_then_lose_one(*given: Any) -> Any:
        counts = original(*given)
        bench.stage.dynamodb.delete_item(
            TableName=bench.logical, Key={"artist_id": {"S": "a0000"}, "id": {"S": "t000001"}}
        )
        return counts

    monkeypatch.setattr(into_table, "_write", and_then_lose_one)
    errors = into_outcome.problems(bench.run(source))
    assert [error.exit_code for error in errors] == [4]
    assert "missing a0000/t000001" in errors[0].why
