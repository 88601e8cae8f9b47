"""The role of a drill: it reads and restores the declared tables, and changes its own only."""

from infra.scope import DRILL_PREFIX, Scope
from infra.statements import (
    DESCRIBE,
    RESTORE,
    RESTORE_ITEMS,
    SETTINGS,
    WRITE_ITEMS,
    Statement,
    alarm_reads,
    allow,
    deny,
    environment,
    export_objects,
    scaling_reads,
    table_keys,
)


def drill(scope: Scope) -> list[Statement]:
    """Read and restore the declared tables; write and delete drill- tables only."""
    destructive = (
        *WRITE_ITEMS,
        "dynamodb:PartiQLInsert",
        "dynamodb:PartiQLUpdate",
        "dynamodb:PartiQLDelete",
        "dynamodb:UpdateTable",
        "dynamodb:UpdateTimeToLive",
        "dynamodb:UpdateContinuousBackups",
        "dynamodb:DeleteTable",
        "dynamodb:DeleteBackup",
    )
    source = (*DESCRIBE, "dynamodb:RestoreTableToPointInTime", "dynamodb:ExportTableToPointInTime")
    lists = ("dynamodb:ListBackups", "dynamodb:ListExports", "dynamodb:ListTables")
    target = (*RESTORE, *RESTORE_ITEMS, *DESCRIBE, *SETTINGS, "dynamodb:BatchGetItem", "dynamodb:DeleteTable",
              "dynamodb:ExportTableToPointInTime")  # fmt: skip
    anywhere = f"arn:aws:dynamodb:*:{scope.account}:table/{DRILL_PREFIX}*"
    points = [*scope.active_arns("/backup/*"), *scope.drill_arns("/backup/*")]
    return [
        allow("Source", source, scope.active_arns()),
        allow("Points", ("dynamodb:DescribeBackup", "dynamodb:RestoreTableFromBackup"), points),
        allow(
            "Exports", ("dynamodb:DescribeExport",), [*scope.active_arns("/export/*"), *scope.drill_arns("/export/*")]
        ),
        allow("Lists", lists, ["*"]),
        scaling_reads(),
        alarm_reads(scope),
        allow("Alarms", ("cloudwatch:DeleteAlarms",), [scope.regional("cloudwatch", f"alarm:{DRILL_PREFIX}*")]),
        allow("Target", target, scope.drill_arns()),
        *table_keys(scope),
        environment(scope),
        allow(
            "DrillParameters",
            ("ssm:PutParameter", "ssm:DeleteParameter"),
            [*scope.parameter("drill", "*"), *scope.parameter("locks", "*")],
        ),
        deny(
            "NoLockTheft",
            ("ssm:PutParameter",),
            Resource=scope.parameter("locks", "*"),
            Condition={"StringEquals": {"ssm:Overwrite": "true"}},
        ),
        deny("NothingElse", destructive, NotResource=[anywhere]),
        *_drill_scaling(scope),
        *_drill_proof(scope),
        *export_objects(scope),
    ]


def _drill_scaling(scope: Scope) -> list[Statement]:
    """Scaling targets have generated ids: a drill may touch only those it tagged itself."""
    targets = [scope.regional("application-autoscaling", "scalable-target/*")]
    return [
        allow(
            "Register",
            ("application-autoscaling:RegisterScalableTarget", "application-autoscaling:TagResource"),
            targets,
            StringEquals={"aws:RequestTag/ops-drill": "true"},
        ),
        allow(
            "Scaling",
            (
                "application-autoscaling:PutScalingPolicy",
                "application-autoscaling:DeleteScalingPolicy",
                "application-autoscaling:DeregisterScalableTarget",
            ),
            targets,
            StringEquals={
                "application-autoscaling:service-namespace": "dynamodb",
                "aws:ResourceTag/ops-drill": "true",
            },
        ),
    ]


def _drill_proof(scope: Scope) -> list[Statement]:
    """What a drill leaves behind: a count for the alarm, a verdict for AWS Backup, evidence that nobody deletes."""
    found = [
        allow(
            "ProofMetric",
            ("cloudwatch:PutMetricData",),
            ["*"],
            StringEquals={"cloudwatch:namespace": "dynamo-ops"},
        ),
        allow("Verdict", ("backup:PutRestoreValidationResult",), ["*"]),
    ]
    if scope.evidence_bucket:
        objects = [f"arn:aws:s3:::{scope.evidence_bucket}/*"]
        owner = {"aws:ResourceAccount": scope.account}
        found.append(allow("Evidence", ("s3:PutObject",), objects, StringEquals=owner))
    return found
