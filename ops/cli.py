"""The command line: options, signals, and the only place where an error becomes an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ops.clock import parse_duration_s
from ops.commands import register
from ops.commands._context import App, GlobalOptions, Invocation, Outcome, emit_document
from ops.commands._output import respect_plain_locale
from ops.commands._voice import Voice
from ops.config import load_settings
from ops.errors import AnswerLost, BadArgument, Interrupted, OpsError, SignalReceived

EPILOG = """\b
Examples:
  ops sandbox up               start a local environment; no AWS account
  eval "$(ops sandbox status --export)"
  ops load spotify --to top_tracks --market SE --market US
  ops drill run mass-delete    break a copy, restore it, prove it

Global options stand before or after the command name. Exit codes: docs/errors.md."""

#: Global options and whether a value follows; `hoist` moves them before the command name.
_GLOBAL = {
    "--env": True, "--project": True, "--profile": True, "--region": True, "-o": True, "--output": True,
    "--json": False, "-q": False, "--quiet": False, "-v": False, "-vv": False, "--verbose": False,
    "--no-color": False, "--no-input": False, "--runs": True, "--timeout": True, "--allow-account": True,
}  # fmt: skip

app = typer.Typer(
    name="ops",
    help="Back up, export, restore and prove the recovery of DynamoDB tables.",
    epilog=EPILOG,
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"ops {version('dynamo-ops')}  python {sys.version.split()[0]}  boto3 {version('boto3')}\n")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    env: Annotated[str | None, typer.Option(help="Stack whose environment document is read. [env: OPS_ENV]")] = None,
    project: Annotated[str | None, typer.Option(help="Project name. [env: OPS_PROJECT; else Pulumi.yaml]")] = None,
    profile: Annotated[str | None, typer.Option(help="AWS profile.")] = None,
    region: Annotated[str | None, typer.Option(help="Home region of the environment.")] = None,
    output: Annotated[str | None, typer.Option("--output", "-o", help="text, json or jsonl. [env: OPS_OUTPUT]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Same as -o json.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the answer and errors.")] = False,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Decisions; -vv also tracebacks.")] = 0,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colour. [env: NO_COLOR]")] = False,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask; a missing answer is exit 7.")] = False,
    runs: Annotated[str | None, typer.Option(help="Folder of journals and reports. [env: OPS_RUNS_DIR]")] = None,
    timeout: Annotated[str | None, typer.Option(help="Wait at most this long, e.g. 90s, 2h; then exit 12.")] = None,
    allow_account: Annotated[str | None, typer.Option(help="Account id that production steps may touch.")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Versions.")
    ] = False,
) -> None:
    flags = {
        "env": env, "project": project, "profile": profile, "region": region,
        "output": "json" if as_json else output, "runs": runs,
    }  # fmt: skip
    settings = load_settings(flags, os.environ, Path.cwd(), Path.home())
    color = sys.stderr.isatty() and not no_color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    options = GlobalOptions(
        quiet=quiet,
        verbose=verbose,
        color=color,
        ask=not no_input and not os.environ.get("OPS_NO_INPUT"),
        timeout_s=parse_duration_s(timeout) if timeout else None,
        allow_account=allow_account,
    )
    context.obj.app = App(settings, options, Voice(quiet=quiet, verbose=verbose, color=color), context.obj.signals)


register(app)


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move global options that stand after the command name to the front; stops at `--`."""
    front: list[str] = []
    rest: list[str] = []
    at = 0
    while at < len(arguments):
        word = arguments[at]
        name, _, value = word.partition("=")
        if word == "--":
            rest.extend(arguments[at:])
            break
        if name in _GLOBAL and (not value or _GLOBAL[name]):
            front.append(word)
            if _GLOBAL[name] and not value and at + 1 < len(arguments):
                at += 1
                front.append(arguments[at])
        else:
            rest.append(word)
        at += 1
    return front + rest


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave the process with its documented exit code."""
    words = hoist(sys.argv[1:] if arguments is None else arguments)
    respect_plain_locale()
    invocation = Invocation(words)
    invocation.signals.install()
    try:
        app(args=words, prog_name="ops", obj=invocation)
    except OpsError as error:
        _end(invocation, error, cause=error)
    except SignalReceived as received:
        _end(invocation, Interrupted("interrupted", signal_number=received.signal_number))
    except SystemExit as end:
        if end.code == 2 and invocation.wants_document:
            _end(invocation, BadArgument("the command line was not understood (see stderr)"), spoken=True)
        raise
    except Exception as error:  # noqa: BLE001 - the one place where an unforeseen failure is given a form
        _end(invocation, _unexpected(error), cause=error)


def _unexpected(error: Exception) -> OpsError:
    # Type and place only: messages of foreign exceptions may hold item values or secrets.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return OpsError(
        f"unexpected {type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}",
        changed="unknown: look at the journal of the run (ops list runs)",
    )


def _end(invocation: Invocation, error: OpsError, *, cause: Exception | None = None, spoken: bool = False) -> NoReturn:
    voice = invocation.app.voice if invocation.app else Voice()
    if invocation.app is not None:
        invocation.app.spell(error)
    if cause is not None and voice.verbose >= 2:
        traceback.print_exception(cause)
    if not spoken:
        voice.error(error)
    app = invocation.app or App(load_settings({}, {}, Path("/"), Path("/")), GlobalOptions(), voice)
    outcome = Outcome(result=None, lines=(), errors=(error,), run=error.run or app.run_id)
    if not isinstance(error, Interrupted):  # an interrupted run stays open, so that it is seen and resumed
        app.keep(outcome, error.exit_code)
    if invocation.wants_document and not isinstance(error, AnswerLost):
        emit_document(app, outcome, error.exit_code)
    sys.exit(error.exit_code)
