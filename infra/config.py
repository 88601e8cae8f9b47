"""The configuration of a stack, read once: typed, ranged, and refused before any resource is declared."""

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pulumi

from infra import schema
from infra.environment import EnvironmentClass
from infra.keys import KEYS, ConfigError, Value
from infra.tables import TableSettings, parse_tables, with_capacity_checked

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_DEFAULT_VERSIONS = {"postgres": "16", "mysql": "8.4"}
_COLD_STORAGE_MINIMUM_DAYS = 90  # AWS Backup: a recovery point in cold storage stays there for 90 days


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    engine: str
    engine_version: str
    identifier: str
    instance_class: str
    storage_gib: int
    database: str
    username: str
    backup_days: int
    multi_az: bool

    @property
    def port(self) -> int:
        return 5432 if self.engine == "postgres" else 3306


@dataclass(frozen=True, slots=True)
class CacheSettings:
    node_type: str
    nodes: int
    record_ttl_ms: int
    query_ttl_ms: int


@dataclass(frozen=True, slots=True)
class BackupSettings:
    schedule: str
    retention_days: int
    cold_storage_days: int
    copy_region: str | None


@dataclass(frozen=True, slots=True)
class StackConfig:
    """Everything a stack can be told; impossible combinations never become one."""

    project: str
    stack: str
    region: str
    environment_class: EnvironmentClass
    replica_regions: tuple[str, ...]
    operator_principals: tuple[str, ...]
    owner: str | None
    tables: tuple[TableSettings, ...]
    deletion_protection: bool
    database: DatabaseSettings | None
    cache: CacheSettings | None
    network_cidr: str
    network_zones: int
    interface_endpoints: tuple[str, ...]
    export_bucket_name: str | None
    export_prefix: str
    export_retention_days: int
    backup: BackupSettings
    alarm_email: str | None
    replica_lag_ms: int
    source_api_url: str
    source_accounts_url: str

    @property
    def prefix(self) -> str:
        """First part of every name that is not configured."""
        return f"{self.project}-{self.stack}"

    @property
    def tags(self) -> dict[str, str]:
        found = {"project": self.project, "stack": self.stack, "managed-by": "pulumi"}
        return {**found, "owner": self.owner} if self.owner else found

    @classmethod
    def read(cls) -> "StackConfig":
        """The configuration of the running Pulumi program."""
        project, stack = pulumi.get_project(), pulumi.get_stack()
        known = pulumi.runtime.config.CONFIG.get() or pulumi.runtime.config.get_config_env()
        values = {key.removeprefix(f"{project}:"): text for key, text in known.items() if key.startswith(f"{project}:")}
        return cls.from_values(project, stack, pulumi.Config("aws").get("region"), values)

    @classmethod
    def from_values(cls, project: str, stack: str, region: str | None, values: Mapping[str, str]) -> "StackConfig":
        """The configuration in `values` (text by key); ConfigError names the key that is refused."""
        if not region:
            raise ConfigError("aws:region: missing; set it with: pulumi config set aws:region us-east-1")
        typed = _typed(values)
        config = _build(project, stack, region, typed)
        _refuse_impossible(config)
        return config


def _typed(values: Mapping[str, str]) -> dict[str, Any]:
    unknown = sorted(set(values) - set(KEYS))
    if unknown:
        raise ConfigError(f"{unknown[0]}: unknown configuration key; Pulumi.yaml lists the known ones")
    return {name: _value(name, values.get(name)) for name in KEYS}


def _value(name: str, text: str | None) -> Value:
    return KEYS[name].default if text is None else KEYS[name].parse(name, text)


def _build(project: str, stack: str, region: str, of: Mapping[str, Any]) -> StackConfig:
    return StackConfig(
        project=project,
        stack=stack,
        region=region,
        environment_class=cast(EnvironmentClass, of["environmentClass"]),
        replica_regions=of["replicaRegions"],
        operator_principals=of["operatorPrincipals"],
        owner=of["owner"] or None,
        tables=_tables(of),
        deletion_protection=of["deletionProtection"],
        database=_database(of),
        cache=_cache(of),
        network_cidr=of["networkCidr"],
        network_zones=of["networkZones"],
        interface_endpoints=of["interfaceEndpoints"],
        export_bucket_name=of["exportBucketName"] or None,
        export_prefix=of["exportPrefix"].strip("/"),
        export_retention_days=of["exportRetentionDays"],
        backup=_backup(of),
        alarm_email=of["alarmEmail"] or None,
        replica_lag_ms=of["replicaLagMilliseconds"],
        source_api_url=of["sourceApiUrl"],
        source_accounts_url=of["sourceAccountsUrl"],
    )


def _tables(of: Mapping[str, Any]) -> tuple[TableSettings, ...]:
    try:
        declared = json.loads(of["tables"]) if of["tables"].strip() else {schema.TABLE: {}}
    except ValueError as error:
        raise ConfigError(f"tables: not JSON: {error}") from error
    return parse_tables(declared, of)


def _database(of: Mapping[str, Any]) -> DatabaseSettings | None:
    if not of["databaseEnabled"]:
        return None
    engine = of["databaseEngine"]
    return DatabaseSettings(
        engine=engine,
        engine_version=of["databaseEngineVersion"] or _DEFAULT_VERSIONS[engine],
        identifier=of["databaseIdentifier"],
        instance_class=of["databaseInstanceClass"],
        storage_gib=of["databaseStorageGib"],
        database=of["databaseName"],
        username=of["databaseUsername"],
        backup_days=of["databaseBackupDays"],
        multi_az=of["databaseMultiAz"],
    )


def _cache(of: Mapping[str, Any]) -> CacheSettings | None:
    if not of["cacheEnabled"]:
        return None
    return CacheSettings(
        node_type=of["cacheNodeType"],
        nodes=of["cacheNodes"],
        record_ttl_ms=of["cacheRecordTtlMilliseconds"],
        query_ttl_ms=of["cacheQueryTtlMilliseconds"],
    )


def _backup(of: Mapping[str, Any]) -> BackupSettings:
    return BackupSettings(
        schedule=of["backupSchedule"],
        retention_days=of["backupRetentionDays"],
        cold_storage_days=of["backupColdStorageDays"],
        copy_region=of["backupCopyRegion"] or None,
    )


def _refuse_impossible(config: StackConfig) -> None:
    _check_regions(config)
    _check_network(config)
    _check_retention(config)
    for table in config.tables:
        with_capacity_checked(table)
        if table.kms_key_arn and config.replica_regions:
            raise ConfigError("tableKmsKeyArn: a key of one Region cannot encrypt the replica of another")
    physical = [table.physical for table in config.tables]
    if len(set(physical)) != len(physical):
        raise ConfigError("tables: two tables share a physical name")
    if not config.deletion_protection and config.environment_class != "sandbox":
        raise ConfigError("deletionProtection: may be false only where environmentClass is sandbox")
    if config.database and not re.fullmatch(r"[a-z](-?[a-z0-9]){0,62}", config.database.identifier):
        raise ConfigError(f"databaseIdentifier: {config.database.identifier!r} is not an RDS identifier")


def _check_regions(config: StackConfig) -> None:
    if len(set(config.replica_regions)) != len(config.replica_regions):
        raise ConfigError("replicaRegions: a Region is named twice")
    named = [("aws:region", config.region), *(("replicaRegions", name) for name in config.replica_regions)]
    if config.backup.copy_region:
        named.append(("backupCopyRegion", config.backup.copy_region))
    for key, region in named:
        if not _REGION.fullmatch(region):
            raise ConfigError(f"{key}: {region!r} is not the name of an AWS Region")
        if key != "aws:region" and region == config.region:
            raise ConfigError(f"{key}: {region} is the home Region")


def _check_network(config: StackConfig) -> None:
    try:
        network = ipaddress.IPv4Network(config.network_cidr)
    except ValueError as error:
        raise ConfigError(f"networkCidr: {error}") from error
    if not network.is_private or not 16 <= network.prefixlen <= 22:
        raise ConfigError(f"networkCidr: {network} is not a private range between /16 and /22")
    for service in config.interface_endpoints:
        if not re.fullmatch(r"[a-z0-9.-]+", service):
            raise ConfigError(f"interfaceEndpoints: {service!r} is not the name of a service")


def _check_retention(config: StackConfig) -> None:
    longest = max(table.pitr_days for table in config.tables)
    if config.export_retention_days <= longest:
        raise ConfigError(f"exportRetentionDays: {config.export_retention_days} is not above pitrDays ({longest})")
    if not config.export_prefix:
        raise ConfigError("exportPrefix: must not be empty")
    cold = config.backup.cold_storage_days
    if cold and config.backup.retention_days < cold + _COLD_STORAGE_MINIMUM_DAYS:
        raise ConfigError(
            f"backupColdStorageDays: a recovery point stays {_COLD_STORAGE_MINIMUM_DAYS} days in cold "
            f"storage, so backupRetentionDays must be at least {cold + _COLD_STORAGE_MINIMUM_DAYS}"
        )
    if not re.fullmatch(r"(cron|rate)\(.+\)", config.backup.schedule):
        raise ConfigError(f"backupSchedule: {config.backup.schedule!r} is neither cron(...) nor rate(...)")
