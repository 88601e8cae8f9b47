"""Tables that drills make and delete."""

from __future__ import annotations

import pytest

from ops.errors import (
    TargetExists,
)
from ops.recovery import tables
from ops.runs import Run
from tests.unit.recovery.kit import (
    START,
    ManualClock,
    Scripted,
    document,
    not_found,
    refused,
    table,
    window,
)


def test_a_table_is_created_as_declared_and_marked_as_a_drills(run: Run) -> None:
    wanted = document(billing_mode="PROVISIONED", read_capacity=7, write_capacity=9, sse_kms_key_arn="key")
    control = Scripted({"create_table": {"TableDescription": {"TableName": "drill-x"}}})
    tables.create_like(control, "drill-x", wanted, run)
    (params,) = control.asked("create_table")
    assert params["ProvisionedThroughput"] == {"ReadCapacityUnits": 7, "WriteCapacityUnits": 9}
    (index,) = params["GlobalSecondaryIndexes"]
    assert index["KeySchema"] == [
        {"AttributeName": "genre", "KeyType": "HASH"}, {"AttributeName": "year", "KeyType": "RANGE"},
    ]  # fmt: skip
    assert {one["AttributeName"] for one in params["AttributeDefinitions"]} == {"artist_id", "id", "genre", "year"}
    assert {"Key": "ops-drill", "Value": "true"} in params["Tags"]
    assert params["SSESpecification"]["KMSMasterKeyId"] == "key"


def test_a_taken_name_is_not_created_over(run: Run) -> None:
    with pytest.raises(TargetExists):
        tables.create_like(Scripted({"create_table": refused("ResourceInUseException")}), "drill-x", document(), run)


def test_protection_and_pitr_go_off_before_a_drills_table_is_deleted(run: Run, clock: ManualClock) -> None:
    protected = table(DeletionProtectionEnabled=True)
    control = Scripted(
        {
            "describe_table": [protected, protected, table(), not_found()],
            "update_table": {},
            "describe_continuous_backups": window(START, START),
            "update_continuous_backups": {},
            "delete_table": {},
        }
    )
    assert tables.delete_drill_table(control, "drill-t", run, clock)
    changing = [name for name, _ in control.calls if not name.startswith("describe")]
    assert changing == ["update_table", "update_continuous_backups", "delete_table"]
