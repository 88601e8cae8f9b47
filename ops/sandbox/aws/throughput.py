"""Throttling by load: a token bucket on the provisioned capacity, or on the maxima of an on-demand table.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html: up to 300 seconds of unused
capacity are kept for bursts; .../APIReference/API_ThrottlingReason.html: a reason names resource, operation and limit.
Off unless switched on by the admin route `limits`. A call is admitted while tokens are left and may overdraw them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.capacity import Consumed
from ops.sandbox.aws.errors import service_error
from ops.sandbox.aws.spoiling import EXCEEDED
from ops.sandbox.aws.tables import state_of

BURST_S = 300.0
_PROVISIONED = {"Read": "ReadCapacityUnits", "Write": "WriteCapacityUnits"}
_ON_DEMAND = {"Read": "MaxReadRequestUnits", "Write": "MaxWriteRequestUnits"}


@dataclass(slots=True)
class Bucket:
    """Units left, as of a moment."""

    tokens: float
    rate: float
    as_of_s: float

    def refill(self, rate: float, burst_s: float, now_s: float) -> None:
        """What the time since then has brought, up to the burst; a changed rate counts from now on."""
        self.tokens = min(rate * burst_s, self.tokens + self.rate * (now_s - self.as_of_s))
        self.rate, self.as_of_s = rate, now_s


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is throttled."""

    reason: str
    resource: str

    @property
    def provisioned(self) -> bool:
        """Whether it is the provisioned capacity that is exhausted."""
        return self.reason.endswith("ProvisionedThroughputExceeded")


class Meter:
    """The buckets of every table and index."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.on = False
        self.burst_s = BURST_S
        self._buckets: dict[tuple[str, str | None, str], Bucket] = {}

    def switch(self, *, on: bool, burst_s: float = BURST_S) -> None:
        """On or off; every bucket starts full."""
        if not 0 < burst_s <= BURST_S:
            raise ValueError(f"burst_s must be above 0 and at most {BURST_S:g}, not {burst_s:g}")
        self.on, self.burst_s = on, burst_s
        self._buckets.clear()

    def refuse(self, table: Table, kind: str, indexes: tuple[str, ...] = (), *, own: bool = True) -> Refusal | None:
        """Why a call on the table (`own`) and these global indexes cannot be admitted now."""
        if not self.on:
            return None
        for index in (*((None,) if own else ()), *indexes):
            bucket = self._bucket(table, index, kind)
            if bucket is not None and bucket.tokens <= 0:
                return self._refusal(table, index, kind)
        return None

    def spend(self, table: Table, kind: str, consumed: Consumed) -> None:
        """Take the units out; more than is left makes a debt that must be paid off first."""
        if not self.on:
            return
        shares: list[tuple[str | None, float]] = [(None, consumed.table), *consumed.indexes.items()]
        for index, units in shares:
            bucket = self._bucket(table, index, kind)
            if bucket is not None:
                bucket.tokens -= units

    def admit(self, table: Table, kind: str, consumed: Consumed) -> Refusal | None:
        """Refuse, or spend: for calls whose price is known beforehand."""
        refused = self.refuse(table, kind, tuple(name for name, units in consumed.indexes.items() if units))
        if refused is None:
            self.spend(table, kind, consumed)
        return refused

    def _bucket(self, table: Table, index: str | None, kind: str) -> Bucket | None:
        """None where nothing limits: on demand without a maximum, or a local index, which shares the table's."""
        rate = _rate(table, index, kind)
        if rate is None:
            return None
        key, now_s = (state_of(table).table_id, index, kind), self._now()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(rate * self.burst_s, rate, now_s)
        bucket.refill(rate, self.burst_s, now_s)
        return bucket

    def _refusal(self, table: Table, index: str | None, kind: str) -> Refusal:
        what = "Table" if index is None else "Index"
        limit = "ProvisionedThroughputExceeded"
        if table.billing_mode != "PROVISIONED":
            limit = "MaxOnDemandThroughputExceeded"
        resource = table.table_arn if index is None else f"{table.table_arn}/index/{index}"
        return Refusal(f"{what}{kind}{limit}", resource)


def _rate(table: Table, index: str | None, kind: str) -> float | None:
    if table.billing_mode != "PROVISIONED":
        maxima = state_of(table).on_demand if index is None else None
        found = (maxima or {}).get(_ON_DEMAND[kind])
        return None if found is None else float(found)
    if index is None:
        return float(table.throughput[_PROVISIONED[kind]])
    holder: Any = next((one for one in table.global_indexes if one.name == index), None)
    return None if holder is None else float(holder.throughput[_PROVISIONED[kind]])


def throttled(refusal: Refusal) -> JsonRESTError:
    """The exception of a refused call."""
    reasons = [{"reason": refusal.reason, "resource": refusal.resource}]
    code, member = "ThrottlingException", "throttlingReasons"
    if refusal.provisioned:
        code, member = "ProvisionedThroughputExceededException", "ThrottlingReasons"
    error = service_error(code, EXCEEDED)
    error.description = orjson.dumps({**orjson.loads(error.description), member: reasons}).decode()
    return error
