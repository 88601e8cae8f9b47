"""`ops import-s3`: a new table from an export, CSV or JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.commands._context import Outcome
from ops.commands._flow import one_of, open_session, proof_shape
from ops.commands._options import DryRun, Resume
from ops.report.text import comparison, facts

if TYPE_CHECKING:
    from ops.model.recovery import ImportResult

EPILOG = """\b
Examples:
  ops import-s3 s3://B/.../manifest-summary.json --as top_tracks-copy
  ops import-s3 tracks.csv --as top_tracks-csv --schema-from top_tracks
  ops import-s3 s3://B/PREFIX --input csv --as NEW --dry-run"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import-s3", epilog=EPILOG)(import_s3)


def import_s3(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="An export, an S3 prefix, or a local file.", show_default=False)
    ],
    target: Annotated[str, typer.Option("--as", metavar="NEW", help="Name of the new table.", show_default=False)],
    schema_from: Annotated[
        str | None, typer.Option(metavar="RES", help="Declared table whose keys and indexes it gets.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--input", help="dynamodb-json, csv or jsonl; default: by manifest or name.")
    ] = None,
    delimiter: Annotated[str, typer.Option(help="Of a CSV source.")] = ",",
    limit: Annotated[int, typer.Option(min=1, help="At most this many differing keys are shown.")] = 20,
    dry_run: DryRun = False,
    resume: Resume = None,
) -> None:
    """Check every line, import into a new table, prove counts and items."""
    from ops.flows import importing

    app, session = open_session(context, "import-s3", f"new table {target} from {source}")
    chosen = None if form is None else one_of("--input", form, importing.FORMS)
    options = importing.ImportOptions(
        source=source,
        target=target,
        schema_from=schema_from,
        form=next((one for one in importing.FORMS if one == chosen), None),
        delimiter=delimiter,
        timeout_s=app.options.timeout_s,
    )
    if dry_run:
        plan = importing.plan_import(session, options)
        pairs = [("form", plan.form), ("schema of", plan.schema_from), ("distinct keys", f"{plan.distinct_keys:,}")]
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


def _lines(result: ImportResult, limit: int) -> list[str]:
    pairs = [("arn", result.arn), ("lines read", f"{result.read:,}"), ("distinct keys", f"{result.distinct_keys:,}")]
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
        "quarantine": None,
        "distinct_keys": result.distinct_keys,
        "proof": None if result.proof is None else proof_shape(result.proof),
    }
