"""A DynamoDB table that can be recovered: scaling, streams, time travel, protection and replicas declared."""

from collections.abc import Sequence
from typing import TypeVar

import pulumi
import pulumi_aws as aws

from infra.contract import STREAM_VIEW, TableArgs, scaling_rules, table_document
from infra.environment import ScalingRule, TableDocument
from infra.options import child, component_type, keeps_data
from infra.schema import IndexSchema, LocalIndexSchema

# Scaling moves these at run time; a nested path must be camelCase, the SDK translates top-level names only.
SCALED_ELSEWHERE = [
    "readCapacity",
    "writeCapacity",
    "globalSecondaryIndexes[*].readCapacity",
    "globalSecondaryIndexes[*].writeCapacity",
]
# TableReplica owns them: inline replicas and TableReplica exclude each other.
REPLICAS = ["replicas"]

Maxima = TypeVar(
    "Maxima", aws.dynamodb.TableOnDemandThroughputArgs, aws.dynamodb.TableGlobalSecondaryIndexOnDemandThroughputArgs
)


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
        for region in args.settings.replica_regions:
            replica = self._replica(region, [*policies, *self.replicas])
            self._scaling(region, replica)
            self.replicas.append(replica)
        if args.settings.kinesis_stream_arn:
            self._kinesis(args.settings.kinesis_stream_arn)
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
            local_secondary_indexes=[_local_index(index) for index in keys.local_indexes] or None,
            on_demand_throughput=self._on_demand(aws.dynamodb.TableOnDemandThroughputArgs),
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
            tags=self._args.tags,
            opts=keeps_data(
                self,
                # On demand there is nothing to scale, and a capacity kept from before would be refused.
                ignore_changes=[*SCALED_ELSEWHERE, *REPLICAS] if settings.provisioned else REPLICAS,
                import_=settings.physical if settings.adopt else None,
            ),
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
            on_demand_throughput=self._on_demand(aws.dynamodb.TableGlobalSecondaryIndexOnDemandThroughputArgs),
        )

    def _on_demand(self, made: type[Maxima]) -> Maxima | None:
        """The ceilings of an on-demand table or index; DynamoDB keeps them apart for each."""
        settings = self._args.settings
        if settings.on_demand_reads is None and settings.on_demand_writes is None:
            return None
        return made(max_read_request_units=settings.on_demand_reads, max_write_request_units=settings.on_demand_writes)

    def _kinesis(self, stream_arn: str) -> None:
        aws.dynamodb.KinesisStreamingDestination(
            self._name,
            table_name=self.table.name,
            stream_arn=stream_arn,
            approximate_creation_date_time_precision="MICROSECOND",
            opts=child(self),
        )

    def _replica(self, region: str, after: Sequence[pulumi.Resource]) -> aws.dynamodb.TableReplica:
        """Every attribute is stated: an unset one drifted or had the replica made anew (pulumi-aws#1653).

        But for the class STANDARD, which DynamoDB does not report for a replica: stated, it would differ for ever.
        """
        return aws.dynamodb.TableReplica(
            f"{self._name}-{region}",
            region=region,
            global_table_arn=self.table.arn,
            point_in_time_recovery=True,
            deletion_protection_enabled=self._args.deletion_protection,
            kms_key_arn=self._args.settings.replica_kms_key_arns.get(region),
            table_class_override=None
            if self._args.settings.table_class == "STANDARD"
            else self._args.settings.table_class,
            tags=self._args.tags,
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
            tags=self._args.stack_tags,
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

    @property
    def arns(self) -> list[pulumi.Output[str]]:
        """ARNs of the table and of its replicas."""
        return [self.table.arn, *(replica.arn for replica in self.replicas)]

    def document(self) -> pulumi.Output[TableDocument]:
        """The table as the environment document describes it."""
        return pulumi.Output.all(self.table.name, self.table.arn).apply(
            lambda found: table_document(self._args, found[0], found[1])
        )


def _local_index(index: LocalIndexSchema) -> aws.dynamodb.TableLocalSecondaryIndexArgs:
    return aws.dynamodb.TableLocalSecondaryIndexArgs(
        name=index.name,
        range_key=index.sort_key.name,
        projection_type=index.projection,
        non_key_attributes=list(index.include) or None,
    )
