"""Roles that look and protect: they change no table and no database."""

from infra.scope import Scope
from infra.statements import (
    DESCRIBE,
    READ_ITEMS,
    Statement,
    alarm_reads,
    allow,
    deny,
    environment,
    export_objects,
    read_exports,
    scaling_reads,
    table_keys,
)


def read(scope: Scope) -> list[Statement]:
    items = [*scope.active_arns(), *scope.active_arns("/index/*"), *scope.drill_arns(), *scope.drill_arns("/index/*")]
    lists = ("dynamodb:ListBackups", "dynamodb:ListExports", "dynamodb:ListImports", "dynamodb:ListTables")
    return [
        allow("Tables", (*DESCRIBE, *READ_ITEMS), items),
        allow("Lists", lists, ["*"]),
        allow("Backups", ("dynamodb:DescribeBackup",), scope.active_arns("/backup/*")),
        allow("Exports", ("dynamodb:DescribeExport",), scope.active_arns("/export/*")),
        allow("Imports", ("dynamodb:DescribeImport",), scope.target_arns("/import/*")),
        allow("Key", ("kms:DescribeKey",), [scope.key_arn]),
        allow(
            "Roles",
            ("iam:SimulatePrincipalPolicy",),
            [f"arn:aws:iam::{scope.account}:role/{scope.role_prefix}-ops-*"],
        ),
        scaling_reads(),
        alarm_reads(scope),
        *read_exports(scope),
        *table_keys(scope),
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
    return [
        allow("Create", ("dynamodb:CreateBackup",), scope.active_arns()),
        # The fingerprint recorded beside a backup is taken by a scan.
        allow("Describe", (*DESCRIBE, "dynamodb:Scan"), [*scope.active_arns(), *scope.active_arns("/index/*")]),
        allow("Describes", ("dynamodb:DescribeBackup",), scope.active_arns("/backup/*")),
        allow("Lists", ("dynamodb:ListBackups",), ["*"]),
        scaling_reads(),
        alarm_reads(scope),
        # Settings and fingerprint are kept beside the exports.
        *export_objects(scope),
        *table_keys(scope),
        deny(
            "NeverDestroys",
            ("dynamodb:DeleteBackup", "dynamodb:DeleteTable", "dynamodb:UpdateContinuousBackups"),
            Resource="*",
        ),
        environment(scope),
    ]


def export_calls(scope: Scope) -> list[Statement]:
    """Ask for an export of a table in use, and follow it."""
    actions = (
        "dynamodb:ExportTableToPointInTime",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeContinuousBackups",
    )
    return [
        allow("Tables", actions, scope.active_arns()),
        allow("Exports", ("dynamodb:DescribeExport",), scope.active_arns("/export/*")),
        allow("ExportLists", ("dynamodb:ListExports",), ["*"]),
        *export_objects(scope),
    ]


def export(scope: Scope) -> list[Statement]:
    return [*export_calls(scope), *table_keys(scope), environment(scope)]


def import_(scope: Scope) -> list[Statement]:
    bucket = f"arn:aws:s3:::{scope.bucket}"
    logs = scope.regional("logs", "log-group:/aws-dynamodb/imports")
    made = (
        "dynamodb:ImportTable",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeTimeToLive",
        "dynamodb:Scan",
    )
    return [
        allow("Create", made, scope.target_arns()),
        allow("Describe", ("dynamodb:DescribeImport",), scope.target_arns("/import/*")),
        # An export is known by its own description: when it was taken, and how many items it holds.
        allow("Exports", ("dynamodb:DescribeExport",), scope.active_arns("/export/*")),
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
        *table_keys(scope),
        environment(scope),
    ]
