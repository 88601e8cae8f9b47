"""Data-plane rules a loader can hit."""

from __future__ import annotations

from typing import Any

import pytest


def _put(key: str, **more: Any) -> dict[str, Any]:
    return {"PutRequest": {"Item": {"pk": {"S": key}, **more}}}


def _delete(key: str) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": {"pk": {"S": key}}}}


def test_a_batch_holds_at_most_25_requests(lab: Any) -> None:
    table = lab.table()
    lab.dynamodb.batch_write_item(RequestItems={table: [_put(str(n)) for n in range(25)]})
    items = {table: [_put(str(n)) for n in range(26)]}
    assert lab.refusal(lab.dynamodb.batch_write_item, RequestItems=items) == "ValidationException"


def test_an_empty_batch_is_refused(lab: Any) -> None:
    table = lab.table()
    empty: tuple[dict[str, Any], ...] = ({}, {table: []})
    for items in empty:
        assert lab.refusal(lab.dynamodb.batch_write_item, RequestItems=items) == "ValidationException"


@pytest.mark.parametrize("pair", [(_put("a"), _put("a", v={"N": "2"})), (_put("a"), _delete("a")), (_delete("a"),) * 2])
def test_two_requests_on_one_key_refuse_the_whole_batch(lab: Any, pair: tuple[Any, ...]) -> None:
    table = lab.table()
    items = {table: [_put("other"), *pair]}
    assert lab.refusal(lab.dynamodb.batch_write_item, RequestItems=items) == "ValidationException"
    assert lab.scan(table) == {}


def test_equal_numbers_written_differently_are_one_key(lab: Any) -> None:
    table = lab.table(sort="N")
    items = {table: [_put("a", sk={"N": "1"}), _put("a", sk={"N": "1.0"})]}
    assert lab.refusal(lab.dynamodb.batch_write_item, RequestItems=items) == "ValidationException"


def test_one_bad_item_refuses_the_whole_batch(lab: Any) -> None:
    table = lab.table()
    items = {table: [_put("good"), _put("bad", v={"N": "1" * 39})]}
    assert lab.refusal(lab.dynamodb.batch_write_item, RequestItems=items) == "ValidationException"
    assert lab.scan(table) == {}


def test_a_batch_over_16_mb_on_the_wire_is_refused(lab: Any) -> None:
    table = lab.table()
    # 25 items within 400 KB each pass 16 MB only through their escaping on the wire
    items = {table: [_put(str(n), v={"S": "\x01" * 130_000}) for n in range(25)]}
    assert lab.refusal(lab.dynamodb.batch_write_item, RequestItems=items) == "ValidationException"


def test_an_item_of_409600_bytes_is_stored_and_one_more_is_refused(lab: Any) -> None:
    table = lab.table()
    room = 409_600 - len("pk") - len("a") - len("v")
    lab.put(table, "a", v={"S": "x" * room})
    assert lab.refusal(lab.put, table=table, key="a", v={"S": "x" * (room + 1)}) == "ValidationException"


def test_numbers_come_back_normalised(lab: Any) -> None:
    table = lab.table()
    lab.put(table, "a", v={"N": "12.50"}, s={"NS": ["1.0", "2"]}, m={"M": {"deep": {"L": [{"N": "+007"}]}}})
    (item,) = lab.scan(table).values()
    assert item["v"] == {"N": "12.5"}
    assert sorted(item["s"]["NS"]) == ["1", "2"]
    assert item["m"]["M"]["deep"]["L"] == [{"N": "7"}]


def test_an_update_normalises_numbers_too(lab: Any) -> None:
    table = lab.table()
    lab.dynamodb.update_item(
        TableName=table, Key={"pk": {"S": "a"}}, UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"N": "7.10"}},
    )  # fmt: skip
    (item,) = lab.scan(table).values()
    assert item["v"] == {"N": "7.1"}


@pytest.mark.parametrize("value", [{"L": [{"S": "rock"}]}, {"N": "1"}, {"S": ""}, {"NULL": True}])
def test_an_index_key_of_another_type_or_empty_is_refused(lab: Any, value: dict[str, Any]) -> None:
    table = lab.table(indexes=(("genre", "S"),))
    assert lab.refusal(lab.put, table=table, key="a", genre=value) == "ValidationException"
    items = {table: [_put("a", genre=value)]}
    assert lab.refusal(lab.dynamodb.batch_write_item, RequestItems=items) == "ValidationException"
    update = {
        "TableName": table, "Key": {"pk": {"S": "a"}}, "UpdateExpression": "SET genre = :g",
        "ExpressionAttributeValues": {":g": value},
    }  # fmt: skip
    assert lab.refusal(lab.dynamodb.update_item, **update) == "ValidationException"
    assert lab.scan(table) == {}


def test_an_item_without_the_index_key_is_stored_and_not_in_the_index(lab: Any) -> None:
    table = lab.table(indexes=(("genre", "S"),))
    lab.put(table, "a")
    lab.put(table, "b", genre={"S": "rock"})
    assert len(lab.scan(table, IndexName="genre_index")) == 1


@pytest.mark.parametrize("key", [{}, {"pk": {"N": "1"}}, {"pk": {"S": ""}}, {"pk": {"S": "a"}, "sk": {"S": "b"}}])
def test_a_key_must_match_the_schema(lab: Any, key: dict[str, Any]) -> None:
    table = lab.table()
    assert lab.refusal(lab.dynamodb.get_item, TableName=table, Key=key) == "ValidationException"
    assert lab.refusal(lab.dynamodb.delete_item, TableName=table, Key=key) == "ValidationException"


def test_key_lengths_are_2048_and_1024_bytes(lab: Any) -> None:
    table = lab.table(sort="S")
    lab.put(table, "p" * 2048, sk={"S": "s" * 1024})
    assert lab.refusal(lab.put, table=table, key="p" * 2049, sk={"S": "s"}) == "ValidationException"
    assert lab.refusal(lab.put, table=table, key="p", sk={"S": "s" * 1025}) == "ValidationException"


def test_an_empty_string_is_a_value_outside_keys(lab: Any) -> None:
    table = lab.table()
    lab.put(table, "a", v={"S": ""})
    assert next(iter(lab.scan(table).values()))["v"] == {"S": ""}


def test_a_missing_table_refuses_the_whole_batch(lab: Any) -> None:
    table = lab.table()
    items = {table: [_put("a")], "no-such-table": [_put("a")]}
    assert lab.refusal(lab.dynamodb.batch_write_item, RequestItems=items) == "ResourceNotFoundException"
    assert lab.scan(table) == {}


def test_a_condition_decides_and_returns_the_old_item_on_request(lab: Any) -> None:
    table = lab.table()
    lab.put(table, "a", v={"N": "1"})
    call = {
        "TableName": table, "Item": {"pk": {"S": "a"}}, "ConditionExpression": "attribute_not_exists(pk)",
    }  # fmt: skip
    assert lab.refusal(lab.dynamodb.put_item, **call) == "ConditionalCheckFailedException"
    old = lab.dynamodb.put_item(TableName=table, Item={"pk": {"S": "a"}}, ReturnValues="ALL_OLD")["Attributes"]
    assert old == {"pk": {"S": "a"}, "v": {"N": "1"}}


def test_binaries_survive_every_way_in_and_out(lab: Any) -> None:
    table = lab.table(
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "B"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    client, key = lab.dynamodb, {"pk": {"B": b"\x00\xff"}}
    item = {**key, "b": {"B": b"abc"}, "bs": {"BS": [b"1"]}, "m": {"M": {"deep": {"L": [{"B": b"zz"}]}}}}
    client.put_item(TableName=table, Item=item)
    update = {"TableName": table, "Key": key, "ReturnValues": "ALL_NEW"}
    changed = client.update_item(
        **update, UpdateExpression="SET c = :c", ConditionExpression="b = :b",
        ExpressionAttributeValues={":c": {"B": b"new"}, ":b": {"B": b"abc"}},
    )["Attributes"]  # fmt: skip
    assert changed == {**item, "c": {"B": b"new"}}
    assert client.update_item(**update, UpdateExpression="REMOVE c")["Attributes"] == item
    assert client.get_item(TableName=table, Key=key)["Item"] == item
    client.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": item}}])
    read = client.transact_get_items(TransactItems=[{"Get": {"TableName": table, "Key": key}}])
    assert read["Responses"][0]["Item"] == item
    old = client.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD")["Attributes"]
    assert old == item and lab.scan(table) == {}
