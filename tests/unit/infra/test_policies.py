"""Each rule holds over the declared stack, and each is broken by one planted fault: no rule is blind."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from infra import rules as policies
from infra.config import StackConfig
from infra.policies import RULES, violations
from infra.rules import Resource
from infra.stack import Stack

ROOT = Path(__file__).parents[3]
Fault = Callable[[Resource], Resource | None]
BOOKS = {
    "partitionKey": "Author",
    "sortKey": "Title",
    "localIndexes": [{"name": "by_year", "sortKey": {"name": "Year", "type": "N"}}],
    "indexes": [{"name": "CategoryIndex", "partitionKey": "Category"}],
}
SWITCHES = ("databaseEnabled", "databaseMultiAz", "cacheEnabled", "importErrorAlarm")
DAYS = ("evidenceLockDays", "backupLockDays", "restoreProofDays")
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def recorded(record: Any, **values: str) -> list[Resource]:
    config = StackConfig.from_values("dynamo-ops", "test", "us-east-1", values)
    found = record(lambda: Stack(config)).resources
    return [Resource(entry.type, entry.name, entry.inputs, entry.protect, entry.retain) for entry in found]


@pytest.fixture(scope="module")
def declared(record: Any) -> tuple[Resource, ...]:
    tables = json.dumps({"top_tracks": {}, "books": BOOKS})
    values = {"replicaRegions": "us-west-2", "cacheEnabled": "true", "evidenceLockDays": "30", "tables": tables}
    return tuple(recorded(record, **values))


@pytest.fixture
def stack(declared: tuple[Resource, ...]) -> list[Resource]:
    return list(declared)


def test_the_declared_stack_keeps_every_rule(stack: list[Resource]) -> None:
    assert violations(stack) == []


def set_to(**values: Any) -> Fault:
    return lambda found: replace(found, properties={**found.properties, **values})


def allowing(document: str, **members: Any) -> Fault:
    """The document allows what `members` say."""
    return set_to(**{document: json.dumps({"Statement": [{"Effect": "Allow", "Resource": "*", **members}]})})


def gone(_: Resource) -> None:
    return None


FAULTS: list[tuple[str, str, Fault]] = [
    ("time-travel", policies.TABLE, set_to(pointInTimeRecovery={"enabled": False})),
    ("time-travel", policies.TABLE, set_to(pointInTimeRecovery={"enabled": True, "recoveryPeriodInDays": 1})),
    ("time-travel", policies.REPLICA, set_to(pointInTimeRecovery=False)),
    ("kept", policies.BUCKET, lambda found: replace(found, protect=False)),
    ("kept", policies.DATABASE, lambda found: replace(found, retain=False)),
    ("kept", "aws:s3/bucketPolicy:BucketPolicy", lambda found: replace(found, retain=False)),
    ("kept", policies.OBJECT_LOCK, lambda found: replace(found, retain=False)),
    ("guarded", policies.TABLE, set_to(deletionProtectionEnabled=False)),
    ("guarded", policies.DATABASE, set_to(deletionProtection=False)),
    ("scaled", policies.TARGET, gone),
    ("scaled", policies.POLICY, gone),
    ("target", policies.POLICY, set_to(targetTrackingScalingPolicyConfiguration={"targetValue": 90.0})),
    ("floor", policies.TARGET, set_to(minCapacity=6)),
    ("attributes", policies.TABLE, set_to(attributes=[{"name": "unused", "type": "S"}])),
    ("bucket", "aws:s3/bucketVersioning:BucketVersioning", set_to(versioningConfiguration={"status": "Suspended"})),
    ("bucket", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", set_to(blockPublicPolicy=False)),
    ("bucket", "aws:s3/bucketOwnershipControls:BucketOwnershipControls", gone),
    ("bucket", "aws:s3/bucketPolicy:BucketPolicy", set_to(policy="{}")),
    (
        "bucket",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        set_to(rules=[{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]),
    ),
    ("database", policies.DATABASE, set_to(storageEncrypted=False)),
    ("database", policies.DATABASE, set_to(backupRetentionPeriod=1)),
    ("database", policies.DATABASE, set_to(publiclyAccessible=True)),
    ("database", policies.DATABASE, set_to(skipFinalSnapshot=True)),
    ("database", policies.DATABASE, set_to(password="x")),
    ("actions", "aws:iam/rolePolicy:RolePolicy", allowing("policy", Action="dynamodb:*")),
    ("actions", policies.KEY, allowing("policy", NotAction=["kms:Decrypt"])),
    ("actions", "aws:sns/topicPolicy:TopicPolicy", allowing("policy", Principal="*", Action="sns:Publish")),
    ("actions", "aws:iam/role:Role", allowing("assumeRolePolicy", Principal={"AWS": "*"}, Action="sts:AssumeRole")),
    ("floor", policies.TABLE, set_to(writeCapacity=1000)),
    ("parity", policies.REPLICA, set_to(tags={})),
    ("region", policies.REPLICA, set_to(region="us-east-1")),
    ("covered", policies.SELECTION, set_to(resources=[])),
    ("locked", policies.OBJECT_LOCK, gone),
    ("closed", RULE, set_to(cidrIpv4="0.0.0.0/0")),
    ("closed", "aws:ec2/securityGroup:SecurityGroup", set_to(egress=[{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}])),
    ("closed", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", set_to(ingress=[{"ipv6CidrBlocks": ["::/0"]}])),
    ("pointer", policies.PARAMETER, set_to(name="/dynamo-ops/test/tables/top_tracks")),
]


@pytest.mark.parametrize(("rule", "type_", "fault"), FAULTS)
def test_a_planted_fault_breaks_its_rule(stack: list[Resource], rule: str, type_: str, fault: Fault) -> None:
    at = next(at for at, found in enumerate(stack) if found.type == type_)
    changed = fault(stack[at])
    broken = [*stack[:at], *([changed] if changed else []), *stack[at + 1 :]]
    assert rule in {found.rule for found in violations(broken)}


def test_every_rule_has_a_planted_fault() -> None:
    assert {rule for rule, _, _ in FAULTS} == {rule.name for rule in RULES}


STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/changes"
KEYS = {
    "tableKmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1234",
    "replicaKmsKeyArns": json.dumps({"us-west-2": "arn:aws:kms:us-west-2:123456789012:key/1234"}),
}
VARIANTS: dict[str, dict[str, str]] = {
    "PostgreSQL in two zones, backed up in another Region": {
        "databaseMultiAz": "true",
        "databaseBackupRegion": "us-west-2",
    },
    "MySQL": {"databaseEngine": "mysql"},
    "Aurora MySQL": {"databaseEngine": "aurora-mysql"},
    "Aurora PostgreSQL with a reader": {"databaseEngine": "aurora-postgresql", "databaseMultiAz": "true"},
    "no database": {"databaseEnabled": "false"},
    "on demand with ceilings": {"billingMode": "PAY_PER_REQUEST", "onDemandMaximumReadUnits": "100"},
    "infrequent access, two replicas": {
        "tableClass": "STANDARD_INFREQUENT_ACCESS",
        "replicaRegions": "us-west-2,eu-west-1",
    },
    "customer keys": {"replicaRegions": "us-west-2", **KEYS},
    "Kinesis": {"kinesisStreamArn": STREAM},
    "a second table with a local index": {"tables": json.dumps({"top_tracks": {}, "books": BOOKS})},
    "evidence under Object Lock": {"evidenceLockDays": "30", "evidenceLockMode": "COMPLIANCE"},
    "bastion and endpoints": {"bastionEnabled": "true", "interfaceEndpoints": "kms"},
    "locked backups, copied, tried": {
        "backupLockDays": "7",
        "backupCopyRegion": "us-west-2",
        "restoreTestingSchedule": "cron(0 6 ? * 1 *)",
    },
    "cache and every alarm": {
        "cacheEnabled": "true",
        "restoreProofDays": "7",
        "importErrorAlarm": "true",
        "alarmEmail": "a@example.org",
    },
    "adopted table and database": {"adoptTables": "top_tracks", "adoptDatabase": "true"},
}


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_keeps_every_rule(record: Any, values: dict[str, str]) -> None:
    assert violations(recorded(record, **values)) == []


@pytest.mark.parametrize("name", ["Pulumi.dev.yaml", "Pulumi.prod.yaml.example"])
def test_the_example_stacks_keep_every_rule(record: Any, name: str) -> None:
    found = yaml.safe_load((ROOT / name).read_text())["config"]
    own = {key.removeprefix("dynamo-ops:"): value for key, value in found.items() if key.startswith("dynamo-ops:")}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in own.items()}
    assert violations(recorded(record, **texts)) == []


@settings(max_examples=12, deadline=None)
@given(
    billing=st.sampled_from(["PROVISIONED", "PAY_PER_REQUEST"]),
    replicas=st.lists(st.sampled_from(["us-west-2", "eu-west-1"]), unique=True),
    engine=st.sampled_from(["postgres", "mysql", "aurora-postgresql", "aurora-mysql"]),
    switches=st.fixed_dictionaries({name: st.booleans() for name in SWITCHES}),
    days_by_key=st.fixed_dictionaries({name: st.integers(0, 7) for name in DAYS}),
    floor=st.integers(1, 50),
    days=st.integers(7, 35),
    second=st.booleans(),
)
def test_every_valid_stack_keeps_every_rule_and_names_nothing_twice(
    record: Any,
    billing: str,
    replicas: list[str],
    engine: str,
    switches: dict[str, bool],
    days_by_key: dict[str, int],
    floor: int,
    days: int,
    second: bool,
) -> None:
    values = {
        "billingMode": billing,
        "replicaRegions": json.dumps(replicas),
        "databaseEngine": engine,
        "readCapacity": str(floor),
        "pitrDays": str(days),
        **{name: str(on).lower() for name, on in switches.items()},
        **{name: str(number) for name, number in days_by_key.items()},
        "bastionEnabled": str(switches["databaseEnabled"] and switches["databaseMultiAz"]).lower(),
        "backupCopyRegion": "us-west-2" if second else "",
        "restoreTestingSchedule": "cron(0 6 ? * 1 *)" if second else "",
    }
    if second:
        values["tables"] = json.dumps({"top_tracks": {}, "books": BOOKS})
    resources = recorded(record, **values)
    assert violations(resources) == []
    named = [(found.type, found.name) for found in resources]
    assert len(set(named)) == len(named)
    physical = [
        (found.type, found.properties["name"], found.properties.get("region"), found.properties.get("role"))
        for found in resources
        if found.properties.get("name") and found.type != "aws:backup/restoreTestingSelection:RestoreTestingSelection"
    ]
    assert len(set(physical)) == len(physical)


def test_the_policy_pack_reports_what_the_rules_find(stack: list[Resource]) -> None:
    from infra.policypack.__main__ import stack_policy

    fault = next(at for at, found in enumerate(stack) if found.type == policies.TABLE)
    stack[fault] = replace(stack[fault], properties={**stack[fault].properties, "deletionProtectionEnabled": False})
    reported: list[tuple[str, str | None]] = []
    for rule in RULES:
        policy: Any = stack_policy(rule)
        policy.validate(_arguments(stack), lambda message, urn=None: reported.append((message, urn)))
    assert reported == [(f"{stack[fault].name} deletion protection is off", f"urn:{stack[fault].name}")]


def _arguments(resources: list[Resource]) -> Any:
    return SimpleNamespace(
        resources=[
            SimpleNamespace(
                resource_type=found.type,
                name=found.name,
                urn=f"urn:{found.name}",
                props=found.properties,
                opts=SimpleNamespace(protect=found.protect),
            )
            for found in resources
        ]
    )
