"""What a command gets from the command line, and the one way in which it ends."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

import typer

from ops.clock import Clock, SystemClock, rfc3339
from ops.commands._output import emit, json_printable
from ops.commands._signals import Signals
from ops.commands._voice import Voice
from ops.config import Settings
from ops.errors import BadArgument, ConfirmationMissing, OpsError, WrongAccount
from ops.runs import Run, open_run, replace_file, resume_run

if TYPE_CHECKING:
    from ops.aws import Aws, CallObserver
    from ops.environment import Environment
    from ops.flows.session import Session


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """Options every command understands, before or after its name."""

    quiet: bool = False
    verbose: int = 0
    color: bool = False
    ask: bool = True
    timeout_s: float | None = None
    allow_account: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: the result for machines, its lines for people, and the exit code with its reasons.

    `paint` adds colour to a line that is about to reach a terminal which wants it.
    """

    result: Any
    lines: Sequence[str]
    errors: tuple[OpsError, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    next: tuple[str, ...] = ()
    run: str | None = None
    dry_run: bool = False
    paint: Callable[[str], str] | None = None


#: When several reasons to fail apply, the first of these is the exit code.
_EXIT_ORDER = (1, 7, 8, 11, 10, 6, 4, 9, 12, 3, 5)


def exit_code_of(errors: Sequence[OpsError]) -> int:
    """The exit code that several errors together ask for; 0 without errors."""
    codes = {error.exit_code for error in errors}
    return next((code for code in _EXIT_ORDER if code in codes), min(codes, default=0))


@dataclass(slots=True)
class App:
    """The state of one invocation; lives in `typer.Context.obj`."""

    settings: Settings
    options: GlobalOptions
    voice: Voice
    signals: Signals = field(default_factory=Signals)
    command: str = "ops"
    resource: str | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    started_monotonic: float = field(default_factory=time.monotonic)
    environment: Environment | None = None
    run_id: str | None = None
    random: Random = field(default_factory=SystemRandom)

    @property
    def output(self) -> str:
        """`text`, `json` or `jsonl`."""
        return self.settings.output.value

    @property
    def width(self) -> int:
        """Columns that a table may use: the terminal's, `COLUMNS`, else 100."""
        return shutil.get_terminal_size((100, 24)).columns

    def aws(self, *observers: CallObserver) -> Aws:
        """The door to AWS; nothing is sent yet."""
        from ops.aws import Aws

        region = self.settings.region.value if self.settings.region else None
        return Aws(region=region, profile=self.settings.given_profile, observers=observers)

    def session(self, *observers: CallObserver) -> Session:
        """Open the chosen environment; the first line appears before the first call to the network."""
        from ops.environment import open_environment
        from ops.flows.session import Session

        aws = self.aws(*observers)
        project, stack = self.settings.project_name, self.settings.stack
        self.voice.detail(f"environment {stack} of {project} in {aws.region}")
        self.environment = open_environment(aws, project, stack)
        clock = self._clock(aws, self.environment)
        self._refuse_other_account(self.environment)
        return Session(aws, self.environment, clock, self.voice, self.random)

    def _refuse_other_account(self, environment: Environment) -> None:
        allowed = self.options.allow_account
        if allowed is not None and allowed != environment.identity.account:
            raise WrongAccount(
                f"--allow-account {allowed}, but the credentials are of account {environment.identity.account}"
            )

    def _clock(self, aws: Aws, environment: Environment) -> Clock:
        """The sandbox has a clock of its own, so that waiting for a recovery window need not be waited for."""
        endpoint = aws.endpoint_override()
        if not environment.is_sandbox or endpoint is None:
            return SystemClock()
        from ops.sandbox.control import SandboxClock, SandboxControl

        return SandboxClock(SandboxControl(endpoint))

    @contextmanager
    def run(self, session: Session, resume: str | None = None) -> Iterator[Run]:
        """A new run of this command, or the one to resume."""
        folder = self.settings.runs_folder
        if resume is not None:
            with resume_run(folder, resume, session.clock) as run:
                self._same_kind(run)
                self.run_id = run.id
                yield run
            return
        with open_run(folder, sys.argv[1:], session.clock, self.random) as run:
            self.run_id = run.id
            yield run

    def _same_kind(self, run: Run) -> None:
        """A run goes on with the command that began it: another one would work in its folder."""
        began = [str(word) for word in run.lines[0].data.get("command", ())]
        if self.command.split()[0] not in began:
            raise BadArgument(
                f"run {run.id} was begun by: ops {' '.join(began)}",
                fix=(f"ops {' '.join(began)} --resume {run.id}",),
            )

    def confirm(self, question: str, *, yes: bool) -> None:
        """A moderate step: `--yes`, or `y` on a terminal; anything else is a refusal."""
        if yes:
            return
        if not self.options.ask or not sys.stdin.isatty():
            raise ConfirmationMissing(question, fix=("give --yes",))
        if not typer.confirm(question, err=True):
            raise ConfirmationMissing(f"{question} answered no")

    def spell(self, error: OpsError) -> None:
        """Put the command and the table of this invocation into the ways out that an error class names in general."""
        texts = error.fix
        if self.command != "ops":
            texts = tuple(re.sub(r"\bCOMMAND\b", self.command, text) for text in texts)
        if self.resource:
            name = shlex.quote(self.resource).replace("\\", r"\\")
            texts = tuple(re.sub(r"\bRES\b", name, text) for text in texts)
        error.fix = texts

    def finish(self, outcome: Outcome) -> None:
        """Print the answer and leave with the documented exit code."""
        code = exit_code_of(outcome.errors)
        for error in outcome.errors:
            self.spell(error)
        self.keep(outcome, code)
        if self.output == "text":
            emit(outcome.lines, paint=outcome.paint if self.options.color and sys.stdout.isatty() else None)
            for error in outcome.errors:
                self.voice.error(error)
            for line in outcome.next if not outcome.errors else ():
                self.voice.say(f"next: {line}")
        else:
            emit_document(self, outcome, code)
        if code:
            raise typer.Exit(code)

    def keep(self, outcome: Outcome, code: int) -> None:
        """The document of a run stays in its folder: `ops status` and `ops list` read it there."""
        folder = self.settings.runs_folder / (outcome.run or "")
        if outcome.run is None or not folder.is_dir():
            return
        if outcome.result is None and (folder / "result.json").exists():
            return  # a failed look at a finished run takes nothing from what it proved
        from ops.report.json import dumps

        try:
            replace_file(folder / "result.json", dumps(envelope(self, outcome, code)))
        except OSError as error:
            self.voice.warn("OPS-W104", f"the result could not be kept in {folder}: {error}")


@dataclass(slots=True)
class Invocation:
    """What `main` hands to the command line and asks back when a command ends badly."""

    words: Sequence[str]
    signals: Signals = field(default_factory=Signals)
    app: App | None = None

    @property
    def wants_document(self) -> bool:
        """Whether stdout owes a JSON document even now."""
        if self.app is not None:
            return self.app.output != "text"
        pairs = zip(self.words, [*self.words[1:], ""], strict=True)
        chosen = any(word in ("-o", "--output") and value in ("json", "jsonl") for word, value in pairs)
        return chosen or "--json" in self.words


def emit_document(app: App, outcome: Outcome, code: int) -> None:
    """The one JSON document of `-o json`, or the closing `summary` line of `-o jsonl`."""
    from ops.report.json import dumps

    document = envelope(app, outcome, code)
    emit([dumps({"event": "summary", **document} if app.output == "jsonl" else document)], json_printable)


def envelope(app: App, outcome: Outcome, code: int) -> dict[str, Any]:
    """The same members for every command, on success and on failure; `schema` names the form of `result`."""
    environment = app.environment
    document = environment.document if environment else None
    return {
        "schema": f"ops.{app.command.replace(' ', '-')}/1",
        "ok": code == 0,
        "exit": code,
        "run": outcome.run,
        "environment": None
        if document is None
        else {
            "project": document.project,
            "stack": document.stack,
            "account": document.account,
            "region": document.region,
        },
        "backend": environment.backend if environment else None,
        "started": rfc3339(app.started),
        "seconds": round(time.monotonic() - app.started_monotonic, 3),
        "dry_run": outcome.dry_run,
        "result": outcome.result,
        "warnings": [{"code": c, "message": m} for c, m in (*outcome.warnings, *app.voice.warnings)],
        "errors": [error.as_dict() for error in outcome.errors],
        "next": list(outcome.next),
    }


def app_of(context: typer.Context, command: str) -> App:
    """The invocation's state, told which command runs."""
    app: App = context.obj.app
    app.command = command
    app.resource = context.params.get("resource") or context.params.get("to")
    return app
