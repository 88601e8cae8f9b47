"""RDS instances that stand for real databases of this machine, and restores that make another real one.

docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html: with ManageMasterUserPassword the credentials
are in Secrets Manager, so a program that reads the secret must be able to connect. .../AmazonRDS/latest/APIReference/
API_RestoreDBInstanceToPointInTime.html: a restored instance has the default security, subnet and parameter group, one
zone, no deletion protection unless told otherwise; the latest restorable time trails by some minutes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from moto.rds.exceptions import (
    DBInstanceNotFoundError,
    DBSubnetGroupNotFoundError,
    InvalidParameterCombination,
    RDSClientError,
)
from moto.rds.models import (
    DBInstance,
    DBInstanceAutomatedBackup,
    DBSnapshot,
    DBSubnetGroup,
    MasterUserSecret,
    RDSBackend,
)

from ops.sandbox.aws.clock import epoch, moment
from ops.sandbox.aws.databases import Databases, bound_of
from ops.sandbox.aws.world import World

# the log of a database reaches the backup every five minutes
LAG_S = 300.0
# what a restore sets to the default unless the request names it; the rest is taken over from the source
RESET: dict[str, object] = {
    "multi_az": False, "deletion_protection": False, "db_parameter_group_name": None,
    "enable_iam_database_authentication": False, "enabled_cloudwatch_logs_exports": [],
}  # fmt: skip


@dataclass(slots=True)
class Instances:
    """Whether an instance is being made by a restore, and the deleted ones whose backups were retained."""

    world: World
    databases: Databases
    restoring: bool = False
    retained: dict[tuple[str, str], DBInstance] = field(default_factory=dict)

    def latest_s(self, instance: DBInstance) -> float:
        """LatestRestorableTime: five minutes ago, not before the instance existed."""
        return max(epoch(instance.created), self.world.now() - LAG_S)

    def created(self, instance: DBInstance) -> None:
        """An identity of its own, and its database unless a restore brings one."""
        instance.dbi_resource_id = f"db-{secrets.token_hex(13).upper()}"
        if not self.restoring:
            self.databases.bind(instance)

    def restored(self, instance: DBInstance, asked: dict[str, Any]) -> DBInstance:
        """Reset what AWS resets; creating first, then available with an endpoint."""
        for name, value in RESET.items():
            if not asked.get(name):
                setattr(instance, name, list(value) if isinstance(value, list) else value)
        if not asked.get("db_subnet_group_name"):
            instance.__dict__["_db_subnet_group_name"] = None
            instance.__dict__.pop("db_subnet_group", None)
        if not asked.get("availability_zone"):
            instance.availability_zone = f"{instance.region}a"
        instance.status = "creating"
        self.world.timeline.at(self.world.now() + self.world.durations.restore_s, partial(_available, instance))
        return instance


def _available(instance: DBInstance, _when_s: float) -> None:
    if instance.status == "creating":
        instance.status = "available"


def source_of(instances: Instances, backend: RDSBackend, name: str | None, asked: dict[str, Any]) -> DBInstance:
    """The instance to restore from, by name or, when it was deleted, by its resource id."""
    identifier = asked.get("source_dbi_resource_id")
    if name:
        return backend.describe_db_instances(db_instance_identifier=name)[0]
    live = [one for one in backend.databases.values() if one.dbi_resource_id == identifier]
    found = live[0] if live else instances.retained.get((backend.region_name, str(identifier)))
    if found is None:
        raise DBInstanceNotFoundError(str(identifier))
    return found


def check_time(instances: Instances, source: DBInstance, asked: dict[str, Any]) -> float:
    """The instant to restore; exactly one of RestoreTime and UseLatestRestorableTime, inside the window."""
    when, latest = asked.get("restore_time"), asked.get("use_latest_restorable_time")
    if (when is None) == (not latest):
        raise InvalidParameterCombination("Specify either RestoreTime or UseLatestRestorableTime, and not both")
    if not source.backup_retention_period:
        raise RDSClientError("PointInTimeRestoreNotEnabled", f"Backups of {source.resource_id} are not enabled")
    end_s = instances.latest_s(source)
    when_s = end_s if latest else epoch(when)
    if not epoch(source.created) <= when_s <= end_s:
        raise RDSClientError("InvalidRestoreFault", f"{source.resource_id} can be restored up to {moment(end_s)}Z")
    return when_s


def _without_secret(source: DBInstance, make: Callable[[], DBInstance]) -> DBInstance:
    """moto copies every member of the source, its managed secret included, which RDS for PostgreSQL does not."""
    managed, held = source.manage_master_user_password, source.__dict__.pop("master_user_secret", None)
    source.manage_master_user_password = False
    try:
        return make()
    finally:
        source.manage_master_user_password = managed
        if held is not None:
            source.master_user_secret = held


def install(world: World) -> None:
    """Addresses, secrets, snapshots, restores and deletions of instances."""
    instances = Instances(world, Databases(world))
    _install_addresses(instances)
    _install_snapshots(instances)
    _install_restores(instances)
    _install_changes(instances)


def _install_addresses(instances: Instances) -> None:
    save, secret_text = DBInstance.save_automated_backup, MasterUserSecret._generate_secret_string
    address: Any = DBInstance.__dict__["address"]
    endpoint: Any = DBInstance.__dict__["endpoint"]

    def save_automated_backup(self: DBInstance) -> None:
        instances.created(self)
        save(self)

    def bound_address(self: DBInstance) -> str:
        bound = bound_of(self)
        return str(address.fget(self)) if bound is None else bound.binding.address

    def ready_endpoint(self: DBInstance) -> Any:
        return None if self.status == "creating" else endpoint.fget(self)

    def generate_secret_string(self: MasterUserSecret) -> str:
        found = instances.databases.credentials(self.resource)
        return secret_text(self) if found is None else json.dumps({"username": found[0], "password": found[1]})

    def latest_restorable_time(self: DBInstance) -> datetime:
        return moment(instances.latest_s(self))

    DBInstance.save_automated_backup = save_automated_backup  # type: ignore[method-assign]
    DBInstance.address = property(bound_address)  # type: ignore[assignment,method-assign]
    DBInstance.endpoint = property(ready_endpoint)  # type: ignore[assignment,method-assign]
    DBInstance.latest_restorable_time = property(latest_restorable_time)  # type: ignore[assignment,method-assign]
    MasterUserSecret._generate_secret_string = generate_secret_string  # type: ignore[method-assign]
    # what DescribeDBInstanceAutomatedBackups leaves out, and a restore of a deleted instance asks for
    newest = property(lambda self: self.automated_snapshots[-1].dbi_resource_id)
    setattr(DBInstanceAutomatedBackup, "dbi_resource_id", newest)  # noqa: B010 - moto's class lacks the name


def _install_snapshots(instances: Instances) -> None:
    create, copy_one = RDSBackend.create_db_snapshot, RDSBackend.copy_db_snapshot

    def create_db_snapshot(self: RDSBackend, db_instance_identifier: str, *args: Any, **kwargs: Any) -> DBSnapshot:
        with instances.world.lock:
            made = create(self, db_instance_identifier, *args, **kwargs)
            instances.databases.mark(self.databases[db_instance_identifier], made)
            return made

    def copy_db_snapshot(self: RDSBackend, *args: Any, **kwargs: Any) -> DBSnapshot:
        made = copy_one(self, *args, **kwargs)
        source = self.get_db_snapshot(args[0] if args else kwargs["source_db_snapshot_identifier"])
        made.__dict__ |= {name: value for name, value in source.__dict__.items() if name.startswith("sandbox_")}
        return made

    RDSBackend.create_db_snapshot = create_db_snapshot  # type: ignore[method-assign]
    RDSBackend.copy_db_snapshot = copy_db_snapshot  # type: ignore[method-assign]


def _install_restores(instances: Instances) -> None:
    from_snapshot = RDSBackend.restore_db_instance_from_db_snapshot
    to_time = RDSBackend.restore_db_instance_to_point_in_time

    def made_by(source: DBInstance, make: Callable[[], DBInstance]) -> DBInstance:
        instances.restoring = True
        try:
            return _without_secret(source, make)
        finally:
            instances.restoring = False

    def restore_from_snapshot(self: RDSBackend, from_snapshot_id: str, overrides: dict[str, Any]) -> DBInstance:
        with instances.world.lock:
            snapshot = self.get_db_snapshot(from_snapshot_id)
            made = made_by(snapshot.database, lambda: from_snapshot(self, from_snapshot_id, overrides))
            instances.databases.to_snapshot(made, snapshot.database, snapshot)
            return instances.restored(made, overrides)

    def restore_to_time(
        self: RDSBackend, source_db_identifier: str, target_db_identifier: str, overrides: dict[str, Any]
    ) -> DBInstance:
        with instances.world.lock:
            source = source_of(instances, self, source_db_identifier, overrides)
            when_s = check_time(instances, source, overrides)
            name = str(source.db_instance_identifier)
            other, self.databases[name] = self.databases.get(name), source
            # moto looks the source up by name; a deleted one is there only meanwhile
            asked = {"vpc_security_group_ids": [], **overrides}
            try:
                made = made_by(source, lambda: to_time(self, name, target_db_identifier, asked))
            finally:
                self.databases.pop(name)
                if other is not None:
                    self.databases[name] = other
            if not overrides.get("vpc_security_group_ids"):
                made.vpc_security_group_ids = _default_group(made)
            instances.databases.to_instant(made, source, when_s)
            return instances.restored(made, overrides)

    RDSBackend.restore_db_instance_from_db_snapshot = restore_from_snapshot  # type: ignore[method-assign]
    RDSBackend.restore_db_instance_to_point_in_time = restore_to_time  # type: ignore[method-assign]


def _default_group(instance: DBInstance) -> list[str]:
    from moto.ec2.models import ec2_backends

    ec2 = ec2_backends[instance.account_id][instance.region]
    group = ec2.get_default_security_group(ec2.default_vpc.id)
    return [group.id]  # type: ignore[union-attr]


def _install_changes(instances: Instances) -> None:
    delete, modify = RDSBackend.delete_db_instance, RDSBackend.modify_db_instance

    def delete_db_instance(self: RDSBackend, db_instance_identifier: str, *args: Any, **kwargs: Any) -> DBInstance:
        with instances.world.lock:
            gone = delete(self, db_instance_identifier, *args, **kwargs)
            instances.databases.delete(gone)
            if kwargs.get("delete_automated_backups") is False:
                instances.retained[self.region_name, gone.dbi_resource_id] = gone
            return gone

    def modify_db_instance(self: RDSBackend, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> DBInstance:
        with instances.world.lock:
            changed = modify(self, db_instance_identifier, db_kwargs)
            if password := db_kwargs.get("master_user_password"):
                instances.databases.change_password(changed, password)
            return changed

    regroup = RDSBackend.modify_db_subnet_group

    def modify_db_subnet_group(self: RDSBackend, subnet_name: str, *args: Any, **kwargs: Any) -> DBSubnetGroup:
        """moto takes the group out to change it and does not put it back."""
        if subnet_name not in self.subnet_groups:
            raise DBSubnetGroupNotFoundError(subnet_name)
        changed = regroup(self, subnet_name, *args, **kwargs)
        self.subnet_groups[subnet_name] = changed
        return changed

    RDSBackend.modify_db_subnet_group = modify_db_subnet_group  # type: ignore[method-assign]
    RDSBackend.delete_db_instance = delete_db_instance  # type: ignore[method-assign]
    RDSBackend.modify_db_instance = modify_db_instance  # type: ignore[method-assign]
