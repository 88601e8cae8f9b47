"""What a table must be, and becomes, to take part in a global table.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ReplicationGroupUpdate.html (write scaling),
.../developerguide/V2globaltables_HowItWorks.html (stream), .../globaltables-disassociate.html (protection).
"""

from __future__ import annotations

import copy
from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.dynamodb.models.table import Table

from ops.sandbox.aws.errors import validation
from ops.sandbox.aws.scaling import scaled_dimensions
from ops.sandbox.aws.tables import state_of
from ops.sandbox.aws.world import ACCOUNT

Document = dict[str, Any]


def protect_membership(table: Table, body: Document) -> None:
    """DisassociationProtectionEnabled, alone in its UpdateTable, of a table that is a replica."""
    if set(body) - {"TableName", "DisassociationProtectionEnabled"}:
        raise validation("DisassociationProtectionEnabled must be alone in the request")
    if len(state_of(table).group) < 2:
        raise validation(f"{table.name} is no replica of a global table")
    state_of(table).disassociation_protected = bool(body["DisassociationProtectionEnabled"])


def check_write_scaling(table: Table) -> None:
    """A provisioned table must scale its writes, and those of every index."""
    if table.billing_mode != "PROVISIONED":
        return
    resources = [f"table/{table.name}", *(f"table/{table.name}/index/{one.name}" for one in table.global_indexes)]
    scaled = scaled_dimensions(table.region_name)
    for resource in resources:
        kind = "index" if "/index/" in resource else "table"
        if (resource, f"dynamodb:{kind}:WriteCapacityUnits") not in scaled:
            raise validation(
                "Table write capacity should either be Pay-Per-Request or AutoScaled: no write scaling target "
                f"and policy on {resource}"
            )


def enable_stream(table: Table) -> None:
    """Replication reads the stream: switched on by itself, or of the right view already."""
    specification = table.stream_specification or {}
    if not specification.get("StreamEnabled"):
        table.set_stream_specification({"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    elif specification.get("StreamViewType") != "NEW_AND_OLD_IMAGES":
        raise validation(f"Table {table.name} must have its stream enabled with NEW_AND_OLD_IMAGES to take a replica")


def mirror_scaling(table: Table, region: str) -> None:
    """DynamoDB keeps the write scaling of the members alike."""
    source = applicationautoscaling_backends[ACCOUNT][table.region_name]
    target = applicationautoscaling_backends[ACCOUNT][region]
    own = f"table/{table.name}"
    for one in source.describe_scalable_targets("dynamodb", None, None):
        if one.resource_id == own or one.resource_id.startswith(own + "/"):
            target.register_scalable_target(
                "dynamodb", one.resource_id, one.scalable_dimension, one.min_capacity, one.max_capacity,
                one.role_arn, one.suspended_state,
            )  # fmt: skip
    for policy in list(source.policies.values()):
        if policy.resource_id == own or policy.resource_id.startswith(own + "/"):
            target.put_scaling_policy(
                policy.policy_name, "dynamodb", policy.resource_id, policy.scalable_dimension,
                copy.deepcopy(policy._policy_body), policy.policy_type,
            )  # fmt: skip
