"""A table as the data plane needs to know it: its keys, its indexes, its TTL attribute."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.aws import ControlPlane
from ops.dynamodb.scan import DEFAULT_SEGMENTS
from ops.errors import OpsError, ResourceNotFound, TableNotFound
from ops.model.items import KeySchema

#: A segment for every 32 pages; so many pages on their way at once keep one process busy.
SEGMENT_BYTES, MOST_SEGMENTS = 32 * 1024 * 1024, 32


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index: its keys, and which attributes it holds."""

    name: str
    keys: KeySchema
    projection: str
    include: tuple[str, ...]
    is_global: bool
    #: Zero when it shares the table's, or is on demand.
    read_capacity: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """DescribeTable and DescribeTimeToLive of one table."""

    name: str
    region: str
    arn: str
    table_id: str
    status: str
    keys: KeySchema
    indexes: Mapping[str, Index]
    ttl_attribute: str | None
    provisioned: bool
    read_capacity: int
    #: Indexes with more than one partition or sort key (AWS allows four each): named, not read.
    several_keys: tuple[str, ...] = ()
    write_capacity: int = 0
    #: Segments that a whole scan is worth. AWS's figure of the size may be six hours old; here it is only a hint.
    segments: int = DEFAULT_SEGMENTS

    def read_capacity_of(self, index: str | None) -> int:
        """Provisioned read units of the table, or of an index that has its own; zero on demand."""
        if index is None or not self.index(index).is_global:
            return self.read_capacity
        return self.index(index).read_capacity

    def index(self, name: str) -> Index:
        """The index of that name; the error lists those that exist."""
        if name in self.several_keys:
            raise ResourceNotFound(
                f"index '{name}' of table {self.name} has several partition or sort keys",
                why="this version reads indexes with one partition key and at most one sort key",
            )
        if name not in self.indexes:
            known = ", ".join(sorted(self.indexes)) or "none"
            raise ResourceNotFound(f"table {self.name} has no index '{name}'", fix=(f"indexes: {known}",))
        return self.indexes[name]


def describe_table(control: ControlPlane, name: str, region: str | None = None) -> Table:
    """Read the table; a missing one is an error that names the near ones."""
    try:
        found: dict[str, Any] = control.call("dynamodb", "describe_table", region=region, TableName=name)["Table"]
    except TableNotFound as error:
        raise _not_found(control, name, region) from error
    types = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
    local = [(one, False) for one in found.get("LocalSecondaryIndexes", ())]
    indexes = [(one, True) for one in found.get("GlobalSecondaryIndexes", ())] + local
    return Table(
        name=name,
        region=region or control.region,
        arn=found["TableArn"],
        table_id=found.get("TableId", ""),
        status=found["TableStatus"],
        keys=_keys(found["KeySchema"], types),
        indexes={one["IndexName"]: _index(one, types, is_global) for one, is_global in indexes if _single(one)},
        several_keys=tuple(one["IndexName"] for one, _ in indexes if not _single(one)),
        ttl_attribute=_ttl(control, name, region) if found["TableStatus"] == "ACTIVE" else None,
        provisioned=found.get("BillingModeSummary", {}).get("BillingMode") != "PAY_PER_REQUEST",
        read_capacity=int(found.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0)),
        write_capacity=int(found.get("ProvisionedThroughput", {}).get("WriteCapacityUnits", 0)),
        segments=segments_for(int(found.get("TableSizeBytes", 0))),
    )


def segments_for(size_bytes: int) -> int:
    """Segments of a scan of about so many bytes: few for a small table, since each costs a request at least."""
    return max(DEFAULT_SEGMENTS, min(MOST_SEGMENTS, size_bytes // SEGMENT_BYTES))


def _not_found(control: ControlPlane, name: str, region: str | None) -> TableNotFound:
    where = region or control.region
    try:
        names = [str(one) for one in control.pages("dynamodb", "list_tables", "TableNames", region=region)]
    except OpsError:  # the right to list is not needed to read a table; without it there is no suggestion
        names = []
    near = difflib.get_close_matches(name, names, n=3)
    fix = (f"did you mean {', '.join(near)}?", "ops list tables") if near else ("ops list tables",)
    return TableNotFound(f"table not found: {name} in {where}", fix=fix)


def _keys(schema: list[dict[str, str]], types: dict[str, str]) -> KeySchema:
    by_kind = {one["KeyType"]: one["AttributeName"] for one in schema}
    sort = by_kind.get("RANGE")
    return KeySchema(by_kind["HASH"], types[by_kind["HASH"]], sort, types[sort] if sort else None)


def _single(index: dict[str, Any]) -> bool:
    kinds = [one["KeyType"] for one in index["KeySchema"]]
    return len(kinds) == len(set(kinds))


def _index(found: dict[str, Any], types: dict[str, str], is_global: bool) -> Index:
    projection = found["Projection"]
    return Index(
        name=found["IndexName"],
        keys=_keys(found["KeySchema"], types),
        projection=projection["ProjectionType"],
        include=tuple(projection.get("NonKeyAttributes", ())),
        is_global=is_global,
        read_capacity=int(found.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0)),
    )


def _ttl(control: ControlPlane, name: str, region: str | None) -> str | None:
    answer = control.call("dynamodb", "describe_time_to_live", region=region, TableName=name)
    described = answer["TimeToLiveDescription"]
    attribute: str | None = described.get("AttributeName")
    return attribute if described.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None
