"""A stored item: immutable, kept in wire form, so that tables, history, backups and replicas can share it."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict

Wire = dict[str, dict[str, Any]]
KeyPart = tuple[str, str]
Key = tuple[KeyPart, ...]


class KeyValue(DynamoType):
    """A checked and normalised key value: hashed once, where moto converts it for each look-up and comparison."""

    def __init__(self, value: dict[str, Any]) -> None:
        ((kind, content),) = value.items()
        self.type, self.value = kind, content
        self._hash = hash((kind, Decimal(content) if kind == "N" else content))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, KeyValue):
            return self.value == other.value and self.type == other.type
        return isinstance(other, DynamoType) and DynamoType.__eq__(self, other)

    def __deepcopy__(self, memo: dict[int, Any]) -> KeyValue:
        return self


class StoredItem(Item):
    """moto's Item over a checked and normalised wire item. Never changed in place, hence never copied."""

    hash_key: KeyValue
    range_key: KeyValue | None = None
    _attrs: LimitedSizeDict | None = None
    _raw: bytes | None = None

    def __new__(cls, *_args: Any, **_kwargs: Any) -> StoredItem:
        # moto's base class keeps every instance for its dashboard, for ever
        return object.__new__(cls)

    def __init__(self, key_names: list[str], wire: Wire, size_bytes: int) -> None:
        self.wire = wire
        self.size_bytes = size_bytes
        self.hash_key = first = KeyValue(wire[key_names[0]])
        if len(key_names) > 1:
            self.range_key = second = KeyValue(wire[key_names[1]])
            self.key: Key = ((first.type, first.value), (second.type, second.value))
        else:
            self.key = ((first.type, first.value),)

    @property
    def attrs(self) -> LimitedSizeDict:  # type: ignore[override]
        """moto's typed view, built when an expression needs it."""
        if self._attrs is None:
            self._attrs = LimitedSizeDict.__new__(LimitedSizeDict)
            for name, value in self.wire.items():
                dict.__setitem__(self._attrs, name, DynamoType(value))
        return self._attrs

    @property
    def raw(self) -> bytes:
        """The item as JSON."""
        if self._raw is None:
            self._raw = orjson.dumps(self.wire)
        return self._raw

    def size(self) -> int:
        return self.size_bytes

    def to_json(self, root_attr_name: str = "Attributes") -> dict[str, Any]:
        # moto's serializer encodes binaries once more: it must be given bytes
        return {root_attr_name: with_bytes(self.wire)}

    def __deepcopy__(self, memo: dict[int, Any]) -> StoredItem:
        return self

    def as_mutable(self) -> Item:
        """A moto item of its own, for an update to work on."""
        item: Item = object.__new__(Item)
        item.hash_key, item.range_key, item.attrs = self.hash_key, self.range_key, LimitedSizeDict()
        for name, value in copy.deepcopy(self.wire).items():
            item.attrs[name] = DynamoType(value)
        return item


def with_bytes(value: Any) -> Any:
    """A wire item or request with binaries as bytes, as moto's responses want them."""
    return _binaries(value, lambda one: base64.b64decode(one) if isinstance(one, str) else one)


def with_text(value: Any) -> Any:
    """The same with binaries as base64 text, as they are stored and compared here."""
    return _binaries(value, _text)


def _binaries(value: Any, convert: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        if len(value) == 1:
            ((name, content),) = value.items()
            if name == "B" and isinstance(content, str | bytes):
                return {"B": convert(content)}
            if name == "BS" and isinstance(content, list):
                return {"BS": [convert(one) for one in content]}
        return {name: _binaries(one, convert) for name, one in value.items()}
    return [_binaries(one, convert) for one in value] if isinstance(value, list) else value


def key_of(key_names: list[str], wire: Wire) -> Key:
    """A plain, hashable key; values are normalised, so equal keys are equal texts."""
    return tuple([next(iter(wire[name].items())) for name in key_names])


def key_values(key_names: list[str], wire: Wire) -> tuple[KeyValue, KeyValue | None]:
    """The key as tables look it up."""
    return KeyValue(wire[key_names[0]]), KeyValue(wire[key_names[1]]) if len(key_names) > 1 else None


def plain_wire(attrs: dict[str, Any]) -> Wire:
    """Attributes in moto's types (or already plain) as wire JSON, binaries as base64 text."""
    return {name: _plain(value) for name, value in attrs.items()}


def _plain(value: Any) -> dict[str, Any]:
    kind, content = (value.type, value.value) if isinstance(value, DynamoType) else next(iter(value.items()))
    if kind == "M":
        return {"M": {name: _plain(one) for name, one in content.items()}}
    if kind == "L":
        return {"L": [_plain(one) for one in content]}
    if kind in ("SS", "NS", "BS"):
        return {kind: [_text(one) for one in content]}
    return {kind: _text(content) if kind == "B" else content}


def _text(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def sort_value(part: dict[str, Any]) -> Any:
    """A key value in the order DynamoDB sorts it: numbers by value, strings by UTF-8, binaries by byte."""
    kind, value = next(iter(part.items()))
    if kind == "N":
        return Decimal(value)
    return base64.b64decode(value) if kind == "B" else value.encode()
