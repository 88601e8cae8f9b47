"""The wiring: components from configuration, and the environment document that describes the result."""

from typing import Any

import pulumi
import pulumi_aws as aws

from infra.access import Access, AccessArgs
from infra.cache import TLS_PORT, Cache, CacheArgs, cluster_name
from infra.config import StackConfig
from infra.database import Database, DatabaseArgs
from infra.environment import (
    CacheDocument,
    DatabaseDocument,
    EnvironmentDocument,
    SourceDocument,
    parameter_path,
)
from infra.keys import ConfigError
from infra.network import Network, NetworkArgs
from infra.observability import Observability, ObservabilityArgs, WatchedTable
from infra.scope import Scope
from infra.storage import Storage, StorageArgs
from infra.table import Table, TableArgs
from infra.vault import Vault, VaultArgs

_STANDARD_BYTES = 4096
_ADVANCED_BYTES = 8192


class Stack:
    """All components of a stack, in the order in which they need one another."""

    def __init__(self, config: StackConfig) -> None:
        self._config = config
        self._account = aws.get_caller_identity().account_id
        self.storage = self._storage()
        self.tables = [self._table(index) for index in range(len(config.tables))]
        self.network = self._network()
        self.database = self._database()
        self.cache = self._cache()
        self.access = self._access()
        self.vault = self._vault()
        self.observability = self._observability()
        self.document = self._document().apply(lambda document: document.to_json())
        self._write_document()

    def outputs(self) -> dict[str, pulumi.Input[Any]]:
        """Stack outputs, for humans; `ops` reads the document from the parameter store."""
        return {
            "environment": self.document,
            "environmentParameter": parameter_path(self._config.project, self._config.stack),
            "exportBucket": self.storage.bucket.bucket,
            "tables": {
                table.logical: built.table.name for table, built in zip(self._config.tables, self.tables, strict=True)
            },
        }

    def _storage(self) -> Storage:
        config = self._config
        return Storage(
            "exports",
            StorageArgs(
                prefix=config.prefix,
                account=self._account,
                bucket_name=config.export_bucket_name or f"{config.prefix}-exports-{self._account}",
                retention_days=config.export_retention_days,
                tags=config.tags,
            ),
        )

    def _table(self, index: int) -> Table:
        settings = self._config.tables[index]
        return Table(
            settings.logical,
            TableArgs(
                settings=settings,
                region=self._config.region,
                replica_regions=self._config.replica_regions,
                deletion_protection=self._config.deletion_protection,
                tags=self._config.tags,
            ),
        )

    def _network(self) -> Network:
        config = self._config
        # Local Zones and other zones that must be opted into cannot host RDS or DAX subnets.
        regular = aws.GetAvailabilityZonesFilterArgs(name="opt-in-status", values=["opt-in-not-required"])
        zones = aws.get_availability_zones(state="available", filters=[regular]).names
        if len(zones) < config.network_zones:
            raise ConfigError(f"networkZones: {config.region} has {len(zones)} zones")
        return Network(
            "network",
            NetworkArgs(
                prefix=config.prefix,
                region=config.region,
                cidr=config.network_cidr,
                zones=sorted(zones)[: config.network_zones],
                interface_endpoints=config.interface_endpoints,
                tags=config.tags,
            ),
        )

    def _database(self) -> Database | None:
        settings = self._config.database
        if settings is None:
            return None
        group = self.network.admit("database", settings.port, "Connections to the artists database")
        return Database(
            "artists",
            DatabaseArgs(
                prefix=self._config.prefix,
                settings=settings,
                subnet_ids=self.network.subnet_ids,
                security_group_id=group.id,
                kms_key_arn=self.storage.key.arn,
                deletion_protection=self._config.deletion_protection,
                tags=self._config.tags,
            ),
        )

    def _cache(self) -> Cache | None:
        settings = self._config.cache
        if settings is None:
            return None
        group = self.network.admit("cache", TLS_PORT, "Encrypted connections to the cache")
        return Cache(
            "cache",
            CacheArgs(
                prefix=self._config.prefix,
                account=self._account,
                region=self._config.region,
                settings=settings,
                subnet_ids=self.network.subnet_ids,
                security_group_id=group.id,
                table_arns=[table.table.arn for table in self.tables],
                tags=self._config.tags,
            ),
        )

    def _access(self) -> Access:
        names: dict[str, pulumi.Input[Any]] = {
            "tables": [table.table.name for table in self.tables],
            "bucket": self.storage.bucket.bucket,
            "key_arn": self.storage.key.arn,
            "secrets": [self.storage.source_secret.arn],
        }
        if self.database:
            names["secrets"] = [self.storage.source_secret.arn, self.database.secret_arn]
            names["database_resource_id"] = self.database.instance.resource_id
        return Access(
            "access",
            AccessArgs(
                prefix=self._config.prefix,
                account=self._account,
                scope=pulumi.Output.all(**names).apply(self._scope),
                principals=self._config.operator_principals,
                tags=self._config.tags,
            ),
        )

    def _scope(self, names: dict[str, Any]) -> Scope:
        config = self._config
        return Scope(
            account=self._account,
            region=config.region,
            replica_regions=config.replica_regions,
            project=config.project,
            stack=config.stack,
            tables=tuple(names["tables"]),
            logical_names=tuple(table.logical for table in config.tables),
            bucket=names["bucket"],
            export_prefix=config.export_prefix,
            key_arn=names["key_arn"],
            role_prefix=config.prefix,
            database=config.database.identifier if config.database else None,
            database_resource_id=names.get("database_resource_id"),
            database_username=config.database.username if config.database else None,
            secret_arns=tuple(names["secrets"]),
        )

    def _vault(self) -> Vault:
        data: list[pulumi.Input[str]] = [table.table.arn for table in self.tables]
        if self.database:
            data.append(self.database.instance.arn)
        return Vault(
            "backups",
            VaultArgs(
                prefix=self._config.prefix,
                account=self._account,
                settings=self._config.backup,
                kms_key_arn=self.storage.key.arn,
                data_arns=data,
                tags=self._config.tags,
            ),
        )

    def _observability(self) -> Observability:
        config = self._config
        watched = [
            WatchedTable(
                logical=settings.logical,
                physical=built.table.name,
                indexes=[index.name for index in settings.schema.indexes],
            )
            for settings, built in zip(config.tables, self.tables, strict=True)
        ]
        return Observability(
            "alarms",
            ObservabilityArgs(
                prefix=config.prefix,
                account=self._account,
                region=config.region,
                tables=watched,
                replica_regions=config.replica_regions,
                replica_lag_ms=config.replica_lag_ms,
                database_identifier=config.database.identifier if config.database else None,
                email=config.alarm_email,
                tags=config.tags,
            ),
        )

    def _document(self) -> pulumi.Output[EnvironmentDocument]:
        names: dict[str, pulumi.Input[Any]] = {
            "tables": [table.document() for table in self.tables],
            "bucket": self.storage.bucket.bucket,
            "key": self.storage.key.arn,
            "roles": self.access.arns,
            "vault": self.vault.vault.name,
            "plan": self.vault.plan.id,
            "topic": self.observability.topic.arn,
            "source_secret": self.storage.source_secret.arn,
        }
        if self.cache:
            names["cache_endpoint"] = self.cache.endpoint
        if self.database:
            instance = self.database.instance
            names |= {
                "database_arn": instance.arn,
                "resource_id": instance.resource_id,
                "address": instance.address,
                "port": instance.port,
                "database_secret": self.database.secret_arn,
            }
        return pulumi.Output.all(**names).apply(self._describe)

    def _describe(self, names: dict[str, Any]) -> EnvironmentDocument:
        config = self._config
        return EnvironmentDocument(
            project=config.project,
            stack=config.stack,
            account=self._account,
            region=config.region,
            environment_class=config.environment_class,
            replica_regions=config.replica_regions,
            tables={table.logical: table for table in names["tables"]},
            database=self._describe_database(names),
            cache=self._describe_cache(names),
            export_bucket=names["bucket"],
            export_prefix=config.export_prefix,
            kms_key_arn=names["key"],
            roles=names["roles"],
            backup_vault=names["vault"],
            backup_plan_id=names["plan"],
            topic_arn=names["topic"],
            source=SourceDocument(
                secret_arn=names["source_secret"],
                api_url=config.source_api_url,
                accounts_url=config.source_accounts_url,
            ),
        )

    def _describe_database(self, names: dict[str, Any]) -> DatabaseDocument | None:
        settings = self._config.database
        if settings is None:
            return None
        return DatabaseDocument(
            engine=settings.engine,
            identifier=settings.identifier,
            arn=names["database_arn"],
            resource_id=names["resource_id"],
            address=names["address"],
            port=int(names["port"]),
            database=settings.database,
            username=settings.username,
            secret_arn=names["database_secret"],
        )

    def _describe_cache(self, names: dict[str, Any]) -> CacheDocument | None:
        if self._config.cache is None:
            return None
        return CacheDocument(cluster_name(self._config.prefix), names["cache_endpoint"])

    def _write_document(self) -> None:
        """In the home Region and in every replica's: the loss of a Region must not take the document."""
        config = self._config
        for region in (None, *config.replica_regions):
            aws.ssm.Parameter(
                f"environment-{region}" if region else "environment",
                name=parameter_path(config.project, config.stack),
                description="Environment document of the stack, read by ops",
                type="String",
                tier=self.document.apply(parameter_tier),
                value=self.document,
                region=region,
                tags=config.tags,
            )


def parameter_tier(document: str) -> str:
    """The SSM tier that holds the document: Standard up to 4 KB, Advanced up to 8 KB."""
    size_bytes = len(document.encode())
    if size_bytes > _ADVANCED_BYTES:
        raise ConfigError(
            f"tables: the environment document has {size_bytes} bytes, a parameter holds {_ADVANCED_BYTES}; "
            "declare fewer tables or indexes in this stack"
        )
    return "Standard" if size_bytes <= _STANDARD_BYTES else "Advanced"
