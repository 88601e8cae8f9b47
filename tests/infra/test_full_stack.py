"""The full example: two tables, a replica, a cache, copies of backups; every rule kept, every setting found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml  # type: ignore[import-untyped]

from infra.environment import EnvironmentDocument, parameter_path
from infra.policies import violations
from infra.rules import Resource
from ops.sandbox.deploy import Deployment

Apply = Callable[..., Deployment]
ROOT = Path(__file__).parents[2]


def full() -> dict[str, str]:
    found = yaml.safe_load((ROOT / "Pulumi.prod.yaml.example").read_text())["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


def client(service: str, endpoint: str, region: str = "us-east-1") -> Any:
    return boto3.client(service, endpoint_url=endpoint, region_name=region)


@pytest.fixture(scope="module")
def applied(stack: Apply) -> Deployment:
    return stack(**{**full(), "environmentClass": "production"})


def test_every_declared_setting_is_found(applied: Deployment) -> None:
    assert len(applied.settings) > 600
    assert applied.differences == []
    assert applied.refused == []


UNREAD = {
    ("aws:appautoscaling/target:Target", "tags"),
    ("aws:kms/key:Key", "deletionWindowInDays"),
    ("aws:rds/instance:Instance", "deleteAutomatedBackups"),
    ("aws:rds/instance:Instance", "finalSnapshotIdentifier"),
    ("aws:rds/instance:Instance", "skipFinalSnapshot"),
    ("aws:s3/bucket:Bucket", "forceDestroy"),
    ("aws:secretsmanager/secret:Secret", "recoveryWindowInDays"),
}


def test_only_listed_settings_go_unread_and_each_has_a_reason(applied: Deployment) -> None:
    types = {found.urn: found.type for found in applied.resources}
    unread = {(types[setting.urn], setting.setting) for setting in applied.settings if setting.note}
    assert unread == UNREAD


def test_the_stack_keeps_every_rule(applied: Deployment) -> None:
    resources = [
        Resource(found.type, found.name, {**found.outputs, **found.inputs}, found.protect, found.retain)
        for found in applied.resources
    ]
    assert violations(resources) == []


def test_the_replica_exists_and_is_guarded(applied: Deployment, endpoint: str) -> None:
    for name in ("top_tracks", "books"):
        there = client("dynamodb", endpoint, "us-west-2")
        table = there.describe_table(TableName=name)["Table"]
        assert table["DeletionProtectionEnabled"] is True
        backups = there.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_the_replica_was_made_after_every_write_policy_at_home(applied: Deployment) -> None:
    order = [
        urn.rsplit("::", 1)[1]
        for operation, urn in applied.operations
        if "appautoscaling/policy" in urn or "Replica" in urn
    ]
    for name in ("top_tracks", "books"):
        policies = [
            at
            for at, entry in enumerate(order)
            if entry.startswith(f"{name}-") and entry.endswith("-write") and "us-west-2" not in entry
        ]
        assert len(policies) == 2
        assert order.index(f"{name}-us-west-2") > max(policies)


def test_the_document_is_the_same_in_both_regions(applied: Deployment, endpoint: str) -> None:
    name = parameter_path("dynamo-ops", "sandbox")
    found = [
        client("ssm", endpoint, region).get_parameter(Name=name)["Parameter"]["Value"]
        for region in ("us-east-1", "us-west-2")
    ]
    assert found[0] == found[1] == applied.outputs["environment"]
    document = EnvironmentDocument.from_json(found[0])
    assert set(document.tables) == {"top_tracks", "books"}
    assert document.cache is not None and document.cache.endpoint.startswith("daxs://")
    assert document.tables["books"].partition_key.name == "Author"


def test_the_second_table_has_its_own_shape(applied: Deployment, endpoint: str) -> None:
    table = client("dynamodb", endpoint).describe_table(TableName="books")["Table"]
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["Author", "Title"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["CategoryIndex"]
