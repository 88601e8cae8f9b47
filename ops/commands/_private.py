"""A sandbox that lives as long as one command: up, load, back up; then down, whatever happened."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ops.commands._context import App
from ops.config import Resolved
from ops.errors import OpsError, StateFolderUnusable

if TYPE_CHECKING:
    from ops.flows.session import Session


@contextmanager
def private_sandbox(app: App, items: int) -> Iterator[None]:
    """Start a sandbox of its own and point this process at it; nothing of it is left afterwards, or it is named."""
    from ops.sandbox.state import private_folder

    folder = private_folder()
    left, remove = f"the sandbox in {folder}, its processes included", down_line(folder)
    before = dict(os.environ)
    settings = app.settings
    with app.signals.at_stake(left, remove):
        try:
            app.voice.say(f"sandbox    private, in {folder}")
            _point_at(app, folder, items)
            yield
        finally:
            with app.signals.cleaning(left, remove):
                app.settings = settings
                os.environ.clear()
                os.environ.update(before)
                _end(app, folder)


def down_line(folder: Path) -> str:
    """The command that ends the sandbox of that folder and no other, from this shell: `make` activates nothing."""
    program = "ops" if shutil.which("ops") else f"{shlex.quote(sys.executable)} -m ops"
    return f"OPS_SANDBOX_DIR={shlex.quote(str(folder))} {program} sandbox down"


def _point_at(app: App, folder: Path, items: int) -> None:
    from ops.sandbox.lifecycle import SandboxOptions, environment, up

    try:
        variables = environment(up(SandboxOptions(folder, items), app.voice))
    except StateFolderUnusable as error:
        error.fix = ("free space, or choose another folder with TMPDIR=DIR",)
        raise
    os.environ.update(variables)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    app.settings = replace(
        app.settings,
        env=Resolved(variables["OPS_ENV"], "private sandbox"),
        project=Resolved(variables["OPS_PROJECT"], "private sandbox"),
        region=Resolved(variables["AWS_DEFAULT_REGION"], "private sandbox"),
        profile=None,
    )


def _end(app: App, folder: Path) -> None:
    from ops.sandbox.lifecycle import down
    from ops.sandbox.state import remove_folder

    if app.signals.is_set():
        app.voice.note(f"clean up   ending the private sandbox in {folder}")
    try:
        if not down(folder) and folder.is_dir():  # refused before anything was in it
            remove_folder(folder)
    except OpsError as error:
        error.changed = f"left: the sandbox in {folder}"
        error.fix = (*(line for line in error.fix if line != "ops sandbox down"), down_line(folder))
        raise


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
