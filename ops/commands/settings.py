"""`ops settings`: what a table's settings are, where they leave the contract, and putting them right."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.commands._context import Outcome
from ops.commands._flow import open_table, settings_shape
from ops.commands._options import DryRun, Resource, Yes
from ops.errors import SettingsDiffer
from ops.report.text import facts, table
from ops.report.text import settings as settings_lines

Against = Annotated[
    str | None, typer.Option("--against", metavar="RES|FILE", help="Contract of this table, or a kept settings file.")
]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="SETTING", help="Only these; may be repeated.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        help="Show a table's settings, compare them with the contract, apply it.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("show", epilog="\b\nExample:\n  ops settings show top_tracks")(show)
    group.command(
        "diff", epilog="\b\nExample:\n  ops settings diff ddb:top_tracks-r20261120T100216Z --against top_tracks"
    )(diff)
    group.command("apply", epilog="\b\nExample:\n  ops settings apply top_tracks --only pitr --yes")(apply)
    app.add_typer(group, name="settings")


def show(context: typer.Context, resource: Resource) -> None:
    """Print every setting that can be read."""
    from ops.flows import settings

    app, session, target = open_table(context, "settings show", resource)
    found = settings.show(session, target)
    app.finish(Outcome({"table": target.physical, "settings": found}, facts(list(found.items()))))


def diff(context: typer.Context, resource: Resource, against: Against = None, only: Only = None) -> None:
    """Compare the settings with the contract; exit 4 when they differ."""
    from ops.flows import settings

    app, session, target = open_table(context, "settings diff", resource)
    view = settings.compare(session, target, against, tuple(only or ()))
    rows = [(one.setting, one.wanted, one.found) for one in view.differing]
    lines = table(("setting", "wanted", "found"), rows, app.width) or [
        f"{target.physical}: settings are as the contract wants"
    ]
    suffix = f" --against {against}" if against else ""
    errors = (
        SettingsDiffer(
            f"{len(rows)} settings of {target.physical} differ from the contract",
            fix=(f"ops settings apply {resource}{suffix}",),
        ),
    )
    result = {"diff": [{"setting": one, "wanted": wanted, "found": found} for one, wanted, found in rows]}
    app.finish(Outcome(result, lines, errors=errors if rows else ()))


def apply(
    context: typer.Context,
    resource: Resource,
    against: Against = None,
    only: Only = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with an interrupted run.")] = None,
) -> None:
    """Set what differs from the contract, then read it back; nothing is removed."""
    from ops.flows import settings

    app, session, target = open_table(context, "settings apply", resource)
    chosen = tuple(only or ())
    plan = settings.plan_apply(session, target, against, chosen)
    lines = [
        f"{len(plan.changes)} changes on {plan.table}",
        *facts([(name, operation) for name, operation in plan.changes]),
    ]
    if dry_run:
        app.finish(Outcome(plan, [*lines, "nothing was changed"], dry_run=True))
        return
    if plan.changes:
        for line in lines:
            app.voice.say(line)
        app.confirm(f"apply {len(plan.changes)} changes to {plan.table}?", yes=yes)
    with app.run(session, resume) as run:
        outcome = settings.apply(session, run, target, against, chosen, app.options.timeout_s)
        errors = settings.problems(outcome, resource, against)
        app.finish(Outcome(settings_shape(outcome), settings_lines(outcome), errors=errors, run=run.id))
