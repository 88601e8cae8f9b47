"""Application Auto Scaling for DynamoDB."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def table(lab: Any) -> str:
    name: str = lab.table(
        pitr=False, BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 2, "WriteCapacityUnits": 2},
    )  # fmt: skip
    return name


def _target(table: str, **more: Any) -> dict[str, Any]:
    return {
        "ServiceNamespace": "dynamodb", "ResourceId": f"table/{table}",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits", **more,
    }  # fmt: skip


def _policy(table: str, name: str = "track", value: float = 70.0) -> dict[str, Any]:
    metric = {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"}
    return _target(
        table, PolicyName=name, PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={"TargetValue": value, "PredefinedMetricSpecification": metric},
    )  # fmt: skip


def _register(lab: Any, table: str, low: int = 1, high: int = 10) -> None:
    lab.client("application-autoscaling").register_scalable_target(**_target(table, MinCapacity=low, MaxCapacity=high))


def test_a_target_needs_an_existing_table_or_index(lab: Any, table: str) -> None:
    register = lab.client("application-autoscaling").register_scalable_target
    bounds = {"MinCapacity": 1, "MaxCapacity": 10}
    assert lab.refusal(register, **_target("no-such-table", **bounds)) == "ValidationException"
    index = {"ResourceId": f"table/{table}/index/none", "ScalableDimension": "dynamodb:index:ReadCapacityUnits"}
    assert lab.refusal(register, **(_target(table, **bounds) | index)) == "ValidationException"


def test_a_minimum_above_the_maximum_is_refused(lab: Any, table: str) -> None:
    register = lab.client("application-autoscaling").register_scalable_target
    assert lab.refusal(register, **_target(table, MinCapacity=11, MaxCapacity=10)) == "ValidationException"
    _register(lab, table)
    assert lab.refusal(register, **_target(table, MinCapacity=11)) == "ValidationException"


def test_a_policy_needs_a_target_and_a_value_of_20_to_90(lab: Any, table: str) -> None:
    put = lab.client("application-autoscaling").put_scaling_policy
    assert lab.refusal(put, **_policy(table)) == "ObjectNotFoundException"
    _register(lab, table)
    assert lab.refusal(put, **_policy(table, value=95.0)) == "ValidationException"
    put(**_policy(table))


def test_a_new_policy_name_replaces_the_policy_of_the_dimension(lab: Any, table: str) -> None:
    scaling = lab.client("application-autoscaling")
    _register(lab, table)
    for name in ("first", "second"):
        scaling.put_scaling_policy(**_policy(table, name))
    found = scaling.describe_scaling_policies(ServiceNamespace="dynamodb", ResourceId=f"table/{table}")
    assert [one["PolicyName"] for one in found["ScalingPolicies"]] == ["second"]


def test_raising_the_minimum_lifts_the_capacity_at_once(lab: Any, table: str) -> None:
    _register(lab, table, low=5)
    found = lab.dynamodb.describe_table(TableName=table)["Table"]["ProvisionedThroughput"]
    assert (found["ReadCapacityUnits"], found["WriteCapacityUnits"]) == (5, 2)


def test_targets_and_policies_outlive_a_deleted_table(lab: Any, table: str) -> None:
    scaling = lab.client("application-autoscaling")
    _register(lab, table)
    scaling.put_scaling_policy(**_policy(table))
    lab.dynamodb.delete_table(TableName=table)
    ask = {"ServiceNamespace": "dynamodb", "ResourceIds": [f"table/{table}"]}
    assert len(scaling.describe_scalable_targets(**ask)["ScalableTargets"]) == 1


def test_deregistering_a_target_takes_its_policies_along(lab: Any, table: str) -> None:
    scaling = lab.client("application-autoscaling")
    _register(lab, table)
    scaling.put_scaling_policy(**_policy(table))
    scaling.deregister_scalable_target(**_target(table))
    found = scaling.describe_scaling_policies(ServiceNamespace="dynamodb", ResourceId=f"table/{table}")
    assert found["ScalingPolicies"] == []


def test_an_updated_policy_keeps_one_set_of_alarms(lab: Any, table: str) -> None:
    _register(lab, table)
    scaling, alarms = lab.client("application-autoscaling"), lab.client("cloudwatch")

    def names() -> set[str]:
        found = alarms.describe_alarms(AlarmNamePrefix=f"TargetTracking-table/{table}-")["MetricAlarms"]
        return {one["AlarmName"] for one in found}

    scaling.put_scaling_policy(**_policy(table))
    once = len(names())
    scaling.put_scaling_policy(**_policy(table, value=71.0))
    assert len(names()) == once > 0
    scaling.delete_scaling_policy(**_target(table, PolicyName="track"))
    assert names() == set()


def test_every_page_of_scalable_targets_is_another_one(lab: Any, table: str) -> None:
    scaling = lab.client("application-autoscaling")
    tables = [table, *(lab.table(pitr=False) for _ in range(2))]
    dimensions = [f"dynamodb:table:{units}CapacityUnits" for units in ("Read", "Write")]
    wanted = {(f"table/{one}", dimension) for one in tables for dimension in dimensions}
    for resource, dimension in sorted(wanted):
        scaling.register_scalable_target(
            ServiceNamespace="dynamodb", ResourceId=resource, ScalableDimension=dimension, MinCapacity=1, MaxCapacity=9
        )
    found: list[tuple[str, str]] = []
    given: dict[str, Any] = {}
    for _ in range(200):
        answer = scaling.describe_scalable_targets(ServiceNamespace="dynamodb", MaxResults=1, **given)
        found += [(one["ResourceId"], one["ScalableDimension"]) for one in answer["ScalableTargets"]]
        if not answer.get("NextToken"):
            break
        given = {"NextToken": answer["NextToken"]}
    else:
        raise AssertionError("the pages never end")
    assert len(found) == len(set(found))
    assert wanted <= set(found)
