"""One module per command: parse, call a flow, hand the result to a renderer."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add every command, in the order of a recovery."""
    from ops.commands import explain, list, load, reading, sandbox, status

    for module in (status, list, load, reading, sandbox, explain):
        module.register(app)
