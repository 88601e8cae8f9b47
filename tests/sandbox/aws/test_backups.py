"""On-demand and system backups."""

from __future__ import annotations

from datetime import timedelta
from typing import Any


def _backup(lab: Any, table: str, name: str = "nightly") -> dict[str, Any]:
    found: dict[str, Any] = lab.dynamodb.create_backup(TableName=table, BackupName=name)["BackupDetails"]
    return found


def _restored(lab: Any, arn: str, **more: Any) -> str:
    target: str = lab.name("from-backup")
    lab.dynamodb.restore_table_from_backup(BackupArn=arn, TargetTableName=target, **more)
    return target


def _arns(lab: Any, **filters: Any) -> list[str]:
    return [one["BackupArn"] for one in lab.dynamodb.list_backups(**filters)["BackupSummaries"]]


def test_a_backup_holds_the_items_of_its_request(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.fill(table, 4)
    arn = _backup(lab, table)["BackupArn"]
    lab.put(table, "later")
    target = _restored(lab, arn)
    lab.control.advance(21)
    assert len(lab.scan(target)) == 4


def test_two_backups_may_have_one_name(lab: Any) -> None:
    table = lab.table(pitr=False)
    assert _backup(lab, table)["BackupArn"] != _backup(lab, table)["BackupArn"]


def test_a_backup_outlives_its_table(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.fill(table, 2)
    arn = _backup(lab, table)["BackupArn"]
    lab.dynamodb.delete_table(TableName=table)
    target = _restored(lab, arn)
    lab.control.advance(21)
    assert len(lab.scan(target)) == 2


def test_one_backup_feeds_one_restore_at_a_time(lab: Any) -> None:
    arn = _backup(lab, lab.table(pitr=False))["BackupArn"]
    _restored(lab, arn)
    second = {"BackupArn": arn, "TargetTableName": lab.name("second")}
    assert lab.refusal(lab.dynamodb.restore_table_from_backup, **second) == "BackupInUseException"
    assert lab.refusal(lab.dynamodb.delete_backup, BackupArn=arn) == "BackupInUseException"
    lab.control.advance(21)
    lab.dynamodb.restore_table_from_backup(**second)


def test_backup_size_and_count_are_the_stale_statistics_of_the_table(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.fill(table, 3)
    arn = _backup(lab, table)["BackupArn"]
    found = lab.dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]
    assert found["BackupDetails"]["BackupSizeBytes"] == 0 and found["SourceTableDetails"]["ItemCount"] == 0


def test_a_backup_records_stream_and_ttl_but_the_restore_does_not_carry_them(lab: Any) -> None:
    table = lab.table(
        pitr=False, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        Tags=[{"Key": "a", "Value": "b"}],
    )  # fmt: skip
    spec = {"Enabled": True, "AttributeName": "expires_at"}
    lab.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=spec)
    arn = _backup(lab, table)["BackupArn"]
    features = lab.dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["SourceTableFeatureDetails"]
    assert features["StreamDescription"]["StreamViewType"] == "KEYS_ONLY"
    assert features["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    target = _restored(lab, arn)
    lab.control.advance(21)
    assert "StreamSpecification" not in lab.dynamodb.describe_table(TableName=target)["Table"]


def test_deleting_a_table_with_pitr_leaves_a_system_backup_some_seconds_later(lab: Any) -> None:
    table = lab.table()
    lab.fill(table, 6)
    lab.dynamodb.delete_table(TableName=table)
    assert _arns(lab, TableName=table, BackupType="SYSTEM") == []
    lab.control.advance(7)
    (found,) = lab.dynamodb.list_backups(TableName=table, BackupType="SYSTEM")["BackupSummaries"]
    assert found["BackupName"] == f"{table}$DeletedTableBackup"
    kept = found["BackupExpiryDateTime"] - found["BackupCreationDateTime"]
    assert kept == timedelta(days=35)
    target = _restored(lab, found["BackupArn"])
    lab.control.advance(21)
    assert len(lab.scan(target)) == 6


def test_a_system_backup_cannot_be_deleted_and_expires_after_35_days(lab: Any) -> None:
    table = lab.table()
    lab.dynamodb.delete_table(TableName=table)
    lab.control.advance(7)
    (arn,) = _arns(lab, TableName=table, BackupType="SYSTEM")
    assert lab.refusal(lab.dynamodb.delete_backup, BackupArn=arn) == "ValidationException"
    lab.control.advance(35 * 86400)
    assert _arns(lab, TableName=table, BackupType="SYSTEM") == []


def test_deleting_a_table_without_pitr_leaves_no_backup(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.dynamodb.delete_table(TableName=table)
    lab.control.advance(7)
    assert _arns(lab, TableName=table, BackupType="ALL") == []


def test_list_backups_shows_user_backups_unless_asked_for_others(lab: Any) -> None:
    table = lab.table()
    arn = _backup(lab, table)["BackupArn"]
    lab.dynamodb.delete_table(TableName=table)
    lab.control.advance(7)
    assert _arns(lab, TableName=table) == [arn]
    assert len(_arns(lab, TableName=table, BackupType="ALL")) == 2


def test_the_time_range_is_inclusive_below_and_exclusive_above(lab: Any) -> None:
    table = lab.table(pitr=False)
    details = _backup(lab, table)
    created = details["BackupCreationDateTime"]
    later = created + timedelta(seconds=1)
    assert _arns(lab, TableName=table, TimeRangeLowerBound=created, TimeRangeUpperBound=later) != []
    assert _arns(lab, TableName=table, TimeRangeLowerBound=later) == []
    assert _arns(lab, TableName=table, TimeRangeUpperBound=created - timedelta(seconds=1)) == []


def test_list_backups_pages_by_limit(lab: Any) -> None:
    table = lab.table(pitr=False)
    made = [_backup(lab, table)["BackupArn"] for _ in range(3)]
    first = lab.dynamodb.list_backups(TableName=table, Limit=2)
    rest = _arns(lab, TableName=table, ExclusiveStartBackupArn=first["LastEvaluatedBackupArn"])
    assert sorted([*(one["BackupArn"] for one in first["BackupSummaries"]), *rest]) == sorted(made)
    assert "LastEvaluatedBackupArn" not in lab.dynamodb.list_backups(TableName=table)


def test_backups_of_two_tables_of_one_name_differ_by_table_id(lab: Any) -> None:
    table = lab.table(pitr=False)
    first = lab.dynamodb.describe_backup(BackupArn=_backup(lab, table)["BackupArn"])
    lab.dynamodb.delete_table(TableName=table)
    lab.dynamodb.create_table(
        TableName=table, KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )  # fmt: skip
    second = lab.dynamodb.describe_backup(BackupArn=_backup(lab, table)["BackupArn"])
    ids = {one["BackupDescription"]["SourceTableDetails"]["TableId"] for one in (first, second)}
    assert len(ids) == 2


def test_a_deleted_backup_is_not_found(lab: Any) -> None:
    arn = _backup(lab, lab.table(pitr=False))["BackupArn"]
    gone = lab.dynamodb.delete_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]
    assert gone["BackupStatus"] == "DELETED"
    assert lab.refusal(lab.dynamodb.describe_backup, BackupArn=arn) == "BackupNotFoundException"
