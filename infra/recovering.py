"""Roles that change something: tables, settings, pointers, databases; each limited by name."""

from infra.protecting import database_reads
from infra.scope import DRILL_PREFIX, Scope
from infra.statements import (
    DESCRIBE,
    READ_ITEMS,
    RESTORE_ITEMS,
    SETTINGS,
    WRITE_ITEMS,
    Statement,
    allow,
    deny,
    environment,
)


def restore(scope: Scope) -> list[Statement]:
    both = [*scope.table_arns(), *scope.target_arns()]
    return [
        allow("ToPointInTime", ("dynamodb:RestoreTableToPointInTime",), both),
        allow(
            "FromBackup",
            ("dynamodb:RestoreTableFromBackup",),
            [*scope.table_arns("/backup/*"), *scope.target_arns()],
        ),
        allow("Backups", ("dynamodb:DescribeBackup",), scope.table_arns("/backup/*")),
        allow("Target", RESTORE_ITEMS, scope.target_arns()),
        allow("Describe", DESCRIBE, both),
        environment(scope),
    ]


def settings(scope: Scope) -> list[Statement]:
    scaling = [scope.regional("application-autoscaling", "scalable-target/*")]
    namespace = {"application-autoscaling:service-namespace": "dynamodb"}
    alarms = [scope.regional("cloudwatch", f"alarm:{name}-*") for name in (*scope.tables, DRILL_PREFIX.rstrip("-"))]
    lists = (
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingPolicies",
    )
    return [
        allow("Target", (*SETTINGS, "dynamodb:PutResourcePolicy"), scope.target_arns()),
        allow("Describe", DESCRIBE, [*scope.table_arns(), *scope.target_arns()]),
        allow(
            "Scaling",
            ("application-autoscaling:RegisterScalableTarget", "application-autoscaling:PutScalingPolicy"),
            scaling,
            StringEquals=namespace,
        ),
        allow("Lists", lists, ["*"]),
        allow("Alarms", ("cloudwatch:PutMetricAlarm",), alarms),
        environment(scope),
    ]


def cutover(scope: Scope) -> list[Statement]:
    return [
        allow("Pointer", ("ssm:GetParameter", "ssm:PutParameter"), scope.parameter("tables", "*")),
    ]


def load(scope: Scope) -> list[Statement]:
    both = [*scope.table_arns(), *scope.table_arns("/index/*")]
    found = [
        allow("Write", (*WRITE_ITEMS, "dynamodb:DescribeTable"), scope.table_arns()),
        allow("Read", READ_ITEMS, both),
        environment(scope),
    ]
    if scope.secret_arns:
        via = {"kms:ViaService": f"secretsmanager.{scope.region}.amazonaws.com"}
        found += [
            allow("Secrets", ("secretsmanager:GetSecretValue",), scope.secret_arns),
            allow("SecretKey", ("kms:Decrypt",), [scope.key_arn], StringEquals=via),
        ]
    if scope.database_resource_id and scope.database_username:
        user = f"dbuser:{scope.database_resource_id}/{scope.database_username}"
        found.append(allow("Database", ("rds-db:connect",), [scope.regional("rds-db", user)]))
    return found


def repair(scope: Scope) -> list[Statement]:
    """Conditional writes of a patch, under credentials that carry the name of whoever approved it."""
    approved = {"aws:PrincipalTag/approver": "?*"}
    both = [*scope.table_arns(), *scope.target_arns()]
    return [
        allow("Write", WRITE_ITEMS, both, StringLike=approved),
        allow("Read", READ_ITEMS, [*both, *scope.table_arns("/index/*"), *scope.target_arns("/index/*")]),
        allow("Describe", DESCRIBE, both),
        environment(scope),
    ]


def rds_restore(scope: Scope) -> list[Statement]:
    """Restore the database beside itself, under a drill's name; the database itself is only read."""
    kind, snapshots = ("cluster", "cluster-snapshot") if scope.database_cluster else ("db", "snapshot")
    suffix = "DBCluster" if scope.database_cluster else "DBInstance"
    source = [scope.regional("rds", f"{kind}:{scope.database}"), scope.regional("rds", f"{snapshots}:*")]
    drills = [scope.regional("rds", f"{kind}:{DRILL_PREFIX}*")]
    if scope.database_cluster:
        restores = ("rds:RestoreDBClusterToPointInTime", "rds:RestoreDBClusterFromSnapshot")
        groups, members = ["cluster-pg", "subgrp", "og"], [scope.regional("rds", f"db:{DRILL_PREFIX}*")]
    else:
        restores = ("rds:RestoreDBInstanceToPointInTime", "rds:RestoreDBInstanceFromDBSnapshot")
        groups, members = ["pg", "subgrp", "og"], []
        source.append(scope.regional("rds", "auto-backup:*"))
    settings_ = [scope.regional("rds", f"{group}:*") for group in groups]
    found = [
        allow("Restore", restores, [*source, *drills, *settings_]),
        deny(
            "NeverPublic",
            ("rds:CreateDBInstance",) if scope.database_cluster else restores,
            Resource=[*source, *drills, *members, *settings_],
            Condition={"Bool": {"rds:PubliclyAccessible": "true"}},
        ),
        allow("Tag", ("rds:AddTagsToResource",), [*drills, *members]),
        allow("Modify", (f"rds:Modify{suffix}",), drills),
        # The deletion of a cluster asks for its final snapshot too, even where none is taken.
        allow("Delete", (f"rds:Delete{suffix}",), [*drills, scope.regional("rds", f"{snapshots}:{DRILL_PREFIX}*")]),
        allow("Key", ("kms:DescribeKey",), [scope.key_arn]),
        # RDS makes the grant for the restored instance, with the caller's right to do so.
        allow("Grant", ("kms:CreateGrant",), [scope.key_arn], Bool={"kms:GrantIsForAWSResource": "true"}),
        *database_reads(scope),
        environment(scope),
    ]
    if members:
        compute = ("rds:CreateDBInstance", "rds:ModifyDBInstance", "rds:DeleteDBInstance")
        found.append(allow("Compute", compute, [*members, *drills]))
    return found
