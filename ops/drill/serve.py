"""Switches the drill's pointer and asks the recovered table through it, as an application would. T7, T8."""

from __future__ import annotations

from collections.abc import Sequence

from infra.environment import IndexDocument
from ops.drill.bench import Bench
from ops.drill.plane import Plane
from ops.drill.prove import canary_item, canary_text
from ops.errors import OpsError
from ops.model.items import Item, KeySchema, key_of
from ops.recovery.cutover import read_pointer, write_pointer
from ops.verify.fingerprint import recorder


def serve(bench: Bench, plane: Plane, expected: Sequence[Item]) -> str:
    """Empty when the canary is healthy, else what was wrong."""
    with bench.phase("switch", f"pointer {bench.pointer}"):
        version = write_pointer(bench.aws, bench.pointer, bench.restored, None, bench.run)
        bench.mark("T7", f"pointer version {version} written")
    with bench.phase("canary", "get, and query through each index"):
        try:
            wrong = _ask(bench, plane, canary_item(bench, expected))
        except OpsError as error:
            wrong = error.what
        bench.mark("T8", "canary read" if not wrong else f"canary failed: {wrong}")
    return wrong


def _ask(bench: Bench, plane: Plane, item: Item) -> str:
    pointer = read_pointer(bench.aws, bench.pointer)
    if pointer is None:
        return "the pointer is not there"
    found = plane.get(pointer.value, key_of(item, bench.schema))
    if found is None or not _same(bench, found, item):
        return f"get of {canary_text(bench, item)} did not answer the expected item"
    for index in bench.document.indexes:
        if index.partition_key.name not in item:
            continue
        if not _in_index(bench, plane, pointer.value, index, item):
            return f"query of {index.name} did not answer {canary_text(bench, item)}"
    return ""


def _in_index(bench: Bench, plane: Plane, table: str, index: IndexDocument, item: Item) -> bool:
    sort = index.sort_key
    keys = KeySchema(
        index.partition_key.name, index.partition_key.type, sort.name if sort else None, sort.type if sort else None
    )
    wanted = key_of(item, bench.schema)
    rows = plane.query(table, index.name, keys, item[keys.partition])
    return any(key_of(one, bench.schema) == wanted for one in rows)


def _same(bench: Bench, one: Item, other: Item) -> bool:
    record = recorder(bench.schema)
    return record(one).item == record(other).item
