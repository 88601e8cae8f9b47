"""The recorder: every changing call is listed, item writes are counted, reads are left out."""

from __future__ import annotations

from ops.drill.calls import CallRecorder
from ops.model.drill import AwsCall


def test_changing_calls_are_listed_in_order_and_reads_are_not() -> None:
    recorder = CallRecorder()
    recorder.after("dynamodb", "DescribeTable", {"TableName": "t"}, "r0")
    recorder.after("dynamodb", "RestoreTableToPointInTime", {"TargetTableName": "d"}, "r1")
    recorder.after("dynamodb", "BatchWriteItem", {"RequestItems": {"d": []}}, "ok")
    recorder.after("dynamodb", "BatchWriteItem", {"RequestItems": {"d": []}}, "ok")
    recorder.after("dynamodb", "BatchWriteItem", {"RequestItems": {"d": []}}, "ThrottlingException")
    recorder.after("dynamodb", "DeleteTable", {"TableName": "d"}, "r2")
    assert recorder.calls() == (
        AwsCall("dynamodb:RestoreTableToPointInTime", "d", "r1"),
        AwsCall("dynamodb:BatchWriteItem", "d", "2 answered"),
        AwsCall("dynamodb:BatchWriteItem", "d", "1 refused"),
        AwsCall("dynamodb:DeleteTable", "d", "r2"),
    )
