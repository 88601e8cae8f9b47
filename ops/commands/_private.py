"""A sandbox that lives as long as one command: up, load, back up; then down, whatever happened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ops.commands._context import App
from ops.config import Resolved

if TYPE_CHECKING:
    from ops.flows.session import Session


@contextmanager
def private_sandbox(app: App, items: int) -> Iterator[None]:
    """Start a sandbox of its own and point this process at it; nothing of it is left afterwards."""
    from ops.sandbox.lifecycle import SandboxOptions, down, environment, up
    from ops.sandbox.state import private_folder

    folder = private_folder()
    app.voice.say(f"sandbox    private, in {folder}")
    before = dict(os.environ)
    settings = app.settings
    try:
        variables = environment(up(SandboxOptions(folder, items), app.voice))
        os.environ.update(variables)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(name, None)
        app.settings = replace(
            settings,
            env=Resolved(variables["OPS_ENV"], "private sandbox"),
            project=Resolved(variables["OPS_PROJECT"], "private sandbox"),
            region=Resolved(variables["AWS_DEFAULT_REGION"], "private sandbox"),
            profile=None,
        )
        yield
    finally:
        app.settings = settings
        os.environ.clear()
        os.environ.update(before)
        down(folder)


def fill(app: App, session: Session, logical: str, markets: tuple[str, ...]) -> None:
    """Load the table from the sandbox's database and track source, and back it up."""
    from ops.flows.backing_up import BackupOptions, back_up
    from ops.flows.load_sources import LoadOptions
    from ops.flows.loading import prepare, run_load

    table = session.table(logical)
    with app.run(session) as run:
        options = LoadOptions("spotify", markets)
        prepared = prepare(session, table, options, run, lambda: False, app.settings.runs_folder.parent)
        outcome = run_load(session, prepared, run)
        if outcome.errors:
            raise outcome.errors[0]
    report = outcome.report
    app.voice.note(
        f"loaded     {report.distinct_keys:,} tracks of {report.artists:,} artists in {', '.join(markets)};"
        f" {report.rows.read:,} rows accounted for"
    )
    with app.run(session) as run:
        backup = back_up(session, run, table, BackupOptions())
    app.voice.note(f"backed up  {backup.name}, {backup.items:,} items fingerprinted")
