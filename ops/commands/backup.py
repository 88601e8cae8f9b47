"""`ops backup`: an on-demand backup with its settings and a fingerprint of its items beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands._context import Outcome
from ops.commands._flow import one_of, open_table, utc
from ops.commands._options import DryRun, Resource, Resume
from ops.report.text import facts

if TYPE_CHECKING:
    from ops.flows.backing_up import BackupPlan
    from ops.model.recovery import BackupResult

EPILOG = """\b
Examples:
  ops backup top_tracks
  ops backup top_tracks --seal          fingerprint from an export instead
  ops backup top_tracks --fingerprint none"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backup", epilog=EPILOG)(backup)


def backup(
    context: typer.Context,
    resource: Resource,
    name: Annotated[
        str, typer.Option(help="Backup name; {logical}, {utc}, {run8} are filled in.")
    ] = "{logical}-{utc}-{run8}",
    fingerprint: Annotated[
        str, typer.Option(help="scan (costs reads), export (needs PITR; costs by size), or none.")
    ] = "scan",
    seal: Annotated[bool, typer.Option("--seal", help="Same as --fingerprint export.")] = False,
    dry_run: DryRun = False,
    resume: Resume = None,
) -> None:
    """Back a table up, wait until the backup is AVAILABLE, keep settings and fingerprint."""
    from ops.flows import backing_up

    app, session, table = open_table(context, "backup", resource)
    kind = one_of("--fingerprint", "export" if seal else fingerprint, backing_up.FINGERPRINTS)
    chosen = next(one for one in backing_up.FINGERPRINTS if one == kind)
    options = backing_up.BackupOptions(name, chosen, app.options.timeout_s)
    if dry_run:
        plan = backing_up.plan_backup(session, table, options)
        app.finish(Outcome(plan, _plan_lines(plan), dry_run=True))
        return
    with app.run(session, resume) as run:
        result = backing_up.back_up(session, run, table, options)
        following = (f"ops restore {resource} --backup {result.arn}",)
        app.finish(Outcome(result, _lines(result), next=following, run=run.id))


def _plan_lines(plan: BackupPlan) -> list[str]:
    units = None if plan.read_units is None else f"about {plan.read_units:,} (AWS's count is up to six hours old)"
    return [
        f"would back up {plan.table}; nothing was changed",
        *facts(
            [
                ("name", plan.name),
                ("kept at", plan.kept_at),
                ("fingerprint", plan.fingerprint),
                ("read units", units),
                ("weakness", plan.weakness),
            ]
        ),
    ]


def _lines(result: BackupResult) -> list[str]:
    return [
        f"{result.status}  {result.name}",
        *facts(
            [
                ("arn", result.arn),
                ("requested at", utc(result.requested_at)),
                ("items", None if result.items is None else f"{result.items:,} fingerprinted"),
                ("settings", result.settings),
                ("fingerprint", result.seal or "none: a restore of this backup cannot be proven"),
            ]
        ),
    ]
