"""Where exports go: an encrypted, versioned, private bucket; with it the stack's key and source secret."""

import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.options import child, component_type, keeps_data

_KEY_DELETION_DAYS = 30
_NONCURRENT_DAYS = 30
_ABANDONED_UPLOAD_DAYS = 7


@dataclass(frozen=True, slots=True)
class StorageArgs:
    prefix: str
    account: str
    bucket_name: str
    retention_days: int
    tags: dict[str, str]


class Storage(pulumi.ComponentResource):
    """Key and alias, export bucket with its guards, and an empty secret for the track source."""

    key: aws.kms.Key
    bucket: aws.s3.Bucket
    source_secret: aws.secretsmanager.Secret

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(component_type("Storage"), name, None, opts)
        self._name, self._args = name, args
        self.key = self._key()
        self.bucket = aws.s3.Bucket(
            name, bucket=args.bucket_name, force_destroy=False, tags=args.tags, opts=keeps_data(self)
        )
        self._versioned()
        self._encrypted()
        self._private()
        self._expiring()
        self.source_secret = self._source_secret()
        self.register_outputs({"bucket": self.bucket.bucket, "keyArn": self.key.arn})

    def _key(self) -> aws.kms.Key:
        key = aws.kms.Key(
            self._name,
            description=f"Data of {self._args.prefix}",
            enable_key_rotation=True,
            deletion_window_in_days=_KEY_DELETION_DAYS,
            policy=json.dumps(key_policy(self._args.account)),
            tags=self._args.tags,
            opts=keeps_data(self),
        )
        aws.kms.Alias(self._name, name=f"alias/{self._args.prefix}", target_key_id=key.key_id, opts=child(self))
        return key

    def _versioned(self) -> None:
        aws.s3.BucketVersioning(
            self._name,
            bucket=self.bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=child(self),
        )

    def _encrypted(self) -> None:
        aws.s3.BucketServerSideEncryptionConfiguration(
            self._name,
            bucket=self.bucket.bucket,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": self.key.arn,
                    },
                    "bucket_key_enabled": True,
                }
            ],
            opts=child(self),
        )

    def _private(self) -> None:
        block = aws.s3.BucketPublicAccessBlock(
            self._name,
            bucket=self.bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child(self),
        )
        aws.s3.BucketOwnershipControls(
            self._name,
            bucket=self.bucket.bucket,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=child(self),
        )
        # After the block: S3 refuses concurrent changes of one bucket's access settings (OperationAborted).
        aws.s3.BucketPolicy(
            self._name,
            bucket=self.bucket.bucket,
            policy=self.bucket.arn.apply(lambda arn: json.dumps(bucket_policy(arn))),
            opts=child(self, [block]),
        )

    def _expiring(self) -> None:
        aws.s3.BucketLifecycleConfiguration(
            self._name,
            bucket=self.bucket.bucket,
            rules=[
                {
                    "id": "exports",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "expiration": {"days": self._args.retention_days},
                    "noncurrent_version_expiration": {"noncurrent_days": _NONCURRENT_DAYS},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": _ABANDONED_UPLOAD_DAYS},
                }
            ],
            opts=child(self),
        )

    def _source_secret(self) -> aws.secretsmanager.Secret:
        return aws.secretsmanager.Secret(
            f"{self._name}-source",
            name=f"{self._args.prefix}/source",
            description="Client id and secret of the track API; set by hand, never by the program",
            kms_key_id=self.key.arn,
            recovery_window_in_days=_KEY_DELETION_DAYS,
            tags=self._args.tags,
            opts=keeps_data(self),
        )


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


def bucket_policy(arn: str) -> dict[str, Any]:
    """Refuse what is not TLS 1.2, and keys supplied by the caller (SSE-C locks the owner out)."""
    both = [arn, f"{arn}/*"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            _deny("TlsOnly", "s3:*", both, {"Bool": {"aws:SecureTransport": "false"}}),
            _deny("Tls12", "s3:*", both, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
            _deny(
                "NoCustomerKeys",
                "s3:PutObject",
                f"{arn}/*",
                {"Null": {"s3:x-amz-server-side-encryption-customer-algorithm": "false"}},
            ),
        ],
    }


def _deny(sid: str, action: str, resource: Any, condition: dict[str, Any]) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resource,
        "Condition": condition,
    }
