"""Keys, buckets, secrets and parameters."""

from typing import Any

from ops.sandbox.deploy.model import Inputs, Record
from ops.sandbox.deploy.spec import Client, Document, Spec, fields, plain, tag_map

_BUCKET_ARN = "join('', ['arn:aws:s3:::', i.bucket])"
_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _tag_list(tags: Inputs, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


# -- keys -------------------------------------------------------------------------------------------


def _key_after(client: Client, inputs: Inputs, response: Document) -> None:
    if inputs.get("enableKeyRotation"):
        client("kms").enable_key_rotation(KeyId=response["KeyMetadata"]["KeyId"])


def _key_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    kms = client("kms")
    if "description" in changed:
        kms.update_key_description(KeyId=record.id, Description=new["description"])
    if "policy" in changed:
        kms.put_key_policy(KeyId=record.id, PolicyName="default", Policy=new["policy"])
    if "tags" in changed:
        kms.tag_resource(KeyId=record.id, Tags=_tag_list(new["tags"], "TagKey", "TagValue"))


def _key_read(client: Client, record: Record) -> Document:
    kms = client("kms")
    found = fields(plain(kms.describe_key(KeyId=record.id)), description="KeyMetadata.Description")
    found["enableKeyRotation"] = kms.get_key_rotation_status(KeyId=record.id)["KeyRotationEnabled"]
    found["policy"] = kms.get_key_policy(KeyId=record.id, PolicyName="default")["Policy"]
    tags = kms.list_resource_tags(KeyId=record.id)["Tags"]
    return {**found, "tags": tag_map(tags, "TagKey", "TagValue")}


def _alias_read(client: Client, record: Record) -> Document:
    aliases = plain(client("kms").list_aliases(KeyId=record.inputs["targetKeyId"]))["Aliases"]
    mine = [alias for alias in aliases if alias["AliasName"] == record.inputs["name"]]
    return fields(mine[0] if mine else {}, name="AliasName", targetKeyId="TargetKeyId")


# -- buckets ----------------------------------------------------------------------------------------


def _bucket_after(client: Client, inputs: Inputs, _: Document) -> None:
    if inputs.get("tags"):
        tagging = {"TagSet": _tag_list(inputs["tags"])}
        client("s3").put_bucket_tagging(Bucket=inputs["bucket"], Tagging=tagging)


def _bucket_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    _bucket_after(client, new, {})


def _bucket_read(client: Client, record: Record) -> Document:
    s3, bucket = client("s3"), record.inputs["bucket"]
    s3.head_bucket(Bucket=bucket)
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"] if record.inputs.get("tags") else []
    return {"bucket": bucket, "tags": tag_map(tags)}


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


# -- secrets and parameters -------------------------------------------------------------------------


def _secret_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    secrets = client("secretsmanager")
    if changed & {"description", "kmsKeyId"}:
        secrets.update_secret(SecretId=record.id, Description=new["description"], KmsKeyId=new["kmsKeyId"])
    if "tags" in changed:
        secrets.tag_resource(SecretId=record.id, Tags=_tag_list(new["tags"]))


def _secret_read(client: Client, record: Record) -> Document:
    answer = plain(client("secretsmanager").describe_secret(SecretId=record.id))
    found = fields(answer, name="Name", description="Description", kmsKeyId="KmsKeyId")
    return {**found, "tags": tag_map(answer.get("Tags"))}


def _parameter_update(client: Client, record: Record, new: Inputs, changed: set[str]) -> None:
    """Overwriting takes no tags, so these go their own way."""
    ssm, name = client("ssm"), new["name"]
    if "tags" in changed:
        ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=_tag_list(new["tags"]))
    if changed - {"tags"}:
        ssm.put_parameter(
            Name=name,
            Value=new["value"],
            Type=new["type"],
            Tier=new["tier"],
            Description=new["description"],
            Overwrite=True,
        )


def _parameter_read(client: Client, record: Record) -> Document:
    ssm, name = client("ssm"), record.inputs["name"]
    held = plain(ssm.get_parameter(Name=name, WithDecryption=True))["Parameter"]
    condition = {"Key": "Name", "Option": "Equals", "Values": [name]}
    described = plain(ssm.describe_parameters(ParameterFilters=[condition]))["Parameters"][0]
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    return {
        **fields(held, name="Name", value="Value", type="Type"),
        **fields(described, description="Description", tier="Tier"),
        "tags": tag_map(tags),
    }


SPECS = {
    "aws:kms/key:Key": Spec(
        "kms",
        "create_key",
        id="o.KeyMetadata.KeyId",
        skip=("enableKeyRotation", "deletionWindowInDays"),
        after=_key_after,
        outputs={"arn": "o.KeyMetadata.Arn", "keyId": "o.KeyMetadata.KeyId"},
        identity=("enableKeyRotation",),
        update=_key_update,
        delete=("schedule_key_deletion", {"KeyId": "id"}),
        read=_key_read,
        unread={"deletionWindowInDays": "used when the key is deleted"},
    ),
    "aws:kms/alias:Alias": Spec(
        "kms",
        "create_alias",
        rename={"name": "AliasName"},
        delete=("delete_alias", {"AliasName": "i.name"}),
        read=_alias_read,
    ),
    "aws:s3/bucket:Bucket": Spec(
        "s3",
        "create_bucket",
        id="i.bucket",
        skip=("forceDestroy", "tags"),
        after=_bucket_after,
        outputs={"arn": _BUCKET_ARN},
        identity=("bucket",),
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
    "aws:s3/bucketPolicy:BucketPolicy": _of_bucket("put_bucket_policy", "delete_bucket_policy", _bucket_policy_read),
    "aws:secretsmanager/secret:Secret": Spec(
        "secretsmanager",
        "create_secret",
        id="o.ARN",
        skip=("recoveryWindowInDays",),
        outputs={"arn": "o.ARN"},
        update=_secret_update,
        delete=("delete_secret", {"SecretId": "id"}),
        read=_secret_read,
        unread={"recoveryWindowInDays": "used when the secret is deleted"},
    ),
    "aws:ssm/parameter:Parameter": Spec(
        "ssm",
        "put_parameter",
        outputs={"version": "o.Version"},
        identity=("name", "type"),
        update=_parameter_update,
        delete=("delete_parameter", {"Name": "i.name"}),
        read=_parameter_read,
    ),
}
