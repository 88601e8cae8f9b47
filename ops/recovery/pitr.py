"""The window of point-in-time recovery: read it, hold a moment against it, wait for a moment to enter it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ops.aws import ControlPlane
from ops.clock import Clock, rfc3339, whole_seconds
from ops.errors import BadResponse, OpsError, OutsideWindow, PitrOff, StillRunning
from ops.model.recovery import RestorableWindow
from ops.progress import Progress
from ops.recovery.backups import list_backups

POLL_S = 10.0
#: The newest restorable time trails by about five minutes; twice that without an answer is not normal.
ENTER_TIMEOUT_S = 900.0
_PERIOD_DAYS = 35
PINNED = (
    "OPS-W005: the window is still pinned to the moment PITR was switched on; "
    "it opens about five minutes after that moment"
)


def restorable_window(control: ControlPlane, table: str, region: str | None = None) -> RestorableWindow:
    """Earliest and latest restorable second; PitrOff names what else exists, TableNotFound."""
    found = read_pitr(control, table, region)
    if found.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise PitrOff(
            f"point-in-time recovery of {table} is off",
            why=_what_else(control, table, region),
            fix=(f"ops settings apply {table} --only pitr --yes", f"ops list backups --table {table}"),
        )
    bounds = [found.get(name) for name in ("EarliestRestorableDateTime", "LatestRestorableDateTime")]
    if not all(isinstance(one, datetime) for one in bounds):
        raise BadResponse(f"DescribeContinuousBackups of {table} states PITR on but no window")
    earliest, latest = (one.astimezone(UTC) for one in bounds if one is not None)
    latest = whole_seconds(latest)
    if earliest.microsecond:
        # the second that the window begins in is not wholly inside it
        earliest = whole_seconds(earliest) + timedelta(seconds=1)
    return RestorableWindow(min(earliest, latest), latest, int(found.get("RecoveryPeriodInDays", _PERIOD_DAYS)))


def read_pitr(control: ControlPlane, table: str, region: str | None = None) -> dict[str, Any]:
    """`PointInTimeRecoveryDescription`: ContinuousBackupsStatus beside it says nothing about PITR."""
    answer = control.call("dynamodb", "describe_continuous_backups", region=region, TableName=table)
    found: dict[str, Any] = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return found


def _what_else(control: ControlPlane, table: str, region: str | None) -> str:
    try:
        newest = list_backups(control, table, region, limit=1)
    except OpsError as error:
        return f"whether backups exist could not be read: {error.what}"
    if not newest:
        return "no backup of that table exists either"
    return f"newest backup: {newest[0].name} of {rfc3339(newest[0].created)} ({newest[0].arn})"


def pinned(window: RestorableWindow) -> bool:
    """Whether the window is still the single moment at which PITR was switched on: it holds next to nothing."""
    return window.earliest == window.latest


def check_inside(window: RestorableWindow, moment: datetime, table: str) -> None:
    """OutsideWindow, with both bounds, unless `moment` can be restored."""
    if window.earliest <= moment <= window.latest:
        return
    side = "before" if moment < window.earliest else "after"
    raise OutsideWindow(
        f"{rfc3339(moment)} lies {side} the restorable window of {table}: "
        f"{rfc3339(window.earliest)} to {rfc3339(window.latest)}",
        why=PINNED if pinned(window) else f"PITR keeps {window.period_days} days and trails now by about five minutes",
        fix=(
            f"choose a time from {rfc3339(window.earliest)} to {rfc3339(window.latest)}",
            f"ops list backups --table {table}",
        ),
    )


def wait_until_restorable(
    control: ControlPlane,
    table: str,
    moment: datetime,
    clock: Clock,
    progress: Progress,
    region: str | None = None,
    timeout_s: float = ENTER_TIMEOUT_S,
) -> RestorableWindow:
    """Wait until `moment` has entered the window; OutsideWindow at once when it can never (again) enter it."""
    window = restorable_window(control, table, region)
    if moment < window.earliest or moment > clock.now() + timedelta(seconds=1):
        check_inside(window, moment, table)
    deadline = clock.monotonic() + timeout_s
    if window.latest < moment:
        progress.note(f"waiting until {rfc3339(moment)} is restorable; newest now: {rfc3339(window.latest)}")
    while window.latest < moment:
        if clock.monotonic() >= deadline:
            raise StillRunning(
                f"{rfc3339(moment)} did not become restorable within {timeout_s:g} s",
                why=f"newest restorable time of {table}: {rfc3339(window.latest)}",
            )
        missing_s = (moment - window.latest).total_seconds()
        clock.sleep(min(max(missing_s, 1.5), POLL_S))
        window = restorable_window(control, table, region)
    return window
