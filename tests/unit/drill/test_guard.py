"""The guard: what a drill may touch, and that everything else is refused before it leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.aws import Aws, CallObserver
from ops.drill.guard import DrillGuard, drill_name, drill_parameters, drill_pointer, parse_drill_name
from ops.errors import BadArgument, NotADrillName

RUN8 = "ab12cd34"
EXPIRY = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
OWN = drill_name(RUN8, EXPIRY, "top_tracks")
OTHER_RUN = drill_name("zz99zz99", EXPIRY, "top_tracks")
ACCOUNT = "arn:aws:dynamodb:us-east-1:111122223333:table"
GUARD = DrillGuard(RUN8, drill_parameters("p", "s", RUN8), bucket="exports-bucket", exports=f"exports/drill-{RUN8}/")

ALLOWED: list[tuple[str, str, dict[str, Any]]] = [
    ("dynamodb", "Scan", {"TableName": "top_tracks"}),
    ("dynamodb", "DescribeTable", {"TableName": "top_tracks"}),
    ("dynamodb", "ListBackups", {}),
    ("sts", "GetCallerIdentity", {}),
    ("ssm", "GetParameter", {"Name": "/p/s/environment"}),
    ("dynamodb", "PutItem", {"TableName": OWN}),
    ("dynamodb", "PutItem", {"TableName": f"{ACCOUNT}/{OWN}"}),
    ("dynamodb", "BatchWriteItem", {"RequestItems": {OWN: []}}),
    ("dynamodb", "TransactWriteItems", {"TransactItems": [{"Put": {"TableName": OWN}}]}),
    ("dynamodb", "RestoreTableToPointInTime", {"SourceTableName": "top_tracks", "TargetTableName": OWN}),
    ("dynamodb", "RestoreTableFromBackup", {"BackupArn": f"{ACCOUNT}/top_tracks/backup/1", "TargetTableName": OWN}),
    ("dynamodb", "ExportTableToPointInTime",
     {"TableArn": f"{ACCOUNT}/top_tracks", "S3Bucket": "exports-bucket", "S3Prefix": f"exports/drill-{RUN8}"}),
    ("dynamodb", "DeleteTable", {"TableName": OWN}),
    ("dynamodb", "CreateBackup", {"TableName": OWN, "BackupName": f"drill-{RUN8}-copy"}),
    ("dynamodb", "DeleteBackup", {"BackupArn": f"{ACCOUNT}/{OWN}/backup/01"}),
    ("dynamodb", "TagResource", {"ResourceArn": f"{ACCOUNT}/{OWN}"}),
    ("application-autoscaling", "RegisterScalableTarget",
     {"ServiceNamespace": "dynamodb", "ResourceId": f"table/{OWN}/index/genre_index"}),
    ("ssm", "PutParameter", {"Name": drill_pointer("p", "s", RUN8, "top_tracks")}),
    ("cloudwatch", "PutMetricAlarm", {"AlarmName": f"{OWN}-throttles"}),
    ("cloudwatch", "DeleteAlarms", {"AlarmNames": [f"{OWN}-throttles"]}),
]  # fmt: skip

FORBIDDEN: list[tuple[str, str, dict[str, Any]]] = [
    ("dynamodb", "PutItem", {"TableName": "top_tracks"}),
    ("dynamodb", "PutItem", {"TableName": OTHER_RUN}),
    ("dynamodb", "PutItem", {"TableName": "drill-top_tracks"}),
    ("dynamodb", "PutItem", {"TableName": f"{ACCOUNT}/top_tracks"}),
    ("dynamodb", "PutItem", {}),
    ("dynamodb", "DeleteTable", {"TableName": "top_tracks"}),
    ("dynamodb", "DeleteTable", {"TableName": f"top_tracks-{OWN}"}),
    ("dynamodb", "UpdateTable", {"TableName": "top_tracks"}),
    ("dynamodb", "UpdateTable", {"TableName": OWN, "ReplicaUpdates": [{"Create": {"RegionName": "us-west-2"}}]}),
    ("dynamodb", "UpdateContinuousBackups", {"TableName": "top_tracks"}),
    ("dynamodb", "UpdateTimeToLive", {"TableName": "top_tracks"}),
    ("dynamodb", "BatchWriteItem", {"RequestItems": {OWN: [], "top_tracks": []}}),
    ("dynamodb", "BatchWriteItem", {"RequestItems": {}}),
    ("dynamodb", "TransactWriteItems",
     {"TransactItems": [{"Put": {"TableName": OWN}}, {"Delete": {"TableName": "top_tracks"}}]}),
    ("dynamodb", "TransactWriteItems", {"TransactItems": []}),
    ("dynamodb", "TransactWriteItems", {"TransactItems": [{}]}),
    ("dynamodb", "RestoreTableToPointInTime", {"SourceTableName": "top_tracks", "TargetTableName": "top_tracks2"}),
    ("dynamodb", "RestoreTableFromBackup", {"BackupArn": f"{ACCOUNT}/{OWN}/backup/1", "TargetTableName": "top"}),
    ("dynamodb", "ImportTable", {"TableCreationParameters": {"TableName": "top_tracks"}}),
    ("dynamodb", "ImportTable", {"TableCreationParameters": {}}),
    ("dynamodb", "CreateBackup", {"TableName": "top_tracks", "BackupName": f"drill-{RUN8}-copy"}),
    ("dynamodb", "CreateBackup", {"TableName": OWN, "BackupName": "nightly"}),
    ("dynamodb", "DeleteBackup", {"BackupArn": f"{ACCOUNT}/top_tracks/backup/01"}),
    ("dynamodb", "DeleteBackup", {"BackupArn": OWN}),
    ("dynamodb", "ExportTableToPointInTime",
     {"TableArn": f"{ACCOUNT}/{OWN}", "S3Bucket": "elsewhere", "S3Prefix": f"exports/drill-{RUN8}"}),
    ("dynamodb", "ExportTableToPointInTime",
     {"TableArn": f"{ACCOUNT}/{OWN}", "S3Bucket": "exports-bucket", "S3Prefix": "exports"}),
    ("dynamodb", "ExecuteStatement", {"Statement": f'DELETE FROM "{OWN}"'}),
    ("dynamodb", "BatchExecuteStatement", {"Statements": []}),
    ("dynamodb", "ExecuteTransaction", {"TransactStatements": []}),
    ("dynamodb", "StartBulkPutItems", {"TableName": OWN}),
    ("dynamodb", "CreateTable", {"TableName": OWN}),
    ("dynamodb", "CreateGlobalTable", {"GlobalTableName": OWN}),
    ("dynamodb", "EnableKinesisStreamingDestination", {"TableName": OWN}),
    ("dynamodb", "SomeFutureOperation", {"TableName": OWN}),
    ("dynamodb", "DeleteResourcePolicy", {"ResourceArn": f"{ACCOUNT}/top_tracks"}),
    ("application-autoscaling", "DeregisterScalableTarget",
     {"ServiceNamespace": "dynamodb", "ResourceId": "table/top_tracks"}),
    ("application-autoscaling", "PutScalingPolicy",
     {"ServiceNamespace": "ecs", "ResourceId": f"table/{OWN}"}),
    ("application-autoscaling", "PutScalingPolicy", {"ServiceNamespace": "dynamodb", "ResourceId": f"service/{OWN}"}),
    ("ssm", "PutParameter", {"Name": "/p/s/tables/top_tracks"}),
    ("ssm", "PutParameter", {"Name": f"/p/s/drill/{RUN8}/../../tables/top_tracks"}),
    ("ssm", "DeleteParameters", {"Names": [drill_pointer("p", "s", RUN8, "t"), "/p/s/environment"]}),
    ("ssm", "DeleteParameters", {"Names": []}),
    ("cloudwatch", "DeleteAlarms", {"AlarmNames": [f"{OWN}-x", "production"]}),
    ("s3", "DeleteObject", {"Bucket": "exports-bucket", "Key": "exports/AWSDynamoDB/x"}),
    ("s3", "PutBucketPolicy", {"Bucket": "exports-bucket"}),
    ("rds", "DeleteDBInstance", {"DBInstanceIdentifier": OWN}),
    ("iam", "CreateUser", {}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "params"), ALLOWED, ids=lambda value: str(value)[:60])
def test_reads_and_writes_to_the_drills_own_resources_pass(
    service: str, operation: str, params: dict[str, Any]
) -> None:
    GUARD.before(service, operation, params)


@pytest.mark.parametrize(("service", "operation", "params"), FORBIDDEN, ids=lambda value: str(value)[:60])
def test_every_other_write_is_refused(service: str, operation: str, params: dict[str, Any]) -> None:
    with pytest.raises(NotADrillName) as refusal:
        GUARD.before(service, operation, params)
    assert refusal.value.exit_code == 7
    assert "was not made" in refusal.value.changed


class _Sent:
    """Notes that a call came past the guard: observers are asked in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        self.calls.append(operation)
        raise ConnectionAbortedError("end of the line: nothing is sent in a unit test")

    def after(self, service: str, operation: str, params: dict[str, Any], outcome: str) -> None:
        """Never reached."""


def _delete_source(*observers: CallObserver) -> None:
    Aws(region="us-east-1", observers=observers).call("dynamodb", "delete_table", TableName="top_tracks")


def test_a_refused_call_does_not_leave_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    sent = _Sent()
    with pytest.raises(NotADrillName):
        _delete_source(GUARD, sent)
    assert sent.calls == []
    with pytest.raises(ConnectionAbortedError):  # without the guard the same call would go out
        _delete_source(sent)
    assert sent.calls == ["DeleteTable"]


def test_a_drill_name_tells_its_run_its_expiry_and_its_source() -> None:
    parsed = parse_drill_name(OWN)
    assert parsed is not None
    assert (parsed.run8, parsed.expiry, parsed.source) == (RUN8, EXPIRY, "top_tracks")
    assert f"drill-{RUN8}-20261122T0400Z-top_tracks" == OWN


def test_a_long_source_is_cut_so_that_the_name_stays_a_table_name() -> None:
    name = drill_name(RUN8, EXPIRY, "x" * 255, suffix="-restored")
    assert len(name) <= 255
    assert name.endswith("-restored")
    assert parse_drill_name(name) is not None


@pytest.mark.parametrize(
    "name", ["top_tracks", "drill-", "drill-ab12cd34-20261322T0400Z-x", "drill-AB12CD34-20261122T0400Z-x", f"x{OWN}"]
)
def test_other_names_are_not_drill_names(name: str) -> None:
    assert parse_drill_name(name) is None


def test_a_source_that_cannot_be_part_of_a_name_is_refused() -> None:
    with pytest.raises(BadArgument):
        drill_name(RUN8, EXPIRY + timedelta(days=1), "top tracks/../x")
