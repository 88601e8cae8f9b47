"""What every part of the sandbox shares: the clock, the lock, what is due later, and the settings."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields

from ops.sandbox.aws.clock import SandboxTime
from ops.sandbox.aws.faults import FaultPlan

ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True)
class Durations:
    """How long things take in sandbox time. The defaults are short; on AWS they are minutes to hours."""

    restore_s: float = 20.0
    export_s: float = 5.0
    # an import: the table appears after import_hidden_s and is ACTIVE shortly before the job's end
    import_s: float = 60.0
    import_hidden_s: float = 30.0
    bulk_s: float = 20.0
    system_backup_s: float = 6.0
    pitr_lag_s: float = 300.0
    # off by default, since each deployment and each test would wait for them
    table_s: float = 0.0  # CREATING of an ordinary table
    update_s: float = 0.0  # UPDATING after UpdateTable, and CREATING of a new index
    backups_ready_s: float = 0.0  # ContinuousBackupsUnavailableException after a table is ACTIVE
    replica_lag_s: float = 0.0
    # an expired item is deleted that long after it expired; AWS says within a few days
    ttl_s: float = 172_800.0

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The members, for flags and environment variables."""
        return tuple(one.name for one in fields(cls))


@dataclass(frozen=True, slots=True)
class DatabaseBinding:
    """The real database that RDS instances of this engine stand for."""

    engine: str
    address: str
    port: int
    username: str
    password: str = field(repr=False)
    database: str


class Timeline:
    """Work that becomes due at a sandbox time; run by the next request, in order, with its own due time."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._number = itertools.count()

    def at(self, when_s: float, action: Callable[[float], None]) -> None:
        """Call `action(when_s)` once the clock has reached `when_s`."""
        heapq.heappush(self._due, (when_s, next(self._number), action))

    def run_until(self, now_s: float) -> None:
        """Run all that is due, earliest first; an action may add more."""
        while self._due and self._due[0][0] <= now_s:
            when_s, _, action = heapq.heappop(self._due)
            action(when_s)


@dataclass(slots=True)
class World:
    """One sandbox. Handed to every module that patches moto; nothing is kept in modules."""

    token: str
    clock: SandboxTime = field(default_factory=SandboxTime)
    durations: Durations = field(default_factory=Durations)
    timeline: Timeline = field(default_factory=Timeline)
    faults: FaultPlan = field(default_factory=FaultPlan)
    databases: dict[str, DatabaseBinding] = field(default_factory=dict)
    # moto serves requests on threads but its DynamoDB is not thread-safe: one request at a time.
    lock: threading.RLock = field(default_factory=threading.RLock)
    sleep: Callable[[float], None] = time.sleep
    # its state was written for a later process: nothing may change any more
    asleep: bool = False

    def now(self) -> float:
        """Epoch seconds of the sandbox."""
        return self.clock.time()

    def settle(self) -> None:
        """Bring everything that is due up to date."""
        with self.lock:
            self.timeline.run_until(self.now())
