"""When a data-plane request is sent again, how long it waits, and what a spent budget means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, NoReturn, TypeVar

from ops.aws import refuse, target_of, unreachable
from ops.clock import Clock
from ops.errors import BadResponse, OpsError, Throttled

Value = TypeVar("Value")

#: AWS says "slow down".
THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded",
        "LimitExceededException", "TransactionInProgressException", "ReplicatedWriteConflictException",
    }
)  # fmt: skip
#: The answer never came, or cannot be used as it came.
UNUSABLE = frozenset({"Truncated", "ChecksumMismatch", "NotJson", "MissingMembers"})
UNREACHED = frozenset({"Timeout", "ConnectionBroken"})


class Failure(Exception):
    """A request without a usable answer: AWS's error code or ours, its message, and the HTTP status (0 without one)."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status

    @property
    def throttled(self) -> bool:
        """Whether AWS asked to slow down."""
        return self.code in THROTTLES

    @property
    def repeatable(self) -> bool:
        """Whether the same request may succeed when sent again; all our requests may be repeated."""
        return self.throttled or self.code in UNUSABLE | UNREACHED or self.status >= 500


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Full jitter between zero and a bound that doubles: `attempts` tries, waits at most `cap_s` seconds each."""

    attempts: int = 10
    base_s: float = 0.05
    cap_s: float = 20.0
    #: An endpoint that cannot be reached is told sooner: each try may already last the whole time limit.
    unreached_attempts: int = 4

    def wait_s(self, attempt: int, random: Random) -> float:
        """Seconds before try `attempt` + 1 (attempts count from 1)."""
        return random.uniform(0.0, min(self.cap_s, self.base_s * float(2**attempt)))


@dataclass(slots=True)
class Tries:
    """How often one request was sent, and how often in a row nothing answered."""

    count: int = 0
    unreached: int = 0

    def spent(self, failure: Failure, policy: RetryPolicy) -> bool:
        """Whether this failure was the last that the policy allows."""
        self.count += 1
        # Throttles are answers: a connection lost after many of them is not an endpoint that cannot be reached.
        self.unreached = self.unreached + 1 if failure.code in UNREACHED else 0
        if not failure.repeatable:
            return True
        return self.count >= policy.attempts or self.unreached >= policy.unreached_attempts


@dataclass(frozen=True, slots=True)
class Retrier:
    """Repeats what may be repeated until the budget is spent, then raises the classified error."""

    clock: Clock
    random: Random
    policy: RetryPolicy = RetryPolicy()
    endpoint: str = ""

    def run(self, attempt: Callable[[], Value], operation: str, params: dict[str, Any]) -> Value:
        """The value of the first attempt that ends well."""
        tries = Tries()
        while True:
            try:
                return attempt()
            except Failure as failure:
                if tries.spent(failure, self.policy):
                    self.give_up(failure, tries.count, operation, params)
            self.clock.sleep(self.policy.wait_s(tries.count, self.random))

    def give_up(self, failure: Failure, tries: int, operation: str, params: dict[str, Any]) -> NoReturn:
        """Turn the last failure into an error that says what to do."""
        raise classified(failure, tries, operation, params, self.endpoint) from failure


def classified(failure: Failure, tries: int, operation: str, params: dict[str, Any], endpoint: str) -> OpsError:
    """The error of `ops.errors` for a failure that ends the work."""
    target = target_of(params)
    if failure.throttled:
        return Throttled(f"{operation} on {target} was throttled {tries} times", why=failure.message)
    if failure.code in UNREACHED or failure.code == "CertificateRefused":
        return unreachable(endpoint, failure.message)
    if failure.code in UNUSABLE or failure.status >= 500:
        return BadResponse(f"{operation} on {target} had no usable answer in {tries} tries", why=str(failure))
    try:
        refuse(failure.code, failure.message, f"dynamodb:{operation}", params)
    except OpsError as error:
        return error
