"""`ops settings`: what a table's settings are, what the contract wants, and making them so."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ops.environment import TableTarget
from ops.errors import BadArgument, OpsError, SettingsDiffer
from ops.flows.common import begun_with, owns, resumable
from ops.flows.session import Session
from ops.model.proof import SettingDifference, SettingsOutcome
from ops.recovery import reapply
from ops.recovery.settings import TableSettings, differences, flatten, read_settings, wanted_settings
from ops.runs import Run

STAGES: tuple[reapply.Stage, ...] = ("before_proof", "after_proof")
_USUAL: dict[str, Any] = {"against": None, "only": []}


@dataclass(frozen=True, slots=True)
class SettingsView:
    """Settings as found, as wanted, and where they differ."""

    table: str
    found: dict[str, str]
    wanted: dict[str, str]
    differing: tuple[SettingDifference, ...]


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    """What an apply would ask of AWS, in order: setting, operation."""

    table: str
    changes: tuple[tuple[str, str], ...]


def show(session: Session, table: TableTarget) -> dict[str, str]:
    """Every readable setting by its stable name."""
    return flatten(read_settings(session.aws, table.physical, table.region))


def compare(
    session: Session, table: TableTarget, against: str | None = None, only: tuple[str, ...] = ()
) -> SettingsView:
    """Found beside wanted; `only` limits the settings, also by prefix (`scaling`)."""
    wanted = wanted_by(session, table, against)
    found = read_settings(session.aws, table.physical, table.region)
    differing = tuple(one for one in differences(wanted, found) if _chosen(one.setting, only))
    return SettingsView(table.physical, flatten(found), flatten(wanted), differing)


def wanted_by(session: Session, table: TableTarget, against: str | None) -> TableSettings:
    """The contract of the table, of another declared table, or the settings kept beside a backup (a file)."""
    if against not in (None, "contract"):
        return _from_file(Path(against)) if Path(against).is_file() else _declared(session.table(against), against)
    return _declared(table, owns(table))


def _declared(table: TableTarget, name: str) -> TableSettings:
    if table.document is None:
        raise BadArgument(
            f"the environment document has no contract for {name}",
            fix=("name one with --against LOGICAL, e.g. the table it was restored from",),
        )
    return wanted_settings(table.document)


def _from_file(path: Path) -> TableSettings:
    """`settings.json` as kept beside a backup, or the settings alone."""
    try:
        document = json.loads(path.read_bytes())
        return TableSettings.from_data(document.get("settings", document))
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadArgument(f"{path} holds no settings", why=str(error)) from error


def plan_apply(
    session: Session, table: TableTarget, against: str | None = None, only: tuple[str, ...] = ()
) -> ApplyPlan:
    """The changes that an apply would make."""
    changes = _changes(session, table, wanted_by(session, table, against), only)
    return ApplyPlan(table.physical, tuple((one.setting, one.operation) for one in changes))


def apply(
    session: Session,
    run: Run,
    table: TableTarget,
    against: str | None = None,
    only: tuple[str, ...] = (),
    timeout_s: float | None = None,
) -> SettingsOutcome:
    """Set what differs and read it back; nothing is ever removed."""
    asked = ("--against", against) if against else ()
    limits = [word for one in only for word in ("--only", one)]
    with resumable(session, run, shlex.join(["settings", "apply", owns(table), *asked, *limits, "--yes"])):
        kept = begun_with(run, {"table": table.physical, "against": against, "only": list(only)}, _USUAL)
        against, only = _text(kept.get("against")), tuple(map(str, cast("list[str]", kept.get("only", []))))
        wanted = wanted_by(session, table, against)
        changes = _changes(session, table, wanted, only)
        outcome = SettingsOutcome()
        for stage in STAGES:
            with session.progress.phase("settings", f"{stage}: {_count(changes, stage)} changes on {table.physical}"):
                made = reapply.apply(
                    session.aws, table.physical, changes, stage=stage, run=run, clock=session.clock,
                    progress=session.progress, region=table.region, timeout_s=timeout_s,
                )  # fmt: skip
            outcome = merged(outcome, made)
        skip = tuple(name for name in flatten(wanted) if not _chosen(name, only))
        return reapply.read_back(session.aws, table.physical, wanted, outcome, region=table.region, skip=skip)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _changes(
    session: Session, table: TableTarget, wanted: TableSettings, only: tuple[str, ...]
) -> tuple[reapply.Change, ...]:
    current = read_settings(session.aws, table.physical, table.region)
    return tuple(one for one in reapply.plan(current, wanted) if _chosen(one.setting, only))


def _chosen(setting: str, only: tuple[str, ...]) -> bool:
    return not only or any(
        setting == one or setting.startswith(f"{one}.") or one.startswith(f"{setting}.") for one in only
    )


def _count(changes: tuple[reapply.Change, ...], stage: str) -> int:
    return sum(one.stage == stage for one in changes)


def merged(first: SettingsOutcome, second: SettingsOutcome) -> SettingsOutcome:
    """Two stages as one outcome."""
    return SettingsOutcome(
        applied=(*first.applied, *second.applied),
        already=(*first.already, *second.already),
        pending=(*first.pending, *second.pending),
        differing=(*first.differing, *second.differing),
        checked=first.checked + second.checked,
    )


def problems(outcome: SettingsOutcome, table: str, against: str | None = None) -> tuple[OpsError, ...]:
    """SettingsDiffer when a read-back is not as wanted and does not wait for a date; `against` as it was asked for."""
    if outcome.restored:
        return ()
    waiting = {name for name, _ in outcome.pending}
    wrong = [one for one in outcome.differing if one.setting not in waiting]
    what = f"{len(wrong)} settings of {table} differ from the contract" if wrong else f"no setting of {table} was read"
    return (
        SettingsDiffer(
            what,
            why="; ".join(f"{one.setting}: wanted {one.wanted}, found {one.found}" for one in wrong[:5]),
            changed=f"applied: {', '.join(outcome.applied) or 'nothing'}",
            fix=(f"ops settings diff {table}" + (f" --against {shlex.quote(against)}" if against else ""),),
        ),
    )
