"""`ops export-s3` as a process against the sandbox."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.cli.recovery_stage import ACCOUNT, REGION, Stage


def test_an_export_of_a_second_is_read_back_file_by_file(stage: Stage) -> None:
    table = stage.declare(items=33)
    moment = f"{stage.now().timestamp() - 350:.0f}"
    at = stage.now().fromtimestamp(int(moment), stage.now().tzinfo).isoformat()
    stage.put(table, [{"artist_id": {"S": "late"}, "id": {"S": "late"}}])
    done = stage.ops("export-s3", table, "--at", at, "-o", "json")
    assert done.code == 0, done.err
    result = done.document["result"]
    assert result["items"] == 33
    assert result["type"] == "FULL_EXPORT"
    assert result["verified"]["level"] == "bytes"
    assert result["verified"]["files_ok"] == result["files"] > 0
    assert result["verified"]["files_bad"] == []
    assert done.document["run"] in result["manifest"]
    assert result["manifest"].removeprefix("s3://music-exports/") in stage.objects("exports/")


def test_the_default_moment_is_the_newest_restorable_second(stage: Stage) -> None:
    table = stage.declare(items=5)
    done = stage.ops("export-s3", table)
    assert done.code == 0, done.err
    assert done.out.startswith("COMPLETED  5 items in ")
    assert "files good" in done.out
    assert "next: ops import-s3 s3://music-exports/" in done.err


def test_a_time_outside_the_window_names_both_bounds(stage: Stage) -> None:
    table = stage.declare(items=1)
    found = stage.dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    latest = found["PointInTimeRecoveryDescription"]["LatestRestorableDateTime"]
    for at, side in (("2020-01-01T00:00:00Z", "before"), ("2099-01-01T00:00:00Z", "after")):
        done = stage.ops("export-s3", table, "--at", at)
        assert (done.code, done.out) == (6, "")
        assert f"OPS-E603 {at} lies {side} the restorable window of {table}: " in done.err
        assert done.err.count("Z to 2") >= 1
        bounds = done.err.partition("window of ")[2].split("\n")[0].split(": ", 1)[1].split(" to ")
        assert latest - timedelta(minutes=1) < datetime.fromisoformat(bounds[1]) < latest + timedelta(minutes=10)
    assert stage.objects(f"exports/{table}/") == []


def test_a_table_without_pitr_cannot_be_exported(stage: Stage) -> None:
    table = stage.declare(items=1, pitr=False)
    done = stage.ops("export-s3", table)
    assert (done.code, done.out) == (6, "")
    assert "OPS-E602" in done.err


def test_a_time_without_a_zone_is_refused(stage: Stage) -> None:
    table = stage.declare(items=1)
    done = stage.ops("export-s3", table, "--at", "2026-11-20T10:02:16")
    assert (done.code, done.out) == (2, "")
    assert "OPS-E201" in done.err
    assert "2026-11-20T10:02:16Z" in done.err


def test_a_bucket_that_is_not_there_is_aws_own_failure_with_a_way_out(stage: Stage) -> None:
    table = stage.declare(items=1)
    done = stage.ops("export-s3", table, "--to", "s3://no-such-bucket-here/x")
    assert (done.code, done.out) == (6, "")
    assert "S3NoSuchBucket" in done.err
    assert "--to" in done.err


def test_a_dry_run_asks_for_no_export(stage: Stage) -> None:
    table = stage.declare(items=1)
    done = stage.ops("export-s3", table, "--dry-run")
    assert done.code == 0, done.err
    assert "nothing was changed" in done.out
    assert stage.objects(f"exports/{table}/") == []


def test_an_incremental_export_holds_what_changed(stage: Stage) -> None:
    table = stage.declare(items=10)
    stage.advance(3600)
    stage.put(table, [{"artist_id": {"S": "new"}, "id": {"S": "new"}}])
    stage.advance(1800)
    done = stage.ops("export-s3", table, "--since", "-50m", "--until", "-15m", "-o", "json")
    assert done.code == 0, done.err
    assert done.document["result"]["type"] == "INCREMENTAL_EXPORT"
    assert done.document["result"]["items"] == 1


def test_an_export_that_is_gone_on_with_after_a_day_is_not_paid_twice(stage: Stage) -> None:
    """AWS forgets a client token after eight hours: asked again, it would make another export."""
    table = stage.declare(items=3)
    stopped = stage.interrupted("DescribeExport", "", "export-s3", table)
    assert stopped.code == 130, stopped.err
    line = next(one for one in stopped.err.splitlines() if "--resume" in one)
    stage.advance(24 * 3600)
    done = stage.ops(*line.split("ops ", 1)[1].split(), "-o", "json")
    assert done.code == 0, done.err
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    listed = stage.dynamodb.list_exports(TableArn=arn)["ExportSummaries"]
    assert [one["ExportArn"] for one in listed] == [done.document["result"]["arn"]]


def test_an_export_that_aws_goes_on_with_is_ended_when_its_table_is_deleted_meanwhile(stage: Stage) -> None:
    table = stage.declare(items=3)
    stopped = stage.interrupted("DescribeExport", "", "export-s3", table)
    assert stopped.code == 130, stopped.err
    line = next(one for one in stopped.err.splitlines() if "--resume" in one)
    stage.dynamodb.delete_table(TableName=table)
    stage.advance(30)
    done = stage.ops(*line.split("ops ", 1)[1].split(), "-o", "json")
    assert (done.code, done.document["result"]["items"]) == (0, 3), done.err
