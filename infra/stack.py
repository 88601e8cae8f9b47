"""The wiring: components from configuration, and the environment document that describes the result."""

from typing import Any

import pulumi
import pulumi_aws as aws

from infra.access import Access, AccessArgs
from infra.bastion import ENDPOINTS, Bastion, BastionArgs
from infra.cache import TLS_PORT, Cache, CacheArgs
from infra.config import StackConfig
from infra.contract import TableArgs
from infra.database import Database, DatabaseArgs
from infra.description import describe, is_long
from infra.environment import EnvironmentDocument, parameter_path
from infra.keys import ConfigError
from infra.network import Network, NetworkArgs
from infra.observability import Observability, ObservabilityArgs, WatchedTable
from infra.permissions import fitting
from infra.publish import publish, refuse_frozen_changes
from infra.scope import Scope
from infra.storage import Storage, StorageArgs
from infra.table import Table
from infra.vault import Selected, Vault, VaultArgs


class Stack:
    """All components of a stack, in the order in which they need one another."""

    def __init__(self, config: StackConfig) -> None:
        self._config = config
        self._any_region = False
        self._account = aws.get_caller_identity().account_id
        long = is_long(config, self._account)
        self._any_region = fitting(self._scope(self._stand_ins())).any_region
        refuse_frozen_changes(config)
        self.storage = self._storage()
        self.tables = [self._table(index) for index in range(len(config.tables))]
        self.network = self._network()
        self.database = self._database()
        self.bastion = self._bastion()
        self.cache = self._cache()
        self.access = self._access()
        self.vault = self._vault()
        self.observability = self._observability()
        self.document = publish(config, self._document(), long=long)

    def outputs(self) -> dict[str, pulumi.Input[Any]]:
        """Stack outputs, for humans; `ops` reads the document from the parameter store."""
        found: dict[str, pulumi.Input[Any]] = {
            "environment": self.document,
            "environmentParameter": parameter_path(self._config.project, self._config.stack),
            "exportBucket": self.storage.bucket.bucket,
            "tables": {
                table.logical: built.table.name for table, built in zip(self._config.tables, self.tables, strict=True)
            },
        }
        return {**found, "bastion": self.bastion.instance.id} if self.bastion else found

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
                evidence=config.evidence,
                key_regions=self._copy_regions(),
            ),
        )

    def _copy_regions(self) -> list[str]:
        """Regions that receive encrypted copies: a key is regional."""
        database = self._config.database
        named = [self._config.backup.copy_region, database.backup_region if database else None]
        return sorted({region for region in named if region})

    def _table(self, index: int) -> Table:
        settings = self._config.tables[index]
        return Table(
            settings.logical,
            TableArgs(
                settings=settings,
                region=self._config.region,
                deletion_protection=self._config.deletion_protection,
                stack_tags=self._config.tags,
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
                interface_endpoints=list(
                    dict.fromkeys((*config.interface_endpoints, *(ENDPOINTS if config.bastion_type else ())))
                ),
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
                backup_key_arn=self.storage.keys[settings.backup_region].arn if settings.backup_region else None,
            ),
        )

    def _bastion(self) -> Bastion | None:
        config = self._config
        if config.bastion_type is None or config.database is None:
            return None
        return Bastion(
            "bastion",
            BastionArgs(
                prefix=config.prefix,
                instance_type=config.bastion_type,
                vpc_id=self.network.vpc_id,
                subnet_id=self.network.subnet_ids[0],
                cidr=config.network_cidr,
                database_port=config.database.port,
                tags=config.tags,
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
            names["database_resource_id"] = self.database.resource_id
        if self.storage.evidence:
            names["evidence_bucket"] = self.storage.evidence.bucket
        return Access(
            "access",
            AccessArgs(
                prefix=self._config.prefix,
                account=self._account,
                scope=pulumi.Output.all(**names).apply(self._scope),
                principals=self._config.operator_principals,
                database=self.database is not None,
                tags=self._config.tags,
            ),
        )

    def _stand_ins(self) -> dict[str, Any]:
        """Names of the length that AWS gives, to know how long the policies will be before there is any resource."""
        config, unknown = self._config, "x" * 90
        return {
            "tables": [table.physical for table in config.tables],
            "bucket": config.export_bucket_name or f"{config.prefix}-exports-{self._account}",
            "key_arn": unknown,
            "secrets": [unknown, unknown],
            "evidence_bucket": f"{config.prefix}-evidence-{self._account}" if config.evidence else None,
            "database_resource_id": unknown,
        }

    def _scope(self, names: dict[str, Any]) -> Scope:
        config = self._config
        return Scope(
            account=self._account,
            region=config.region,
            replica_regions=config.all_replica_regions,
            project=config.project,
            stack=config.stack,
            tables=tuple(names["tables"]),
            logical_names=tuple(table.logical for table in config.tables),
            bucket=names["bucket"],
            export_prefix=config.export_prefix,
            key_arn=names["key_arn"],
            role_prefix=config.prefix,
            database=config.database.identifier if config.database else None,
            database_cluster=bool(config.database and config.database.aurora),
            evidence_bucket=names.get("evidence_bucket"),
            database_resource_id=names.get("database_resource_id"),
            database_username=config.database.username if config.database else None,
            secret_arns=tuple(names["secrets"]),
            any_region=self._any_region,
            table_key_arns=tuple(dict.fromkeys(key for table in config.tables for key in table.kms_key_arns)),
        )

    def _vault(self) -> Vault:
        data = [Selected("DynamoDB", table.table.arn) for table in self.tables]
        if self.database and self._config.database:
            data.append(Selected("Aurora" if self._config.database.aurora else "RDS", self.database.resource.arn))
        copies = self._config.backup.copy_region
        return Vault(
            "backups",
            VaultArgs(
                prefix=self._config.prefix,
                account=self._account,
                settings=self._config.backup,
                kms_key_arn=self.storage.key.arn,
                data=data,
                copy_key_arn=self.storage.keys[copies].arn if copies else None,
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
                replica_regions=settings.replica_regions,
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
                settings=config.alarms,
                stack=config.stack,
                vault_name=self.vault.vault.name,
                database_identifier=config.database.identifier if config.database else None,
                database_cluster=bool(config.database and config.database.aurora),
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
        if self.storage.evidence:
            names["evidence_bucket"] = self.storage.evidence.bucket
        if self.cache:
            names["cache_endpoint"] = self.cache.endpoint
        if self.database:
            names |= {
                "database_arn": self.database.resource.arn,
                "resource_id": self.database.resource_id,
                "address": self.database.address,
                "database_secret": self.database.secret_arn,
                "database_group": self.database.security_group_id,
                "subnet_group": self.database.subnet_group.name,
                "parameter_group": self.database.parameter_group.name,
            }
        return pulumi.Output.all(**names).apply(lambda found: describe(self._config, self._account, found))
