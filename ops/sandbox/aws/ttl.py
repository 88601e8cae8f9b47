"""Deletion of expired items, driven by the sandbox's clock.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html and .../howitworks-ttl.html: the attribute is a
Number, epoch seconds; what expired more than five years ago is left alone; deletion follows within a few days; it may
take an hour until a changed setting acts. .../time-to-live-ttl-streams.html: the stream record names the service.
"""

from __future__ import annotations

from decimal import Decimal

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.history import History
from ops.sandbox.aws.items import StoredItem
from ops.sandbox.aws.tables import all_items, state_of
from ops.sandbox.aws.world import ACCOUNT, World

ACTS_AFTER_S = 3_600
SWEEP_S = 3_600
TOO_OLD_S = 5 * 365 * 86_400
IDENTITY = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


class Expiry:
    """Sweeps every table with TTL once an hour of sandbox time, and an hour after it was enabled."""

    def __init__(self, world: World, history: History) -> None:
        self._world = world
        self._history = history
        self._again(0.0)

    def _again(self, _when_s: float) -> None:
        """The hourly sweep of all Regions."""
        for backend in list(dynamodb_backends[ACCOUNT].values()):
            for table in list(backend.tables.values()):
                self._sweep(table)
        self._world.timeline.at(self._world.now() + SWEEP_S, self._again)

    def enabled(self, table: Table) -> None:
        """TTL was switched on: it acts in an hour."""
        self._world.timeline.at(self._world.now() + ACTS_AFTER_S, lambda _: self._sweep(table))

    def _sweep(self, table: Table) -> None:
        state, now_s = state_of(table), self._world.now()
        if state.deleted or table.ttl.get("TimeToLiveStatus") != "ENABLED":
            return
        if state.ttl_changed_s is not None and now_s < state.ttl_changed_s + ACTS_AFTER_S:
            return
        name = table.ttl["AttributeName"]
        due = [item for item in all_items(table) if self._is_due(item, name, now_s)]
        with self._history.acting_as(IDENTITY):
            for item in due:
                self._history.delete(table, item)

    def _is_due(self, item: StoredItem, name: str, now_s: float) -> bool:
        number = item.wire.get(name, {}).get("N")
        if number is None:
            return False
        expires = Decimal(number)
        return now_s - TOO_OLD_S <= expires <= now_s - self._world.durations.ttl_s
