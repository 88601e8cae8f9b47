"""A DynamoDB table that can be recovered: scaling, streams, time travel, protection and replicas declared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import schema
from infra.environment import (
    Dimension,
    IndexDocument,
    KeyAttribute,
    RecoveryContract,
    ReplicaContract,
    ScalingRule,
    TableDocument,
)
from infra.options import child, component_type, keeps_data
from infra.schema import Attribute, IndexSchema
from infra.tables import TableSettings

STREAM_VIEW = "NEW_AND_OLD_IMAGES"

# Scaling moves these at run time; a nested path must be camelCase, the SDK translates top-level names only.
# "replicas": TableReplica owns them, inline replicas and TableReplica exclude each other.
SCALED_ELSEWHERE = [
    "readCapacity",
    "writeCapacity",
    "globalSecondaryIndexes[*].readCapacity",
    "globalSecondaryIndexes[*].writeCapacity",
    "replicas",
]


@dataclass(frozen=True, slots=True)
class TableArgs:
    settings: TableSettings
    region: str
    replica_regions: Sequence[str]
    deletion_protection: bool
    tags: dict[str, str]


class Table(pulumi.ComponentResource):
    """Table, its scaling, then its replicas and their scaling.

    DynamoDB refuses a replica of a provisioned table until write scaling exists on the table and on
    every index, so the replica waits for the policies instead of being a part of the table.
    """

    table: aws.dynamodb.Table
    replicas: list[aws.dynamodb.TableReplica]

    def __init__(self, name: str, args: TableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Table"), name, None, opts)
        self._name, self._args = name, args
        self.table = self._table()
        policies = self._scaling(None, self.table)
        self.replicas = []
        for region in args.replica_regions:
            replica = self._replica(region, [*policies, *self.replicas])
            self._scaling(region, replica)
            self.replicas.append(replica)
        self.register_outputs({"arn": self.table.arn, "name": self.table.name})

    def _table(self) -> aws.dynamodb.Table:
        settings, keys = self._args.settings, self._args.settings.schema
        ttl = keys.ttl_attribute
        return aws.dynamodb.Table(
            self._name,
            name=settings.physical,
            billing_mode=settings.billing_mode,
            read_capacity=settings.read.minimum if settings.provisioned else None,
            write_capacity=settings.write.minimum if settings.provisioned else None,
            hash_key=keys.partition_key.name,
            range_key=keys.sort_key.name if keys.sort_key else None,
            attributes=[
                aws.dynamodb.TableAttributeArgs(name=attribute.name, type=attribute.type)
                for attribute in keys.key_attributes()
            ],
            global_secondary_indexes=[self._index(index) for index in keys.indexes] or None,
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(
                enabled=True, recovery_period_in_days=settings.pitr_days
            ),
            ttl=aws.dynamodb.TableTtlArgs(attribute_name=ttl, enabled=True) if ttl else None,
            stream_enabled=True,
            stream_view_type=STREAM_VIEW,
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(
                enabled=True, kms_key_arn=settings.kms_key_arn
            ),
            table_class=settings.table_class,
            deletion_protection_enabled=self._args.deletion_protection,
            tags=self._tags(),
            opts=keeps_data(self, ignore_changes=SCALED_ELSEWHERE),
        )

    def _index(self, index: IndexSchema) -> aws.dynamodb.TableGlobalSecondaryIndexArgs:
        settings = self._args.settings
        keys = [(index.partition_key, "HASH"), (index.sort_key, "RANGE")]
        return aws.dynamodb.TableGlobalSecondaryIndexArgs(
            name=index.name,
            key_schemas=[
                aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(attribute_name=key.name, key_type=kind)
                for key, kind in keys
                if key
            ],
            projection_type=index.projection,
            non_key_attributes=list(index.include) or None,
            read_capacity=settings.read.minimum if settings.provisioned else None,
            write_capacity=settings.write.minimum if settings.provisioned else None,
        )

    def _replica(self, region: str, after: Sequence[pulumi.Resource]) -> aws.dynamodb.TableReplica:
        """Every attribute is stated: an unset one drifted or had the replica made anew (pulumi-aws#1653)."""
        return aws.dynamodb.TableReplica(
            f"{self._name}-{region}",
            region=region,
            global_table_arn=self.table.arn,
            point_in_time_recovery=True,
            deletion_protection_enabled=self._args.deletion_protection,
            table_class_override=None,
            tags=self._tags(),
            opts=keeps_data(self, depends_on=after),
        )

    def _scaling(self, region: str | None, after: pulumi.Resource) -> list[aws.appautoscaling.Policy]:
        """Targets and policies of the table and of each index, in the home Region or in a replica's."""
        return [self._scaled(rule, region, after) for rule in scaling_rules(self._args.settings)]

    def _scaled(self, rule: ScalingRule, region: str | None, after: pulumi.Resource) -> aws.appautoscaling.Policy:
        scope = rule.index or "table"
        name = "-".join(filter(None, (self._name, region, scope, rule.dimension)))
        path = f"/index/{rule.index}" if rule.index else ""
        kind, units = ("index" if rule.index else "table"), rule.dimension.capitalize()
        target = aws.appautoscaling.Target(
            name,
            service_namespace="dynamodb",
            resource_id=self.table.name.apply(lambda table: f"table/{table}{path}"),
            scalable_dimension=f"dynamodb:{kind}:{units}CapacityUnits",
            min_capacity=rule.minimum,
            max_capacity=rule.maximum,
            region=region,
            tags=self._args.tags,
            opts=child(self, [after]),
        )
        return aws.appautoscaling.Policy(
            name,
            name=f"{name}-{rule.target_percent}",
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            resource_id=target.resource_id,
            scalable_dimension=target.scalable_dimension,
            target_tracking_scaling_policy_configuration={
                "predefined_metric_specification": {"predefined_metric_type": f"DynamoDB{units}CapacityUtilization"},
                "target_value": float(rule.target_percent),
                "scale_in_cooldown": rule.scale_in_cooldown_s,
                "scale_out_cooldown": rule.scale_out_cooldown_s,
            },
            region=region,
            opts=child(self),
        )

    def _tags(self) -> dict[str, str]:
        return {**self._args.tags, "table": self._args.settings.logical}

    @property
    def arns(self) -> list[pulumi.Output[str]]:
        """ARNs of the table and of its replicas."""
        return [self.table.arn, *(replica.arn for replica in self.replicas)]

    def document(self) -> pulumi.Output[TableDocument]:
        """The table as the environment document describes it."""
        return pulumi.Output.all(self.table.name, self.table.arn).apply(
            lambda found: table_document(self._args, found[0], found[1], self._tags())
        )


def scaling_rules(settings: TableSettings) -> Iterator[ScalingRule]:
    """The declared scaling of the table and of each index; none when the table is on demand."""
    if not settings.provisioned:
        return
    dimensions: tuple[Dimension, ...] = ("read", "write")
    for index in (None, *(entry.name for entry in settings.schema.indexes)):
        for dimension in dimensions:
            capacity = settings.read if dimension == "read" else settings.write
            yield ScalingRule(
                index=index,
                dimension=dimension,
                minimum=capacity.minimum,
                maximum=capacity.maximum,
                target_percent=schema.TARGET_PERCENT,
                scale_in_cooldown_s=settings.scale_in_cooldown_s,
                scale_out_cooldown_s=settings.scale_out_cooldown_s,
            )


def table_document(args: TableArgs, physical: str, arn: str, tags: dict[str, str]) -> TableDocument:
    """The document of a table whose names are known."""
    keys = args.settings.schema
    return TableDocument(
        logical=keys.logical,
        physical=physical,
        arn=arn,
        region=args.region,
        partition_key=_key(keys.partition_key),
        sort_key=_key(keys.sort_key) if keys.sort_key else None,
        indexes=tuple(
            IndexDocument(
                name=index.name,
                partition_key=_key(index.partition_key),
                sort_key=_key(index.sort_key) if index.sort_key else None,
                projection=index.projection,
                include=index.include,
            )
            for index in keys.indexes
        ),
        contract=recovery_contract(args, tags),
        objectives=args.settings.objectives,
    )


def recovery_contract(args: TableArgs, tags: dict[str, str]) -> RecoveryContract:
    """The settings that a restored table must end with: the declared ones."""
    settings = args.settings
    return RecoveryContract(
        billing_mode=settings.billing_mode,
        read_capacity=settings.read.minimum if settings.provisioned else None,
        write_capacity=settings.write.minimum if settings.provisioned else None,
        pitr_days=settings.pitr_days,
        ttl_attribute=settings.schema.ttl_attribute,
        stream_view=STREAM_VIEW,
        table_class=settings.table_class,
        deletion_protection=args.deletion_protection,
        sse_kms_key_arn=settings.kms_key_arn,
        tags=tags,
        scaling=tuple(scaling_rules(settings)),
        replicas=tuple(
            ReplicaContract(region, pitr=True, deletion_protection=args.deletion_protection)
            for region in args.replica_regions
        ),
    )


def _key(attribute: Attribute) -> KeyAttribute:
    return KeyAttribute(attribute.name, attribute.type)
