"""`ops sandbox up` in a folder of its own, and `ops` as a process that is pointed at it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from ops.sandbox.state import private_folder


class WholeSandbox:
    """Started once, ended with `ops sandbox down`; runs go to a folder of the test session."""

    def __init__(self, folder: Path, items: int = 300) -> None:
        self.folder = private_folder()
        self.runs = folder / "runs"
        self.environ = {**os.environ, "OPS_SANDBOX_DIR": str(self.folder), "OPS_RUNS_DIR": str(self.runs)}
        done = self.ops("sandbox", "up", "--items", str(items), "--json")
        assert done.returncode == 0, done.stderr
        self.status: dict[str, Any] = json.loads(done.stdout)["result"]
        lines = self.ops("sandbox", "status", "--export").stdout.splitlines()
        for line in lines:
            name, _, value = line.removeprefix("export ").partition("=")
            self.environ[name] = value

    def ops(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "ops", *words],
            capture_output=True,
            text=True,
            env={**self.environ, **environ},
            timeout=120,
        )

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a command that the test will interrupt."""
        return subprocess.Popen(
            [sys.executable, "-m", "ops", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environ,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def source_fault(self, name: str, **parameters: object) -> None:
        """Make the track source answer as it was seen to do on a bad day."""
        self._source("POST", {"name": name, **parameters})

    def clear_source(self) -> None:
        """Good days again."""
        self._source("DELETE", None)

    def _source(self, method: str, document: dict[str, object] | None) -> None:
        request = urllib.request.Request(
            f"{self.status['source_url']}/sandbox/fault",
            data=None if document is None else json.dumps(document).encode(),
            method=method,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            answer.read()

    def stop(self) -> None:
        """Down, and nothing left."""
        self.ops("sandbox", "down")


def processes_of(folder: Path) -> dict[int, str]:
    """Command lines that name the folder, by pid; a process that ended but was not waited for has none."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it ended while we looked
            continue
        if str(folder) in line:
            found[int(path.parent.name)] = line
    return found


def freeze(folder: Path, *names: str) -> None:
    """Stop processes of the sandbox without ending them."""
    for pid, line in processes_of(folder).items():
        if any(name in line for name in names):
            os.kill(pid, signal.SIGSTOP)
