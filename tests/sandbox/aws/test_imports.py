"""ImportTable: every line accounted for."""

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


def _upload(lab: Any, objects: dict[str, str | bytes]) -> str:
    bucket: str = lab.name("imports")
    lab.client("s3").create_bucket(Bucket=bucket)
    for key, body in objects.items():
        content = body.encode() if isinstance(body, str) else body
        lab.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
    return bucket


def _call(lab: Any, bucket: str, prefix: str = "", **more: Any) -> dict[str, Any]:
    table = {
        "TableName": lab.name("imported"), "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    }  # fmt: skip
    table |= more.pop("table", {})
    source = {"S3Bucket": bucket, "S3KeyPrefix": prefix}
    return {"InputFormat": "DYNAMODB_JSON", "S3BucketSource": source, "TableCreationParameters": table, **more}


def _import(lab: Any, call: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    arn = lab.dynamodb.import_table(**call)["ImportTableDescription"]["ImportArn"]
    lab.control.advance(61)
    description: dict[str, Any] = lab.dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"]
    return call["TableCreationParameters"]["TableName"], description


def _counts(description: dict[str, Any]) -> tuple[int, int, int]:
    return description["ProcessedItemCount"], description["ImportedItemCount"], description["ErrorCount"]


PACKED: dict[str, Callable[[bytes], bytes]] = {"NONE": bytes, "GZIP": gzip.compress, "ZSTD": zstd.compress}


@pytest.mark.parametrize("compression", PACKED)
def test_an_import_reads_every_object_under_the_prefix(lab: Any, compression: str) -> None:
    pack = PACKED[compression]
    objects: dict[str, str | bytes] = {
        "in/a": pack(_lines("1", "2").encode()),
        "in/b": pack(_lines("3").encode()),
        "inner": pack(_lines("4").encode()),
        "out/c": pack(_lines("5").encode()),
    }
    bucket = _upload(lab, objects)
    table, description = _import(lab, _call(lab, bucket, "in", InputCompressionType=compression))
    assert description["ImportStatus"] == "COMPLETED"
    assert _counts(description) == (4, 4, 0)
    assert {item["pk"]["S"] for item in lab.scan(table).values()} == {"1", "2", "3", "4"}


def test_the_first_unparsable_line_drops_the_rest_of_its_object_and_counts_once(lab: Any) -> None:
    bucket = _upload(lab, {"a": _lines("1") + "garbage\n" + _lines("2", "3") + "more\n", "b": _lines("4")})
    table, description = _import(lab, _call(lab, bucket))
    assert (description["ImportStatus"], description["FailureCode"]) == ("FAILED", "ItemValidationError")
    assert _counts(description) == (3, 2, 1)
    assert lab.dynamodb.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE"
    assert {item["pk"]["S"] for item in lab.scan(table).values()} == {"1", "4"}


def test_documents_may_share_a_line_or_span_several(lab: Any) -> None:
    text = _lines("1") + _lines("2").strip() + _lines("3").strip() + json.dumps({"Item": {"pk": {"S": "4"}}}, indent=1)
    table, description = _import(lab, _call(lab, _upload(lab, {"a": text})))
    assert (description["ImportStatus"], _counts(description)) == ("COMPLETED", (4, 4, 0))
    assert {item["pk"]["S"] for item in lab.scan(table).values()} == {"1", "2", "3", "4"}


def test_invalid_items_count_one_by_one_and_the_valid_rows_stay(lab: Any) -> None:
    bad = _lines("n", v={"N": "1" * 39}) + json.dumps({"Item": {"v": {"S": "no key"}}}) + "\n"
    bucket = _upload(lab, {"a": _lines("1") + bad + _lines("2")})
    table, description = _import(lab, _call(lab, bucket))
    assert description["FailureCode"] == "ItemValidationError"
    assert _counts(description) == (4, 2, 2)
    assert len(lab.scan(table)) == 2


def test_counters_are_zero_until_the_end(lab: Any) -> None:
    bucket = _upload(lab, {"a": _lines("1")})
    begun = lab.dynamodb.import_table(**_call(lab, bucket))["ImportTableDescription"]
    lab.control.advance(55)
    running = lab.dynamodb.describe_import(ImportArn=begun["ImportArn"])["ImportTableDescription"]
    assert running["ImportStatus"] == "IN_PROGRESS" and _counts(running) == (0, 0, 0)


def test_the_table_is_invisible_then_creating_then_active_before_the_job_ends(lab: Any) -> None:
    bucket = _upload(lab, {"a": _lines("1")})
    call = _call(lab, bucket)
    name = call["TableCreationParameters"]["TableName"]
    begun = lab.dynamodb.import_table(**call)["ImportTableDescription"]
    assert lab.refusal(lab.dynamodb.describe_table, TableName=name) == "ResourceNotFoundException"
    lab.control.advance(25)
    assert lab.refusal(lab.dynamodb.describe_table, TableName=name) == "ResourceNotFoundException"
    lab.control.advance(10)
    assert lab.dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "CREATING"
    lab.control.advance(20)
    assert lab.dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE"
    running = lab.dynamodb.describe_import(ImportArn=begun["ImportArn"])["ImportTableDescription"]
    assert running["ImportStatus"] == "IN_PROGRESS"


def test_an_existing_table_is_refused_at_once(lab: Any) -> None:
    existing = lab.table(pitr=False)
    call = _call(lab, _upload(lab, {}), table={"TableName": existing})
    assert lab.refusal(lab.dynamodb.import_table, **call) == "ResourceInUseException"


def test_a_missing_bucket_fails_later_and_makes_no_table(lab: Any) -> None:
    table, description = _import(lab, _call(lab, "no-such-bucket-anywhere"))
    assert (description["ImportStatus"], description["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    assert lab.refusal(lab.dynamodb.describe_table, TableName=table) == "ResourceNotFoundException"


def test_an_empty_prefix_completes_with_an_empty_table(lab: Any) -> None:
    table, description = _import(lab, _call(lab, _upload(lab, {"a": _lines("1")}), "nothing/here"))
    assert description["ImportStatus"] == "COMPLETED" and lab.scan(table) == {}


def test_the_loser_of_two_imports_to_one_name_fails_with_table_already_exists(lab: Any) -> None:
    bucket = _upload(lab, {"a": _lines("1")})
    call = _call(lab, bucket)
    first = lab.dynamodb.import_table(**call)["ImportTableDescription"]["ImportArn"]
    second = lab.dynamodb.import_table(**call)["ImportTableDescription"]["ImportArn"]
    lab.control.advance(61)
    ends = [lab.dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"] for arn in (first, second)]
    assert [one["ImportStatus"] for one in ends] == ["COMPLETED", "FAILED"]
    assert ends[1]["FailureCode"] == "TableAlreadyExists"


@pytest.mark.parametrize("form", ["CSV", "DYNAMODB_JSON", "ION"])
@pytest.mark.parametrize("compression", PACKED)
def test_each_format_is_read_in_each_compression(lab: Any, form: str, compression: str) -> None:
    text = {
        "CSV": "pk,v\n1,a\n2,b\n", "DYNAMODB_JSON": _lines("1", v={"S": "a"}) + _lines("2", v={"S": "b"}),
        "ION": '$ion_1_0 {Item:{pk:"1",v:"a"}}\n$ion_1_0 {Item:{pk:"2",v:"b"}}\n',
    }[form]  # fmt: skip
    # two members or frames, cut inside a line: what a concatenation or a parallel packer leaves
    packed = b"".join(PACKED[compression](part.encode()) for part in (text[:11], text[11:]))
    call = _call(lab, _upload(lab, {"a": packed}), InputFormat=form, InputCompressionType=compression)
    table, description = _import(lab, call)
    assert (description["ImportStatus"], _counts(description)) == ("COMPLETED", (2, 2, 0))
    assert description["ProcessedSizeBytes"] == len(text)
    assert {item["pk"]["S"]: item["v"]["S"] for item in lab.scan(table).values()} == {"1": "a", "2": "b"}


@pytest.mark.parametrize("compression", ["GZIP", "ZSTD"])
def test_a_cut_or_foreign_object_counts_once_and_leaves_the_others(lab: Any, compression: str) -> None:
    packed = PACKED[compression](_lines("lost").encode())
    objects: dict[str, str | bytes] = {
        "a-cut": packed[:-4], "b-plain": _lines("lost"), "c-good": PACKED[compression](_lines("1").encode()),
        "d-empty": b"",
    }  # fmt: skip
    table, description = _import(lab, _call(lab, _upload(lab, objects), InputCompressionType=compression))
    assert (description["FailureCode"], _counts(description)) == ("ItemValidationError", (3, 1, 2))
    assert {item["pk"]["S"] for item in lab.scan(table).values()} == {"1"}


def test_of_duplicate_keys_any_may_win_and_none_is_reported(lab: Any) -> None:
    keys = [f"k{number}" for number in range(40)]
    bucket = _upload(lab, {"a": _lines(*keys, turn={"S": "first"}) + _lines(*keys, turn={"S": "last"})})
    table, description = _import(lab, _call(lab, bucket))
    assert (description["ImportStatus"], _counts(description)) == ("COMPLETED", (80, 80, 0))
    turns = [item["turn"]["S"] for item in lab.scan(table).values()]
    assert len(turns) == 40 and set(turns) == {"first", "last"}


def test_duplicate_keys_are_no_error_but_exceed_the_table(lab: Any) -> None:
    bucket = _upload(lab, {"a": _lines("1", "1", "2")})
    table, description = _import(lab, _call(lab, bucket))
    assert description["ImportStatus"] == "COMPLETED" and description["ImportedItemCount"] == 3
    assert len(lab.scan(table)) == 2


def test_the_wrong_compression_imports_nothing(lab: Any) -> None:
    bucket = _upload(lab, {"a": gzip.compress(_lines("1").encode())})
    table, description = _import(lab, _call(lab, bucket))
    assert description["ImportStatus"] == "FAILED" and lab.scan(table) == {}
    plain = _upload(lab, {"a": _lines("1")})
    _, description = _import(lab, _call(lab, plain, InputCompressionType="GZIP"))
    assert (description["FailureCode"], _counts(description)) == ("ItemValidationError", (1, 0, 1))


def test_csv_types_key_columns_and_leaves_the_others_strings(lab: Any) -> None:
    bucket = _upload(lab, {"a.csv": 'pk,sk,n,quoted\nx,7,12,"a,b"\ny,8,,plain\n'})
    schema = {
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"},
        ],
    }  # fmt: skip
    table, description = _import(lab, _call(lab, bucket, InputFormat="CSV", table=schema))
    assert description["ImportStatus"] == "COMPLETED"
    items = sorted(lab.scan(table).values(), key=lambda item: item["pk"]["S"])
    assert items[0] == {"pk": {"S": "x"}, "sk": {"N": "7"}, "n": {"S": "12"}, "quoted": {"S": "a,b"}}


def test_csv_with_a_header_list_reads_the_first_line_as_data(lab: Any) -> None:
    bucket = _upload(lab, {"a.csv": "x;1\ny;2\n"})
    options = {"Csv": {"Delimiter": ";", "HeaderList": ["pk", "value"]}}
    table, _ = _import(lab, _call(lab, bucket, InputFormat="CSV", InputFormatOptions=options))
    assert {item["pk"]["S"]: item["value"]["S"] for item in lab.scan(table).values()} == {"x": "1", "y": "2"}


def test_an_unknown_compression_is_refused_and_makes_no_job(lab: Any) -> None:
    call = _call(lab, _upload(lab, {}), InputCompressionType="LZ4")
    assert lab.refusal(lab.dynamodb.import_table, **call) == "ValidationException"
    named = call["TableCreationParameters"]["TableName"]
    jobs = lab.dynamodb.list_imports()["ImportSummaryList"]
    assert not [one for one in jobs if one["TableArn"].endswith(f"/{named}")]


def test_an_ion_export_can_be_imported_from_its_data_folder(lab: Any) -> None:
    table, bucket = lab.table(), _upload(lab, {})
    lab.fill(table, 12, set={"NS": ["1", "200"]}, binary={"B": b"\x00\x01"}, deep={"M": {"l": {"L": [{"S": "x"}]}}})
    lab.control.advance(400)
    arn = lab.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    export = lab.dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket, ExportFormat="ION")
    lab.control.advance(6)
    prefix = f"AWSDynamoDB/{export['ExportDescription']['ExportArn'].rsplit('/', 1)[-1]}/data/"
    copy, description = _import(lab, _call(lab, bucket, prefix, InputCompressionType="GZIP", InputFormat="ION"))
    assert description["ImportStatus"] == "COMPLETED"
    assert lab.scan(copy) == lab.scan(table)


def test_unparsable_ion_drops_the_rest_of_its_object_and_counts_once(lab: Any) -> None:
    bucket = _upload(lab, {"a": '$ion_1_0 {Item:{pk:"1"}}\n$ion_1_0 {Item:{pk:}}\n$ion_1_0 {Item:{pk:"2"}}\n'})
    table, description = _import(lab, _call(lab, bucket, InputFormat="ION"))
    assert (description["FailureCode"], _counts(description)) == ("ItemValidationError", (2, 1, 1))
    assert len(lab.scan(table)) == 1


def test_errors_are_logged_one_event_each_with_the_place_of_the_item(lab: Any) -> None:
    bucket = _upload(lab, {"a": _lines("1") + _lines("n", v={"N": "x"}) + _lines("2"), "b": _lines("3") + "garbage\n"})
    _, description = _import(lab, _call(lab, bucket))
    stream = f"{description['ImportArn'].rsplit('/', 1)[-1]}/error"
    logs = lab.client("logs")
    found = logs.get_log_events(logGroupName="/aws-dynamodb/imports", logStreamName=stream)["events"]
    events = [json.loads(one["message"]) for one in found]
    assert [one["itemS3Pointer"] for one in events] == [
        {"bucket": bucket, "key": "a", "itemIndex": 1}, {"bucket": bucket, "key": "b", "itemIndex": 1},
    ]  # fmt: skip
    assert {one["importArn"] for one in events} == {description["ImportArn"]}
    assert "numeric" in events[0]["errorMessages"][0]
    good = _upload(lab, {"a": _lines("1")})
    _, fine = _import(lab, _call(lab, good))
    streams = logs.describe_log_streams(logGroupName="/aws-dynamodb/imports")["logStreams"]
    assert not [one for one in streams if one["logStreamName"].startswith(fine["ImportArn"].rsplit("/", 1)[-1])]


def test_a_full_export_can_be_imported_from_its_data_folder(lab: Any) -> None:
    table, bucket = lab.table(), _upload(lab, {})
    lab.fill(table, 12, set={"NS": ["1", "2"]}, binary={"B": b"\x00\x01"})
    lab.control.advance(400)
    arn = lab.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    export = lab.dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket)["ExportDescription"]
    lab.control.advance(6)
    prefix = f"AWSDynamoDB/{export['ExportArn'].rsplit('/', 1)[-1]}/data/"
    copy, description = _import(lab, _call(lab, bucket, prefix, InputCompressionType="GZIP"))
    assert description["ImportStatus"] == "COMPLETED"
    assert lab.scan(copy) == lab.scan(table)


def test_list_imports_shows_the_jobs_of_a_table_and_describe_echoes_the_request(lab: Any) -> None:
    bucket = _upload(lab, {"a": _lines("1")})
    maxima = {"MaxReadRequestUnits": 20, "MaxWriteRequestUnits": 10}
    call = _call(lab, bucket, table={"OnDemandThroughput": maxima})
    table, description = _import(lab, call)
    assert lab.dynamodb.describe_table(TableName=table)["Table"]["OnDemandThroughput"] == maxima
    assert description["S3BucketSource"] == call["S3BucketSource"]
    assert description["TableCreationParameters"] == call["TableCreationParameters"]
    listed = lab.dynamodb.list_imports(TableArn=description["TableArn"])["ImportSummaryList"]
    assert [one["ImportArn"] for one in listed] == [description["ImportArn"]]


def test_a_repeated_token_returns_the_job_and_another_table_conflicts(lab: Any) -> None:
    bucket = _upload(lab, {"a": _lines("1")})
    call = _call(lab, bucket, ClientToken=lab.name("token"))
    first = lab.dynamodb.import_table(**call)["ImportTableDescription"]["ImportArn"]
    assert lab.dynamodb.import_table(**call)["ImportTableDescription"]["ImportArn"] == first
    other = call | {"TableCreationParameters": call["TableCreationParameters"] | {"TableName": lab.name("other")}}
    assert lab.refusal(lab.dynamodb.import_table, **other) == "ImportConflictException"
