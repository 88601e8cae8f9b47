"""Roles that look and protect: they change no table and no database."""

from infra.scope import Scope
from infra.statements import (
    DESCRIBE,
    READ_ITEMS,
    Statement,
    allow,
    deny,
    environment,
    export_objects,
)


def read(scope: Scope) -> list[Statement]:
    items = [
        *scope.table_arns(),
        *scope.table_arns("/index/*"),
        *scope.target_arns(),
        *scope.target_arns("/index/*"),
    ]
    lists = (
        "dynamodb:ListBackups",
        "dynamodb:ListExports",
        "dynamodb:ListImports",
        "dynamodb:ListTables",
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingPolicies",
    )
    return [
        allow("Tables", (*DESCRIBE, *READ_ITEMS), items),
        allow("Lists", lists, ["*"]),
        allow("Backups", ("dynamodb:DescribeBackup",), scope.table_arns("/backup/*")),
        allow("Exports", ("dynamodb:DescribeExport",), scope.table_arns("/export/*")),
        allow("Imports", ("dynamodb:DescribeImport",), scope.target_arns("/import/*")),
        allow("Alarms", ("cloudwatch:DescribeAlarms",), [scope.regional("cloudwatch", "alarm:*")]),
        allow("Key", ("kms:DescribeKey",), [scope.key_arn]),
        allow(
            "Roles",
            ("iam:SimulatePrincipalPolicy",),
            [f"arn:aws:iam::{scope.account}:role/{scope.role_prefix}-ops-*"],
        ),
        *database_reads(scope),
        environment(scope),
    ]


def database_reads(scope: Scope) -> list[Statement]:
    if scope.database is None:
        return []
    return [
        allow("Databases", ("rds:DescribeDBInstances",), [scope.regional("rds", "db:*")]),
        allow(
            "DatabaseSnapshots",
            ("rds:DescribeDBSnapshots",),
            [scope.regional("rds", "snapshot:*"), scope.regional("rds", "db:*")],
        ),
        allow(
            "DatabaseBackups",
            ("rds:DescribeDBInstanceAutomatedBackups",),
            [scope.regional("rds", "auto-backup:*")],
        ),
        *_cluster_reads(scope),
    ]


def _cluster_reads(scope: Scope) -> list[Statement]:
    if not scope.database_cluster:
        return []
    return [
        allow("Clusters", ("rds:DescribeDBClusters",), [scope.regional("rds", "cluster:*")]),
        allow(
            "ClusterSnapshots",
            ("rds:DescribeDBClusterSnapshots",),
            [scope.regional("rds", "cluster-snapshot:*"), scope.regional("rds", "cluster:*")],
        ),
    ]


def backup(scope: Scope) -> list[Statement]:
    both = [*scope.table_arns(), *scope.table_arns("/index/*")]
    return [
        allow("Create", ("dynamodb:CreateBackup",), scope.table_arns()),
        # The fingerprint recorded beside a backup is taken by a scan.
        allow("Describe", (*DESCRIBE, "dynamodb:Scan"), both),
        allow("Describes", ("dynamodb:DescribeBackup",), scope.table_arns("/backup/*")),
        allow(
            "Lists",
            (
                "dynamodb:ListBackups",
                "application-autoscaling:DescribeScalableTargets",
                "application-autoscaling:DescribeScalingPolicies",
            ),
            ["*"],
        ),
        deny(
            "NeverDestroys",
            ("dynamodb:DeleteBackup", "dynamodb:DeleteTable", "dynamodb:UpdateContinuousBackups"),
            Resource="*",
        ),
        environment(scope),
    ]


def export(scope: Scope) -> list[Statement]:
    actions = (
        "dynamodb:ExportTableToPointInTime",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeContinuousBackups",
    )
    return [
        allow("Tables", actions, scope.table_arns()),
        allow("Exports", ("dynamodb:DescribeExport",), scope.table_arns("/export/*")),
        allow("Lists", ("dynamodb:ListExports",), ["*"]),
        *export_objects(scope),
        environment(scope),
    ]


def import_(scope: Scope) -> list[Statement]:
    bucket = f"arn:aws:s3:::{scope.bucket}"
    logs = scope.regional("logs", "log-group:/aws-dynamodb/imports")
    return [
        allow("Create", ("dynamodb:ImportTable", "dynamodb:DescribeTable", "dynamodb:Scan"), scope.target_arns()),
        allow("Describe", ("dynamodb:DescribeImport",), scope.target_arns("/import/*")),
        allow("Lists", ("dynamodb:ListImports",), ["*"]),
        allow("Objects", ("s3:GetObject",), [f"{bucket}/*"], StringEquals={"aws:ResourceAccount": scope.account}),
        allow("Bucket", ("s3:ListBucket",), [bucket], StringEquals={"aws:ResourceAccount": scope.account}),
        allow(
            "Key",
            ("kms:Decrypt",),
            [scope.key_arn],
            StringEquals={"kms:ViaService": f"s3.{scope.region}.amazonaws.com"},
        ),
        allow("LogGroup", ("logs:CreateLogGroup", "logs:CreateLogStream"), [logs, f"{logs}:*"]),
        allow("LogStream", ("logs:PutLogEvents",), [f"{logs}:log-stream:*"]),
        environment(scope),
    ]
