"""What a table is declared to be, as the environment document says it. Pure: no resource is made here."""

from collections.abc import Iterator
from dataclasses import dataclass

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
from infra.schema import Attribute, TableSchema
from infra.tables import TableSettings

STREAM_VIEW = "NEW_AND_OLD_IMAGES"


@dataclass(frozen=True, slots=True)
class TableArgs:
    """What a table component is made from; `stack_tags` are the tags that every resource carries."""

    settings: TableSettings
    region: str
    deletion_protection: bool
    stack_tags: dict[str, str]

    @property
    def tags(self) -> dict[str, str]:
        return {**self.stack_tags, "table": self.settings.logical}


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


def table_document(args: TableArgs, physical: str, arn: str) -> TableDocument:
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
        local_indexes=local_index_documents(keys),
        contract=recovery_contract(args),
        objectives=args.settings.objectives,
    )


def local_index_documents(keys: TableSchema) -> tuple[IndexDocument, ...]:
    return tuple(
        IndexDocument(
            name=index.name,
            partition_key=_key(keys.partition_key),
            sort_key=_key(index.sort_key),
            projection=index.projection,
            include=index.include,
        )
        for index in keys.local_indexes
    )


def recovery_contract(args: TableArgs) -> RecoveryContract:
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
        tags=args.tags,
        replica_kms_key_arns=dict(settings.replica_kms_key_arns),
        on_demand_reads=settings.on_demand_reads,
        on_demand_writes=settings.on_demand_writes,
        kinesis_stream_arn=settings.kinesis_stream_arn,
        scaling=tuple(scaling_rules(settings)),
        replicas=tuple(
            ReplicaContract(region, pitr=True, deletion_protection=args.deletion_protection)
            for region in settings.replica_regions
        ),
    )


def _key(attribute: Attribute) -> KeyAttribute:
    return KeyAttribute(attribute.name, attribute.type)
