"""What the sandbox claims, as cases for a place that may be the sandbox or a real account.

Every case makes its own tables and buckets by `Place.name`, and waits by `Place.wait`: on AWS that is real time, in
the sandbox its clock is stepped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

KEY = "pk"
MINUTE_S = 60.0
HOUR_S = 3600.0


@dataclass(slots=True)
class Place:
    """Where a case runs. What it makes is tagged, and remembered for the clean-up."""

    dynamodb: Any
    s3: Any
    region: str
    run: str
    now: Callable[[], datetime]
    wait: Callable[[float], None]
    tables: list[str] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)
    backups: list[str] = field(default_factory=list)

    def name(self, stem: str) -> str:
        """A name of this run that no other case uses."""
        return f"ops-live-{self.run}-{stem}-{len(self.tables) + len(self.buckets) + len(self.backups)}"

    def table(self, *, pitr: bool = False, **more: Any) -> str:
        """A new on-demand table, ACTIVE."""
        name = self.name("table")
        self.tables.append(name)
        self.dynamodb.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
            Tags=[{"Key": "ops-live", "Value": self.run}], **more,
        )  # fmt: skip
        self.active(name)
        if pitr:
            self.enable(name)
        return name

    def enable(self, table: str) -> None:
        """Point-in-time recovery; refused in the first seconds of a table."""
        wanted = {"PointInTimeRecoveryEnabled": True}

        def call() -> bool:
            self.dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=wanted)
            return True

        self.until(lambda: refusal(call) is None, MINUTE_S, "continuous backups can be enabled", 2.0)

    def target(self) -> str:
        """The name of a table that a restore will make."""
        name = self.name("restored")
        self.tables.append(name)
        return name

    def bucket(self) -> str:
        """A new bucket."""
        name = self.name("bucket").lower()
        more = {} if self.region == "us-east-1" else {
            "CreateBucketConfiguration": {"LocationConstraint": self.region}
        }  # fmt: skip
        self.buckets.append(name)
        self.s3.create_bucket(Bucket=name, **more)
        self.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "ops-live", "Value": self.run}]})
        return name

    def put(self, table: str, keys: str, number: int = 1) -> None:
        """One small item per letter."""
        for key in keys:
            self.dynamodb.put_item(TableName=table, Item={KEY: {"S": key}, "n": {"N": str(number)}})

    def items(self, table: str) -> dict[str, str]:
        """Key to number of every item."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return {item[KEY]["S"]: item["n"]["N"] for page in pages for item in page["Items"]}

    def describe(self, table: str) -> dict[str, Any]:
        found: dict[str, Any] = self.dynamodb.describe_table(TableName=table)["Table"]
        return found

    def window(self, table: str) -> dict[str, Any]:
        """PointInTimeRecoveryDescription."""
        found = self.dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        described: dict[str, Any] = found["PointInTimeRecoveryDescription"]
        return described

    def active(self, table: str, limit_s: float = HOUR_S) -> None:
        """Wait for ACTIVE."""
        self.until(lambda: self.describe(table)["TableStatus"] == "ACTIVE", limit_s, f"{table} is ACTIVE")

    def until(self, done: Callable[[], bool], limit_s: float, what: str, step_s: float = 15.0) -> None:
        """Poll slowly: describe calls are throttled after about a dozen in a burst."""
        for _ in range(math.ceil(limit_s / step_s)):
            if done():
                return
            self.wait(step_s)
        raise AssertionError(f"not in {limit_s:.0f} s: {what}")

    def clean_up(self) -> Iterator[str]:
        """Delete everything; yields what could not be deleted."""
        for table in self.tables:
            with suppress(ClientError):
                self.until(lambda name=table: self.describe(name)["TableStatus"] == "ACTIVE", HOUR_S, "can go")  # type: ignore[misc]
            with suppress(ClientError):
                self.dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
            # otherwise each deleted table leaves a system backup for 35 days
            with suppress(ClientError):
                self.dynamodb.update_continuous_backups(
                    TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
                )
            yield from self._gone("table", table, self.dynamodb.delete_table, TableName=table)
        # after the tables: a backup that still feeds one cannot go
        for arn in self.backups:
            yield from self._gone("backup", arn, self.dynamodb.delete_backup, BackupArn=arn)
        for bucket in self.buckets:
            with suppress(ClientError):
                for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                    for one in page.get("Contents", []):
                        self.s3.delete_object(Bucket=bucket, Key=one["Key"])
            yield from self._gone("bucket", bucket, self.s3.delete_bucket, Bucket=bucket)

    def _gone(self, kind: str, name: str, call: Callable[..., Any], **arguments: Any) -> Iterator[str]:
        code = refusal(lambda: call(**arguments))
        if code is not None and "NotFound" not in code and code != "NoSuchBucket":
            yield f"{kind} {name}: {code}"


def refusal(call: Callable[[], Any]) -> str | None:
    """The error code, or None when the call was accepted."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


def right_after_enabling_the_window_is_pinned(place: Place) -> None:
    table = place.table(pitr=True)
    found = place.window(table)
    assert found["EarliestRestorableDateTime"] == found["LatestRestorableDateTime"]
    assert found["RecoveryPeriodInDays"] == 35
    earliest = found["EarliestRestorableDateTime"]
    place.wait(7 * MINUTE_S)
    found = place.window(table)
    assert found["EarliestRestorableDateTime"] == earliest
    trailing = place.now() - found["LatestRestorableDateTime"]
    assert timedelta(minutes=4) < trailing < timedelta(minutes=6)


def a_restore_brings_back_a_second_and_loses_the_documented_settings(place: Place) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    table = place.table(pitr=True, StreamSpecification=stream)
    place.dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    place.put(table, "abc")
    place.wait(3)
    moment = place.now().replace(microsecond=0)
    place.wait(3)
    place.put(table, "c", 2)
    place.put(table, "d")
    place.dynamodb.delete_item(TableName=table, Key={KEY: {"S": "a"}})
    place.until(lambda: place.window(table)["LatestRestorableDateTime"] >= moment, HOUR_S, "the window holds it")
    target = place.target()
    place.dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=target, RestoreDateTime=moment)
    assert place.describe(target)["TableStatus"] == "CREATING"
    assert place.describe(target)["RestoreSummary"]["RestoreInProgress"]
    place.active(target)
    assert place.items(target) == {"a": "1", "b": "1", "c": "1"}
    assert place.items(table) == {"b": "1", "c": "2", "d": "1"}
    found = place.describe(target)
    assert "RestoreSummary" not in found
    assert not found.get("StreamSpecification", {}).get("StreamEnabled")
    assert place.window(target)["PointInTimeRecoveryStatus"] == "DISABLED"
    ttl = place.dynamodb.describe_time_to_live(TableName=target)["TimeToLiveDescription"]
    assert ttl["TimeToLiveStatus"] == "DISABLED"
    assert place.dynamodb.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"] == []
    assert found["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def restores_are_refused_in_the_known_order(place: Place) -> None:
    off, on = place.table(), place.table(pitr=True)
    restore = place.dynamodb.restore_table_to_point_in_time

    def code(source: str, target: str, **when: Any) -> str | None:
        return refusal(lambda: restore(SourceTableName=source, TargetTableName=target, **when))

    unused = place.name("unused")
    future = place.now() + timedelta(hours=1)
    assert code(off, unused) == "ValidationException"
    assert code(off, unused, RestoreDateTime=future) == "PointInTimeRecoveryUnavailableException"
    assert code(on, off, RestoreDateTime=future) == "InvalidRestoreTimeException"
    assert code(on, off, UseLatestRestorableTime=True) == "TableAlreadyExistsException"
    assert code(place.name("missing"), unused, UseLatestRestorableTime=True) == "TableNotFoundException"


def a_backup_holds_its_items_and_restores_them(place: Place) -> None:
    table = place.table()
    place.put(table, "ab")
    create = place.dynamodb.create_backup
    place.until(
        lambda: refusal(lambda: place.backups.append(
            create(TableName=table, BackupName="live")["BackupDetails"]["BackupArn"])) is None,
        MINUTE_S, "a backup can be made", 2.0,
    )  # fmt: skip
    arn = place.backups[-1]
    # what is written within a minute of the request may or may not be in it
    place.wait(65)
    place.put(table, "c")
    place.until(
        lambda: place.dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]["BackupStatus"]
        == "AVAILABLE",
        HOUR_S, "the backup is AVAILABLE",
    )  # fmt: skip
    listed = place.dynamodb.list_backups(TableName=table)["BackupSummaries"]
    assert [one["BackupArn"] for one in listed] == [arn]
    target = place.target()
    place.dynamodb.restore_table_from_backup(BackupArn=arn, TargetTableName=target)
    again = place.name("second")
    in_use = refusal(lambda: place.dynamodb.restore_table_from_backup(BackupArn=arn, TargetTableName=again))
    assert in_use == "BackupInUseException"
    place.active(target)
    assert place.items(target) == {"a": "1", "b": "1"}


def a_deleted_table_with_recovery_comes_back_from_its_system_backup(place: Place) -> None:
    table = place.table(pitr=True)
    place.put(table, "ab")
    place.dynamodb.delete_table(TableName=table)
    found: list[dict[str, Any]] = []

    def seen() -> bool:
        found[:] = place.dynamodb.list_backups(TableName=table, BackupType="SYSTEM")["BackupSummaries"]
        return bool(found)

    place.until(seen, 5 * MINUTE_S, "the system backup is listed", 2.0)
    assert place.dynamodb.list_backups(TableName=table)["BackupSummaries"] == []
    assert (found[0]["BackupType"], found[0]["BackupName"]) == ("SYSTEM", f"{table}$DeletedTableBackup")
    arn, target = found[0]["BackupArn"], place.target()
    assert refusal(lambda: place.dynamodb.delete_backup(BackupArn=arn)) == "ValidationException"
    place.dynamodb.restore_table_from_backup(BackupArn=arn, TargetTableName=target)
    place.active(target)
    assert place.items(target) == {"a": "1", "b": "1"}


def a_full_export_holds_the_items_of_its_time(place: Place) -> None:
    table, bucket = place.table(pitr=True), place.bucket()
    place.put(table, "abcdef")
    place.wait(3)
    moment = place.now().replace(microsecond=0)
    place.wait(3)
    place.put(table, "ghi")
    place.until(lambda: place.window(table)["LatestRestorableDateTime"] >= moment, HOUR_S, "the window holds it")
    export, describe = place.dynamodb.export_table_to_point_in_time, place.dynamodb.describe_export
    call = {"TableArn": place.describe(table)["TableArn"], "ExportTime": moment}
    arn = export(S3Bucket=bucket, S3Prefix="live", **call)["ExportDescription"]["ExportArn"]
    missing = export(S3Bucket=f"{bucket}-missing", **call)["ExportDescription"]["ExportArn"]

    def status(one: str) -> str:
        return str(describe(ExportArn=one)["ExportDescription"]["ExportStatus"])

    place.until(lambda: status(arn) != "IN_PROGRESS", HOUR_S, "the export ends")
    place.until(lambda: status(missing) != "IN_PROGRESS", HOUR_S, "the other export ends")
    found = describe(ExportArn=arn)["ExportDescription"]
    assert (found["ExportStatus"], found["ItemCount"]) == ("COMPLETED", 6)
    assert describe(ExportArn=missing)["ExportDescription"]["FailureCode"] == "S3NoSuchBucket"
    manifest = json.loads(place.s3.get_object(Bucket=bucket, Key=found["ExportManifest"])["Body"].read())
    assert manifest["itemCount"] == 6 and manifest["manifestFilesS3Key"].endswith("manifest-files.json")


def batches_are_checked_whole(place: Place) -> None:
    table = place.table()
    batch = place.dynamodb.batch_write_item

    def code(*keys: str, **more: Any) -> str | None:
        requests = [{"PutRequest": {"Item": {KEY: {"S": key}, "n": {"N": "1"}, **more}}} for key in keys]
        return refusal(lambda: batch(RequestItems={table: requests}))

    assert code(*(f"k{number}" for number in range(26))) == "ValidationException"
    assert code("same", "same") == "ValidationException"
    # 2 + 1 bytes of key, 1 + 2 of the number, 1 + the text: 409,600 in all
    assert code("k", t={"S": "x" * (409_600 - 2 - 1 - 1 - 2 - 1 + 1)}) == "ValidationException"
    assert place.items(table) == {}
    assert code("k", t={"S": "x" * (409_600 - 2 - 1 - 1 - 2 - 1)}) is None
    assert code("bad", m={"N": "1" * 39}) == "ValidationException"
    assert code("number", m={"N": "0012.500"}) is None
    got = place.dynamodb.get_item(TableName=table, Key={KEY: {"S": "number"}}, ConsistentRead=True)["Item"]
    assert got["m"] == {"N": "12.5"}


# each case, and the claims (ops.sandbox.aws.claims, by their tests) that it confirms where it runs on AWS
CASES: dict[Callable[[Place], None], tuple[str, ...]] = {
    right_after_enabling_the_window_is_pinned: (
        "right_after_enabling_both_bounds_are_pinned_to_the_enable_time",
        "the_latest_restorable_time_trails_now_by_300_seconds",
        "the_recovery_period_is_1_to_35_days_and_35_by_default",
    ),
    a_restore_brings_back_a_second_and_loses_the_documented_settings: (
        "a_restore_brings_back_the_items_of_the_chosen_second",
        "a_restored_table_loses_stream_ttl_pitr_tags_protection_policy_and_class",
        "a_restoring_table_is_creating_with_a_restore_summary_that_vanishes_at_active",
    ),
    restores_are_refused_in_the_known_order: (
        "exactly_one_of_time_and_latest_is_required",
        "with_pitr_off_the_error_is_point_in_time_recovery_unavailable",
        "a_time_outside_the_window_is_refused_with_both_bounds",
        "checks_run_shape_then_recovery_then_window_then_target",
        "an_unknown_source_is_table_not_found",
    ),
    a_backup_holds_its_items_and_restores_them: (
        "a_backup_holds_the_items_of_its_request",
        "list_backups_shows_user_backups_unless_asked_for_others",
        "one_backup_feeds_one_restore_at_a_time",
    ),
    a_deleted_table_with_recovery_comes_back_from_its_system_backup: (
        "deleting_a_table_with_pitr_leaves_a_system_backup_some_seconds_later",
        "list_backups_shows_user_backups_unless_asked_for_others",
    ),
    a_full_export_holds_the_items_of_its_time: (
        "a_full_export_holds_the_items_of_its_export_time",
        "an_export_is_in_progress_first_and_tells_counts_only_at_the_end",
        "a_missing_bucket_is_accepted_and_shows_as_failed_later",
    ),
    batches_are_checked_whole: (
        "a_batch_holds_at_most_25_requests",
        "two_requests_on_one_key_refuse_the_whole_batch",
        "an_item_of_409600_bytes_is_stored_and_one_more_is_refused",
        "more_than_38_digits_out_of_range_or_no_number_is_refused",
        "numbers_come_back_normalised",
    ),
}
