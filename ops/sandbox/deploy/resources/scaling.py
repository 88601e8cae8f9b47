"""Application Auto Scaling: targets and policies."""

from ops.sandbox.deploy.model import Record
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain

_SCALED = {
    "ServiceNamespace": "i.serviceNamespace",
    "ResourceId": "i.resourceId",
    "ScalableDimension": "i.scalableDimension",
}


def _target_read(client: Client, record: Record) -> Document:
    inputs = record.inputs
    targets = plain(
        client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace=inputs["serviceNamespace"],
            ResourceIds=[inputs["resourceId"]],
            ScalableDimension=inputs["scalableDimension"],
        )
    )["ScalableTargets"]
    return fields(
        targets[0] if targets else {},
        serviceNamespace="ServiceNamespace",
        resourceId="ResourceId",
        scalableDimension="ScalableDimension",
        minCapacity="MinCapacity",
        maxCapacity="MaxCapacity",
    )


def _policy_read(client: Client, record: Record) -> Document:
    inputs = record.inputs
    policies = plain(
        client("application-autoscaling").describe_scaling_policies(
            ServiceNamespace=inputs["serviceNamespace"],
            ResourceId=inputs["resourceId"],
            ScalableDimension=inputs["scalableDimension"],
        )
    )["ScalingPolicies"]
    return fields(
        next((policy for policy in policies if policy["PolicyName"] == inputs["name"]), {}),
        name="PolicyName",
        policyType="PolicyType",
        serviceNamespace="ServiceNamespace",
        resourceId="ResourceId",
        scalableDimension="ScalableDimension",
        targetTrackingScalingPolicyConfiguration="TargetTrackingScalingPolicyConfiguration.{"
        "targetValue: TargetValue, scaleInCooldown: ScaleInCooldown, scaleOutCooldown: ScaleOutCooldown,"
        " predefinedMetricSpecification: {"
        "predefinedMetricType: PredefinedMetricSpecification.PredefinedMetricType}}",
    )


SPECS = {
    "aws:appautoscaling/target:Target": Spec(
        "application-autoscaling",
        "register_scalable_target",
        id="i.resourceId",
        outputs={"arn": "o.ScalableTargetARN"},
        upsert=True,
        identity=("serviceNamespace", "resourceId", "scalableDimension"),
        delete=("deregister_scalable_target", _SCALED),
        read=_target_read,
        unread={"tags": "moto 5.2 cannot list the tags of a scalable target"},
    ),
    "aws:appautoscaling/policy:Policy": Spec(
        "application-autoscaling",
        "put_scaling_policy",
        rename={"name": "PolicyName"},
        outputs={"arn": "o.PolicyARN"},
        upsert=True,
        identity=("name", "serviceNamespace", "resourceId", "scalableDimension"),
        delete=("delete_scaling_policy", {**_SCALED, "PolicyName": "i.name"}),
        read=_policy_read,
    ),
}
