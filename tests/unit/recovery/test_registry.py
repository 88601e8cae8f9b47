"""Nothing that DynamoDB's API describes is left undecided."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from ops.recovery.settings import REGISTRY, TableSettings


@pytest.fixture(scope="module")
def model() -> Any:
    return botocore.session.get_session().get_service_model("dynamodb")


def test_every_member_of_a_tables_description_is_classed(model: Any) -> None:
    known = {f"TableDescription.{name}" for name in model.shape_for("TableDescription").members}
    assert known - set(REGISTRY) == set(), "AWS added a member: class it in ops.recovery.registry"


def test_every_reading_operation_is_classed(model: Any) -> None:
    known = {name for name in model.operation_names if name.startswith(("Describe", "Get", "List"))}
    assert known - set(REGISTRY) == set(), "AWS added an operation: class it in ops.recovery.registry"


def test_nothing_is_classed_that_aws_does_not_have(model: Any) -> None:
    known = {f"TableDescription.{name}" for name in model.shape_for("TableDescription").members}
    known |= set(model.operation_names)
    assert set(REGISTRY) - known == set()


def test_every_class_has_its_reason() -> None:
    assert all(len(one.why) > 3 for one in REGISTRY.values())
    refused = {name for name, one in REGISTRY.items() if one.kind == "refused"}
    assert "TableDescription.WarmThroughput" in refused


def test_what_is_reapplied_has_a_place_in_the_settings() -> None:
    places = {
        "TableDescription.DeletionProtectionEnabled": "deletion_protection",
        "TableDescription.Replicas": "replicas",
        "TableDescription.StreamSpecification": "stream_view",
        "TableDescription.TableClassSummary": "table_class",
        "DescribeContinuousBackups": "pitr_days",
        "DescribeTableReplicaAutoScaling": "scaling",
        "DescribeTimeToLive": "ttl_attribute",
        "ListTagsOfResource": "tags",
    }
    assert {name for name, one in REGISTRY.items() if one.kind == "re-applied"} == set(places)
    assert set(places.values()) <= set(TableSettings.__dataclass_fields__)
