"""Expired items are deleted by the sandbox's clock."""

from __future__ import annotations

from typing import Any

DAY_S, HOUR_S = 86_400, 3_600
LONG_S = 3 * DAY_S


def _enable(lab: Any, table: str, name: str = "expires_at") -> None:
    spec = {"Enabled": True, "AttributeName": name}
    lab.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=spec)


def _table(lab: Any, **expiries: dict[str, str]) -> str:
    name: str = lab.table(StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    for key, value in expiries.items():
        lab.put(name, key, expires_at=value)
    return name


def _in(lab: Any, seconds: float) -> dict[str, str]:
    return {"N": str(int(lab.clock.now().timestamp() + seconds))}


def _keys(lab: Any, table: str) -> set[str]:
    return {item["pk"]["S"] for item in lab.scan(table).values()}


def test_an_expired_item_is_deleted_within_days_and_read_until_then(lab: Any) -> None:
    table = _table(lab, soon=_in(lab, 60), late=_in(lab, 30 * DAY_S))
    _enable(lab, table)
    lab.control.advance(DAY_S)
    assert _keys(lab, table) == {"soon", "late"}
    lab.control.advance(LONG_S)
    assert _keys(lab, table) == {"late"}
    lab.control.advance(33 * DAY_S)
    assert _keys(lab, table) == set()


def test_ttl_acts_an_hour_after_it_was_enabled_at_the_earliest(lab: Any) -> None:
    table = _table(lab, gone=_in(lab, -LONG_S))
    _enable(lab, table)
    lab.control.advance(HOUR_S - 60)
    assert _keys(lab, table) == {"gone"}
    lab.control.advance(120)
    assert _keys(lab, table) == set()


def test_ttl_ignores_other_types_and_what_expired_more_than_five_years_ago(lab: Any) -> None:
    text = {"S": _in(lab, -LONG_S)["N"]}
    table = _table(lab, text=text, ancient=_in(lab, -5 * 366 * DAY_S), zero={"N": "0"}, gone=_in(lab, -LONG_S))
    lab.put(table, "without")
    _enable(lab, table)
    lab.control.advance(2 * HOUR_S)
    assert _keys(lab, table) == {"text", "ancient", "zero", "without"}


def test_a_ttl_deletion_names_the_service_in_the_stream(lab: Any) -> None:
    table = _table(lab, gone=_in(lab, -LONG_S))
    _enable(lab, table)
    lab.control.advance(2 * HOUR_S)
    lab.put(table, "other")
    lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "other"}})
    records = _records(lab, table)
    removed = [one for one in records if one["eventName"] == "REMOVE"]
    assert removed[0]["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    assert removed[0]["dynamodb"]["OldImage"]["pk"] == {"S": "gone"}
    assert "userIdentity" not in removed[1]


def test_ttl_switched_off_deletes_nothing_more(lab: Any) -> None:
    table = _table(lab, soon=_in(lab, 60))
    _enable(lab, table)
    lab.control.advance(2 * HOUR_S)
    spec = {"Enabled": False, "AttributeName": "expires_at"}
    lab.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=spec)
    lab.control.advance(LONG_S)
    assert _keys(lab, table) == {"soon"}


def test_what_ttl_deleted_is_in_the_history_and_lives_on_in_a_restored_table(lab: Any) -> None:
    table = _table(lab, gone=_in(lab, -LONG_S))
    _enable(lab, table)
    moment = lab.second()
    lab.control.advance(2 * HOUR_S)
    assert _keys(lab, table) == set()
    target = lab.restore(table, moment)
    lab.control.advance(30 * DAY_S)
    assert _keys(lab, target) == {"gone"}


def _records(lab: Any, table: str) -> list[dict[str, Any]]:
    streams = lab.client("dynamodbstreams")
    arn = lab.dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    found: list[dict[str, Any]] = streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    return found


def test_stream_records_are_gone_after_24_hours_and_an_old_iterator_says_so(lab: Any) -> None:
    table = _table(lab)
    streams = lab.client("dynamodbstreams")
    arn = lab.dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    lab.put(table, "old")
    (record,) = _records(lab, table)
    place = {
        "StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "SequenceNumber": record["dynamodb"]["SequenceNumber"],
    }  # fmt: skip
    iterator = streams.get_shard_iterator(**place)["ShardIterator"]
    lab.control.advance(DAY_S + 1)
    lab.put(table, "new")
    (kept,) = _records(lab, table)
    assert kept["dynamodb"]["Keys"] == {"pk": {"S": "new"}}
    assert int(kept["dynamodb"]["SequenceNumber"]) == int(record["dynamodb"]["SequenceNumber"]) + 1
    assert lab.refusal(streams.get_records, ShardIterator=iterator) == "TrimmedDataAccessException"
    assert lab.refusal(streams.get_shard_iterator, **place) == "TrimmedDataAccessException"
