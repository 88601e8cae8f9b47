"""KeyConditionExpression: what a Query may ask, and how it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ops.sandbox.aws.key_conditions import key_conditions

SCHEMA = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
KINDS = {"pk": "S", "sk": "N"}
VALUES = {":p": {"S": "a"}, ":n": {"N": "2"}, ":m": {"N": "10"}, ":s": {"S": "2"}, ":e": {"S": ""}}
WHERE = "Invalid KeyConditionExpression: "


def _found(text: str) -> list[tuple[str, str, tuple[Any, ...]]]:
    wanted = key_conditions(text, {"#s": "sk"}, VALUES, SCHEMA, KINDS)
    return [(one.name, one.comparison, one.values) for one in (*wanted.partition, *wanted.sort)]


@pytest.mark.parametrize(
    "text",
    ["pk = :p AND sk BETWEEN :n AND :m", "(pk = :p) and (#s between :n and :m)", "sk BETWEEN :n AND :m AND pk=:p",
     "((pk=:p)AND(#s BETWEEN :n AND :m))"],
)  # fmt: skip
def test_a_key_condition_may_be_grouped_and_turned_round(text: str) -> None:
    assert _found(text) == [("pk", "=", ({"S": "a"},)), ("sk", "BETWEEN", ({"N": "2"}, {"N": "10"}))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sk = :n", "Query condition missed key schema element: pk"),
        ("pk > :p", "Query key condition not supported"),
        ("begins_with(pk, :p)", "Query key condition not supported"),
        ("pk = :p AND other = :n", "Query condition missed key schema element: sk"),
        ("pk = :p AND sk = :n AND other = :n", "Query key condition not supported"),
        ("pk = :p AND pk = :p", "KeyConditionExpressions must only contain one condition per key"),
        ("pk = :p OR sk = :n", "Invalid operator used in KeyConditionExpression: OR"),
        ("pk = :p AND sk <> :n", "Unsupported operator on KeyConditionExpression: operator: <>"),
        ("pk = :p AND contains(sk, :n)", f"{WHERE}Invalid function name; function: contains"),
        ("pk = :p AND Begins_With(sk, :n)", f"{WHERE}Invalid function name; function: Begins_With"),
        ("pk = :p AND begins_with sk, :n", f'{WHERE}Syntax error; token: "sk"'),
        ("pk = :p AND", f'{WHERE}Syntax error; token: "<EOF>"'),
        ("pk = :p sk = :n", f'{WHERE}Syntax error; token: "sk"'),
        ("(pk = :p", f'{WHERE}Syntax error; token: "<EOF>"'),
        ("pk = :p AND sk = 'x'", f'{WHERE}Syntax error; token: "\'"'),
        ("(pk = x)", f"{WHERE}Invalid condition in KeyConditionExpression: Multiple attribute names used in one "
                     "condition"),
        ("pk = :gone", f"{WHERE}An expression attribute value used in expression is not defined; "
                       "attribute value: :gone"),
        ("#gone = :p", f"{WHERE}An expression attribute name used in the document path is not defined; "
                       "attribute name: #gone"),
        ("pk = :p AND sk = :s", "One or more parameter values were invalid: Condition parameter type does not match "
                                "schema type"),
        ("pk = :e", "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain "
                    "an empty string value. Key: pk"),
        ("pk = :p AND begins_with(sk, :n)", f"{WHERE}Incorrect operand type for operator or function; operator or "
                                            "function: begins_with, operand type: N"),
        ("pk = :p AND sk BETWEEN :m AND :n", f"{WHERE}The BETWEEN operator requires upper bound to be greater than or "
                                             "equal to lower bound; lower bound operand: AttributeValue: {N:10}, upper "
                                             "bound operand: AttributeValue: {N:2}"),
    ],
)  # fmt: skip
def test_a_wrong_key_condition_is_refused_before_an_item_is_read(text: str, said: str) -> None:
    with pytest.raises(Exception) as caught:
        _found(text)
    assert said in str(caught.value).encode().decode("unicode_escape")


def test_of_several_sort_keys_all_but_the_last_need_equality() -> None:
    schema = [*SCHEMA, {"AttributeName": "s2", "KeyType": "RANGE"}]
    kinds = KINDS | {"s2": "N"}
    found = key_conditions("pk=:p AND sk=:n AND s2>=:m", {}, VALUES, schema, kinds)
    assert [(one.name, one.comparison) for one in found.sort] == [("sk", "="), ("s2", ">=")]
    for text in ("pk=:p AND s2=:n", "pk=:p AND sk>:n AND s2=:m"):
        with pytest.raises(Exception, match="RANGE key attributes sk must have equality conditions specified"):
            key_conditions(text, {}, VALUES, schema, kinds)


def test_a_query_starts_only_where_one_of_its_pages_can_have_ended(lab: Any) -> None:
    table = lab.table(sort="S", pitr=False)
    for sort in ("a1", "a2", "b"):
        lab.put(table, "p", sk={"S": sort})
    query = {
        "TableName": table, "KeyConditionExpression": "pk = :p AND begins_with(sk, :a)",
        "ExpressionAttributeValues": {":p": {"S": "p"}, ":a": {"S": "a"}},
    }  # fmt: skip

    def start(partition: str, sort: str) -> dict[str, Any]:
        return {"ExclusiveStartKey": {"pk": {"S": partition}, "sk": {"S": sort}}}

    found = lab.dynamodb.query(**query, **start("p", "a1"))["Items"]
    assert [item["sk"]["S"] for item in found] == ["a2"]
    assert lab.message(lab.dynamodb.query, **query, **start("p", "b")) == (
        "The provided starting key does not match the range key predicate"
    )
    assert lab.message(lab.dynamodb.query, **query, **start("q", "a1")) == (
        "The provided starting key is outside query boundaries based on provided conditions"
    )
