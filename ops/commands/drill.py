"""`ops drill`: break a copy on purpose, recover it, prove it, keep the evidence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ops.clock import parse_duration_s
from ops.commands._context import App, Outcome, app_of
from ops.commands._options import DryRun, Yes
from ops.errors import BadArgument, ResourceNotFound
from ops.report.text import facts, table

if TYPE_CHECKING:
    from ops.drill.run import DrillRequest
    from ops.flows.session import Session

MARKETS = ("SE", "US")


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        help="Break a copy on purpose, recover it, prove it.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("list", epilog="\b\nExample:\n  ops drill list")(list_)
    group.command("run", epilog="\b\nExamples:\n  ops drill run mass-delete\n  ops drill run table-deleted --seed 7")(
        run
    )
    group.command("report", epilog="\b\nExample:\n  ops drill report RUN")(report)
    group.command("gc", epilog="\b\nExample:\n  ops drill gc RUN --dry-run")(gc)
    app.add_typer(group, name="drill")


def list_(context: typer.Context) -> None:
    """List the scenarios."""
    from ops.drill.scenario import SCENARIOS

    app = app_of(context, "drill list")
    rows = [(one.slug, one.title) for one in SCENARIOS]
    app.finish(
        Outcome(
            {"scenarios": [{"slug": slug, "title": title} for slug, title in rows]},
            table(("scenario", "what happens"), rows, app.width),
        )
    )


def run(
    context: typer.Context,
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="See ops drill list.", show_default=False)],
    resource: Annotated[str, typer.Argument(metavar="RES", help="Table whose copy is broken.")] = "top_tracks",
    target: Annotated[str, typer.Option(help="sandbox or aws.")] = "sandbox",
    seed: Annotated[int | None, typer.Option(help="Repeats a drill; drawn when left out.")] = None,
    items: Annotated[int, typer.Option(min=10, help="About how many items, in a private sandbox.")] = 2000,
    rto: Annotated[str | None, typer.Option(metavar="DUR", help="Target; the environment's when left out.")] = None,
    rpo: Annotated[str | None, typer.Option(metavar="DUR", help="Target; the environment's when left out.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the drill tables for a look.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a drill on AWS.")] = False,
) -> None:
    """Run one drill: damage, detection, restore, settings, exact proof, negative control, measures, clean-up.

    Without a running sandbox in the environment (AWS_ENDPOINT_URL) it starts a private one and takes it down.
    """
    from ops.drill.run import DrillRequest
    from ops.drill.scenario import find_scenario

    app = app_of(context, "drill run")
    if target not in ("sandbox", "aws"):
        raise BadArgument(f"--target {target} is not one of sandbox, aws")
    request = DrillRequest(find_scenario(scenario).slug, resource, seed, _seconds(rto), _seconds(rpo), keep)
    where = f"--items {items}" if _is_private(target) else ""
    with _opened(app, target, items, resource) as session:
        if target == "aws":
            app.confirm(f"run drill {scenario} in account {session.environment.document.account}?", yes=yes)
            where = f"--target aws --env {session.environment.document.stack}"
        _drill(app, session, replace(request, cannot=_cannot(session), where=where))


def report(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="See ops list drills.", show_default=False)],
) -> None:
    """Say how a drill ended and where its report lies."""
    from ops.flows.listing import read_result

    app = app_of(context, "drill report")
    folder = app.settings.runs_folder / run_id
    document = read_result(folder)
    if document is None or not (folder / "report.html").is_file():
        raise ResourceNotFound(f"no finished drill {run_id} in {folder.parent}", fix=("ops list drills",))
    result = document.get("result") or {}
    lines = [
        f"{str(result.get('verdict', '')).upper()}  {result.get('scenario')}  {document['started']}",
        *facts([("report", folder / "report.html"), ("evidence", folder / "report.json")]),
    ]
    app.finish(Outcome(result, lines))


def gc(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="See ops list drills.", show_default=False)],
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Remove what a drill that ended badly left behind: only names that its journal says it made."""
    from ops.drill.cleanup import collect

    app = app_of(context, "drill gc")
    session = app.session()
    with app.run(session, run_id) as opened:
        if not dry_run:
            app.confirm(f"remove the drill- tables and the pointer of run {run_id}?", yes=yes)
        found = collect(
            opened,
            aws=session.aws,
            environment=session.environment,
            clock=session.clock,
            progress=app.voice,
            dry_run=dry_run,
        )
    verb = "would be removed" if dry_run else "removed"
    lines = [*(f"{verb}: {name}" for name in found.removed), *(f"left: {name}: {why}" for name, why in found.left)]
    app.finish(Outcome(found, lines or ["nothing of that drill is left"], dry_run=dry_run))


def _is_private(target: str) -> bool:
    return target == "sandbox" and not os.environ.get("AWS_ENDPOINT_URL")


@contextmanager
def _opened(app: App, target: str, items: int, resource: str) -> Iterator[Session]:
    """The environment to drill in; a private sandbox is loaded and backed up first."""
    from ops.commands._private import fill, private_sandbox

    if not _is_private(target):
        session = app.session()
        if session.environment.is_sandbox == (target == "aws"):
            raise BadArgument(
                f"--target {target}, but environment {session.environment.document.stack} is"
                f" of class {session.environment.document.environment_class}"
            )
        yield session
        return
    with private_sandbox(app, items):
        session = app.session()
        fill(app, session, resource, MARKETS)
        yield session


def _drill(app: App, session: Session, request: DrillRequest) -> None:
    from ops.drill.evidence import files_of, publish_proof
    from ops.drill.run import run_drill
    from ops.drill.verdict import error_of
    from ops.flows.common import headline
    from ops.report import terminal
    from ops.report.json import drill_result

    app.voice.say(headline(session, f"table {session.table(request.logical).physical}"))
    with app.run(session) as run:
        app.voice.say(f"drill      {request.scenario} of {request.logical}, run {run.id}")
        with app.signals.at_stake(f"what drill run {run.id} made", f"ops drill gc {run.id}"):
            report = run_drill(
                request,
                aws=session.aws,
                environment=session.environment,
                clock=session.clock,
                progress=app.voice,
                run=run,
                random=app.random,
            )
        files = files_of(run).as_dict()
    if report.verdict == "pass":
        publish_proof(session.aws, session.environment, request.logical)
    outcome = Outcome(
        drill_result(report, files),
        terminal.drill(report, width=app.width, files=files),
        errors=tuple(filter(None, (error_of(report),))),
        warnings=report.warnings,
        run=report.run,
        paint=partial(terminal.painted, report.verdict),
    )
    app.finish(outcome)


def _cannot(session: Session) -> tuple[str, ...]:
    """What the sandbox's deployment refuses or cannot read back, for the report."""
    if not session.environment.is_sandbox:
        return ()
    from ops.sandbox.deploy import cannot

    return cannot()


def _seconds(text: str | None) -> float | None:
    return parse_duration_s(text) if text else None
