"""Puts the sandbox's behaviour into moto, after checking that moto is the one it was written for."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version

from ops.sandbox.aws import (
    backups,
    dax,
    exports,
    history,
    imports,
    lifecycle,
    rds,
    replicas,
    restore,
    scaling,
    settings,
    streams,
    updates,
    vault,
    window,
)
from ops.sandbox.aws.application import SandboxApplication
from ops.sandbox.aws.clock import SandboxTime
from ops.sandbox.aws.dataplane import DataPlane
from ops.sandbox.aws.world import World

MOTO_SERIES = "5.2."

# every name of moto that a module here replaces or relies upon
PATCHED: tuple[tuple[str, str], ...] = (
    ("moto.core.utils", "utcnow"),
    ("moto.dynamodb.models", "dynamodb_backends"),
    *(
        ("moto.dynamodb.models", f"DynamoDBBackend.{name}")
        for name in (
            "create_table", "delete_resource_policy", "delete_table", "describe_continuous_backups",
            "describe_table", "get_resource_policy", "get_table", "list_tags_of_resource", "put_resource_policy",
            "tag_resource", "transact_write_items", "untag_resource", "update_continuous_backups", "update_item",
        )
    ),
    *(
        ("moto.dynamodb.models.table", f"Table.{name}")
        for name in ("__init__", "delete_item", "describe", "get_item", "put_item")
    ),
    ("moto.dynamodb.models.dynamo_type", "LimitedSizeDict.__setitem__"),
    *(
        ("moto.dynamodb.responses", f"DynamoHandler.{name}")
        for name in (
            "create_backup", "delete_backup", "describe_backup", "list_backups",
            "restore_table_from_backup", "restore_table_to_point_in_time",
        )
    ),
)  # fmt: skip


class UnsupportedMoto(RuntimeError):
    """The installed moto is not the one the sandbox can patch."""


def check_moto(installed: str | None = None) -> None:
    """Refuse another series of moto, or one that lacks a name; each missing name is listed."""
    found = installed or version("moto")
    if not found.startswith(MOTO_SERIES):
        raise UnsupportedMoto(f"the sandbox patches moto {MOTO_SERIES}x, but moto {found} is installed")
    missing = [f"{module}.{name}" for module, name in PATCHED if not _exists(module, name)]
    if missing:
        raise UnsupportedMoto(f"moto {found} lacks names that the sandbox replaces: {', '.join(missing)}")


def _exists(module: str, name: str) -> bool:
    try:
        holder: object = importlib.import_module(module)
    except ImportError:
        return False
    for part in name.split("."):
        if not hasattr(holder, part):
            return False
        holder = getattr(holder, part)
    return True


def install_clock(clock: SandboxTime) -> None:
    """Every backend takes its time from moto.core.utils.utcnow; most have bound the name at import."""
    import moto.core.utils

    original = moto.core.utils.utcnow
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and getattr(module, "utcnow", None) is original:
            setattr(module, "utcnow", clock.utcnow)  # noqa: B010 - modules are not typed


def build(world: World) -> SandboxApplication:
    """The whole sandbox over moto's server application."""
    check_moto()
    install_clock(world.clock)
    from moto.dynamodb.models.dynamo_type import LimitedSizeDict
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    # moto's size rule is off by 4,600 bytes and quadratic; `limits` has the true one
    LimitedSizeDict.__setitem__ = dict.__setitem__  # type: ignore[method-assign]
    records = history.History(world)
    records.on_commit.append(streams.recorder(world))
    lifecycle.install(world)
    history.install(world, records)
    window.install(world)
    backups.install(world)
    restore.install(world)
    group = replicas.Replicas(world, records)
    records.on_commit.append(group.forward)
    replicas.install(group)
    settings.install(world, group)
    scaling.install(world)
    exports.install(world)
    imports.install(world, records)
    updates.install(world)
    rds.install(world)
    dax.install()
    vault.install(world)
    return SandboxApplication(world, DomainDispatcherApplication(create_backend_app), DataPlane(world, records))
