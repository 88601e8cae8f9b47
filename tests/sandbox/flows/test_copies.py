"""Exports that lie elsewhere than AWS wrote them, and exports followed by changes, as what a table is held against."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ops.errors import BadArgument, ExportCorrupt, SourceHasBadLines
from ops.flows import importing, verifying
from ops.flows.session import Session
from ops.flows.verifying import VerifyOptions
from ops.runs import open_run
from tests.cli.recovery_stage import BUCKET, Stage, track
from tests.sandbox.flows.import_kit import Bench, hand_made, line

Copy = Callable[[Bench, str, Path], str]


def to_another_prefix(bench: Bench, source: str, folder: Path) -> str:
    """The same bucket, another prefix; the original is gone."""
    s3, home = bench.stage.client("s3"), source.removeprefix(f"s3://{BUCKET}/").rpartition("/")[0]
    target = f"kept/{bench.logical}/{home.rpartition('/')[2]}"
    for key in bench.stage.objects(home):
        copied = key.replace(home, target, 1)
        s3.copy_object(Bucket=BUCKET, Key=copied, CopySource={"Bucket": BUCKET, "Key": key})
        s3.delete_object(Bucket=BUCKET, Key=key)
    return f"s3://{BUCKET}/{target}/manifest-summary.json"


def to_a_folder(bench: Bench, source: str, folder: Path) -> str:
    """A local folder of any name; the original is gone."""
    s3, home = bench.stage.client("s3"), source.removeprefix(f"s3://{BUCKET}/").rpartition("/")[0]
    for key in bench.stage.objects(home):
        path = folder / "a copy" / key.removeprefix(f"{home}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        s3.delete_object(Bucket=BUCKET, Key=key)
    return str(folder / "a copy")


@pytest.fixture(params=[to_another_prefix, to_a_folder])
def copy(request: pytest.FixtureRequest) -> Copy:
    found: Copy = request.param
    return found


def test_a_copy_is_imported_verified_and_compared_like_the_original(bench: Bench, copy: Copy, tmp_path: Path) -> None:
    source, _ = bench.full()
    before = bench.items()
    where = copy(bench, source, tmp_path)
    bench.empty()
    assert bench.run(where).counts.written == len(before)
    assert bench.items() == before
    found = verifying.verify(bench.session, bench.logical, where, VerifyOptions())
    assert verifying.problems(found, bench.logical, where) == ()
    alone = verifying.verify(bench.session, where, None, VerifyOptions())
    assert alone.files is not None
    assert (alone.level, alone.files.files_bad) == ("bytes", ())
    bench.stage.put(bench.logical, [{**track(2), "popularity": {"N": "-1"}}])
    assert verifying.diff(bench.session, where, bench.logical, (), 20).changed == 1


def test_a_copy_becomes_a_new_table(bench: Bench, copy: Copy, tmp_path: Path) -> None:
    source, _ = bench.full()
    where, new = copy(bench, source, tmp_path), f"{bench.logical}_new"
    with open_run(tmp_path / "runs", ["import-s3"], bench.session.clock, bench.session.random) as run:
        result = importing.import_source(bench.session, run, importing.ImportOptions(where, new))
    assert importing.problems(result) == ()
    assert bench.stage.items(new) == bench.items()
    bench.stage.dynamodb.delete_table(TableName=new)


def test_a_damaged_copy_is_refused_before_the_first_write(bench: Bench, tmp_path: Path) -> None:
    source, keys = hand_made(bench, [[line(track(100 + at))] for at in range(8)])
    where = to_a_folder(bench, source, tmp_path)
    damaged = Path(where, "data", keys[6].rpartition("/")[2])
    damaged.write_bytes(damaged.read_bytes()[:-4])
    before = bench.items()
    with pytest.raises(ExportCorrupt) as raised:
        bench.run(where)
    assert damaged.name in raised.value.what
    assert bench.items() == before


def history(bench: Bench, random: Random, windows: int = 2) -> tuple[str, dict[Any, Any]]:
    """A full export and the changes after it as one text, and what the table held at their end."""
    source, reached = bench.full()
    text = source
    for _ in range(windows):
        for _ in range(15):
            number = random.randrange(60)
            key = {"artist_id": {"S": f"a{number // 10:04d}"}, "id": {"S": f"t{number:06d}"}}
            if random.random() < 0.4:
                bench.stage.dynamodb.delete_item(TableName=bench.logical, Key=key)
            else:
                bench.stage.put(bench.logical, [{**track(number), "popularity": {"N": str(random.randrange(1000))}}])
        bench.stage.advance(1500)
        until = bench.stage.now()
        bench.stage.advance(400)
        text += "+" + bench.changes(reached, until)
        reached = until
    return text, bench.items()


@pytest.mark.parametrize("seed", range(3))
def test_a_full_export_with_the_changes_after_it_is_the_table_at_their_end(bench: Bench, seed: int) -> None:
    text, held = history(bench, Random(seed))
    found = verifying.verify(bench.session, bench.logical, text, VerifyOptions())
    assert verifying.problems(found, bench.logical, text) == ()
    assert found.proof is not None
    assert found.proof.expected.items == len(held)
    assert "2 incremental ones" in found.proof.expected.info.where
    bench.stage.put(bench.logical, [{**track(2), "popularity": {"N": "-1"}}, track(700)])
    proof = verifying.diff(bench.session, text, bench.logical, (), 20)
    assert (proof.missing, proof.extra, proof.changed) == (0, 1 + (("a0000", "t000002") not in held), proof.changed)
    assert proof.changed + proof.extra == 2
    [shown] = [one for one in proof.differences if one.key and one.key["id"] == {"S": "t000002"}]
    assert shown.kind in ("changed", "extra")
    equal = verifying.diff(bench.session, text, text, (), 20)
    assert equal.equal
    alone = verifying.verify(bench.session, text, None, VerifyOptions())
    assert alone.files is not None
    assert alone.files.files_ok >= 3


def test_changes_that_do_not_follow_are_refused(bench: Bench, session: Callable[[], Session], stage: Stage) -> None:
    text, _ = history(bench, Random(5))
    full, one, two = text.split("+")
    for wrong, told in (
        (f"{full}+{two}", "but what comes before ends at"), (f"{one}+{two}", "holds changes, not a table"),
        (f"{full}+{full}", "is a full export"),
    ):  # fmt: skip
        with pytest.raises(BadArgument, match=told):
            verifying.diff(bench.session, wrong, bench.logical, (), 20)


def test_a_line_that_cannot_be_used_is_named(bench: Bench) -> None:
    bad, keys = hand_made(bench, [[line(track(1)), b'{"Item":1}']])
    with pytest.raises(SourceHasBadLines, match="1 unusable lines of 2") as raised:
        verifying.diff(bench.session, f"{bad}+{_empty_changes(bench)}", bench.logical, (), 20)
    assert f"{keys[0]} line 2" in raised.value.why


def _empty_changes(bench: Bench) -> str:
    """Changes of a window that begins where `hand_made` ends, of which there are none."""
    address, _ = hand_made(
        bench, [], "01700000000001-0a0b0c0d", exportFromTime="2026-01-01T00:00:00Z",
        exportToTime="2026-01-01T01:00:00Z", exportType="INCREMENTAL_EXPORT", itemCount=0, exportTime=None,
    )  # fmt: skip
    return address


def test_changes_of_another_table_are_refused_even_where_a_foreign_export_is_accepted(bench: Bench) -> None:
    source, _ = hand_made(bench, [[line(track(150))]])
    then, _ = hand_made(
        bench, [], "01700000000001-0a0b0c0d", exportFromTime="2026-01-01T00:00:00Z", exportTime=None,
        exportToTime="2026-01-01T01:00:00Z", exportType="INCREMENTAL_EXPORT", itemCount=0,
        tableArn=f"{bench.arn()}-other", exportArn=f"{bench.arn()}-other/export/01700000000001-0a0b0c0d",
    )  # fmt: skip
    with pytest.raises(ExportCorrupt, match="is not of the table of"):
        bench.run(source, then=(then,), accept=frozenset({"foreign"}))
