"""`ops sandbox down --keep`: everything is as it was, in other processes."""

from __future__ import annotations

import json
import resource
import socket
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from loader.artists import Database, read_artists
from ops.errors import SandboxBroken, SandboxNotRunning
from ops.sandbox import lifecycle, postgres, second_servers
from ops.sandbox.aws.kept import FILE
from ops.sandbox.control import SandboxClock, SandboxControl
from ops.sandbox.ending import leftovers
from ops.sandbox.lifecycle import SandboxOptions, SandboxStatus
from tests.sandbox.processes.conftest import Notes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws.*")
ITEMS = 50


def client(found: SandboxStatus, service: str) -> Any:
    import boto3

    keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
    config = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=found.endpoint, region_name="us-east-1", config=config, **keys)


def scan(found: SandboxStatus, table: str) -> list[str]:
    return sorted(item["pk"]["S"] for item in client(found, "dynamodb").scan(TableName=table)["Items"])


def make_table(found: SandboxStatus) -> None:
    db = client(found, "dynamodb")
    key = {"AttributeName": "pk"}
    db.create_table(
        TableName="kept", BillingMode="PAY_PER_REQUEST", KeySchema=[key | {"KeyType": "HASH"}],
        AttributeDefinitions=[key | {"AttributeType": "S"}],
    )  # fmt: skip
    db.update_continuous_backups(
        TableName="kept", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


def test_a_kept_sandbox_wakes_with_its_items_history_backups_jobs_and_rows(folder: Path, notes: Notes) -> None:
    found = lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
    db, clock = client(found, "dynamodb"), SandboxClock(SandboxControl(found.endpoint))
    make_table(found)
    for key in ("a", "b"):
        db.put_item(TableName="kept", Item={"pk": {"S": key}, "n": {"N": "1"}})
    clock.sleep(2)
    before = clock.now().replace(microsecond=0)
    clock.sleep(2)
    db.delete_item(TableName="kept", Key={"pk": {"S": "a"}})
    s3 = client(found, "s3")
    s3.create_bucket(Bucket="kept-exports")
    s3.put_object(Bucket="kept-exports", Key="AWSDynamoDB/one/manifest-summary.json", Body=b"an export")
    SandboxControl(found.endpoint).set_fault("throttle", share=0.5, seed=7, operations=("TransactGetItems",))
    faults = SandboxControl(found.endpoint).faults()
    backup = db.create_backup(TableName="kept", BackupName="one")["BackupDetails"]["BackupArn"]
    db.delete_table(TableName="kept")  # leaves a system backup that appears in 6 s
    make_table(found)
    db.put_item(TableName="kept", Item={"pk": {"S": "c"}})
    clock.sleep(7_200)
    rds = client(found, "rds")
    (instance,) = rds.describe_db_instances()["DBInstances"]
    name = instance["DBInstanceIdentifier"]
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=name, TargetDBInstanceIdentifier="second", UseLatestRestorableTime=True
    )
    offset_s = float(SandboxControl(found.endpoint).clock()["offset_s"])

    lifecycle.sleep(folder)
    assert leftovers(folder) == ()
    with pytest.raises(SandboxNotRunning, match="put to sleep"):
        lifecycle.status(folder)

    woken = lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
    assert woken.action == "woken" and not (folder / FILE).exists()
    assert woken.source_url == found.source_url
    db, clock = client(woken, "dynamodb"), SandboxClock(SandboxControl(woken.endpoint))
    assert float(SandboxControl(woken.endpoint).clock()["offset_s"]) == pytest.approx(offset_s)
    assert scan(woken, "kept") == ["c"]
    assert SandboxControl(woken.endpoint).faults() == faults
    exported = client(woken, "s3").get_object(Bucket="kept-exports", Key="AWSDynamoDB/one/manifest-summary.json")
    assert exported["Body"].read() == b"an export"
    kinds = {one["BackupType"] for one in db.list_backups(TableName="kept", BackupType="ALL")["BackupSummaries"]}
    assert kinds == {"USER", "SYSTEM"}
    db.restore_table_from_backup(BackupArn=backup, TargetTableName="from-backup")
    db.put_item(TableName="kept", Item={"pk": {"S": "d"}})
    clock.sleep(400)
    db.restore_table_to_point_in_time(
        SourceTableName="kept", TargetTableName="earlier", RestoreDateTime=clock.now() - timedelta(seconds=500)
    )
    clock.sleep(21)
    assert (scan(woken, "from-backup"), scan(woken, "earlier")) == (["b"], ["c"])
    assert before < clock.now()
    server = woken.database
    assert server is not None
    login = Database("postgres", server.address, server.port, server.database, server.username, lambda: server.password)
    assert len(read_artists(login)) == woken.artists
    clock.sleep(21)
    restored = client(woken, "rds").describe_db_instances(DBInstanceIdentifier="second")["DBInstances"][0]
    assert restored["DBInstanceStatus"] == "available"
    with postgres.connect(server.__class__(server.process, server.address, restored["Endpoint"]["Port"],
                                           server.database, server.username, server.password),
                          server.database) as connection:  # fmt: skip
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_kept_state_of_another_version_is_refused_by_name_and_stays(folder: Path, notes: Notes) -> None:
    lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
    lifecycle.sleep(folder)
    path = folder / FILE
    head, _, body = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps(json.loads(head) | {"moto": "5.2.4"}).encode() + b"\n" + body)
    with pytest.raises(SandboxBroken) as caught:
        lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
    assert "written with moto 5.2.4" in caught.value.why
    assert path.exists() and leftovers(folder) == ()
    path.write_bytes(head + b"\n" + body)
    assert lifecycle.up(SandboxOptions(folder, items=ITEMS), notes).action == "woken"


def test_a_damaged_state_is_named_with_the_ways_out_and_a_half_written_one_is_none(folder: Path, notes: Notes) -> None:
    lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
    lifecycle.sleep(folder)
    path = folder / FILE
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for damaged in (whole[:middle], flipped, b"", b"[1]\n"):
        path.write_bytes(damaged)
        with pytest.raises(SandboxBroken, match="cannot be woken") as caught:
            lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
        assert "is damaged" in caught.value.why
        assert "ops sandbox down" in caught.value.fix[-1]
        assert path.read_bytes() == damaged and leftovers(folder) == ()
    path.write_bytes(whole)
    # what a save leaves that was killed halfway
    (folder / f"{FILE}.part").write_bytes(whole[:middle])
    assert lifecycle.up(SandboxOptions(folder, items=ITEMS), notes).action == "woken"


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process can be set on Linux only")
def test_a_state_that_cannot_be_written_leaves_the_sandbox_running_and_no_half_file(folder: Path, notes: Notes) -> None:
    found = lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
    aws = next(part.pid for part in found.parts if part.name == "aws")
    make_table(found)
    # as a full disk does: a write fails after some bytes; the server ignores the signal as Python does
    resource.prlimit(aws, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    with pytest.raises(SandboxBroken, match="cannot be kept") as caught:
        lifecycle.sleep(folder)
    assert "File too large" in caught.value.why and "runs on" in caught.value.changed
    assert not list(folder.glob(f"{FILE}*"))
    client(found, "dynamodb").put_item(TableName="kept", Item={"pk": {"S": "after"}})
    resource.prlimit(aws, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    lifecycle.sleep(folder)
    assert scan(lifecycle.up(SandboxOptions(folder, items=ITEMS), notes), "kept") == ["after"]


def test_nothing_is_taken_that_the_written_state_does_not_hold_also_when_the_command_was_killed(
    folder: Path, notes: Notes
) -> None:
    found = lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
    make_table(found)
    db = client(found, "dynamodb")
    db.put_item(TableName="kept", Item={"pk": {"S": "before"}})
    SandboxControl(found.endpoint).save()  # and here `ops sandbox down --keep` is killed
    with pytest.raises(ClientError) as refused:
        db.put_item(TableName="kept", Item={"pk": {"S": "lost"}})
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    with pytest.raises(ClientError, match="503"):
        client(found, "s3").create_bucket(Bucket="lost")
    woken = lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
    assert (woken.action, scan(woken, "kept")) == ("woken", ["before"])


def test_down_removes_a_kept_sandbox(folder: Path, notes: Notes) -> None:
    lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
    lifecycle.sleep(folder)
    began = time.monotonic()
    assert lifecycle.down(folder)
    assert not folder.exists() and time.monotonic() - began < 3
    assert second_servers.folders(folder) == ()


def test_a_sandbox_wakes_on_another_port_when_its_own_is_taken_and_says_so(folder: Path, notes: Notes) -> None:
    found = lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
    lifecycle.sleep(folder)
    port = int(found.endpoint.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        woken = lifecycle.up(SandboxOptions(folder, items=ITEMS), notes)
    assert woken.endpoint != found.endpoint and lifecycle.require_running(folder).running
    assert any(f"port {port} is taken" in text for text in notes.said)
