"""Tables by configuration: a JSON object of logical names becomes settings; ConfigError names the member."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra import schema
from infra.environment import BillingMode, Objectives, TableClass
from infra.keys import KEYS, ConfigError
from infra.schema import TableSchema
from infra.scope import DRILL_PREFIX
from infra.shape import PHYSICAL_NAME, expect_members, table_schema

_LOGICAL_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_OVERRIDES = (
    "billingMode", "readCapacity", "writeCapacity", "maximumReadCapacity", "maximumWriteCapacity",
    "scaleInCooldownSeconds", "scaleOutCooldownSeconds", "tableClass", "pitrDays", "tableKmsKeyArn",
    "replicaKmsKeyArns", "replicaRegions", "kinesisStreamArn", "onDemandMaximumReadUnits", "onDemandMaximumWriteUnits",
    "rtoSeconds", "rpoSeconds", "maximumLostItems",
)  # fmt: skip
MEMBERS = {"physical", "partitionKey", "sortKey", "indexes", "localIndexes", "ttlAttribute", *_OVERRIDES}


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
    def kms_key_arns(self) -> tuple[str, ...]:
        """The customer keys of the table and of its replicas; none under the AWS managed key."""
        if self.kms_key_arn is None:
            return ()
        return (self.kms_key_arn, *(self.replica_kms_key_arns[region] for region in self.replica_regions))

    @property
    def provisioned(self) -> bool:
        return self.billing_mode == "PROVISIONED"


def parse_tables(declared: Any, defaults: Mapping[str, Any]) -> tuple[TableSettings, ...]:
    """The tables in `declared` (member objects by logical name), completed from the stack's `defaults`."""
    if not isinstance(declared, dict) or not declared:
        raise ConfigError("tables: expected a JSON object with at least one table")
    return tuple(_table(logical, members, defaults) for logical, members in declared.items())


def _table(logical: str, members: Any, defaults: Mapping[str, Any]) -> TableSettings:
    where = f"tables.{logical}"
    expect_members(where, members, MEMBERS)
    if not _LOGICAL_NAME.fullmatch(logical):
        raise ConfigError(f"{where}: a logical name is lower case letters, digits and _")
    of = {name: _override(where, name, members, defaults) for name in _OVERRIDES}
    builtin = logical == schema.TABLE
    physical = members.get("physical", defaults["tableName"] if builtin else logical)
    if not isinstance(physical, str) or not PHYSICAL_NAME.fullmatch(physical):
        raise ConfigError(f"{where}.physical: {physical!r} is not a table name (3 to 255 of a-z A-Z 0-9 _ . -)")
    if physical.startswith(DRILL_PREFIX):
        raise ConfigError(f"{where}.physical: {physical!r} belongs to the drills, which may change and delete it")
    return TableSettings(
        schema=table_schema(where, logical, members, defaults),
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
