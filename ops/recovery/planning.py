"""The pure half of re-applying settings: what is missing, as calls in the order in which AWS takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from infra.environment import IndexDocument, ReplicaContract, ScalingRule
from ops.recovery import tables
from ops.recovery.settings import CapacitySetting, TableSettings, scope_name

Stage = Literal["before_proof", "after_proof"]
SCALING = "application-autoscaling"


@dataclass(frozen=True, slots=True)
class Change:
    """One call. `params` lack what only the table's name gives; `region` None is the table's own."""

    setting: str
    stage: Stage
    operation: str
    params: dict[str, Any]
    service: str = "dynamodb"
    region: str | None = None


def plan(current: TableSettings, wanted: TableSettings) -> tuple[Change, ...]:
    """What is missing, in the order in which AWS takes it: protection first, side effects after the proof.

    Scaling comes before replicas, because a provisioned table gets no replica until its writes scale
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_reqs_bestpractices.html).
    """
    steps = (
        _plan_pitr, _plan_protection, _plan_billing, _plan_capacity, _plan_tags, _plan_scaling, _plan_indexes,
        _plan_class, _plan_stream, _plan_ttl, _plan_replicas,
    )  # fmt: skip
    return tuple(change for step in steps for change in step(current, wanted))


def _plan_pitr(current: TableSettings, wanted: TableSettings) -> Iterator[Change]:
    if wanted.pitr_days is not None and wanted.pitr_days != current.pitr_days:
        setting = "pitr" if current.pitr_days is None else "pitr.days"
        yield _pitr(setting, wanted.pitr_days, "before_proof")


def _pitr(setting: str, days: int, stage: Stage, region: str | None = None) -> Change:
    wanted = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": days}
    params = {"PointInTimeRecoverySpecification": wanted}
    return Change(setting, stage, "update_continuous_backups", params, region=region)


def _plan_protection(current: TableSettings, wanted: TableSettings) -> Iterator[Change]:
    if wanted.deletion_protection and not current.deletion_protection:
        yield _update("deletion_protection", "before_proof", DeletionProtectionEnabled=True)


def _update(setting: str, stage: Stage, region: str | None = None, **params: Any) -> Change:
    return Change(setting, stage, "update_table", params, region=region)


def _plan_billing(current: TableSettings, wanted: TableSettings) -> Iterator[Change]:
    """To on-demand, or back to provisioned with the least that scaling or contract allow."""
    if wanted.billing_mode == current.billing_mode:
        return
    if wanted.billing_mode == "PAY_PER_REQUEST":
        yield _update("billing_mode", "before_proof", BillingMode="PAY_PER_REQUEST")
        return
    params: dict[str, Any] = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": _least(wanted, None)}
    updates = [_capacity_update(index.name, _least(wanted, index.name)) for index in current.indexes]
    if updates:
        params["GlobalSecondaryIndexUpdates"] = updates
    yield _update("billing_mode", "before_proof", **params)


def _least(wanted: TableSettings, index: str | None) -> dict[str, int]:
    for one in wanted.capacity:
        if one.index == index:
            return _throughput(one)
    minimum = {rule.dimension: rule.minimum for rule in wanted.scaling if rule.index == index}
    return {"ReadCapacityUnits": minimum.get("read", 1), "WriteCapacityUnits": minimum.get("write", 1)}


def _throughput(one: CapacitySetting) -> dict[str, int]:
    return {"ReadCapacityUnits": one.read, "WriteCapacityUnits": one.write}


def _capacity_update(index: str, throughput: dict[str, int]) -> dict[str, Any]:
    return {"Update": {"IndexName": index, "ProvisionedThroughput": throughput}}


def _plan_capacity(current: TableSettings, wanted: TableSettings) -> Iterator[Change]:
    """Only where the contract states it; a billing change has already set it."""
    if "capacity" in wanted.unknown or wanted.billing_mode != current.billing_mode:
        return
    have = {one.index: one for one in current.capacity}
    for one in wanted.capacity:
        if have.get(one.index) == one or (one.index is not None and one.index not in have):
            continue
        if one.index is None:
            yield _update("capacity.table", "before_proof", ProvisionedThroughput=_throughput(one))
        else:
            update = [_capacity_update(one.index, _throughput(one))]
            yield _update(f"capacity.{scope_name(one.index)}", "before_proof", GlobalSecondaryIndexUpdates=update)


def _plan_tags(current: TableSettings, wanted: TableSettings) -> Iterator[Change]:
    missing = [(name, value) for name, value in sorted(wanted.tags.items()) if current.tags.get(name) != value]
    if missing:
        params = {"Tags": [{"Key": name, "Value": value} for name, value in missing]}
        yield Change("tags", "before_proof", "tag_resource", params)


def _plan_scaling(current: TableSettings, wanted: TableSettings) -> Iterator[Change]:
    have = {(rule.index, rule.dimension): rule for rule in current.scaling}
    for rule in wanted.scaling:
        if have.get((rule.index, rule.dimension)) != rule:
            yield from _scaling(rule)


def _scaling(rule: ScalingRule) -> Iterator[Change]:
    setting = f"scaling.{scope_name(rule.index)}.{rule.dimension}"
    units, kind = rule.dimension.capitalize(), "index" if rule.index else "table"
    target = {
        "ServiceNamespace": tables.SCALING_NAMESPACE,
        "ScalableDimension": f"dynamodb:{kind}:{units}CapacityUnits",
        "ResourceId": f"/index/{rule.index}" if rule.index else "",
    }
    limits = {"MinCapacity": rule.minimum, "MaxCapacity": rule.maximum}
    yield Change(setting, "before_proof", "register_scalable_target", {**target, **limits}, SCALING)
    tracking = {
        "TargetValue": float(rule.target_percent),
        "PredefinedMetricSpecification": {"PredefinedMetricType": f"DynamoDB{units}CapacityUtilization"},
        "ScaleInCooldown": rule.scale_in_cooldown_s,
        "ScaleOutCooldown": rule.scale_out_cooldown_s,
    }
    policy = {
        **target,
        "PolicyName": f"{scope_name(rule.index)}-{rule.dimension}",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": tracking,
    }
    yield Change(setting, "before_proof", "put_scaling_policy", policy, SCALING)


def _plan_indexes(current: TableSettings, wanted: TableSettings) -> Iterator[Change]:
    """An index that is not there; one of another shape is never touched."""
    have = {index.name for index in current.indexes}
    for index in wanted.indexes:
        if index.name not in have:
            yield _create_index(index, wanted)


def _create_index(index: IndexDocument, wanted: TableSettings) -> Change:
    projection: dict[str, Any] = {"ProjectionType": index.projection}
    if index.include:
        projection["NonKeyAttributes"] = list(index.include)
    create = {
        "IndexName": index.name,
        "KeySchema": tables.key_schema(index.partition_key, index.sort_key),
        "Projection": projection,
    }
    if wanted.billing_mode == "PROVISIONED":
        create["ProvisionedThroughput"] = _least(wanted, index.name)
    keys = [key for key in (index.partition_key, index.sort_key) if key is not None]
    return _update(
        f"index.{index.name}", "before_proof",
        AttributeDefinitions=[{"AttributeName": key.name, "AttributeType": key.type} for key in keys],
        GlobalSecondaryIndexUpdates=[{"Create": create}],
    )  # fmt: skip


def _plan_class(current: TableSettings, wanted: TableSettings) -> Iterator[Change]:
    if wanted.table_class != current.table_class:
        yield _update("table_class", "before_proof", TableClass=wanted.table_class)


def _plan_stream(current: TableSettings, wanted: TableSettings) -> Iterator[Change]:
    """A stream of another view would have to be switched off first, which is a deletion: it stays a difference."""
    if wanted.stream_view is not None and current.stream_view is None:
        stream = {"StreamEnabled": True, "StreamViewType": wanted.stream_view}
        yield _update("stream", "after_proof", StreamSpecification=stream)


def _plan_ttl(current: TableSettings, wanted: TableSettings) -> Iterator[Change]:
    if wanted.ttl_attribute is not None and current.ttl_attribute is None:
        ttl = {"Enabled": True, "AttributeName": wanted.ttl_attribute}
        yield Change("ttl", "after_proof", "update_time_to_live", {"TimeToLiveSpecification": ttl})


def _plan_replicas(current: TableSettings, wanted: TableSettings) -> Iterator[Change]:
    have = {replica.region: replica for replica in current.replicas}
    for replica in wanted.replicas:
        yield from _replica(have.get(replica.region), replica, wanted)


def _replica(found: ReplicaContract | None, replica: ReplicaContract, wanted: TableSettings) -> Iterator[Change]:
    """ReplicaUpdates stand alone in their call; PITR, protection and tags are the replica region's own."""
    setting, region = f"replicas.{replica.region}", replica.region
    if found is None:
        create = [{"Create": {"RegionName": region}}]
        yield _update(setting, "after_proof", ReplicaUpdates=create)
        tags = [{"Key": name, "Value": value} for name, value in sorted(wanted.tags.items())]
        if tags:
            yield Change(setting, "after_proof", "tag_resource", {"Tags": tags}, region=region)
    if replica.pitr and not (found and found.pitr):
        yield _pitr(setting, wanted.pitr_days or 35, "after_proof", region)
    if replica.deletion_protection and not (found and found.deletion_protection):
        yield _update(setting, "after_proof", region, DeletionProtectionEnabled=True)
