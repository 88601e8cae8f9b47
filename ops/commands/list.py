"""`ops list`: what exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ops.clock import parse_moment
from ops.commands._context import App, Outcome, app_of
from ops.commands._options import Limit
from ops.errors import BadArgument
from ops.report.text import table

if TYPE_CHECKING:
    from ops.flows.listing import Listing

KINDS = ("backups", "exports", "imports", "tables", "runs", "drills")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list", epilog="\b\nExamples:\n  ops list backups --table top_tracks\n  ops list runs")(list_)


def list_(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="WHAT", help=", ".join(KINDS), show_default=False)],
    table_name: Annotated[str | None, typer.Option("--table", metavar="RES", help="Of this table only.")] = None,
    since: Annotated[str | None, typer.Option(help="Backups from this time on, e.g. -7d.")] = None,
    limit: Limit = 50,
) -> None:
    """List backups, exports, imports, tables, or the runs and drills of this machine."""
    app = app_of(context, "list")
    if what not in KINDS:
        raise BadArgument(f"'{what}' cannot be listed", fix=(f"ops list {'|'.join(KINDS)}",))
    found = _find(app, what, table_name, since, limit)
    lines = table(found.columns, found.rows, app.width) or [f"no {what}"]
    if found.truncated:
        lines.append(f"... more than {limit}: --limit shows more")
    app.finish(Outcome({"kind": what, "entries": found.as_dicts(), "truncated": found.truncated}, lines))


def _find(app: App, what: str, table_name: str | None, since: str | None, limit: int) -> Listing:
    from ops.flows import listing

    if what in ("runs", "drills"):
        return listing.runs(app.settings.runs_folder, limit, drills_only=what == "drills")
    session = app.session()
    target = session.table(table_name) if table_name else None
    if what == "backups":
        moment = parse_moment(since, session.clock.now()) if since else None
        return listing.backups(session, target, moment, limit)
    if what == "exports":
        return listing.exports(session, target, limit)
    if what == "imports":
        return listing.imports(session, target, limit)
    return listing.tables(session, limit)
