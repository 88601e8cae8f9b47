"""Throttling by the table's own capacity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

UNITS = {"ReadCapacityUnits": 2, "WriteCapacityUnits": 3}
# far more than the burst: the debt outlasts the test, however slow the machine is
LARGE = {"S": "x" * 100_000}


@pytest.fixture(autouse=True)
def _limited(lab: Any) -> Iterator[None]:
    lab.control.limit_throughput(True, burst_s=2)
    yield
    lab.control.limit_throughput(False)


def _table(lab: Any, **more: Any) -> str:
    name: str = lab.table(pitr=False, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS, **more)
    return name


def _reasons(call: Any, member: str = "ThrottlingReasons", **arguments: Any) -> list[dict[str, str]]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    found: list[dict[str, str]] = caught.value.response[member]
    return found


def _arn(lab: Any, table: str) -> str:
    return str(lab.dynamodb.describe_table(TableName=table)["Table"]["TableArn"])


def test_writes_beyond_the_provisioned_capacity_are_throttled_with_the_reason(lab: Any) -> None:
    table = _table(lab)
    for number in range(5):
        lab.put(table, f"k{number}")
    lab.put(table, "large", v=LARGE)
    (reason,) = _reasons(lab.put, table=table, key="more")
    assert reason == {"reason": "TableWriteProvisionedThroughputExceeded", "resource": _arn(lab, table)}
    lab.control.advance(60)
    lab.put(table, "more")
    assert len(lab.scan(table)) == 7


def test_what_the_capacity_does_not_admit_of_a_batch_comes_back_unprocessed(lab: Any) -> None:
    table = _table(lab)
    requests = [{"PutRequest": {"Item": {"pk": {"S": str(number)}}}} for number in range(25)]
    left, rounds = {table: requests}, 0
    while left:
        answer = lab.dynamodb.batch_write_item(RequestItems=left)
        assert len(answer["UnprocessedItems"].get(table, [])) < len(left[table])
        left, rounds = answer["UnprocessedItems"], rounds + 1
        lab.control.advance(2)
    assert rounds >= 4
    lab.control.advance(30)
    assert len(lab.scan(table)) == 25


def test_a_batch_of_which_nothing_is_admitted_is_an_exception(lab: Any) -> None:
    table = _table(lab)
    lab.put(table, "large", v=LARGE)
    items = {table: [{"PutRequest": {"Item": {"pk": {"S": "a"}}}}]}
    (reason,) = _reasons(lab.dynamodb.batch_write_item, RequestItems=items)
    assert reason["reason"] == "TableWriteProvisionedThroughputExceeded"


def test_reads_are_charged_by_page_and_throttled_apart_from_writes(lab: Any) -> None:
    table = _table(lab)
    lab.put(table, "a", v=LARGE)
    lab.control.advance(60)
    lab.dynamodb.scan(TableName=table, ConsistentRead=True)
    (reason,) = _reasons(lab.dynamodb.get_item, TableName=table, Key={"pk": {"S": "a"}})
    assert reason["reason"] == "TableReadProvisionedThroughputExceeded"
    lab.put(table, "b")


def test_an_exhausted_index_throttles_the_write_and_is_named(lab: Any) -> None:
    index = {
        "IndexName": "g_index", "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    }  # fmt: skip
    table = _table(lab, indexes=(("g", "S"),), GlobalSecondaryIndexes=[index])
    lab.dynamodb.update_table(TableName=table, ProvisionedThroughput={**UNITS, "WriteCapacityUnits": 1000})
    lab.put(table, "large", g={"S": "x"}, v=LARGE)
    (reason,) = _reasons(lab.put, table=table, key="more", g={"S": "x"})
    arn = f"{_arn(lab, table)}/index/g_index"
    assert reason == {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": arn}
    lab.put(table, "outside of the index")


def test_a_maximum_of_an_on_demand_table_throttles_as_throttling_exception(lab: Any) -> None:
    table = lab.table(pitr=False, OnDemandThroughput={"MaxWriteRequestUnits": 1})
    lab.put(table, "large", v=LARGE)
    (reason,) = _reasons(lab.put, "throttlingReasons", table=table, key="more")
    assert reason["reason"] == "TableWriteMaxOnDemandThroughputExceeded"


def test_an_update_is_charged_like_a_put(lab: Any) -> None:
    table = _table(lab)
    update = {"TableName": table, "Key": {"pk": {"S": "a"}}, "UpdateExpression": "SET v = :v",
              "ExpressionAttributeValues": {":v": LARGE}}  # fmt: skip
    lab.dynamodb.update_item(**update)
    assert lab.refusal(lab.dynamodb.update_item, **update) == "ProvisionedThroughputExceededException"


def test_without_the_switch_nothing_is_throttled(lab: Any) -> None:
    lab.control.limit_throughput(False)
    table = _table(lab)
    for number in range(3):
        lab.put(table, f"k{number}", v=LARGE)
