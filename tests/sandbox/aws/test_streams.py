"""Stream records."""

from __future__ import annotations

from typing import Any


def _records(lab: Any, table: str, region: str = "us-east-1") -> list[dict[str, Any]]:
    streams = lab.client("dynamodbstreams", region)
    arn = lab.client("dynamodb", region).describe_table(TableName=table)["Table"]["LatestStreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    found: list[dict[str, Any]] = streams.get_records(ShardIterator=iterator)["Records"]
    return found


def _table(lab: Any, view: str = "NEW_AND_OLD_IMAGES", region: str = "us-east-1") -> str:
    name: str = lab.name("streamed")
    lab.client("dynamodb", region).create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
    )  # fmt: skip
    return name


def _update(lab: Any, table: str, value: str) -> None:
    lab.dynamodb.update_item(
        TableName=table, Key={"pk": {"S": "a"}}, UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"S": value}},
    )  # fmt: skip


def test_an_update_that_creates_writes_one_insert(lab: Any) -> None:
    table = _table(lab)
    _update(lab, table, "1")
    (record,) = _records(lab, table)
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["NewImage"] == {"pk": {"S": "a"}, "v": {"S": "1"}}


def test_a_write_that_changes_nothing_writes_no_record(lab: Any) -> None:
    table = _table(lab)
    lab.put(table, "a", v={"S": "1"})
    lab.put(table, "a", v={"S": "1"})
    _update(lab, table, "1")
    lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "missing"}})
    assert [one["eventName"] for one in _records(lab, table)] == ["INSERT"]


def test_each_change_is_recorded_once_with_both_images(lab: Any) -> None:
    table = _table(lab)
    lab.put(table, "a", v={"S": "1"})
    _update(lab, table, "2")
    lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "a"}})
    records = _records(lab, table)
    assert [one["eventName"] for one in records] == ["INSERT", "MODIFY", "REMOVE"]
    images = [(one["dynamodb"].get("OldImage"), one["dynamodb"].get("NewImage")) for one in records]
    assert images[1] == ({"pk": {"S": "a"}, "v": {"S": "1"}}, {"pk": {"S": "a"}, "v": {"S": "2"}})
    assert images[2][1] is None


def test_a_failed_transaction_writes_no_record(lab: Any) -> None:
    table = _table(lab)
    check = {"TableName": table, "Key": {"pk": {"S": "z"}}, "ConditionExpression": "attribute_exists(pk)"}
    items = [{"Put": {"TableName": table, "Item": {"pk": {"S": "a"}}}}, {"ConditionCheck": check}]
    lab.refusal(lab.dynamodb.transact_write_items, TransactItems=items)
    assert _records(lab, table) == []


def test_keys_only_streams_carry_no_images(lab: Any) -> None:
    table = _table(lab, "KEYS_ONLY")
    lab.put(table, "a", v={"S": "1"})
    (record,) = _records(lab, table)
    assert not {"NewImage", "OldImage"} & record["dynamodb"].keys()


def test_records_name_the_region_of_their_table(lab: Any) -> None:
    table = _table(lab, region="eu-west-1")
    lab.client("dynamodb", "eu-west-1").put_item(TableName=table, Item={"pk": {"S": "a"}})
    (record,) = _records(lab, table, "eu-west-1")
    assert record["awsRegion"] == "eu-west-1"
