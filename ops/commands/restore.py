"""`ops restore`: a new table from a time or a backup, proven before it counts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.commands._context import App, Outcome, app_of
from ops.commands._flow import moment, one_of, open_table, proof_shape, settings_shape, utc
from ops.commands._options import DryRun, Resource, Resume
from ops.errors import BadArgument, ConfirmationMissing, WrongAccount
from ops.report.text import comparison, facts, settings

if TYPE_CHECKING:
    from ops.environment import TableTarget
    from ops.flows.expecting import Expectation
    from ops.flows.restore_plan import RestoreOptions, RestorePlan
    from ops.flows.session import Session
    from ops.model.recovery import RestoreResult

EPILOG = """\b
Examples:
  ops restore top_tracks --at 2026-11-20T10:02:16Z
  ops restore top_tracks --latest --as top_tracks-r1
  ops restore top_tracks --deleted
  ops restore top_tracks --resume 01JD7QZK5V8M3N9T2R6W4XYB1C"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("restore", epilog=EPILOG)(restore)


def restore(
    context: typer.Context,
    resource: Resource,
    at: Annotated[str | None, typer.Option(metavar="T", help="The second to restore, e.g. -15m.")] = None,
    latest: Annotated[bool, typer.Option("--latest", help="The newest restorable second.")] = False,
    backup: Annotated[str | None, typer.Option(metavar="ARN|NAME", help="An on-demand or system backup.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="The table as it was when it was deleted.")] = False,
    target: Annotated[str | None, typer.Option("--as", metavar="NEW", help="Default: {logical}-r{utc}.")] = None,
    reapply: Annotated[
        str, typer.Option("--settings", help="contract, or none to leave what AWS restored.")
    ] = "contract",
    expect: Annotated[
        str, typer.Option(metavar="EXPECTED", help="auto, none, an export, a seal, or a file to prove against.")
    ] = "auto",
    cutover: Annotated[str, typer.Option(help="pointer: make the proven table the active one (severe).")] = "none",
    confirm: Annotated[str | None, typer.Option(metavar="NAME", help="The logical name, for --cutover.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many differing keys are shown.")] = 20,
    dry_run: DryRun = False,
    resume: Resume = None,
) -> None:
    """Restore into a new table, put its settings back, prove its items."""
    from ops.flows import restore_plan, restoring

    given = {
        "at": at is not None and at != "latest", "latest": latest or at == "latest", "backup": backup is not None,
        "deleted": deleted,
    }  # fmt: skip
    chosen = [one for one in restore_plan.WAYS if given[one]]
    app_of(context, "restore")
    if len(chosen) > 1 or (not chosen and (resume is None or dry_run)):
        raise BadArgument("choose one of --at T, --latest, --backup ARN, --deleted")
    app, session, table = open_table(context, "restore", resource)
    options = restore_plan.RestoreOptions(
        way=chosen[0] if chosen else None,
        at=moment(session, at),
        backup=backup,
        target=target,
        expect=expect,
        contract=one_of("--settings", reapply, ("contract", "none")) == "contract",
        cutover=one_of("--cutover", cutover, ("none", "pointer")) == "pointer",
        timeout_s=app.options.timeout_s,
    )
    if dry_run:
        plan = restore_plan.plan_restore(session, table, options)
        against = restore_plan.expected_of(session, table, plan)
        result = {"plan": plan, "expected": against}
        app.finish(Outcome(result, _plan_lines(plan, against), dry_run=True))
        return
    _refuse_unconfirmed(app, session, table, options, confirm)
    with app.run(session, resume) as run:
        done = restoring.restore(session, run, table, options)
        errors = restoring.problems(done, proof_waived=restoring.proof_waived(run))
        following: tuple[str, ...] = (f"ops settings diff ddb:{done.target} --against {resource}",)
        if table.logical is not None and not options.cutover:
            switch = f"--cutover pointer --confirm {table.logical}"
            following += (f"ops restore {resource} --resume {run.id} {switch}",)
        app.finish(Outcome(_shape(done), _lines(done, limit), errors=errors, next=following, run=run.id))


def _refuse_unconfirmed(
    app: App, session: Session, table: TableTarget, options: RestoreOptions, confirm: str | None
) -> None:
    """A cutover changes what applications read: the name must be given, in production the account too."""
    if not options.cutover:
        return
    if confirm != table.logical:
        raise ConfirmationMissing(
            f"--cutover pointer moves the active table of {table.logical}", fix=(f"give --confirm {table.logical}",)
        )
    production = session.environment.document.environment_class == "production"
    if production and app.options.allow_account is None:
        raise WrongAccount(
            "a cutover in production needs the account named",
            fix=(f"give --allow-account {session.environment.document.account}",),
        )


def _plan_lines(plan: RestorePlan, against: Expectation) -> list[str]:
    pairs = [("into", plan.target), ("as of", utc(plan.restored_to)), ("backup", plan.backup_arn)]
    return [
        f"would restore {plan.source}; nothing was changed",
        *facts([*pairs, ("proven by", against.where or f"nothing: {against.why}")]),
    ]


def _lines(result: RestoreResult, limit: int) -> list[str]:
    lines = [
        f"restored {result.source} as of {utc(result.restored_to)} into {result.target}",
        *facts([("arn", result.target_arn), ("way", result.way)]),
        *facts([(one.name, f"{one.seconds:,.1f} s") for one in result.phases]),
    ]
    if result.settings.checked:
        lines.extend(settings(result.settings))
    if result.proof is not None:
        lines.extend(comparison(result.proof, limit))
    return [*lines, *(f"  note       {text}" for text in result.notes)]


def _shape(result: RestoreResult) -> dict[str, Any]:
    return {
        "target": {"name": result.target, "arn": result.target_arn},
        "source": result.source,
        "restored_to": utc(result.restored_to),
        "way": result.way,
        "phases": [
            {"name": one.name, "start": one.start, "end": one.start + timedelta(seconds=one.seconds)}
            for one in result.phases
        ],
        "settings": settings_shape(result.settings),
        "proof": None if result.proof is None else proof_shape(result.proof),
        "notes": list(result.notes),
    }
