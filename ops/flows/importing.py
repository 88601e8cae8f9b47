"""`ops import-s3`: a new table from an export, CSV or JSON lines; every line judged before anything is made."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

import orjson

from infra.environment import TableDocument
from ops.environment import TableTarget, check_table_name
from ops.errors import (
    CountsDiffer,
    LinesRejected,
    OpsError,
    SourceHasBadLines,
    TargetExists,
)
from ops.flows import sides, verdicts
from ops.flows.backing_up import work_folder
from ops.flows.checkpoints import Appended
from ops.flows.common import begun_with, resumable
from ops.flows.import_sources import Source, items_of, open_source, schema_of
from ops.flows.session import Session
from ops.model.proof import SideInfo
from ops.model.recovery import ImportResult
from ops.recovery import tables
from ops.recovery.imports import ImportCounts, import_table
from ops.recovery.preflight import Form, Preflight, keys_of, preflight
from ops.recovery.staging import stage_items
from ops.runs import Run, utf8
from ops.verify.sides import LinesSide

QUARANTINE = "rejected.jsonl"
#: Bad lines that an error text names; all of them are in `problems.txt` of the run folder.
NAMED_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`form` None: by the manifest, else by the file name.

    `quarantine` leaves unusable lines out and keeps them in a file. `expect`: so many keys, or nothing is made.
    `unknown_filter` takes an export of which AWS no longer says whether it is filtered.
    """

    source: str
    target: str
    schema_from: str | None = None
    form: Form | None = None
    delimiter: str = ","
    timeout_s: float | None = None
    quarantine: bool = False
    expect: int | None = None
    unknown_filter: bool = False

    def command(self) -> str:
        """The words that ask for it."""
        valued = {"--schema-from": self.schema_from, "--input": self.form, "--expect": self.expect}
        words = ["import-s3", self.source, "--as", self.target]
        words += [word for name, value in valued.items() if value is not None for word in (name, str(value))]
        words += ["--delimiter", self.delimiter] if self.delimiter != "," else []
        words += ["--quarantine"] if self.quarantine else []
        words += ["--accept", "unknown-filter"] if self.unknown_filter else []
        return shlex.join(words)


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would do, after every line was read."""

    source: str
    form: Form
    target: str
    schema_from: str
    lines: int
    distinct_keys: int
    #: Lines that would be left out.
    quarantined: int = 0


def plan_import(session: Session, options: ImportOptions) -> ImportPlan:
    """Read and judge every line, and see that the target is free; changes nothing."""
    source, document = _checked(session, options)
    found = judge(session, source, document, options.delimiter)
    refuse_bad_lines(source, found, options)
    keys, left_out = found.distinct_keys, len(found.problems)
    return ImportPlan(source.where, source.form, options.target, document.logical, found.read, keys, left_out)


def import_source(session: Session, run: Run, options: ImportOptions) -> ImportResult:
    """A new table holding exactly the source's items; SourceHasBadLines, with nothing created, otherwise."""
    with resumable(session, run, options.command()):
        return _import(session, run, _kept(run, options))


def _kept(run: Run, options: ImportOptions) -> ImportOptions:
    """Every option as the run began with it; how long to wait is asked anew."""
    given = {name: value for name, value in asdict(options).items() if name != "timeout_s"}
    usual = {one.name: one.default for one in fields(ImportOptions) if one.default is not MISSING}
    kept = begun_with(run, given, usual)
    back: dict[str, Any] = {name: kept.get(name, usual.get(name)) for name in given}
    return replace(options, **back)


def _import(session: Session, run: Run, options: ImportOptions) -> ImportResult:
    source, document = _checked(session, options, run)
    found = judge(session, source, document, options.delimiter)
    run.save("problems.txt", "".join(f"{one.source} line {one.line}: {one.reason}\n" for one in found.problems))
    refuse_bad_lines(source, found, options)
    kept = _quarantine(run, source, found)
    if found.problems:
        source = _without(source, found)
    run.write("schema", logical=document.logical)
    with session.progress.phase("import", f"{found.accepted:,} items into {options.target}"):
        counts = _ask(session, run, source, document, options)
    target = TableTarget(options.target, None, session.aws.region, None)
    with session.progress.phase("prove", f"every item of {options.target} against {source.where}"), work_folder() as at:
        live = sides.table_side(session, target)
        expected = LinesSide(
            SideInfo("export" if source.export else "lines", source.where),
            lambda: items_of(source, document, options.delimiter),
            live.table.keys,
            found.distinct_keys,
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
        quarantine=kept,
    )


def _quarantine(run: Run, source: Source, found: Preflight) -> str | None:
    """The lines that are left out, each with its place and reason; their file, if there are any."""
    if not found.problems:
        return None
    reasons = {(one.source, one.line): one.reason for one in found.problems}
    path = run.folder / QUARANTINE
    with Appended(path, 0) as file:
        for where, number, raw in source.lines():
            if (where, number) in reasons:
                place = {"object": utf8(where), "line": number, "reason": reasons[where, number]}
                file.add(orjson.dumps({**place, "text": raw.decode(errors="backslashreplace")}))
        file.force()
    return str(path)


def _without(source: Source, found: Preflight) -> Source:
    """The source without its unusable lines; no longer an export, which AWS would import as it lies."""
    bad = {(one.source, one.line) for one in found.problems}
    return Source(source.where, source.form, lambda: (one for one in source.lines() if one[:2] not in bad))


def _checked(session: Session, options: ImportOptions, run: Run | None = None) -> tuple[Source, TableDocument]:
    check_table_name(options.target)
    source = open_source(session, options.source, options.form, unknown_filter=options.unknown_filter)
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
        session.aws, items_of(source, document, options.delimiter), bucket=about.export_bucket, prefix=prefix, run=run
    )
    return staged.bucket, staged.prefix


def judge(session: Session, source: Source, document: TableDocument, delimiter: str) -> Preflight:
    """Every line of the source, read and judged."""
    keys, indexes = keys_of(document)
    with session.progress.phase("preflight", f"reading every line of {source.where}"):
        return preflight(source.lines(), keys, indexes, source.form, delimiter=delimiter)


def refuse_bad_lines(source: Source, found: Preflight, options: ImportOptions) -> None:
    """SourceHasBadLines naming the first bad lines; an empty source is one too. CountsDiffer for another count."""
    if found.problems and not (options.quarantine and found.listed_all):
        listed = [f"{one.source} line {one.line}: {one.reason}" for one in found.problems[:NAMED_PROBLEMS]]
        more = len(found.problems) - len(listed)
        raise SourceHasBadLines(
            f"{source.where} has {len(found.problems):,} unusable lines of {found.read:,}",
            why="; ".join(listed) + (f"; and {more:,} more" if more > 0 else ""),
            changed="0 tables created, 0 items written",
            fix=(
                f"--quarantine imports {found.distinct_keys:,} items and keeps the lines in a file",
                "correct the named lines and run the import again",
            ),
        )
    if found.accepted == 0:
        raise SourceHasBadLines(f"{source.where} holds no item", changed="0 tables created, 0 items written")
    if options.expect is not None and found.distinct_keys != options.expect:
        raise CountsDiffer(
            f"{source.where} has {found.distinct_keys:,} distinct keys, {options.expect:,} were expected",
            changed="0 tables created, 0 items written",
            fix=("find out which of the two is right", f"--expect {found.distinct_keys}"),
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
    error = None if result.proof is None else verdicts.reason_to_fail(result.proof, f"table {result.table}")
    if error is not None:
        error.changed = f"table {result.table} was made and stays"
        found.append(error)
    if result.quarantine is not None:
        found.append(
            LinesRejected(
                f"{len(result.problems):,} lines rejected, see {result.quarantine}",
                why="; ".join(f"{one.source} line {one.line}: {one.reason}" for one in result.problems[:5]),
                changed=f"table {result.table} was made and holds the others",
                fix=(f"correct them there, then ops load FILE --to ddb:{result.table}",),
            )
        )
    return tuple(found)
