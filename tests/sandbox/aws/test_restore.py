"""RestoreTableToPointInTime: what it checks, what it carries, what it loses."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

INDEX = (("genre", "S"),)


def _call(lab: Any, table: str, **more: Any) -> dict[str, Any]:
    return {"SourceTableName": table, "TargetTableName": lab.name("target"), **more}


def _describe(lab: Any, table: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.dynamodb.describe_table(TableName=table)["Table"]
    return found


def test_a_restore_brings_back_the_items_of_the_chosen_second(lab: Any) -> None:
    table = lab.table()
    lab.put(table, "kept", v={"N": "1"})
    lab.put(table, "deleted")
    moment = lab.second()
    lab.put(table, "kept", v={"N": "2"})
    lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "deleted"}})
    lab.put(table, "later")
    lab.control.advance(400)
    found = lab.scan(lab.restore(table, moment))
    assert sorted(item["pk"]["S"] for item in found.values()) == ["deleted", "kept"]
    assert [item["v"]["N"] for item in found.values() if "v" in item] == ["1"]


def test_latest_right_after_enabling_restores_zero_items(lab: Any) -> None:
    table = lab.table()
    lab.control.advance(2)
    lab.fill(table, 10)
    assert lab.scan(lab.restore(table, None)) == {}


def test_latest_restores_the_state_of_300_seconds_ago(lab: Any) -> None:
    table = lab.table()
    lab.fill(table, 10)
    lab.control.advance(400)
    lab.put(table, "too-new")
    assert len(lab.scan(lab.restore(table, None))) == 10


def test_a_fraction_of_a_second_in_the_request_is_cut(lab: Any) -> None:
    table = lab.table()
    moment = lab.second()
    lab.control.advance(400)
    target = lab.restore(table, moment + timedelta(microseconds=900_000))
    assert lab.scan(target) == {}


def test_exactly_one_of_time_and_latest_is_required(lab: Any) -> None:
    table = lab.table()
    call = lab.dynamodb.restore_table_to_point_in_time
    both = _call(lab, table, RestoreDateTime=lab.clock.now(), UseLatestRestorableTime=True)
    assert lab.refusal(call, **both) == "ValidationException"
    assert lab.refusal(call, **_call(lab, table)) == "ValidationException"


def test_with_pitr_off_the_error_is_point_in_time_recovery_unavailable(lab: Any) -> None:
    table = lab.table(pitr=False)
    call = _call(lab, table, UseLatestRestorableTime=True)
    code = lab.refusal(lab.dynamodb.restore_table_to_point_in_time, **call)
    assert code == "PointInTimeRecoveryUnavailableException"


def test_a_time_outside_the_window_is_refused_with_both_bounds(lab: Any) -> None:
    table = lab.table()
    lab.control.advance(1000)
    for moment in (lab.clock.now(), lab.clock.now() - timedelta(days=36)):
        call = _call(lab, table, RestoreDateTime=moment.replace(microsecond=0))
        assert lab.refusal(lab.dynamodb.restore_table_to_point_in_time, **call) == "InvalidRestoreTimeException"
        text = lab.message(lab.dynamodb.restore_table_to_point_in_time, **call)
        assert "EarliestRestorableDateTime" in text and "LatestRestorableDateTime" in text


def test_an_unknown_source_is_table_not_found(lab: Any) -> None:
    call = _call(lab, "no-such-table", UseLatestRestorableTime=True)
    assert lab.refusal(lab.dynamodb.restore_table_to_point_in_time, **call) == "TableNotFoundException"


def test_checks_run_shape_then_recovery_then_window_then_target(lab: Any) -> None:
    off, on = lab.table(pitr=False), lab.table()
    call = lab.dynamodb.restore_table_to_point_in_time
    past = lab.clock.now() - timedelta(days=40)
    # every later rule is broken too: the earliest one answers
    assert lab.refusal(call, SourceTableName=off, TargetTableName=on) == "ValidationException"
    code = lab.refusal(call, SourceTableName=off, TargetTableName=on, RestoreDateTime=past)
    assert code == "PointInTimeRecoveryUnavailableException"
    code = lab.refusal(call, SourceTableName=on, TargetTableName=on, RestoreDateTime=past)
    assert code == "InvalidRestoreTimeException"
    code = lab.refusal(call, SourceTableName=on, TargetTableName=on, UseLatestRestorableTime=True)
    assert code == "TableAlreadyExistsException"


def test_a_target_that_is_still_restoring_is_table_in_use(lab: Any) -> None:
    call = _call(lab, lab.table(), UseLatestRestorableTime=True)
    lab.dynamodb.restore_table_to_point_in_time(**call)
    assert lab.refusal(lab.dynamodb.restore_table_to_point_in_time, **call) == "TableInUseException"


def test_a_restored_table_keeps_keys_indexes_billing_and_encryption(lab: Any) -> None:
    throughput = {"ReadCapacityUnits": 7, "WriteCapacityUnits": 9}
    index = {
        "IndexName": "genre_index", "KeySchema": [{"AttributeName": "genre", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"}, "ProvisionedThroughput": throughput,
    }  # fmt: skip
    table = lab.table(
        sort="N", indexes=INDEX, GlobalSecondaryIndexes=[index], BillingMode="PROVISIONED",
        ProvisionedThroughput=throughput, SSESpecification={"Enabled": True, "SSEType": "KMS"},
    )  # fmt: skip
    before, after = _describe(lab, table), _describe(lab, lab.restore(table, None))
    for member in ("KeySchema", "AttributeDefinitions", "SSEDescription", "BillingModeSummary"):
        assert after[member] == before[member]
    assert after["ProvisionedThroughput"]["WriteCapacityUnits"] == 9
    (kept,) = after["GlobalSecondaryIndexes"]
    assert (kept["KeySchema"], kept["Projection"]) == (index["KeySchema"], index["Projection"])
    assert kept["ProvisionedThroughput"] == throughput


def test_a_restored_table_loses_stream_ttl_pitr_tags_protection_policy_and_class(lab: Any) -> None:
    table = lab.table(
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        Tags=[{"Key": "team", "Value": "music"}], DeletionProtectionEnabled=True,
        TableClass="STANDARD_INFREQUENT_ACCESS",
    )  # fmt: skip
    ttl = {"Enabled": True, "AttributeName": "expires_at"}
    lab.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)
    arn = _describe(lab, table)["TableArn"]
    lab.dynamodb.put_resource_policy(ResourceArn=arn, Policy='{"Version":"2012-10-17","Statement":[]}')
    target = lab.restore(table, None)
    found = _describe(lab, target)
    assert "StreamSpecification" not in found and "LatestStreamArn" not in found
    assert found["DeletionProtectionEnabled"] is False
    assert found["TableClassSummary"]["TableClass"] == "STANDARD"
    assert lab.dynamodb.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"] == []
    described = lab.dynamodb.describe_time_to_live(TableName=target)["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "DISABLED"}
    backups = lab.dynamodb.describe_continuous_backups(TableName=target)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    assert lab.refusal(lab.dynamodb.get_resource_policy, ResourceArn=found["TableArn"]) == "PolicyNotFoundException"


def test_a_restored_table_has_an_identity_of_its_own(lab: Any) -> None:
    table = lab.table()
    before, after = _describe(lab, table), _describe(lab, lab.restore(table, None))
    for member in ("TableId", "TableArn", "CreationDateTime"):
        assert after[member] != before[member]


def test_on_demand_maxima_are_carried_over(lab: Any) -> None:
    maxima = {"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 50}
    target = lab.restore(lab.table(OnDemandThroughput=maxima), None)
    assert _describe(lab, target)["OnDemandThroughput"] == maxima


def test_an_omitted_index_override_keeps_all_and_an_empty_one_drops_all(lab: Any) -> None:
    table = lab.table(indexes=INDEX)
    assert len(_describe(lab, lab.restore(table, None))["GlobalSecondaryIndexes"]) == 1
    bare = _describe(lab, lab.restore(table, None, GlobalSecondaryIndexOverride=[]))
    assert bare["GlobalSecondaryIndexes"] == []
    assert [one["AttributeName"] for one in bare["AttributeDefinitions"]] == ["pk"]


def test_an_index_override_may_rename_but_not_invent(lab: Any) -> None:
    table = lab.table(indexes=INDEX)
    index = {
        "IndexName": "renamed", "KeySchema": [{"AttributeName": "genre", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }  # fmt: skip
    found = _describe(lab, lab.restore(table, None, GlobalSecondaryIndexOverride=[index]))
    assert [one["IndexName"] for one in found["GlobalSecondaryIndexes"]] == ["renamed"]
    call = _call(lab, table, UseLatestRestorableTime=True)
    call["GlobalSecondaryIndexOverride"] = [index | {"Projection": {"ProjectionType": "KEYS_ONLY"}}]
    assert lab.refusal(lab.dynamodb.restore_table_to_point_in_time, **call) == "ValidationException"


def test_a_provisioned_override_needs_a_throughput_and_a_throughput_needs_provisioned(lab: Any) -> None:
    table = lab.table()
    throughput = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
    call = lab.dynamodb.restore_table_to_point_in_time
    mode_only = _call(lab, table, UseLatestRestorableTime=True, BillingModeOverride="PROVISIONED")
    assert lab.refusal(call, **mode_only) == "ValidationException"
    units_only = _call(lab, table, UseLatestRestorableTime=True, ProvisionedThroughputOverride=throughput)
    assert lab.refusal(call, **units_only) == "ValidationException"
    both = lab.restore(table, None, BillingModeOverride="PROVISIONED", ProvisionedThroughputOverride=throughput)
    assert _describe(lab, both)["ProvisionedThroughput"]["ReadCapacityUnits"] == 3


@pytest.mark.parametrize("member", ["OnDemandThroughputOverride", "ProvisionedThroughputOverride"])
def test_an_empty_override_structure_is_refused_and_starts_nothing(lab: Any, member: str) -> None:
    call = _call(lab, lab.table(), UseLatestRestorableTime=True, **{member: {}})
    assert lab.refusal(lab.dynamodb.restore_table_to_point_in_time, **call) == "ValidationException"
    assert call["TargetTableName"] not in lab.dynamodb.list_tables()["TableNames"]


def test_another_region_restores_by_arn_and_demands_an_encryption_override(lab: Any) -> None:
    table = lab.table()
    lab.fill(table, 5)
    lab.control.advance(400)
    arn, west = _describe(lab, table)["TableArn"], lab.client("dynamodb", "us-west-2")
    target = lab.name("west")
    call = {"SourceTableArn": arn, "TargetTableName": target, "UseLatestRestorableTime": True}
    assert lab.refusal(west.restore_table_to_point_in_time, **call) == "ValidationException"
    west.restore_table_to_point_in_time(**call, SSESpecificationOverride={"Enabled": True, "SSEType": "KMS"})
    lab.control.advance(21)
    assert len(lab.scan(target, "us-west-2")) == 5


def test_restoring_five_thousand_items_takes_under_a_second(lab: Any) -> None:
    table = lab.table()
    lab.fill(table, 5000)
    lab.control.advance(400)
    begun = time.monotonic()
    target = lab.restore(table, None)
    assert time.monotonic() - begun < 1
    assert len(lab.scan(target)) == 5000
