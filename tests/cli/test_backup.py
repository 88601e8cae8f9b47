"""`ops backup` as a process against the sandbox."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.gate import Gate
from tests.cli.recovery_stage import Stage, track


def test_a_backup_is_available_and_its_settings_and_fingerprint_lie_beside_it(stage: Stage) -> None:
    table = stage.declare(items=30)
    stage.dynamodb.tag_resource(
        ResourceArn=f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}", Tags=[{"Key": "cost", "Value": "7"}]
    )
    done = stage.ops("backup", table, "-o", "json")
    assert done.code == 0, done.err
    result = done.document["result"]
    listed = stage.dynamodb.list_backups(TableName=table)["BackupSummaries"]
    assert [(one["BackupArn"], one["BackupStatus"]) for one in listed] == [(result["arn"], "AVAILABLE")]
    assert result["items"] == 30
    assert stage.objects(f"exports/seals/{table}/{result['name']}/") == [
        f"exports/seals/{table}/{result['name']}/{one}" for one in ("records.jsonl.gz", "seal.json", "settings.json")
    ]
    note = json.loads(stage.client("s3").get_object(
        Bucket="music-exports", Key=f"exports/seals/{table}/{result['name']}/settings.json"
    )["Body"].read())  # fmt: skip
    assert note["backup"]["arn"] == result["arn"]
    assert note["settings"]["tags"]["cost"] == "7"  # a backup itself holds no tags
    assert note["settings"]["pitr_days"] == 35


def test_the_run_folder_holds_no_key_of_an_item(stage: Stage) -> None:
    table = stage.declare(items=12)
    done = stage.ops("backup", table, "-o", "json")
    assert done.code == 0, done.err
    folder = stage.runs / done.document["run"]
    texts = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    assert {"seal.json", "settings.json", "journal.jsonl", "result.json"} <= set(texts)
    assert not [name for name, text in texts.items() if "t000003" in text]


def test_the_first_line_names_account_region_environment_and_table(stage: Stage) -> None:
    table = stage.declare(items=3)
    done = stage.ops("backup", table, "--fingerprint", "none")
    first = done.err.splitlines()[0]
    assert done.code == 0, done.err
    for part in ("123456789012", "us-east-1", "dev", table):
        assert part in first
    assert "none: a restore of this backup cannot be proven" in done.out


def test_the_reads_of_a_scanned_fingerprint_and_its_weakness_are_said_beforehand(stage: Stage) -> None:
    table = stage.declare(items=3)
    done = stage.ops("backup", table)
    assert done.code == 0, done.err
    before, _, _ = done.err.partition("waiting until it is AVAILABLE")
    assert "read units" in before
    assert "within a minute of the request" in before


def test_sealing_takes_the_export_of_the_request_second(stage: Stage) -> None:
    table = stage.declare(items=25)
    done = stage.ops("backup", table, "--seal", "-o", "json")
    assert done.code == 0, done.err
    result = done.document["result"]
    seal = json.loads(stage.client("s3").get_object(
        Bucket="music-exports", Key=f"exports/seals/{table}/{result['name']}/seal.json"
    )["Body"].read())  # fmt: skip
    assert (seal["count"], seal["subject"]["source_kind"]) == (25, "export")
    assert seal["subject"]["moment"] == result["requested_at"]


def test_sealing_without_pitr_is_refused_before_a_backup_is_made(stage: Stage) -> None:
    table = stage.declare(items=3, pitr=False)
    done = stage.ops("backup", table, "--seal")
    assert (done.code, done.out) == (6, "")
    assert "OPS-E602" in done.err
    assert stage.dynamodb.list_backups(TableName=table)["BackupSummaries"] == []


def test_a_table_that_does_not_exist_is_exit_10_with_the_near_name(stage: Stage) -> None:
    table = stage.declare(items=1)
    done = stage.ops("backup", table[:-1] + "x")
    assert (done.code, done.out) == (10, "")
    assert "OPS-E1004" in done.err
    assert "did you mean" in done.err
    gone = stage.ops("backup", "ddb:no-such-table")
    assert gone.code == 10
    assert "OPS-E1001 table not found: no-such-table" in gone.err
    assert "changed: nothing was changed" in gone.err


def test_credentials_of_another_account_are_exit_7_before_anything_is_asked(stage: Stage) -> None:
    table = stage.declare(items=1)
    stage.publish(account="999988887777")
    try:
        done = stage.ops("backup", table)
    finally:
        stage.publish()
    assert (done.code, done.out) == (7, "")
    assert "OPS-E701" in done.err
    assert "123456789012" in done.err
    assert "999988887777" in done.err
    assert stage.dynamodb.list_backups(TableName=table)["BackupSummaries"] == []


def test_no_sandbox_is_one_clear_message(stage: Stage) -> None:
    done = stage.ops("backup", "anything", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (done.code, done.out) == (9, "")
    assert "OPS-E903 no sandbox answers at http://127.0.0.1:9" in done.err
    assert "next: ops sandbox up" in done.err


def test_a_wrong_environment_names_those_that_exist(stage: Stage) -> None:
    done = stage.ops("backup", "anything", "--env", "prdo")
    assert (done.code, done.out) == (10, "")
    assert "OPS-E1002" in done.err
    assert "environments of music here: dev" in done.err


def test_a_full_runs_folder_stops_before_the_backup(stage: Stage, full_disk: Path) -> None:
    table = stage.declare(items=2)
    done = stage.ops("backup", table, "--runs", str(full_disk))
    assert (done.code, done.out) == (1, "")
    assert "OPS-E104" in done.err
    assert "--runs DIR" in done.err
    assert stage.dynamodb.list_backups(TableName=table)["BackupSummaries"] == []


def test_a_dry_run_makes_no_backup_and_names_what_it_would_make(stage: Stage) -> None:
    table = stage.declare(items=2)
    before = stage.objects("")
    done = stage.ops("backup", table, "--dry-run", "-o", "json")
    assert done.code == 0, done.err
    assert done.document["dry_run"] is True
    assert done.document["result"]["name"].startswith(f"{table}-")
    assert stage.dynamodb.list_backups(TableName=table)["BackupSummaries"] == []
    assert stage.objects("") == before


def test_a_name_always_holds_the_run_so_that_names_do_not_repeat(stage: Stage) -> None:
    table = stage.declare(items=1)
    names = [
        stage.ops("backup", table, "--name", "nightly", "--fingerprint", "none", "--json").document["result"]["name"]
        for _ in range(2)
    ]
    assert len(set(names)) == 2
    assert all(one.startswith("nightly-") for one in names)


def test_ctrl_c_says_what_exists_and_the_resumed_run_makes_no_second_backup(stage: Stage) -> None:
    table = stage.declare(items=20)
    done = stage.interrupted("Scan", table, "backup", table)
    err = done.err
    assert done.code == 130, err
    assert "OPS-E13001" in err
    assert f"CreateBackup {table}" in err
    resume = next(line for line in err.splitlines() if "--resume" in line)
    run = resume.split("--resume ")[1].split()[0]
    done = stage.ops("backup", table, "--resume", run, "-o", "json")
    assert done.code == 0, done.err
    listed = stage.dynamodb.list_backups(TableName=table)["BackupSummaries"]
    assert [one["BackupArn"] for one in listed] == [done.document["result"]["arn"]]
    assert done.document["result"]["items"] == 20


def test_a_backup_whose_answer_is_lost_is_not_made_twice_by_the_line_that_is_printed(stage: Stage) -> None:
    table = stage.declare(items=3)
    lost = stage.unanswered("CreateBackup", "backup", table)
    assert lost.code == 9, lost.err
    assert f"CreateBackup {table} " in lost.err
    assert "answer unknown" in lost.err
    line = next(one for one in lost.err.splitlines() if "--resume" in one)
    done = stage.ops(*line.split("ops ", 1)[1].split(), "-o", "json")
    assert done.code == 0, done.err
    listed = stage.dynamodb.list_backups(TableName=table)["BackupSummaries"]
    assert [one["BackupArn"] for one in listed] == [done.document["result"]["arn"]]


def remade(stage: Stage, table: str) -> None:
    stage.dynamodb.delete_table(TableName=table)
    stage.advance(30)
    stage.create(table)
    stage.put(table, [track(900)])


def test_a_table_made_anew_is_not_fingerprinted_for_the_backup_of_the_one_before(stage: Stage) -> None:
    table = stage.declare(items=5)
    stopped = stage.interrupted("Scan", table, "backup", table)
    assert stopped.code == 130, stopped.err
    line = next(one for one in stopped.err.splitlines() if "--resume" in one)
    remade(stage, table)
    done = stage.ops(*line.split("ops ", 1)[1].split())
    assert (done.code, "was made anew since its backup was begun" in done.err) == (7, True), done.err
    assert [one for one in stage.objects(f"exports/seals/{table}/") if one.endswith("seal.json")] == []


def test_a_table_made_anew_under_the_fingerprint_gets_no_seal(stage: Stage) -> None:
    table = stage.declare(items=5)
    gate = Gate(stage.endpoint)
    try:
        gate.hold("Scan", table)
        process = stage.start("backup", table, AWS_ENDPOINT_URL=gate.endpoint)
        assert gate.reached.wait(60)
        remade(stage, table)
        gate.release()
        _, err = process.communicate(timeout=60)
    finally:
        gate.stop()
    assert (process.returncode, "was made anew since its backup was begun" in err) == (7, True), err
    assert [one for one in stage.objects(f"exports/seals/{table}/") if one.endswith("seal.json")] == []


def test_a_backup_at_which_aws_fails_may_have_been_made(stage: Stage) -> None:
    table = stage.declare(items=3)
    stage.control.set_fault("error500", operations=("CreateBackup",))
    try:
        failed = stage.ops("backup", table)
    finally:
        stage.control.clear_faults()
    assert (failed.code, "answer unknown" in failed.err) == (9, True), failed.err
    line = next(one for one in failed.err.splitlines() if "--resume" in one)
    done = stage.ops(*line.split("ops ", 1)[1].split())
    assert done.code == 0, done.err
    assert len(stage.dynamodb.list_backups(TableName=table)["BackupSummaries"]) == 1


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder without a free byte; where no file system may be mounted, one that takes no file at all."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0:
        tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
        yield tmp_path
    elif subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        (tmp_path / "filler").write_bytes(bytes(8192))
        yield tmp_path
        subprocess.run(["umount", str(tmp_path)], check=True)
    else:
        yield Path("/proc/self/runs")  # nobody can make a file in /proc


def test_a_fingerprint_proves_no_backup_but_its_own(stage: Stage) -> None:
    """A run that is gone on with after its backup was deleted makes another one of the same name."""
    table = stage.declare(items=6)
    first = stage.ops("backup", table, "-o", "json").document
    place = f"exports/seals/{table}/{first['result']['name']}"
    bucket = {"Bucket": "music-exports"}
    s3 = stage.client("s3")
    names = "seal.json", "records.jsonl.gz"
    old = {name: s3.get_object(**bucket, Key=f"{place}/{name}")["Body"].read() for name in names}
    stage.dynamodb.delete_backup(BackupArn=first["result"]["arn"])
    stage.put(table, [{"artist_id": {"S": "zz"}, "id": {"S": "later"}}])
    done = stage.ops("backup", table, "--resume", first["run"], "-o", "json")
    assert (done.code, done.document["result"]["items"]) == (0, 7), done.err
    second = done.document["result"]["arn"]
    assert second != first["result"]["arn"]
    assert stage.ops("verify", table, "--against", f"backup:{second}").code == 0
    for name, body in old.items():  # as if the second run had ended before it sealed
        s3.put_object(**bucket, Key=f"{place}/{name}", Body=body)
    stage.dynamodb.delete_item(TableName=table, Key={"artist_id": {"S": "zz"}, "id": {"S": "later"}})
    assert stage.ops("verify", table, "--against", f"backup:{second}").code == 4
    restored = stage.ops("restore", table, "--backup", second, "-o", "json")
    assert (restored.code, restored.document["result"]["proof"]) == (4, None)
    assert "is of another one" in restored.document["errors"][0]["why"]
