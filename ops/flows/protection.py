"""How well each table is protected right now, and when its recovery was last proven."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ops.clock import rfc3339
from ops.environment import TableTarget
from ops.errors import PitrOff, TableNotFound
from ops.flows.listing import read_result
from ops.flows.session import Session
from ops.recovery.backups import list_backups
from ops.recovery.pitr import pinned, restorable_window
from ops.recovery.settings import differences, read_settings, wanted_settings
from ops.recovery.tables import describe

#: Results that prove items: a restore, a verification or a drill that ended well.
_PROVING = ("ops.restore/1", "ops.verify/1", "ops.drill-run/1")


@dataclass(frozen=True, slots=True)
class Protection:
    """One table: what would bring it back, and what is not as declared."""

    logical: str
    physical: str
    status: str
    pointer_moved: bool
    pitr: str
    restorable_from: str | None
    restorable_to: str | None
    newest_backup: str | None
    newest_backup_at: str | None
    settings_differing: tuple[str, ...]
    last_proof: str | None
    last_proof_level: str | None
    last_rto_s: float | None
    problems: tuple[str, ...]


def protection(session: Session, target: TableTarget, runs: Path) -> Protection:
    """Read everything about one declared table; a missing table is a finding, not a failure."""
    problems: list[str] = []
    try:
        described = describe(session.aws, target.physical, target.region)
        status, made = str(described["TableStatus"]), described.get("CreationDateTime")
    except TableNotFound:
        status, made = "MISSING", None
        problems.append(f"table {target.physical} does not exist: ops restore {target.label} --deleted")
    pitr = _window(session, target, problems) if status != "MISSING" else {"pitr": "unknown"}
    newest = next(iter(list_backups(session.aws, target.physical, target.region, limit=1)), None)
    if newest is None:
        problems.append(f"no backup: ops backup {target.label}")
    differing = _differing(session, target) if status == "ACTIVE" else ()
    if differing:
        problems.append(f"{len(differing)} settings differ from the contract: ops settings diff {target.label}")
    proof = newest_proof(runs, target, made)
    if proof is None:
        problems.append("recovery was never proven from here: ops drill run mass-delete")
    return Protection(
        logical=target.logical or "",
        physical=target.physical,
        status=status,
        pointer_moved=bool(target.document and target.document.physical != target.physical),
        pitr=pitr["pitr"],
        restorable_from=pitr.get("from"),
        restorable_to=pitr.get("to"),
        newest_backup=newest.name if newest else None,
        newest_backup_at=rfc3339(newest.created.replace(microsecond=0)) if newest else None,
        settings_differing=differing,
        last_proof=str(proof["started"]) if proof else None,
        last_proof_level=str((proof["result"] or {}).get("level", "items")) if proof else None,
        last_rto_s=((proof["result"] or {}).get("rto") or {}).get("service_s") if proof else None,
        problems=tuple(problems),
    )


def _window(session: Session, target: TableTarget, problems: list[str]) -> dict[str, str]:
    try:
        window = restorable_window(session.aws, target.physical, target.region)
    except PitrOff:
        problems.append("point-in-time recovery is off")
        return {"pitr": "off"}
    if pinned(window):
        problems.append("the recovery window is still pinned to the moment it was switched on")
    return {
        "pitr": f"on, {window.period_days} d",
        "from": rfc3339(window.earliest),
        "to": rfc3339(window.latest),
    }


def _differing(session: Session, target: TableTarget) -> tuple[str, ...]:
    if target.document is None:
        return ()
    found = read_settings(session.aws, target.physical, target.region)
    return tuple(one.setting for one in differences(wanted_settings(target.document), found))


def newest_proof(runs: Path, target: TableTarget, made: datetime | None) -> dict[str, Any] | None:
    """The newest document of a run on this machine that proved items of this table, since it was made."""
    names = {target.logical, target.physical}
    for folder in sorted(runs.iterdir() if runs.is_dir() else (), reverse=True):
        document = read_result(folder)
        if document is None or not document.get("ok") or document.get("schema") not in _PROVING:
            continue
        if made is not None and datetime.fromisoformat(str(document["started"])) < made:
            continue  # another table of this name
        result = document.get("result") or {}
        if names & set(_subjects(result)) and _proves(result):
            return document
    return None


def _proves(result: dict[str, Any]) -> bool:
    """A restore may end well without a proof, when none was asked for."""
    return "proof" not in result or bool(result["proof"] and result["proof"]["equal"])


def _subjects(result: dict[str, Any]) -> list[str]:
    report = result.get("report") or {}
    return [str(value) for value in (result.get("source"), result.get("subject"), report.get("source_table")) if value]
