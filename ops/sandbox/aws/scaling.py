"""Application Auto Scaling for DynamoDB: what it validates. It never scales by load here.

docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html and
.../API_PutScalingPolicy.html; raising MinCapacity above the present capacity lifts it within seconds.
"""

from __future__ import annotations

import json
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import (
    ApplicationAutoscalingBackend,
    FakeApplicationAutoscalingPolicy,
    applicationautoscaling_backends,
)
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.lifecycle import is_creating
from ops.sandbox.aws.tables import backend_of
from ops.sandbox.aws.world import ACCOUNT, World

NAMESPACE = "dynamodb"


def scaled_dimensions(region: str) -> set[tuple[str, str]]:
    """(resource id, dimension) that have both a target and a policy."""
    backend = applicationautoscaling_backends[ACCOUNT][region]
    targets = {
        (one.resource_id, one.scalable_dimension) for one in backend.describe_scalable_targets(NAMESPACE, None, None)
    }
    policies = {
        (one.resource_id, one.scalable_dimension)
        for one in backend.policies.values()
        if one.service_namespace == NAMESPACE
    }
    return targets & policies


def capacity_holder(world: World, region: str, resource_id: str) -> Any:
    """The table or index behind `table/NAME` or `table/NAME/index/INDEX`; refused when it does not exist."""
    parts = resource_id.split("/")
    table: Table | None = backend_of(region).tables.get(parts[1]) if len(parts) in (2, 4) else None
    if table is None or is_creating(world, table):
        raise AWSValidationException(f"DynamoDB table does not exist: {resource_id}")
    if len(parts) == 2:
        return table
    index = next((one for one in table.global_indexes if one.name == parts[3]), None)
    if index is None:
        raise AWSValidationException(f"DynamoDB index does not exist: {resource_id}")
    return index


def check_bounds(existing: Any | None, minimum: int | None, maximum: int | None) -> None:
    """Both bounds at registration, and never crossed."""
    low = minimum if minimum is not None else getattr(existing, "min_capacity", None)
    high = maximum if maximum is not None else getattr(existing, "max_capacity", None)
    if low is None or high is None:
        raise AWSValidationException("MinCapacity and MaxCapacity must be specified for a new scalable target")
    if low > high:
        raise AWSValidationException(f"Minimum capacity {low} cannot be greater than maximum capacity {high}")


def check_policy(configuration: Any) -> None:
    """Target tracking for DynamoDB: 20 to 90 percent."""
    target = (configuration or {}).get("TargetValue")
    if target is not None and not 20 <= float(target) <= 90:
        raise AWSValidationException(f"TargetValue {target} must be between 20 and 90 for DynamoDB")


def lift(holder: Any, dimension: str, minimum: int) -> None:
    """Capacity rises to the minimum at once; it does not fall to it."""
    units = dimension.rsplit(":", 1)[-1]
    provisioned = holder.throughput.get(units, 0)
    if 0 < provisioned < minimum:
        holder.throughput = {**holder.throughput, units: minimum}


def install(world: World) -> None:
    """Validate what moto stores unread."""
    register = ApplicationAutoscalingBackend.register_scalable_target
    deregister = ApplicationAutoscalingBackend.deregister_scalable_target
    put_policy = ApplicationAutoscalingBackend.put_scaling_policy

    def register_scalable_target(
        self: ApplicationAutoscalingBackend,
        namespace: str,
        r_id: str,
        dimension: str,
        min_capacity: int | None,
        max_capacity: int | None,
        role_arn: str,
        suspended_state: str,
    ) -> Any:
        if namespace == NAMESPACE:
            holder = capacity_holder(world, self.region_name, r_id)
            check_bounds(self.targets.get(dimension, {}).get(r_id), min_capacity, max_capacity)
            if min_capacity is not None:
                lift(holder, dimension, min_capacity)
        return register(self, namespace, r_id, dimension, min_capacity, max_capacity, role_arn, suspended_state)

    def put_scaling_policy(
        self: ApplicationAutoscalingBackend,
        policy_name: str,
        service_namespace: str,
        resource_id: str,
        scalable_dimension: str,
        policy_body: dict[str, Any],
        policy_type: str | None,
    ) -> Any:
        if service_namespace == NAMESPACE:
            _check_before_policy(self, resource_id, scalable_dimension, policy_body)
            _replace_other_policy(self, policy_name, resource_id, scalable_dimension)
        key = FakeApplicationAutoscalingPolicy.formulate_key(
            service_namespace, resource_id, scalable_dimension, policy_name
        )
        if key in self.policies:  # moto makes the alarms of an updated policy a second time and keeps the first
            self.policies[key].delete_alarms(self.account_id, self.region_name)
        return put_policy(
            self, policy_name, service_namespace, resource_id, scalable_dimension, policy_body, policy_type
        )

    def deregister_scalable_target(
        self: ApplicationAutoscalingBackend, namespace: str, r_id: str, dimension: str
    ) -> None:
        deregister(self, namespace, r_id, dimension)
        for policy in list(self.policies.values()):  # a target takes its policies along
            if (policy.service_namespace, policy.resource_id, policy.scalable_dimension) == (
                namespace,
                r_id,
                dimension,
            ):
                self.delete_scaling_policy(policy.policy_name, namespace, r_id, dimension)

    describe = ApplicationAutoScalingResponse.describe_scalable_targets

    def describe_scalable_targets(self: ApplicationAutoScalingResponse) -> str:
        """moto counts a page's end from the page's beginning, so the third page is the second one again, for ever."""
        answer, marker = json.loads(describe(self)), self._get_param("NextToken")
        if answer["NextToken"] is not None:
            first = int(marker) + 1 if marker else 0
            answer["NextToken"] = str(first + len(answer["ScalableTargets"]) - 1)
        return json.dumps(answer)

    ApplicationAutoScalingResponse.describe_scalable_targets = describe_scalable_targets  # type: ignore[method-assign]
    ApplicationAutoscalingBackend.deregister_scalable_target = deregister_scalable_target  # type: ignore[method-assign]
    ApplicationAutoscalingBackend.register_scalable_target = register_scalable_target  # type: ignore[method-assign]
    ApplicationAutoscalingBackend.put_scaling_policy = put_scaling_policy  # type: ignore[method-assign]


def _check_before_policy(
    backend: ApplicationAutoscalingBackend, resource_id: str, dimension: str, body: dict[str, Any]
) -> None:
    if resource_id not in backend.targets.get(dimension, {}):
        raise JsonRESTError(
            "ObjectNotFoundException",
            f"No scalable target registered for service namespace: {NAMESPACE}, resource ID: {resource_id}, "
            f"scalable dimension: {dimension}",
        )
    check_policy(body)


def _replace_other_policy(
    backend: ApplicationAutoscalingBackend, policy_name: str, resource_id: str, dimension: str
) -> None:
    """One policy per dimension: a new name takes the place of the old one."""
    for policy in list(backend.policies.values()):
        same = policy.resource_id == resource_id and policy.scalable_dimension == dimension
        if same and policy.policy_name != policy_name:
            backend.delete_scaling_policy(policy.policy_name, NAMESPACE, resource_id, dimension)
