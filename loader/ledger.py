"""The quota ledger: how many calls an account made in the last 24 hours, kept across runs and processes.

Spotify's development quota rolls and does not reset at midnight (references/changes/july-2026), so calls
are counted in buckets of a minute. Every call is counted before it is made, failed ones too.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from loader.errors import RunFolderUnusable, SourceQuota
from loader.files import explained, make_folder, replace_file
from loader.models import timestamp

WINDOW_MINUTES = 24 * 60
DEFAULT_BUDGET = 900


class Ledger(Protocol):
    """Asked before every call to the source."""

    def spend(self) -> None:
        """Count one call; `SourceQuota` when it may not be made."""

    def close(self, until: datetime) -> None:
        """Remember that the source refuses until then."""


class UnlimitedLedger:
    """For a source without a quota, such as the sandbox; a closing holds for this process only."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._closed_until: datetime | None = None

    def spend(self) -> None:
        if self._closed_until is not None and self._now() < self._closed_until:
            raise _closed(self._closed_until)

    def close(self, until: datetime) -> None:
        self._closed_until = until


@dataclass(frozen=True, slots=True)
class _Page:
    buckets: dict[int, int]
    closed_until_s: float


class FileLedger:
    """One file per account; safe between threads and between processes of one host."""

    def __init__(self, path: Path, now: Callable[[], datetime], budget: int = DEFAULT_BUDGET) -> None:
        self._path = path
        self._now = now
        self._budget = budget
        self._lock = threading.Lock()
        make_folder(path.parent)

    def spend(self) -> None:
        with self._lock, _FileLock(self._path):
            page = self._read()
            self._refuse(page)
            minute = self._minute()
            buckets = _recent(page.buckets, minute)
            buckets[minute] = buckets.get(minute, 0) + 1
            self._write(_Page(buckets, page.closed_until_s))

    def close(self, until: datetime) -> None:
        with self._lock, _FileLock(self._path):
            page = self._read()
            self._write(_Page(page.buckets, max(page.closed_until_s, until.timestamp())))

    def used(self) -> int:
        """Calls in the window that ends now."""
        with self._lock, _FileLock(self._path):
            return sum(_recent(self._read().buckets, self._minute()).values())

    def _refuse(self, page: _Page) -> None:
        if self._now().timestamp() < page.closed_until_s:
            raise _closed(datetime.fromtimestamp(page.closed_until_s, UTC))
        buckets = _recent(page.buckets, self._minute())
        if sum(buckets.values()) < self._budget:
            return
        opens = datetime.fromtimestamp((min(buckets, default=self._minute()) + WINDOW_MINUTES + 1) * 60, UTC)
        raise SourceQuota(
            f"the budget of {self._budget} calls in 24 hours is used up until {timestamp(opens)}",
            resume_at=opens,
        )

    def _minute(self) -> int:
        return int(self._now().timestamp() // 60)

    def _read(self) -> _Page:
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            buckets = {int(minute): int(count) for minute, count in document["buckets"].items()}
            return _Page(buckets, float(document["closed_until_s"]))
        except FileNotFoundError:
            return _Page({}, 0.0)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunFolderUnusable(
                f"the quota ledger {self._path} is damaged",
                why=type(error).__name__,
                hint=f"remove {self._path} when the source accepts calls",
            ) from error

    def _write(self, page: _Page) -> None:
        buckets = {str(minute): count for minute, count in sorted(page.buckets.items())}
        replace_file(self._path, json.dumps({"buckets": buckets, "closed_until_s": page.closed_until_s}))


class _FileLock:
    """Waits for other processes; held for one read and one write."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.lock")
        self._descriptor = -1

    def __enter__(self) -> None:
        with explained(self._path):
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _recent(buckets: dict[int, int], minute: int) -> dict[int, int]:
    """Buckets of the window. A clock that stepped back frees nothing: the newest bucket counts as now."""
    newest = max([minute, *buckets])
    return {start: count for start, count in buckets.items() if start > newest - WINDOW_MINUTES}


def _closed(until: datetime) -> SourceQuota:
    return SourceQuota(f"the source's quota is used up until {timestamp(until)}", resume_at=until)
