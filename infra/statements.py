"""Statements that more than one operator role is made of. Pure data."""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.scope import Scope

Statement = dict[str, Any]
Document = dict[str, Any]

DESCRIBE = (
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeContributorInsights",
    "dynamodb:DescribeKinesisStreamingDestination",
    "dynamodb:GetResourcePolicy",
    "dynamodb:ListTagsOfResource",
)
READ_ITEMS = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan")
WRITE_ITEMS = ("dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem")
# A restore writes as the caller: these seven are dependents of both restore actions.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/backuprestore_IAM.html
RESTORE_ITEMS = (*WRITE_ITEMS, "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan")
RESTORE = ("dynamodb:RestoreTableToPointInTime", "dynamodb:RestoreTableFromBackup")
# Another Region is joined by UpdateTable, with a right of its own.
SETTINGS = (
    "dynamodb:UpdateTable",
    "dynamodb:CreateTableReplica",
    "dynamodb:UpdateTimeToLive",
    "dynamodb:UpdateContinuousBackups",
    "dynamodb:TagResource",
)


def allow(sid: str, actions: Sequence[str], resources: Sequence[str], **condition: Mapping[str, Any]) -> Statement:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
    }
    return {**statement, "Condition": condition} if condition else statement


def deny(sid: str, actions: Sequence[str], **members: Any) -> Statement:
    return {"Sid": sid, "Effect": "Deny", "Action": list(actions), **members}


def environment(scope: Scope) -> Statement:
    actions = ("ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath")
    return allow("Environment", actions, [*scope.parameter(), *scope.parameter("*")])


def table_keys(scope: Scope) -> list[Statement]:
    """Customer keys of tables: DynamoDB uses them with the caller's rights, through itself only."""
    if not scope.table_key_arns:
        return []
    regions = dict.fromkeys((scope.region, *scope.replica_regions))
    via = {"kms:ViaService": [f"dynamodb.{region}.amazonaws.com" for region in regions]}
    actions = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext",
               "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey", "kms:CreateGrant")  # fmt: skip
    return [allow("TableKeys", actions, scope.table_key_arns, StringEquals=via)]


def scaling_reads() -> Statement:
    """What scales a table, for a settings snapshot; both calls know no resource level."""
    actions = ("application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies")
    return allow("ScalingReads", actions, ["*"])


def alarm_reads(scope: Scope) -> Statement:
    return allow("AlarmReads", ("cloudwatch:DescribeAlarms",), [scope.regional("cloudwatch", "alarm:*")])


def read_exports(scope: Scope) -> list[Statement]:
    """Read what lies under the export prefix: exports and seals, to compare with."""
    bucket, owner = f"arn:aws:s3:::{scope.bucket}", {"aws:ResourceAccount": scope.account}
    objects = [f"{bucket}/{scope.export_prefix}/*"]
    prefixes = [f"{scope.export_prefix}/*"]
    return [
        allow("ReadObjects", ("s3:GetObject", "s3:GetObjectVersion"), objects, StringEquals=owner),
        allow("ReadBucket", ("s3:ListBucket",), [bucket], StringEquals=owner, StringLike={"s3:prefix": prefixes}),
        allow(
            "ReadKey",
            ("kms:Decrypt",),
            [scope.key_arn],
            StringEquals={"kms:ViaService": f"s3.{scope.region}.amazonaws.com"},
        ),
    ]


def export_objects(scope: Scope) -> list[Statement]:
    """Write and verify objects under the export prefix, with the stack's key through S3 only."""
    bucket = f"arn:aws:s3:::{scope.bucket}"
    objects = [f"{bucket}/{scope.export_prefix}/*"]
    owner = {"aws:ResourceAccount": scope.account}
    return [
        allow(
            "ExportObjects",
            ("s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectVersion"),
            objects,
            StringEquals=owner,
        ),
        allow(
            "ExportBucket",
            ("s3:ListBucket",),
            [bucket],
            StringEquals=owner,
            StringLike={"s3:prefix": [f"{scope.export_prefix}/*"]},
        ),
        allow(
            "ExportKey",
            ("kms:GenerateDataKey", "kms:Decrypt"),
            [scope.key_arn],
            StringEquals={"kms:ViaService": f"s3.{scope.region}.amazonaws.com"},
        ),
    ]
