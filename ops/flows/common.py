"""What every flow shares: measured phases, the account of an interrupted run, and the line that goes on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ops.clock import Clock, rfc3339
from ops.environment import TableTarget
from ops.errors import BadArgument, Interrupted, OpsError, PlanStale, StillRunning
from ops.flows.session import Session
from ops.model.recovery import PhaseTime
from ops.runs import Run


def headline(session: Session, target: str) -> str:
    """Where a command is about to work: the first line a user sees."""
    document = session.environment.document
    return (
        f"account {document.account} ({document.environment_class})  {document.region}"
        f"  environment {document.stack}  {target}"
    )


class Phases:
    """Measures the named parts of a flow on the environment's clock."""

    def __init__(self, session: Session) -> None:
        self._clock: Clock = session.clock
        self._progress = session.progress
        self._done: list[PhaseTime] = []

    @contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        """Times what happens inside, also when it fails."""
        start, began = self._clock.now(), self._clock.monotonic()
        try:
            with self._progress.phase(name, detail):
                yield
        finally:
            self._done.append(PhaseTime(name, start, round(self._clock.monotonic() - began, 3)))

    @property
    def done(self) -> tuple[PhaseTime, ...]:
        """The phases that ended, in order."""
        return tuple(self._done)


def resume_line(session: Session, run: Run, command: str) -> str:
    """The command that goes on with `run`; `command` is e.g. `restore top_tracks`."""
    return f"ops {command} --resume {run.id} --env {shlex.quote(session.environment.document.stack)}"


@contextmanager
def resumable(session: Session, run: Run, command: str) -> Iterator[None]:
    """Every way out of a run tells what AWS was asked for, and the command that goes on with it.

    Without this an error raised after a mutating call would say "nothing was changed".
    """
    go_on = resume_line(session, run, command)
    try:
        yield
    except BaseException as error:
        asked = asked_of_aws(run)
        number = getattr(error, "signal_number", None)
        if number is not None:
            raise _interrupted(run, command, number, asked, go_on) from error
        if isinstance(error, OpsError):
            error.run = run.id
            if asked:
                error.changed = asked
                error.fix = (go_on,) if isinstance(error, StillRunning) else (*error.fix, go_on)
        raise


def _interrupted(run: Run, command: str, number: int, asked: str, go_on: str) -> Interrupted:
    raised = Interrupted(
        f"interrupted: {command}",
        signal_number=number,
        changed=asked or "nothing was changed",
        fix=(go_on if asked else f"ops {shlex.join(map(str, run.lines[0].data['command']))}",),
    )
    raised.run = run.id
    return raised


def asked_of_aws(run: Run) -> str:
    """What the journal says this run has asked AWS to make, for people; empty when it asked for nothing."""
    states: dict[tuple[str, str], str] = {}
    names: dict[tuple[str, str], str] = {}
    unanswered: set[tuple[str, str]] = set()
    for line in run.lines:
        subject = _subject(line.data)
        if line.kind == "intent":
            states.setdefault(subject, " (answer unknown)")
            names[subject] = f" {line.data['name']}" if "name" in line.data else ""
        elif line.kind == "outcome" and "unanswered" in line.data:
            unanswered.add(subject)
        elif line.kind == "outcome" and "refused" not in line.data:
            states[subject] = ""
        elif line.kind == "outcome" and states.get(subject) and subject not in unanswered:
            del states[subject]
    if not states:
        return ""
    parts = [f"{one[0]} {one[1]}{names[one]}{state}" for one, state in states.items()]
    return f"run {run.id} has asked AWS for: {'; '.join(parts)}; what is running goes on"


def _subject(data: dict[str, object]) -> tuple[str, str]:
    return str(data.get("operation", "")), str(data.get("target", ""))


def compact_utc(moment: datetime) -> str:
    """`20261120T100216Z`: a time for resource names."""
    return rfc3339(moment.replace(microsecond=0)).replace("-", "").replace(":", "")


def options_of(run: Run, **given: object) -> dict[str, object]:
    """The options a run began with: those in its journal when it is resumed, else `given`, written down."""
    line = run.find("options")
    if line is not None:
        return dict(line.data)
    run.write("options", **given)
    return dict(given)


def begun_with(
    run: Run, given: Mapping[str, object], usual: Mapping[str, object], free: Sequence[str] = ()
) -> dict[str, object]:
    """The options a run began with; BadArgument when it is resumed with one that was asked for and is another.

    `usual` are those that nobody needs to ask for, `free` the names of those that may be others now.
    """
    kept = options_of(run, **given)
    for name, value in given.items():
        before = kept.get(name, usual.get(name))
        if name in free or value in (usual.get(name), before):
            continue
        if name == "source" and _one_file(str(value), str(before)):
            continue
        raise BadArgument(
            f"run {run.id} was begun with {name.replace('_', '-')} {_shown(before)}, not {_shown(value)}",
            why="a run goes on with what it began with",
            fix=("leave the option out", "begin a new run"),
        )
    return kept


def _one_file(one: str, other: str) -> bool:
    paths = Path(one), Path(other)
    return all(path.exists() for path in paths) and paths[0].samefile(paths[1])


def _shown(value: object) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def refuse_made_anew(run: Run, table: str, then: str, now: str) -> None:
    """PlanStale when a resumed run wrote into a table of that name which is no more: the new one lacks its items."""
    if then and now and then != now:
        raise PlanStale(
            f"run {run.id} has written into {table} as it was before it was made anew",
            why=f"table id {then} then, {now} now",
            fix=("begin a new run",),
        )


def owns(table: TableTarget) -> str:
    """How error texts and next lines name the table to the command line."""
    return table.logical or f"ddb:{table.physical}"
