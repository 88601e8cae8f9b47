"""`ops status`: what protects each table, and when its recovery was last proven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ops.commands._context import Outcome, app_of
from ops.report.json import to_data
from ops.report.text import facts

if TYPE_CHECKING:
    from ops.flows.protection import Protection


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status", epilog="\b\nExamples:\n  ops status\n  ops status top_tracks -o json")(status)


def status(
    context: typer.Context,
    resources: Annotated[
        list[str] | None, typer.Argument(metavar="[RES]...", help="Tables; all declared ones when left out.")
    ] = None,
) -> None:
    """Show protection, restorable window, newest backup and newest proof of each table."""
    from ops.flows.protection import protection

    app = app_of(context, "status")
    session = app.session()
    document = session.environment.document
    targets = [session.table(name) for name in resources or sorted(document.tables)]
    found = [protection(session, target, app.settings.runs_folder) for target in targets]
    head = f"account {document.account} ({document.environment_class})  {document.region}  environment {document.stack}"
    lines = [head]
    for one in found:
        lines.extend(["", *_lines(one)])
    app.finish(Outcome({"tables": to_data(found)}, lines, warnings=_warnings(found)))


def _warnings(found: list[Protection]) -> tuple[tuple[str, str], ...]:
    return tuple(("OPS-W012", f"{one.logical or one.physical}: {text}") for one in found for text in one.problems)


def _lines(one: Protection) -> list[str]:
    name = one.physical if one.physical == one.logical else f"{one.logical} (table {one.physical})"
    window = f"{one.restorable_from} .. {one.restorable_to}" if one.restorable_from else None
    backup = f"{one.newest_backup}  {one.newest_backup_at}" if one.newest_backup else "none"
    shown: list[tuple[str, object]] = [
        ("table", one.status),
        ("recovery", one.pitr),
        ("window", window),
        ("backup", backup),
        ("settings", "as declared" if not one.settings_differing else f"differ: {', '.join(one.settings_differing)}"),
        ("proof", f"{one.last_proof}  level {one.last_proof_level}" if one.last_proof else "none on this machine"),
        ("last RTO", f"{one.last_rto_s:.0f} s" if one.last_rto_s is not None else None),
        ("pointer", "differs from the declared table" if one.pointer_moved else None),
    ]
    return [name, *facts(shown), *(f"  WARN  {problem}" for problem in one.problems)]
