"""Exports: files, manifests, windows, tokens; and what they say about the table."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import operator
from datetime import datetime, timedelta
from typing import Any

import pytest

from ops.sandbox.aws import ion
from ops.sandbox.aws.values import checked_value


def _bucket(lab: Any) -> str:
    name: str = lab.name("exports")
    lab.client("s3").create_bucket(Bucket=name)
    return name


def _arn(lab: Any, table: str) -> str:
    return str(lab.dynamodb.describe_table(TableName=table)["Table"]["TableArn"])


def _export(lab: Any, table: str, bucket: str, **more: Any) -> dict[str, Any]:
    """Request an export, wait for its end, and return the last description."""
    begun = lab.dynamodb.export_table_to_point_in_time(TableArn=_arn(lab, table), S3Bucket=bucket, **more)
    lab.control.advance(6)
    arn = begun["ExportDescription"]["ExportArn"]
    found: dict[str, Any] = lab.dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
    return found


def _read(lab: Any, bucket: str, key: str) -> bytes:
    found: bytes = lab.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return found


def _lines(lab: Any, bucket: str, description: dict[str, Any]) -> list[dict[str, Any]]:
    """All lines of an export, read by its manifests, with every checksum, ETag and count verified."""
    summary_key = description["ExportManifest"]
    summary_text = _read(lab, bucket, summary_key)
    _check_md5(lab, bucket, summary_key, summary_text)
    summary = json.loads(summary_text)
    files_text = _read(lab, bucket, summary["manifestFilesS3Key"])
    _check_md5(lab, bucket, summary["manifestFilesS3Key"], files_text)
    found: list[dict[str, Any]] = []
    for entry in map(json.loads, files_text.splitlines()):
        body = _read(lab, bucket, entry["dataFileS3Key"])
        assert base64.b64encode(hashlib.md5(body).digest()).decode() == entry["md5Checksum"]
        etag = lab.client("s3").head_object(Bucket=bucket, Key=entry["dataFileS3Key"])["ETag"].strip('"')
        assert etag == entry["etag"] and etag.endswith("-1")
        lines = [json.loads(line) for line in gzip.decompress(body).splitlines()]
        assert len(lines) == entry["itemCount"]
        found += lines
    assert len(found) == summary["itemCount"] == description["ItemCount"]
    return found


def _check_md5(lab: Any, bucket: str, key: str, text: bytes) -> None:
    expected = base64.b64encode(hashlib.md5(text).digest())
    assert _read(lab, bucket, key.removesuffix(".json") + ".md5") == expected


def _incremental(begin: datetime, end: datetime, view: str = "NEW_AND_OLD_IMAGES") -> dict[str, Any]:
    spec = {"ExportFromTime": begin, "ExportToTime": end, "ExportViewType": view}
    return {"ExportType": "INCREMENTAL_EXPORT", "IncrementalExportSpecification": spec}


def test_a_full_export_holds_the_items_of_its_export_time(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    lab.fill(table, 20)
    moment = lab.second()
    expected = lab.scan(table)
    lab.put(table, "later")
    lab.control.advance(400)
    lines = _lines(lab, bucket, _export(lab, table, bucket, ExportTime=moment))
    assert {json.dumps([line["Item"]["pk"], None]): line["Item"] for line in lines} == expected


def test_an_export_without_a_time_holds_what_is_there_at_its_request(lab: Any) -> None:
    table, bucket = lab.table(), lab.name("exports")
    lab.client("s3").create_bucket(Bucket=bucket)
    lab.fill(table, 3)
    arn = lab.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    export = lab.dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket)["ExportDescription"]
    lab.put(table, "later")
    lab.control.advance(6)
    found = lab.dynamodb.describe_export(ExportArn=export["ExportArn"])["ExportDescription"]
    assert (found["ExportStatus"], found["ItemCount"]) == ("COMPLETED", 3)


def test_the_objects_lie_where_aws_puts_them_and_empty_data_files_exist(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    lab.fill(table, 1)
    lab.control.advance(400)
    description = _export(lab, table, bucket, S3Prefix="some/prefix")
    identifier = description["ExportArn"].rsplit("/", 1)[-1]
    home = f"some/prefix/AWSDynamoDB/{identifier}"
    listed = lab.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    keys = sorted(one["Key"] for one in listed)
    data = [key for key in keys if key.startswith(f"{home}/data/")]
    names = ("_started", "manifest-files.json", "manifest-files.md5", "manifest-summary.json", "manifest-summary.md5")
    assert keys == sorted([*data, *(f"{home}/{name}" for name in names)])
    assert len(data) == 4 and all(key.endswith(".json.gz") for key in data)
    sizes = [len(gzip.decompress(_read(lab, bucket, key))) for key in data]
    assert sizes.count(0) == 3
    millis, _, tail = identifier.partition("-")
    assert len(millis) == 14 and millis.isdigit() and len(tail) == 8


def test_an_export_is_in_progress_first_and_tells_counts_only_at_the_end(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    begun = lab.dynamodb.export_table_to_point_in_time(TableArn=_arn(lab, table), S3Bucket=bucket)["ExportDescription"]
    assert begun["ExportStatus"] == "IN_PROGRESS"
    assert not {"ItemCount", "BilledSizeBytes", "ExportManifest", "EndTime", "ExportType"} & begun.keys()
    lab.control.advance(6)
    ended = lab.dynamodb.describe_export(ExportArn=begun["ExportArn"])["ExportDescription"]
    assert ended["ExportStatus"] == "COMPLETED"
    assert {"ItemCount", "BilledSizeBytes", "ExportManifest", "EndTime"} <= ended.keys()


def test_a_full_export_plus_the_incremental_after_it_equals_the_next_full_export(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    lab.fill(table, 30)
    first = lab.second()
    lab.put(table, "k1", changed={"BOOL": True})
    lab.put(table, "inserted")
    lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "k2"}})
    lab.put(table, "brief")
    lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "brief"}})
    lab.control.advance(1000)
    second = lab.second()
    lab.control.advance(400)
    state = {
        one["Item"]["pk"]["S"]: one["Item"]
        for one in _lines(lab, bucket, _export(lab, table, bucket, ExportTime=first))
    }
    changes = _lines(lab, bucket, _export(lab, table, bucket, **_incremental(first, second)))
    assert sorted(one["Keys"]["pk"]["S"] for one in changes) == ["inserted", "k1", "k2"]
    for change in changes:
        key = change["Keys"]["pk"]["S"]
        assert change.get("OldImage") == state.get(key)
        assert int(change["Metadata"]["WriteTimestampMicros"]["N"]) > first.timestamp() * 1e6
        if "NewImage" in change:
            state[key] = change["NewImage"]
        else:
            del state[key]
    expected = _lines(lab, bucket, _export(lab, table, bucket, ExportTime=second))
    assert state == {one["Item"]["pk"]["S"]: one["Item"] for one in expected}


def test_new_image_exports_carry_no_old_images(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    lab.fill(table, 2)
    first = lab.second()
    lab.put(table, "k0", v={"N": "9"})
    lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "k1"}})
    lab.control.advance(1000)
    second = lab.second()
    lab.control.advance(400)
    lines = _lines(lab, bucket, _export(lab, table, bucket, **_incremental(first, second, "NEW_IMAGE")))
    assert all("OldImage" not in line for line in lines)
    assert {line["Keys"]["pk"]["S"]: "NewImage" in line for line in lines} == {"k0": True, "k1": False}


def test_incremental_runs_share_one_data_folder_and_the_manifest_tells_them_apart(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    first = lab.second()
    lab.put(table, "one")
    lab.control.advance(1000)
    second = lab.second()
    lab.put(table, "two")
    lab.control.advance(1000)
    third = lab.second()
    lab.control.advance(400)
    runs = [_export(lab, table, bucket, **_incremental(*window)) for window in ((first, second), (second, third))]
    listed = lab.client("s3").list_objects_v2(Bucket=bucket, Prefix="AWSDynamoDB/data/")["Contents"]
    assert len(listed) == 8
    found = [[line["Keys"]["pk"]["S"] for line in _lines(lab, bucket, run)] for run in runs]
    assert found == [["one"], ["two"]]
    assert runs[0]["BilledSizeBytes"] == 10_000_000


@pytest.mark.parametrize(("seconds", "allowed"), [(899, False), (900, True), (86_400, True), (86_401, False)])
def test_an_incremental_window_is_15_minutes_to_24_hours(lab: Any, seconds: int, allowed: bool) -> None:
    table, bucket = lab.table(), _bucket(lab)
    first = lab.second()
    lab.control.advance(90_000)
    call = {"TableArn": _arn(lab, table), "S3Bucket": bucket}
    call |= _incremental(first, first + timedelta(seconds=seconds))
    if allowed:
        lab.dynamodb.export_table_to_point_in_time(**call)
    else:
        assert lab.refusal(lab.dynamodb.export_table_to_point_in_time, **call) == "InvalidExportTimeException"


def test_export_times_outside_the_window_are_refused(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    lab.control.advance(1000)
    for moment in (lab.clock.now(), lab.clock.now() - timedelta(days=1)):
        call = {"TableArn": _arn(lab, table), "S3Bucket": bucket, "ExportTime": moment}
        assert lab.refusal(lab.dynamodb.export_table_to_point_in_time, **call) == "InvalidExportTimeException"


def test_type_and_specification_must_agree(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    call = {"TableArn": _arn(lab, table), "S3Bucket": bucket}
    spec = _incremental(lab.clock.now(), lab.clock.now())
    for more in ({"ExportType": "INCREMENTAL_EXPORT"}, {**spec, "ExportType": "FULL_EXPORT"}):
        code = lab.refusal(lab.dynamodb.export_table_to_point_in_time, **call, **more)
        assert code == "ValidationException"


def test_an_export_needs_pitr_and_an_existing_table(lab: Any) -> None:
    bucket, off = _bucket(lab), lab.table(pitr=False)
    call = lab.dynamodb.export_table_to_point_in_time
    code = lab.refusal(call, TableArn=_arn(lab, off), S3Bucket=bucket)
    assert code == "PointInTimeRecoveryUnavailableException"
    missing = _arn(lab, off).replace(off, "no-such-table")
    assert lab.refusal(call, TableArn=missing, S3Bucket=bucket) == "TableNotFoundException"


def test_a_missing_bucket_is_accepted_and_shows_as_failed_later(lab: Any) -> None:
    table = lab.table()
    description = _export(lab, table, "no-such-bucket-anywhere")
    assert (description["ExportStatus"], description["FailureCode"]) == ("FAILED", "S3NoSuchBucket")


def test_a_client_token_replays_the_same_export_and_refuses_another(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    call = {"TableArn": _arn(lab, table), "S3Bucket": bucket, "ClientToken": lab.name("token")}
    export = lab.dynamodb.export_table_to_point_in_time
    first, again = export(**call), export(**call)
    assert first["ExportDescription"]["ExportArn"] == again["ExportDescription"]["ExportArn"]
    assert lab.refusal(export, **call, S3Prefix="other") == "ExportConflictException"
    lab.control.advance(8 * 3600 + 1)
    later = export(**call)
    assert later["ExportDescription"]["ExportArn"] != first["ExportDescription"]["ExportArn"]


def test_encryption_parameters_are_echoed_and_a_key_needs_kms(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    description = _export(lab, table, bucket, S3SseAlgorithm="KMS", S3SseKmsKeyId="alias/exports")
    assert (description["S3SseAlgorithm"], description["S3SseKmsKeyId"]) == ("KMS", "alias/exports")
    summary = json.loads(_read(lab, bucket, description["ExportManifest"]))
    assert summary["s3SseKmsKeyId"] == "alias/exports"
    call = {"TableArn": _arn(lab, table), "S3Bucket": bucket, "S3SseKmsKeyId": "alias/exports"}
    assert lab.refusal(lab.dynamodb.export_table_to_point_in_time, **call) == "ValidationException"


def test_a_filter_selects_by_key_filter_and_projection(lab: Any) -> None:
    table, bucket = lab.table(sort="N"), _bucket(lab)
    for number in range(4):
        lab.put(table, "mine", sk={"N": str(number)}, keep={"BOOL": number % 2 == 0}, extra={"S": "x"})
        lab.put(table, "other", sk={"N": str(number)}, keep={"BOOL": True})
    lab.control.advance(400)
    selection = {
        "KeyConditionExpression": "pk = :p", "FilterExpression": "keep = :yes", "ProjectionExpression": "pk, sk",
        "ExpressionAttributeValues": {":p": {"S": "mine"}, ":yes": {"BOOL": True}},
    }  # fmt: skip
    lines = _lines(lab, bucket, _export(lab, table, bucket, FilterSpecification=selection))
    found = sorted(([*line["Item"]], line["Item"]["sk"]["N"]) for line in lines)
    assert found == [(["pk", "sk"], "0"), (["pk", "sk"], "2")]


def test_list_exports_is_newest_first_and_empty_once_the_table_is_deleted(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    arn = _arn(lab, table)
    made = [_export(lab, table, bucket)["ExportArn"] for _ in range(2)]
    listed = lab.dynamodb.list_exports(TableArn=arn)["ExportSummaries"]
    assert [one["ExportArn"] for one in listed] == made[::-1]
    assert {one["ExportType"] for one in listed} == {"FULL_EXPORT"}
    lab.dynamodb.delete_table(TableName=table)
    assert lab.dynamodb.list_exports(TableArn=arn)["ExportSummaries"] == []
    assert lab.dynamodb.describe_export(ExportArn=made[0])["ExportDescription"]["ExportStatus"] == "COMPLETED"


def _ion_lines(lab: Any, bucket: str, description: dict[str, Any]) -> list[dict[str, Any]]:
    """The structs of an ION export as attribute values, every line checked for its marker."""
    summary = json.loads(_read(lab, bucket, description["ExportManifest"]))
    assert summary["outputFormat"] == "ION"
    found: list[dict[str, Any]] = []
    for entry in map(json.loads, _read(lab, bucket, summary["manifestFilesS3Key"]).splitlines()):
        assert entry["dataFileS3Key"].endswith(".ion.gz")
        lines = gzip.decompress(_read(lab, bucket, entry["dataFileS3Key"])).decode().splitlines()
        assert len(lines) == entry["itemCount"] and all(line.startswith("$ion_1_0 {") for line in lines)
        found += [value["M"] for line in lines for value in ion.values(line)]
    return found


def _normal(wire: dict[str, Any]) -> dict[str, Any]:
    return {name: checked_value(value)[0] for name, value in wire.items()}


def test_an_ion_export_holds_the_same_items_as_ion_text(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    lab.fill(table, 9, tags={"SS": ["a", "b"]}, m={"M": {"x y": {"NULL": True}}}, price={"N": "2000"})
    lab.dynamodb.put_item(TableName=table, Item={"pk": {"S": "b"}, "raw": {"B": b"\x00\xff"}})
    lab.control.advance(400)
    asked = _export(lab, table, bucket, ExportFormat="ION")
    assert asked["ExportFormat"] == "ION"
    plain = _lines(lab, bucket, _export(lab, table, bucket))
    found = [_normal(line["Item"]["M"]) for line in _ion_lines(lab, bucket, asked)]
    key = operator.itemgetter("pk")
    assert sorted(found, key=lambda one: str(key(one))) == sorted(
        (line["Item"] for line in plain), key=lambda one: str(key(one))
    )


def test_an_incremental_ion_export_holds_the_same_changes(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    lab.fill(table, 2)
    first = lab.second()
    lab.put(table, "k0", v={"N": "9"})
    lab.dynamodb.delete_item(TableName=table, Key={"pk": {"S": "k1"}})
    lab.control.advance(1000)
    second = lab.second()
    lab.control.advance(400)
    window = _incremental(first, second)
    plain = _lines(lab, bucket, _export(lab, table, bucket, **window))
    found = [
        line["Record"]["M"]
        for line in _ion_lines(lab, bucket, _export(lab, table, bucket, ExportFormat="ION", **window))
    ]
    read = [{name: _normal(image["M"]) for name, image in one.items()} for one in found]
    assert sorted(map(str, (sorted(one.items()) for one in read))) == sorted(
        map(str, (sorted(one.items()) for one in plain))
    )


def test_denied_buckets_and_missing_keys_show_only_in_describe_export(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    for fault, code, more in (
        ("export_denied", "S3AccessDenied", {}),
        ("export_kms", "KmsNotFoundException", {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": "alias/none"}),
    ):
        lab.control.set_fault(fault, count=1)
        call = {"TableArn": _arn(lab, table), "S3Bucket": bucket, **more}
        begun = lab.dynamodb.export_table_to_point_in_time(**call)["ExportDescription"]
        assert begun["ExportStatus"] == "IN_PROGRESS" and "FailureCode" not in begun
        lab.control.advance(6)
        ended = lab.dynamodb.describe_export(ExportArn=begun["ExportArn"])["ExportDescription"]
        assert (ended["ExportStatus"], ended["FailureCode"]) == ("FAILED", code)
        assert "ExportManifest" not in ended
    assert "Contents" not in lab.client("s3").list_objects_v2(Bucket=bucket)
    lab.control.set_fault("export_kms")
    assert _export(lab, table, bucket)["ExportStatus"] == "COMPLETED"


@pytest.mark.parametrize(
    "selection",
    [{"KeyConditionExpression": "pk = :p", "FilterExpression": "sk > :n"},
     {"KeyConditionExpression": "pk = :p", "FilterExpression": "#k = :n", "ExpressionAttributeNames": {"#k": "pk"}},
     {"KeyConditionExpression": "sk = :n"}, {"KeyConditionExpression": "pk > :p"},
     {"FilterExpression": "keep = = :n"}, {"FilterExpression": "keep = :n OR " * 400 + "keep = :n"}],
)  # fmt: skip
def test_a_key_condition_is_one_partition_and_a_filter_beside_it_names_no_key(
    lab: Any, selection: dict[str, Any]
) -> None:
    table, bucket = lab.table(sort="N"), _bucket(lab)
    values = {":p": {"S": "mine"}, ":n": {"N": "1"}}
    text = " ".join(str(part) for part in selection.values())
    used = {name: value for name, value in values.items() if name in text}
    call = {"TableArn": _arn(lab, table), "S3Bucket": bucket}
    filters = {**selection, "ExpressionAttributeValues": used}
    code = lab.refusal(lab.dynamodb.export_table_to_point_in_time, FilterSpecification=filters, **call)
    assert code == "ValidationException"


def test_a_filter_without_a_key_condition_may_name_keys(lab: Any) -> None:
    table, bucket = lab.table(sort="N"), _bucket(lab)
    for number in range(4):
        lab.put(table, "mine", sk={"N": str(number)})
    lab.control.advance(400)
    selection = {"FilterExpression": "sk >= :n", "ExpressionAttributeValues": {":n": {"N": "2"}}}
    lines = _lines(lab, bucket, _export(lab, table, bucket, FilterSpecification=selection))
    assert sorted(line["Item"]["sk"]["N"] for line in lines) == ["2", "3"]


def test_a_projection_narrows_the_images_of_an_incremental_and_keeps_its_keys(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    lab.put(table, "a", v={"N": "1"}, w={"N": "1"})
    first = lab.second()
    lab.put(table, "a", v={"N": "2"}, w={"N": "2"})
    lab.control.advance(1000)
    second = lab.second()
    lab.control.advance(400)
    selection = {"ProjectionExpression": "v"}
    export = _export(lab, table, bucket, FilterSpecification=selection, **_incremental(first, second))
    (line,) = _lines(lab, bucket, export)
    assert (line["Keys"], line["OldImage"], line["NewImage"]) == (
        {"pk": {"S": "a"}}, {"v": {"N": "1"}}, {"v": {"N": "2"}}
    )  # fmt: skip


def test_an_export_under_way_is_not_changed_by_what_happens_to_the_table(lab: Any) -> None:
    table, bucket = lab.table(), _bucket(lab)
    lab.fill(table, 5)
    lab.control.advance(400)
    call = {"TableArn": _arn(lab, table), "S3Bucket": bucket}
    arn = lab.dynamodb.export_table_to_point_in_time(**call)["ExportDescription"]["ExportArn"]
    lab.pitr(table, enabled=False)
    lab.dynamodb.delete_table(TableName=table)
    lab.control.advance(6)
    ended = lab.dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
    assert (ended["ExportStatus"], len(_lines(lab, bucket, ended))) == ("COMPLETED", 5)


def test_an_unknown_export_is_not_found(lab: Any) -> None:
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/x/export/01"
    assert lab.refusal(lab.dynamodb.describe_export, ExportArn=arn) == "ExportNotFoundException"
