"""Tables by configuration: a JSON object of logical names becomes settings; ConfigError names the member."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra import schema
from infra.environment import BillingMode, Objectives, TableClass
from infra.keys import KEYS, ConfigError
from infra.schema import Attribute, IndexSchema, TableSchema

NO_TTL = "-"
_PHYSICAL_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_LOGICAL_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_OVERRIDES = (
    "billingMode", "readCapacity", "writeCapacity", "maximumReadCapacity", "maximumWriteCapacity",
    "scaleInCooldownSeconds", "scaleOutCooldownSeconds", "tableClass", "pitrDays", "tableKmsKeyArn",
    "rtoSeconds", "rpoSeconds", "maximumLostItems",
)  # fmt: skip
_MEMBERS = {"physical", "partitionKey", "sortKey", "indexes", "ttlAttribute", *_OVERRIDES}
_INDEX_MEMBERS = {"name", "partitionKey", "sortKey", "projection", "include"}
_PROJECTIONS = ("ALL", "KEYS_ONLY", "INCLUDE")
_MAXIMUM_INDEXES = 20  # DynamoDB default quota of global secondary indexes per table


@dataclass(frozen=True, slots=True)
class Capacity:
    """Provisioned units: the declared floor and the ceiling of scaling."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class TableSettings:
    """A table as configured; capacities count for the table and for each index."""

    schema: TableSchema
    physical: str
    billing_mode: BillingMode
    read: Capacity
    write: Capacity
    scale_in_cooldown_s: int
    scale_out_cooldown_s: int
    table_class: TableClass
    pitr_days: int
    kms_key_arn: str | None
    objectives: Objectives

    @property
    def logical(self) -> str:
        return self.schema.logical

    @property
    def provisioned(self) -> bool:
        return self.billing_mode == "PROVISIONED"


def parse_tables(declared: Any, defaults: Mapping[str, Any]) -> tuple[TableSettings, ...]:
    """The tables in `declared` (member objects by logical name), completed from the stack's `defaults`."""
    if not isinstance(declared, dict) or not declared:
        raise ConfigError("tables: expected a JSON object with at least one table")
    return tuple(_table(logical, members, defaults) for logical, members in declared.items())


def with_capacity_checked(table: TableSettings) -> TableSettings:
    """The table itself; ConfigError when a scaling floor lies above its ceiling."""
    for dimension, capacity in (("Read", table.read), ("Write", table.write)):
        if table.provisioned and capacity.minimum > capacity.maximum:
            raise ConfigError(
                f"maximum{dimension}Capacity: {capacity.maximum} is below {dimension.lower()}Capacity "
                f"({capacity.minimum}) of table {table.logical}"
            )
    return table


def _table(logical: str, members: Any, defaults: Mapping[str, Any]) -> TableSettings:
    where = f"tables.{logical}"
    _expect_members(where, members, _MEMBERS)
    if not _LOGICAL_NAME.fullmatch(logical):
        raise ConfigError(f"{where}: a logical name is lower case letters, digits and _")
    of = {name: _override(where, name, members, defaults) for name in _OVERRIDES}
    builtin = logical == schema.TABLE
    physical = members.get("physical", defaults["tableName"] if builtin else logical)
    if not _PHYSICAL_NAME.fullmatch(str(physical)):
        raise ConfigError(f"{where}.physical: {physical!r} is not a table name (3 to 255 of a-z A-Z 0-9 _ . -)")
    return TableSettings(
        schema=_schema(where, logical, members, defaults),
        physical=physical,
        billing_mode=of["billingMode"],
        read=Capacity(of["readCapacity"], of["maximumReadCapacity"]),
        write=Capacity(of["writeCapacity"], of["maximumWriteCapacity"]),
        scale_in_cooldown_s=of["scaleInCooldownSeconds"],
        scale_out_cooldown_s=of["scaleOutCooldownSeconds"],
        table_class=of["tableClass"],
        pitr_days=of["pitrDays"],
        kms_key_arn=of["tableKmsKeyArn"] or None,
        objectives=Objectives(float(of["rtoSeconds"]), float(of["rpoSeconds"]), of["maximumLostItems"]),
    )


def _override(where: str, name: str, members: Mapping[str, Any], defaults: Mapping[str, Any]) -> Any:
    if name not in members:
        return defaults[name]
    return KEYS[name].parse(f"{where}.{name}", str(members[name]))


def _schema(where: str, logical: str, members: Mapping[str, Any], defaults: Mapping[str, Any]) -> TableSchema:
    builtin = schema.TOP_TRACKS if logical == schema.TABLE else None
    if builtin is None and "partitionKey" not in members:
        raise ConfigError(f"{where}.partitionKey: missing")
    if builtin is not None and {"partitionKey", "sortKey"} & set(members):
        raise ConfigError(f"{where}.partitionKey: the keys of {logical} are fixed: the loader writes by them")
    ttl = members.get("ttlAttribute", defaults["ttlAttribute"] if builtin else NO_TTL)
    found = TableSchema(
        logical=logical,
        partition_key=builtin.partition_key if builtin else _key(where, "partitionKey", members["partitionKey"]),
        sort_key=builtin.sort_key if builtin else _optional_key(where, "sortKey", members),
        indexes=_indexes(where, members["indexes"]) if "indexes" in members else builtin.indexes if builtin else (),
        ttl_attribute=None if ttl in (NO_TTL, "") else str(ttl),
    )
    try:
        found.key_attributes()
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
    return found


def _indexes(where: str, declared: Any) -> tuple[IndexSchema, ...]:
    if not isinstance(declared, list) or len(declared) > _MAXIMUM_INDEXES:
        raise ConfigError(f"{where}.indexes: expected a list of at most {_MAXIMUM_INDEXES} indexes")
    found = tuple(_index(f"{where}.indexes[{at}]", entry) for at, entry in enumerate(declared))
    names = [index.name for index in found]
    if len(set(names)) != len(names):
        raise ConfigError(f"{where}.indexes: two indexes share a name")
    return found


def _index(where: str, entry: Any) -> IndexSchema:
    _expect_members(where, entry, _INDEX_MEMBERS)
    for required in ("name", "partitionKey"):
        if required not in entry:
            raise ConfigError(f"{where}.{required}: missing")
    if not _PHYSICAL_NAME.fullmatch(str(entry["name"])):
        raise ConfigError(f"{where}.name: {entry['name']!r} is not an index name")
    projection = entry.get("projection", "ALL")
    if projection not in _PROJECTIONS:
        raise ConfigError(f"{where}.projection: {projection!r} is not one of {', '.join(_PROJECTIONS)}")
    include = tuple(entry.get("include", ()))
    if bool(include) != (projection == "INCLUDE"):
        raise ConfigError(f"{where}.include: belongs to projection INCLUDE, and to it alone")
    return IndexSchema(
        name=entry["name"],
        partition_key=_key(where, "partitionKey", entry["partitionKey"]),
        sort_key=_optional_key(where, "sortKey", entry),
        projection=projection,
        include=include,
    )


def _optional_key(where: str, member: str, members: Mapping[str, Any]) -> Attribute | None:
    return _key(where, member, members[member]) if member in members else None


def _key(where: str, member: str, value: Any) -> Attribute:
    """A key attribute: its name, or an object of name and type (S, N or B)."""
    found: Any = {"name": value} if isinstance(value, str) else value
    _expect_members(f"{where}.{member}", found, {"name", "type"})
    kind = found.get("type", "S")
    if not found.get("name") or kind not in ("S", "N", "B"):
        raise ConfigError(f"{where}.{member}: expected a name, or a name with a type S, N or B")
    return Attribute(found["name"], kind)


def _expect_members(where: str, found: Any, known: set[str]) -> None:
    if not isinstance(found, dict):
        raise ConfigError(f"{where}: expected an object")
    unknown = sorted(set(found) - known)
    if unknown:
        raise ConfigError(f"{where}.{unknown[0]}: unknown member; known are {', '.join(sorted(known))}")
