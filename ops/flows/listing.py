"""What exists: backups, exports, imports, tables, and the runs of this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ops.clock import rfc3339
from ops.environment import TableTarget
from ops.errors import TableNotFound
from ops.flows.session import Session
from ops.recovery.backups import list_backups
from ops.recovery.tables import describe, list_tables


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows under their column names; `truncated` when there were more than asked for."""

    kind: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    truncated: bool

    def as_dicts(self) -> list[dict[str, str]]:
        """The rows as JSON objects."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def backups(session: Session, target: TableTarget | None, since: datetime | None, limit: int) -> Listing:
    """Every kind of backup, newest first; SYSTEM ones are what a deleted table left behind."""
    name = target.physical if target else None
    found = list_backups(session.aws, name, since=since, limit=limit + 1)
    rows = tuple(
        (one.name, one.table, one.kind, one.status, rfc3339(one.created.replace(microsecond=0)), one.arn)
        for one in sorted(found, key=lambda one: one.created, reverse=True)
    )
    return _listing("backups", ("name", "table", "kind", "status", "created", "arn"), rows, limit)


def exports(session: Session, target: TableTarget | None, limit: int) -> Listing:
    """Exports of the last 90 days, as AWS lists them."""
    params = {"TableArn": _arn(session, target)} if target else {}
    found = session.aws.pages("dynamodb", "list_exports", "ExportSummaries", **params)
    rows = tuple((one["ExportArn"], one["ExportStatus"], one.get("ExportType", "FULL_EXPORT")) for one in found)
    return _listing("exports", ("arn", "status", "type"), rows, limit)


def imports(session: Session, target: TableTarget | None, limit: int) -> Listing:
    """Imports, as AWS lists them."""
    params = {"TableArn": _arn(session, target)} if target else {}
    found = session.aws.pages("dynamodb", "list_imports", "ImportSummaryList", **params)
    rows = tuple((one["ImportArn"], one["ImportStatus"], _source(one)) for one in found)
    return _listing("imports", ("arn", "status", "source"), rows, limit)


def tables(session: Session, limit: int) -> Listing:
    """Every table of the home region; declared ones with their logical name."""
    logical = {session.table(name).physical: name for name in session.environment.document.tables}
    rows = tuple((name, logical.get(name, ""), _state(session, name)) for name in list_tables(session.aws))
    return _listing("tables", ("table", "logical", "status"), rows, limit)


def runs(folder: Path, limit: int, *, drills_only: bool = False) -> Listing:
    """Runs of this machine, newest first; one without a result was interrupted and can be resumed."""
    rows = []
    for path in sorted(folder.iterdir() if folder.is_dir() else (), reverse=True):
        result = read_result(path)
        command = _command(path, result)
        if drills_only and not command.startswith("drill"):
            continue
        state = "open or interrupted" if result is None else ("ok" if result["ok"] else f"exit {result['exit']}")
        verdict = ((result or {}).get("result") or {}).get("verdict", "") if drills_only else ""
        rows.append((path.name, command, state, verdict) if drills_only else (path.name, command, state))
    columns = ("run", "command", "state", "verdict") if drills_only else ("run", "command", "state")
    return _listing("drills" if drills_only else "runs", columns, tuple(rows), limit)


def read_result(run_folder: Path) -> dict[str, Any] | None:
    """The document that a run ended with; None while it has none, or when it cannot be read."""
    try:
        document = json.loads((run_folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return document if _whole(document) else None


def _whole(document: Any) -> bool:
    """Whether it has what every command writes: somebody may have put another file of that name there."""
    if not isinstance(document, dict) or not isinstance(document.get("result"), dict | None):
        return False
    kinds = {"schema": str, "ok": bool, "exit": int, "started": str}
    if not all(isinstance(document.get(name), kind) for name, kind in kinds.items()):
        return False
    try:
        return datetime.fromisoformat(document["started"]).tzinfo is not None
    except ValueError:
        return False


def _command(folder: Path, result: dict[str, Any] | None) -> str:
    if result is not None:
        return str(result["schema"]).removeprefix("ops.").removesuffix("/1").replace("-run", " run")
    try:
        first = json.loads((folder / "journal.jsonl").read_text(encoding="utf-8").split("\n", 1)[0])
        return " ".join(str(word) for word in first["data"].get("command", ())[:3])
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return "unreadable"


def _arn(session: Session, target: TableTarget) -> str:
    return str(describe(session.aws, target.physical, target.region)["TableArn"])


def _state(session: Session, name: str) -> str:
    try:
        return str(describe(session.aws, name).get("TableStatus", "unknown"))
    except TableNotFound:
        return "GONE"  # deleted since the names were listed


def _source(summary: dict[str, Any]) -> str:
    source = summary.get("S3BucketSource", {})
    return f"s3://{source.get('S3Bucket', '?')}/{source.get('S3KeyPrefix', '')}"


def _listing(kind: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], limit: int) -> Listing:
    return Listing(kind, columns, tuple(rows[:limit]), len(rows) > limit)
