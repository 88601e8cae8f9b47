"""Ctrl-C, SIGTERM and a vanished terminal: the first one ends the work in order, and nothing is left unnamed."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from ops.errors import Interrupted, SignalReceived

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class _Stake:
    """What an end without clean-up would leave, and the command that removes it."""

    what: str
    remove: str


class Signals:
    """What the signals of one invocation do. `number` is the one that asked it to end, 0 while none did.

    The first raises `SignalReceived`, or sets a flag inside `gently`. A second one ends the process at once,
    because the journal is on disk before each step; while something is at stake it only says what would be
    left, and the next one ends it and says how to remove that.
    """

    def __init__(self) -> None:
        self.number = 0
        self._came = 0
        self._gentle = False
        self._cleaning = False
        self._told = False
        self._stake: _Stake | None = None

    def install(self) -> None:
        """From now on the signals come here."""
        for number in STOPPING:
            signal.signal(number, self.on_signal)

    def on_signal(self, received: int, _frame: FrameType | None) -> None:
        """Signal handler."""
        number = signal.SIGTERM if received == signal.SIGHUP else received
        self._came += 1
        if self._stake is not None and (self._cleaning or self._came > 1):
            self._hurried(self._stake, number)
        elif self._came > 1:
            signal.signal(received, signal.SIG_DFL)
            os.kill(os.getpid(), received)
        else:
            self.number = number
            if not self._gentle:
                raise SignalReceived(number)

    def is_set(self) -> bool:
        """For those who look between two steps."""
        return self.number != 0

    @contextmanager
    def gently(self) -> Iterator[Signals]:
        """Inside, the first signal only sets `number`: the work ends at a safe place."""
        self._gentle = True
        try:
            yield self
        finally:
            self._gentle = False
            self._came = 0

    @contextmanager
    def at_stake(self, what: str, remove: str) -> Iterator[None]:
        """Inside, clean-up included, `what` would be left by an end at once. Of nested ones the outer one counts."""
        outer = self._stake
        self._stake = outer or _Stake(what, remove)
        try:
            yield
        finally:
            self._stake = outer

    @contextmanager
    def cleaning(self, what: str, remove: str) -> Iterator[None]:
        """A clean-up that even the first signal does not cut short."""
        before = self._cleaning
        self._cleaning = True
        try:
            with self.at_stake(what, remove):
                yield
        finally:
            self._cleaning = before

    def _hurried(self, stake: _Stake, number: int) -> None:
        if not self._told:
            self._told = True
            _tell(f"  clean up   still at work; once more ends it at once and leaves {stake.what}\n")
            return
        _tell(
            f"error {Interrupted.code} ended before the clean-up was done\n"
            f"  changed: left: {stake.what}\n"
            f"  next: {stake.remove}\n"
        )
        os._exit(128 + number)


def _tell(text: str) -> None:
    """Past Python's buffers, which a handler must not enter: the interrupted code may be inside them."""
    with contextlib.suppress(OSError):  # the terminal may be what has gone
        os.write(2, text.encode("ascii", "backslashreplace"))
