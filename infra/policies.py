"""Rules that every stack keeps, as data: one sentence and one function over all resources each.

They run in the tests over the resources that an apply recorded, and as a Pulumi policy pack
(`pulumi preview --policy-pack infra/policypack`).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.schema import TARGET_PERCENT

MINIMUM_PITR_DAYS = 7
MINIMUM_BACKUP_DAYS = 7

TABLE = "aws:dynamodb/table:Table"
REPLICA = "aws:dynamodb/tableReplica:TableReplica"
DATABASE = "aws:rds/instance:Instance"
BUCKET = "aws:s3/bucket:Bucket"
KEY = "aws:kms/key:Key"
SECRET = "aws:secretsmanager/secret:Secret"
VAULT = "aws:backup/vault:Vault"
SELECTION = "aws:backup/selection:Selection"
TARGET = "aws:appautoscaling/target:Target"
POLICY = "aws:appautoscaling/policy:Policy"
PARAMETER = "aws:ssm/parameter:Parameter"
DATA_TYPES = (TABLE, REPLICA, DATABASE, BUCKET, KEY, SECRET, VAULT)
_POLICY_DOCUMENTS = ("policy", "assumeRolePolicy")


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


def violations(resources: Sequence[Resource]) -> list[Violation]:
    """Every broken promise of a stack."""
    return [Violation(rule.name, name, reason) for rule in RULES for name, reason in rule.check(resources)]


def of_type(resources: Iterable[Resource], *types: str) -> Iterator[Resource]:
    return (resource for resource in resources if resource.type in types)


Found = Iterator[tuple[str, str]]


def _time_travel(resources: Sequence[Resource]) -> Found:
    for table in of_type(resources, TABLE):
        pitr = table.properties.get("pointInTimeRecovery") or {}
        days = pitr.get("recoveryPeriodInDays") or 0
        if not pitr.get("enabled") or days < MINIMUM_PITR_DAYS:
            yield table.name, f"point-in-time recovery covers {days:g} days, not {MINIMUM_PITR_DAYS}"
    for replica in of_type(resources, REPLICA):
        if not replica.properties.get("pointInTimeRecovery"):
            yield replica.name, "point-in-time recovery is off; it is regional and not copied from the table"


def _kept(resources: Sequence[Resource]) -> Found:
    for resource in of_type(resources, *DATA_TYPES):
        missing = [name for name, flag in (("protect", resource.protect), ("retain", resource.retain)) if flag is False]
        if missing:
            yield resource.name, f"holds data and lacks {' and '.join(missing)}"


def _guarded(resources: Sequence[Resource]) -> Found:
    named = (
        (TABLE, "deletionProtectionEnabled"),
        (REPLICA, "deletionProtectionEnabled"),
        (DATABASE, "deletionProtection"),
    )
    for type_, setting in named:
        for resource in of_type(resources, type_):
            if not resource.properties.get(setting):
                yield resource.name, "deletion protection is off"


def _scaled(resources: Sequence[Resource]) -> Found:
    """Two targets and two policies per table and index, in the home Region and in each replica's."""
    regions: dict[str, set[str | None]] = {}
    for replica in of_type(resources, REPLICA):
        replicated = str(replica.properties["globalTableArn"]).rsplit("/", 1)[-1]
        regions.setdefault(replicated, set()).add(replica.properties.get("region"))
    for table in of_type(resources, TABLE):
        if table.properties.get("billingMode") == "PROVISIONED":
            in_regions = sorted(regions.get(table.properties["name"], set()) | {None}, key=str)
            yield from _unscaled(resources, table, in_regions)


def _unscaled(resources: Sequence[Resource], table: Resource, regions: Sequence[str | None]) -> Found:
    for kind in (TARGET, POLICY):
        held = _scaling(resources, kind)
        for region in regions:
            where = f" in {region}" if region else ""
            for needed in _dimensions(table):
                if (region, *needed) not in held:
                    yield table.name, f"{needed[0]} has no scaling {kind.rsplit(':', 1)[1].lower()}{where}"


def _scaling(resources: Sequence[Resource], kind: str) -> set[tuple[Any, str, str]]:
    # A Region is recorded only where it is not the home Region.
    return {
        (
            found.properties.get("region"),
            found.properties["resourceId"],
            found.properties["scalableDimension"],
        )
        for found in of_type(resources, kind)
    }


def _dimensions(table: Resource) -> Iterator[tuple[str, str]]:
    name = table.properties["name"]
    scopes = [("table", f"table/{name}")]
    for index in table.properties.get("globalSecondaryIndexes") or []:
        scopes.append(("index", f"table/{name}/index/{index['name']}"))
    for kind, identifier in scopes:
        for units in ("Read", "Write"):
            yield identifier, f"dynamodb:{kind}:{units}CapacityUnits"


def _target_utilization(resources: Sequence[Resource]) -> Found:
    for policy in of_type(resources, POLICY):
        tracking = policy.properties.get("targetTrackingScalingPolicyConfiguration") or {}
        if tracking.get("targetValue") != TARGET_PERCENT:
            yield policy.name, f"tracks {tracking.get('targetValue')} %, not {TARGET_PERCENT} %"


def _floors(resources: Sequence[Resource]) -> Found:
    declared: dict[tuple[str, str], Any] = {}
    for table in of_type(resources, TABLE):
        name = table.properties["name"]
        scopes = [(f"table/{name}", table.properties)]
        scopes += [
            (f"table/{name}/index/{index['name']}", index)
            for index in table.properties.get("globalSecondaryIndexes") or []
        ]
        for identifier, of in scopes:
            declared[identifier, "Read"] = of.get("readCapacity")
            declared[identifier, "Write"] = of.get("writeCapacity")
    for target in of_type(resources, TARGET):
        units = "Read" if "Read" in target.properties["scalableDimension"] else "Write"
        floor = declared.get((target.properties["resourceId"], units))
        if floor != target.properties["minCapacity"]:
            yield target.name, f"scales from {target.properties['minCapacity']:g}, the table declares {floor}"


def _attributes(resources: Sequence[Resource]) -> Found:
    for table in of_type(resources, TABLE):
        keys = {table.properties.get("hashKey"), table.properties.get("rangeKey")}
        for index in table.properties.get("globalSecondaryIndexes") or []:
            keys |= {key["attributeName"] for key in index.get("keySchemas") or []}
        declared = {attribute["name"] for attribute in table.properties["attributes"]}
        if declared != keys - {None}:
            yield (
                table.name,
                f"declares {sorted(declared)} and uses {sorted(key for key in keys if key)} as keys",
            )


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


def _buckets(resources: Sequence[Resource]) -> Found:
    for bucket in of_type(resources, BUCKET):
        name = bucket.properties["bucket"]
        for part, type_ in _BUCKET_PARTS.items():
            mine = [entry for entry in of_type(resources, type_) if entry.properties.get("bucket") == name]
            if not any(_bucket_part_holds(part, entry.properties) for entry in mine):
                yield bucket.name, f"is not {part}"


def _database(resources: Sequence[Resource]) -> Found:
    for database in of_type(resources, DATABASE):
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


def _no_wildcards(resources: Sequence[Resource]) -> Found:
    for resource in resources:
        if not resource.type.startswith("aws:iam/") and resource.type != KEY:
            continue
        for document in _POLICY_DOCUMENTS:
            for statement in _statements(resource.properties.get(document)):
                actions = statement.get("Action", [])
                named = [actions] if isinstance(actions, str) else actions
                wild = [action for action in named if "*" in action]
                if "NotAction" in statement or (wild and statement.get("Effect") == "Allow"):
                    yield resource.name, f"allows {', '.join(wild) or 'by NotAction'}"


def _statements(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, str):
        return []
    found: list[dict[str, Any]] = json.loads(document).get("Statement", [])
    return found


def _regions(resources: Sequence[Resource]) -> Found:
    for replica in of_type(resources, REPLICA):
        home = str(replica.properties["globalTableArn"]).split(":")[3]
        if replica.properties.get("region") in (None, home):
            yield replica.name, f"lies in {home}, where its table is"


def _covered(resources: Sequence[Resource]) -> Found:
    selected = {
        str(arn) for selection in of_type(resources, SELECTION) for arn in selection.properties.get("resources") or []
    }
    for resource in of_type(resources, TABLE, DATABASE):
        if str(resource.properties.get("arn")) not in selected:
            yield resource.name, "is not in a backup selection"


def _closed(resources: Sequence[Resource]) -> Found:
    for rule in of_type(resources, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"):
        address = rule.properties.get("cidrIpv4")
        if address == "0.0.0.0/0" or rule.properties.get("cidrIpv6"):
            yield rule.name, f"opens a port to {address or rule.properties.get('cidrIpv6')}"
    for group in of_type(resources, "aws:ec2/securityGroup:SecurityGroup"):
        if group.properties.get("ingress") or group.properties.get("egress"):
            yield group.name, "has rules inline, out of sight of the rule above"


def _pointers(resources: Sequence[Resource]) -> Found:
    for parameter in of_type(resources, PARAMETER):
        if "/tables/" in str(parameter.properties.get("name")):
            yield (
                parameter.name,
                "is the pointer of a table; it belongs to ops, an update would undo a cut-over",
            )


RULES = (
    Rule("time-travel", f"every table keeps {MINIMUM_PITR_DAYS} days of point-in-time recovery", _time_travel),
    Rule("kept", "what holds data is protected and retained", _kept),
    Rule("guarded", "tables, replicas and databases have deletion protection", _guarded),
    Rule("scaled", "every provisioned table and index scales reads and writes in every Region", _scaled),
    Rule("target", f"scaling tracks {TARGET_PERCENT} %", _target_utilization),
    Rule("floor", "scaling starts at the declared capacity", _floors),
    Rule("attributes", "a table declares the attributes of its keys and no other", _attributes),
    Rule("bucket", "buckets are versioned, encrypted, private, owned and reached by TLS only", _buckets),
    Rule("database", "databases are encrypted, backed up, private and hold no password of ours", _database),
    Rule("actions", "no policy allows a wildcard action", _no_wildcards),
    Rule("region", "a replica lies in another Region than its table", _regions),
    Rule("covered", "AWS Backup covers every table and database", _covered),
    Rule("closed", "no port is open to the world", _closed),
    Rule("pointer", "the pointer of a table is no resource of the program", _pointers),
)
