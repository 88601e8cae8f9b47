"""Roles that change something: tables, settings, pointers, databases; each limited by name."""

from infra.protecting import database_reads, export_calls
from infra.scope import DRILL_PREFIX, Scope
from infra.statements import (
    DESCRIBE,
    READ_ITEMS,
    RESTORE_ITEMS,
    SETTINGS,
    WRITE_ITEMS,
    Statement,
    alarm_reads,
    allow,
    deny,
    environment,
    scaling_reads,
    table_keys,
)


def restore(scope: Scope) -> list[Statement]:
    """The whole of a restore: the table, its settings, and the proof, which is an export of the same second.

    After a cut-over the table in use has the name of a restored one; a declared table is never written to.
    """
    both = [*scope.table_arns(), *scope.target_arns()]
    return [
        allow("ToPointInTime", ("dynamodb:RestoreTableToPointInTime", *DESCRIBE), both),
        allow(
            "FromBackup",
            ("dynamodb:RestoreTableFromBackup",),
            [*scope.active_arns("/backup/*"), *scope.target_arns()],
        ),
        allow("Backups", ("dynamodb:DescribeBackup",), scope.active_arns("/backup/*")),
        allow("BackupLists", ("dynamodb:ListBackups",), ["*"]),
        allow("Target", (*RESTORE_ITEMS, *SETTINGS), scope.target_arns()),
        deny("NeverTheSource", (*WRITE_ITEMS, *SETTINGS), Resource=scope.table_arns()),
        *_scaling(scope),
        *export_calls(scope),
        *table_keys(scope),
        environment(scope),
    ]


def _scaling(scope: Scope) -> list[Statement]:
    """Scaling targets have generated ids: a name cannot limit them, the service's namespace does."""
    regions = (scope.region, *scope.replica_regions)
    targets = [f"arn:aws:application-autoscaling:{region}:{scope.account}:scalable-target/*" for region in regions]
    actions = ("application-autoscaling:RegisterScalableTarget", "application-autoscaling:PutScalingPolicy")
    namespace = {"application-autoscaling:service-namespace": "dynamodb"}
    return [allow("Scaling", actions, targets, StringEquals=namespace), scaling_reads(), alarm_reads(scope)]


def settings(scope: Scope) -> list[Statement]:
    alarms = [scope.regional("cloudwatch", f"alarm:{name}-*") for name in (*scope.tables, DRILL_PREFIX.rstrip("-"))]
    return [
        allow("Target", (*SETTINGS, "dynamodb:PutResourcePolicy"), scope.target_arns()),
        deny("NeverTheSource", SETTINGS, Resource=scope.table_arns()),
        allow("Describe", DESCRIBE, [*scope.table_arns(), *scope.target_arns()]),
        *_scaling(scope),
        allow("Alarms", ("cloudwatch:PutMetricAlarm",), alarms),
        *table_keys(scope),
        environment(scope),
    ]


def cutover(scope: Scope) -> list[Statement]:
    return [
        allow("Pointer", ("ssm:GetParameter", "ssm:PutParameter"), scope.parameter("tables", "*")),
    ]


def load(scope: Scope) -> list[Statement]:
    described = ("dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive")
    found = [
        allow("Write", (*WRITE_ITEMS, *described), scope.active_arns()),
        allow("Read", READ_ITEMS, [*scope.active_arns(), *scope.active_arns("/index/*")]),
        *table_keys(scope),
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
        *table_keys(scope),
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
