"""Progress, messages and errors on stderr: plain lines, colour only where asked for and never alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ops.commands._output import printable
from ops.errors import OpsError

#: At most one position line in this many seconds: a log of a long run must stay readable.
EVERY_S = 30.0
_RED, _BOLD, _RESET = "\x1b[31m", "\x1b[1m", "\x1b[0m"


@dataclass(slots=True)
class Voice:
    """Implements `ops.progress.Progress` for a person at a terminal or a log."""

    quiet: bool = False
    verbose: int = 0
    color: bool = False
    warnings: list[tuple[str, str]] = field(default_factory=list)
    _phases: list[str] = field(default_factory=list)
    _spoken: float = 0.0

    def say(self, text: str) -> None:
        """A line on stderr, unless `-q`."""
        if not self.quiet:
            self._write(text)

    def detail(self, text: str) -> None:
        """A line on stderr with `-v`."""
        if self.verbose:
            self._write(text)

    @contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        began = time.monotonic()
        self._phases.append(name)
        self._spoken = began
        if detail:
            self.say(f"  {name:<10} {detail}")
        try:
            yield
        finally:
            self._phases.pop()
            self.detail(f"  {name:<10} took {time.monotonic() - began:.1f} s")

    def update(self, done: int, total: int | None = None) -> None:
        if time.monotonic() - self._spoken < EVERY_S:
            return
        self._spoken = time.monotonic()
        of = f" of {total:,}" if total is not None else ""
        self.say(f"  {self._phases[-1] if self._phases else 'working':<10} {done:,}{of}")

    def note(self, text: str) -> None:
        self.say(f"  {text}")

    def warn(self, code: str, text: str) -> None:
        self.warnings.append((code, text))
        self.say(f"warning {code} {text}")

    def error(self, error: OpsError) -> None:
        """Three lines: what failed, what was and was not changed, what to type next. Shown even with `-q`."""
        label = f"error {error.code}"
        self._write(f" {error.what}", f"{_RED}{_BOLD}{label}{_RESET}" if self.color else label)
        if error.why:
            self._write(f"  why: {error.why}")
        self._write(f"  changed: {error.changed}")
        for command in error.fix:
            self._write(f"  next: {command}")
        if self.verbose:
            self._write(f"[exit {error.exit_code}]")

    def _write(self, text: str, label: str = "") -> None:
        """One line; `text` may hold what data says, `label` is our own and may hold colour."""
        with suppress(OSError):  # nobody is left to read it: the work goes on, and the journal knows it
            sys.stderr.write(f"{label}{printable(text, sys.stderr.encoding)}\n")
            sys.stderr.flush()
