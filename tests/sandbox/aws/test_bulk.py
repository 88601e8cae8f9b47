"""StartBulkPutItems and its family, as far as AWS documents them."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def _lines(*keys: str, **attributes: Any) -> str:
    return "".join(json.dumps({"Item": {"pk": {"S": key}, **attributes}}) + "\n" for key in keys)


def _bucket(lab: Any, **objects: str | bytes) -> str:
    name: str = lab.name("bulk")
    lab.client("s3").create_bucket(Bucket=name)
    for key, body in objects.items():
        lab.client("s3").put_object(Bucket=name, Key=key, Body=body.encode() if isinstance(body, str) else body)
    return name


def _call(table: str, bucket: str, **more: Any) -> dict[str, Any]:
    source = {"S3Bucket": bucket, "InputFormat": "DYNAMODB_JSON", **more.pop("source", {})}
    output = {"S3Bucket": bucket, "S3KeyPrefix": "reports", "OutputType": ["ERROR"]}
    return {"TableName": table, "InputS3Configuration": source, "OutputS3Configuration": output, **more}


def _start(lab: Any, call: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = lab.dynamodb.start_bulk_put_items(**call)["BulkOperationDescription"]
    return found


def _describe(lab: Any, begun: dict[str, Any]) -> dict[str, Any]:
    arn = begun["BulkOperationArn"]
    found: dict[str, Any] = lab.dynamodb.describe_bulk_operation(BulkOperationArn=arn)["BulkOperationDescription"]
    return found


def test_a_bulk_put_writes_into_an_existing_table_and_leaves_its_other_items(lab: Any) -> None:
    table = lab.table()
    lab.put(table, "kept")
    lab.put(table, "1", old={"BOOL": True})
    body = gzip.compress(_lines("1", "2", "3").encode())
    call = _call(table, _bucket(lab, a=body), source={"InputCompressionType": "GZIP"}, MaxWriteRequestUnits=2000)
    begun = _start(lab, call)
    assert begun["BulkOperationStatus"] == "IN_PROGRESS" and "EndTime" not in begun
    lab.control.advance(21)
    ended = _describe(lab, begun)
    assert (ended["BulkOperationStatus"], ended["ProcessedItemCount"], ended["FailedItemCount"]) == ("COMPLETED", 3, 0)
    assert (ended["PerformanceTier"], ended["MaxWriteRequestUnits"]) == ("STANDARD", 2000)
    assert ended["TotalInputBytes"] == len(body) and ended["BulkOperationUsage"][0]["BulkPutBytes"] > 0
    items = {item["pk"]["S"]: item for item in lab.scan(table).values()}
    assert set(items) == {"kept", "1", "2", "3"} and "old" not in items["1"]


def test_a_bulk_put_reads_ion(lab: Any) -> None:
    table = lab.table()
    bucket = _bucket(lab, a='$ion_1_0 {Item:{pk:"1",n:6d2}}\n$ion_1_0 {Item:{pk:"2"}}\n')
    begun = _start(lab, _call(table, bucket, source={"InputFormat": "ION"}))
    lab.control.advance(21)
    assert _describe(lab, begun)["BulkOperationStatus"] == "COMPLETED"
    assert [item for item in lab.scan(table).values() if "n" in item] == [{"pk": {"S": "1"}, "n": {"N": "600"}}]


@pytest.mark.parametrize("form", ["DYNAMODB_JSON", "ION"])
@pytest.mark.parametrize("compression", ["NONE", "GZIP", "ZSTD"])
def test_a_bulk_put_reads_both_formats_in_each_compression(lab: Any, form: str, compression: str) -> None:
    table = lab.table(pitr=False)
    text = _lines("1", "2") if form == "DYNAMODB_JSON" else '$ion_1_0 {Item:{pk:"1"}}\n$ion_1_0 {Item:{pk:"2"}}\n'
    packers: dict[str, Callable[[bytes], bytes]] = {"NONE": bytes, "GZIP": gzip.compress, "ZSTD": zstd.compress}
    pack = packers[compression]
    given = {"InputFormat": form, "InputCompressionType": compression}
    begun = _start(lab, _call(table, _bucket(lab, a=pack(text.encode())), source=given))
    lab.control.advance(21)
    ended = _describe(lab, begun)
    assert (ended["BulkOperationStatus"], ended["ProcessedItemCount"]) == ("COMPLETED", 2)
    assert {item["pk"]["S"] for item in lab.scan(table).values()} == {"1", "2"}


def test_invalid_input_makes_it_completed_with_errors_and_counts_as_processed_too(lab: Any) -> None:
    table = lab.table()
    bucket = _bucket(lab, a=_lines("1") + _lines("n", v={"N": "x"}) + _lines("2"), b="garbage\n")
    begun = _start(lab, _call(table, bucket))
    lab.control.advance(21)
    ended = _describe(lab, begun)
    assert ended["BulkOperationStatus"] == "COMPLETED_WITH_ERRORS"
    assert (ended["ProcessedItemCount"], ended["FailedItemCount"]) == (4, 2)
    assert "FailureCode" not in ended and len(lab.scan(table)) == 2


def test_a_cancelled_bulk_put_keeps_what_it_has_written(lab: Any) -> None:
    table = lab.table()
    begun = _start(lab, _call(table, _bucket(lab, a=_lines("1"), b=_lines("2"), c=_lines("3"))))
    lab.control.advance(6)
    arn = begun["BulkOperationArn"]
    assert lab.dynamodb.cancel_bulk_operation(BulkOperationArn=arn)["BulkOperationStatus"] == "CANCELLING"
    lab.control.advance(21)
    ended = _describe(lab, begun)
    assert ended["BulkOperationStatus"] == "CANCELLED" and "EndTime" in ended
    assert set(lab.scan(table)) == {'[{"S": "1"}, null]'}


def test_a_bulk_token_replays_its_operation_and_refuses_other_parameters(lab: Any) -> None:
    call = _call(lab.table(), _bucket(lab, a=_lines("1")), ClientToken=lab.name("token"))
    first = _start(lab, call)["BulkOperationArn"]
    assert _start(lab, call)["BulkOperationArn"] == first
    other = call | {"PerformanceTier": "ACCELERATED"}
    code = lab.refusal(lab.dynamodb.start_bulk_put_items, **other)
    assert code == "IdempotentParameterMismatchException"


@pytest.mark.parametrize(
    ("more", "code"),
    [({"MaxWriteRequestUnits": 1023}, "ValidationException"), ({"PerformanceTier": "FAST"}, "ValidationException"),
     ({"source": {"InputFormat": "CSV"}}, "ValidationException"),
     ({"source": {"InputCompressionType": "LZ4"}}, "ValidationException")],
)  # fmt: skip
def test_a_bulk_put_needs_1024_units_a_known_tier_and_json_or_ion(lab: Any, more: dict[str, Any], code: str) -> None:
    call = _call(lab.table(pitr=False), _bucket(lab), **more)
    assert lab.refusal(lab.dynamodb.start_bulk_put_items, **call) == code


def test_a_bulk_put_needs_a_table_that_is_no_replica_and_not_being_restored(lab: Any) -> None:
    bucket = _bucket(lab)
    start = lab.dynamodb.start_bulk_put_items
    assert lab.refusal(start, **_call("no-such-table", bucket)) == "ResourceNotFoundException"
    table = lab.table()
    lab.dynamodb.restore_table_to_point_in_time(
        SourceTableName=table, TargetTableName=f"{table}-new", UseLatestRestorableTime=True
    )
    assert lab.refusal(start, **_call(f"{table}-new", bucket)) == "ResourceInUseException"
    lab.dynamodb.update_table(TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    assert lab.refusal(start, **_call(table, bucket)) == "ValidationException"


def test_no_replica_is_added_while_a_bulk_put_runs(lab: Any) -> None:
    table = lab.table()
    _start(lab, _call(table, _bucket(lab, a=_lines("1"))))
    create = [{"Create": {"RegionName": "us-west-2"}}]
    assert lab.refusal(lab.dynamodb.update_table, TableName=table, ReplicaUpdates=create) == "ResourceInUseException"
    lab.control.advance(21)
    lab.dynamodb.update_table(TableName=table, ReplicaUpdates=create)


def test_bulk_operations_are_listed_newest_first_in_pages_of_10_for_90_days(lab: Any) -> None:
    lab.control.advance(91 * 86_400)
    table, bucket = lab.table(), _bucket(lab)
    arns = [_start(lab, _call(table, bucket))["BulkOperationArn"] for _ in range(11)]
    first = lab.dynamodb.list_bulk_operations()
    assert len(first["BulkOperationsSummaryList"]) == 10
    second = lab.dynamodb.list_bulk_operations(NextToken=first["NextToken"])
    listed = [one["BulkOperationArn"] for page in (first, second) for one in page["BulkOperationsSummaryList"]]
    assert set(listed) == set(arns) and "NextToken" not in second
    unknown = "arn:aws:dynamodb:us-east-1:123456789012:table/x/bulk-operation/none"
    code = lab.refusal(lab.dynamodb.describe_bulk_operation, BulkOperationArn=unknown)
    assert code == "ResourceNotFoundException"


def test_lines_with_a_condition_are_refused_and_not_put_without_it(lab: Any) -> None:
    table = lab.table()
    line = json.dumps({"Item": {"pk": {"S": "1"}}, "ConditionExpression": "attribute_not_exists(pk)"})
    begun = _start(lab, _call(table, _bucket(lab, a=line + "\n")))
    lab.control.advance(21)
    ended = _describe(lab, begun)
    assert (ended["BulkOperationStatus"], ended["FailureCode"]) == ("FAILED", "NotImitatedBySandbox")
    assert lab.scan(table) == {}
