"""Requests that are refused before a table is looked at, in the words of the service."""

from __future__ import annotations

from typing import Any

import pytest

ONE = {":v": {"S": "x"}}


def _of(call: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """A call on a table that does not exist: what refuses it has not looked."""
    base: dict[str, Any] = {"TableName": "no-such-table"}
    if call in ("get_item", "delete_item", "update_item"):
        base["Key"] = {"pk": {"S": "a"}}
    if call == "put_item":
        base["Item"] = {"pk": {"S": "a"}}
    return call, base | more


def _refused(lab: Any, made: tuple[str, dict[str, Any]]) -> str:
    call, arguments = made
    assert lab.refusal(getattr(lab.dynamodb, call), **arguments) == "ValidationException"
    text: str = lab.message(getattr(lab.dynamodb, call), **arguments)
    return text


def test_placeholders_need_an_expression_and_the_sign_of_their_kind(lab: Any) -> None:
    only = "can only be specified when using expressions"
    assert _refused(lab, _of("get_item", ExpressionAttributeNames={"#a": "a"})) == f"ExpressionAttributeNames {only}"
    assert _refused(lab, _of("put_item", ExpressionAttributeValues=ONE)) == (
        f"ExpressionAttributeValues {only}: ConditionExpression is null"
    )
    assert _refused(lab, _of("scan", FilterExpression="a = v", ExpressionAttributeValues={"v": {"S": "x"}})) == (
        'ExpressionAttributeValues contains invalid key: Syntax error; key: "v"'
    )
    named = _of("get_item", ProjectionExpression="a", ExpressionAttributeNames={"a": "b"})
    assert _refused(lab, named) == 'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"'
    empty = _of("get_item", ProjectionExpression="a", ExpressionAttributeNames={})
    assert _refused(lab, empty) == "ExpressionAttributeNames must not be empty"


@pytest.mark.parametrize(
    ("value", "wrong"), [({"S": "a", "N": "1"}, "has more than one datatypes set"), ({}, "is empty")]
)
def test_a_value_has_exactly_one_type(lab: Any, value: dict[str, str], wrong: str) -> None:
    call = _of("update_item", UpdateExpression="SET a = :v", ExpressionAttributeValues={":v": value})
    assert _refused(lab, call) == (
        f"ExpressionAttributeValues contains invalid value: Supplied AttributeValue {wrong}, must contain exactly one "
        "of the supported datatypes for key :v"
    )


def test_every_placeholder_is_used(lab: Any) -> None:
    unused = "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"
    names = {"#a": "a", "#b": "b"}
    assert _refused(lab, _of("scan", ProjectionExpression="#a[0].c", ExpressionAttributeNames=names)) == unused
    written = _of("put_item", ConditionExpression="attribute_exists(#a)", ExpressionAttributeNames=names)
    assert _refused(lab, written) == f"1 validation error detected: {unused}"
    values = _of("scan", FilterExpression="a=:v", ExpressionAttributeValues={**ONE, ":w": {"S": ""}})
    assert _refused(lab, values) == "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"
    keys = {"Keys": [{"pk": {"S": "a"}}], "ProjectionExpression": "#a", "ExpressionAttributeNames": names}
    assert _refused(lab, ("batch_get_item", {"RequestItems": {"no-such-table": keys}})) == unused


def test_expressions_and_their_older_forms_do_not_mix(lab: Any) -> None:
    older = {"a": {"AttributeValueList": [{"S": "x"}], "ComparisonOperator": "EQ"}}
    call = _of("scan", FilterExpression="a = :v", ExpressionAttributeValues=ONE, ScanFilter=older)
    assert _refused(lab, call) == (
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
        "{ScanFilter} Expression parameters: {FilterExpression}"
    )
    mixed = _of("put_item", ConditionExpression="attribute_not_exists(pk)", Expected={"pk": {"Exists": False}})
    assert "Non-expression parameters: {Expected}" in _refused(lab, mixed)


def test_an_empty_expression_is_refused(lab: Any) -> None:
    call = _of("query", KeyConditionExpression="a = b", FilterExpression="")
    assert _refused(lab, call) == "Invalid FilterExpression: The expression can not be empty;"
    text = _refused(lab, _of("update_item", UpdateExpression=""))
    assert text == "1 validation error detected: Invalid UpdateExpression: The expression can not be empty;"


def test_wrong_members_are_all_named_and_a_wrong_table_name_alone(lab: Any) -> None:
    text = _refused(lab, _of("put_item", ReturnValues="ALL", ReturnConsumedCapacity="SOME"))
    assert text.startswith("2 validation errors detected: Value 'ALL' at 'returnValues' failed to satisfy constraint")
    assert "; Value 'SOME' at 'returnConsumedCapacity'" in text
    call = _of("scan", Limit=0)
    assert "at 'limit' failed to satisfy constraint: Member must have value greater than" in _refused(lab, call)
    for name, rule in (("a b", "regular expression"), ("ab", "greater than or equal to 3"), ("a" * 256, "to 255")):
        text = _refused(lab, _of("scan", TableName=name, Limit=0))
        assert text.startswith(f"1 validation error detected: Value '{name}' at 'tableName'") and rule in text


@pytest.mark.parametrize(
    ("call", "member"),
    [("transact_write_items", "TransactItems"), ("transact_get_items", "TransactItems"),
     ("batch_execute_statement", "Statements"), ("execute_transaction", "TransactStatements")],
)  # fmt: skip
def test_an_empty_list_of_requests_is_refused(lab: Any, call: str, member: str) -> None:
    assert "Member must have length greater than or equal to 1" in _refused(lab, (call, {member: []}))


def test_a_data_call_on_a_missing_table_does_not_repeat_its_name(lab: Any) -> None:
    found = lab.message(lab.dynamodb.scan, TableName="no-such-table")
    assert found == "Requested resource not found"
    assert lab.message(lab.dynamodb.describe_table, TableName="no-such-table") == (
        "Requested resource not found: Table: no-such-table not found"
    )
