"""`ops import-s3`: a new table from an export, CSV or JSON lines; every line judged before anything is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.environment import TableDocument
from ops.environment import TableTarget
from ops.errors import (
    BadArgument,
    CountsDiffer,
    ExportCorrupt,
    OpsError,
    SourceHasBadLines,
    TargetExists,
)
from ops.flows import sides
from ops.flows.backing_up import work_folder
from ops.flows.common import check_table_name, options_of, resumable
from ops.flows.item_files import Files, local_files, stored_files
from ops.flows.s3 import Address, read_bytes
from ops.flows.session import Session
from ops.model.items import Item
from ops.model.proof import SideInfo
from ops.model.recovery import ImportResult
from ops.recovery import tables
from ops.recovery.addresses import SUMMARY, is_local_export
from ops.recovery.imports import ImportCounts, import_table
from ops.recovery.manifest import Export, open_export
from ops.recovery.preflight import Form, Line, Preflight, keys_of, parser, preflight
from ops.recovery.staging import stage_items
from ops.runs import Run
from ops.verify.sides import LinesSide

#: Bad lines that an error text names; all of them are in `problems.txt` of the run folder.
NAMED_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`form` None: by the manifest, else by the file name."""

    source: str
    target: str
    schema_from: str | None = None
    form: Form | None = None
    delimiter: str = ","
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Lines to import; `export` when they are a full export, which AWS can import from where it lies."""

    where: str
    form: Form
    lines: Callable[[], Iterator[Line]]
    export: Export | None = None


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would do, after every line was read."""

    source: str
    form: Form
    target: str
    schema_from: str
    lines: int
    distinct_keys: int


def plan_import(session: Session, options: ImportOptions) -> ImportPlan:
    """Read and judge every line, and see that the target is free; changes nothing."""
    source, document = _checked(session, options)
    found = judge(session, source, document, options.delimiter)
    refuse_bad_lines(source, found)
    return ImportPlan(source.where, source.form, options.target, document.logical, found.read, found.distinct_keys)


def import_source(session: Session, run: Run, options: ImportOptions) -> ImportResult:
    """A new table holding exactly the source's items; SourceHasBadLines, with nothing created, otherwise."""
    with resumable(session, run, f"import-s3 {options.source} --as {options.target}"):
        options_of(run, source=options.source, target=options.target)
        return _import(session, run, options)


def _import(session: Session, run: Run, options: ImportOptions) -> ImportResult:
    source, document = _checked(session, options, run)
    found = judge(session, source, document, options.delimiter)
    run.save("problems.txt", "".join(f"{one.source} line {one.line}: {one.reason}\n" for one in found.problems))
    refuse_bad_lines(source, found)
    run.write("schema", logical=document.logical)
    with session.progress.phase("import", f"{found.accepted:,} items into {options.target}"):
        counts = _ask(session, run, source, document, options)
    target = TableTarget(options.target, None, session.aws.region, None)
    with session.progress.phase("prove", f"every item of {options.target} against {source.where}"), work_folder() as at:
        live = sides.table_side(session, target)
        expected = LinesSide(
            SideInfo("export" if source.export else "lines", source.where),
            lambda: _items(source, document, options.delimiter),
            live.table.keys,
            found.accepted,
        )
        proof = sides.compared(session, expected, live, live.table.keys, None, at)
    return ImportResult(
        table=options.target,
        arn=counts.arn,
        read=found.read,
        written=counts.imported,
        unchanged=0,
        duplicates=found.duplicates,
        rejected=found.rejected,
        distinct_keys=found.distinct_keys,
        problems=found.problems,
        proof=proof,
    )


def _checked(session: Session, options: ImportOptions, run: Run | None = None) -> tuple[Source, TableDocument]:
    check_table_name(options.target)
    source = open_source(session, options)
    document = schema_of(session, options.schema_from, source)
    mine = run is not None and run.find("intent", operation="ImportTable", target=options.target) is not None
    if not mine and tables.exists(session.aws, options.target):
        raise TargetExists(f"table {options.target} exists already", why="AWS imports into new tables only")
    return source, document


def _ask(session: Session, run: Run, source: Source, document: TableDocument, options: ImportOptions) -> ImportCounts:
    bucket, prefix = _place(session, run, source, document, options)
    token = hashlib.sha256(f"{run.id} {bucket} {prefix} {options.target}".encode()).hexdigest()[:32]
    return import_table(
        session.aws,
        bucket=bucket,
        prefix=prefix,
        form="dynamodb-json",
        compression="GZIP",
        table=options.target,
        schema=tables.create_parameters(options.target, document, run),
        token=token,
        run=run,
        clock=session.clock,
        progress=session.progress,
        timeout_s=options.timeout_s,
    )


def _place(
    session: Session, run: Run, source: Source, document: TableDocument, options: ImportOptions
) -> tuple[str, str]:
    """Bucket and prefix for ImportTable; what is no export is first written there as typed DynamoDB JSON.

    So a number in a CSV or JSON file has the same type in the table as in the comparison afterwards.
    """
    if source.export is not None and source.export.location.bucket is not None:
        return source.export.location.bucket, source.export.data_prefix
    about = session.environment.document
    prefix = f"{about.export_prefix}/imports/{run.id}"
    staged = stage_items(
        session.aws, _items(source, document, options.delimiter), bucket=about.export_bucket, prefix=prefix, run=run
    )
    return staged.bucket, staged.prefix


def judge(session: Session, source: Source, document: TableDocument, delimiter: str) -> Preflight:
    """Every line of the source, read and judged."""
    keys, indexes = keys_of(document)
    with session.progress.phase("preflight", f"reading every line of {source.where}"):
        return preflight(source.lines(), keys, indexes, source.form, delimiter=delimiter)


def refuse_bad_lines(source: Source, found: Preflight) -> None:
    """SourceHasBadLines naming the first bad lines; an empty source is one too."""
    if found.problems:
        listed = [f"{one.source} line {one.line}: {one.reason}" for one in found.problems[:NAMED_PROBLEMS]]
        more = len(found.problems) - len(listed)
        raise SourceHasBadLines(
            f"{source.where} has {len(found.problems):,} unusable lines of {found.read:,}",
            why="; ".join(listed) + (f"; and {more:,} more" if more > 0 else ""),
            changed="0 tables created, 0 items written",
            fix=("correct the named lines and run the import again",),
        )
    if found.accepted == 0:
        raise SourceHasBadLines(f"{source.where} holds no item", changed="0 tables created, 0 items written")


def _items(source: Source, document: TableDocument, delimiter: str) -> Iterator[Item]:
    keys, indexes = keys_of(document)
    parse = parser(source.form, keys, indexes, delimiter, None)
    for where, number, raw in source.lines():
        item = parse(where, number, raw)
        if item is not None:
            yield item


def open_source(session: Session, options: ImportOptions) -> Source:
    """An export (by its manifest, also a local copy), objects below an S3 prefix, or a local file."""
    if not options.source.startswith("s3://"):
        if options.form in (None, "dynamodb-json") and is_local_export(options.source):
            return _export(session, options.source)
        return _of_files(local_files(Path(options.source), options.form))
    address = Address.parse(options.source)
    if options.form in (None, "dynamodb-json") and _is_export(session, address):
        return _export(session, options.source)
    return _of_files(stored_files(session, options.source, options.form))


def _of_files(files: Files) -> Source:
    return Source(files.where, files.form, files.lines)


def _is_export(session: Session, address: Address) -> bool:
    if address.key.endswith(SUMMARY):
        return True
    return bool(address.key) and read_bytes(session.aws, address.below(SUMMARY)) is not None


def _export(session: Session, address: str) -> Source:
    export = open_export(session.aws, address)
    if export.incremental:
        raise BadArgument(f"{address} is an incremental export: it holds changes, not a table")
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


def schema_used(run: Run) -> str:
    """The declared table whose keys and indexes the new table got."""
    line = run.find("schema")
    return "" if line is None else str(line.data["logical"])


def problems(result: ImportResult) -> tuple[OpsError, ...]:
    """What keeps a finished import from exit 0; the table stays."""
    found: list[OpsError] = []
    if result.written != result.distinct_keys:
        found.append(
            CountsDiffer(
                f"AWS imported {result.written:,} items, the source has {result.distinct_keys:,} distinct keys",
                changed=f"table {result.table} was made and stays",
            )
        )
    error = None if result.proof is None else sides.reason_to_fail(result.proof, f"table {result.table}")
    if error is not None:
        error.changed = f"table {result.table} was made and stays"
        found.append(error)
    return tuple(found)
