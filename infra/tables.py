"""Tables by configuration: a JSON object of logical names becomes settings; ConfigError names the member."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra import schema
from infra.environment import BillingMode, Objectives, TableClass
from infra.keys import KEYS, ConfigError
from infra.schema import Attribute, IndexSchema, LocalIndexSchema, Projection, TableSchema

NO_TTL = "-"
_PHYSICAL_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_LOGICAL_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_OVERRIDES = (
    "billingMode", "readCapacity", "writeCapacity", "maximumReadCapacity", "maximumWriteCapacity",
    "scaleInCooldownSeconds", "scaleOutCooldownSeconds", "tableClass", "pitrDays", "tableKmsKeyArn",
    "replicaKmsKeyArns", "replicaRegions", "kinesisStreamArn", "onDemandMaximumReadUnits", "onDemandMaximumWriteUnits",
    "rtoSeconds", "rpoSeconds", "maximumLostItems",
)  # fmt: skip
_MEMBERS = {"physical", "partitionKey", "sortKey", "indexes", "localIndexes", "ttlAttribute", *_OVERRIDES}
_INDEX_MEMBERS = {"name", "partitionKey", "sortKey", "projection", "include"}
_LOCAL_INDEX_MEMBERS = {"name", "sortKey", "projection", "include"}
_PROJECTIONS = ("ALL", "KEYS_ONLY", "INCLUDE")
_MAXIMUM_INDEXES = 20  # DynamoDB default quota of global secondary indexes per table
_MAXIMUM_LOCAL_INDEXES = 5  # DynamoDB quota of local secondary indexes per table, fixed
_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):\d{12}:key/[A-Za-z0-9-]+")
_STREAM_ARN = re.compile(r"arn:aws[a-z-]*:kinesis:[a-z0-9-]+:\d{12}:stream/[A-Za-z0-9_.-]+")


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
    on_demand_reads: int | None = None
    on_demand_writes: int | None = None
    replica_regions: tuple[str, ...] = ()
    replica_kms_key_arns: Mapping[str, str] = field(default_factory=dict)
    kinesis_stream_arn: str | None = None
    adopt: bool = False

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


def check_table(table: TableSettings) -> None:
    """ConfigError when settings of one table contradict one another."""
    where = f"tables.{table.logical}"
    for dimension, capacity in (("Read", table.read), ("Write", table.write)):
        if table.provisioned and capacity.minimum > capacity.maximum:
            raise ConfigError(
                f"maximum{dimension}Capacity: {capacity.maximum} is below {dimension.lower()}Capacity "
                f"({capacity.minimum}) of table {table.logical}"
            )
    for dimension, maximum in (("Read", table.on_demand_reads), ("Write", table.on_demand_writes)):
        if table.provisioned and maximum:
            raise ConfigError(f"onDemandMaximum{dimension}Units: table {table.logical} is PROVISIONED")
    if table.kinesis_stream_arn and not _STREAM_ARN.fullmatch(table.kinesis_stream_arn):
        raise ConfigError(f"kinesisStreamArn: {table.kinesis_stream_arn!r} is not the ARN of a stream")
    _check_keys(where, table)


def _check_keys(where: str, table: TableSettings) -> None:
    """A KMS key serves one Region: a table under a customer key needs one for each of its replicas."""
    keys = {} if table.kms_key_arn is None else dict(table.replica_kms_key_arns)
    for region, arn in keys.items():
        found = _KEY_ARN.fullmatch(str(arn))
        if found is None or found["region"] != region:
            raise ConfigError(f"replicaKmsKeyArns.{region}: {arn!r} is not the ARN of a KMS key in {region}")
    if table.kms_key_arn is None and table.replica_kms_key_arns:
        raise ConfigError(
            f"replicaKmsKeyArns: table {table.logical} has the AWS managed key; set tableKmsKeyArn as well"
        )
    if table.kms_key_arn:
        if not _KEY_ARN.fullmatch(table.kms_key_arn):
            raise ConfigError(f"tableKmsKeyArn: {table.kms_key_arn!r} is not the ARN of a KMS key")
        missing = [region for region in table.replica_regions if region not in keys]
        if missing:
            raise ConfigError(f"replicaKmsKeyArns: {where} has a replica in {missing[0]} and no key there")


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
        on_demand_reads=of["onDemandMaximumReadUnits"] or None,
        on_demand_writes=of["onDemandMaximumWriteUnits"] or None,
        replica_regions=of["replicaRegions"],
        replica_kms_key_arns=_keys_by_region(of["replicaKmsKeyArns"]),
        kinesis_stream_arn=of["kinesisStreamArn"] or None,
        adopt=logical in defaults["adoptTables"],
    )


def _override(where: str, name: str, members: Mapping[str, Any], defaults: Mapping[str, Any]) -> Any:
    if name not in members:
        return defaults[name]
    given = members[name]
    text = json.dumps(given) if isinstance(given, dict | list) else str(given)
    return KEYS[name].parse(f"{where}.{name}", text)


def _keys_by_region(text: str) -> dict[str, str]:
    try:
        found = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise ConfigError(f"replicaKmsKeyArns: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError("replicaKmsKeyArns: expected a JSON object of keys by Region")
    return found


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
        local_indexes=_local_indexes(where, members.get("localIndexes", [])),
    )
    if found.local_indexes and found.sort_key is None:
        raise ConfigError(f"{where}.localIndexes: a table without a sort key takes none")
    names = [*(index.name for index in found.indexes), *(index.name for index in found.local_indexes)]
    if len(set(names)) != len(names):
        raise ConfigError(f"{where}.indexes: two indexes share a name")
    try:
        found.key_attributes()
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
    return found


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
    _expect_members(where, entry, known)
    for required in ("name", key):
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
    return str(entry["name"]), projection, include


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
