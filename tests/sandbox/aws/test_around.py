"""Contributor Insights, Kinesis destinations, warm throughput, and how often settings may change."""

from __future__ import annotations

from typing import Any

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/changes"
DAY_S = 86_400


def _insights(lab: Any, table: str) -> str:
    return str(lab.dynamodb.describe_contributor_insights(TableName=table)["ContributorInsightsStatus"])


def test_contributor_insights_are_enabled_disabled_and_listed_per_table_and_index(lab: Any) -> None:
    table = lab.table(pitr=False, indexes=(("g", "S"),))
    assert _insights(lab, table) == "DISABLED"
    for index in ({}, {"IndexName": "g_index"}):
        begun = lab.dynamodb.update_contributor_insights(TableName=table, ContributorInsightsAction="ENABLE", **index)
        assert begun["ContributorInsightsStatus"] == "ENABLING"
    found = lab.dynamodb.describe_contributor_insights(TableName=table, IndexName="g_index")
    assert (found["ContributorInsightsStatus"], found["IndexName"]) == ("ENABLED", "g_index")
    lab.dynamodb.update_contributor_insights(TableName=table, ContributorInsightsAction="DISABLE")
    listed = lab.dynamodb.list_contributor_insights(TableName=table)["ContributorInsightsSummaries"]
    assert {(one.get("IndexName"), one["ContributorInsightsStatus"]) for one in listed} == {
        (None, "DISABLED"), ("g_index", "ENABLED"),
    }  # fmt: skip


def test_a_table_has_one_live_kinesis_destination_and_a_disabled_one_stays_listed(lab: Any) -> None:
    table = lab.table(pitr=False)
    enable, call = lab.dynamodb.enable_kinesis_streaming_destination, {"TableName": table, "StreamArn": STREAM}
    assert enable(**call)["DestinationStatus"] == "ENABLING"
    other = {"TableName": table, "StreamArn": STREAM + "2"}
    assert lab.refusal(enable, **other) == "ResourceInUseException"
    precision = {"ApproximateCreationDateTimePrecision": "MICROSECOND"}
    lab.dynamodb.update_kinesis_streaming_destination(**call, UpdateKinesisStreamingConfiguration=precision)
    lab.dynamodb.disable_kinesis_streaming_destination(**call)
    enable(**other)
    listed = lab.dynamodb.describe_kinesis_streaming_destination(TableName=table)["KinesisDataStreamDestinations"]
    assert {(one["StreamArn"], one["DestinationStatus"]) for one in listed} == {
        (STREAM, "DISABLED"), (STREAM + "2", "ACTIVE"),
    }  # fmt: skip
    assert listed[0]["ApproximateCreationDateTimePrecision"] == "MICROSECOND"
    assert lab.refusal(lab.dynamodb.disable_kinesis_streaming_destination, **call) == "ResourceNotFoundException"


def test_warm_throughput_only_rises(lab: Any) -> None:
    table = lab.table(pitr=False)
    before = lab.dynamodb.describe_table(TableName=table)["Table"]["WarmThroughput"]
    higher = {"ReadUnitsPerSecond": before["ReadUnitsPerSecond"] + 1000}
    lab.dynamodb.update_table(TableName=table, WarmThroughput=higher)
    after = lab.dynamodb.describe_table(TableName=table)["Table"]["WarmThroughput"]
    assert after["ReadUnitsPerSecond"] == higher["ReadUnitsPerSecond"]
    assert after["WriteUnitsPerSecond"] == before["WriteUnitsPerSecond"]
    lower = {"ReadUnitsPerSecond": before["ReadUnitsPerSecond"]}
    assert lab.refusal(lab.dynamodb.update_table, TableName=table, WarmThroughput=lower) == "ValidationException"


def test_a_restored_table_has_no_insights_no_kinesis_and_no_raised_warm_throughput(lab: Any) -> None:
    table = lab.table(indexes=(("g", "S"),))
    described = lab.dynamodb.describe_table(TableName=table)["Table"]
    units = {"ReadUnitsPerSecond": 20_000, "WriteUnitsPerSecond": 9_000}
    update = {"Update": {"IndexName": "g_index", "WarmThroughput": units}}
    lab.dynamodb.update_table(TableName=table, WarmThroughput=units, GlobalSecondaryIndexUpdates=[update])
    lab.dynamodb.update_contributor_insights(TableName=table, ContributorInsightsAction="ENABLE")
    lab.dynamodb.enable_kinesis_streaming_destination(TableName=table, StreamArn=STREAM)
    lab.control.advance(400)
    target = lab.restore(table, None)
    restored = lab.dynamodb.describe_table(TableName=target)["Table"]
    for holder, old in (
        (restored, described), (restored["GlobalSecondaryIndexes"][0], described["GlobalSecondaryIndexes"][0]),
    ):  # fmt: skip
        assert holder["WarmThroughput"] == old["WarmThroughput"]
    assert _insights(lab, target) == "DISABLED"
    found = lab.dynamodb.describe_kinesis_streaming_destination(TableName=target)
    assert found["KinesisDataStreamDestinations"] == []


def test_a_table_class_changes_twice_in_30_days(lab: Any) -> None:
    table, update = lab.table(pitr=False), lab.dynamodb.update_table
    for name in ("STANDARD_INFREQUENT_ACCESS", "STANDARD"):
        update(TableName=table, TableClass=name)
    again = {"TableName": table, "TableClass": "STANDARD_INFREQUENT_ACCESS"}
    assert lab.refusal(update, **again) == "LimitExceededException"
    lab.control.advance(30 * DAY_S + 1)
    update(**again)


def test_a_table_goes_on_demand_four_times_in_24_hours_and_back_any_time(lab: Any) -> None:
    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    table, update = lab.table(pitr=False), lab.dynamodb.update_table
    for _ in range(4):
        update(TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput=units)
        update(TableName=table, BillingMode="PAY_PER_REQUEST")
    update(TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput=units)
    again = {"TableName": table, "BillingMode": "PAY_PER_REQUEST"}
    assert lab.refusal(update, **again) == "LimitExceededException"
    lab.control.advance(DAY_S + 1)
    update(**again)


def test_capacity_decreases_four_times_a_day_then_once_an_hour_without_one(lab: Any) -> None:
    start = {"ReadCapacityUnits": 50, "WriteCapacityUnits": 50}
    table = lab.table(pitr=False, BillingMode="PROVISIONED", ProvisionedThroughput=start)
    lab.control.advance(DAY_S - lab.clock.now().timestamp() % DAY_S + 1)  # a fresh UTC day

    def lower(units: int) -> Any:
        wanted = {"ReadCapacityUnits": units, "WriteCapacityUnits": 50}
        return lab.dynamodb.update_table(TableName=table, ProvisionedThroughput=wanted)

    for units in (49, 48, 47, 46):
        answer = lower(units)
    assert answer["TableDescription"]["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 4
    assert lab.refusal(lower, units=45) == "LimitExceededException"
    lab.dynamodb.update_table(TableName=table, ProvisionedThroughput=start)
    lab.control.advance(3_601)
    lower(45)
    assert lab.refusal(lower, units=44) == "LimitExceededException"
    lab.control.advance(DAY_S)
    lower(44)
