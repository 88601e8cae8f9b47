"""Seeded faults on DynamoDB data calls: without them no retry path is ever exercised."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DATA_CALLS = frozenset(
    {
        "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem",
        "TransactGetItems", "TransactWriteItems",
    }
)  # fmt: skip
BATCH_CALLS = frozenset({"BatchGetItem", "BatchWriteItem"})

FAULTS: Mapping[str, str] = {
    "throttle": "ProvisionedThroughputExceededException, nothing is applied",
    "unprocessed": "that share of the requests of a batch comes back unprocessed",
    "error500": "InternalServerError, nothing is applied",
    "reset": "connection reset, nothing is applied",
    "reset_after_apply": "applied, then the connection is reset",
    "truncate": "applied; a 200 whose body is cut, with matching length and without x-amz-crc32",
    "cut": "applied; the connection ends in the middle of the body",
}


@dataclass(slots=True)
class Fault:
    """One switch: `share` of the calls (or of a batch's requests), at most `count` times."""

    name: str
    share: float
    seed: int
    count: int | None
    operations: frozenset[str]
    injected: int = 0
    random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def draws(self, operation: str) -> bool:
        """Whether this call is hit; the same seed and the same calls give the same answers."""
        if operation not in self.operations or (self.count is not None and self.injected >= self.count):
            return False
        return self.random.random() < self.share

    def as_dict(self) -> dict[str, object]:
        """For the admin route."""
        return {
            "name": self.name, "share": self.share, "seed": self.seed, "count": self.count,
            "operations": sorted(self.operations), "injected": self.injected,
        }  # fmt: skip


class FaultPlan:
    """The switches that are on; one of each name."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}

    def set(self, wanted: Mapping[str, Any]) -> Fault:
        """Turn one on from `{"name","share","seed","count","operations"}`; ValueError says what is wrong."""
        name = str(wanted.get("name", ""))
        if name not in FAULTS:
            raise ValueError(f"unknown fault '{name}'; known: {', '.join(sorted(FAULTS))}")
        share = float(wanted.get("share", 1.0))
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"share must be between 0 and 1, not {share}")
        count = wanted.get("count")
        allowed = BATCH_CALLS if name == "unprocessed" else DATA_CALLS
        operations = frozenset(map(str, wanted.get("operations") or allowed))
        if unknown := operations - allowed:
            raise ValueError(f"fault '{name}' does not apply to {', '.join(sorted(unknown))}")
        fault = Fault(name, share, int(wanted.get("seed", 1)), None if count is None else int(count), operations)
        self._faults[name] = fault
        return fault

    def clear(self, name: str | None = None) -> None:
        """Turn one or all off."""
        if name is None:
            self._faults.clear()
        else:
            self._faults.pop(name, None)

    def listed(self) -> list[dict[str, object]]:
        """All switches with how often each has struck."""
        return [fault.as_dict() for fault in self._faults.values()]

    def strike(self, operation: str) -> str | None:
        """The fault of a whole call that hits this call, if any."""
        for fault in self._faults.values():
            if fault.name != "unprocessed" and fault.draws(operation):
                fault.injected += 1
                return fault.name
        return None

    def leave_out(self, operation: str, requests: int) -> frozenset[int]:
        """Positions of a batch's requests that are to come back unprocessed."""
        fault = self._faults.get("unprocessed")
        if fault is None:
            return frozenset()
        left = frozenset(at for at in range(requests) if fault.draws(operation))
        fault.injected += bool(left)
        return left
