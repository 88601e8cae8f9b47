"""What is seen of a case's process from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import child
from bench.child import CaseFailed


def run(tmp_path: Path, code: str, limit_s: float = 60.0) -> child.Ended:
    return child.run(
        [sys.executable, "-c", code], folder=tmp_path, environment={}, limit_s=limit_s, server_pids=[os.getpid()]
    )


HOLD = "import time; held = b'x' * 50_000_000; time.sleep(1)"


def test_the_memory_of_a_process_and_of_its_children_is_added_up(tmp_path: Path) -> None:
    alone = run(tmp_path, HOLD)
    both = run(
        tmp_path, f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}], check=True); {HOLD}"
    )
    beside = run(
        tmp_path,
        f"import subprocess, sys; one = subprocess.Popen([sys.executable, '-c', {HOLD!r}]); {HOLD}; one.wait()",
    )
    assert 50 < alone.peak_mb < 80
    assert 50 < both.peak_mb < 90, "one after the other"
    assert 100 < beside.peak_mb < 150


def test_what_a_process_said_is_handed_on(tmp_path: Path) -> None:
    ended = run(tmp_path, "print('said')")
    assert ended.output == "said\n"
    assert 0 <= ended.others <= 1


def test_a_process_that_fails_or_hangs_has_no_figures(tmp_path: Path) -> None:
    with pytest.raises(CaseFailed, match="status 1: ValueError: why"):
        run(tmp_path, "raise ValueError('why')")
    with pytest.raises(CaseFailed, match="not done after 0 s"):
        run(tmp_path, "import time; time.sleep(60)", 0.2)


def test_the_processor_time_of_another_process_is_read(tmp_path: Path) -> None:
    code = "import sys, time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert child.cpu_s(process.pid) == pytest.approx(0.3, abs=0.15)
        assert list(child.family(process.pid)) == [process.pid]
        process.communicate()
    assert child.resident_bytes(process.pid) == 0
