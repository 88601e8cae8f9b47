"""`ops restore` as a process against the sandbox."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.cli.recovery_stage import BUCKET, Stage


def later(stage: Stage, table: str) -> str:
    """A moment before which `table` was whole; afterwards an item is gone, one is new, and the window is past it."""
    moment: str = stage.now().isoformat()
    stage.advance(2)
    stage.dynamodb.delete_item(TableName=table, Key={"artist_id": {"S": "a0000"}, "id": {"S": "t000003"}})
    stage.put(table, [{"artist_id": {"S": "zz"}, "id": {"S": "after"}}])
    stage.advance(400)
    return moment


def test_a_restore_to_a_second_brings_back_items_and_settings_and_proves_both(stage: Stage) -> None:
    table = stage.declare(items=40)
    before = stage.items(table)
    done = stage.ops("restore", table, "--at", later(stage, table), "-o", "json")
    assert done.code == 0, done.err
    result = done.document["result"]
    target = result["target"]["name"]
    assert target.startswith(f"{table}-r20")
    assert stage.items(target) == before
    assert result["proof"]["equal"] is True
    assert result["proof"]["expected"]["kind"] == "export"
    assert (result["proof"]["expected"]["items"], result["proof"]["found"]["items"]) == (40, 40)
    assert result["settings"]["failed"] == []
    assert {"restore", "settings", "prove"} <= {one["name"] for one in result["phases"]}
    assert "taken now: AWS bills it by table size" in done.err


def test_an_item_alive_at_the_restored_second_must_be_there_also_when_it_has_expired_since(stage: Stage) -> None:
    """TTL is off on a restored table until the proof: nothing but a loss can explain that it is not there."""
    table, other = stage.declare(items=5), stage.declare(items=5)
    soon = str(int(stage.now().timestamp()) + 60)
    stage.put(other, [{"artist_id": {"S": "ttl"}, "id": {"S": "soon"}, "expires_at": {"N": soon}}])
    stage.advance(2)
    moment = stage.now().isoformat()
    stage.advance(400)
    manifest = stage.ops("export-s3", other, "--at", moment, "-o", "json").document["result"]["manifest"]
    done = stage.ops("restore", table, "--at", moment, "--expect", manifest, "-o", "json")
    proof = done.document["result"]["proof"]
    assert (done.code, proof["missing"], proof["ignored"]) == (4, 1, {})


def test_the_restored_table_has_the_contract_again_by_aws_own_word(stage: Stage) -> None:
    table = stage.declare(items=5)
    done = stage.ops("restore", table, "--latest", "--as", f"{table}-again")
    assert done.code == 0, done.err
    target = f"{table}-again"
    described = stage.dynamodb.describe_table(TableName=target)["Table"]
    assert described["DeletionProtectionEnabled"] is True
    assert described["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    pitr = stage.dynamodb.describe_continuous_backups(TableName=target)["ContinuousBackupsDescription"]
    assert pitr["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    ttl = stage.dynamodb.describe_time_to_live(TableName=target)["TimeToLiveDescription"]
    assert ttl["AttributeName"] == "expires_at"
    tags = stage.dynamodb.list_tags_of_resource(ResourceArn=described["TableArn"])["Tags"]
    assert {"Key": "owner", "Value": "music"} in tags
    assert {"Key": "ops:source", "Value": table} in tags
    scaling = stage.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="dynamodb")
    mine = [one for one in scaling["ScalableTargets"] if one["ResourceId"].startswith(f"table/{target}")]
    assert len([one for one in mine if one["ResourceId"].split("/")[1] == target]) == 4


def test_a_backup_is_restored_and_proven_by_the_seal_beside_it(stage: Stage) -> None:
    table = stage.declare(items=20)
    made = stage.ops("backup", table, "-o", "json").document["result"]
    before = stage.items(table)
    later(stage, table)
    done = stage.ops("restore", table, "--backup", made["name"], "-o", "json")
    assert done.code == 0, done.err
    result = done.document["result"]
    assert result["way"] == "backup"
    assert result["proof"]["expected"]["kind"] == "seal"
    assert result["proof"]["expected"]["items"] == 20
    assert stage.items(result["target"]["name"]) == before


def test_without_an_expected_side_the_restore_finishes_and_says_not_proven(stage: Stage) -> None:
    table = stage.declare(items=6)
    made = stage.ops("backup", table, "--fingerprint", "none", "-o", "json").document["result"]
    done = stage.ops("restore", table, "--backup", made["arn"], "-o", "json")
    document = done.document
    assert (done.code, document["exit"], document["errors"][0]["code"]) == (4, 4, "OPS-E406")
    assert "--fingerprint none" in document["errors"][0]["why"]
    assert len(stage.items(document["result"]["target"]["name"])) == 6
    assert document["result"]["settings"]["failed"] == []


@pytest.mark.parametrize("trouble", ["damaged", "bucket"])
def test_what_cannot_be_read_beside_a_backup_costs_the_proof_and_not_the_restore(stage: Stage, trouble: str) -> None:
    table = stage.declare(items=3)
    made = stage.ops("backup", table, "-o", "json").document["result"]
    if trouble == "damaged":
        (key,) = (one for one in stage.objects("") if made["name"] in one and one.endswith("settings.json"))
        stage.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b'{"schema":')
    else:
        stage.publish(bucket="no-such-bucket-of-ours")
    done = stage.ops("restore", table, "--backup", made["arn"], "-o", "json")
    stage.publish()
    document = done.document
    assert (done.code, [one["code"] for one in document["errors"]]) == (4, ["OPS-E406"]), done.err
    assert document["errors"][0]["why"].startswith("items not proven: ")
    assert len(stage.items(document["result"]["target"]["name"])) == 3
    assert document["result"]["settings"]["failed"] == []


def test_exports_that_may_not_be_listed_cost_no_restore(stage: Stage) -> None:
    table = stage.declare(items=3)
    stage.control.set_fault("denied", operations=("ListExports",))
    try:
        done = stage.ops("restore", table, "--latest", "-o", "json")
    finally:
        stage.control.clear_faults()
    assert done.code == 0, done.err
    assert done.document["result"]["proof"]["equal"] is True


def test_expecting_nothing_on_purpose_is_no_failure(stage: Stage) -> None:
    table = stage.declare(items=2)
    done = stage.ops("restore", table, "--latest", "--expect", "none")
    assert done.code == 0, done.err
    assert "items not proven: --expect none was given" in done.out


def test_a_wrong_expected_side_is_exit_4_with_the_keys_and_keeps_stream_and_ttl_off(
    stage: Stage, tmp_path: Any
) -> None:
    table = stage.declare(items=4)
    file = tmp_path / "expected.jsonl"
    items = list(stage.items(table).values())
    items[0] = {**items[0], "popularity": {"N": "999"}}
    file.write_text("".join(json.dumps({"Item": item}) + "\n" for item in items))
    done = stage.ops("restore", table, "--latest", "--expect", str(file), "-o", "json")
    assert done.code == 4, done.err
    document = done.document
    assert [one["code"] for one in document["errors"]] == ["OPS-E401"]
    target = document["result"]["target"]["name"]
    assert document["result"]["proof"]["samples"][0]["key"] == {
        name: items[0][name] for name in ("artist_id", "id")
    }  # fmt: skip
    assert target in document["errors"][0]["changed"]
    described = stage.dynamodb.describe_table(TableName=target)["Table"]
    assert not described.get("StreamSpecification", {}).get("StreamEnabled")


def test_a_deleted_table_comes_back_from_its_system_backup(stage: Stage) -> None:
    table = stage.declare(items=15)
    before = stage.items(table)
    stage.dynamodb.delete_table(TableName=table)
    stage.advance(30)
    hint = stage.ops("restore", table, "--latest")
    assert hint.code == 10
    assert f"ops restore {table} --deleted" in hint.err
    done = stage.ops("restore", table, "--deleted", "--as", f"{table}-back", "-o", "json")
    assert done.document["result"]["way"] == "system-backup"
    assert stage.items(f"{table}-back") == before
    # nothing was fingerprinted at that moment: that is said, not hidden
    assert (done.code, done.document["errors"][0]["code"]) == (4, "OPS-E406")


@pytest.mark.parametrize(("days", "side"), [(-4000, "before"), (1, "after")])
def test_a_time_outside_the_window_names_both_bounds_and_makes_nothing(stage: Stage, days: int, side: str) -> None:
    table = stage.declare(items=1)
    found = stage.dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    bounds = found["PointInTimeRecoveryDescription"]
    before = stage.tables_now()
    at = (stage.now() + timedelta(days=days)).isoformat()
    done = stage.ops("restore", table, "--at", at)
    assert (done.code, done.out) == (6, "")
    assert "OPS-E603" in done.err
    assert f"lies {side} the restorable window of {table}" in done.err
    assert f"{bounds['EarliestRestorableDateTime']:%Y-%m-%dT%H:%M}" in done.err
    assert f"{bounds['LatestRestorableDateTime']:%Y-%m-%dT%H:%M}" in done.err
    assert "changed: nothing was changed" in done.err
    assert stage.tables_now() == before


def test_pitr_off_names_the_newest_backup(stage: Stage) -> None:
    table = stage.declare(items=1, pitr=False)
    made = stage.ops("backup", table, "--fingerprint", "none", "-o", "json").document["result"]
    done = stage.ops("restore", table, "--latest")
    assert (done.code, done.out) == (6, "")
    assert f"OPS-E602 point-in-time recovery of {table} is off" in done.err
    assert made["arn"] in done.err


def test_a_taken_target_is_refused_and_untouched(stage: Stage) -> None:
    table, other = stage.declare(items=3), stage.declare(items=2)
    before = stage.items(other)
    done = stage.ops("restore", table, "--latest", "--as", other)
    assert (done.code, done.out) == (7, "")
    assert f"OPS-E709 table {other} exists already" in done.err
    assert "--as NEW" in done.err
    assert stage.items(other) == before


def test_an_unknown_backup_names_the_newest_one(stage: Stage) -> None:
    table = stage.declare(items=1)
    made = stage.ops("backup", table, "--fingerprint", "none", "-o", "json").document["result"]
    done = stage.ops("restore", table, "--backup", "nightly-1999")
    assert (done.code, done.out) == (6, "")
    assert "OPS-E606" in done.err
    assert made["name"] in done.err
    assert f"next: ops list backups --table {table}" in done.err


def test_what_is_no_arn_of_a_backup_is_a_usage_error(stage: Stage) -> None:
    table = stage.declare(items=1)
    for arn in ("arn:x", f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}"):
        done = stage.ops("restore", table, "--backup", arn)
        assert (done.code, f"ops list backups --table {table}" in done.err) == (2, True), done.err


def test_none_or_two_sources_are_a_usage_error(stage: Stage) -> None:
    table = stage.declare(items=1)
    assert stage.ops("restore", table).code == 2
    assert stage.ops("restore", table, "--latest", "--deleted").code == 2


def test_a_dry_run_checks_all_and_makes_nothing(stage: Stage) -> None:
    table = stage.declare(items=1)
    before = stage.tables_now()
    done = stage.ops("restore", table, "--latest", "--dry-run", "-o", "json")
    assert done.code == 0, done.err
    assert done.document["result"]["plan"]["target"].startswith(f"{table}-r20")
    assert done.document["result"]["expected"]["kind"] == "new-export"
    assert stage.tables_now() == before
    outside = stage.ops("restore", table, "--at", "2020-01-01T00:00:00Z", "--dry-run")
    assert outside.code == 6


def test_ctrl_c_names_the_target_and_resume_ends_as_if_nothing_had_happened(stage: Stage) -> None:
    table = stage.declare(items=18)
    before = stage.items(table)
    target = f"{table}-kept"
    stopped = stage.interrupted("DescribeTable", target, "restore", table, "--latest", "--as", target)
    # the first look is before the request: nothing was asked for yet
    assert (stopped.code, target in stage.tables_now()) == (130, False)
    assert "OPS-E13001" in stopped.err
    stopped = stage.interrupted("DescribeExport", "", "restore", table, "--latest", "--as", target)
    assert stopped.code == 130, stopped.err
    assert f"RestoreTableToPointInTime {target}" in stopped.err
    assert "what is running goes on" in stopped.err
    line = next(one for one in stopped.err.splitlines() if "--resume" in one)
    words = line.split("ops ", 1)[1].split()
    done = stage.ops(*words, "-o", "json")
    assert done.code == 0, done.err
    assert done.document["result"]["target"]["name"] == target
    assert done.document["result"]["proof"]["equal"] is True
    assert stage.items(target) == before
    assert [one for one in stage.tables_now() if one.startswith(f"{table}-")] == [target]


def test_a_restore_whose_answer_is_lost_on_the_way_is_not_taken_for_somebody_elses(stage: Stage) -> None:
    table = stage.declare(items=5)
    target = f"{table}-unheard"
    done = stage.unanswered("RestoreTableToPointInTime", "restore", table, "--latest", "--as", target, "-o", "json")
    assert done.code == 0, done.err
    assert done.document["result"]["proof"]["equal"] is True
    named = str(stage.ops("backup", table, "-o", "json").document["result"]["arn"])
    words = ("restore", table, "--backup", named, "--as", f"{target}2", "-o", "json")
    done = stage.unanswered("RestoreTableFromBackup", *words)
    assert done.code == 0, done.err
    assert done.document["result"]["proof"]["equal"] is True


def test_a_restore_at_which_aws_fails_twice_is_asked_for_again(stage: Stage) -> None:
    table = stage.declare(items=2)
    stage.control.set_fault("error500", operations=("RestoreTableToPointInTime",), count=2)
    try:
        done = stage.ops("restore", table, "--latest", "--as", f"{table}-third")
    finally:
        stage.control.clear_faults()
    assert done.code == 0, done.err


def test_a_restore_goes_on_when_its_backup_is_deleted_after_it_was_accepted(stage: Stage) -> None:
    table = stage.declare(items=4)
    target = f"{table}-outlives"
    arn = stage.ops("backup", table, "-o", "json").document["result"]["arn"]
    stopped = stage.interrupted("UpdateContinuousBackups", target, "restore", table, "--backup", arn, "--as", target)
    assert stopped.code == 130, stopped.err
    line = next(one for one in stopped.err.splitlines() if "--resume" in one)
    stage.dynamodb.delete_backup(BackupArn=arn)
    done = stage.ops(*line.split("ops ", 1)[1].split(), "-o", "json")
    assert done.code == 0, done.err
    assert done.document["result"]["proof"]["equal"] is True


def newest_run(stage: Stage) -> str:
    return max(path.name for path in stage.runs.iterdir())


def test_a_resumed_restore_of_which_no_proof_was_asked_needs_none(stage: Stage) -> None:
    table = stage.declare(items=2)
    target = f"{table}-unproven"
    words = ("restore", table, "--latest", "--as", target, "--expect", "none")
    stopped = stage.interrupted("UpdateContinuousBackups", target, *words)
    assert stopped.code == 130, stopped.err
    line = next(one for one in stopped.err.splitlines() if "--resume" in one)
    done = stage.ops(*line.split("ops ", 1)[1].split(), "-o", "json")
    assert (done.code, done.document["result"]["proof"]) == (0, None), done.err


def test_a_resumed_restore_is_not_asked_for_something_else(stage: Stage) -> None:
    table = stage.declare(items=2)
    target = f"{table}-begun"
    at = f"{stage.now() - timedelta(seconds=330):%Y-%m-%dT%H:%M:%SZ}"
    stopped = stage.interrupted("UpdateContinuousBackups", target, "restore", table, "--at", at, "--as", target)
    assert stopped.code == 130, stopped.err
    resumed = ("restore", table, "--resume", newest_run(stage))
    for option, value in (
        ("--as", "other"), ("--at", "2026-11-20T10:00:00Z"), ("--backup", "nightly"), ("--expect", "none"),
        ("--settings", "none"),
    ):  # fmt: skip
        other = stage.ops(*resumed, option, value)
        assert (other.code, "was begun with" in other.err) == (2, True), (option, other.err)
    for option in ("--latest", "--deleted"):
        other = stage.ops(*resumed, option)
        assert (other.code, "was begun with" in other.err) == (2, True), (option, other.err)
    done = stage.ops(*resumed, "--at", at, "--as", target)
    assert done.code == 0, done.err


def test_a_cutover_that_was_interrupted_is_gone_on_with(stage: Stage) -> None:
    table = stage.declare(items=3)
    target = f"{table}-cut"
    words = ("restore", table, "--latest", "--as", target, "--cutover", "pointer", "--confirm", table)
    stopped = stage.interrupted("PutParameter", target, *words)
    assert stopped.code == 130, stopped.err
    line = next(one for one in stopped.err.splitlines() if "--resume" in one)
    stage.client("ssm").put_parameter(Name=f"/music/dev/tables/{table}", Value=target, Type="String", Overwrite=True)
    done = stage.ops(*line.split("ops ", 1)[1].split(), "-o", "json")
    assert done.code == 0, done.err
    assert done.document["result"]["source"] == table
    assert done.document["result"]["proof"]["equal"] is True


def test_a_window_that_was_opened_anew_meanwhile_does_not_change_the_second(stage: Stage) -> None:
    table = stage.declare(items=2)
    target, at = f"{table}-then", f"{stage.now() - timedelta(seconds=330):%Y-%m-%dT%H:%M:%SZ}"
    stopped = stage.interrupted("ListExports", table, "restore", table, "--at", at, "--as", target)
    assert stopped.code == 130, stopped.err
    for enabled in (False, True):
        stage.dynamodb.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
        )
    done = stage.ops("restore", table, "--resume", newest_run(stage))
    assert (done.code, "OPS-E603" in done.err) == (6, True), done.err
    assert target not in stage.tables_now()


def test_another_run_never_adopts_the_table_of_an_interrupted_one(stage: Stage) -> None:
    table = stage.declare(items=2)
    target = f"{table}-mine"
    stopped = stage.interrupted("DescribeExport", "", "restore", table, "--latest", "--as", target)
    assert stopped.code == 130, stopped.err
    done = stage.ops("restore", table, "--latest", "--as", target)
    assert done.code == 7
    assert "OPS-E709" in done.err


def test_a_cutover_needs_the_name_and_moves_only_a_proven_table(stage: Stage) -> None:
    table = stage.declare(items=3)
    refused = stage.ops("restore", table, "--latest", "--cutover", "pointer")
    assert refused.code == 7
    assert f"--confirm {table}" in refused.err
    done = stage.ops("restore", table, "--latest", "--as", f"{table}-new", "--cutover", "pointer", "--confirm", table)
    assert done.code == 0, done.err
    pointer = stage.client("ssm").get_parameter(Name=f"/music/dev/tables/{table}")["Parameter"]
    assert pointer["Value"] == f"{table}-new"


def test_a_finished_restore_is_switched_to_later_by_the_line_it_printed(stage: Stage) -> None:
    table = stage.declare(items=3)
    first = stage.ops("restore", table, "--latest", "--as", f"{table}-later")
    line = next(one for one in first.err.splitlines() if "--cutover pointer" in one)
    done = stage.ops(*line.split("ops ", 1)[1].split())
    assert done.code == 0, done.err
    pointer = stage.client("ssm").get_parameter(Name=f"/music/dev/tables/{table}")["Parameter"]
    assert pointer["Value"] == f"{table}-later"


def test_an_unknown_run_cannot_be_resumed(stage: Stage) -> None:
    table = stage.declare(items=1)
    done = stage.ops("restore", table, "--resume", "01JD7QZK5V8M3N9T2R6W4XYB1C")
    assert (done.code, done.out) == (10, "")
    assert "ops list runs" in done.err


def test_the_end_of_the_waiting_time_is_exit_12_and_resumable(stage: Stage) -> None:
    table = stage.declare(items=4)
    late = stage.ops("restore", table, "--latest", "--as", f"{table}-late", "--timeout", "5s")
    assert (late.code, late.out) == (12, "")
    assert "OPS-E1201" in late.err
    line = next(one for one in late.err.splitlines() if "--resume" in one)
    done = stage.ops(*line.split("ops ", 1)[1].split())
    assert done.code == 0, done.err
    assert "equal: 4 expected, 4 found" in done.out


def test_an_export_that_cannot_be_had_does_not_stop_the_recovery(stage: Stage) -> None:
    table = stage.declare(items=4)
    stage.publish(bucket="no-such-bucket-here")
    try:
        done = stage.ops("restore", table, "--latest", "--as", f"{table}-r", "-o", "json")
        backup = stage.ops("backup", table)
    finally:
        stage.publish()
    document = done.document
    assert (done.code, [one["code"] for one in document["errors"]]) == (4, ["OPS-E406"])
    assert "S3NoSuchBucket" in document["errors"][0]["why"]
    assert document["result"]["settings"]["failed"] == []
    assert len(stage.items(f"{table}-r")) == 4
    # a backup could keep nothing beside it: refused before it is made
    assert backup.code == 10
    assert "bucket not found: no-such-bucket-here" in backup.err
    assert stage.dynamodb.list_backups(TableName=table)["BackupSummaries"] == []


def test_a_mistyped_expected_side_is_refused_before_the_restore(stage: Stage) -> None:
    table = stage.declare(items=1)
    before = stage.tables_now()
    for wrong in ("/no/such/file.jsonl", "s3://music-exports/nothing/manifest-summary.json"):
        done = stage.ops("restore", table, "--latest", "--expect", wrong)
        assert (done.code, done.out) == (10, ""), done.err
    assert stage.tables_now() == before


@pytest.mark.parametrize("name", ["x", "a b", "t" * 256, "tracks/1"])
def test_a_name_that_no_table_can_have_is_a_usage_error(stage: Stage, name: str) -> None:
    table = stage.declare(items=1)
    done = stage.ops("restore", table, "--latest", "--as", name)
    assert (done.code, done.out) == (2, "")
    assert "is not a table name" in done.err
