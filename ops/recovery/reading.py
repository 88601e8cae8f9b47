"""Reads the facets of a table's settings from the services that hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from infra.environment import Dimension, IndexDocument, KeyAttribute, ReplicaContract, ScalingRule
from ops.aws import AwsError, ControlPlane
from ops.errors import NotAllowed, TableNotFound
from ops.recovery import tables
from ops.recovery.pitr import read_pitr

#: AWS's and the sandbox's ways of saying that a call is not served here.
_NOT_SERVED = frozenset({"NotImitatedBySandbox", "UnknownOperationException"})
NOT_READABLE = "not readable in the sandbox"
NOT_ALLOWED = "not readable: not allowed"
_DEFAULT_COOLDOWN_S = 0

CapacityType = TypeVar("CapacityType")


def read_facets(
    control: ControlPlane, table: str, region: str | None, capacity_type: Callable[..., CapacityType]
) -> dict[str, Any]:
    """The members of TableSettings by name, `unknown` included."""
    described = tables.describe(control, table, region)
    arn = described["TableArn"]
    unknown: dict[str, str] = {}
    indexes = described.get("GlobalSecondaryIndexes", ())
    scopes = {"table": described} | {index["IndexName"]: index for index in indexes}
    pitr = read_pitr(control, table, region)
    facets: dict[str, Any] = {
        "billing_mode": billing_mode(described),
        "indexes": tuple(_index(index, described["AttributeDefinitions"]) for index in indexes),
        "capacity": _capacity(described, indexes, capacity_type),
        "on_demand": dict(_on_demand(scopes)),
        "warm_throughput": dict(_warm(scopes)),
        "pitr_days": pitr.get("RecoveryPeriodInDays", 35) if _enabled(pitr) else None,
        "ttl_attribute": _ttl(control, table, region),
        "stream_view": _stream(described),
        "table_class": described.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
        "deletion_protection": bool(described.get("DeletionProtectionEnabled")),
        "sse": _sse(described),
        "tags": _tags(control, arn, region),
        "scaling": read_scaling(control, table, region),
        "replicas": _replicas(control, described, region or control.region),
    }
    optional: dict[str, Callable[[], Any]] = {
        "resource_policy": lambda: _policy(control, arn, region),
        "kinesis": lambda: _kinesis(control, table, region),
        "insights": lambda: dict(_insights(control, table, scopes, region)),
        "alarms": lambda: dict(_alarms(control, table, region)),
    }
    for name, read in optional.items():
        try:
            facets[name] = read()
        except NotAllowed:
            unknown[name] = NOT_ALLOWED
        except AwsError as error:
            if error.aws_code not in _NOT_SERVED:
                raise
            unknown[name] = NOT_READABLE
    return {**facets, "unknown": unknown}


def billing_mode(described: dict[str, Any]) -> str:
    """BillingModeSummary is absent on a table that has always been provisioned."""
    return str(described.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"))


def _enabled(pitr: dict[str, Any]) -> bool:
    return pitr.get("PointInTimeRecoveryStatus") == "ENABLED"


def _index(index: dict[str, Any], definitions: list[dict[str, str]]) -> IndexDocument:
    types = {one["AttributeName"]: one["AttributeType"] for one in definitions}
    keys = {
        one["KeyType"]: KeyAttribute(one["AttributeName"], types[one["AttributeName"]])  # type: ignore[arg-type]
        for one in index["KeySchema"]
    }
    projection = index["Projection"]
    return IndexDocument(
        index["IndexName"],
        keys["HASH"],
        keys.get("RANGE"),
        projection.get("ProjectionType", "ALL"),
        tuple(projection.get("NonKeyAttributes", ())),
    )


def _capacity(
    described: dict[str, Any], indexes: Any, capacity_type: Callable[..., CapacityType]
) -> tuple[CapacityType, ...]:
    if billing_mode(described) != "PROVISIONED":
        return ()
    scopes = [(None, described), *((index["IndexName"], index) for index in indexes)]
    return tuple(
        capacity_type(
            name,
            read=one["ProvisionedThroughput"]["ReadCapacityUnits"],
            write=one["ProvisionedThroughput"]["WriteCapacityUnits"],
        )
        for name, one in scopes
        if "ProvisionedThroughput" in one
    )


def _on_demand(scopes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for scope, one in scopes.items():
        limits = one.get("OnDemandThroughput")
        if limits:
            read, write = limits.get("MaxReadRequestUnits", -1), limits.get("MaxWriteRequestUnits", -1)
            yield scope, f"{read} read, {write} write"


def _warm(scopes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for scope, one in scopes.items():
        warm = one.get("WarmThroughput")
        if warm:
            yield scope, f"{warm.get('ReadUnitsPerSecond')} read, {warm.get('WriteUnitsPerSecond')} write"


def _stream(described: dict[str, Any]) -> str | None:
    stream = described.get("StreamSpecification", {})
    return str(stream["StreamViewType"]) if stream.get("StreamEnabled") else None


def _sse(described: dict[str, Any]) -> str:
    encryption = described.get("SSEDescription", {})
    if encryption.get("Status") not in ("ENABLED", "ENABLING", "UPDATING"):
        return "AWS owned"
    return str(encryption.get("KMSMasterKeyArn", "AWS managed"))


def _ttl(control: ControlPlane, table: str, region: str | None) -> str | None:
    found = control.call("dynamodb", "describe_time_to_live", region=region, TableName=table)
    ttl = found["TimeToLiveDescription"]
    return ttl.get("AttributeName") if ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else None


def _tags(control: ControlPlane, arn: str, region: str | None) -> dict[str, str]:
    listed = control.pages("dynamodb", "list_tags_of_resource", "Tags", region=region, ResourceArn=arn)
    return {one["Key"]: one["Value"] for one in listed}


def read_scaling(control: ControlPlane, table: str, region: str | None = None) -> tuple[ScalingRule, ...]:
    """Targets with their tracking policy; a target without one scales nothing and is not a rule."""
    targets = tables.scaling_of(control, table, "describe_scalable_targets", "ScalableTargets", region)
    policies = tables.scaling_of(control, table, "describe_scaling_policies", "ScalingPolicies", region)
    tracking = {
        (one["ResourceId"], one["ScalableDimension"]): one["TargetTrackingScalingPolicyConfiguration"]
        for one in policies
        if "TargetTrackingScalingPolicyConfiguration" in one
    }
    rules = []
    for target in targets:
        policy = tracking.get((target["ResourceId"], target["ScalableDimension"]))
        if policy is None:
            continue
        rules.append(
            ScalingRule(
                index=target["ResourceId"].partition("/index/")[2] or None,
                dimension=_dimension(target["ScalableDimension"]),
                minimum=int(target["MinCapacity"]),
                maximum=int(target["MaxCapacity"]),
                target_percent=int(policy["TargetValue"]),
                scale_in_cooldown_s=int(policy.get("ScaleInCooldown", _DEFAULT_COOLDOWN_S)),
                scale_out_cooldown_s=int(policy.get("ScaleOutCooldown", _DEFAULT_COOLDOWN_S)),
            )
        )
    return tuple(sorted(rules, key=lambda rule: (rule.index or "", rule.dimension)))


def _dimension(text: str) -> Dimension:
    return "read" if "Read" in text else "write"


def _replicas(control: ControlPlane, described: dict[str, Any], home: str) -> tuple[ReplicaContract, ...]:
    """PITR and deletion protection are per region and must be asked of the replica's own."""
    found = []
    for one in described.get("Replicas", ()):
        region, table = one["RegionName"], described["TableName"]
        if region == home or one.get("ReplicaStatus") not in (None, "ACTIVE", "UPDATING"):
            continue
        try:
            protected = bool(tables.describe(control, table, region).get("DeletionProtectionEnabled"))
            recoverable = _enabled(read_pitr(control, table, region))
        except TableNotFound:
            continue  # listed, but not there: it must not pass for a replica
        found.append(ReplicaContract(region, recoverable, protected))
    return tuple(sorted(found, key=lambda replica: replica.region))


def _policy(control: ControlPlane, arn: str, region: str | None) -> str | None:
    try:
        text = str(control.call("dynamodb", "get_resource_policy", region=region, ResourceArn=arn)["Policy"])
    except AwsError as error:
        if error.aws_code == "PolicyNotFoundException":
            return None
        raise
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _kinesis(control: ControlPlane, table: str, region: str | None) -> str | None:
    found = control.call("dynamodb", "describe_kinesis_streaming_destination", region=region, TableName=table)
    live = [one for one in found.get("KinesisDataStreamDestinations", ()) if one.get("DestinationStatus") == "ACTIVE"]
    return str(live[0]["StreamArn"]) if live else None


def _insights(
    control: ControlPlane, table: str, scopes: dict[str, Any], region: str | None
) -> Iterator[tuple[str, str]]:
    for scope in scopes:
        index = {} if scope == "table" else {"IndexName": scope}
        found = control.call("dynamodb", "describe_contributor_insights", region=region, TableName=table, **index)
        if found.get("ContributorInsightsStatus") in ("ENABLED", "ENABLING"):
            yield scope, str(found.get("ContributorInsightsMode", "on"))


def _alarms(control: ControlPlane, table: str, region: str | None) -> Iterator[tuple[str, str]]:
    """Alarms on the table, without those that target tracking makes for itself."""
    for alarm in control.pages("cloudwatch", "describe_alarms", "MetricAlarms", region=region):
        dimensions = {one["Name"]: one["Value"] for one in alarm.get("Dimensions", ())}
        if dimensions.get("TableName") == table and not alarm["AlarmName"].startswith("TargetTracking-"):
            condition = f"{alarm.get('MetricName')} {alarm.get('ComparisonOperator')} {alarm.get('Threshold')}"
            yield alarm["AlarmName"], condition
