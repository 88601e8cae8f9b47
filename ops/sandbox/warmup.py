"""Packages that take a second to load, loaded while the sandbox's processes start."""

from __future__ import annotations

import contextlib
import importlib

SLOW = ("pulumi", "pulumi_aws", "infra.stack", "boto3", "psycopg")


def load_slow_packages() -> None:
    """For a thread: the parent only waits meanwhile. What cannot be loaded is said where it is used."""
    for name in SLOW:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
