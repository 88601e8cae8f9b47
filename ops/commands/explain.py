"""`ops explain CODE`: what an error code means and how to get out."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.commands._context import Outcome, app_of
from ops.errors import BadArgument, error_classes
from ops.report.text import facts


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain", epilog="\b\nExample:\n  ops explain OPS-E603")(explain)


def explain(
    context: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help="A code as printed, e.g. OPS-E603.", show_default=False)],
) -> None:
    """Say what an error code means, its exit code and the way out."""
    app = app_of(context, "explain")
    known = {one.code: one for one in error_classes()}
    wanted = code.upper() if code.upper().startswith("OPS-") else f"OPS-{code.upper()}"
    if wanted not in known:
        raise BadArgument(f"no error code {code}", fix=(f"codes: {', '.join(sorted(known))}",))
    found = known[wanted]
    result = {"code": wanted, "title": found.title, "exit": found("").exit_code, "fix": found.hint}
    lines = [f"{wanted}  {found.title}", *facts([("exit code", result["exit"]), ("way out", found.hint)])]
    app.finish(Outcome(result=result, lines=lines))
