"""Seeded faults: without them no retry path, no shape guard and no checksum is ever exercised."""

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
CONTROL_CALLS = frozenset(
    {
        "CreateBackup", "CreateTable", "DeleteBackup", "DeleteTable", "DescribeBackup", "DescribeContinuousBackups",
        "DescribeExport", "DescribeImport", "DescribeTable", "DescribeTimeToLive", "ExportTableToPointInTime",
        "ImportTable", "ListBackups", "ListExports", "ListImports", "ListTables", "ListTagsOfResource",
        "RestoreTableFromBackup", "RestoreTableToPointInTime", "TagResource", "UpdateContinuousBackups", "UpdateTable",
        "UpdateTimeToLive",
    }
)  # fmt: skip
BATCH_CALLS = frozenset({"BatchGetItem", "BatchWriteItem"})
PAGE_CALLS = BATCH_CALLS | {"Query", "Scan"}
EXPORT_CALLS = frozenset({"ExportTableToPointInTime"})
OBJECT_CALLS = frozenset({"GetObject"})
EVERY_CALL = frozenset({"*"})
MAX_DELAY_S = 120.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One fault: what it does, what it strikes unless told otherwise, and what it may strike."""

    text: str
    standard: frozenset[str]
    more: frozenset[str] = frozenset()

    @property
    def allowed(self) -> frozenset[str]:
        """Every operation it applies to."""
        return self.standard | self.more


KINDS: Mapping[str, Kind] = {
    "throttle": Kind("ProvisionedThroughputExceededException with its reasons, nothing is applied", DATA_CALLS),
    "throttling": Kind("ThrottlingException with its reasons, nothing is applied", DATA_CALLS, CONTROL_CALLS),
    "unprocessed": Kind("that share of the requests of a batch comes back unprocessed", BATCH_CALLS),
    "error500": Kind("InternalServerError, nothing is applied", DATA_CALLS, CONTROL_CALLS),
    "error500_after_apply": Kind("applied, then answered by InternalServerError", DATA_CALLS),
    "reset": Kind("connection reset, nothing is applied", DATA_CALLS, CONTROL_CALLS),
    "reset_after_apply": Kind("applied, then the connection is reset", DATA_CALLS, CONTROL_CALLS),
    "truncate": Kind("applied; a 200 whose body is cut, with matching length and without x-amz-crc32", DATA_CALLS),
    "cut": Kind("applied; the connection ends in the middle of the body", DATA_CALLS),
    "missing_members": Kind("applied; a 200 that lacks a member which the service always sends", PAGE_CALLS),
    "bad_crc": Kind("applied; a 200 whose x-amz-crc32 belongs to another body", DATA_CALLS),
    "slow": Kind("applied; answered `delay_s` seconds late", DATA_CALLS, CONTROL_CALLS),
    "expired_token": Kind("ExpiredTokenException, nothing is applied", DATA_CALLS, CONTROL_CALLS),
    "denied": Kind("AccessDeniedException, nothing is applied", DATA_CALLS, CONTROL_CALLS),
    "region_down": Kind("every call to `region`, of any service, ends in a connection reset", EVERY_CALL),
    "s3_flip": Kind("an object whose key contains `match` is read with one bit flipped", OBJECT_CALLS),
    "s3_cut": Kind("an object whose key contains `match` is read without its second half", OBJECT_CALLS),
    "s3_missing": Kind("an object whose key contains `match` is NoSuchKey when it is read", OBJECT_CALLS),
    "export_denied": Kind("an export is accepted and ends FAILED with S3AccessDenied", EXPORT_CALLS),
    "export_kms": Kind("an export with a KMS key is accepted and ends FAILED with KmsNotFoundException", EXPORT_CALLS),
}
FAULTS: Mapping[str, str] = {name: kind.text for name, kind in KINDS.items()}
OF_EXPORTS = frozenset({"export_denied", "export_kms"})
OF_OBJECTS = frozenset({"s3_flip", "s3_cut", "s3_missing"})
OF_REGIONS = frozenset({"region_down"})
OF_CALLS = frozenset(KINDS) - OF_EXPORTS - OF_OBJECTS - OF_REGIONS - {"unprocessed"}


@dataclass(slots=True)
class Fault:
    """One switch: `share` of the calls (or of a batch's requests), at most `count` times."""

    name: str
    share: float
    seed: int
    count: int | None
    operations: frozenset[str]
    region: str | None = None
    match: str = ""
    delay_s: float = 3.0
    injected: int = 0
    random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def draws(self, operation: str) -> bool:
        """Whether this call is hit; the same seed and the same calls give the same answers."""
        if operation not in self.operations and self.operations != EVERY_CALL:
            return False
        if self.count is not None and self.injected >= self.count:
            return False
        return self.random.random() < self.share

    def as_dict(self) -> dict[str, object]:
        """For the admin route."""
        return {
            "name": self.name, "share": self.share, "seed": self.seed, "count": self.count,
            "operations": sorted(self.operations), "region": self.region, "match": self.match,
            "delay_s": self.delay_s, "injected": self.injected,
        }  # fmt: skip


class FaultPlan:
    """The switches that are on; one of each name."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}

    @property
    def any(self) -> bool:
        """Whether one is on."""
        return bool(self._faults)

    def set(self, wanted: Mapping[str, Any]) -> Fault:
        """Turn one on from `{"name","share","seed","count","operations",…}`; ValueError says what is wrong."""
        name = str(wanted.get("name", ""))
        if name not in KINDS:
            raise ValueError(f"unknown fault '{name}'; known: {', '.join(sorted(KINDS))}")
        kind, count = KINDS[name], wanted.get("count")
        operations = frozenset(map(str, wanted.get("operations") or kind.standard))
        if unknown := operations - kind.allowed:
            raise ValueError(f"fault '{name}' does not apply to {', '.join(sorted(unknown))}")
        if name in OF_REGIONS and not wanted.get("region"):
            raise ValueError(f"fault '{name}' needs a region")
        fault = Fault(
            name, _within("share", wanted.get("share", 1.0), 1.0), int(wanted.get("seed", 1)),
            None if count is None else int(count), operations, wanted.get("region") or None,
            str(wanted.get("match") or ""), _within("delay_s", wanted.get("delay_s", 3.0), MAX_DELAY_S),
        )  # fmt: skip
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

    def strike(
        self, operation: str, *, region: str | None = None, subject: str = "", names: frozenset[str] = OF_CALLS
    ) -> Fault | None:
        """The first fault of these names that hits this call, if any."""
        for fault in list(self._faults.values()):
            if fault.name not in names or fault.region not in (None, region) or fault.match not in subject:
                continue
            if fault.draws(operation):
                fault.injected += 1
                return fault
        return None

    def leave_out(self, operation: str, requests: int) -> frozenset[int]:
        """Positions of a batch's requests that are to come back unprocessed."""
        fault = self._faults.get("unprocessed")
        if fault is None:
            return frozenset()
        left = frozenset(at for at in range(requests) if fault.draws(operation))
        fault.injected += bool(left)
        return left


def _within(name: str, value: Any, highest: float) -> float:
    number = float(value)
    if not 0.0 <= number <= highest:
        raise ValueError(f"{name} must be between 0 and {highest:g}, not {number:g}")
    return number
