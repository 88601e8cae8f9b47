"""`ops export-s3`: an export to S3 that was read back, file by file, before it counts as one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ops.clock import rfc3339
from ops.environment import TableTarget
from ops.errors import BadArgument
from ops.flows.common import options_of, owns, resumable
from ops.flows.s3 import Address
from ops.flows.session import Session
from ops.model.recovery import ExportFiles, ExportResult
from ops.recovery import exports, pitr, tables
from ops.recovery.exports import Kind, View
from ops.recovery.manifest import open_export, require_whole
from ops.runs import Run

Level = Literal["present", "bytes"]
LEVELS: tuple[Level, ...] = ("present", "bytes")
VIEWS: dict[str, View] = {"both": "NEW_AND_OLD_IMAGES", "new": "NEW_IMAGE"}


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """A full export of `at` (None: the newest restorable second), or what changed from `since` to `until`."""

    at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    view: str = "both"
    to: str | None = None
    level: Level = "bytes"
    timeout_s: float | None = None

    @property
    def incremental(self) -> bool:
        """Whether only changes are exported."""
        return self.since is not None


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What would be asked of AWS."""

    table: str
    type: Kind
    at: datetime
    since: datetime | None
    to: str


def plan_export(session: Session, table: TableTarget, options: ExportOptions, run_id: str = "RUN") -> ExportPlan:
    """Every check that can be made without changing anything: PITR on, all moments inside the window."""
    if options.incremental and options.at is not None:
        raise BadArgument("choose either --at, a full export, or --since and --until, an incremental one")
    if options.until is not None and not options.incremental:
        raise BadArgument("--until needs --since")
    window = pitr.restorable_window(session.aws, table.physical, table.region)
    at = options.at or options.until or window.latest
    if pitr.pinned(window):
        session.progress.warn(
            "OPS-W005", f"window of {table.physical} still pinned: the data will be as of {rfc3339(window.latest)}"
        )
    for moment in filter(None, (options.since, at)):
        pitr.check_inside(window, moment, table.physical)
    kind: Kind = "INCREMENTAL_EXPORT" if options.incremental else "FULL_EXPORT"
    return ExportPlan(table.physical, kind, at, options.since, str(destination(session, table, options.to, run_id)))


def destination(session: Session, table: TableTarget, to: str | None, run_id: str) -> Address:
    """Bucket and prefix of an export; the prefix holds the run's id, so that a resumed run finds its own."""
    document = session.environment.document
    if to is not None:
        given = Address.parse(to)
        return Address(given.bucket, given.key.rstrip("/")).below(run_id)
    return Address(document.export_bucket, document.export_prefix).below(f"{table.label}/{run_id}")


def export_table(session: Session, run: Run, table: TableTarget, options: ExportOptions) -> ExportResult:
    """A COMPLETED export, both manifests and every file read back; ExportCorrupt names what is bad.

    A resumed run sends the same token, for which AWS answers with the export it already makes.
    """
    with resumable(session, run, f"export-s3 {owns(table)}"):
        plan = _plan_or_resume(session, run, table, options)
        with session.progress.phase("export", f"{plan.table} as of {rfc3339(plan.at)} to {plan.to}"):
            arn, address = _export(session, run, table, plan, options)
        return check_export(session, arn, address, plan, options.level)


def _plan_or_resume(session: Session, run: Run, table: TableTarget, options: ExportOptions) -> ExportPlan:
    if run.find("options") is None:
        plan = plan_export(session, table, options, run.id)
        options_of(
            run,
            table=plan.table,
            type=plan.type,
            at=rfc3339(plan.at),
            since=None if plan.since is None else rfc3339(plan.since),
            to=plan.to,
        )
        return plan
    kept = options_of(run)
    if kept.get("table") != table.physical:
        raise BadArgument(f"run {run.id} is an export of {kept.get('table')}, not of {table.physical}")
    since = kept["since"]
    return ExportPlan(
        table=str(kept["table"]),
        type="INCREMENTAL_EXPORT" if since else "FULL_EXPORT",
        at=datetime.fromisoformat(str(kept["at"])),
        since=None if since is None else datetime.fromisoformat(str(since)),
        to=str(kept["to"]),
    )


def _export(
    session: Session, run: Run, table: TableTarget, plan: ExportPlan, options: ExportOptions
) -> tuple[str, str]:
    to = Address.parse(plan.to)
    arn = exports.start_export(
        session.aws,
        _asked_about(run, table) or str(tables.describe(session.aws, table.physical, table.region)["TableArn"]),
        bucket=to.bucket,
        prefix=to.key,
        at=None if plan.since else plan.at,
        kind=plan.type,
        since=plan.since,
        until=plan.at if plan.since else None,
        view=VIEWS[options.view] if plan.since else None,
        token=run.id,
        run=run,
        clock=session.clock,
        progress=session.progress,
    )
    return arn, wait_for(session, arn, options.timeout_s)


def _asked_about(run: Run, table: TableTarget) -> str | None:
    """The table's ARN when this run has asked for its export: that goes on in AWS though the table is deleted."""
    asked = run.find("intent", operation="ExportTableToPointInTime")
    arn = "" if asked is None else str(asked.data["target"])
    return arn if arn.endswith(f":table/{table.physical}") else None


def check_export(session: Session, arn: str, address: str, plan: ExportPlan, level: Level) -> ExportResult:
    """Read the export back at `level`; a bad file raises ExportCorrupt with its class."""
    opened = open_export(session.aws, address)
    checked = ExportFiles("present", 0)
    if level == "bytes":
        with session.progress.phase("bytes", "reading every file back: checksum, lines, counts"):
            checked = opened.verify(session.progress)
    require_whole(opened, checked)
    return ExportResult(
        arn=arn,
        manifest=address,
        type=plan.type,
        at=plan.at,
        items=opened.declared,
        files=len(opened.files),
        verified=checked,
    )


def export_of_second(session: Session, run: Run, table: TableTarget, moment: datetime, timeout_s: float | None) -> str:
    """The manifest address of a full export of exactly `moment`, taken now under this run's prefix."""
    return wait_for(session, begin_export_of_second(session, run, table, moment), timeout_s)


def begin_export_of_second(session: Session, run: Run, table: TableTarget, moment: datetime) -> str:
    """Ask for a full export of exactly `moment`; its ARN."""
    to = destination(session, table, None, run.id)
    return exports.start_export(
        session.aws,
        str(tables.describe(session.aws, table.physical, table.region)["TableArn"]),
        bucket=to.bucket,
        prefix=to.key,
        at=moment,
        token=f"{run.id}-expected",
        run=run,
        clock=session.clock,
        progress=session.progress,
    )


def wait_for(session: Session, arn: str, timeout_s: float | None) -> str:
    """The manifest address of an export once it is COMPLETED."""
    described = exports.wait_export(session.aws, arn, session.clock, session.progress, timeout_s)
    return exports.manifest_address(described)
