"""What a data request must look like, before any table is looked up.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html and the request syntax of each call. The order
is the service's: constraints of the model first, then which parameters go together, then the placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ops.sandbox.aws.errors import validation

Document = dict[str, Any]

# expression members of a call, and the older parameters that may not stand beside them
EXPRESSIONS: Mapping[str, tuple[str, ...]] = {
    "GetItem": ("ProjectionExpression",),
    "Query": ("ProjectionExpression", "FilterExpression", "KeyConditionExpression"),
    "Scan": ("ProjectionExpression", "FilterExpression"),
    "PutItem": ("ConditionExpression",),
    "DeleteItem": ("ConditionExpression",),
    "UpdateItem": ("UpdateExpression", "ConditionExpression"),
}
_OLDER = ("AttributeUpdates", "AttributesToGet", "ConditionalOperator", "Expected", "KeyConditions", "QueryFilter",
          "ScanFilter")  # fmt: skip
_ENUMS: Mapping[str, tuple[str, ...]] = {
    "returnValues": ("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"),
    "returnConsumedCapacity": ("INDEXES", "TOTAL", "NONE"),
    "returnItemCollectionMetrics": ("SIZE", "NONE"),
    "select": ("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"),
}
_LISTS: Mapping[str, str] = {
    "TransactWriteItems": "TransactItems", "TransactGetItems": "TransactItems",
    "BatchExecuteStatement": "Statements", "ExecuteTransaction": "TransactStatements",
}  # fmt: skip
# what is wrong with the expressions of these calls the service says in the form of a constraint
_PREFIXED = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_PREFIX = "1 validation error detected: "
_NAME = re.compile(r"[a-zA-Z0-9_.-]+")
_PLACEHOLDER = {"ExpressionAttributeNames": "#", "ExpressionAttributeValues": ":"}
_USED = {"#": re.compile(r"#[^\s#:.,()\[\]=<>+-]+"), ":": re.compile(r":[^\s#:.,()\[\]=<>+-]+")}

CHECKED = frozenset(EXPRESSIONS) | frozenset(_LISTS) | {"BatchGetItem"}


def check(operation: str, body: Document) -> None:
    """Raise ValidationException for a request that the service refuses without looking at a table."""
    if (member := _LISTS.get(operation)) is not None:
        _check_list(member, body.get(member))
    elif operation == "BatchGetItem":
        for request in body["RequestItems"].values():
            check_placeholders("GetItem", request)
    else:
        _check_constraints(body)
        _check_combination(operation, body)
        check_placeholders(operation, body, prefix=_PREFIX if operation in _PREFIXED else "")


def check_table_name(name: str) -> None:
    """A name or an ARN."""
    if name.startswith("arn:"):
        return
    if not _NAME.fullmatch(name):
        raise _constraint(name, "tableName", "satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
    if len(name) < 3:
        raise _constraint(name, "tableName", "have length greater than or equal to 3")
    if len(name) > 255:
        raise _constraint(name, "tableName", "have length less than or equal to 255")


def _constraint(value: object, member: str, rule: str) -> Exception:
    return validation(f"{_PREFIX}Value '{value}' at '{member}' failed to satisfy constraint: Member must {rule}")


def _check_list(member: str, listed: Any) -> None:
    name = member[0].lower() + member[1:]
    if listed is None:
        raise validation(f"{_PREFIX}Value null at '{name}' failed to satisfy constraint: Member must not be null")
    if not listed:
        raise _constraint("[]", name, "have length greater than or equal to 1")


def _check_constraints(body: Document) -> None:
    """A wrong table name is said alone, wrong enumeration values all at once."""
    if (name := body.get("TableName")) is None:
        raise validation(f"{_PREFIX}Value null at 'tableName' failed to satisfy constraint: Member must not be null")
    check_table_name(name)
    problems = [
        f"Value '{body[member]}' at '{name}' failed to satisfy constraint: Member must satisfy enum value set: "
        f"[{', '.join(allowed)}]"
        for name, allowed in _ENUMS.items()
        if (member := name[0].upper() + name[1:]) in body and body[member] not in allowed
    ]
    if "Limit" in body and body["Limit"] < 1:
        problems.append(
            f"Value '{body['Limit']}' at 'limit' failed to satisfy constraint: Member must have value greater than or "
            "equal to 1"
        )
    if problems:
        many = "s" if len(problems) > 1 else ""
        raise validation(f"{len(problems)} validation error{many} detected: {'; '.join(problems)}")


def _check_combination(operation: str, body: Document) -> None:
    newer = [name for name in EXPRESSIONS[operation] if name in body]
    older = [name for name in _OLDER if name in body]
    if newer and older:
        raise validation(
            "Can not use both expression and non-expression parameters in the same request: Non-expression "
            f"parameters: {{{', '.join(older)}}} Expression parameters: {{{', '.join(newer)}}}"
        )


def check_placeholders(operation: str, body: Document, *, prefix: str = "") -> None:
    """The expressions of one request and what they name; `prefix` stands before some of the complaints."""
    texts = {name: str(body[name]) for name in EXPRESSIONS[operation] if body.get(name) is not None}
    for member, sign in _PLACEHOLDER.items():
        if (given := body.get(member)) is not None:
            _check_declared(operation, member, sign, given, texts, prefix)
    for name, text in texts.items():
        if not text:
            raise validation(f"{prefix}Invalid {name}: The expression can not be empty;")
    for member, sign in _PLACEHOLDER.items():
        if given := body.get(member):
            _check_used(prefix, member, given, set(_USED[sign].findall(" ".join(texts.values()))))


def _check_declared(
    operation: str, member: str, sign: str, given: Document, texts: Mapping[str, str], prefix: str
) -> None:
    if not texts:
        none = " and ".join(reversed(EXPRESSIONS[operation]))
        lacking = f": {none} {'is' if ' and ' not in none else 'are'} null" if sign == ":" else ""
        raise validation(f"{member} can only be specified when using expressions{lacking}")
    if not given:
        raise validation(f"{prefix}{member} must not be empty")
    for key, value in given.items():
        if not key.startswith(sign) or len(key) < 2:
            raise validation(f'{member} contains invalid key: Syntax error; key: "{key}"')
        if sign == ":" and (not isinstance(value, dict) or len(value) != 1):
            wrong = "is empty" if not value else "has more than one datatypes set"
            raise validation(
                f"{member} contains invalid value: Supplied AttributeValue {wrong}, must contain exactly one of the "
                f"supported datatypes for key {key}"
            )


def _check_used(prefix: str, member: str, given: Document, used: set[str]) -> None:
    if unused := sorted(set(given) - used):
        raise validation(f"{prefix}Value provided in {member} unused in expressions: keys: {{{', '.join(unused)}}}")
