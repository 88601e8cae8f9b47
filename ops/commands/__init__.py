"""One module per command: parse, call a flow, hand the result to a renderer."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add every command, in the order of a recovery."""
    from ops.commands import (
        backup,
        diff,
        drill,
        explain,
        export_s3,
        import_s3,
        list,
        load,
        reading,
        repair,
        restore,
        sandbox,
        settings,
        status,
        verify,
    )

    order = (
        *(status, list, backup, export_s3, import_s3, restore, load, reading, settings),
        *(verify, diff, repair, drill, sandbox, explain),
    )
    for module in order:
        module.register(app)
