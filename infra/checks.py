"""Combinations that cannot be: refused by name before any resource is declared."""

import ipaddress
import re
from typing import TYPE_CHECKING

from infra.keys import ConfigError
from infra.naming import check_names
from infra.scope import DRILL_PREFIX
from infra.table_checks import check_table

if TYPE_CHECKING:
    from infra.config import StackConfig

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_COLD_STORAGE_MINIMUM_DAYS = 90  # AWS Backup: a recovery point in cold storage stays there for 90 days
_LOCK_GRACE_MINIMUM_DAYS = 3  # AWS Backup: a vault lock in compliance mode has a cooling-off time of 72 hours


def refuse_impossible(config: "StackConfig") -> None:
    """ConfigError names the first key that contradicts another or AWS."""
    check_names(config)
    _check_regions(config)
    _check_network(config)
    _check_retention(config)
    _check_tables(config)
    _check_database(config)
    _check_buckets(config)
    _check_backup(config)
    if not config.deletion_protection and config.environment_class != "sandbox":
        raise ConfigError("deletionProtection: may be false only where environmentClass is sandbox")


def _check_tables(config: "StackConfig") -> None:
    for table in config.tables:
        check_table(table, config.region)
        _check_replica_regions(f"tables.{table.logical}.replicaRegions", table.replica_regions, config.region)
        if table.adopt and table.replica_regions:
            raise ConfigError(
                f"adoptTables: {table.logical} has replicas, which belong to the table that it replaces; "
                f"take it over with tables.{table.logical}.replicaRegions [] first, and add replicas afterwards"
            )
    logical = {table.logical for table in config.tables}
    unknown = sorted(set(config.adopt_tables) - logical)
    if unknown:
        raise ConfigError(f"adoptTables: {unknown[0]} is not a declared table")
    physical = [table.physical for table in config.tables]
    if len(set(physical)) != len(physical):
        raise ConfigError("tables: two tables share a physical name")


def _check_replica_regions(key: str, regions: tuple[str, ...], home: str) -> None:
    if len(set(regions)) != len(regions):
        raise ConfigError(f"{key}: a Region is named twice")
    for region in regions:
        if not _REGION.fullmatch(region):
            raise ConfigError(f"{key}: {region!r} is not the name of an AWS Region")
        if region == home:
            raise ConfigError(f"{key}: {region} is the home Region")


def _check_regions(config: "StackConfig") -> None:
    if not _REGION.fullmatch(config.region):
        raise ConfigError(f"aws:region: {config.region!r} is not the name of an AWS Region")
    _check_replica_regions("replicaRegions", config.replica_regions, config.region)
    if config.backup.copy_region:
        _check_replica_regions("backupCopyRegion", (config.backup.copy_region,), config.region)
    if config.database and config.database.backup_region:
        _check_replica_regions("databaseBackupRegion", (config.database.backup_region,), config.region)


def _check_network(config: "StackConfig") -> None:
    try:
        network = ipaddress.IPv4Network(config.network_cidr)
    except ValueError as error:
        raise ConfigError(f"networkCidr: {error}") from error
    if not network.is_private or not 16 <= network.prefixlen <= 22:
        raise ConfigError(f"networkCidr: {network} is not a private range between /16 and /22")
    if len(set(config.interface_endpoints)) != len(config.interface_endpoints):
        raise ConfigError("interfaceEndpoints: a service is named twice")
    if config.bastion_type and config.database is None:
        raise ConfigError("bastionEnabled: there is no database to reach (databaseEnabled is false)")


def _check_retention(config: "StackConfig") -> None:
    longest = max(table.pitr_days for table in config.tables)
    if config.export_retention_days <= longest:
        raise ConfigError(f"exportRetentionDays: {config.export_retention_days} is not above pitrDays ({longest})")


def _check_buckets(config: "StackConfig") -> None:
    if config.evidence and config.evidence.bucket_name == (config.export_bucket_name or ""):
        raise ConfigError("evidenceBucketName: the evidence needs a bucket of its own")


def _check_database(config: "StackConfig") -> None:
    database = config.database
    if database is None:
        return
    if database.identifier.startswith(DRILL_PREFIX):
        raise ConfigError(f"databaseIdentifier: {database.identifier!r} belongs to the drills, which may delete it")
    if database.aurora and re.fullmatch(r".*\.(micro|small)", database.instance_class):
        raise ConfigError(
            f"databaseInstanceClass: Aurora has no {database.instance_class}; db.t4g.medium is its smallest"
        )
    if database.aurora and database.backup_region:
        raise ConfigError(
            "databaseBackupRegion: RDS replicates the automated backups of instances only; "
            "for Aurora set backupCopyRegion"
        )


def _check_backup(config: "StackConfig") -> None:
    backup = config.backup
    cold = backup.cold_storage_days
    if cold and backup.retention_days < cold + _COLD_STORAGE_MINIMUM_DAYS:
        raise ConfigError(
            f"backupColdStorageDays: a recovery point stays {_COLD_STORAGE_MINIMUM_DAYS} days in cold "
            f"storage, so backupRetentionDays must be at least {cold + _COLD_STORAGE_MINIMUM_DAYS}"
        )
    if not re.fullmatch(r"(cron|rate)\(.+\)", backup.schedule):
        raise ConfigError(f"backupSchedule: {backup.schedule!r} is neither cron(...) nor rate(...)")
    if backup.testing_schedule and not re.fullmatch(r"cron\(.+\)", backup.testing_schedule):
        raise ConfigError(f"restoreTestingSchedule: {backup.testing_schedule!r} is not cron(...)")
    if backup.lock_days > backup.retention_days:
        raise ConfigError(f"backupLockDays: {backup.lock_days} is above backupRetentionDays ({backup.retention_days})")
    if backup.lock_grace_days and not backup.lock_days:
        raise ConfigError("backupLockGraceDays: there is no lock (backupLockDays is 0)")
    if 0 < backup.lock_grace_days < _LOCK_GRACE_MINIMUM_DAYS:
        raise ConfigError(f"backupLockGraceDays: AWS Backup takes {_LOCK_GRACE_MINIMUM_DAYS} days or more")
