"""What each operator role may do, as IAM policy documents built from names; no wildcard action anywhere."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infra.scope import DRILL_PREFIX, Scope

Statement = dict[str, Any]
Document = dict[str, Any]

_DESCRIBE = (
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeContributorInsights",
    "dynamodb:DescribeKinesisStreamingDestination",
    "dynamodb:GetResourcePolicy",
    "dynamodb:ListTagsOfResource",
)
_READ_ITEMS = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan")
_WRITE_ITEMS = ("dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem")
# A restore writes as the caller: these seven are dependents of both restore actions.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/backuprestore_IAM.html
_RESTORE_ITEMS = (*_WRITE_ITEMS, "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan")
_RESTORE = ("dynamodb:RestoreTableToPointInTime", "dynamodb:RestoreTableFromBackup")
_SETTINGS = (
    "dynamodb:UpdateTable",
    "dynamodb:UpdateTimeToLive",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:TagResource",
)


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str], **condition: Mapping[str, Any]) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
    }
    return {**statement, "Condition": condition} if condition else statement


def _deny(sid: str, actions: Sequence[str], **members: Any) -> Statement:
    return {"Sid": sid, "Effect": "Deny", "Action": list(actions), **members}


def _environment(scope: Scope) -> Statement:
    actions = ("ssm:GetParameter", "ssm:GetParametersByPath")
    return _allow("Environment", actions, [*scope.parameter(), *scope.parameter("*")])


def _exports(scope: Scope) -> list[Statement]:
    """Write and verify objects under the export prefix, with the stack's key through S3 only."""
    bucket = f"arn:aws:s3:::{scope.bucket}"
    objects = [f"{bucket}/{scope.export_prefix}/*"]
    owner = {"aws:ResourceAccount": scope.account}
    return [
        _allow(
            "ExportObjects",
            ("s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectVersion"),
            objects,
            StringEquals=owner,
        ),
        _allow(
            "ExportBucket",
            ("s3:ListBucket",),
            [bucket],
            StringEquals=owner,
            StringLike={"s3:prefix": [f"{scope.export_prefix}/*"]},
        ),
        _allow(
            "ExportKey",
            ("kms:GenerateDataKey", "kms:Decrypt"),
            [scope.key_arn],
            StringEquals={"kms:ViaService": f"s3.{scope.region}.amazonaws.com"},
        ),
    ]


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
        _allow("Tables", (*_DESCRIBE, *_READ_ITEMS), items),
        _allow("Lists", lists, ["*"]),
        _allow("Backups", ("dynamodb:DescribeBackup",), scope.table_arns("/backup/*")),
        _allow("Exports", ("dynamodb:DescribeExport",), scope.table_arns("/export/*")),
        _allow("Imports", ("dynamodb:DescribeImport",), scope.target_arns("/import/*")),
        _allow("Alarms", ("cloudwatch:DescribeAlarms",), [scope.regional("cloudwatch", "alarm:*")]),
        _allow("Key", ("kms:DescribeKey",), [scope.key_arn]),
        _allow(
            "Roles",
            ("iam:SimulatePrincipalPolicy",),
            [f"arn:aws:iam::{scope.account}:role/{scope.role_prefix}-ops-*"],
        ),
        *_database_reads(scope),
        _environment(scope),
    ]


def _database_reads(scope: Scope) -> list[Statement]:
    if scope.database is None:
        return []
    return [
        _allow("Databases", ("rds:DescribeDBInstances",), [scope.regional("rds", "db:*")]),
        _allow(
            "DatabaseSnapshots",
            ("rds:DescribeDBSnapshots",),
            [scope.regional("rds", "snapshot:*"), scope.regional("rds", "db:*")],
        ),
        _allow(
            "DatabaseBackups",
            ("rds:DescribeDBInstanceAutomatedBackups",),
            [scope.regional("rds", "auto-backup:*")],
        ),
    ]


def backup(scope: Scope) -> list[Statement]:
    both = [*scope.table_arns(), *scope.table_arns("/index/*")]
    return [
        _allow("Create", ("dynamodb:CreateBackup",), scope.table_arns()),
        # The fingerprint recorded beside a backup is taken by a scan.
        _allow("Describe", (*_DESCRIBE, "dynamodb:Scan"), both),
        _allow("Describes", ("dynamodb:DescribeBackup",), scope.table_arns("/backup/*")),
        _allow(
            "Lists",
            (
                "dynamodb:ListBackups",
                "application-autoscaling:DescribeScalableTargets",
                "application-autoscaling:DescribeScalingPolicies",
            ),
            ["*"],
        ),
        _deny(
            "NeverDestroys",
            ("dynamodb:DeleteBackup", "dynamodb:DeleteTable", "dynamodb:UpdateContinuousBackups"),
            Resource="*",
        ),
        _environment(scope),
    ]


def export(scope: Scope) -> list[Statement]:
    actions = (
        "dynamodb:ExportTableToPointInTime",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeContinuousBackups",
    )
    return [
        _allow("Tables", actions, scope.table_arns()),
        _allow("Exports", ("dynamodb:DescribeExport",), scope.table_arns("/export/*")),
        _allow("Lists", ("dynamodb:ListExports",), ["*"]),
        *_exports(scope),
        _environment(scope),
    ]


def import_(scope: Scope) -> list[Statement]:
    bucket = f"arn:aws:s3:::{scope.bucket}"
    logs = scope.regional("logs", "log-group:/aws-dynamodb/imports")
    return [
        _allow("Create", ("dynamodb:ImportTable", "dynamodb:DescribeTable", "dynamodb:Scan"), scope.target_arns()),
        _allow("Describe", ("dynamodb:DescribeImport",), scope.target_arns("/import/*")),
        _allow("Lists", ("dynamodb:ListImports",), ["*"]),
        _allow("Objects", ("s3:GetObject",), [f"{bucket}/*"], StringEquals={"aws:ResourceAccount": scope.account}),
        _allow("Bucket", ("s3:ListBucket",), [bucket], StringEquals={"aws:ResourceAccount": scope.account}),
        _allow(
            "Key",
            ("kms:Decrypt",),
            [scope.key_arn],
            StringEquals={"kms:ViaService": f"s3.{scope.region}.amazonaws.com"},
        ),
        _allow("LogGroup", ("logs:CreateLogGroup", "logs:CreateLogStream"), [logs, f"{logs}:*"]),
        _allow("LogStream", ("logs:PutLogEvents",), [f"{logs}:log-stream:*"]),
        _environment(scope),
    ]


def restore(scope: Scope) -> list[Statement]:
    both = [*scope.table_arns(), *scope.target_arns()]
    return [
        _allow("ToPointInTime", ("dynamodb:RestoreTableToPointInTime",), both),
        _allow(
            "FromBackup",
            ("dynamodb:RestoreTableFromBackup",),
            [*scope.table_arns("/backup/*"), *scope.target_arns()],
        ),
        _allow("Backups", ("dynamodb:DescribeBackup",), scope.table_arns("/backup/*")),
        _allow("Target", _RESTORE_ITEMS, scope.target_arns()),
        _allow("Describe", _DESCRIBE, both),
        _environment(scope),
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
        _allow("Target", (*_SETTINGS, "dynamodb:PutResourcePolicy"), scope.target_arns()),
        _allow("Describe", _DESCRIBE, [*scope.table_arns(), *scope.target_arns()]),
        _allow(
            "Scaling",
            ("application-autoscaling:RegisterScalableTarget", "application-autoscaling:PutScalingPolicy"),
            scaling,
            StringEquals=namespace,
        ),
        _allow("Lists", lists, ["*"]),
        _allow("Alarms", ("cloudwatch:PutMetricAlarm",), alarms),
        _environment(scope),
    ]


def cutover(scope: Scope) -> list[Statement]:
    return [
        _allow("Pointer", ("ssm:GetParameter", "ssm:PutParameter"), scope.parameter("tables", "*")),
    ]


def load(scope: Scope) -> list[Statement]:
    both = [*scope.table_arns(), *scope.table_arns("/index/*")]
    found = [
        _allow("Write", (*_WRITE_ITEMS, "dynamodb:DescribeTable"), scope.table_arns()),
        _allow("Read", _READ_ITEMS, both),
        _environment(scope),
    ]
    if scope.secret_arns:
        via = {"kms:ViaService": f"secretsmanager.{scope.region}.amazonaws.com"}
        found += [
            _allow("Secrets", ("secretsmanager:GetSecretValue",), scope.secret_arns),
            _allow("SecretKey", ("kms:Decrypt",), [scope.key_arn], StringEquals=via),
        ]
    if scope.database_resource_id and scope.database_username:
        user = f"dbuser:{scope.database_resource_id}/{scope.database_username}"
        found.append(_allow("Database", ("rds-db:connect",), [scope.regional("rds-db", user)]))
    return found


def drill(scope: Scope) -> list[Statement]:
    """Read and restore the declared tables; write and delete drill- tables only."""
    destructive = (
        *_WRITE_ITEMS,
        "dynamodb:PartiQLInsert",
        "dynamodb:PartiQLUpdate",
        "dynamodb:PartiQLDelete",
        "dynamodb:UpdateTable",
        "dynamodb:UpdateTimeToLive",
        "dynamodb:UpdateContinuousBackups",
        "dynamodb:DeleteTable",
        "dynamodb:DeleteBackup",
    )
    source = (*_DESCRIBE, "dynamodb:RestoreTableToPointInTime", "dynamodb:ExportTableToPointInTime")
    lists = (
        "dynamodb:ListBackups",
        "dynamodb:ListExports",
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingPolicies",
    )
    target = (*_RESTORE, *_RESTORE_ITEMS, *_DESCRIBE, *_SETTINGS, "dynamodb:DeleteTable")
    anywhere = f"arn:aws:dynamodb:*:{scope.account}:table/{DRILL_PREFIX}*"
    return [
        _allow("Source", source, scope.table_arns()),
        _allow(
            "Points",
            ("dynamodb:DescribeBackup", "dynamodb:RestoreTableFromBackup"),
            scope.table_arns("/backup/*"),
        ),
        _allow("Exports", ("dynamodb:DescribeExport",), scope.table_arns("/export/*")),
        _allow("Lists", lists, ["*"]),
        _allow("Alarms", ("cloudwatch:DescribeAlarms",), [scope.regional("cloudwatch", "alarm:*")]),
        _allow("Target", target, scope.drill_arns()),
        _environment(scope),
        _allow(
            "DrillParameters",
            ("ssm:PutParameter", "ssm:DeleteParameter"),
            [*scope.parameter("drill", "*"), *scope.parameter("locks", "*")],
        ),
        _deny(
            "NoLockTheft",
            ("ssm:PutParameter",),
            Resource=scope.parameter("locks", "*"),
            Condition={"StringEquals": {"ssm:Overwrite": "true"}},
        ),
        _deny("NothingElse", destructive, NotResource=[anywhere]),
        *_drill_scaling(scope),
        *_exports(scope),
    ]


def _drill_scaling(scope: Scope) -> list[Statement]:
    """Scaling targets have generated ids: a drill may touch only those it tagged itself."""
    targets = [scope.regional("application-autoscaling", "scalable-target/*")]
    return [
        _allow(
            "Register",
            ("application-autoscaling:RegisterScalableTarget", "application-autoscaling:TagResource"),
            targets,
            StringEquals={"aws:RequestTag/ops-drill": "true"},
        ),
        _allow(
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


ROLES: Mapping[str, Callable[[Scope], list[Statement]]] = {
    "ops-read": read,
    "ops-backup": backup,
    "ops-export": export,
    "ops-import": import_,
    "ops-restore": restore,
    "ops-settings": settings,
    "ops-cutover": cutover,
    "ops-load": load,
    "ops-drill": drill,
}
BREAK_GLASS = frozenset({"ops-restore"})


def document(role: str, scope: Scope) -> Document:
    """The permission policy of a role."""
    return {"Version": "2012-10-17", "Statement": ROLES[role](scope)}


def trust(role: str, account: str, principals: Sequence[str]) -> Document:
    """Who may assume a role: the named principals, else this account; break-glass roles only with MFA."""
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"AWS": list(principals) or [f"arn:aws:iam::{account}:root"]},
        "Action": "sts:AssumeRole",
    }
    if role in BREAK_GLASS:
        statement["Condition"] = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    return {"Version": "2012-10-17", "Statement": [statement]}
