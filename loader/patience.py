"""How long to wait for a source that throttles or fails: never in silence, and never without an end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from loader.errors import (
    AnswerRefused,
    LoaderError,
    SourceBug,
    SourceCredentials,
    SourceForbidden,
    SourceQuota,
    SourceUnavailable,
    UnknownArtist,
)
from loader.ledger import Ledger
from loader.models import timestamp
from loader.runtime import Runtime
from loader.verdict import Meaning, Verdict

DEFAULT_QUOTA_WAIT_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a process may wait. A longer Retry-After ends the run: it can be resumed.

    `patience_s` bounds all waits of one request for a source that throttles, however short each is.
    """

    longest_wait_s: float = 60.0
    patience_s: float = 120.0
    default_wait_s: float = 5.0
    throttled_tries: int = 8
    transient_tries: int = 4
    transient_base_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Waiting:
    """A wait that begins now: seconds, the source's own words, and the seconds until it is given up."""

    seconds: float
    said: str
    left_s: float


class Pace:
    """The gap between requests, shared by all threads: doubled by a 429, shrinking while all goes well."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()
        self._gap_s = 0.0
        self._next = 0.0
        self._held_until = 0.0

    def wait(self) -> None:
        """Return when the next request may leave."""
        with self._lock:
            now = self._runtime.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap_s
        if turn > now:
            self._runtime.pause(turn - now)

    def slower(self, wait_s: float) -> None:
        """Nobody sends for `wait_s`, and then at a lower rate."""
        with self._lock:
            self._gap_s = min(2.0, max(0.05, self._gap_s * 2))
            self._next = max(self._next, self._runtime.monotonic() + wait_s)

    def first_to_wait(self, wait_s: float) -> bool:
        """Whether no other thread waits already: of a common wait only one tells."""
        with self._lock:
            now = self._runtime.monotonic()
            first = now >= self._held_until
            self._held_until = max(self._held_until, now + wait_s)
            return first

    def faster(self) -> None:
        """A request went well."""
        with self._lock:
            self._gap_s = 0.0 if self._gap_s < 0.02 else self._gap_s * 0.9


@dataclass(frozen=True, slots=True)
class Patience:
    """The rules of waiting, and who is told; makes the tries of one request."""

    policy: RetryPolicy
    runtime: Runtime
    ledger: Ledger
    pace: Pace
    on_wait: Callable[[Waiting], None] | None = None

    def tries(self) -> Tries:
        """What a new request has."""
        return Tries(self)


class Tries:
    """What one request has left: waits when there is hope, raises when there is none."""

    def __init__(self, patience: Patience) -> None:
        self._rules = patience
        self._policy = patience.policy
        self._throttled = 0
        self._transient = 0
        self._waited_s = 0.0

    def wait_or_raise(self, verdict: Verdict, path: str) -> None:
        """Return after a wait, or raise what the verdict means."""
        if verdict.meaning is Meaning.TRANSIENT:
            self._wait_transient(verdict, path)
        elif verdict.meaning is Meaning.THROTTLED:
            self._wait_throttled(verdict, path)
        elif verdict.meaning is Meaning.QUOTA:
            self._close(verdict.wait_s or DEFAULT_QUOTA_WAIT_S, verdict.said)
        else:
            raise _final_error(verdict, path)

    def _wait_transient(self, verdict: Verdict, path: str) -> None:
        self._transient += 1
        left = self._policy.transient_tries - self._transient
        if left < 0:
            raise SourceUnavailable(f"no usable answer for {path} after {self._transient} tries", why=verdict.said)
        base_s = self._policy.transient_base_s * 2 ** (self._transient - 1)
        wait_s = base_s * (0.5 + self._rules.runtime.random())
        if self._transient > 1:  # a single failure is no news
            self._tell(Waiting(wait_s, verdict.said, 1.5 * base_s * (2 ** (left + 1) - 1)))  # jitter at its most
        self._rules.runtime.pause(wait_s)

    def _wait_throttled(self, verdict: Verdict, path: str) -> None:
        asked_s = verdict.wait_s
        if asked_s is None:
            asked_s = min(self._policy.longest_wait_s, self._policy.default_wait_s * 2**self._throttled)
        if asked_s > self._policy.longest_wait_s:
            self._close(asked_s, verdict.said)
        self._throttled += 1
        left_s = self._policy.patience_s - self._waited_s
        wait_s = asked_s * (1 + 0.25 * self._rules.runtime.random())
        if self._throttled > self._policy.throttled_tries or wait_s > left_s:
            raise SourceUnavailable(
                f"{path} was throttled {self._throttled} times in {self._waited_s:.0f} s of waiting", why=verdict.said
            )
        self._waited_s += wait_s
        self._tell(Waiting(wait_s, verdict.said, left_s))
        self._rules.pace.slower(wait_s)
        self._rules.runtime.pause(wait_s)

    def _tell(self, waiting: Waiting) -> None:
        if self._rules.pace.first_to_wait(waiting.seconds) and self._rules.on_wait is not None:
            self._rules.on_wait(waiting)

    def _close(self, wait_s: float, said: str) -> None:
        """Too long for a process: remember it for later runs and end this one, resumable."""
        until = self._rules.runtime.now() + timedelta(seconds=min(wait_s, 366 * 86400.0))
        self._rules.ledger.close(until)
        raise SourceQuota(f"the source's quota is used up until {timestamp(until)}", resume_at=until, why=said)


def _final_error(verdict: Verdict, path: str) -> LoaderError | AnswerRefused | UnknownArtist:
    said = verdict.said
    if verdict.meaning is Meaning.UNKNOWN_ID:
        return UnknownArtist(said)
    if verdict.meaning is Meaning.ITEM_REFUSED:
        return AnswerRefused(said)
    if verdict.meaning is Meaning.BAD_CLIENT:
        return SourceCredentials("the source does not accept client_id or client_secret", why=said)
    if verdict.meaning is Meaning.TOKEN_EXPIRED:
        return SourceCredentials("the source does not accept a token that it has just issued", why=said)
    if verdict.meaning is Meaning.PREMIUM_LAPSED:
        return SourceForbidden(
            "the owner of the application has no active Premium subscription",
            why=said,
            hint="renew the subscription; it takes some hours until the API answers again",
        )
    if verdict.meaning is Meaning.FORBIDDEN:
        return SourceForbidden(f"{path.rpartition('/')[2]} is not open to this application", why=said)
    return SourceBug(f"the source rejects the request {path}", why=said)
