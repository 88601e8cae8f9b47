"""What an item and a key must satisfy before they are stored or looked up.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html (keys, sizes) and
docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html (key and index key types).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.dynamodb.exceptions import (
    HashKeyTooLong,
    ItemSizeTooLarge,
    ProvidedKeyDoesNotExist,
    RangeKeyTooLong,
)
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.errors import validation
from ops.sandbox.aws.items import StoredItem, Wire
from ops.sandbox.aws.values import checked_value

MAX_ITEM_BYTES = 409_600
MAX_PARTITION_KEY_BYTES = 2_048
MAX_SORT_KEY_BYTES = 1_024

_INVALID = "One or more parameter values were invalid: "
_NOT_VALID = "One or more parameter values are not valid. "
_EMPTY = "The AttributeValue for a key attribute cannot contain an empty"


@dataclass(frozen=True, slots=True)
class KeyRule:
    """One key attribute of the table (`index` None) or of an index."""

    name: str
    kind: str
    partition: bool
    index: str | None = None

    @property
    def limit_bytes(self) -> int:
        """Longest value allowed."""
        return MAX_PARTITION_KEY_BYTES if self.partition else MAX_SORT_KEY_BYTES


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """Every key rule of a table, computed once per request."""

    names: list[str]
    own: tuple[KeyRule, ...]
    indexes: tuple[KeyRule, ...]


def key_plan(table: Table) -> KeyPlan:
    """The rules of this table and its indexes as they are now."""
    kinds = {one["AttributeName"]: one["AttributeType"] for one in table.attr}

    def rules(schema: list[dict[str, str]], index: str | None) -> list[KeyRule]:
        return [
            KeyRule(one["AttributeName"], kinds[one["AttributeName"]], one["KeyType"] == "HASH", index)
            for one in schema
        ]

    own = sorted(rules(table.schema, None), key=lambda rule: not rule.partition)
    indexes = [rule for index in table.all_indexes() for rule in rules(index.schema, index.name)]
    return KeyPlan([rule.name for rule in own], tuple(own), tuple(indexes))


def checked_item(plan: KeyPlan, attributes: Wire) -> StoredItem:
    """The item as DynamoDB stores it, or the error DynamoDB answers. It keeps what it was given: change nothing."""
    for rule in plan.own:
        if rule.name not in attributes:
            raise validation(f"{_INVALID}Missing the key {rule.name} in the item")
    changed: Wire = {}
    total = 0
    for name, value in attributes.items():
        kept, size = checked_value(value)
        if kept is not value:
            changed[name] = kept
        total += (len(name) if name.isascii() else len(name.encode())) + size
    wire = {**attributes, **changed} if changed else attributes
    for rule in plan.own:
        _check_key(rule, wire[rule.name])
    for rule in plan.indexes:
        if rule.name in wire:
            _check_index_key(rule, wire[rule.name])
    if total > MAX_ITEM_BYTES:
        raise ItemSizeTooLarge
    return StoredItem(plan.names, wire, total)


def checked_key(plan: KeyPlan, key: Wire) -> Wire:
    """Exactly the key attributes, typed and normalised."""
    if set(key) != set(plan.names):
        raise ProvidedKeyDoesNotExist
    wire: Wire = {}
    for rule in plan.own:
        wire[rule.name], _ = checked_value(key[rule.name])
        if rule.kind not in wire[rule.name]:
            raise ProvidedKeyDoesNotExist
        _check_key(rule, wire[rule.name])
    return wire


def _check_key(rule: KeyRule, value: dict[str, Any]) -> None:
    if _surely_fits(rule, value):
        return
    ((kind, content),) = value.items()
    if kind != rule.kind:
        raise validation(f"{_INVALID}Type mismatch for key {rule.name} expected: {rule.kind} actual: {kind}")
    if not content:
        raise validation(f"{_NOT_VALID}{_EMPTY} {_word(kind)} value. Key: {rule.name}")
    if checked_value(value)[1] > rule.limit_bytes:
        raise HashKeyTooLong if rule.partition else RangeKeyTooLong


def _check_index_key(rule: KeyRule, value: dict[str, Any]) -> None:
    if _surely_fits(rule, value):
        return
    ((kind, content),) = value.items()
    if kind != rule.kind:
        raise validation(
            f"{_INVALID}Type mismatch for Index Key {rule.name} Expected: {rule.kind} Actual: {kind} "
            f"IndexName: {rule.index}"
        )
    if not content:
        raise validation(
            f"{_NOT_VALID}A value specified for a secondary index key is not supported. "
            f"{_EMPTY} {_word(kind)} value. IndexName: {rule.index}, IndexKey: {rule.name}"
        )
    if checked_value(value)[1] > rule.limit_bytes:
        raise HashKeyTooLong if rule.partition else RangeKeyTooLong


def _surely_fits(rule: KeyRule, value: dict[str, Any]) -> bool:
    """Of the right type, not empty, and short enough for any key: no character takes more than four bytes."""
    content = value.get(rule.kind)
    return content is not None and 0 < 4 * len(content) <= MAX_SORT_KEY_BYTES


def _word(kind: str) -> str:
    return "binary" if kind == "B" else "string"
