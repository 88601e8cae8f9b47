"""What takes time on AWS and none in the sandbox unless a duration is set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

OFF = {"table_s": 0.0, "update_s": 0.0, "backups_ready_s": 0.0}


@pytest.fixture(autouse=True)
def _off_again(lab: Any) -> Iterator[None]:
    yield
    lab.control.set_durations(**OFF)


def _status(lab: Any, table: str) -> str:
    return str(lab.dynamodb.describe_table(TableName=table)["Table"]["TableStatus"])


def test_backups_are_unavailable_for_some_seconds_after_a_table_is_active(lab: Any) -> None:
    lab.control.set_durations(backups_ready_s=6)
    table = lab.table(pitr=False)
    refused = "ContinuousBackupsUnavailableException"
    assert lab.refusal(lab.pitr, table=table) == refused
    assert lab.refusal(lab.dynamodb.create_backup, TableName=table, BackupName="early") == refused
    lab.dynamodb.describe_continuous_backups(TableName=table)
    lab.control.advance(7)
    lab.pitr(table)
    lab.dynamodb.create_backup(TableName=table, BackupName="later")


def test_a_new_table_is_creating_first_when_that_is_switched_on(lab: Any) -> None:
    lab.control.set_durations(table_s=10)
    table = lab.table(pitr=False)
    assert _status(lab, table) == "CREATING"
    assert lab.refusal(lab.put, table=table, key="a") == "ResourceNotFoundException"
    lab.control.advance(11)
    assert _status(lab, table) == "ACTIVE"
    lab.put(table, "a")


def test_an_updating_table_answers_data_calls_and_refuses_another_update(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.control.set_durations(update_s=10)
    lab.dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
    assert _status(lab, table) == "UPDATING"
    lab.put(table, "a")
    again = {"TableName": table, "DeletionProtectionEnabled": False}
    assert lab.refusal(lab.dynamodb.update_table, **again) == "ResourceInUseException"
    lab.control.advance(11)
    assert _status(lab, table) == "ACTIVE"
    lab.dynamodb.update_table(**again)


def test_a_new_index_is_creating_and_cannot_be_read_until_it_is_filled(lab: Any) -> None:
    table = lab.table(pitr=False)
    lab.fill(table, 2)
    lab.control.set_durations(update_s=10)
    index = {
        "IndexName": "n_index", "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }  # fmt: skip
    lab.dynamodb.update_table(
        TableName=table, AttributeDefinitions=[{"AttributeName": "n", "AttributeType": "N"}],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )  # fmt: skip
    (found,) = lab.dynamodb.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"]
    assert (found["IndexStatus"], found["Backfilling"]) == ("CREATING", True)
    text = lab.message(lab.dynamodb.scan, TableName=table, IndexName="n_index")
    assert "backfilling" in text
    lab.control.advance(11)
    assert len(lab.scan(table, IndexName="n_index")) == 2


def test_durations_are_changed_by_name_and_never_negative(lab: Any) -> None:
    assert lab.control.set_durations(bulk_s=20)["bulk_s"] == 20
    for wrong in ({"nonsense_s": 1}, {"bulk_s": -1}):
        with pytest.raises(ValueError, match="duration"):
            lab.control.set_durations(**wrong)
