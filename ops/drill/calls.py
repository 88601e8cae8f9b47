"""Records what a drill changed, call by call, for its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ops.aws import target_of
from ops.drill.guard import is_known_read
from ops.model.drill import AwsCall

#: Item writes come by the thousand: they are counted per table and outcome class, not listed one by one.
_ITEM_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})


@dataclass(slots=True)
class CallRecorder:
    """Observer that keeps every call that is not a known read, in order of its answer."""

    _listed: list[AwsCall | tuple[str, str, bool]] = field(default_factory=list)
    _counted: dict[tuple[str, str, bool], int] = field(default_factory=dict)

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        """Nothing yet: a call is recorded with its outcome."""

    def after(self, service: str, operation: str, params: dict[str, Any], outcome: str) -> None:
        """Keep the call unless it is a read."""
        if is_known_read(service, operation):
            return
        name = f"{service}:{operation}"
        if operation not in _ITEM_WRITES:
            self._listed.append(AwsCall(name, target_of(params), outcome))
            return
        key = (name, _item_target(params), _is_refusal(outcome))
        if key not in self._counted:
            self._listed.append(key)
        self._counted[key] = self._counted.get(key, 0) + 1

    def calls(self) -> tuple[AwsCall, ...]:
        """What was recorded; item writes as one line per operation and table, where the first of them stood."""
        return tuple(one if isinstance(one, AwsCall) else self._line(one) for one in self._listed)

    def _line(self, key: tuple[str, str, bool]) -> AwsCall:
        operation, target, refused = key
        return AwsCall(operation, target, f"{self._counted[key]} {'refused' if refused else 'answered'}")


def _item_target(params: dict[str, Any]) -> str:
    tables = params.get("RequestItems")
    return ", ".join(sorted(tables)) if tables else target_of(params)


def _is_refusal(outcome: str) -> bool:
    """An error code ends in `Exception` or `Error`, a request id never does."""
    return outcome.endswith(("Exception", "Error", "Timeout"))
