"""The shape of a configured table: keys, indexes and time to live from JSON; ConfigError names the member."""

import re
from collections.abc import Mapping
from typing import Any

from infra import schema
from infra.keys import ConfigError
from infra.schema import Attribute, IndexSchema, LocalIndexSchema, Projection, TableSchema

PHYSICAL_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
NO_TTL = "-"
_INDEX_MEMBERS = {"name", "partitionKey", "sortKey", "projection", "include"}
_LOCAL_INDEX_MEMBERS = {"name", "sortKey", "projection", "include"}
_PROJECTIONS = ("ALL", "KEYS_ONLY", "INCLUDE")
# DynamoDB's quotas per table; that of global secondary indexes can be raised, the others cannot.
_MAXIMUM_INDEXES = 20
_MAXIMUM_LOCAL_INDEXES = 5
_MAXIMUM_INCLUDED, _MAXIMUM_INCLUDED_IN_ALL = 20, 100
_ATTRIBUTE_BYTES = 255


def table_schema(where: str, logical: str, members: Mapping[str, Any], defaults: Mapping[str, Any]) -> TableSchema:
    """Keys, indexes and time to live of one table; `where` is the path that a ConfigError begins with."""
    builtin = schema.TOP_TRACKS if logical == schema.TABLE else None
    if builtin is None and "partitionKey" not in members:
        raise ConfigError(f"{where}.partitionKey: missing")
    if builtin is not None and {"partitionKey", "sortKey"} & set(members):
        raise ConfigError(f"{where}.partitionKey: the keys of {logical} are fixed: the loader writes by them")
    found = TableSchema(
        logical=logical,
        partition_key=builtin.partition_key if builtin else _key(where, "partitionKey", members["partitionKey"]),
        sort_key=builtin.sort_key if builtin else _optional_key(where, "sortKey", members),
        indexes=_indexes(where, members["indexes"]) if "indexes" in members else builtin.indexes if builtin else (),
        ttl_attribute=_ttl(where, members.get("ttlAttribute", defaults["ttlAttribute"] if builtin else NO_TTL)),
        local_indexes=_local_indexes(where, members.get("localIndexes", [])),
    )
    _check(where, found)
    return found


def _check(where: str, found: TableSchema) -> None:
    if found.local_indexes and found.sort_key is None:
        raise ConfigError(f"{where}.localIndexes: a table without a sort key takes none")
    _differ(f"{where}.sortKey", found.partition_key, found.sort_key)
    for at, local in enumerate(found.local_indexes):
        _differ(f"{where}.localIndexes[{at}].sortKey", found.partition_key, local.sort_key)
    for at, index in enumerate(found.indexes):
        _differ(f"{where}.indexes[{at}].sortKey", index.partition_key, index.sort_key)
    both: list[IndexSchema | LocalIndexSchema] = [*found.indexes, *found.local_indexes]
    if len({index.name for index in both}) != len(both):
        raise ConfigError(f"{where}.indexes: two indexes share a name")
    if sum(len(index.include) for index in both) > _MAXIMUM_INCLUDED_IN_ALL:
        raise ConfigError(
            f"{where}.indexes: the indexes of a table include {_MAXIMUM_INCLUDED_IN_ALL} attributes at most"
        )
    try:
        keys = {attribute.name: attribute.type for attribute in found.key_attributes()}
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
    if found.ttl_attribute and keys.get(found.ttl_attribute, "N") != "N":
        kind = keys[found.ttl_attribute]
        raise ConfigError(f"{where}.ttlAttribute: {found.ttl_attribute} is a key of type {kind}, an expiry is a number")


def _differ(where: str, partition_key: Attribute, sort_key: Attribute | None) -> None:
    if sort_key and sort_key.name == partition_key.name:
        raise ConfigError(f"{where}: {sort_key.name} is the partition key already")


def _ttl(where: str, given: Any) -> str | None:
    if given in (NO_TTL, ""):
        return None
    if not _is_attribute(given):
        raise ConfigError(f"{where}.ttlAttribute: {given!r} is not the name of an attribute")
    return str(given)


def _is_attribute(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name.encode()) <= _ATTRIBUTE_BYTES


def _indexes(where: str, declared: Any) -> tuple[IndexSchema, ...]:
    if not isinstance(declared, list) or len(declared) > _MAXIMUM_INDEXES:
        raise ConfigError(f"{where}.indexes: expected a list of at most {_MAXIMUM_INDEXES} indexes")
    return tuple(_index(f"{where}.indexes[{at}]", entry) for at, entry in enumerate(declared))


def _local_indexes(where: str, declared: Any) -> tuple[LocalIndexSchema, ...]:
    if not isinstance(declared, list) or len(declared) > _MAXIMUM_LOCAL_INDEXES:
        raise ConfigError(f"{where}.localIndexes: expected a list of at most {_MAXIMUM_LOCAL_INDEXES} indexes")
    found = []
    for at, entry in enumerate(declared):
        place = f"{where}.localIndexes[{at}]"
        name, projection, include = _index_basics(place, entry, _LOCAL_INDEX_MEMBERS, "sortKey")
        found.append(LocalIndexSchema(name, _key(place, "sortKey", entry["sortKey"]), projection, include))
    return tuple(found)


def _index(where: str, entry: Any) -> IndexSchema:
    name, projection, include = _index_basics(where, entry, _INDEX_MEMBERS, "partitionKey")
    return IndexSchema(
        name=name,
        partition_key=_key(where, "partitionKey", entry["partitionKey"]),
        sort_key=_optional_key(where, "sortKey", entry),
        projection=projection,
        include=include,
    )


def _index_basics(where: str, entry: Any, known: set[str], key: str) -> tuple[str, Projection, tuple[str, ...]]:
    """Name and projection, which both kinds of index have; `key` is the member that must be there."""
    expect_members(where, entry, known)
    for required in ("name", key):
        if required not in entry:
            raise ConfigError(f"{where}.{required}: missing")
    if not PHYSICAL_NAME.fullmatch(str(entry["name"])):
        raise ConfigError(f"{where}.name: {entry['name']!r} is not an index name")
    projection = entry.get("projection", "ALL")
    if projection not in _PROJECTIONS:
        raise ConfigError(f"{where}.projection: {projection!r} is not one of {', '.join(_PROJECTIONS)}")
    include = entry.get("include", [])
    if not isinstance(include, list) or not all(map(_is_attribute, include)) or len(include) > _MAXIMUM_INCLUDED:
        raise ConfigError(f"{where}.include: expected a list of at most {_MAXIMUM_INCLUDED} names of attributes")
    if bool(include) != (projection == "INCLUDE"):
        raise ConfigError(f"{where}.include: belongs to projection INCLUDE, and to it alone")
    return str(entry["name"]), projection, tuple(include)


def _optional_key(where: str, member: str, members: Mapping[str, Any]) -> Attribute | None:
    return _key(where, member, members[member]) if member in members else None


def _key(where: str, member: str, value: Any) -> Attribute:
    """A key attribute: its name, or an object of name and type (S, N or B)."""
    found: Any = {"name": value} if isinstance(value, str) else value
    expect_members(f"{where}.{member}", found, {"name", "type"})
    kind = found.get("type", "S")
    if not _is_attribute(found.get("name")) or kind not in ("S", "N", "B"):
        raise ConfigError(f"{where}.{member}: expected a name, or a name with a type S, N or B")
    return Attribute(found["name"], kind)


def expect_members(where: str, found: Any, known: set[str]) -> None:
    if not isinstance(found, dict):
        raise ConfigError(f"{where}: expected an object")
    unknown = sorted(set(found) - known)
    if unknown:
        raise ConfigError(f"{where}.{unknown[0]}: unknown member; known are {', '.join(sorted(known))}")
