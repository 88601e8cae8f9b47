"""`ops get`, `ops query`, `ops scan`: items of a table, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ops.dynamodb.attributes import Unacceptable, key_value
from ops.dynamodb.capacity import CapacityLimit
from ops.dynamodb.client import DataPlane, data_plane
from ops.dynamodb.expressions import parse_sort, parse_where
from ops.dynamodb.query import QueryRequest, get_item, query
from ops.dynamodb.scan import Scan, ScanRequest
from ops.dynamodb.table import Table, describe_table
from ops.environment import TableTarget
from ops.errors import BadArgument, ResourceNotFound
from ops.flows.session import Session
from ops.model.items import Item, KeySchema


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What to read; `limit` None means all."""

    index: str | None = None
    where: str | None = None
    fields: tuple[str, ...] = ()
    limit: int | None = 100
    descending: bool = False
    consistent: bool = False
    sort: str | None = None
    segments: int | None = None
    #: As `CapacityLimit.of` takes it.
    max_rcu: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A table and the way to it."""

    table: Table
    plane: DataPlane


def open_table(session: Session, target: TableTarget) -> Opened:
    """Describe the table; a missing one is named with its neighbours."""
    table = describe_table(session.aws, target.physical, target.region)
    return Opened(table, data_plane(session.aws, session.clock, session.random, region=target.region))


def get(opened: Opened, partition: str, sort: str | None, *, consistent: bool) -> Item:
    """One item by its key; ResourceNotFound when there is none."""
    keys = opened.table.keys
    if (sort is None) != (keys.sort is None):
        wanted = " and ".join(keys.names)
        raise BadArgument(f"table {opened.table.name} is keyed by {wanted}", fix=(f"give {wanted}",))
    key = {keys.partition: _value(partition, keys.partition, keys.partition_type)}
    if keys.sort is not None and sort is not None:
        key[keys.sort] = _value(sort, keys.sort, keys.sort_type or "S")
    found = get_item(opened.plane, opened.table.name, key, consistent=consistent)
    if found is None:
        raise ResourceNotFound(
            f"no item {'/'.join(filter(None, (partition, sort)))} in {opened.table.name}",
            fix=(f"ops query {opened.table.name} {partition}",),
        )
    return found


def query_items(opened: Opened, partition: str, options: ReadOptions) -> Iterator[Item]:
    """Items of one partition of the table or of an index, in the order of the sort key."""
    table = opened.table
    keys = table.keys if options.index is None else table.index(options.index).keys
    if options.sort is not None and keys.sort is None:
        raise BadArgument(f"{options.index or table.name} has no sort key to put a condition on")
    request = QueryRequest(
        table=table.name,
        keys=keys,
        partition=_value(partition, keys.partition, keys.partition_type),
        index=options.index,
        sort=parse_sort(options.sort, keys.sort or "", keys.sort_type) if options.sort else None,
        where=parse_where(options.where) if options.where else None,
        fields=options.fields,
        descending=options.descending,
        consistent=_consistent(table, options),
    )
    return islice(query(opened.plane, request), options.limit)


def scan_items(session: Session, opened: Opened, options: ReadOptions) -> Iterator[Item]:
    """Items in no particular order; a limited read uses one segment, so that it costs what it shows."""
    table = opened.table
    if options.index is not None:
        table.index(options.index)
    request = ScanRequest(
        table=table.name,
        index=options.index,
        segments=options.segments or (table.segments if options.limit is None else 1),
        consistent=_consistent(table, options),
        where=parse_where(options.where) if options.where else None,
        fields=options.fields,
        # AWS counts before the filter: only without one is the limit what is read.
        page_limit=options.limit if options.where is None else None,
    )
    what = f"index {options.index}" if options.index else f"table {table.name}"
    limit = CapacityLimit.of(options.max_rcu, table.read_capacity_of(options.index), what, session.clock)
    return islice(Scan(opened.plane, request, limit).items(), options.limit)


def key_columns(table: Table, index: str | None) -> tuple[str, ...]:
    """Columns that stand first in a table of items."""
    keys: KeySchema = table.keys if index is None else table.index(index).keys
    return tuple(dict.fromkeys((*keys.names, *table.keys.names)))


def _consistent(table: Table, options: ReadOptions) -> bool:
    if options.consistent and options.index is not None and table.index(options.index).is_global:
        raise BadArgument(f"index {options.index} is global: AWS has no consistent read for it")
    return options.consistent


def _value(text: str, name: str, kind: str) -> dict[str, str]:
    try:
        return key_value(text, kind)
    except Unacceptable as error:
        raise BadArgument(f"'{text}' is no value for {name}: {error}") from error
