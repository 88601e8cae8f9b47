"""Backups, restores, settings, exports and imports against the sandbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from infra.environment import TableDocument
from ops.clock import rfc3339, whole_seconds
from ops.errors import (
    BackupGone,
    BadArgument,
    ExportFiltered,
    Locked,
    NotADrillName,
    OutsideWindow,
    PitrOff,
    RecoveryFailed,
    ResourceNotFound,
    TableNotFound,
    TargetExists,
)
from ops.model.proof import SettingsOutcome
from ops.recovery import backups, cutover, exports, imports, pitr, reapply, restore, tables
from ops.recovery.journal import client_token
from ops.recovery.manifest import open_export, require_whole
from ops.recovery.objects import object_lines
from ops.recovery.preflight import keys_of, preflight
from ops.recovery.restore import RestoreRequest, start_restore, target_name
from ops.recovery.settings import (
    differences,
    flatten,
    from_json,
    read_settings,
    to_json,
    wanted_settings,
    with_lineage,
)
from ops.recovery.staging import stage_items
from tests.sandbox.recovery.kit import Bench


def restored(bench: Bench, request: RestoreRequest) -> restore.RestoreStart:
    started = start_restore(bench.control, request, bench.run, bench.clock, bench.progress)
    restore.wait_active(bench.control, request.target, bench.clock, bench.progress)
    return started


def test_every_lost_setting_is_named_reapplied_and_read_back(bench: Bench, document: TableDocument) -> None:
    wanted = bench.make(document)
    source = document.physical
    assert differences(wanted, read_settings(bench.control, source)) == ()
    bench.put(source, ("a1", "t1"), ("a1", "t2"))
    moment = whole_seconds(bench.clock.now()) + timedelta(seconds=1)
    pitr.wait_until_restorable(bench.control, source, moment, bench.clock, bench.progress)
    target = f"{source}-r"
    restored(bench, RestoreRequest(source, None, target, moment=moment))

    lost = {one.setting for one in differences(wanted, read_settings(bench.control, target))}
    assert lost == {
        "pitr", "pitr.days", "deletion_protection", "tags.owner", "tags.table", "table_class", "stream", "ttl",
        "scaling.table.read", "scaling.table.write", "scaling.genre_index.read", "scaling.genre_index.write",
        "replicas.us-west-2",
    }  # fmt: skip
    wanted = with_lineage(wanted, source=source, restored_to=rfc3339(moment), run=bench.run.id)
    bench.reapply(target, wanted, stage_two=False)
    still = {one.setting for one in differences(wanted, read_settings(bench.control, target))}
    assert still == {"stream", "ttl", "replicas.us-west-2"}
    bench.reapply(target, wanted)
    outcome = reapply.read_back(bench.control, target, wanted, SettingsOutcome())
    assert outcome.differing == ()
    assert outcome.restored
    assert outcome.checked >= 18
    assert bench.keys(target) == {("a1", "t1"), ("a1", "t2")}
    assert reapply.plan(read_settings(bench.control, target), wanted) == ()


class Recorder:
    """Parameters of every call, by operation."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def before(self, service: str, operation: str, params: dict[str, Any]) -> None:
        self.seen.append((operation, params))

    def after(self, service: str, operation: str, params: dict[str, Any], outcome: str) -> None:
        """The answer is not of interest."""


def test_a_drills_scaling_targets_carry_its_tag(bench: Bench, document: TableDocument) -> None:
    recorder = Recorder()
    replace(bench, control=bench.control.observed_by(recorder)).make(document, stage_two=False)
    registered = [params for operation, params in recorder.seen if operation == "RegisterScalableTarget"]
    assert len(registered) == 4
    assert all(params["Tags"] == {"ops-drill": "true"} for params in registered)


def test_no_call_carries_an_empty_structure(bench: Bench, document: TableDocument) -> None:
    recorder = Recorder()
    watched = replace(bench, control=bench.control.observed_by(recorder))
    watched.make(document)
    watched.clock.sleep(400)
    restored(watched, RestoreRequest(document.physical, None, f"{document.physical}-r", latest=True))
    empty = [(name, key) for name, params in recorder.seen for key, value in params.items() if value in ({}, [], "")]
    assert empty == []


def test_a_second_ttl_change_within_the_hour_is_pending_not_failed(bench: Bench, document: TableDocument) -> None:
    bench.make(document)
    name = document.physical
    bench.clock.sleep(7200)
    off = {"Enabled": False, "AttributeName": "expires_at"}
    bench.control.call("dynamodb", "update_time_to_live", TableName=name, TimeToLiveSpecification=off)
    wanted = wanted_settings(document)
    changes = reapply.plan(read_settings(bench.control, name), wanted)
    assert [change.setting for change in changes] == ["ttl"]
    outcome = reapply.apply(
        bench.control, name, changes, stage="after_proof", run=bench.run, clock=bench.clock, progress=bench.progress
    )
    assert [setting for setting, _ in outcome.pending] == ["ttl"]
    found = reapply.read_back(bench.control, name, wanted, outcome)
    assert [one.setting for one in found.differing] == ["ttl"]
    assert found.restored


def test_settings_that_the_sandbox_cannot_show_say_so(bench: Bench, plain: TableDocument) -> None:
    bench.make(plain)
    found = read_settings(bench.control, plain.physical)
    unread = {name: value for name, value in flatten(found).items() if value.startswith("not readable")}
    assert set(unread) == set(found.unknown)
    assert from_json(to_json(found)) == found


def test_a_restore_holds_exactly_the_items_of_its_second(bench: Bench, plain: TableDocument) -> None:
    source = plain.physical
    bench.make(plain)
    bench.put(source, ("a1", "t1"))
    bench.clock.sleep(5)
    moment = whole_seconds(bench.clock.now())
    bench.clock.sleep(5)
    bench.put(source, ("a1", "t2"))
    pitr.wait_until_restorable(bench.control, source, moment, bench.clock, bench.progress)
    started = restored(bench, RestoreRequest(source, None, f"{source}-r", moment=moment))
    assert (started.way, started.restored_to) == ("pitr", moment)
    assert bench.keys(f"{source}-r") == {("a1", "t1")}


def test_a_time_outside_the_window_names_both_bounds_and_changes_nothing(bench: Bench, plain: TableDocument) -> None:
    bench.make(plain)
    bench.clock.sleep(900)
    window = pitr.restorable_window(bench.control, plain.physical)
    request = RestoreRequest(plain.physical, None, "drill-outside", moment=window.earliest - timedelta(days=1))
    with pytest.raises(OutsideWindow) as caught:
        start_restore(bench.control, request, bench.run, bench.clock, bench.progress)
    assert rfc3339(window.earliest) in caught.value.what
    assert "to 2" in caught.value.what
    assert not tables.exists(bench.control, "drill-outside")
    assert bench.run.find("intent", target="drill-outside") is None


def test_a_window_still_pinned_is_explained(bench: Bench, plain: TableDocument) -> None:
    bench.make(plain)
    window = pitr.restorable_window(bench.control, plain.physical)
    assert pitr.pinned(window)
    with pytest.raises(OutsideWindow) as caught:
        pitr.check_inside(window, window.latest + timedelta(seconds=30), plain.physical)
    assert "OPS-W005" in caught.value.why


def test_without_pitr_the_refusal_names_the_newest_backup(bench: Bench, plain: TableDocument) -> None:
    tables.create_like(bench.control, plain.physical, plain, bench.run)
    with pytest.raises(PitrOff, match="is off") as caught:
        pitr.restorable_window(bench.control, plain.physical)
    assert "no backup" in caught.value.why
    made = backups.create_backup(
        bench.control, plain.physical, f"b-{bench.run.id8}", bench.run, bench.clock, bench.progress
    )
    with pytest.raises(PitrOff) as caught:
        pitr.restorable_window(bench.control, plain.physical)
    assert made.arn in caught.value.why


def test_a_taken_target_name_is_never_restored_over(bench: Bench, plain: TableDocument) -> None:
    bench.make(plain)
    bench.clock.sleep(400)
    request = RestoreRequest(plain.physical, None, plain.physical, latest=True)
    with pytest.raises(TargetExists):
        start_restore(bench.control, request, bench.run, bench.clock, bench.progress)
    assert tables.describe(bench.control, plain.physical)["TableStatus"] == "ACTIVE"


@pytest.mark.parametrize("ways", [{}, {"latest": True, "backup_arn": "arn"}])
def test_a_restore_wants_exactly_one_source(bench: Bench, ways: dict[str, Any]) -> None:
    with pytest.raises(BadArgument):
        start_restore(bench.control, RestoreRequest("t", None, "u", **ways), bench.run, bench.clock, bench.progress)


def test_a_resumed_run_adopts_its_own_restore(bench: Bench, plain: TableDocument) -> None:
    source = plain.physical
    bench.make(plain)
    bench.clock.sleep(400)
    request = RestoreRequest(source, None, f"{source}-r", latest=True)
    first = start_restore(bench.control, request, bench.run, bench.clock, bench.progress)
    again = start_restore(bench.control, request, bench.run, bench.clock, bench.progress)
    assert (again.adopted, again.restored_to, again.source_arn) == (True, first.restored_to, first.source_arn)
    restore.wait_active(bench.control, request.target, bench.clock, bench.progress)
    assert start_restore(bench.control, request, bench.run, bench.clock, bench.progress).adopted
    asked = [line for line in bench.run.lines if line.data.get("operation") == "RestoreTableToPointInTime"]
    assert [line.kind for line in asked] == ["intent", "outcome"]


def test_an_adopted_name_that_became_another_table_is_refused(bench: Bench, plain: TableDocument) -> None:
    source = plain.physical
    bench.make(plain)
    bench.clock.sleep(400)
    request = RestoreRequest(source, None, f"{source}-r", latest=True)
    restored(bench, request)
    tables.delete_drill_table(bench.control, request.target, bench.run, bench.clock)
    tables.create_like(bench.control, request.target, plain)
    with pytest.raises(TargetExists, match="exists already"):
        start_restore(bench.control, request, bench.run, bench.clock, bench.progress)


def test_a_backup_is_available_adopted_on_resume_and_restorable(bench: Bench, plain: TableDocument) -> None:
    source, name = plain.physical, f"backup-{bench.run.id8}"
    bench.make(plain)
    bench.put(source, ("a1", "t1"))
    made = backups.create_backup(bench.control, source, name, bench.run, bench.clock, bench.progress)
    again = backups.create_backup(bench.control, source, name, bench.run, bench.clock, bench.progress)
    assert (made.status, again.arn) == ("AVAILABLE", made.arn)
    assert [one.arn for one in backups.list_backups(bench.control, source)] == [made.arn]
    bench.put(source, ("a1", "later"))
    started = restored(bench, RestoreRequest(source, None, f"{source}-b", backup_arn=made.arn))
    assert (started.way, started.restored_to) == ("backup", made.created)
    assert bench.keys(f"{source}-b") == {("a1", "t1")}


def test_an_unknown_backup_is_said_to_be_gone(bench: Bench) -> None:
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/none/backup/01489602797149-73d8d5bc"
    with pytest.raises(BackupGone, match="no such backup"):
        backups.describe_backup(bench.control, arn)


def test_a_backup_of_another_table_is_refused(bench: Bench, plain: TableDocument) -> None:
    bench.make(plain)
    made = backups.create_backup(bench.control, plain.physical, "other", bench.run, bench.clock, bench.progress)
    request = RestoreRequest("some-other", None, "drill-x", backup_arn=made.arn)
    with pytest.raises(BadArgument, match="not of some-other"):
        start_restore(bench.control, request, bench.run, bench.clock, bench.progress)


def test_the_system_backup_of_a_deleted_table_brings_it_back(bench: Bench, plain: TableDocument) -> None:
    source = plain.physical
    bench.make(plain)
    bench.put(source, ("a1", "t1"))
    table_id = tables.describe(bench.control, source)["TableId"]
    assert tables.delete_drill_table(bench.control, source, bench.run, bench.clock, leave_system_backup=True)
    entry = backups.system_backup(bench.control, source, table_id, bench.clock, 60)
    assert (entry.kind, entry.expires is not None) == ("SYSTEM", True)
    started = restored(bench, RestoreRequest(source, None, f"{source}-s", backup_arn=entry.arn))
    assert started.way == "system-backup"
    assert bench.keys(f"{source}-s") == {("a1", "t1")}


def test_a_drills_table_leaves_nothing_behind(bench: Bench, document: TableDocument) -> None:
    name = document.physical
    bench.make(document, stage_two=False)
    assert tables.delete_drill_table(bench.control, name, bench.run, bench.clock)
    assert len(tables.delete_scaling(bench.control, name, bench.run)) == 8
    bench.clock.sleep(60)
    assert name not in tables.list_tables(bench.control)
    assert backups.list_backups(bench.control, name) == []
    assert tables.scaling_of(bench.control, name, "describe_scalable_targets", "ScalableTargets") == []
    assert not tables.delete_drill_table(bench.control, name, bench.run, bench.clock)


def test_nothing_but_a_drills_table_is_ever_deleted(bench: Bench) -> None:
    with pytest.raises(NotADrillName):
        tables.delete_drill_table(bench.control, "top_tracks", bench.run, bench.clock)
    with pytest.raises(NotADrillName):
        tables.delete_scaling(bench.control, "top_tracks")


def test_a_missing_table_is_named(bench: Bench) -> None:
    for look in (tables.describe, pitr.restorable_window, read_settings):
        with pytest.raises(TableNotFound, match="none-such"):
            look(bench.control, "none-such")


def export(bench: Bench, table: str, bucket: str, prefix: str) -> tuple[str, str]:
    moment = whole_seconds(bench.clock.now())
    pitr.wait_until_restorable(bench.control, table, moment, bench.clock, bench.progress)
    arn = exports.start_export(
        bench.control, bench.arn(table), bucket=bucket, prefix=prefix, at=moment,
        token=client_token(bench.run, table, prefix), run=bench.run, clock=bench.clock, progress=bench.progress,
    )  # fmt: skip
    described = exports.wait_export(bench.control, arn, bench.clock, bench.progress)
    found = exports.find_export(bench.control, bench.arn(table), moment)
    assert found == exports.manifest_address(described)
    assert exports.find_export(bench.control, bench.arn(table), moment - timedelta(seconds=1)) is None
    return arn, found


def test_an_export_reads_back_whole_and_imports_into_a_new_table(
    bench: Bench, plain: TableDocument, bucket: str
) -> None:
    source = plain.physical
    bench.make(plain)
    bench.put(source, *((f"a{number}", "t1") for number in range(30)))
    bench.clock.sleep(3)
    _, address = export(bench, source, bucket, "exports/whole")
    opened = open_export(bench.control, address, table_arn=bench.arn(source))
    found = opened.verify(bench.progress)
    require_whole(opened, found)
    assert (found.files_ok, found.files_bad) == (len(opened.files), ())
    assert (opened.declared, opened.weaknesses) == (30, ())
    assert {item["artist_id"]["S"] for item in opened.items()} == {f"a{number}" for number in range(30)}

    keys, index_keys = keys_of(plain)
    judged = preflight(opened.lines(), keys, index_keys, "dynamodb-json")
    assert (judged.read, judged.distinct_keys, judged.clean) == (30, 30, True)
    target = f"{source}-i"
    wanted: Any = {
        "bucket": bucket, "prefix": opened.data_prefix, "form": "dynamodb-json", "compression": "GZIP",
        "table": target, "schema": tables.create_parameters(target, plain), "token": client_token(bench.run, target),
        "run": bench.run, "clock": bench.clock, "progress": bench.progress,
    }  # fmt: skip
    counts = imports.import_table(bench.control, **wanted)
    assert (counts.imported, counts.errors) == (30, 0)
    assert bench.keys(target) == bench.keys(source)
    again = imports.import_table(bench.control, **wanted)
    assert again.arn == counts.arn
    with pytest.raises(TargetExists):
        imports.import_table(bench.control, **{**wanted, "token": "another"})


def test_a_filtered_export_is_never_taken_for_a_table(bench: Bench, plain: TableDocument, bucket: str) -> None:
    bench.make(plain)
    bench.put(plain.physical, ("a1", "t1"), ("a2", "t1"))
    bench.clock.sleep(400)
    answer = bench.control.call(
        "dynamodb", "export_table_to_point_in_time", TableArn=bench.arn(plain.physical), S3Bucket=bucket,
        FilterSpecification={
            "KeyConditionExpression": "artist_id = :a", "ExpressionAttributeValues": {":a": {"S": "a1"}},
        },
    )  # fmt: skip
    described = exports.wait_export(
        bench.control, answer["ExportDescription"]["ExportArn"], bench.clock, bench.progress
    )
    assert exports.find_export(bench.control, bench.arn(plain.physical), described["ExportTime"]) is None
    with pytest.raises(ExportFiltered):
        open_export(bench.control, exports.manifest_address(described))


def test_an_export_into_a_missing_bucket_fails_with_awss_code(bench: Bench, plain: TableDocument) -> None:
    bench.make(plain)
    bench.clock.sleep(400)
    arn = exports.start_export(
        bench.control, bench.arn(plain.physical), bucket="no-such-bucket-here", prefix="", token="t-missing",
        run=bench.run, clock=bench.clock, progress=bench.progress,
    )  # fmt: skip
    with pytest.raises(RecoveryFailed, match="S3NoSuchBucket"):
        exports.wait_export(bench.control, arn, bench.clock, bench.progress)


def test_an_export_without_pitr_is_refused(bench: Bench, plain: TableDocument, bucket: str) -> None:
    tables.create_like(bench.control, plain.physical, plain)
    with pytest.raises(PitrOff):
        exports.start_export(
            bench.control, bench.arn(plain.physical), bucket=bucket, prefix="", token="t-off", run=bench.run,
            clock=bench.clock, progress=bench.progress,
        )  # fmt: skip


def test_a_poisoned_import_fails_with_counts_and_keeps_the_table(
    bench: Bench, plain: TableDocument, bucket: str
) -> None:
    good = b'{"Item":{"artist_id":{"S":"a1"},"id":{"S":"t1"}}}\n'
    bench.control.call("s3", "put_object", Bucket=bucket, Key="poison/1.json", Body=good + b"not json\n" + good)
    keys, index_keys = keys_of(plain)
    judged = preflight(object_lines(bench.control, bucket, "poison/", "NONE"), keys, index_keys, "dynamodb-json")
    assert [(one.source, one.line) for one in judged.problems] == [("poison/1.json", 2), ("poison/1.json", 3)]
    with pytest.raises(RecoveryFailed, match="FAILED") as caught:
        imports.import_table(
            bench.control, bucket=bucket, prefix="poison/", form="dynamodb-json", compression="NONE",
            table=plain.physical, schema=tables.create_parameters(plain.physical, plain), token="poison",
            run=bench.run, clock=bench.clock, progress=bench.progress,
        )  # fmt: skip
    assert "1 imported" in caught.value.why
    assert "not deleted" in caught.value.changed
    assert bench.keys(plain.physical) == {("a1", "t1")}


def test_csv_is_imported_with_typed_keys(bench: Bench, plain: TableDocument, bucket: str) -> None:
    body = b"artist_id,id,genre,name\na1,t1,folk,First\na1,t2,,Second\n"
    bench.control.call("s3", "put_object", Bucket=bucket, Key="csv/1.csv", Body=body)
    keys, index_keys = keys_of(plain)
    judged = preflight(object_lines(bench.control, bucket, "csv/", "NONE"), keys, index_keys, "csv")
    assert (judged.read, judged.distinct_keys, judged.problems) == (2, 2, ())
    counts = imports.import_table(
        bench.control, bucket=bucket, prefix="csv/", form="csv", compression="NONE", table=plain.physical,
        schema=tables.create_parameters(plain.physical, plain), token="csv", run=bench.run, clock=bench.clock,
        progress=bench.progress,
    )  # fmt: skip
    assert counts.imported == judged.distinct_keys
    assert bench.keys(plain.physical) == {("a1", "t1"), ("a1", "t2")}


def test_staged_items_import_as_they_were(bench: Bench, plain: TableDocument, bucket: str) -> None:
    items = [{"artist_id": {"S": f"a{number}"}, "id": {"S": "ü"}} for number in range(5)]
    staged = stage_items(bench.control, items, bucket=bucket, prefix=f"staged/{bench.run.id8}", run=bench.run)
    assert (staged.items, len(staged.keys)) == (5, 1)
    counts = imports.import_table(
        bench.control, bucket=bucket, prefix=staged.prefix, form="dynamodb-json", compression="GZIP",
        table=plain.physical, schema=tables.create_parameters(plain.physical, plain), token="staged",
        run=bench.run, clock=bench.clock, progress=bench.progress,
    )  # fmt: skip
    assert counts.imported == 5
    assert bench.keys(plain.physical) == {(f"a{number}", "ü") for number in range(5)}


def test_an_address_without_an_export_is_not_found(bench: Bench, bucket: str) -> None:
    with pytest.raises(ResourceNotFound, match="no export at"):
        open_export(bench.control, f"s3://{bucket}/AWSDynamoDB/01715685260608-c488b4e1")
    with pytest.raises(ResourceNotFound, match="bucket not found"):
        open_export(bench.control, "s3://no-such-bucket-here/AWSDynamoDB/01715685260608-c488b4e1")


def test_a_pointer_moves_only_from_where_it_was_seen(bench: Bench) -> None:
    path = f"/dynamo-ops/test/tables/{bench.run.id8}"
    assert cutover.read_pointer(bench.control, path) is None
    assert cutover.write_pointer(bench.control, path, "one", None, bench.run) == 1
    assert cutover.write_pointer(bench.control, path, "two", "one", bench.run) == 2
    assert cutover.write_pointer(bench.control, path, "two", "one", bench.run) == 2
    with pytest.raises(Locked, match="moved meanwhile"):
        cutover.write_pointer(bench.control, path, "three", "one", bench.run)
    assert cutover.read_pointer(bench.control, path) == cutover.Pointer("two", 2)
    assert cutover.delete_pointer(bench.control, path, bench.run)
    assert not cutover.delete_pointer(bench.control, path, bench.run)


def test_the_journal_holds_every_change_and_no_value(bench: Bench, document: TableDocument) -> None:
    bench.make(document)
    journal = [line for line in bench.run.lines if line.kind in ("intent", "outcome")]
    intents = [line for line in journal if line.kind == "intent"]
    assert len(journal) == 2 * len(intents) > 20
    assert "music" not in str([line.data for line in journal])
    for before, after in zip(journal[::2], journal[1::2], strict=True):
        assert (before.kind, after.kind) == ("intent", "outcome")
        assert before.data["params_digest"] == after.data["params_digest"]


def test_a_restored_name_says_what_it_holds(bench: Bench) -> None:
    moment = whole_seconds(bench.clock.now())
    assert target_name("top_tracks", moment) == f"top_tracks-r{moment:%Y%m%dT%H%M%SZ}"
