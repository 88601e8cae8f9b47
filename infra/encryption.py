"""Customer keys of a stack: one in the home Region, one in every Region that receives copies."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.options import child, keeps_data

DELETION_DAYS = 30


def stack_key(
    name: str, parent: pulumi.Resource, *, prefix: str, account: str, tags: dict[str, str], region: str | None = None
) -> aws.kms.Key:
    """A rotating key with an alias; a key is regional, so copies in another Region need their own."""
    key = aws.kms.Key(
        name,
        description=f"Data of {prefix}",
        enable_key_rotation=True,
        deletion_window_in_days=DELETION_DAYS,
        policy=json.dumps(key_policy(account)),
        region=region,
        tags=tags,
        opts=keeps_data(parent),
    )
    aws.kms.Alias(name, name=f"alias/{prefix}", target_key_id=key.key_id, region=region, opts=child(parent))
    return key


def key_policy(account: str) -> dict[str, Any]:
    """IAM of the account decides; each action is named, so that nobody gains a new one unseen."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AccountDecides",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": list(_KEY_ACTIONS),
                "Resource": "*",
            }
        ],
    }


_KEY_ACTIONS = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:ListRetirableGrants",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
