"""UpdateItem: groups in its expression, what it returns; and what the other writes return beside the item."""

from __future__ import annotations

from typing import Any

import pytest

from ops.sandbox.aws.update_answers import without_groups


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("SET a = (:v)", "SET a = :v"), ("SET a = ((b + :v))", "SET a = b + :v"),
        ("SET a = (:l) + (:r), b = (if_not_exists(b, :z) - :v) REMOVE c",
         "SET a = :l + :r , b = if_not_exists ( b , :z ) - :v REMOVE c"),
        ("SET a=b-(:v)", "SET a = b - :v"),
        ("SET a = if_not_exists(a, :v)", "SET a = if_not_exists(a, :v)"), ("SET a = :v", "SET a = :v"),
        ("SET a = b - (c + :v)", "SET a = b - ( c + :v )"), ("SET a = (b", "SET a = ( b"),
    ],
)  # fmt: skip
def test_a_group_that_changes_nothing_is_taken_away_and_no_other(given: str, plain: str) -> None:
    assert without_groups(given) == plain


def _update(lab: Any, table: str, expression: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    placeholders = {"ExpressionAttributeValues": values} if values else {}
    found: dict[str, Any] = lab.dynamodb.update_item(
        TableName=table, Key={"pk": {"S": "a"}}, UpdateExpression=expression, **placeholders, **more
    )
    return found


def test_an_update_may_group_its_operands(lab: Any) -> None:
    table = lab.table(pitr=False)
    values = {":zero": {"N": "0"}, ":three": {"N": "3"}, ":seven": {"N": "7"}}
    _update(lab, table, "SET n = (if_not_exists(n, :zero) - :three), m = (:three) + (:seven)", values)
    (item,) = lab.scan(table).values()
    assert (item["n"], item["m"]) == ({"N": "-3"}, {"N": "10"})


def test_an_update_may_read_a_key_and_not_change_it(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.put(table, "a")
    _update(lab, table, "SET twin = pk, #set = :v", {":v": {"S": "x"}}, ExpressionAttributeNames={"#set": "set"})
    (item,) = lab.scan(table).values()
    assert (item["twin"], item["set"]) == ({"S": "a"}, {"S": "x"})
    call = {"TableName": table, "Key": {"pk": {"S": "a"}}}
    part = "This attribute is part of the key"
    for more in (
        {"UpdateExpression": "REMOVE twin SET #p = twin", "ExpressionAttributeNames": {"#p": "pk"}},
        {"AttributeUpdates": {"pk": {"Action": "PUT", "Value": {"S": "b"}}}},
    ):
        assert part in lab.message(lab.dynamodb.update_item, **call, **more)


def test_an_update_returns_what_it_set_even_to_the_same_value_and_not_what_it_removed(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.put(table, "a", v={"S": "x"}, gone={"S": "y"}, other={"S": "z"}, map={"M": {"in": {"S": "1"}}})
    same = {":x": {"S": "x"}}
    for wanted in ("UPDATED_NEW", "UPDATED_OLD"):
        assert _update(lab, table, "SET v = :x", same, ReturnValues=wanted)["Attributes"] == {"v": {"S": "x"}}
    assert "Attributes" not in _update(lab, table, "REMOVE gone", {}, ReturnValues="UPDATED_NEW")
    lab.put(table, "a", v={"S": "x"}, gone={"S": "y"}, map={"M": {"in": {"S": "1"}, "by": {"S": "2"}}})
    removed = _update(lab, table, "REMOVE gone", {}, ReturnValues="UPDATED_OLD")
    assert removed["Attributes"] == {"gone": {"S": "y"}}
    whole = {":m": {"M": {"in": {"S": "1"}, "by": {"S": "3"}}}}
    assert _update(lab, table, "SET #m = :m", whole, ReturnValues="UPDATED_NEW",
                   ExpressionAttributeNames={"#m": "map"})["Attributes"] == {"map": whole[":m"]}  # fmt: skip


def test_an_update_returns_binaries_as_they_were_given(lab: Any) -> None:
    table = lab.table(pitr=False)
    values = {":l": {"L": [{"B": b"\n\x014\x18"}, {"BS": [b"\xf0"]}]}}
    assert _update(lab, table, "SET v = :l", values, ReturnValues="UPDATED_NEW")["Attributes"] == {"v": values[":l"]}


def test_a_table_with_local_indexes_tells_the_size_of_a_collection(lab: Any) -> None:
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "lk", "KeyType": "RANGE"}]
    index = {"IndexName": "local", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}
    names = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "lk")]
    table = lab.table(sort="S", pitr=False, AttributeDefinitions=names, LocalSecondaryIndexes=[index])
    key = {"pk": {"S": "a"}, "sk": {"S": "1"}}
    wanted = {"TableName": table, "ReturnItemCollectionMetrics": "SIZE"}
    answers = (
        lab.dynamodb.put_item(**wanted, Item=key),
        lab.dynamodb.update_item(**wanted, Key=key, UpdateExpression="SET v = pk"),
        lab.dynamodb.delete_item(**wanted, Key=key),
    )
    for answer in answers:
        assert answer["ItemCollectionMetrics"]["ItemCollectionKey"] == {"pk": {"S": "a"}}
    assert "ItemCollectionMetrics" not in lab.dynamodb.put_item(TableName=table, Item=key)


def test_a_delete_with_an_expectation_that_fails_deletes_nothing(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.put(table, "a", v={"S": "x"})
    call = {"TableName": table, "Key": {"pk": {"S": "a"}}, "Expected": {"v": {"Value": {"S": "y"}}}}
    assert lab.refusal(lab.dynamodb.delete_item, **call) == "ConditionalCheckFailedException"
    assert len(lab.scan(table)) == 1
    lab.dynamodb.delete_item(**call | {"Expected": {"v": {"Value": {"S": "x"}}}})
    assert lab.scan(table) == {}


def test_attributes_to_get_are_all_that_is_returned(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.put(table, "a", v={"S": "x"}, w={"S": "y"})
    found = lab.dynamodb.get_item(TableName=table, Key={"pk": {"S": "a"}}, AttributesToGet=["v"])["Item"]
    assert found == {"v": {"S": "x"}}
    assert lab.dynamodb.scan(TableName=table, AttributesToGet=["w", "none"])["Items"] == [{"w": {"S": "y"}}]
