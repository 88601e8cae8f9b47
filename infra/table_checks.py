"""Settings of one table that contradict one another or AWS."""

import re

from infra.keys import ConfigError
from infra.tables import TableSettings

_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):\d{12}:key/[A-Za-z0-9-]+")
_STREAM_ARN = re.compile(r"arn:aws[a-z-]*:kinesis:(?P<region>[a-z0-9-]+):\d{12}:stream/[A-Za-z0-9_.-]+")


def check_table(table: TableSettings, home: str) -> None:
    """ConfigError when settings of one table contradict one another; `home` is the stack's Region."""
    where = f"tables.{table.logical}"
    for dimension, capacity in (("Read", table.read), ("Write", table.write)):
        if table.provisioned and capacity.minimum > capacity.maximum:
            raise ConfigError(
                f"maximum{dimension}Capacity: {capacity.maximum} is below {dimension.lower()}Capacity "
                f"({capacity.minimum}) of table {table.logical}"
            )
    for dimension, maximum in (("Read", table.on_demand_reads), ("Write", table.on_demand_writes)):
        if table.provisioned and maximum:
            raise ConfigError(f"onDemandMaximum{dimension}Units: table {table.logical} is PROVISIONED")
    if table.kinesis_stream_arn and _region_of(_STREAM_ARN, table.kinesis_stream_arn) != home:
        raise ConfigError(f"kinesisStreamArn: {table.kinesis_stream_arn!r} is not the ARN of a stream in {home}")
    _check_keys(where, table, home)


def _region_of(arns: re.Pattern[str], text: str) -> str | None:
    found = arns.fullmatch(text)
    return found["region"] if found else None


def _check_keys(where: str, table: TableSettings, home: str) -> None:
    """A KMS key serves one Region: a table under a customer key needs one for each of its replicas."""
    keys = {} if table.kms_key_arn is None else dict(table.replica_kms_key_arns)
    for region, arn in keys.items():
        if _region_of(_KEY_ARN, str(arn)) != region:
            raise ConfigError(f"replicaKmsKeyArns.{region}: {arn!r} is not the ARN of a KMS key in {region}")
    if table.kms_key_arn is None and table.replica_kms_key_arns:
        raise ConfigError(
            f"replicaKmsKeyArns: table {table.logical} has the AWS managed key; set tableKmsKeyArn as well"
        )
    if table.kms_key_arn:
        if _region_of(_KEY_ARN, table.kms_key_arn) != home:
            raise ConfigError(f"tableKmsKeyArn: {table.kms_key_arn!r} is not the ARN of a KMS key in {home}")
        missing = [region for region in table.replica_regions if region not in keys]
        if missing:
            raise ConfigError(f"replicaKmsKeyArns: {where} has a replica in {missing[0]} and no key there")
