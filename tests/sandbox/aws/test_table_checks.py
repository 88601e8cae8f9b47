"""CreateTable and UpdateTable refuse what describes no table."""

from __future__ import annotations

from typing import Any

import pytest

HASH = [{"AttributeName": "pk", "KeyType": "HASH"}]
ALL = {"ProjectionType": "ALL"}


def _attributes(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def _local(name: str, partition: str = "pk") -> dict[str, Any]:
    keys = [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": "other", "KeyType": "RANGE"}]
    return {"IndexName": name, "KeySchema": keys, "Projection": ALL}


def _refused(lab: Any, **more: Any) -> str:
    """The words of a refusal that left no table behind."""
    wanted: dict[str, Any] = {
        "TableName": lab.name("refused"), "BillingMode": "PAY_PER_REQUEST", "KeySchema": HASH,
        "AttributeDefinitions": _attributes("pk"),
    }  # fmt: skip
    wanted |= more
    wanted = {name: value for name, value in wanted.items() if value is not None}
    assert lab.refusal(lab.dynamodb.create_table, **wanted) == "ValidationException"
    assert wanted["TableName"] not in lab.dynamodb.list_tables()["TableNames"]
    text: str = lab.message(lab.dynamodb.create_table, **wanted)
    return text


@pytest.mark.parametrize("name", ["ab", "a b", "a" * 256])
def test_a_table_needs_a_proper_name_and_a_key_schema(lab: Any, name: str) -> None:
    assert "at 'tableName' failed to satisfy constraint" in _refused(lab, TableName=name)
    assert "Value null at 'keySchema'" in _refused(lab, KeySchema=None)


def test_a_local_index_needs_a_sort_key_of_the_table_and_its_partition_key(lab: Any) -> None:
    attributes = _attributes("pk", "sk", "other", "elsewhere")
    without = _refused(lab, AttributeDefinitions=attributes[:1] + attributes[2:3], LocalSecondaryIndexes=[_local("l")])
    assert "Table KeySchema does not have a range key" in without
    keys = [*HASH, {"AttributeName": "sk", "KeyType": "RANGE"}]
    text = _refused(
        lab, KeySchema=keys, AttributeDefinitions=attributes, LocalSecondaryIndexes=[_local("l", "elsewhere")]
    )
    assert text.endswith("for index: l. index hash key: elsewhere, table hash key: pk")


def test_index_names_are_used_once(lab: Any) -> None:
    index = {"IndexName": "twice", "KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}], "Projection": ALL}
    text = _refused(lab, AttributeDefinitions=_attributes("pk", "other"), GlobalSecondaryIndexes=[index, index])
    assert text.endswith("Duplicate index name: twice")


def test_an_update_asks_for_a_change(lab: Any) -> None:
    table = lab.table(pitr=False)
    more = {"TableName": table, "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "N"}]}
    assert lab.message(lab.dynamodb.update_table, **more).startswith("At least one of ProvisionedThroughput")
    assert lab.dynamodb.describe_table(TableName=table)["Table"]["AttributeDefinitions"] == _attributes("pk")


def test_throughput_is_at_least_one_unit_and_another_than_before(lab: Any) -> None:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    table = lab.table(pitr=False, BillingMode="PROVISIONED", ProvisionedThroughput=units)

    def change(**wanted: int) -> dict[str, Any]:
        return {"TableName": table, "ProvisionedThroughput": units | wanted}

    assert "The requested value equals the current value" in lab.message(lab.dynamodb.update_table, **change())
    zero = lab.message(lab.dynamodb.update_table, **change(ReadCapacityUnits=0))
    assert "at 'provisionedThroughput.readCapacityUnits' failed" in zero
    lab.dynamodb.update_table(**change(ReadCapacityUnits=6))
    found = lab.dynamodb.describe_table(TableName=table)["Table"]["ProvisionedThroughput"]
    assert (found["ReadCapacityUnits"], found["WriteCapacityUnits"]) == (6, 5)


def test_an_index_over_undefined_attributes_is_refused(lab: Any) -> None:
    table = lab.table(pitr=False)
    keys = [{"AttributeName": "undefined", "KeyType": "HASH"}]
    create = [{"Create": {"IndexName": "index", "KeySchema": keys, "Projection": ALL}}]
    text = lab.message(lab.dynamodb.update_table, TableName=table, GlobalSecondaryIndexUpdates=create)
    assert text.endswith("Some index key attributes are not defined in AttributeDefinitions")


def test_encryption_with_a_key_of_ones_own_can_be_switched_off(lab: Any) -> None:
    table = lab.table(pitr=False, SSESpecification={"Enabled": True, "SSEType": "KMS"})
    assert lab.dynamodb.describe_table(TableName=table)["Table"]["SSEDescription"]["Status"] == "ENABLED"
    lab.dynamodb.update_table(TableName=table, SSESpecification={"Enabled": False})
    assert "SSEDescription" not in lab.dynamodb.describe_table(TableName=table)["Table"]


def test_a_missing_ttl_attribute_is_refused(lab: Any) -> None:
    wanted = {"TableName": lab.table(pitr=False), "TimeToLiveSpecification": {"Enabled": True, "AttributeName": ""}}
    assert lab.refusal(lab.dynamodb.update_time_to_live, **wanted) == "ValidationException"


VECTORS = [{"IndexName": "vectors"}]


@pytest.mark.parametrize(("member", "value"), [("VectorIndexes", VECTORS), ("GlobalTableSourceArn", "arn:aws:x")])
def test_what_would_be_ignored_is_refused_by_name(lab: Any, member: str, value: Any) -> None:
    table, missing = lab.table(), lab.name("none")
    create = {
        "TableName": missing, "BillingMode": "PAY_PER_REQUEST", "KeySchema": HASH,
        "AttributeDefinitions": _attributes("pk"), member: value,
    }  # fmt: skip
    assert lab.refusal(lab.dynamodb.create_table, **create) == "NotImitatedBySandbox"
    assert missing not in lab.dynamodb.list_tables()["TableNames"]
    update = {"TableName": table, "VectorIndexUpdates": [{"Delete": VECTORS[0]}]}
    assert lab.refusal(lab.dynamodb.update_table, **update) == "NotImitatedBySandbox"
    restore = {"SourceTableName": table, "TargetTableName": missing, "UseLatestRestorableTime": True}
    code = lab.refusal(lab.dynamodb.restore_table_to_point_in_time, **restore, VectorIndexOverride=VECTORS)
    assert code == "NotImitatedBySandbox"


def test_a_table_can_be_created_with_its_resource_policy(lab: Any) -> None:
    policy = '{"Version": "2012-10-17", "Statement": []}'
    table = lab.table(pitr=False, ResourcePolicy=policy)
    arn = lab.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    assert lab.dynamodb.get_resource_policy(ResourceArn=arn)["Policy"] == policy
