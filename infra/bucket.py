"""A bucket that keeps what it is given: versioned, encrypted, private, TLS only, expiring, locked when asked."""

import json
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.options import guards_data, keeps_data

_NONCURRENT_DAYS = 30
_ABANDONED_UPLOAD_DAYS = 7


@dataclass(frozen=True, slots=True)
class BucketArgs:
    """`lock_days` 0 is no Object Lock; a lock is chosen when the bucket is made, and cannot be taken off."""

    bucket_name: str
    key_arn: pulumi.Input[str]
    retention_days: int
    tags: dict[str, str]
    lock_days: int = 0
    lock_mode: str = "GOVERNANCE"


def guarded_bucket(name: str, args: BucketArgs, parent: pulumi.Resource) -> aws.s3.Bucket:
    """The bucket and its guards, as parts of `parent`."""
    bucket = aws.s3.Bucket(
        name,
        bucket=args.bucket_name,
        force_destroy=False,
        object_lock_enabled=True if args.lock_days else None,
        tags=args.tags,
        opts=keeps_data(parent),
    )
    versioning = aws.s3.BucketVersioning(
        name, bucket=bucket.bucket, versioning_configuration={"status": "Enabled"}, opts=guards_data(parent)
    )
    _encrypted(name, args, bucket, parent)
    _private(name, bucket, parent)
    _expiring(name, args, bucket, parent)
    if args.lock_days:
        aws.s3.BucketObjectLockConfiguration(
            name,
            bucket=bucket.bucket,
            rule={"default_retention": {"mode": args.lock_mode, "days": args.lock_days}},
            opts=guards_data(parent, [versioning]),
        )
    return bucket


def _encrypted(name: str, args: BucketArgs, bucket: aws.s3.Bucket, parent: pulumi.Resource) -> None:
    aws.s3.BucketServerSideEncryptionConfiguration(
        name,
        bucket=bucket.bucket,
        rules=[
            {
                "apply_server_side_encryption_by_default": {
                    "sse_algorithm": "aws:kms",
                    "kms_master_key_id": args.key_arn,
                },
                "bucket_key_enabled": True,
            }
        ],
        opts=guards_data(parent),
    )


def _private(name: str, bucket: aws.s3.Bucket, parent: pulumi.Resource) -> None:
    block = aws.s3.BucketPublicAccessBlock(
        name,
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=guards_data(parent),
    )
    aws.s3.BucketOwnershipControls(
        name, bucket=bucket.bucket, rule={"object_ownership": "BucketOwnerEnforced"}, opts=guards_data(parent)
    )
    # After the block: S3 refuses concurrent changes of one bucket's access settings (OperationAborted).
    aws.s3.BucketPolicy(
        name,
        bucket=bucket.bucket,
        policy=bucket.arn.apply(lambda arn: json.dumps(bucket_policy(arn))),
        opts=guards_data(parent, [block]),
    )


def _expiring(name: str, args: BucketArgs, bucket: aws.s3.Bucket, parent: pulumi.Resource) -> None:
    aws.s3.BucketLifecycleConfiguration(
        name,
        bucket=bucket.bucket,
        rules=[
            {
                "id": name,
                "status": "Enabled",
                "filter": {"prefix": ""},
                "expiration": {"days": args.retention_days},
                "noncurrent_version_expiration": {"noncurrent_days": _NONCURRENT_DAYS},
                "abort_incomplete_multipart_upload": {"days_after_initiation": _ABANDONED_UPLOAD_DAYS},
            }
        ],
        opts=guards_data(parent),
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
