"""The database of artists: an RDS instance or Aurora cluster that can be restored, out of reach from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pulumi
import pulumi_aws as aws

from infra.options import child, component_type, keeps_data
from infra.settings import DatabaseSettings

LOGS = {"postgres": ["postgresql", "upgrade"], "aurora-postgresql": ["postgresql"]}
_MYSQL_LOGS = ["error", "slowquery"]
_BACKUP_WINDOW = "03:00-04:00"
_MAINTENANCE_WINDOW = "sun:04:30-sun:05:30"


@dataclass(frozen=True, slots=True)
class DatabaseArgs:
    """`backup_key_arn` is the key in the Region that the automated backups are replicated to."""

    prefix: str
    settings: DatabaseSettings
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    kms_key_arn: pulumi.Input[str]
    deletion_protection: bool
    tags: dict[str, str]
    backup_key_arn: pulumi.Input[str] | None = None


class Database(pulumi.ComponentResource):
    """Instance or cluster, subnet group and a parameter group that refuses connections without TLS.

    The master password is RDS's own (in Secrets Manager): the program never sees it.
    """

    resource: aws.rds.Instance | aws.rds.Cluster

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Database"), name, None, opts)
        self._name, self._args = name, args
        self.subnet_group = aws.rds.SubnetGroup(
            name,
            # Not by the identifier: a restored instance lies in this group when it is adopted under another one.
            name=f"{args.prefix}-{name}",
            description="Private subnets of the artists database",
            subnet_ids=args.subnet_ids,
            tags=args.tags,
            opts=child(self),
        )
        self.parameter_group = self._parameters()
        self.resource = self._cluster() if args.settings.aurora else self._instance()
        self.register_outputs({"arn": self.resource.arn, "address": self.address})

    @property
    def security_group_id(self) -> pulumi.Input[str]:
        return self._args.security_group_id

    @property
    def secret_arn(self) -> pulumi.Output[str]:
        """ARN of the secret that RDS keeps the master user's name and password in."""
        return self.resource.master_user_secrets.apply(lambda found: str(found[0].secret_arn))

    @property
    def address(self) -> pulumi.Output[str]:
        """Host name of the instance, or of the cluster's writer."""
        return self.resource.endpoint if isinstance(self.resource, aws.rds.Cluster) else self.resource.address

    @property
    def resource_id(self) -> pulumi.Output[str]:
        """The identifier that IAM authentication names a database by."""
        if isinstance(self.resource, aws.rds.Cluster):
            return self.resource.cluster_resource_id
        return self.resource.resource_id

    def _parameters(self) -> aws.rds.ParameterGroup | aws.rds.ClusterParameterGroup:
        settings = self._args.settings
        parameter, value = ("rds.force_ssl", "1") if settings.postgres else ("require_secure_transport", "ON")
        made = aws.rds.ClusterParameterGroup if settings.aurora else aws.rds.ParameterGroup
        return made(
            self._name,
            family=parameter_family(settings.engine, settings.engine_version),
            description="Connections to the artists database need TLS",
            parameters=[{"name": parameter, "value": value}],
            tags=self._args.tags,
            opts=child(self),
        )

    def _common(self) -> dict[str, Any]:
        """What an instance and a cluster are told by the same names."""
        args, settings = self._args, self._args.settings
        return {
            "engine": settings.engine,
            "engine_version": settings.engine_version,
            "port": settings.port,
            "manage_master_user_password": True,
            "master_user_secret_kms_key_id": args.kms_key_arn,
            "iam_database_authentication_enabled": True,
            "db_subnet_group_name": self.subnet_group.name,
            "vpc_security_group_ids": [args.security_group_id],
            "storage_encrypted": True,
            "kms_key_id": args.kms_key_arn,
            "backup_retention_period": settings.backup_days,
            "delete_automated_backups": False,
            "copy_tags_to_snapshot": True,
            "enabled_cloudwatch_logs_exports": log_exports(settings.engine),
            "deletion_protection": args.deletion_protection,
            "skip_final_snapshot": False,
            "final_snapshot_identifier": f"{settings.identifier}-final",
            "tags": args.tags,
            # RDS is imported by its identifier, whatever its Pulumi id is.
            "opts": keeps_data(self, import_=settings.identifier if settings.adopt else None),
        }

    def _instance(self) -> aws.rds.Instance:
        settings = self._args.settings
        instance = aws.rds.Instance(
            self._name,
            identifier=settings.identifier,
            instance_class=settings.instance_class,
            allocated_storage=settings.storage_gib,
            storage_type="gp3",
            db_name=settings.database,
            username=settings.username,
            parameter_group_name=self.parameter_group.name,
            publicly_accessible=False,
            multi_az=settings.multi_az,
            backup_window=_BACKUP_WINDOW,
            maintenance_window=_MAINTENANCE_WINDOW,
            auto_minor_version_upgrade=True,
            **self._common(),
        )
        if settings.backup_region:
            aws.rds.InstanceAutomatedBackupsReplication(
                self._name,
                region=settings.backup_region,
                source_db_instance_arn=instance.arn,
                kms_key_id=self._args.backup_key_arn,
                retention_period=settings.backup_days,
                opts=child(self),
            )
        return instance

    def _cluster(self) -> aws.rds.Cluster:
        """A cluster has no compute of its own: a writer, and a reader in another zone when asked for."""
        settings = self._args.settings
        cluster = aws.rds.Cluster(
            self._name,
            cluster_identifier=settings.identifier,
            database_name=settings.database,
            master_username=settings.username,
            db_cluster_parameter_group_name=self.parameter_group.name,
            preferred_backup_window=_BACKUP_WINDOW,
            preferred_maintenance_window=_MAINTENANCE_WINDOW,
            **self._common(),
        )
        for at in range(2 if settings.multi_az else 1):
            aws.rds.ClusterInstance(
                f"{self._name}-{at}",
                identifier=f"{settings.identifier}-{at}",
                cluster_identifier=cluster.cluster_identifier,
                instance_class=settings.instance_class,
                engine=cast(Any, settings.engine),
                db_subnet_group_name=self.subnet_group.name,
                publicly_accessible=False,
                auto_minor_version_upgrade=True,
                promotion_tier=at,
                tags=self._args.tags,
                opts=keeps_data(self),
            )
        return cluster


def log_exports(engine: str) -> list[str]:
    """Logs that the engine can send to CloudWatch and that matter after an incident."""
    return LOGS.get(engine, _MYSQL_LOGS)


def parameter_family(engine: str, version: str) -> str:
    """Parameter group family: PostgreSQL by major version, MySQL by major and minor."""
    parts = version.split(".")
    return f"{engine}{parts[0]}" if "postgres" in engine else f"{engine}{'.'.join(parts[:2])}"
