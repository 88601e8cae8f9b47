"""The cases of tests/aws_live, in the sandbox: what is to be confirmed on AWS must hold here first."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from ops.sandbox.aws.claims import claims
from tests.aws_live.cases import CASES, Place
from tests.aws_live.live_lab import LiveLab, live
from tests.aws_live.same import SAME, cases_of, claims_with_a_case

# one for each way in which the live lab waits, tags or cleans up; all of them run here as tests of their own
THROUGH_THE_LIVE_LAB = (
    ("backups", "one_backup_feeds_one_restore_at_a_time"), ("bulk", "a_bulk_put_reads_ion"),
    ("exports", "an_ion_export_holds_the_same_items_as_ion_text"),
    ("imports", "csv_types_key_columns_and_leaves_the_others_strings"),
    ("lifecycle", "a_table_created_again_under_its_name_has_another_table_id"),
    ("restore", "a_restored_table_loses_stream_ttl_pitr_tags_protection_policy_and_class"),
    ("settings", "a_new_index_keeps_the_definitions_of_the_table_and_holds_its_items"),
)  # fmt: skip


def _place(lab: Any, dynamodb: Any, s3: Any) -> Place:
    def wait(seconds: float) -> None:
        lab.control.advance(seconds)

    return Place(dynamodb, s3, "us-east-1", uuid.uuid4().hex[:8], now=lab.clock.now, wait=wait)


def _assert_nothing_left(lab: Any, run: str) -> None:
    pages = lab.dynamodb.get_paginator("list_tables").paginate()
    assert not [name for page in pages for name in page["TableNames"] if run in name]
    assert not [one for one in lab.client("s3").list_buckets()["Buckets"] if run in one["Name"]]
    listed = lab.dynamodb.list_backups()["BackupSummaries"]
    assert not [one for one in listed if run in one["TableName"]]


@pytest.fixture
def live_lab(lab: Any) -> Iterator[LiveLab]:
    def client(service: str, region: str, config: Config | None = None) -> Any:
        keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
        return boto3.client(service, region_name=region, endpoint_url=lab.endpoint, config=config, **keys)

    place = _place(lab, client("dynamodb", "us-east-1"), client("s3", "us-east-1"))
    yield from live(place, client)
    _assert_nothing_left(lab, place.run)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_live_case_passes_in_the_sandbox_and_cleans_up(lab: Any, case: Callable[[Place], None]) -> None:
    place = _place(lab, lab.dynamodb, lab.client("s3"))
    case(place)
    assert list(place.clean_up()) == []
    _assert_nothing_left(lab, place.run)


@pytest.mark.parametrize(("module", "name"), THROUGH_THE_LIVE_LAB)
def test_a_sandbox_test_passes_through_the_live_lab_which_tags_waits_and_cleans_up(
    live_lab: LiveLab, module: str, name: str
) -> None:
    cases_of(module)[f"test_{name}"](live_lab)
    tag = {"Key": "ops-live", "Value": live_lab.place.run}
    for table in {one for one in live_lab.place.tables if "-table-" in one}:  # not what a restore or an import made
        arn = live_lab.place.describe(table)["TableArn"]
        assert tag in live_lab.dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
    for bucket in live_lab.place.buckets:
        assert live_lab.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"] == [tag]


def test_nobody_waits_for_days_on_a_real_account(live_lab: LiveLab) -> None:
    with pytest.raises(AssertionError, match="belongs to the sandbox only"):
        live_lab.control.advance(86_400)


def test_a_live_case_names_claims_that_exist() -> None:
    named = {f"test_{name}" for names in CASES.values() for name in names}
    assert named <= {claim.test for claim in claims()}


def test_every_test_that_runs_on_an_account_exists_and_is_not_doubled() -> None:
    names = [name for listed in SAME.values() for name in listed.split()]
    assert len(names) == len(set(names)) == len(claims_with_a_case())
    assert all(callable(found) for module in SAME for found in cases_of(module).values())
