"""Puts the sandbox's behaviour into moto, after checking that moto is the one it was written for."""

from __future__ import annotations

import gc
import importlib
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.sandbox.aws.application import SandboxApplication
    from ops.sandbox.aws.clock import SandboxTime
    from ops.sandbox.aws.history import History
    from ops.sandbox.aws.replicas import Replicas
    from ops.sandbox.aws.throughput import Meter
    from ops.sandbox.aws.world import World

MOTO_SERIES = "5.2."

# every name of moto that a module here replaces, wraps or relies upon: module, owner, names
PATCHED: tuple[tuple[str, str, str], ...] = (
    ("moto.applicationautoscaling.models", "ApplicationAutoscalingBackend",
     "deregister_scalable_target describe_scalable_targets put_scaling_policy register_scalable_target"),
    ("moto.applicationautoscaling.models", "FakeApplicationAutoscalingPolicy", "delete_alarms formulate_key"),
    ("moto.applicationautoscaling.responses", "ApplicationAutoScalingResponse", "describe_scalable_targets"),
    ("moto.backup.models", "Vault", "to_list_dict"),
    ("moto.backup.responses", "BackupResponse",
     "call_action delete_backup_plan delete_backup_vault describe_backup_vault"),
    ("moto.backup.urls", "", "url_paths"),
    ("moto.core.utils", "", "utcnow"),
    ("moto.dax.models", "DaxCluster", "to_json"),
    ("moto.dax.responses", "DAXResponse", "create_cluster"),
    ("moto.dynamodb.comparisons", "", "create_condition_expression_parser get_expected get_filter_expression"),
    ("moto.dynamodb.comparisons", "",
     "AttributePath._get_attr AttributeValue FuncBeginsWith.expr FuncBetween.expr FuncContains.expr FuncIn.expr "
     "FuncSize OpEqual.expr OpGreaterThan.expr OpGreaterThanOrEqual.expr OpLessThan.expr OpLessThanOrEqual.expr "
     "OpNotEqual.expr"),
    ("moto.dynamodb.models", "DynamoDBBackend",
     "create_table delete_resource_policy delete_table describe_continuous_backups describe_table "
     "describe_time_to_live get_resource_policy get_table list_tags_of_resource put_resource_policy tag_resource "
     "transact_write_items untag_resource update_continuous_backups update_item update_table_streams "
     "update_time_to_live"),
    ("moto.dynamodb.models.dynamo_type", "LimitedSizeDict", "__setitem__"),
    ("moto.dynamodb.models.table", "Table",
     "__init__ delete_item describe get_item put_item set_stream_specification"),
    ("moto.dynamodb.parsing.validators", "UpdateHashRangeKeyValidator", "check_for_hash_or_range_key"),
    ("moto.dynamodb.responses", "", "ProjectionExpressionParser TRANSACTION_MAX_ITEMS validate_select"),
    ("moto.dynamodb.responses", "DynamoHandler",
     "_validate_table_creation call_action create_backup create_table delete_backup delete_item describe_backup "
     "describe_export describe_import export_table_to_point_in_time import_table list_backups list_exports put_item "
     "restore_table_from_backup restore_table_to_point_in_time transact_write_items update_item update_table"),
    ("moto.dynamodbstreams.models", "DynamoDBStreamsBackend", "_get_table_from_arn get_records get_shard_iterator"),
    ("moto.moto_server.werkzeug_app", "",
     "DomainDispatcherApplication.get_backend_for_host MotoRequestHandler create_backend_app"),
    ("moto.rds.models", "DBInstance", "address default_port endpoint latest_restorable_time save_automated_backup"),
    ("moto.rds.models", "DBInstanceAutomatedBackup", "status"),
    ("moto.rds.models", "MasterUserSecret", "_generate_secret_string"),
    ("moto.rds.models", "RDSBackend",
     "copy_db_snapshot create_db_instance create_db_snapshot delete_db_instance get_db_snapshot modify_db_instance "
     "modify_db_subnet_group restore_db_instance_from_db_snapshot restore_db_instance_to_point_in_time"),
    ("moto.iam.access_control", "PermissionResult", "NEUTRAL"),
    ("moto.s3.models", "FakeBucket", "get_permission"),
    ("moto.s3.models", "S3Backend", "put_object"),
)  # fmt: skip


# actions that moto has no method for
ADDED_ACTIONS = (
    "cancel_bulk_operation", "describe_bulk_operation", "list_bulk_operations", "list_imports", "start_bulk_put_items",
    "update_contributor_insights", "describe_contributor_insights", "list_contributor_insights",
    "enable_kinesis_streaming_destination", "disable_kinesis_streaming_destination",
    "update_kinesis_streaming_destination", "describe_kinesis_streaming_destination",
)  # fmt: skip


class UnsupportedMoto(RuntimeError):
    """The installed moto is not the one the sandbox can patch."""


def patched_names() -> list[tuple[str, str]]:
    """(module, dotted name) of everything on the list."""
    return [
        (module, f"{owner}.{name}" if owner else name) for module, owner, names in PATCHED for name in names.split()
    ]


def check_moto(installed: str | None = None) -> None:
    """Refuse another series of moto, or one that lacks a name; each missing name is listed."""
    found = installed or version("moto")
    if not found.startswith(MOTO_SERIES):
        raise UnsupportedMoto(f"the sandbox patches moto {MOTO_SERIES}x, but moto {found} is installed")
    missing = [f"{module}.{name}" for module, name in patched_names() if not _exists(module, name)]
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
    """Every backend takes its time from moto.core.utils.utcnow; most bind the name when they are imported."""
    import moto.core.utils

    original = moto.core.utils.utcnow
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and getattr(module, "utcnow", None) is original:
            setattr(module, "utcnow", clock.utcnow)  # noqa: B010 - modules are not typed


def build(world: World) -> SandboxApplication:
    """The whole sandbox over moto's server application."""
    # before our modules are imported: they bind moto's names, and a missing one must be named plainly
    check_moto()
    install_clock(world.clock)
    from moto.dynamodb.models.dynamo_type import LimitedSizeDict

    from ops.sandbox.aws import streams
    from ops.sandbox.aws.admin import Admin
    from ops.sandbox.aws.application import SandboxApplication
    from ops.sandbox.aws.dataplane import DataPlane
    from ops.sandbox.aws.dispatch import Dispatcher
    from ops.sandbox.aws.history import History
    from ops.sandbox.aws.replicas import Replicas
    from ops.sandbox.aws.throughput import Meter

    # moto's size rule is off by 4,600 bytes and quadratic; `limits` has the true one
    LimitedSizeDict.__setitem__ = dict.__setitem__  # type: ignore[method-assign]
    history = History(world)
    group = Replicas(world, history)
    history.on_commit += [streams.recorder(world, history), group.forward]
    meter = Meter(world.now)
    _install_modules(world, history, group, meter)
    _collect_rarely()
    return SandboxApplication(
        world,
        Dispatcher(),
        DataPlane(world, history, meter),
        Admin(world, group, meter),
    )


def _collect_rarely() -> None:
    """Items are many, live long and form no cycles: looking for cycles among them took a third of each write."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def _install_modules(world: World, records: History, group: Replicas, meter: Meter) -> None:
    from ops.sandbox.aws import (
        around,
        backups,
        buckets,
        bulk,
        conditions,
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
        transactions,
        update_answers,
        updates,
        vault,
        window,
    )
    from ops.sandbox.aws.ttl import Expiry

    lifecycle.install(world)
    history.install(world, records)
    window.install(world)
    backups.install(world)
    restore.install(world)
    replicas.install(group)
    settings.install(world, group, Expiry(world, records))
    streams.install(world)
    scaling.install(world)
    exports.install(world)
    imports.install(world, records)
    bulk.install(world, records)
    around.install(world)
    conditions.install()
    transactions.install(world, records)
    update_answers.install()
    updates.install(world, meter)
    rds.install(world)
    dax.install()
    buckets.install()
    vault.install(world)
