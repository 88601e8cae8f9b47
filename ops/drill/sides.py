"""What a drill compares: the ledger's word against tables and indexes, through whichever comparer it is handed."""

from __future__ import annotations

from collections.abc import Sequence

from infra.environment import IndexDocument
from ops.drill.bench import Bench
from ops.dynamodb.client import DataPlane
from ops.dynamodb.table import describe_table
from ops.model.items import Item, KeySchema
from ops.model.proof import Comparison, SideInfo
from ops.verify.compare import Comparer
from ops.verify.sides import LinesSide, Side, TableSide, index_side

__all__ = ["Comparer", "compare_sides", "index_expected", "ledger_side", "memory_side", "table_side"]

LEDGER_WEAKNESS = "knows acknowledged writes of this drill and the baseline read before them, nothing older"
#: A control must be found among all differences, so that none may be cut from the list.
_LISTED = 1_000_000


def table_side(data: DataPlane, bench: Bench, table: str, index: str | None = None) -> TableSide:
    """A table or one of its indexes as it is now; nothing else writes to it, so one look is enough.

    A second look at differing keys is only for tables in use; for an index there is no read of one key.
    """
    return TableSide(data, describe_table(bench.aws, table), index, live=False)


def ledger_side(bench: Bench, expected: Sequence[Item], moment: str) -> LinesSide:
    """The items that baseline and ledger say must be there."""
    where = "baseline and write ledger"
    info = SideInfo("ledger", where, moment, LEDGER_WEAKNESS)
    return LinesSide(info, lambda: iter(expected), bench.schema, len(expected))


def index_expected(bench: Bench, expected: Sequence[Item], index: IndexDocument, moment: str) -> LinesSide:
    """What the index of the restored table must hold, derived from what its table must hold."""
    found = describe_table(bench.aws, bench.restored).index(index.name)
    return index_side(ledger_side(bench, expected, moment), found)


def memory_side(schema: KeySchema, items: Sequence[Item], where: str) -> LinesSide:
    """Items in memory, for questions to the comparer itself."""
    return LinesSide(SideInfo("lines", where), lambda: iter(items), schema, len(items))


def compare_sides(comparer: Comparer, keys: KeySchema, expected: Side, found: Side) -> Comparison:
    """Every difference of two sides, none cut from the list."""
    return comparer(expected, found, keys=keys, listed=_LISTED)
