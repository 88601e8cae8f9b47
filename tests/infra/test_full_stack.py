"""The full example: two tables, a replica, a cache, copies of backups; every rule kept, every setting found."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml  # type: ignore[import-untyped]

from infra.environment import EnvironmentDocument, parameter_path
from infra.policies import violations
from infra.rules import Resource
from ops.errors import SandboxBroken
from ops.sandbox.deploy import Deployment, Setting, cannot
from ops.sandbox.deploy.resources import REFUSALS
from ops.sandbox.provision import refuse_differences, summary

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


def test_only_listed_types_are_refused_and_each_has_a_reason(applied: Deployment) -> None:
    assert {type_ for type_, _ in applied.refused} == set(REFUSALS)
    assert all(reason.startswith(REFUSALS[type_]) for type_, reason in applied.refused)


UNREAD = {
    ("aws:backup/restoreTestingPlan:RestoreTestingPlan", "tags"),
    ("aws:backup/vaultLockConfiguration:VaultLockConfiguration", "changeableForDays"),
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
    unread = {
        (types[setting.urn], setting.setting)
        for setting in applied.settings
        if setting.note and types[setting.urn] not in REFUSALS
    }
    assert unread == UNREAD


def test_the_list_of_what_cannot_be_shown_names_everything_that_was_not(applied: Deployment) -> None:
    lines = "\n".join(cannot())
    for type_, name in UNREAD:
        assert f".{type_.rsplit(':', 1)[1]}.{name} is not read back: " in lines
    for type_ in REFUSALS:
        assert f"{type_.rsplit(':', 1)[1]} is not created: {REFUSALS[type_]}" in lines


def test_the_summary_counts_what_was_proven_and_names_the_rest(applied: Deployment) -> None:
    shown = summary(applied)
    noted = sum(bool(setting.note) for setting in applied.settings)
    declared = len(applied.settings)
    assert shown["settings"] == f"{declared} declared, {declared - noted} found as declared, {noted} not readable"
    assert "Target.tags: moto 5.2 cannot list the tags of a scalable target" in shown.values()


def test_nothing_that_differs_is_let_pass(applied: Deployment) -> None:
    refuse_differences(applied)
    wrong = replace(applied, settings=[*applied.settings, Setting("urn::table", "pitr", 35, 1)])
    with pytest.raises(SandboxBroken, match="1 declared settings") as refused:
        refuse_differences(wrong)
    assert "table.pitr: declared 35, found 1" in refused.value.why


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


def test_a_local_index_is_there(applied: Deployment, endpoint: str) -> None:
    table = client("dynamodb", endpoint).describe_table(TableName="books")["Table"]
    assert [index["IndexName"] for index in table["LocalSecondaryIndexes"]] == ["year_index"]


def test_evidence_cannot_be_deleted_and_points_cannot_be_shortened(applied: Deployment, endpoint: str) -> None:
    document = EnvironmentDocument.from_json(applied.outputs["environment"])
    lock = client("s3", endpoint).get_object_lock_configuration(Bucket=document.evidence_bucket)
    held = lock["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert (held["Mode"], held["Days"]) == ("COMPLIANCE", 365)
    for region, name in (("us-east-1", document.backup_vault), ("us-west-2", f"{document.backup_vault}-copies")):
        vault = client("backup", endpoint, region).describe_backup_vault(BackupVaultName=name)
        assert vault["MinRetentionDays"] == 30


def test_the_second_table_has_its_own_shape(applied: Deployment, endpoint: str) -> None:
    table = client("dynamodb", endpoint).describe_table(TableName="books")["Table"]
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["Author", "Title"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["CategoryIndex"]
