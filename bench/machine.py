"""Where and with what the figures were made."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

OURS = ("orjson", "msgspec", "isal", "boto3", "moto", "werkzeug")
REQUIREMENTS = Path(__file__).parent / "requirements"


def processor() -> str:
    """The processor's own name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def describe() -> dict[str, str]:
    """Processor, cores, memory, kernel and versions, for the head of the results."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = {
        "processor": processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{pages / 1e9:.0f} GB",
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
    for name in OURS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def peers() -> dict[str, str]:
    """The pinned version of each peer, and of the botocore below it where there is one."""
    found = {}
    for path in sorted(REQUIREMENTS.glob("*.txt")):
        pins = dict(line.strip().split("==") for line in path.read_text().splitlines() if "==" in line)
        found[path.stem] = pins[path.stem] + (f" (botocore {pins['botocore']})" if "botocore" in pins else "")
    return found
