"""`ops drill`: break a copy on purpose, recover it, prove it, keep the evidence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ops.clock import parse_duration_s
from ops.commands._context import App, Outcome, app_of
from ops.errors import BadArgument
from ops.report.text import facts, table

if TYPE_CHECKING:
    from ops.drill.run import DrillRequest
    from ops.flows.session import Session
    from ops.model.drill import DrillReport, Objective

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
    resource: Annotated[str, typer.Argument(metavar="[RES]", help="Table whose copy is broken.")] = "top_tracks",
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
    with _opened(app, target, items, seed, resource) as (session, load):
        if target == "aws":
            app.confirm(f"run drill {scenario} in account {session.environment.document.account}?", yes=yes)
        _drill(app, session, request, load)


@contextmanager
def _opened(
    app: App, target: str, items: int, seed: int | None, resource: str
) -> Iterator[tuple[Session, dict[str, int]]]:
    """The environment to drill in, and the counts of what a private sandbox was loaded with."""
    from ops.commands._private import fill, private_sandbox

    if target == "aws" or os.environ.get("AWS_ENDPOINT_URL"):
        session = app.session()
        if session.environment.is_sandbox == (target == "aws"):
            raise BadArgument(
                f"--target {target}, but environment {session.environment.document.stack} is"
                f" of class {session.environment.document.environment_class}"
            )
        yield session, {}
        return
    with private_sandbox(app, items, seed if seed is not None else 1):
        session = app.session()
        yield session, fill(app, session, resource, MARKETS)


def _drill(app: App, session: Session, request: DrillRequest, load: dict[str, int]) -> None:
    from ops.drill.evidence import files_of
    from ops.drill.run import run_drill
    from ops.drill.verdict import error_of
    from ops.report.json import drill_result

    with app.run(session) as run:
        app.voice.say(f"drill      {request.scenario} of {request.logical}, run {run.id}")
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
    outcome = Outcome(
        drill_result(report, files),
        _lines(report, files),
        errors=tuple(filter(None, (error_of(report),))),
        warnings=report.warnings,
        run=report.run,
    )
    app.finish(outcome)


def _seconds(text: str | None) -> float | None:
    return parse_duration_s(text) if text else None


def _lines(report: DrillReport, files: dict[str, str]) -> list[str]:
    marks = [f"{one.name}  {one.offset_s:>8.1f} s  {one.meaning}" for one in report.marks]
    proof = report.proof
    ok = sum(one.held for one in report.conditions)
    return [
        *marks,
        *(f"  NOT MET  {one.name}: {one.detail}" for one in report.conditions if not one.held),
        *facts(
            [
                (
                    "items",
                    f"{proof.found.items:,} found = {proof.expected.items:,} expected, {proof.differing:,} differ",
                ),
                (
                    "settings",
                    f"{report.settings.checked - len(report.settings.differing)} of {report.settings.checked}",
                ),
                ("control", f"{len(report.control.planted)} planted, {len(report.control.found)} found"),
                ("conditions", f"{ok} of {len(report.conditions)} held"),
                *((f"target {one.name}", _objective(one)) for one in report.objectives),
                ("report", files.get("report")),
                ("evidence", files.get("json")),
            ]
        ),
        f"{report.verdict.upper()}  {report.scenario}  RTO {report.rto_service_s:.0f} s"
        f"  RPO {report.rpo_items} items lost, {report.rpo_time_s:.0f} s  level {report.level}  {report.backend}",
    ]


def _objective(one: Objective) -> str:
    return f"{one.measured:,.0f} of {one.target:,.0f}  {'met' if one.met else 'MISSED'}"
