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
SETTINGS = (
    "dynamodb:UpdateTable",
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
    actions = ("ssm:GetParameter", "ssm:GetParametersByPath")
    return allow("Environment", actions, [*scope.parameter(), *scope.parameter("*")])


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
