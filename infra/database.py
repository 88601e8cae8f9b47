"""The database of artists: an RDS instance that can be restored and is never reachable from outside."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.config import DatabaseSettings
from infra.options import child, component_type, keeps_data

_LOGS = {"postgres": ["postgresql", "upgrade"], "mysql": ["error", "slowquery"]}


@dataclass(frozen=True, slots=True)
class DatabaseArgs:
    prefix: str
    settings: DatabaseSettings
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    kms_key_arn: pulumi.Input[str]
    deletion_protection: bool
    tags: dict[str, str]


class Database(pulumi.ComponentResource):
    """Instance, subnet group and a parameter group that refuses connections without TLS.

    The master password is RDS's own (in Secrets Manager): the program never sees it.
    """

    instance: aws.rds.Instance

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Database"), name, None, opts)
        subnets = aws.rds.SubnetGroup(
            name,
            name=f"{args.prefix}-{args.settings.identifier}",
            description="Private subnets of the artists database",
            subnet_ids=args.subnet_ids,
            tags=args.tags,
            opts=child(self),
        )
        self.instance = self._instance(name, args, subnets, self._parameters(name, args))
        self.register_outputs({"arn": self.instance.arn, "address": self.instance.address})

    @property
    def secret_arn(self) -> pulumi.Output[str]:
        """ARN of the secret that RDS keeps the master user's name and password in."""
        return self.instance.master_user_secrets.apply(lambda found: str(found[0].secret_arn))

    def _parameters(self, name: str, args: DatabaseArgs) -> aws.rds.ParameterGroup:
        force_tls = {
            "postgres": aws.rds.ParameterGroupParameterArgs(name="rds.force_ssl", value="1"),
            "mysql": aws.rds.ParameterGroupParameterArgs(name="require_secure_transport", value="ON"),
        }
        return aws.rds.ParameterGroup(
            name,
            family=parameter_family(args.settings.engine, args.settings.engine_version),
            description="Connections to the artists database need TLS",
            parameters=[force_tls[args.settings.engine]],
            tags=args.tags,
            opts=child(self),
        )

    def _instance(
        self, name: str, args: DatabaseArgs, subnets: aws.rds.SubnetGroup, parameters: aws.rds.ParameterGroup
    ) -> aws.rds.Instance:
        settings = args.settings
        return aws.rds.Instance(
            name,
            identifier=settings.identifier,
            engine=settings.engine,
            engine_version=settings.engine_version,
            instance_class=settings.instance_class,
            allocated_storage=settings.storage_gib,
            storage_type="gp3",
            db_name=settings.database,
            username=settings.username,
            port=settings.port,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=args.kms_key_arn,
            iam_database_authentication_enabled=True,
            db_subnet_group_name=subnets.name,
            parameter_group_name=parameters.name,
            vpc_security_group_ids=[args.security_group_id],
            publicly_accessible=False,
            storage_encrypted=True,
            kms_key_id=args.kms_key_arn,
            multi_az=settings.multi_az,
            backup_retention_period=settings.backup_days,
            backup_window="03:00-04:00",
            maintenance_window="sun:04:30-sun:05:30",
            delete_automated_backups=False,
            copy_tags_to_snapshot=True,
            auto_minor_version_upgrade=True,
            enabled_cloudwatch_logs_exports=_LOGS[settings.engine],
            deletion_protection=args.deletion_protection,
            skip_final_snapshot=False,
            final_snapshot_identifier=f"{settings.identifier}-final",
            tags=args.tags,
            opts=keeps_data(self),
        )


def parameter_family(engine: str, version: str) -> str:
    """Parameter group family: PostgreSQL by major version, MySQL by major and minor."""
    parts = version.split(".")
    return f"{engine}{parts[0]}" if engine == "postgres" else f"{engine}{'.'.join(parts[:2])}"
