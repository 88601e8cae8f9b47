"""`ops import-s3`: a new table from an export, CSV or JSON lines; or an export into a table that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.commands._context import App, Outcome
from ops.commands._flow import one_of, open_session, open_table, proof_shape
from ops.commands._options import DryRun, Rate, Resume, Yes
from ops.errors import BadArgument
from ops.report.text import comparison, facts

if TYPE_CHECKING:
    from ops.environment import TableTarget
    from ops.flows.importing_into import IntoOptions
    from ops.flows.into_work import IntoResult
    from ops.flows.session import Session
    from ops.model.recovery import ImportResult

EPILOG = """\b
Examples:
  ops import-s3 s3://B/.../manifest-summary.json --as top_tracks-copy
  ops import-s3 tracks.csv --as top_tracks-csv --schema-from top_tracks
  ops import-s3 s3://B/PREFIX --input csv --as NEW --dry-run
  ops import-s3 s3://B/.../manifest-summary.json --into top_tracks --only-changed --yes
  ops import-s3 copies/01700000000000-0a0b0c0d --into top_tracks --then copies/01700000000001-0a0b0c0d --yes"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import-s3", epilog=EPILOG)(import_s3)


def import_s3(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="An export (s3:// or a local copy), an S3 prefix, or a file.", show_default=False
        ),
    ],
    target: Annotated[str | None, typer.Option("--as", metavar="NEW", help="Name of a new table.")] = None,
    into: Annotated[
        str | None, typer.Option(metavar="RES", help="A table that exists; its items are overwritten.")
    ] = None,
    then: Annotated[
        list[str] | None,
        typer.Option(metavar="MANIFEST", help="With --into: an incremental export after it; repeatable."),
    ] = None,
    only_changed: Annotated[
        bool, typer.Option("--only-changed", help="With --into: read the table first, write only what differs.")
    ] = False,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Keep unusable lines in a file, import the others; exit 3.")
    ] = False,
    accept: Annotated[
        list[str] | None, typer.Option(metavar="WHAT", help="unknown-filter, or foreign with --into; else refused.")
    ] = None,
    expect: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="With --as: so many distinct keys, or nothing is made.")
    ] = None,
    rate: Rate = None,
    bulk: Annotated[
        bool, typer.Option("--bulk", help="With --into: AWS itself puts the lines (StartBulkPutItems); puts only.")
    ] = False,
    schema_from: Annotated[
        str | None, typer.Option(metavar="RES", help="Declared table whose keys and indexes it gets.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--input", help="dynamodb-json, csv or jsonl; default: by manifest or name.")
    ] = None,
    delimiter: Annotated[str, typer.Option(help="Of a CSV source.")] = ",",
    limit: Annotated[int, typer.Option(min=1, help="At most this many differing keys are shown.")] = 20,
    yes: Yes = False,
    dry_run: DryRun = False,
    resume: Resume = None,
) -> None:
    """Check every line, import into a new or an existing table, prove counts and items."""
    if into is not None:
        if target or schema_from or form or expect is not None:
            told = "--as, --schema-from, --input and --expect do not go with it"
            raise BadArgument(f"--into takes an export as it is: {told}")
        from ops.flows.importing_into import IntoOptions

        given = frozenset(accept or ())
        wanted = IntoOptions(source, tuple(then or ()), only_changed, quarantine, given, rate, bulk)
        _into(context, into, wanted, limit, yes=yes, dry_run=dry_run, resume=resume)
        return
    if target is None or then or only_changed or rate or bulk:
        raise BadArgument("give --as NEW for a new table, or --into RES for one that exists")
    from ops.flows import importing, item_files

    for one in accept or ():
        one_of("--accept", one, ("unknown-filter",))
    app, session = open_session(context, "import-s3", f"new table {target} from {source}")
    chosen = None if form is None else one_of("--input", form, item_files.FORMS)
    options = importing.ImportOptions(
        source=source,
        target=target,
        schema_from=schema_from,
        form=next((one for one in item_files.FORMS if one == chosen), None),
        delimiter=delimiter,
        timeout_s=app.options.timeout_s,
        quarantine=quarantine,
        expect=expect,
        unknown_filter=bool(accept),
    )
    if dry_run:
        plan = importing.plan_import(session, options)
        left_out = f"{plan.quarantined:,}" if plan.quarantined else None
        pairs = [
            ("form", plan.form),
            ("schema of", plan.schema_from),
            ("distinct keys", f"{plan.distinct_keys:,}"),
            ("left out", left_out),
        ]
        lines = [
            f"would import {plan.lines:,} lines of {plan.source} into {plan.target}; nothing was changed",
            *facts(pairs),
        ]
        app.finish(Outcome(plan, lines, dry_run=True))
        return
    with app.run(session, resume) as run:
        result = importing.import_source(session, run, options)
        following = (f"ops settings diff ddb:{target} --against {importing.schema_used(run)}",)
        errors = importing.problems(result)
        app.finish(Outcome(_shape(result), _lines(result, limit), errors=errors, next=following, run=run.id))


def _into(
    context: typer.Context,
    resource: str,
    options: IntoOptions,
    limit: int,
    *,
    yes: bool,
    dry_run: bool,
    resume: str | None,
) -> None:
    from dataclasses import replace

    from ops.flows import importing_into
    from ops.flows.net_lines import ACCEPTED

    for one in options.accept:
        one_of("--accept", one, ACCEPTED)
    app, session, table = open_table(context, "import-s3", resource)
    options = replace(options, timeout_s=app.options.timeout_s)
    if dry_run:
        plan = importing_into.plan_into(session, table, options)
        pairs = [
            ("lines", f"{plan.lines:,}"),
            ("rejected", f"{plan.rejected:,}" if plan.rejected else None),
            ("cost", f"at most {plan.write_units:,} write units"),
        ]
        lines = [
            f"would put {plan.puts:,} items into {plan.table} and delete {plan.deletes:,}; nothing was changed",
            *facts([("source", plan.source), *pairs]),
        ]
        app.finish(Outcome(plan, lines, dry_run=True))
        return
    app.confirm(f"overwrite items of {table.physical} with those of {options.source}?", yes=yes)
    _write_into(app, session, table, options, limit, resume)


def _write_into(
    app: App, session: Session, table: TableTarget, options: IntoOptions, limit: int, resume: str | None
) -> None:
    from ops.flows import importing_into, into_outcome

    with app.run(session, resume) as run:
        app.voice.say(f"  run        {run.id}")
        result = importing_into.import_into(session, run, table, options)
        errors = into_outcome.problems(result)
        shape = {**_shape(result.counts), "quarantine": result.rejects}
        app.finish(Outcome(shape, _into_lines(result, limit), errors=errors, run=run.id))


def _into_lines(result: IntoResult, limit: int) -> list[str]:
    counts = result.counts
    sums = (
        f"{counts.read:,} = {counts.written:,} written + {counts.unchanged:,} unchanged"
        f" + {counts.duplicates:,} duplicates + {counts.rejected:,} rejected"
    )
    lines = [f"imported into {counts.table}", *facts([("lines read", sums), ("rejected lines", result.rejects)])]
    return lines if counts.proof is None else [*lines, *comparison(counts.proof, limit)]


def _lines(result: ImportResult, limit: int) -> list[str]:
    pairs = [
        ("arn", result.arn),
        ("lines read", f"{result.read:,}"),
        ("distinct keys", f"{result.distinct_keys:,}"),
        ("rejected lines", result.quarantine),
    ]
    lines = [f"imported {result.written:,} items into {result.table}", *facts(pairs)]
    return lines if result.proof is None else [*lines, *comparison(result.proof, limit)]


def _shape(result: ImportResult) -> dict[str, Any]:
    return {
        "table": result.table,
        "arn": result.arn,
        "read": result.read,
        "written": result.written,
        "unchanged": result.unchanged,
        "duplicates": result.duplicates,
        "rejected": result.rejected,
        "quarantine": result.quarantine,
        "distinct_keys": result.distinct_keys,
        "proof": None if result.proof is None else proof_shape(result.proof),
    }
