"""The real databases behind RDS instances: one server that is bound, and one more for each restore.

Only a PostgreSQL that the sandbox itself started can be restored; an instance bound to any other database has
metadata only. ops.sandbox.second_servers has the recovery.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from moto.rds.models import DBInstance, DBSnapshot

from ops.clock import SystemClock
from ops.sandbox.aws.world import DatabaseBinding, World
from ops.sandbox.postgres import PostgresServer
from ops.sandbox.processes import ProcessRecord
from ops.sandbox.second_servers import SecondServers, Target

# members of moto's objects: they follow renames, and moto's restores pass them on to nobody
BOUND, POINT = "sandbox_bound", "sandbox_point"


@dataclass(frozen=True, slots=True)
class Bound:
    """The database of one instance; `second` when it came from a restore."""

    binding: DatabaseBinding
    second: PostgresServer | None = None


def bound_of(instance: DBInstance) -> Bound | None:
    """The database behind this instance."""
    found: Bound | None = instance.__dict__.get(BOUND)
    return found


class Databases:
    """What RDS calls do to the real servers."""

    def __init__(self, world: World) -> None:
        self._world = world

    def bind(self, instance: DBInstance) -> None:
        """A new instance stands for the database that was posted for its engine, emptied if it had been deleted."""
        binding = self._world.databases.get(str(instance.engine))
        if binding is None:
            return
        instance.__dict__[BOUND] = Bound(binding)
        instance.port = binding.port
        if servers := self._servers(binding):
            servers.fill()

    def mark(self, instance: DBInstance, snapshot: DBSnapshot) -> None:
        """A snapshot: a named point in the log of the instance's server."""
        bound = bound_of(instance)
        servers = self._servers(bound.binding) if bound else None
        if bound is None or servers is None:
            return
        if bound.second is not None:
            if snapshot.snapshot_type == "manual":
                raise NotImplementedError("a snapshot of a restored RDS instance")
            return
        point = f"snapshot-{uuid.uuid4().hex}"
        servers.mark(point)
        snapshot.__dict__[POINT] = point

    def to_snapshot(self, instance: DBInstance, source: DBInstance, snapshot: DBSnapshot) -> None:
        """Give a restored instance the data of a snapshot."""
        point = snapshot.__dict__.get(POINT)
        self._attach(instance, bound_of(source), Target(point=point) if point else None)

    def to_instant(self, instance: DBInstance, source: DBInstance, when_s: float) -> None:
        """Give a restored instance the data of a second of sandbox time."""
        machine_s = self._world.clock.machine_time(when_s)
        self._attach(instance, bound_of(source), Target(when=datetime.fromtimestamp(machine_s, UTC)))

    def _attach(self, instance: DBInstance, source: Bound | None, target: Target | None) -> None:
        """Without a server of the sandbox behind the source there is no data, and no address that pretends."""
        instance.__dict__.pop(BOUND, None)
        instance.port = DBInstance.default_port(str(instance.engine))
        servers = self._servers(source.binding) if source else None
        if source is None or servers is None or target is None:
            return
        if source.second is not None:
            raise NotImplementedError("a restore of a restored RDS instance")
        server = servers.restore(uuid.uuid4().hex[:8], target)
        instance.__dict__[BOUND] = Bound(source.binding, server)
        instance.port = server.port

    def delete(self, instance: DBInstance) -> None:
        """Its data goes; the log stays, for snapshots and retained backups."""
        bound = bound_of(instance)
        servers = self._servers(bound.binding) if bound else None
        if bound is None or servers is None:
            return
        if bound.second is not None:
            servers.drop(bound.second)
        else:
            servers.empty()

    def credentials(self, instance: Any) -> tuple[str, str] | None:
        """User and password for the instance's managed secret; a restored server gets a new password with it."""
        bound = bound_of(instance) or _unbound(self._world.databases.get(str(instance.engine)))
        if bound is None:
            return None
        if bound.second is None:
            return bound.binding.username, bound.binding.password
        return bound.second.username, self.change_password(instance, secrets.token_urlsafe(24))

    def change_password(self, instance: DBInstance, password: str) -> str:
        """Really change the master password of a restored instance."""
        bound = bound_of(instance)
        servers = self._servers(bound.binding) if bound else None
        if bound is not None and bound.second is not None and servers is not None:
            second = servers.change_password(bound.second, password)
            instance.__dict__[BOUND] = replace(bound, second=second)
        return password

    def _servers(self, binding: DatabaseBinding) -> SecondServers | None:
        process = ProcessRecord("postgres", 0, "")
        first = PostgresServer(
            process, binding.address, binding.port, binding.database, binding.username, binding.password
        )
        servers = SecondServers(first, SystemClock())
        return servers if servers.possible() else None


def _unbound(binding: DatabaseBinding | None) -> Bound | None:
    return None if binding is None else Bound(binding)
