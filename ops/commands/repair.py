"""`ops repair`: a patch, or a window taken back, applied to a live table under conditions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.commands._context import App, Outcome
from ops.commands._flow import one_of, open_table
from ops.commands._options import DryRun, Rate, Resource, Resume, Where
from ops.errors import BadArgument, ConfirmationMissing, WrongAccount
from ops.report.text import facts

if TYPE_CHECKING:
    from ops.environment import TableTarget
    from ops.flows.repair_plan import Forecast, RepairOptions, RepairPlan
    from ops.flows.repairing import RepairResult
    from ops.flows.reverting import Window
    from ops.flows.session import Session

EPILOG = """\b
Examples:
  ops repair top_tracks --patch fix.jsonl
  ops repair top_tracks --patch fix.jsonl --apply --confirm top_tracks
  ops repair top_tracks --revert 2026-11-20T10:02:17Z..2026-11-20T10:42:17Z --where 'popularity < 0'"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("repair", epilog=EPILOG)(repair)


def repair(
    context: typer.Context,
    resource: Resource,
    patch: Annotated[Path | None, typer.Option(metavar="FILE", help="Made by ops diff --format patch.")] = None,
    revert: Annotated[
        str | None, typer.Option(metavar="T..T", help="Take back what was written from the first T to the second.")
    ] = None,
    where: Where = None,
    on_conflict: Annotated[
        str, typer.Option(help="Items that changed since: queue lists them in a file, keep leaves them; none is lost.")
    ] = "queue",
    apply: Annotated[bool, typer.Option("--apply", help="Write; without it nothing is (severe).")] = False,
    undo: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also put the undo patch here; it is always in the run folder.")
    ] = None,
    rate: Rate = None,
    confirm: Annotated[str | None, typer.Option(metavar="NAME", help="The logical name, for --apply.")] = None,
    dry_run: DryRun = False,
    resume: Resume = None,
) -> None:
    """Change only what a patch names, where it is still what the patch expects; foreseen first, undoable after."""
    from ops.flows.repair_plan import RepairOptions

    if resume is None and (patch is None) == (revert is None):
        raise BadArgument("choose one of --patch FILE and --revert T..T")
    if where is not None and revert is None:
        raise BadArgument("--where narrows --revert; a patch names its keys itself")
    keep = one_of("--on-conflict", on_conflict, ("keep", "queue")) == "keep"
    app, session, table = open_table(context, "repair", resource)
    window = None if revert is None else _window(session, revert)
    options = RepairOptions(patch, window, where, keep, undo, rate, app.options.timeout_s)
    if dry_run or not (apply or resume):
        _foretell(app, session, table, options, dry_run=dry_run)
        return
    _refuse_unconfirmed(app, session, table, confirm)
    _write(app, session, table, options, confirm, resume)


def _window(session: Session, text: str) -> Window:
    from ops.clock import parse_moment, whole_seconds
    from ops.flows.reverting import Window

    since, dots, until = text.partition("..")
    if not (since and dots and until):
        raise BadArgument(f"--revert {text} is no window", fix=("write it as FROM..TO",))
    now = session.clock.now()
    first, last = (now if one == "latest" else parse_moment(one, now) for one in (since, until))
    return Window(whole_seconds(first), whole_seconds(last))


def _foretell(app: App, session: Session, table: TableTarget, options: RepairOptions, *, dry_run: bool) -> None:
    """Without --apply no item is written. An export of the window may be taken, unless --dry-run forbids that too."""
    from ops.flows.repair_plan import plan_repair

    plan = plan_repair(session, table, options)
    run_id = None
    if plan.forecast is None and not dry_run:
        with app.run(session) as run:
            run_id = run.id
            plan = plan_repair(session, table, options, run)
    again = " ".join(_words(options))
    following = (f"ops repair {table.label} {again} --apply --confirm {table.label}",)
    app.finish(Outcome(_plan_shape(plan), _plan_lines(plan), next=following, run=run_id, dry_run=True))


def _words(options: RepairOptions) -> list[str]:
    import shlex

    words = ["--patch", str(options.patch)] if options.patch else []
    words += ["--revert", options.window.text] if options.window else []
    words += ["--where", options.where] if options.where else []
    return [shlex.quote(word) for word in words]


def _refuse_unconfirmed(app: App, session: Session, table: TableTarget, confirm: str | None) -> None:
    """A wrong or missing name is known before anything is read; on a terminal it is asked for after the plan."""
    if confirm is not None and confirm != table.label:
        raise ConfirmationMissing(
            f"--confirm {confirm} is not the name of {table.label}", fix=(f"give --confirm {table.label}",)
        )
    if confirm is None and not (app.options.ask and sys.stdin.isatty()):
        raise ConfirmationMissing(f"--apply writes to {table.label}", fix=(f"give --confirm {table.label}",))
    document = session.environment.document
    if document.environment_class == "production" and app.options.allow_account is None:
        raise WrongAccount(
            "a repair in production needs the account named", fix=(f"give --allow-account {document.account}",)
        )


def _write(
    app: App, session: Session, table: TableTarget, options: RepairOptions, confirm: str | None, resume: str | None
) -> None:
    from ops.flows import repairing

    with app.run(session, resume) as run:
        app.voice.say(f"  run        {run.id}")
        prepared = repairing.prepare(session, run, table, options)
        for line in _forecast_lines(prepared.forecast):
            app.voice.say(line)
        if confirm is None:
            typed = typer.prompt(f"type {table.label} to apply {prepared.forecast.apply:,} changes", err=True)
            if typed != table.label:
                raise ConfirmationMissing(f"'{typed}' is not {table.label}")
        with app.signals.gently() as stop:
            result = repairing.carry_out(session, run, table, prepared, lambda: stop.number)
        errors = repairing.problems(result)
        again = f"ops repair {table.label} --patch {result.undo}"
        app.finish(Outcome(_shape(result), _lines(result), errors=errors, next=(again,), run=run.id))


def _forecast_lines(forecast: Forecast) -> list[str]:
    conflicts = [f"    conflict {key}: {reason}" for key, reason in forecast.named]
    more = forecast.conflicts - len(conflicts)
    counts = f"{forecast.apply:,} to apply ({forecast.puts:,} put, {forecast.deletes:,} deleted)"
    return [
        *facts(
            [
                ("changes", f"{forecast.changes:,}"),
                ("plan", f"{counts}, {forecast.already:,} already as wanted, {forecast.conflicts:,} conflicts"),
                (
                    "left",
                    f"{forecast.left:,} changes of the window that --where does not name" if forecast.left else None,
                ),
                ("cost", f"at most {forecast.write_units:,} write units"),
            ]
        ),
        *conflicts,
        *([f"    ... and {more:,} more conflicts"] if more > 0 else []),
    ]


def _plan_lines(plan: RepairPlan) -> list[str]:
    first = f"would repair {plan.table} from {plan.source}; no item was written"
    back = facts([("way back", plan.way_back)])
    if plan.forecast is None:
        return [first, *back, "  the window must be exported before its changes are known: leave out --dry-run"]
    return [first, *back, *_forecast_lines(plan.forecast)]


def _plan_shape(plan: RepairPlan) -> dict[str, Any]:
    forecast = plan.forecast
    return {
        "table": plan.table,
        "source": plan.source,
        "way_back": plan.way_back,
        "planned": None if forecast is None else forecast.changes,
        "apply": None if forecast is None else forecast.apply,
        "puts": None if forecast is None else forecast.puts,
        "deletes": None if forecast is None else forecast.deletes,
        "already": None if forecast is None else forecast.already,
        "conflicts": None if forecast is None else forecast.conflicts,
        "left": None if forecast is None else forecast.left,
        "write_units_max": None if forecast is None else forecast.write_units,
        "samples": [] if forecast is None else [{"key": key, "reason": reason} for key, reason in forecast.named],
    }


def _lines(result: RepairResult) -> list[str]:
    return [
        f"repaired {result.table}: {result.planned:,} changes = {result.applied:,} applied"
        f" + {result.already:,} already as wanted + {result.conflicts:,} conflicts",
        *facts([("undo", result.undo), ("conflicts", result.queue)]),
        *(f"    conflict {key}: {reason}" for key, reason in result.named),
    ]


def _shape(result: RepairResult) -> dict[str, Any]:
    return {
        "planned": result.planned,
        "applied": result.applied,
        "already": result.already,
        "conflicts": result.conflicts,
        "queue": result.queue,
        "undo": result.undo,
        "samples": [{"key": key, "reason": reason} for key, reason in result.named],
    }
