"""ConsumedCapacity by size."""

from __future__ import annotations

from typing import Any

import pytest


def _units(answer: dict[str, Any]) -> float:
    found = answer["ConsumedCapacity"]
    return float((found[0] if isinstance(found, list) else found)["CapacityUnits"])


@pytest.fixture
def table(lab: Any) -> str:
    """Item `a` of 9 KB."""
    name: str = lab.table(indexes=(("genre", "S"),))
    lab.put(name, "a", v={"S": "x" * 9 * 1024})
    return name


def test_reads_cost_one_unit_per_4_kb_and_half_when_eventual(lab: Any, table: str) -> None:
    key = {"TableName": table, "Key": {"pk": {"S": "a"}}, "ReturnConsumedCapacity": "TOTAL"}
    assert _units(lab.dynamodb.get_item(**key, ConsistentRead=True)) == 3
    assert _units(lab.dynamodb.get_item(**key)) == 1.5
    missing = key | {"Key": {"pk": {"S": "missing"}}}
    assert _units(lab.dynamodb.get_item(**missing, ConsistentRead=True)) == 1


def test_query_and_scan_round_the_sum_of_the_page(lab: Any) -> None:
    table = lab.table(sort="N")
    for number in range(10):
        lab.put(table, "p", sk={"N": str(number)}, v={"S": "x" * 1000})
    scan = lab.dynamodb.scan(TableName=table, ConsistentRead=True, ReturnConsumedCapacity="TOTAL")
    assert _units(scan) == 3
    query = lab.dynamodb.query(
        TableName=table, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "p"}},
        ReturnConsumedCapacity="TOTAL",
    )  # fmt: skip
    assert _units(query) == 1.5


def test_a_projection_and_a_filter_do_not_lower_the_charge(lab: Any, table: str) -> None:
    answer = lab.dynamodb.scan(
        TableName=table, ProjectionExpression="pk", FilterExpression="pk = :none", ReturnConsumedCapacity="TOTAL",
        ExpressionAttributeValues={":none": {"S": "none"}},
    )  # fmt: skip
    assert answer["Count"] == 0 and _units(answer) == 1.5


def test_batch_get_rounds_each_item(lab: Any, table: str) -> None:
    lab.put(table, "small")
    keys = [{"pk": {"S": "a"}}, {"pk": {"S": "small"}}]
    answer = lab.dynamodb.batch_get_item(
        RequestItems={table: {"Keys": keys, "ConsistentRead": True}}, ReturnConsumedCapacity="TOTAL"
    )
    assert _units(answer) == 4


def test_a_write_costs_one_unit_per_kb_of_the_larger_image(lab: Any, table: str) -> None:
    smaller = lab.dynamodb.put_item(TableName=table, Item={"pk": {"S": "a"}}, ReturnConsumedCapacity="TOTAL")
    assert _units(smaller) == 10
    missing = lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "missing"}}, ReturnConsumedCapacity="TOTAL")
    assert _units(missing) == 1


def test_an_update_is_charged_by_size_and_only_on_request(lab: Any, table: str) -> None:
    call = {
        "TableName": table, "Key": {"pk": {"S": "a"}}, "UpdateExpression": "SET w = :w",
        "ExpressionAttributeValues": {":w": {"N": "1"}},
    }  # fmt: skip
    assert "ConsumedCapacity" not in lab.dynamodb.update_item(**call)
    assert _units(lab.dynamodb.update_item(**call, ReturnConsumedCapacity="TOTAL")) == 10


def test_an_index_write_is_charged_apart_and_a_changed_index_key_twice(lab: Any, table: str) -> None:
    def put(**attributes: Any) -> dict[str, Any]:
        item = {"pk": {"S": "b"}, **attributes}
        answer = lab.dynamodb.put_item(TableName=table, Item=item, ReturnConsumedCapacity="INDEXES")
        found: dict[str, Any] = answer["ConsumedCapacity"]
        return found

    assert put()["CapacityUnits"] == 1
    entered = put(genre={"S": "rock"})
    assert entered["CapacityUnits"] == 2 and entered["Table"]["CapacityUnits"] == 1
    assert entered["GlobalSecondaryIndexes"]["genre_index"]["CapacityUnits"] == 1
    assert put(genre={"S": "rock"})["CapacityUnits"] == 1
    assert put(genre={"S": "jazz"})["CapacityUnits"] == 3


def test_a_batch_write_adds_up_per_table(lab: Any, table: str) -> None:
    requests = [{"PutRequest": {"Item": {"pk": {"S": str(n)}, "v": {"S": "x" * 1500}}}} for n in range(10)]
    answer = lab.dynamodb.batch_write_item(RequestItems={table: requests}, ReturnConsumedCapacity="TOTAL")
    assert _units(answer) == 20


def test_an_index_read_is_charged_to_the_index(lab: Any, table: str) -> None:
    answer = lab.dynamodb.scan(TableName=table, IndexName="genre_index", ReturnConsumedCapacity="INDEXES")
    assert answer["ConsumedCapacity"]["Table"]["CapacityUnits"] == 0
    assert answer["ConsumedCapacity"]["GlobalSecondaryIndexes"]["genre_index"]["CapacityUnits"] == 0.5


def test_an_unknown_level_is_refused(lab: Any, table: str) -> None:
    assert lab.refusal(lab.dynamodb.scan, TableName=table, ReturnConsumedCapacity="ALL") == "ValidationException"
