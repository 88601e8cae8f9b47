"""`ops export-s3`: an export to S3, read back before it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands._context import Outcome
from ops.commands._flow import moment, one_of, open_table, utc
from ops.commands._options import DryRun, Resource, Resume
from ops.report.text import facts

if TYPE_CHECKING:
    from ops.flows.exporting import ExportPlan
    from ops.model.recovery import ExportResult

EPILOG = """\b
Examples:
  ops export-s3 top_tracks
  ops export-s3 top_tracks --at 2026-11-20T10:02:16Z
  ops export-s3 top_tracks --since -24h --until -1h"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export-s3", epilog=EPILOG)(export_s3)


def export_s3(
    context: typer.Context,
    resource: Resource,
    at: Annotated[str | None, typer.Option(metavar="T", help="The second to export; default: the newest.")] = None,
    since: Annotated[str | None, typer.Option(metavar="T", help="Changes from here: an incremental export.")] = None,
    until: Annotated[str | None, typer.Option(metavar="T", help="Changes up to here; default: the newest.")] = None,
    view: Annotated[str, typer.Option(help="Images of an incremental export: both or new.")] = "both",
    to: Annotated[
        str | None, typer.Option(metavar="S3://B/P", help="Bucket and prefix; default: the environment's.")
    ] = None,
    level: Annotated[str, typer.Option(help="How far to read back: present (manifests) or bytes.")] = "bytes",
    dry_run: DryRun = False,
    resume: Resume = None,
) -> None:
    """Export a table to S3 through point-in-time recovery and verify every file."""
    from ops.flows import exporting

    app, session, table = open_table(context, "export-s3", resource)
    options = exporting.ExportOptions(
        at=moment(session, at),
        since=moment(session, since),
        until=moment(session, until),
        view=one_of("--view", view, tuple(exporting.VIEWS)),
        to=to,
        level=next(one for one in exporting.LEVELS if one == one_of("--level", level, exporting.LEVELS)),
        timeout_s=app.options.timeout_s,
    )
    if dry_run:
        plan = exporting.plan_export(session, table, options)
        app.finish(Outcome(plan, _plan_lines(plan), dry_run=True))
        return
    with app.run(session, resume) as run:
        result = exporting.export_table(session, run, table, options)
        following = (f"ops import-s3 {result.manifest} --as NEW", f"ops verify {resource} --against {result.manifest}")
        app.finish(Outcome(result, _lines(result), next=following, run=run.id))


def _plan_lines(plan: ExportPlan) -> list[str]:
    since = None if plan.since is None else utc(plan.since)
    pairs = [("type", plan.type), ("since", since), ("at", utc(plan.at)), ("to", plan.to)]
    return [f"would export {plan.table}; nothing was changed", *facts(pairs)]


def _lines(result: ExportResult) -> list[str]:
    checked = result.verified
    return [
        f"COMPLETED  {result.items:,} items in {result.files} files, as of {utc(result.at)}",
        *facts(
            [
                ("manifest", result.manifest),
                ("arn", result.arn),
                ("type", result.type),
                ("read back", f"{checked.files_ok} files good" if checked.level == "bytes" else "manifests only"),
            ]
        ),
    ]
