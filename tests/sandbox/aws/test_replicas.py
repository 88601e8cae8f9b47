"""Global tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

WEST = "us-west-2"


@pytest.fixture(autouse=True)
def _immediate_again(lab: Any) -> Iterator[None]:
    yield
    lab.control.replication(lag_s=0, paused=False)


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


def _keys(lab: Any, table: str, region: str = "us-east-1") -> set[str]:
    return {item["pk"]["S"] for item in lab.scan(table, region).values()}


def test_a_change_reaches_the_other_region_after_the_lag(lab: Any, table: str) -> None:
    lab.control.replication(lag_s=30)
    lab.put(table, "late")
    assert "late" not in _keys(lab, table, WEST) and lab.control.replication()["pending"] == 1
    lab.control.advance(31)
    assert lab.scan(table, WEST) == lab.scan(table) and lab.control.replication()["pending"] == 0


def test_paused_replication_catches_up_when_it_is_resumed(lab: Any, table: str) -> None:
    lab.control.replication(paused=True)
    lab.put(table, "new")
    lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "k0"}})
    lab.control.advance(3_600)
    assert _keys(lab, table, WEST) == {"k0", "k1", "k2"}
    lab.control.replication(paused=False)
    assert _keys(lab, table, WEST) == {"new", "k1", "k2"}


def test_of_concurrent_writes_in_two_regions_the_last_writer_wins_everywhere(lab: Any, table: str) -> None:
    lab.control.replication(paused=True)
    west = lab.client("dynamodb", WEST)
    west.put_item(TableName=table, Item={"pk": {"S": "both"}, "from": {"S": "west"}})
    lab.control.advance(1)
    lab.put(table, "both", **{"from": {"S": "east"}})
    lab.put(table, "k1", **{"from": {"S": "east"}})
    lab.control.advance(1)
    west.delete_item(TableName=table, Key={"pk": {"S": "k1"}})
    lab.control.replication(paused=False)
    for region in ("us-east-1", WEST):
        found = {item["pk"]["S"]: item.get("from") for item in lab.scan(table, region).values()}
        assert found["both"] == {"S": "east"} and "k1" not in found


def test_a_lagging_replica_restores_what_it_had_and_not_what_the_source_had(lab: Any, table: str) -> None:
    west = lab.client("dynamodb", WEST)
    west.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    lab.control.replication(paused=True)
    lab.put(table, "unseen")
    lab.control.advance(400)
    target = lab.name("west")
    west.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=target, UseLatestRestorableTime=True)
    lab.control.advance(21)
    assert _keys(lab, target, WEST) == {"k0", "k1", "k2"}


def _leave(lab: Any, table: str, **more: Any) -> Any:
    step = {"RegionName": WEST, "DisassociationMode": "WAIT_FOR_REPLICATION", **more}
    return _update(lab, table, WEST, Disassociate=step)


def _unprotect(lab: Any, table: str) -> None:
    lab.client("dynamodb", WEST).update_table(TableName=table, DisassociationProtectionEnabled=False)


def test_disassociation_needs_its_protection_off_and_the_request_in_the_own_region(lab: Any, table: str) -> None:
    assert _west(lab, table)["DisassociationProtectionEnabled"] is True
    assert lab.refusal(_leave, lab=lab, table=table) == "ValidationException"
    west = lab.client("dynamodb", WEST)
    both = {"TableName": table, "DisassociationProtectionEnabled": False, "DeletionProtectionEnabled": True}
    assert lab.refusal(west.update_table, **both) == "ValidationException"
    _unprotect(lab, table)
    for wrong in ({"DisassociationMode": "AT_ONCE"}, {"RegionName": "us-east-1"}):
        assert lab.refusal(_leave, lab=lab, table=table, **wrong) == "ValidationException"
    lone = lab.table(pitr=False)
    call = {"TableName": lone, "DisassociationProtectionEnabled": False}
    assert lab.refusal(lab.dynamodb.update_table, **call) == "ValidationException"


def test_of_two_replicas_both_stand_alone_after_a_disassociation_and_keep_their_data(lab: Any, table: str) -> None:
    _unprotect(lab, table)
    _leave(lab, table)
    for found in (_west(lab, table), lab.dynamodb.describe_table(TableName=table)["Table"]):
        assert "Replicas" not in found and found["TableStatus"] == "ACTIVE"
        assert found["StreamSpecification"]["StreamEnabled"] is True
    lab.put(table, "east only")
    assert _keys(lab, table, WEST) == {"k0", "k1", "k2"}


def test_disassociation_waits_for_what_is_under_way(lab: Any, table: str) -> None:
    _unprotect(lab, table)
    lab.control.replication(lag_s=30)
    lab.put(table, "under way")
    _leave(lab, table)
    assert _west(lab, table)["TableStatus"] == "UPDATING" and "Replicas" in _west(lab, table)
    lab.control.advance(31)
    assert "Replicas" not in _west(lab, table) and "under way" in _keys(lab, table, WEST)


def test_what_ttl_deletes_in_one_region_is_deleted_in_the_others(lab: Any, table: str) -> None:
    lab.put(table, "gone", expires_at={"N": str(int(lab.clock.now().timestamp()) - 3 * 86_400)})
    spec = {"Enabled": True, "AttributeName": "expires_at"}
    lab.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=spec)
    lab.control.advance(7_300)
    assert _keys(lab, table, WEST) == {"k0", "k1", "k2"} == _keys(lab, table)
