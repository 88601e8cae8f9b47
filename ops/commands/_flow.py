"""What the commands around recovery share: opening a table, reading times, and the documented result shapes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from ops.clock import parse_moment, rfc3339
from ops.commands._context import App, app_of
from ops.errors import BadArgument
from ops.model.items import key_text
from ops.model.proof import Comparison, ControlOutcome, SettingsOutcome

if TYPE_CHECKING:
    from ops.environment import TableTarget
    from ops.flows.session import Session

#: How many differing keys a JSON document names; the counts are always complete.
SAMPLES = 100


def open_session(context: typer.Context, command: str, about: str) -> tuple[App, Session]:
    """The environment, announced on stderr with what the command is about."""
    from ops.flows.common import headline

    app = app_of(context, command)
    session = app.session()
    app.voice.say(headline(session, about))
    return app, session


def open_table(context: typer.Context, command: str, resource: str) -> tuple[App, Session, TableTarget]:
    """The environment and the table that `resource` names in it."""
    from ops.flows.common import headline

    app = app_of(context, command)
    session = app.session()
    table = session.table(resource)
    app.voice.say(headline(session, f"table {table.physical}"))
    return app, session, table


def moment(session: Session, text: str | None) -> datetime | None:
    """A time as typed; None for nothing and for `latest`."""
    return None if text in (None, "latest") else parse_moment(text, session.clock.now())


def one_of(option: str, given: str, allowed: Sequence[str]) -> str:
    """`given`, or the error that lists what is allowed."""
    if given not in allowed:
        raise BadArgument(f"{option} {given} is not one of {', '.join(allowed)}")
    return given


def proof_shape(proof: Comparison, control: ControlOutcome | None = None, limit: int = SAMPLES) -> dict[str, Any]:
    """`result` of verify and diff."""
    return {
        "level": "items",
        "equal": proof.equal,
        "expected": _side(proof.expected),
        "found": _side(proof.found),
        "missing": proof.missing,
        "extra": proof.extra,
        "changed": proof.changed,
        "duplicate": proof.duplicates,
        "unusable": proof.shape,
        "ignored": proof.ignored,
        "control": control_shape(control),
        "samples": [
            {"key": one.key, "class": one.kind, "key_digest": one.key_digest}
            for one in proof.differences[: min(limit, SAMPLES)]
        ],
    }


def _side(side: Any) -> dict[str, Any]:
    info = side.info
    return {
        "kind": info.kind, "where": info.where, "moment": info.moment, "weakness": info.weakness,
        "items": side.items, "digest": side.digest,
    }  # fmt: skip


def control_shape(control: ControlOutcome | None) -> dict[str, Any] | None:
    """How many differences were planted, and how many of them were found; None when none were planted."""
    return None if control is None else {"planted": len(control.planted), "found": len(control.found)}


def settings_shape(outcome: SettingsOutcome) -> dict[str, Any]:
    """The `settings` member of a restore, and the result of `settings apply`."""
    waiting = {name for name, _ in outcome.pending}
    return {
        "checked": outcome.checked,
        "applied": list(outcome.applied),
        "already": list(outcome.already),
        "pending": [{"setting": name, "not_before": until} for name, until in outcome.pending],
        "failed": [
            {"setting": one.setting, "wanted": one.wanted, "found": one.found}
            for one in outcome.differing
            if one.setting not in waiting
        ],
    }


def utc(instant: datetime) -> str:
    """A time as every answer shows it."""
    return rfc3339(instant)


def keys_line(proof: Comparison, limit: int) -> str:
    """The first differing keys on one line."""
    return ", ".join(key_text(one.key) if one.key else one.key_digest for one in proof.differences[:limit])
