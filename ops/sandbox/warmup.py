"""Packages that take a second to load, loaded while the sandbox's processes start."""

from __future__ import annotations

import contextlib
import gc
import importlib
from collections.abc import Iterator

SLOW = (
    "pulumi", "pulumi_aws", "infra.stack", "boto3", "psycopg", "ops.sandbox.deploy.apply", "pulumi_aws.cloudwatch",
    "pulumi_aws.ssm", "pulumi_aws.vpc",
)  # fmt: skip


def load_slow_packages() -> None:
    """The caller would only wait meanwhile. What cannot be loaded is said where it is used."""
    with _no_collection():
        for name in SLOW:
            with contextlib.suppress(ImportError):
                module = importlib.import_module(name)
                # pulumi_aws loads its parts when they are first asked for anything
                getattr(module, "__all__", None)
    # Modules stay until the end: nothing is gained by looking through them again, at the exit least of all.
    gc.freeze()


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Looking for cycles among modules that are being loaded takes a quarter of the time and finds none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
