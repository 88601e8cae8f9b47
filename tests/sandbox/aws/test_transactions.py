"""TransactWriteItems: nothing or all, reasons, tokens, capacity."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError


def _put(table: str, key: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": {"pk": {"S": key}}, **more}}


def _update(table: str, key: dict[str, Any], expression: str, **more: Any) -> dict[str, Any]:
    return {"Update": {"TableName": table, "Key": {"pk": key}, "UpdateExpression": expression, **more}}


def _reasons(lab: Any, *items: dict[str, Any]) -> list[dict[str, Any]]:
    with pytest.raises(ClientError) as caught:
        lab.dynamodb.transact_write_items(TransactItems=list(items))
    assert caught.value.response["Error"]["Code"] == "TransactionCanceledException"
    found: list[dict[str, Any]] = caught.value.response["CancellationReasons"]
    codes = ", ".join(one["Code"] for one in found)
    assert caught.value.response["Error"]["Message"].endswith(f"for specific reasons [{codes}]")
    return found


def test_a_transaction_writes_all_of_its_items_at_once(lab: Any) -> None:
    table = lab.table()
    lab.put(table, "old")
    lab.put(table, "changed", n={"N": "1"})
    lab.dynamodb.transact_write_items(
        TransactItems=[
            _put(table, "new"), {"Delete": {"TableName": table, "Key": {"pk": {"S": "old"}}}},
            _update(table, {"S": "changed"}, "ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}}),
            {"ConditionCheck": {"TableName": table, "Key": {"pk": {"S": "none"}},
                                "ConditionExpression": "attribute_not_exists(pk)"}},
        ]
    )  # fmt: skip
    found = {item["pk"]["S"]: item for item in lab.scan(table).values()}
    assert set(found) == {"new", "changed"} and found["changed"]["n"] == {"N": "2"}


def test_a_cancelled_transaction_changes_nothing_and_gives_a_reason_for_each_item(lab: Any) -> None:
    table = lab.table()
    lab.put(table, "kept", n={"N": "1"}, tags={"SS": ["x"]})
    before = lab.scan(table)
    values = {":one": {"N": "1"}}
    condition = {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    reasons = _reasons(
        lab, _put(table, "new"), _update(table, {"S": "other"}, "SET n = n + :one", ExpressionAttributeValues=values),
        _put(table, "kept", **condition), {"Put": {"TableName": table, "Item": {"pk": {"N": "1"}}}},
    )  # fmt: skip
    assert [one["Code"] for one in reasons] == ["None", "ValidationError", "ConditionalCheckFailed", "ValidationError"]
    assert reasons[2]["Item"]["n"] == {"N": "1"} and "Type mismatch for key pk" in reasons[3]["Message"]
    wrong_type = _update(table, {"S": "kept"}, "ADD tags :one", ExpressionAttributeValues=values)
    assert [one["Code"] for one in _reasons(lab, wrong_type, _put(table, "new"))] == ["ValidationError", "None"]
    assert lab.scan(table) == before


def test_a_condition_is_checked_before_the_update_is_tried(lab: Any) -> None:
    table = lab.table()
    update = _update(
        table, {"S": "missing"}, "SET n = n + :one", ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )  # fmt: skip
    assert [one["Code"] for one in _reasons(lab, update)] == ["ConditionalCheckFailed"]
    assert lab.scan(table) == {}


def test_an_update_that_cannot_be_read_refuses_the_whole_transaction(lab: Any) -> None:
    table = lab.table()
    for expression in ("SET a = pk SET b = pk", "SET a =", ""):
        items = [_put(table, "b"), _update(table, {"S": "a"}, expression)]
        assert lab.refusal(lab.dynamodb.transact_write_items, TransactItems=items) == "ValidationException"
    assert lab.scan(table) == {}


@pytest.mark.parametrize("kind", ["Put", "Delete"])
def test_an_empty_key_and_a_doubled_item_refuse_the_whole_transaction(lab: Any, kind: str) -> None:
    table = lab.table()
    member = "Item" if kind == "Put" else "Key"

    def entry(key: str) -> dict[str, Any]:
        return {kind: {"TableName": table, member: {"pk": {"S": key}}}}

    write = lab.dynamodb.transact_write_items
    text = lab.message(write, TransactItems=[_put(table, "a"), entry("")])
    assert text.endswith("cannot contain an empty string value. Key: pk")
    text = lab.message(write, TransactItems=[_put(table, "a"), entry("a")])
    assert text == "Transaction request cannot include multiple operations on one item"
    assert lab.refusal(write, TransactItems=[_put(table, f"k{number}") for number in range(101)]) == (
        "ValidationException"
    )
    big = [{"Put": {"TableName": table, "Item": {"pk": {"S": str(n)}, "v": {"S": "x" * 390_000}}}} for n in range(11)]
    assert lab.refusal(write, TransactItems=big) == "ValidationException"
    assert lab.scan(table) == {}


def test_a_client_token_makes_a_repetition_do_nothing_for_ten_minutes(lab: Any) -> None:
    table, token = lab.table(), lab.name("token")
    values = {":one": {"N": "1"}}
    add = [_update(table, {"S": "a"}, "ADD n :one", ExpressionAttributeValues=values)]
    write = lab.dynamodb.transact_write_items
    for _ in range(2):
        write(TransactItems=add, ClientRequestToken=token)
    assert [item["n"] for item in lab.scan(table).values()] == [{"N": "1"}]
    other = {"TransactItems": [_put(table, "b")], "ClientRequestToken": token}
    assert lab.refusal(write, **other) == "IdempotentParameterMismatchException"
    lab.control.advance(601)
    write(TransactItems=add, ClientRequestToken=token)
    assert [item["n"] for item in lab.scan(table).values()] == [{"N": "2"}]


def test_a_transaction_costs_twice_what_its_writes_cost(lab: Any) -> None:
    table = lab.table(indexes=(("genre", "S"),))
    big = {"Put": {"TableName": table, "Item": {"pk": {"S": "b"}, "v": {"S": "x" * 1500}, "genre": {"S": "g"}}}}
    answer = lab.dynamodb.transact_write_items(TransactItems=[_put(table, "a"), big], ReturnConsumedCapacity="INDEXES")
    (found,) = answer["ConsumedCapacity"]
    assert found["CapacityUnits"] == 10
    assert found["Table"]["CapacityUnits"] == 6
    assert found["GlobalSecondaryIndexes"]["genre_index"]["CapacityUnits"] == 4
