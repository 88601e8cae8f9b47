"""What the rules are made of: resources as declared, promises, and what breaks them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MINIMUM_PITR_DAYS = 7
MINIMUM_BACKUP_DAYS = 7

TABLE = "aws:dynamodb/table:Table"
REPLICA = "aws:dynamodb/tableReplica:TableReplica"
DATABASE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
MEMBER = "aws:rds/clusterInstance:ClusterInstance"
BUCKET = "aws:s3/bucket:Bucket"
KEY = "aws:kms/key:Key"
SECRET = "aws:secretsmanager/secret:Secret"
VAULT = "aws:backup/vault:Vault"
OBJECT_LOCK = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
SELECTION = "aws:backup/selection:Selection"
TARGET = "aws:appautoscaling/target:Target"
POLICY = "aws:appautoscaling/policy:Policy"
PARAMETER = "aws:ssm/parameter:Parameter"
# What keeps data safe and is retained with it; it may be replaced, so it is not protected.
GUARD_TYPES = (
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "aws:s3/bucketPolicy:BucketPolicy",
    OBJECT_LOCK,
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
)
DATA_TYPES = (TABLE, REPLICA, DATABASE, CLUSTER, MEMBER, BUCKET, KEY, SECRET, VAULT)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as declared: inputs merged with what the provider answered, and its options."""

    type: str
    name: str
    properties: Mapping[str, Any]
    protect: bool | None = None
    retain: bool | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A promise and the function that finds what breaks it (resource name and reason)."""

    name: str
    promise: str
    check: Callable[[Sequence[Resource]], Iterable[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Violation:
    rule: str
    resource: str
    reason: str


def of_type(resources: Iterable[Resource], *types: str) -> Iterator[Resource]:
    return (resource for resource in resources if resource.type in types)


Found = Iterator[tuple[str, str]]
