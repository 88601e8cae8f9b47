"""What the start of a sandbox loads ahead."""

from __future__ import annotations

import subprocess
import sys

SAID = "import gc; from ops.sandbox.warmup import load_slow_packages; load_slow_packages(); print(gc.isenabled(), {})"


def test_what_was_loaded_ahead_is_not_looked_through_for_garbage_again() -> None:
    # in a process of its own: modules that this one has loaded already would hide it
    said = SAID.format("gc.get_freeze_count() > 100_000")
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["True", "True"]
