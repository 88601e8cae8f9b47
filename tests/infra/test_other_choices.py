"""What the two example stacks leave out: Aurora, on demand, customer keys, Kinesis; every setting found or listed."""

import json
from collections.abc import Callable

import pytest

from infra.environment import EnvironmentDocument
from infra.policies import violations
from infra.rules import Resource
from ops.sandbox.deploy import Deployment

Apply = Callable[..., Deployment]


def key(region: str) -> str:
    return f"arn:aws:kms:{region}:123456789012:key/1234"


CONFIG = {
    "billingMode": "PAY_PER_REQUEST",
    "onDemandMaximumReadUnits": "1000",
    "replicaRegions": "us-west-2",
    "tableKmsKeyArn": key("us-east-1"),
    "replicaKmsKeyArns": json.dumps({"us-west-2": key("us-west-2")}),
    "kinesisStreamArn": "arn:aws:kinesis:us-east-1:123456789012:stream/changes",
    "tableClass": "STANDARD_INFREQUENT_ACCESS",
    "databaseEngine": "aurora-postgresql",
    "databaseMultiAz": "true",
}


@pytest.fixture(scope="module")
def applied(stack: Apply) -> Deployment:
    return stack(**CONFIG)


def test_nothing_is_refused_and_every_declared_setting_is_found(applied: Deployment) -> None:
    assert applied.differences == []
    assert applied.refused == []


def test_a_listed_difference_hides_nothing_beside_it(applied: Deployment) -> None:
    """Of the index only its on-demand maxima are unproven: keys and projection are read back."""
    of_indexes = [setting for setting in applied.settings if setting.setting.startswith("globalSecondaryIndexes")]
    assert {(setting.setting, bool(setting.note)) for setting in of_indexes} == {
        ("globalSecondaryIndexes", False),
        ("globalSecondaryIndexes[*].onDemandThroughput", True),
    }


def test_the_cluster_is_described(applied: Deployment) -> None:
    document = EnvironmentDocument.from_json(applied.outputs["environment"])
    assert document.database is not None and document.database.contract is not None
    assert document.database.arn.endswith(":cluster:artists") and document.database.contract.cluster


def test_the_stack_keeps_every_rule(applied: Deployment) -> None:
    resources = [
        Resource(found.type, found.name, {**found.outputs, **found.inputs}, found.protect, found.retain)
        for found in applied.resources
    ]
    assert violations(resources) == []


def test_an_unchanged_second_apply_changes_nothing(applied: Deployment, stack: Apply) -> None:
    again = stack(**CONFIG)
    assert again.counts == {"same": len(applied.operations)}
