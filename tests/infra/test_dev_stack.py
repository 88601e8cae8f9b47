"""The dev stack, applied to the sandbox: declared = found, a second apply changes nothing, a change is one change."""

import json
import time
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
COLD_S, UNCHANGED_S = 10.0, 1.5  # of this process's own time: other load on the machine does not count


def dev(**more: str) -> dict[str, str]:
    found = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]
    return {**found, "environmentClass": "development", **more}


def client(service: str, endpoint: str, region: str = "us-east-1") -> Any:
    return boto3.client(service, endpoint_url=endpoint, region_name=region)


@pytest.fixture(scope="module")
def first(stack: Apply) -> tuple[Deployment, float]:
    began = time.process_time()
    deployment = stack(**dev())
    return deployment, time.process_time() - began


def test_everything_declared_is_created(first: tuple[Deployment, float]) -> None:
    deployment, seconds = first
    assert set(deployment.counts) == {"create"}
    assert deployment.counts["create"] >= 60
    assert seconds < COLD_S


def test_every_declared_setting_is_found(first: tuple[Deployment, float]) -> None:
    deployment, _ = first
    assert len(deployment.settings) > 300
    assert deployment.differences == []


def test_nothing_is_refused(first: tuple[Deployment, float]) -> None:
    assert first[0].refused == []


def test_the_stack_keeps_every_rule(first: tuple[Deployment, float]) -> None:
    deployment, _ = first
    resources = [
        Resource(found.type, found.name, {**found.outputs, **found.inputs}, found.protect, found.retain)
        for found in deployment.resources
    ]
    assert violations(resources) == []


def test_ops_finds_the_document_that_the_program_wrote(first: tuple[Deployment, float], endpoint: str) -> None:
    name = parameter_path("dynamo-ops", "sandbox")
    text = client("ssm", endpoint).get_parameter(Name=name)["Parameter"]["Value"]
    document = EnvironmentDocument.from_json(text)
    assert text == first[0].outputs["environment"]
    table = document.tables["top_tracks"]
    described = client("dynamodb", endpoint).describe_table(TableName=table.physical)["Table"]
    assert described["TableArn"] == table.arn
    assert [index["IndexName"] for index in described["GlobalSecondaryIndexes"]] == [table.indexes[0].name]
    assert document.database is not None
    secret = client("secretsmanager", endpoint).get_secret_value(SecretId=document.database.secret_arn)
    assert set(json.loads(secret["SecretString"])) >= {"username", "password"}
    for arn in document.roles.values():
        assert client("iam", endpoint).get_role(RoleName=arn.rsplit("/", 1)[1])["Role"]["Arn"] == arn


def test_the_state_holds_no_secret(first: tuple[Deployment, float], endpoint: str) -> None:
    document = EnvironmentDocument.from_json(first[0].outputs["environment"])
    assert document.database is not None
    secret = client("secretsmanager", endpoint).get_secret_value(SecretId=document.database.secret_arn)
    password = json.loads(secret["SecretString"])["password"]
    assert password not in repr(first[0].resources)


def test_an_unchanged_second_apply_changes_nothing(first: tuple[Deployment, float], stack: Apply) -> None:
    began = time.process_time()
    again = stack(**dev())
    assert again.counts == {"same": len(first[0].operations)}
    assert again.outputs == first[0].outputs
    assert time.process_time() - began < UNCHANGED_S


def test_drift_of_an_unchanged_stack_is_found_when_asked_for(
    first: tuple[Deployment, float], stack: Apply, endpoint: str
) -> None:
    dynamodb = client("dynamodb", endpoint)
    assert stack(**dev()).settings == []
    whole = stack(read_all=True, **dev())
    assert len(whole.settings) == len(first[0].settings) and whole.differences == []
    dynamodb.update_continuous_backups(
        TableName="top_tracks",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 3},
    )
    (drifted,) = stack(read_all=True, **dev()).differences
    assert drifted.setting == "pointInTimeRecovery" and drifted.found["recoveryPeriodInDays"] == 3
    dynamodb.update_continuous_backups(
        TableName="top_tracks",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35},
    )


def test_one_changed_value_is_exactly_the_expected_updates(first: tuple[Deployment, float], stack: Apply) -> None:
    changed = stack(**dev(maximumReadCapacity="40"))
    updated = {urn.rsplit("::", 1)[1] for operation, urn in changed.operations if operation == "update"}
    assert updated == {"top_tracks-table-read", "top_tracks-genre_index-read", "environment"}
    assert set(changed.counts) == {"same", "update"}
    assert changed.differences == []
    document = EnvironmentDocument.from_json(changed.outputs["environment"])
    rules = document.tables["top_tracks"].contract.scaling
    assert {rule.maximum for rule in rules if rule.dimension == "read"} == {40}


INDEXES = [{"name": "genre_index", "partitionKey": "genre"}, {"name": "by_year", "partitionKey": "year"}]
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234"
AT_THE_TABLE = ("read", "backup", "export", "import", "restore", "settings", "load", "repair", "drill")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"pitrDays": "20"}, {("update", "top_tracks")}),
        # whoever reads or writes the table has to use its key
        ({"tableKmsKeyArn": KEY}, {("update", "top_tracks"), *(("update", f"ops-{kind}") for kind in AT_THE_TABLE)}),
        ({"backupSchedule": "cron(0 6 * * ? *)"}, {("update", "backups")}),
        ({"backupAgeDays": "3"}, {("update", "backup-age")}),
        ({"exportRetentionDays": "120"}, {("update", "exports")}),
        ({"databaseStorageGib": "40"}, {("update", "artists")}),
        ({"databaseEngineVersion": "17"}, {("update", "artists"), ("replace", "artists")}),
        ({"networkZones": "3"}, {("update", "artists"), ("create", "network-private-2")}),
        (
            {"tables": json.dumps({"top_tracks": {"indexes": INDEXES}})},
            {
                ("update", "top_tracks"),
                *(("create", f"top_tracks-by_year-{way}") for way in ("read", "write")),
                *(("create", f"top_tracks-by_year-{way}-throttles") for way in ("read", "write")),
            },
        ),
    ],
)
def test_a_changed_key_touches_what_it_describes_and_nothing_else(
    first: tuple[Deployment, float], stack: Apply, values: dict[str, str], expected: set[tuple[str, str]]
) -> None:
    stack(**dev())
    changed = stack(**dev(**values))
    touched = {(operation, urn.rsplit("::", 1)[1]) for operation, urn in changed.operations if operation != "same"}
    assert touched - {("update", "environment")} == expected
    assert changed.differences == []
    assert stack(**dev(**values)).counts == {"same": len(changed.operations)}


def test_a_raised_floor_moves_the_scaling_and_not_the_table(first: tuple[Deployment, float], stack: Apply) -> None:
    """Capacity is scaling's to change: the table's own is ignored after creation."""
    stack(**dev())
    changed = stack(**dev(readCapacity="7"))
    updated = {urn.rsplit("::", 1)[1] for operation, urn in changed.operations if operation == "update"}
    assert "top_tracks" not in updated and "top_tracks-table-read" in updated
