"""Seeded faults."""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
import zlib
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from ops.sandbox.aws.faults import FAULTS, FaultPlan


def _outcomes(lab: Any, table: str, calls: int) -> list[bool]:
    """True for each put that was throttled."""
    throttled = []
    for number in range(calls):
        try:
            lab.put(table, f"f{number}")
            throttled.append(False)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ProvisionedThroughputExceededException"
            throttled.append(True)
    return throttled


def test_the_same_seed_strikes_the_same_calls(lab: Any) -> None:
    table, seen = lab.table(), []
    for _ in range(2):
        lab.control.set_fault("throttle", share=0.4, seed=7)
        seen.append(_outcomes(lab, table, 40))
    assert seen[0] == seen[1]
    assert 5 < sum(seen[0]) < 35


def test_a_count_ends_a_fault_and_control_lists_its_strikes(lab: Any) -> None:
    table = lab.table()
    lab.control.set_fault("error500", count=2)
    for _ in range(2):
        assert lab.refusal(lab.put, table=table, key="a") == "InternalServerError"
    lab.put(table, "a")
    (fault,) = lab.control.faults()
    assert (fault["name"], fault["injected"]) == ("error500", 2)


def test_a_throttled_or_failed_call_applies_nothing(lab: Any) -> None:
    table = lab.table()
    for name in ("throttle", "error500", "reset"):
        lab.control.set_fault(name, operations=("PutItem",))
        with pytest.raises((ClientError, BotoCoreError)):
            lab.put(table, name)
        lab.control.clear_faults()
    assert lab.scan(table) == {}


def test_a_lost_answer_leaves_the_write_applied(lab: Any) -> None:
    table = lab.table()
    lab.control.set_fault("reset_after_apply", operations=("PutItem",), count=1)
    with pytest.raises(BotoCoreError):
        lab.put(table, "a")
    assert len(lab.scan(table)) == 1


def _raw(lab: Any, operation: str, body: str) -> urllib.request.Request:
    return urllib.request.Request(
        lab.endpoint, data=body.encode(),
        headers={"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"},
    )  # fmt: skip


def test_a_cut_connection_ends_in_the_middle_of_the_announced_body(lab: Any) -> None:
    table = lab.table()
    lab.fill(table, 5)
    lab.control.set_fault("cut", operations=("Scan",))
    with (
        urllib.request.urlopen(_raw(lab, "Scan", f'{{"TableName":"{table}"}}'), timeout=5) as answer,
        pytest.raises(http.client.IncompleteRead),
    ):
        answer.read()


def test_a_truncated_200_has_a_cut_body_and_no_checksum(lab: Any) -> None:
    table = lab.table()
    lab.fill(table, 5)
    request = _raw(lab, "Scan", f'{{"TableName":"{table}"}}')
    with urllib.request.urlopen(request, timeout=5) as answer:
        whole = answer.read()
    lab.control.set_fault("truncate", operations=("Scan",))
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200 and answer.headers["x-amz-crc32"] is None
        assert answer.read() == whole[: len(whole) // 2]


def test_unprocessed_requests_come_back_and_a_loop_over_them_converges(lab: Any) -> None:
    table = lab.table()
    lab.control.set_fault("unprocessed", share=0.3, seed=3)
    left = {table: [{"PutRequest": {"Item": {"pk": {"S": str(number)}}}} for number in range(25)]}
    rounds = 0
    while left and rounds < 20:
        answer = lab.dynamodb.batch_write_item(RequestItems=left)
        left, rounds = answer["UnprocessedItems"], rounds + 1
    assert 2 <= rounds < 20
    assert len(lab.scan(table)) == 25


def test_nothing_processed_at_all_is_an_exception(lab: Any) -> None:
    table = lab.table()
    lab.control.set_fault("unprocessed")
    items = {table: [{"PutRequest": {"Item": {"pk": {"S": "a"}}}}]}
    code = lab.refusal(lab.dynamodb.batch_write_item, RequestItems=items)
    assert code == "ProvisionedThroughputExceededException"


def test_batch_get_returns_unprocessed_keys(lab: Any) -> None:
    table = lab.table()
    lab.fill(table, 20)
    lab.control.set_fault("unprocessed", share=0.5, seed=5)
    keys = [{"pk": {"S": f"k{number}"}} for number in range(20)]
    answer = lab.dynamodb.batch_get_item(RequestItems={table: {"Keys": keys}})
    back = answer["UnprocessedKeys"][table]["Keys"]
    assert 0 < len(back) < 20 and len(answer["Responses"][table]) + len(back) == 20


def test_control_plane_calls_are_never_struck(lab: Any) -> None:
    lab.control.set_fault("error500")
    lab.dynamodb.list_tables()
    lab.table()


def test_a_throttled_call_names_the_resource_and_the_limit(lab: Any) -> None:
    table = lab.table()
    arn = lab.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    lab.control.set_fault("throttle")
    with pytest.raises(ClientError) as caught:
        lab.put(table, "a")
    assert caught.value.response["ThrottlingReasons"] == [
        {"reason": "TableWriteProvisionedThroughputExceeded", "resource": arn}
    ]
    lab.control.clear_faults()
    lab.control.set_fault("throttling", operations=("Scan",))
    with pytest.raises(ClientError) as caught:
        lab.dynamodb.scan(TableName=table)
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    (reason,) = caught.value.response["throttlingReasons"]
    assert reason == {"reason": "TableReadKeyRangeThroughputExceeded", "resource": arn}


def test_control_calls_are_struck_only_when_they_are_named(lab: Any) -> None:
    lab.control.set_fault("throttling", operations=("ListTables",), count=1)
    assert lab.refusal(lab.dynamodb.list_tables) == "ThrottlingException"
    lab.dynamodb.list_tables()


def test_a_500_can_follow_a_write_that_was_applied(lab: Any) -> None:
    table = lab.table()
    lab.control.set_fault("error500_after_apply", count=1)
    assert lab.refusal(lab.put, table=table, key="a") == "InternalServerError"
    assert len(lab.scan(table)) == 1


def test_a_200_can_lack_a_member_that_is_always_sent(lab: Any) -> None:
    table, seen = lab.table(), set()
    lab.fill(table, 3)
    lab.control.set_fault("missing_members", seed=4)
    for _ in range(20):
        with urllib.request.urlopen(_raw(lab, "Scan", f'{{"TableName":"{table}"}}'), timeout=5) as answer:
            seen.add(frozenset(json.loads(answer.read())))
    always = {"Items", "Count", "ScannedCount"}
    assert seen == {frozenset(always - {name}) for name in always}


def test_a_200_can_carry_the_checksum_of_another_body(lab: Any) -> None:
    table = lab.table()
    lab.control.set_fault("bad_crc")
    with urllib.request.urlopen(_raw(lab, "Scan", f'{{"TableName":"{table}"}}'), timeout=5) as answer:
        assert int(answer.headers["x-amz-crc32"]) != zlib.crc32(answer.read())


def test_a_page_can_come_late_without_holding_up_the_others(lab: Any) -> None:
    table = lab.table()
    lab.control.set_fault("slow", operations=("Scan",), delay_s=0.4)
    before = time.monotonic()
    lab.dynamodb.scan(TableName=table)
    assert time.monotonic() - before >= 0.4


def test_an_expired_token_applies_nothing(lab: Any) -> None:
    table = lab.table()
    lab.control.set_fault("expired_token", count=1)
    assert lab.refusal(lab.put, table=table, key="a") == "ExpiredTokenException"
    lab.control.set_fault("denied", count=1, operations=("PutItem",))
    assert lab.refusal(lab.put, table=table, key="a") == "AccessDeniedException"
    assert lab.scan(table) == {}


def test_a_region_can_be_unreachable_for_every_service(lab: Any) -> None:
    lab.control.set_fault("region_down", region="us-west-2")
    for service, call in (("dynamodb", "list_tables"), ("sns", "list_topics")):
        with pytest.raises(BotoCoreError):
            getattr(lab.client(service, "us-west-2"), call)()
        getattr(lab.client(service), call)()


def test_an_object_can_be_flipped_cut_or_missing_when_it_is_read(lab: Any) -> None:
    bucket, body = lab.name("objects"), b"0123456789" * 40
    s3 = lab.client("s3")
    s3.create_bucket(Bucket=bucket)
    for key in ("data/one", "other"):
        s3.put_object(Bucket=bucket, Key=key, Body=body)

    def read(key: str) -> bytes:
        found: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return found

    lab.control.set_fault("s3_flip", match="data/")
    flipped = read("data/one")
    assert sum((left ^ right).bit_count() for left, right in zip(flipped, body, strict=True)) == 1
    lab.control.clear_faults()
    lab.control.set_fault("s3_cut", match="data/")
    assert read("data/one") == body[:200] and read("other") == body
    lab.control.clear_faults()
    lab.control.set_fault("s3_missing", match="data/")
    assert lab.refusal(s3.get_object, Bucket=bucket, Key="data/one") == "NoSuchKey"
    lab.control.clear_faults()
    assert read("data/one") == body


@pytest.mark.parametrize(
    "wanted",
    [{"name": "region_down"}, {"name": "slow", "delay_s": 1e9}, {"name": "s3_flip", "operations": ["Scan"]},
     {"name": "nonsense"}, {"name": "throttle", "share": 2}, {"name": "throttle", "operations": ["ListTables"]},
     {"name": "unprocessed", "operations": ["Scan"]}],
)  # fmt: skip
def test_a_wrong_fault_is_refused_by_name(wanted: dict[str, Any]) -> None:
    plan = FaultPlan()
    with pytest.raises(ValueError, match=r"fault|share|delay_s"):
        plan.set(wanted)
    assert plan.listed() == []


def test_every_fault_is_explained() -> None:
    assert all(len(text) > 10 for text in FAULTS.values())
