"""Global tables."""

from __future__ import annotations

from typing import Any

import pytest

WEST = "us-west-2"


def _update(lab: Any, table: str, region: str = "us-east-1", **step: Any) -> Any:
    return lab.client("dynamodb", region).update_table(TableName=table, ReplicaUpdates=[step])


@pytest.fixture
def table(lab: Any) -> str:
    """A table with three items and a replica in us-west-2."""
    name: str = lab.table(indexes=(("genre", "S"),), Tags=[{"Key": "team", "Value": "music"}])
    lab.fill(name, 3, genre={"S": "rock"})
    _update(lab, name, Create={"RegionName": WEST})
    return name


def _west(lab: Any, table: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.client("dynamodb", WEST).describe_table(TableName=table)["Table"]
    return found


def test_a_replica_is_a_table_of_its_own_with_the_items(lab: Any, table: str) -> None:
    home = lab.dynamodb.describe_table(TableName=table)["Table"]
    assert [(one["RegionName"], one["ReplicaStatus"]) for one in home["Replicas"]] == [(WEST, "ACTIVE")]
    assert home["GlobalTableVersion"] == "2019.11.21"
    west = _west(lab, table)
    assert west["TableArn"] == home["TableArn"].replace("us-east-1", WEST)
    assert west["TableId"] != home["TableId"]
    assert [one["RegionName"] for one in west["Replicas"]] == ["us-east-1"]
    assert lab.scan(table, WEST) == lab.scan(table)


def test_changes_reach_the_other_region_both_ways(lab: Any, table: str) -> None:
    lab.put(table, "east")
    lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "k0"}})
    lab.client("dynamodb", WEST).put_item(TableName=table, Item={"pk": {"S": "west"}})
    found = {item["pk"]["S"] for item in lab.scan(table).values()}
    assert found == {"east", "west", "k1", "k2"}
    assert lab.scan(table, WEST) == lab.scan(table)


def test_adding_a_replica_enables_the_stream_which_then_cannot_change(lab: Any, table: str) -> None:
    found = lab.dynamodb.describe_table(TableName=table)["Table"]
    assert found["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    off = {"StreamEnabled": False}
    code = lab.refusal(lab.dynamodb.update_table, TableName=table, StreamSpecification=off)
    assert code == "ValidationException"


def test_pitr_tags_and_protection_are_per_region_and_ttl_is_not(lab: Any, table: str) -> None:
    west = lab.client("dynamodb", WEST)
    backups = west.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    assert west.list_tags_of_resource(ResourceArn=_west(lab, table)["TableArn"])["Tags"] == []
    lab.dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
    assert _west(lab, table)["DeletionProtectionEnabled"] is False
    spec = {"Enabled": True, "AttributeName": "expires_at"}
    lab.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=spec)
    described = west.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert described["TimeToLiveStatus"] == "ENABLED"


def test_a_replica_has_a_recovery_history_of_its_own(lab: Any, table: str) -> None:
    west = lab.client("dynamodb", WEST)
    spec = {"PointInTimeRecoveryEnabled": True}
    west.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=spec)
    lab.control.advance(400)
    lab.put(table, "after")
    target = lab.name("west")
    west.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=target, UseLatestRestorableTime=True)
    lab.control.advance(21)
    assert len(lab.scan(target, WEST)) == 3
    assert "Replicas" not in west.describe_table(TableName=target)["Table"]


def test_replica_updates_are_alone_and_one_at_a_time(lab: Any) -> None:
    table = lab.table(pitr=False)
    create, other = {"Create": {"RegionName": WEST}}, {"Create": {"RegionName": "eu-west-1"}}
    update = lab.dynamodb.update_table
    both = {"TableName": table, "ReplicaUpdates": [create], "DeletionProtectionEnabled": True}
    assert lab.refusal(update, **both) == "ValidationException"
    assert lab.refusal(update, TableName=table, ReplicaUpdates=[create, other]) == "ValidationException"


def test_a_region_takes_one_replica_and_not_the_own_one(lab: Any, table: str) -> None:
    for region in (WEST, "us-east-1"):
        step: dict[str, Any] = {"Create": {"RegionName": region}}
        assert lab.refusal(_update, lab=lab, table=table, **step) == "ValidationException"


def _scale(lab: Any, resource: str) -> None:
    kind = "index" if "/index/" in resource else "table"
    target = {
        "ServiceNamespace": "dynamodb", "ResourceId": resource,
        "ScalableDimension": f"dynamodb:{kind}:WriteCapacityUnits",
    }  # fmt: skip
    scaling = lab.client("application-autoscaling")
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=10)
    scaling.put_scaling_policy(
        **target, PolicyName="write", PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
        },
    )  # fmt: skip


def test_a_provisioned_table_needs_write_scaling_on_itself_and_every_index(lab: Any) -> None:
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    index = {
        "IndexName": "genre_index", "KeySchema": [{"AttributeName": "genre", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"}, "ProvisionedThroughput": units,
    }  # fmt: skip
    table = lab.table(
        pitr=False, indexes=(("genre", "S"),), GlobalSecondaryIndexes=[index], BillingMode="PROVISIONED",
        ProvisionedThroughput=units,
    )  # fmt: skip
    create: dict[str, Any] = {"Create": {"RegionName": WEST}}
    assert lab.refusal(_update, lab=lab, table=table, **create) == "ValidationException"
    _scale(lab, f"table/{table}")
    assert lab.refusal(_update, lab=lab, table=table, **create) == "ValidationException"
    _scale(lab, f"table/{table}/index/genre_index")
    _update(lab, table, **create)
    mirrored = lab.client("application-autoscaling", WEST).describe_scalable_targets(
        ServiceNamespace="dynamodb", ResourceIds=[f"table/{table}"]
    )["ScalableTargets"]
    assert len(mirrored) == 1


def test_a_deleted_replica_is_gone_and_the_home_table_stands_alone(lab: Any, table: str) -> None:
    _update(lab, table, Delete={"RegionName": WEST})
    west = lab.client("dynamodb", WEST)
    assert lab.refusal(west.describe_table, TableName=table) == "ResourceNotFoundException"
    assert "Replicas" not in lab.dynamodb.describe_table(TableName=table)["Table"]
    lab.put(table, "alone")


def test_a_source_of_a_replica_cannot_be_deleted_for_24_hours(lab: Any, table: str) -> None:
    assert lab.refusal(lab.dynamodb.delete_table, TableName=table) == "ValidationException"
    lab.control.advance(86_401)
    lab.dynamodb.delete_table(TableName=table)
    assert "Replicas" not in _west(lab, table)


def test_an_index_created_on_one_member_appears_on_the_other(lab: Any, table: str) -> None:
    index = {
        "IndexName": "n_index", "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }  # fmt: skip
    lab.dynamodb.update_table(
        TableName=table, AttributeDefinitions=[{"AttributeName": "n", "AttributeType": "N"}],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )  # fmt: skip
    assert len(lab.scan(table, WEST, IndexName="n_index")) == 3
