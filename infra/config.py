"""The configuration of a stack, read once: typed, ranged, and refused before any resource is declared."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pulumi

from infra import schema
from infra.checks import refuse_impossible
from infra.environment import EnvironmentClass
from infra.keys import KEYS, ConfigError, Value
from infra.settings import (
    AlarmSettings,
    BackupSettings,
    CacheSettings,
    DatabaseSettings,
    EvidenceSettings,
    alarm_settings,
    backup_settings,
    cache_settings,
    database_settings,
    evidence_settings,
)
from infra.tables import TableSettings, parse_tables


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
    adopt_tables: tuple[str, ...]
    deletion_protection: bool
    database: DatabaseSettings | None
    cache: CacheSettings | None
    network_cidr: str
    network_zones: int
    interface_endpoints: tuple[str, ...]
    bastion_type: str | None
    export_bucket_name: str | None
    export_prefix: str
    export_retention_days: int
    evidence: EvidenceSettings | None
    backup: BackupSettings
    alarms: AlarmSettings
    source_api_url: str
    source_accounts_url: str

    @property
    def prefix(self) -> str:
        """First part of every name that is not configured."""
        return f"{self.project}-{self.stack}"

    @property
    def all_replica_regions(self) -> tuple[str, ...]:
        """Every Region in which some table of the stack has a replica, the stack's own first."""
        return tuple(
            dict.fromkeys((*self.replica_regions, *(r for table in self.tables for r in table.replica_regions)))
        )

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
        _refuse_unused(typed)
        config = _build(project, stack, region, typed)
        refuse_impossible(config)
        return config


def _refuse_unused(of: Mapping[str, Any]) -> None:
    """A key that asks for something which another key leaves out: silence would be taken for a yes."""
    if of["adoptDatabase"] and not of["databaseEnabled"]:
        raise ConfigError("adoptDatabase: there is no database (databaseEnabled is false)")
    if of["evidenceBucketName"] and not of["evidenceLockDays"]:
        raise ConfigError("evidenceBucketName: there is no such bucket (evidenceLockDays is 0)")


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
        adopt_tables=of["adoptTables"],
        deletion_protection=of["deletionProtection"],
        database=database_settings(of),
        cache=cache_settings(of),
        network_cidr=of["networkCidr"],
        network_zones=of["networkZones"],
        interface_endpoints=of["interfaceEndpoints"],
        bastion_type=of["bastionInstanceType"] if of["bastionEnabled"] else None,
        export_bucket_name=of["exportBucketName"] or None,
        export_prefix=of["exportPrefix"].strip("/"),
        export_retention_days=of["exportRetentionDays"],
        evidence=evidence_settings(of),
        backup=backup_settings(of),
        alarms=alarm_settings(of),
        source_api_url=of["sourceApiUrl"],
        source_accounts_url=of["sourceAccountsUrl"],
    )


def _tables(of: Mapping[str, Any]) -> tuple[TableSettings, ...]:
    try:
        declared = json.loads(of["tables"], object_pairs_hook=_once) if of["tables"].strip() else {schema.TABLE: {}}
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"tables: not JSON: {error}") from error
    return parse_tables(declared, of)


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of two members of one name, JSON readers keep one and say nothing."""
    found = dict(members)
    if len(found) != len(members):
        names = [name for name, _ in members]
        raise ConfigError(f"tables: {next(name for name in names if names.count(name) > 1)} is there twice")
    return found
