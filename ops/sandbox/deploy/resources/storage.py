"""Buckets."""

from typing import Any

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, tag_map

_BUCKET_ARN = "join('', ['arn:aws:s3:::', i.bucket])"
_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def tag_list(tags: Inputs, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


# -- buckets ----------------------------------------------------------------------------------------


def _bucket_after(client: Client, inputs: Inputs, _: Document) -> None:
    if inputs.get("tags"):
        tagging = {"TagSet": tag_list(inputs["tags"])}
        client("s3").put_bucket_tagging(Bucket=inputs["bucket"], Tagging=tagging)


def _bucket_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    _bucket_after(client, new, {})


def _bucket_read(client: Client, record: Record) -> Document:
    s3, bucket = client("s3"), record.inputs["bucket"]
    s3.head_bucket(Bucket=bucket)
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"] if record.inputs.get("tags") else []
    found: Document = {"bucket": bucket, "tags": tag_map(tags)}
    if record.inputs.get("objectLockEnabled"):
        held = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
        found["objectLockEnabled"] = held.get("ObjectLockEnabled") == "Enabled"
    return found


def _lock_shape(inputs: Inputs) -> Inputs:
    return {
        "bucket": inputs["bucket"],
        "objectLockConfiguration": {"objectLockEnabled": "Enabled", "rule": inputs["rule"]},
    }


def _lock_read(client: Client, record: Record) -> Document:
    answer = plain(client("s3").get_object_lock_configuration(Bucket=record.inputs["bucket"]))
    held = answer["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    return {
        "bucket": record.inputs["bucket"],
        "rule": {"defaultRetention": {"mode": held["Mode"], "days": held["Days"]}},
    }


def _versioning_read(client: Client, record: Record) -> Document:
    answer = client("s3").get_bucket_versioning(Bucket=record.inputs["bucket"])
    return {"bucket": record.inputs["bucket"], "versioningConfiguration": {"status": answer.get("Status")}}


def _encryption_shape(inputs: Inputs) -> Inputs:
    rules = []
    for rule in inputs["rules"]:
        default = rule["applyServerSideEncryptionByDefault"]
        by_default = {
            "SSEAlgorithm": default["sseAlgorithm"],
            "KMSMasterKeyID": default.get("kmsMasterKeyId"),
        }
        rules.append({**rule, "applyServerSideEncryptionByDefault": by_default})
    return {**inputs, "rules": rules}


def _encryption_read(client: Client, record: Record) -> Document:
    answer = plain(client("s3").get_bucket_encryption(Bucket=record.inputs["bucket"]))
    found = fields(
        answer,
        rules="ServerSideEncryptionConfiguration.Rules[].{bucketKeyEnabled: BucketKeyEnabled,"
        " applyServerSideEncryptionByDefault: ApplyServerSideEncryptionByDefault.{"
        "sseAlgorithm: SSEAlgorithm, kmsMasterKeyId: KMSMasterKeyID}}",
    )
    return {"bucket": record.inputs["bucket"], **found}


def _block_read(client: Client, record: Record) -> Document:
    answer = client("s3").get_public_access_block(Bucket=record.inputs["bucket"])
    held = answer["PublicAccessBlockConfiguration"]
    return {"bucket": record.inputs["bucket"], **{key: held.get(key[0].upper() + key[1:]) for key in _BLOCKS}}


def _ownership_read(client: Client, record: Record) -> Document:
    answer = client("s3").get_bucket_ownership_controls(Bucket=record.inputs["bucket"])
    rule = answer["OwnershipControls"]["Rules"][0]
    return {"bucket": record.inputs["bucket"], "rule": {"objectOwnership": rule["ObjectOwnership"]}}


def _lifecycle_shape(inputs: Inputs) -> Inputs:
    names = {"id": "ID"}
    rules = [{names.get(key, key): value for key, value in rule.items()} for rule in inputs["rules"]]
    return {**inputs, "rules": rules}


def _lifecycle_read(client: Client, record: Record) -> Document:
    answer = plain(client("s3").get_bucket_lifecycle_configuration(Bucket=record.inputs["bucket"]))
    found = fields(
        answer,
        rules="Rules[].{id: ID, status: Status, filter: {prefix: Filter.Prefix},"
        " expiration: {days: Expiration.Days},"
        " noncurrentVersionExpiration: {noncurrentDays: NoncurrentVersionExpiration.NoncurrentDays},"
        " abortIncompleteMultipartUpload: {"
        "daysAfterInitiation: AbortIncompleteMultipartUpload.DaysAfterInitiation}}",
    )
    return {"bucket": record.inputs["bucket"], **found}


def _bucket_policy_read(client: Client, record: Record) -> Document:
    answer = client("s3").get_bucket_policy(Bucket=record.inputs["bucket"])
    return {"bucket": record.inputs["bucket"], "policy": answer["Policy"]}


def _of_bucket(create: str, delete: str | None, read: Any, **extra: Any) -> Spec:
    """A sub-resource of a bucket: put again on a change, keyed by the bucket."""
    removal = (delete, {"Bucket": "i.bucket"}) if delete else None
    return Spec("s3", create, id="i.bucket", upsert=True, identity=("bucket",), delete=removal, read=read, **extra)


SPECS = {
    "aws:s3/bucket:Bucket": Spec(
        "s3",
        "create_bucket",
        id="i.bucket",
        rename={"objectLockEnabled": "ObjectLockEnabledForBucket"},
        skip=("forceDestroy", "tags"),
        after=_bucket_after,
        outputs={"arn": _BUCKET_ARN},
        identity=("bucket", "objectLockEnabled"),
        update=_bucket_update,
        delete=("delete_bucket", {"Bucket": "i.bucket"}),
        read=_bucket_read,
        unread={"forceDestroy": "used when the bucket is deleted"},
    ),
    "aws:s3/bucketVersioning:BucketVersioning": _of_bucket("put_bucket_versioning", None, _versioning_read),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _of_bucket(
        "put_bucket_encryption",
        "delete_bucket_encryption",
        _encryption_read,
        rename={"rules": "ServerSideEncryptionConfiguration.Rules"},
        shape=_encryption_shape,
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _of_bucket(
        "put_public_access_block",
        "delete_public_access_block",
        _block_read,
        rename={key: f"PublicAccessBlockConfiguration.{key[0].upper()}{key[1:]}" for key in _BLOCKS},
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _of_bucket(
        "put_bucket_ownership_controls",
        "delete_bucket_ownership_controls",
        _ownership_read,
        rename={"rule": "OwnershipControls.Rules"},
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _of_bucket(
        "put_bucket_lifecycle_configuration",
        "delete_bucket_lifecycle",
        _lifecycle_read,
        rename={"rules": "LifecycleConfiguration.Rules"},
        shape=_lifecycle_shape,
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": _of_bucket(
        "put_object_lock_configuration", None, _lock_read, shape=_lock_shape
    ),
    "aws:s3/bucketPolicy:BucketPolicy": _of_bucket("put_bucket_policy", "delete_bucket_policy", _bucket_policy_read),
}
