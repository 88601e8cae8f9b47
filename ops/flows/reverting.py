"""`ops repair --revert FROM..TO`: the patch that takes back what was written in a window, from its old images.

The window is exported with the images before and after it. Each change is taken back only where the item still is what
the window left behind, so that everything written later stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ops.clock import rfc3339
from ops.dynamodb.expressions import parse_where
from ops.dynamodb.table import Table
from ops.environment import TableTarget
from ops.errors import BadArgument, SourceHasBadLines
from ops.flows.changes import NetChange, parse_change, window_of
from ops.flows.exporting import destination, wait_for
from ops.flows.session import Session
from ops.model.items import Item, KeySchema
from ops.recovery import exports, pitr
from ops.recovery.lines import BadLine
from ops.recovery.manifest import Export, open_export
from ops.runs import Run
from ops.verify.matching import Matcher, matcher
from ops.verify.patch import Change, same

#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.HowItWorks.html
SHORTEST, LONGEST = timedelta(minutes=15), timedelta(hours=24)
VIEW: exports.View = "NEW_AND_OLD_IMAGES"
MIXED = "attributes that --where does not name changed in the window too: old and good values cannot be told apart"


@dataclass(frozen=True, slots=True)
class Window:
    """From the first bad second (inclusive) to a moment (exclusive)."""

    since: datetime
    until: datetime

    @property
    def text(self) -> str:
        """As the command line takes it."""
        return f"{rfc3339(self.since)}..{rfc3339(self.until)}"


def check_window(session: Session, table: TableTarget, window: Window) -> None:
    """BadArgument for a length that AWS does not export; OutsideWindow when its begin cannot be read any more."""
    length = window.until - window.since
    if length < SHORTEST:
        later = rfc3339(window.since + SHORTEST)
        raise BadArgument(
            f"the window {window.text} is shorter than AWS exports",
            why="an incremental export covers 15 minutes to 24 hours; what was written later stays as it is",
            fix=(f"--revert {rfc3339(window.since)}..{later}, with --where to name what is damaged",),
        )
    if length > LONGEST:
        raise BadArgument(
            f"the window {window.text} is longer than AWS exports",
            why="an incremental export covers 15 minutes to 24 hours",
            fix=("revert it in parts of at most 24 hours, the newest part first",),
        )
    pitr.check_inside(pitr.restorable_window(session.aws, table.physical, table.region), window.since, table.physical)


def find_window(session: Session, table: Table, window: Window) -> str | None:
    """The manifest address of an unfiltered COMPLETED export of exactly this window, with both images."""
    for summary in exports.list_exports(session.aws, table.arn, table.region):
        if summary.get("ExportStatus") != "COMPLETED" or summary.get("ExportType") != "INCREMENTAL_EXPORT":
            continue
        found = exports.describe_export(session.aws, str(summary["ExportArn"]))
        asked = found.get("IncrementalExportSpecification", {})
        times = (asked.get("ExportFromTime"), asked.get("ExportToTime"))
        fits = times == (window.since, window.until) and asked.get("ExportViewType", VIEW) == VIEW
        if fits and not found.get("FilterSpecification") and found.get("ExportManifest"):
            return exports.manifest_address(found)
    return None


def export_window(
    session: Session, run: Run, table: TableTarget, arn: str, window: Window, timeout_s: float | None
) -> str:
    """The manifest address of an export of the window, taken now; waits until its end can be exported."""
    pitr.wait_until_restorable(session.aws, table.physical, window.until, session.clock, session.progress, table.region)
    to = destination(session, table, None, run.id)
    accepted = exports.start_export(
        session.aws, arn, bucket=to.bucket, prefix=to.key, kind="INCREMENTAL_EXPORT", since=window.since,
        until=window.until, view=VIEW, token=f"{run.id}-revert", run=run, clock=session.clock,
        progress=session.progress,
    )  # fmt: skip
    return wait_for(session, accepted, timeout_s)


@dataclass(slots=True)
class Revert:
    """The changes that take a window back. `left` counts changes that `where` does not name; known at the end."""

    export: Export
    keys: KeySchema
    indexes: Mapping[str, KeySchema]
    where: Matcher | None = None
    left: int = 0
    unchanged: int = 0

    def changes(self) -> Iterator[Change]:
        """Every object of the export is verified whole before its first line is used."""
        self.left = self.unchanged = 0
        for source, number, raw in self.export.lines():
            try:
                net = parse_change(raw, self.keys, self.indexes)
            except BadLine as error:
                raise SourceHasBadLines(f"{source} line {number} cannot be used", why=str(error)) from error
            if same(net.old, net.new):
                self.unchanged += 1
            elif self.where is not None and not self.where.matches(net.new or net.old or {}):
                self.left += 1
            else:
                yield Change(net.key, net.new, net.old, reason=self._reason(net))

    def _reason(self, net: NetChange) -> str:
        """A damaged item that a good writer changed too within the window must not be guessed apart."""
        if self.where is None or net.old is None or net.new is None:
            return ""
        return MIXED if changed_attributes(net.old, net.new) - self.where.attributes else ""


def changed_attributes(old: Item, new: Item) -> set[str]:
    """Names of the top-level attributes that differ."""
    return {name for name in old.keys() | new.keys() if not same(_only(old, name), _only(new, name))}


def _only(item: Item, name: str) -> Item | None:
    return {name: item[name]} if name in item else None


def open_revert(session: Session, table: Table, address: str, where: str | None) -> Revert:
    """Read the export's manifests; ExportCorrupt when it is of another table."""
    export = open_export(session.aws, address, table_arn=table.arn)
    window_of(export)
    if export.summary.get("outputView", VIEW) != VIEW:
        raise BadArgument(f"{address} holds no old images", fix=("export the window with --view both",))
    indexes = {name: index.keys for name, index in table.indexes.items()}
    return Revert(export, table.keys, indexes, None if where is None else matcher(parse_where(where)))
