"""A restored table while it is CREATING, and what DescribeTable tells."""

from __future__ import annotations

from typing import Any


def _restoring(lab: Any) -> tuple[str, str]:
    source, target = lab.table(), lab.name("creating")
    lab.dynamodb.restore_table_to_point_in_time(
        SourceTableName=source, TargetTableName=target, UseLatestRestorableTime=True
    )
    return source, target


def test_a_restoring_table_is_creating_with_a_restore_summary_that_vanishes_at_active(lab: Any) -> None:
    source, target = _restoring(lab)
    found = lab.dynamodb.describe_table(TableName=target)["Table"]
    assert found["TableStatus"] == "CREATING"
    assert found["RestoreSummary"]["RestoreInProgress"] is True
    assert found["RestoreSummary"]["SourceTableArn"].endswith(f"table/{source}")
    lab.control.advance(21)
    found = lab.dynamodb.describe_table(TableName=target)["Table"]
    assert found["TableStatus"] == "ACTIVE" and "RestoreSummary" not in found


def test_a_creating_table_answers_resource_not_found_to_data_tags_ttl_and_update(lab: Any) -> None:
    _, target = _restoring(lab)
    arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{target}"
    key, client = {"pk": {"S": "x"}}, lab.dynamodb
    calls: list[tuple[Any, dict[str, Any]]] = [
        (client.get_item, {"TableName": target, "Key": key}),
        (client.put_item, {"TableName": target, "Item": key}),
        (client.update_item, {"TableName": target, "Key": key}),
        (client.delete_item, {"TableName": target, "Key": key}),
        (client.scan, {"TableName": target}),
        (client.batch_write_item, {"RequestItems": {target: [{"PutRequest": {"Item": key}}]}}),
        (client.update_table, {"TableName": target, "DeletionProtectionEnabled": True}),
        (client.describe_time_to_live, {"TableName": target}),
        (client.list_tags_of_resource, {"ResourceArn": arn}),
        (client.tag_resource, {"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "b"}]}),
    ]
    for call, arguments in calls:
        assert lab.refusal(call, **arguments) == "ResourceNotFoundException"


def test_a_creating_table_answers_table_not_found_to_backup_and_recovery_calls(lab: Any) -> None:
    _, target = _restoring(lab)
    client = lab.dynamodb
    assert lab.refusal(client.create_backup, TableName=target, BackupName="early") == "TableNotFoundException"
    assert lab.refusal(client.describe_continuous_backups, TableName=target) == "TableNotFoundException"
    assert lab.refusal(lab.pitr, table=target) == "TableNotFoundException"


def test_a_creating_table_cannot_be_deleted(lab: Any) -> None:
    _, target = _restoring(lab)
    assert lab.refusal(lab.dynamodb.delete_table, TableName=target) == "ResourceInUseException"


def test_delete_table_is_refused_under_deletion_protection(lab: Any) -> None:
    table = lab.table(DeletionProtectionEnabled=True)
    assert lab.refusal(lab.dynamodb.delete_table, TableName=table) == "ValidationException"
    lab.dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    assert lab.dynamodb.delete_table(TableName=table)["TableDescription"]["TableStatus"] == "DELETING"
    assert lab.refusal(lab.dynamodb.describe_table, TableName=table) == "ResourceNotFoundException"


def test_a_table_created_again_under_its_name_has_another_table_id(lab: Any) -> None:
    table = lab.table(pitr=False)
    first = lab.dynamodb.describe_table(TableName=table)["Table"]["TableId"]
    lab.dynamodb.delete_table(TableName=table)
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}]
    lab.dynamodb.create_table(
        TableName=table, KeySchema=keys, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )  # fmt: skip
    assert lab.dynamodb.describe_table(TableName=table)["Table"]["TableId"] != first


def test_item_count_and_size_are_refreshed_only_every_six_hours(lab: Any) -> None:
    table = lab.table()
    lab.fill(table, 3)
    assert lab.dynamodb.describe_table(TableName=table)["Table"]["ItemCount"] == 0
    lab.control.advance(6 * 3600)
    found = lab.dynamodb.describe_table(TableName=table)["Table"]
    assert found["ItemCount"] == 3 and found["TableSizeBytes"] > 0
