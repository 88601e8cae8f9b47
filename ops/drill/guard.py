"""The guard of a drill: names that only drills have, and a refusal of every call that would write elsewhere.

An allow-list: a call that is not a known read, and whose targets are not all resources of this drill, is refused
before a byte leaves. What the list does not know counts as a write to something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from ops.errors import BadArgument, NotADrillName

_NAME = re.compile(r"drill-(?P<run8>[0-9a-z]{8})-(?P<expiry>[0-9]{8}T[0-9]{4}Z)-(?P<source>[A-Za-z0-9_.-]{1,200})")
_EXPIRY_FORM = "%Y%m%dT%H%MZ"
#: Table names end at 255 characters; prefix, run and expiry take 31.
MAX_SOURCE = 200

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DrillName:
    """The parts of a drill resource's name."""

    run8: str
    expiry: datetime
    source: str


def drill_name(run8: str, expiry: datetime, source: str, suffix: str = "") -> str:
    """`drill-<run8>-<expiryUTC>-<source><suffix>`: owner and end of life stand in the name.

    Restores take no tags and lose those of the source, so a crash before tagging would leave an unowned table.
    """
    name = f"drill-{run8}-{expiry.astimezone(UTC).strftime(_EXPIRY_FORM)}-{source[: MAX_SOURCE - len(suffix)]}{suffix}"
    if _NAME.fullmatch(name) is None:
        raise BadArgument(f"'{name}' cannot be the name of a drill table")
    return name


def parse_drill_name(name: str) -> DrillName | None:
    """The parts of a drill name; None for every other name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        expiry = datetime.strptime(found["expiry"], _EXPIRY_FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
    return DrillName(found["run8"], expiry, found["source"])


def drill_parameters(project: str, stack: str, run8: str) -> str:
    """Path below which a drill may write SSM parameters; T7 never touches the production pointer."""
    return f"/{project}/{stack}/drill/{run8}/"


def drill_pointer(project: str, stack: str, run8: str, logical: str) -> str:
    """The drill's own table pointer."""
    return f"{drill_parameters(project, stack, run8)}tables/{logical}"


def is_known_read(service: str, operation: str) -> bool:
    """Whether the operation is on the list of reads."""
    return operation in _READS.get(service, frozenset())


@dataclass(frozen=True, slots=True)
class DrillGuard:
    """Refuses, as an observer of all calls, whatever would write outside one drill.

    `parameters` and `exports` are prefixes that end in a slash; `bucket` is the only one an export may go to.
    """

    run8: str
    parameters: str
    bucket: str = ""
    exports: str = ""

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        """Raise NotADrillName unless the call reads, or writes to this drill's resources only."""
        if is_known_read(service, operation):
            return
        targets = _WRITES.get((service, operation))
        if targets is None:
            raise self._refusal(service, operation, "the operation is not on the list of a drill")
        found = list(targets(params))
        if not found:
            raise self._refusal(service, operation, "the call names no target")
        for kind, name in found:
            if not self._owns(kind, name):
                raise self._refusal(service, operation, f"its target is {kind} {name or '(none)'}")

    def after(self, service: str, operation: str, params: dict[str, Any], outcome: str) -> None:
        """Nothing to do: the refusal comes before the call."""

    def owns_table(self, name: str) -> bool:
        """Whether a table name is one of this drill's."""
        parsed = parse_drill_name(name)
        return parsed is not None and parsed.run8 == self.run8

    def _owns(self, kind: str, name: str) -> bool:
        if kind == "table":
            return self.owns_table(_table_of(name))
        if kind == "backup":
            return self.owns_table(_table_of(name)) and "/backup/" in name
        if kind == "parameter":
            return name.startswith(self.parameters) and ".." not in name
        if kind == "object":
            return bool(self.bucket and self.exports) and name.startswith(f"{self.bucket}/{self.exports}")
        if kind == "name":
            return name.startswith(f"drill-{self.run8}-")
        return False

    def _refusal(self, service: str, operation: str, why: str) -> NotADrillName:
        return NotADrillName(
            f"refused before it was sent: {service}:{operation}",
            why=f"{why}; this drill may write to drill-{self.run8}-* only",
            changed="the call was not made",
        )


Target = tuple[str, str]


def _table_of(name: str) -> str:
    """Table name of a name, a table ARN, or the ARN of something below a table."""
    if name.startswith("arn:"):
        _, _, rest = name.partition(":table/")
        return rest.split("/", 1)[0]
    return name


def _table(member: str) -> Callable[[Params], Iterator[Target]]:
    def targets(params: Params) -> Iterator[Target]:
        yield "table", str(params.get(member, ""))

    return targets


def _update_table(params: Params) -> Iterator[Target]:
    yield "table", str(params.get("TableName", ""))
    for member in ("ReplicaUpdates", "GlobalTableWitnessUpdates", "MultiRegionConsistency"):
        if params.get(member):  # a replica is a table in another region, outside the guard and the clean-up
            yield "replica", str(params[member])


def _batch(params: Params) -> Iterator[Target]:
    for name in params.get("RequestItems") or {}:
        yield "table", str(name)


def _transaction(params: Params) -> Iterator[Target]:
    for entry in params.get("TransactItems") or ():
        inner: Iterable[Any] = entry.values() if isinstance(entry, Mapping) and entry else ({},)
        for action in inner:
            yield "table", str(action.get("TableName", ""))


def _import(params: Params) -> Iterator[Target]:
    inner = params.get("TableCreationParameters") or {}
    yield "table", str(inner.get("TableName", ""))


def _create_backup(params: Params) -> Iterator[Target]:
    yield "table", str(params.get("TableName", ""))
    yield "name", str(params.get("BackupName", ""))


def _export(params: Params) -> Iterator[Target]:
    """An export reads any table and writes objects: the place it writes to is what matters."""
    prefix = str(params.get("S3Prefix", ""))
    yield "object", f"{params.get('S3Bucket', '')}/{prefix.rstrip('/')}/"


def _object(params: Params) -> Iterator[Target]:
    yield "object", f"{params.get('Bucket', '')}/{params.get('Key', '')}"


def _objects(params: Params) -> Iterator[Target]:
    for one in (params.get("Delete") or {}).get("Objects", ()):
        yield "object", f"{params.get('Bucket', '')}/{one.get('Key', '')}"


def _scaling(params: Params) -> Iterator[Target]:
    kind, _, rest = str(params.get("ResourceId", "")).partition("/")
    if params.get("ServiceNamespace") != "dynamodb" or kind != "table":
        yield "scalable target", str(params.get("ResourceId", ""))
        return
    yield "table", rest.split("/", 1)[0]


def _parameter(params: Params) -> Iterator[Target]:
    yield "parameter", str(params.get("Name", ""))


def _parameters(params: Params) -> Iterator[Target]:
    for name in params.get("Names") or ():
        yield "parameter", str(name)


def _alarm(params: Params) -> Iterator[Target]:
    yield "name", str(params.get("AlarmName", ""))


def _alarms(params: Params) -> Iterator[Target]:
    for name in params.get("AlarmNames") or ():
        yield "name", str(name)


_ON_TABLE_NAME = (
    "PutItem", "UpdateItem", "DeleteItem", "DeleteTable", "UpdateContinuousBackups", "UpdateTimeToLive",
    "UpdateContributorInsights",
)  # fmt: skip
_ON_RESOURCE_ARN = ("TagResource", "UntagResource", "PutResourcePolicy", "DeleteResourcePolicy")
_ON_TARGET_TABLE = ("RestoreTableFromBackup", "RestoreTableToPointInTime")
_ON_SCALABLE_TARGET = (
    "RegisterScalableTarget", "DeregisterScalableTarget", "PutScalingPolicy", "DeleteScalingPolicy",
)  # fmt: skip

#: Writes a drill knows how to aim, and the targets of each. CreateTable, PartiQL, bulk puts, Kinesis destinations
#: and replicas are missing on purpose: no drill needs them.
_WRITES: Mapping[tuple[str, str], Callable[[Params], Iterator[Target]]] = MappingProxyType(
    {
        **{("dynamodb", name): _table("TableName") for name in _ON_TABLE_NAME},
        **{("dynamodb", name): _table("ResourceArn") for name in _ON_RESOURCE_ARN},
        **{("dynamodb", name): _table("TargetTableName") for name in _ON_TARGET_TABLE},
        ("dynamodb", "UpdateTable"): _update_table,
        ("dynamodb", "BatchWriteItem"): _batch,
        ("dynamodb", "TransactWriteItems"): _transaction,
        ("dynamodb", "ImportTable"): _import,
        ("dynamodb", "CreateBackup"): _create_backup,
        ("dynamodb", "DeleteBackup"): lambda params: iter([("backup", str(params.get("BackupArn", "")))]),
        ("dynamodb", "ExportTableToPointInTime"): _export,
        **{("application-autoscaling", name): _scaling for name in _ON_SCALABLE_TARGET},
        ("cloudwatch", "PutMetricAlarm"): _alarm,
        ("cloudwatch", "DeleteAlarms"): _alarms,
        ("ssm", "PutParameter"): _parameter,
        ("ssm", "DeleteParameter"): _parameter,
        ("ssm", "DeleteParameters"): _parameters,
        ("s3", "PutObject"): _object,
        ("s3", "DeleteObject"): _object,
        ("s3", "DeleteObjects"): _objects,
    }
)

_READS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "dynamodb": frozenset(
            {
                "GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan",
                "DescribeTable", "DescribeContinuousBackups", "DescribeTimeToLive", "DescribeBackup", "ListBackups",
                "ListTables", "ListTagsOfResource", "DescribeContributorInsights", "ListContributorInsights",
                "DescribeKinesisStreamingDestination", "DescribeTableReplicaAutoScaling", "GetResourcePolicy",
                "DescribeExport", "ListExports", "DescribeImport", "ListImports", "DescribeLimits",
                "DescribeEndpoints", "DescribeGlobalTable", "DescribeGlobalTableSettings", "ListGlobalTables",
            }
        ),
        "application-autoscaling": frozenset(
            {
                "DescribeScalableTargets", "DescribeScalingPolicies", "DescribeScalingActivities",
                "DescribeScheduledActions", "ListTagsForResource",
            }
        ),
        "cloudwatch": frozenset(
            {"DescribeAlarms", "DescribeAlarmsForMetric", "GetMetricData", "GetMetricStatistics", "ListMetrics",
             "ListTagsForResource"}
        ),
        "ssm": frozenset(
            {"GetParameter", "GetParameters", "GetParametersByPath", "DescribeParameters", "GetParameterHistory"}
        ),
        "sts": frozenset({"GetCallerIdentity"}),
        "s3": frozenset({"GetObject", "HeadObject", "HeadBucket", "ListObjectsV2", "GetBucketLocation"}),
        "kms": frozenset({"DescribeKey"}),
        "dynamodbstreams": frozenset({"DescribeStream", "ListStreams"}),
    }
)  # fmt: skip
