"""Rules about everything else that holds data, and about the ways to it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.rules import (
    BUCKET,
    CLUSTER,
    DATA_TYPES,
    DATABASE,
    GUARD_TYPES,
    MEMBER,
    MINIMUM_BACKUP_DAYS,
    OBJECT_LOCK,
    REPLICA,
    SELECTION,
    TABLE,
    Found,
    Resource,
    of_type,
)

_POLICY_DOCUMENTS = ("policy", "assumeRolePolicy")


def kept(resources: Sequence[Resource]) -> Found:
    for resource in of_type(resources, *DATA_TYPES):
        missing = [name for name, flag in (("protect", resource.protect), ("retain", resource.retain)) if flag is False]
        if missing:
            yield resource.name, f"holds data and lacks {' and '.join(missing)}"
    for guard in of_type(resources, *GUARD_TYPES):
        if guard.retain is False:
            yield guard.name, "guards data that stays and would go itself"


def guarded(resources: Sequence[Resource]) -> Found:
    named = (
        (TABLE, "deletionProtectionEnabled"),
        (REPLICA, "deletionProtectionEnabled"),
        (DATABASE, "deletionProtection"),
        (CLUSTER, "deletionProtection"),
    )
    for type_, setting in named:
        for resource in of_type(resources, type_):
            if not resource.properties.get(setting):
                yield resource.name, "deletion protection is off"


_BUCKET_PARTS = {
    "versioned": "aws:s3/bucketVersioning:BucketVersioning",
    "encrypted": "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "private": "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "owned": "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "reached by TLS only": "aws:s3/bucketPolicy:BucketPolicy",
}


def _bucket_part_holds(part: str, properties: Mapping[str, Any]) -> bool:
    if part == "versioned":
        return bool((properties.get("versioningConfiguration") or {}).get("status") == "Enabled")
    if part == "encrypted":
        defaults = [rule.get("applyServerSideEncryptionByDefault") or {} for rule in properties["rules"]]
        return all(default.get("sseAlgorithm") == "aws:kms" for default in defaults) and bool(defaults)
    if part == "private":
        blocks = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        return all(properties.get(block) for block in blocks)
    if part == "owned":
        return bool((properties.get("rule") or {}).get("objectOwnership") == "BucketOwnerEnforced")
    text = str(properties.get("policy"))
    return "aws:SecureTransport" in text and "server-side-encryption-customer-algorithm" in text


def buckets(resources: Sequence[Resource]) -> Found:
    for bucket in of_type(resources, BUCKET):
        name = bucket.properties["bucket"]
        for part, type_ in _BUCKET_PARTS.items():
            mine = [entry for entry in of_type(resources, type_) if entry.properties.get("bucket") == name]
            if not any(_bucket_part_holds(part, entry.properties) for entry in mine):
                yield bucket.name, f"is not {part}"


def database(resources: Sequence[Resource]) -> Found:
    for database in of_type(resources, DATABASE, CLUSTER):
        of = database.properties
        if not of.get("storageEncrypted"):
            yield database.name, "is not encrypted"
        if (of.get("backupRetentionPeriod") or 0) < MINIMUM_BACKUP_DAYS:
            yield database.name, f"keeps its backups for less than {MINIMUM_BACKUP_DAYS} days"
        if of.get("publiclyAccessible"):
            yield database.name, "is reachable from the internet"
        if of.get("skipFinalSnapshot", True):
            yield database.name, "is deleted without a final snapshot"
        if of.get("password") or not of.get("manageMasterUserPassword"):
            yield database.name, "has a master password of its own instead of one that RDS manages"


def no_wildcards(resources: Sequence[Resource]) -> Found:
    """Roles, keys, buckets, topics alike: whatever carries a policy document."""
    for resource in resources:
        for document in _POLICY_DOCUMENTS:
            for statement in _statements(resource.properties.get(document)):
                if statement.get("Effect") == "Allow":
                    yield from ((resource.name, f"allows {found}") for found in _too_much(statement))


def _too_much(statement: Mapping[str, Any]) -> Iterator[str]:
    for member in ("NotAction", "NotPrincipal"):
        if member in statement:
            yield f"by {member}"
    principal = statement.get("Principal") or {}
    named = [principal] if isinstance(principal, str) else [*principal.values()]
    if any(who == "*" for entry in named for who in _listed(entry)):
        yield "everybody"
    yield from (action for action in _listed(statement.get("Action", [])) if "*" in action)


def _listed(entry: Any) -> list[str]:
    return [entry] if isinstance(entry, str) else list(entry)


def _statements(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, str) or not document.lstrip().startswith("{"):
        return []
    found = json.loads(document).get("Statement", [])
    return [found] if isinstance(found, dict) else list(found)


def covered(resources: Sequence[Resource]) -> Found:
    selected = {
        str(arn) for selection in of_type(resources, SELECTION) for arn in selection.properties.get("resources") or []
    }
    for resource in of_type(resources, TABLE, DATABASE, CLUSTER):
        if str(resource.properties.get("arn")) not in selected:
            yield resource.name, "is not in a backup selection"


def locked(resources: Sequence[Resource]) -> Found:
    locked = {found.properties.get("bucket") for found in of_type(resources, OBJECT_LOCK)}
    for bucket in of_type(resources, BUCKET):
        if bucket.properties.get("objectLockEnabled") and bucket.properties["bucket"] not in locked:
            yield bucket.name, "can lock its objects and has no retention: nothing in it is locked"


_WORLD = {"0.0.0.0/0", "::/0"}
_GROUPS = ("aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")


def closed(resources: Sequence[Resource]) -> Found:
    directions = ("Ingress", "Egress")
    for rule in of_type(resources, *(f"aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule" for way in directions)):
        address = rule.properties.get("cidrIpv4")
        if address == "0.0.0.0/0" or rule.properties.get("cidrIpv6"):
            yield rule.name, f"opens a port to {address or rule.properties.get('cidrIpv6')}"
    for member in of_type(resources, MEMBER):
        if member.properties.get("publiclyAccessible"):
            yield member.name, "is reachable from the internet"
    for group in of_type(resources, *_GROUPS):
        # The provider answers every rule of a group here, also those that are resources of their own.
        for rule in [*(group.properties.get("ingress") or []), *(group.properties.get("egress") or [])]:
            open_to = [*(rule.get("cidrBlocks") or []), *(rule.get("ipv6CidrBlocks") or [])]
            if _WORLD & {*open_to}:
                yield group.name, f"opens a port to {', '.join(open_to)}"
