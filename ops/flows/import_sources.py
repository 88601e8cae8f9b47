"""What `ops import-s3 --as` reads: an export, objects below a prefix, or a local file; and the table it is to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.environment import TableDocument
from ops.errors import BadArgument, ExportCorrupt
from ops.flows.item_files import Files, local_files, stored_files
from ops.flows.s3 import Address, read_bytes
from ops.flows.session import Session
from ops.model.items import Item
from ops.recovery.addresses import SUMMARY, is_local_export
from ops.recovery.manifest import Export, open_export
from ops.recovery.preflight import Form, Line, keys_of, parser


@dataclass(frozen=True, slots=True)
class Source:
    """Lines to import; `export` when they are a full export, which AWS can import from where it lies."""

    where: str
    form: Form
    lines: Callable[[], Iterator[Line]]
    export: Export | None = None


def items_of(source: Source, document: TableDocument, delimiter: str) -> Iterator[Item]:
    """Every item of the source, typed as the table's keys want it."""
    keys, indexes = keys_of(document)
    parse = parser(source.form, keys, indexes, delimiter, None)
    for where, number, raw in source.lines():
        item = parse(where, number, raw)
        if item is not None:
            yield item


def open_source(session: Session, where: str, form: Form | None, *, unknown_filter: bool) -> Source:
    """An export (by its manifest, also a local copy), objects below an S3 prefix, or a local file."""
    if not where.startswith("s3://"):
        if form in (None, "dynamodb-json") and is_local_export(where):
            return _export(session, where, unknown_filter=unknown_filter)
        return _of_files(local_files(Path(where), form))
    address = Address.parse(where)
    if form in (None, "dynamodb-json") and _is_export(session, address):
        return _export(session, where, unknown_filter=unknown_filter)
    return _of_files(stored_files(session, where, form))


def _of_files(files: Files) -> Source:
    return Source(files.where, files.form, files.lines)


def _is_export(session: Session, address: Address) -> bool:
    if address.key.endswith(SUMMARY):
        return True
    return bool(address.key) and read_bytes(session.aws, address.below(SUMMARY)) is not None


def _export(session: Session, where: str, *, unknown_filter: bool) -> Source:
    export = open_export(session.aws, where, unknown_filter=unknown_filter)
    if export.incremental:
        raise BadArgument(f"{where} is an incremental export: it holds changes, not a table")
    foreign = [fault.key for fault in export.strangers()]
    if foreign:
        # ImportTable takes every object below the prefix, whatever the manifest says
        raise ExportCorrupt(
            f"{len(foreign)} objects below {export.data_prefix} are not of the export", why=", ".join(foreign[:5])
        )
    return Source(export.address, "dynamodb-json", export.lines, export)


def schema_of(session: Session, schema_from: str | None, source: Source) -> TableDocument:
    """Keys and indexes of the new table: the named declared table, the exported one, or the only one there is."""
    declared = session.environment.document.tables
    if schema_from is not None:
        found = session.table(schema_from).document
        if found is None:
            raise BadArgument(f"{schema_from} is not declared in the environment document")
        return found
    if source.export is not None:
        target = session.table(source.export.table_arn)
        if target.document is not None:
            return target.document
    if len(declared) == 1:
        return next(iter(declared.values()))
    raise BadArgument(
        "which declared table the new one should be like is not clear",
        fix=tuple(f"give --schema-from {name}" for name in sorted(declared)),
    )
