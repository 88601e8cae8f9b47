"""CreateTable, UpdateTable and UpdateTimeToLive."""

from __future__ import annotations

from typing import Any


def _describe(lab: Any, table: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.dynamodb.describe_table(TableName=table)["Table"]
    return found


def _ttl(lab: Any, table: str, enabled: bool = True, name: str = "expires_at") -> Any:
    spec = {"Enabled": enabled, "AttributeName": name}
    return lab.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=spec)


def _index(name: str) -> dict[str, Any]:
    return {
        "IndexName": f"{name}_index", "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }  # fmt: skip


def test_table_class_is_stored_updated_and_echoed(lab: Any) -> None:
    table = lab.table(pitr=False)
    assert _describe(lab, table)["TableClassSummary"] == {"TableClass": "STANDARD"}
    lab.dynamodb.update_table(TableName=table, TableClass="STANDARD_INFREQUENT_ACCESS")
    summary = _describe(lab, table)["TableClassSummary"]
    assert summary["TableClass"] == "STANDARD_INFREQUENT_ACCESS" and "LastUpdateDateTime" in summary
    assert lab.refusal(lab.dynamodb.update_table, TableName=table, TableClass="COLD") == "ValidationException"


def test_the_key_of_a_table_is_changed_in_place_and_taken_off(lab: Any) -> None:
    table, key = lab.table(pitr=False), "arn:aws:kms:us-east-1:123456789012:key/1234"
    lab.dynamodb.update_table(
        TableName=table, SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    )
    assert _describe(lab, table)["SSEDescription"] == {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key}
    lab.dynamodb.update_table(TableName=table, SSESpecification={"Enabled": True})
    assert _describe(lab, table)["SSEDescription"]["KMSMasterKeyArn"] != key
    lab.dynamodb.update_table(TableName=table, SSESpecification={"Enabled": False})
    assert "SSEDescription" not in _describe(lab, table)


def test_on_demand_maxima_are_stored_and_removed_by_minus_one(lab: Any) -> None:
    maxima = {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20}
    table = lab.table(pitr=False, OnDemandThroughput=maxima)
    assert _describe(lab, table)["OnDemandThroughput"] == maxima
    lab.dynamodb.update_table(TableName=table, OnDemandThroughput={"MaxReadRequestUnits": -1})
    assert _describe(lab, table)["OnDemandThroughput"] == {"MaxWriteRequestUnits": 20}


def test_on_demand_maxima_need_on_demand_billing(lab: Any) -> None:
    table = lab.table(
        pitr=False, BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )  # fmt: skip
    call = {"TableName": table, "OnDemandThroughput": {"MaxReadRequestUnits": 5}}
    assert lab.refusal(lab.dynamodb.update_table, **call) == "ValidationException"


def test_provisioned_billing_needs_a_throughput_and_on_demand_refuses_one(lab: Any) -> None:
    table, units = lab.table(pitr=False), {"ReadCapacityUnits": 4, "WriteCapacityUnits": 5}
    update = lab.dynamodb.update_table
    assert lab.refusal(update, TableName=table, BillingMode="PROVISIONED") == "ValidationException"
    assert lab.refusal(update, TableName=table, ProvisionedThroughput=units) == "ValidationException"
    update(TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput=units)
    assert _describe(lab, table)["ProvisionedThroughput"]["WriteCapacityUnits"] == 5
    update(TableName=table, BillingMode="PAY_PER_REQUEST")
    assert _describe(lab, table)["ProvisionedThroughput"]["WriteCapacityUnits"] == 0


def test_a_new_index_keeps_the_definitions_of_the_table_and_holds_its_items(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.put(table, "a", genre={"S": "rock"})
    lab.dynamodb.update_table(
        TableName=table, AttributeDefinitions=[{"AttributeName": "genre", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": _index("genre")}],
    )  # fmt: skip
    names = {one["AttributeName"] for one in _describe(lab, table)["AttributeDefinitions"]}
    assert names == {"pk", "genre"}
    assert len(lab.scan(table, IndexName="genre_index")) == 1


def test_one_index_is_created_or_deleted_at_a_time_and_only_a_known_one(lab: Any) -> None:
    table = lab.table(pitr=False, indexes=(("genre", "S"),))
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("a", "b")]
    two = [{"Create": _index("a")}, {"Create": _index("b")}]
    update = lab.dynamodb.update_table
    call = {"TableName": table, "AttributeDefinitions": definitions, "GlobalSecondaryIndexUpdates": two}
    assert lab.refusal(update, **call) == "LimitExceededException"
    call = {"TableName": table, "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "none_index"}}]}
    assert lab.refusal(update, **call) == "ResourceNotFoundException"
    call = {"TableName": table, "GlobalSecondaryIndexUpdates": [{"Create": _index("genre")}]}
    assert lab.refusal(update, **call) == "ValidationException"
    update(TableName=table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "genre_index"}}])
    found = _describe(lab, table)
    assert found["GlobalSecondaryIndexes"] == []
    assert [one["AttributeName"] for one in found["AttributeDefinitions"]] == ["pk"]


def test_a_provisioned_index_needs_a_throughput(lab: Any) -> None:
    call = {
        "TableName": lab.name(), "BillingMode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": one, "AttributeType": "S"} for one in ("pk", "genre")],
        "GlobalSecondaryIndexes": [_index("genre")],
    }  # fmt: skip
    assert lab.refusal(lab.dynamodb.create_table, **call) == "ValidationException"


def test_ttl_changes_once_an_hour(lab: Any) -> None:
    table = lab.table(pitr=False)
    _ttl(lab, table)
    assert lab.refusal(_ttl, lab=lab, table=table, enabled=False) == "ValidationException"
    lab.control.advance(3601)
    _ttl(lab, table, enabled=False)
    found = lab.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert found == {"TimeToLiveStatus": "DISABLED"}


def test_ttl_refuses_a_change_that_changes_nothing(lab: Any) -> None:
    table = lab.table(pitr=False)
    assert "already disabled" in lab.message(_ttl, lab=lab, table=table, enabled=False)
    _ttl(lab, table)
    lab.control.advance(3601)
    assert "already enabled" in lab.message(_ttl, lab=lab, table=table)
    assert "different AttributeName" in lab.message(_ttl, lab=lab, table=table, enabled=False, name="other")


def test_a_stream_is_not_enabled_twice_and_has_a_new_arn_when_enabled_again(lab: Any) -> None:
    spec = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    table = lab.table(pitr=False, StreamSpecification=spec)
    first = _describe(lab, table)["LatestStreamArn"]
    update = lab.dynamodb.update_table
    assert lab.refusal(update, TableName=table, StreamSpecification=spec) == "ValidationException"
    update(TableName=table, StreamSpecification={"StreamEnabled": False})
    assert "StreamSpecification" not in _describe(lab, table)
    lab.control.advance(2)
    update(TableName=table, StreamSpecification=spec)
    assert _describe(lab, table)["LatestStreamArn"] != first
