"""Reading exports: the real one, and every way in which one can be broken."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.errors import BadArgument, ExportCorrupt, ExportFiltered, RunFolderUnusable, Unreachable
from ops.model.items import KeySchema
from ops.model.proof import SideInfo
from ops.progress import SilentProgress
from ops.recovery import objects
from ops.recovery.addresses import ExportAddress
from ops.recovery.copies import copy_objects
from ops.recovery.manifest import Export, open_export, require_whole
from ops.recovery.objects import ObjectFault
from ops.verify.lines import LineFile
from ops.verify.sides import FilesSide
from tests.unit.disk import full_disk
from tests.unit.recovery.kit import (
    BUCKET,
    HOME,
    START,
    TABLE_ARN,
    MemoryS3,
    items,
    md5,
    put_manifest,
    real_export,
    written_export,
)

REAL = "s3://test-bucket/dynamodb-export/AWSDynamoDB/01715685260608-c488b4e1/manifest-summary.json"
ADDRESS = f"s3://{BUCKET}/{HOME}/manifest-summary.json"


def opened(s3: MemoryS3) -> Export:
    return open_export(s3, ADDRESS)


def test_the_real_export_is_read_with_every_attribute_type() -> None:
    export = open_export(real_export(), REAL)
    found = list(export.items())
    assert (export.declared, len(found), export.table_arn) == (3, 3, TABLE_ARN)
    assert export.exported_at.isoformat() == "2024-05-14T11:14:20.608000+00:00"
    assert export.address == REAL
    types = {tag for item in found for value in item.values() for tag in value}
    assert types == {"S", "N", "BOOL", "NULL", "SS", "NS", "L", "M", "B", "BS"}
    result = export.verify(SilentProgress())
    assert (result.level, result.files_ok, result.files_bad) == ("bytes", 1, ())


def test_missing_checksum_objects_are_named_as_a_weakness() -> None:
    assert len(open_export(real_export(), REAL).weaknesses) == 2
    assert opened(written_export([items("a")])).weaknesses == ()


@pytest.mark.parametrize(
    "text", [REAL, REAL.removesuffix("manifest-summary.json"), REAL.removesuffix("/manifest-summary.json")]
)
def test_an_address_may_stop_at_the_export_id(text: str) -> None:
    assert ExportAddress.parse(text).text == REAL


@pytest.mark.parametrize("text", ["", "s3://", "s3://bucket", "s3://bucket/", "bucket/key", "https://b/k"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadArgument):
        ExportAddress.parse(text)


def test_lines_carry_object_and_number() -> None:
    lines = list(opened(written_export([items("a", "b"), [], items("c")])).lines())
    assert [(key[-9:], at) for key, at, _ in lines] == [("0.json.gz", 1), ("0.json.gz", 2), ("2.json.gz", 1)]
    assert json.loads(lines[2][2])["Item"]["id"] == {"S": "c"}


def test_unknown_members_are_tolerated() -> None:
    assert opened(written_export([items("a")], newMember={"x": 1}, s3Prefix=None)).declared == 1


def test_the_files_manifest_is_looked_for_beside_the_summary_too() -> None:
    s3 = written_export([items("a")], manifestFilesS3Key="manifest-files.json")
    assert len(list(opened(s3).items())) == 1


def test_a_checksum_object_may_have_the_guides_name() -> None:
    s3 = written_export([items("a")])
    s3.objects[f"{HOME}/manifest-files.checksum"] = s3.objects.pop(f"{HOME}/manifest-files.md5")
    assert opened(s3).weaknesses == ()
    s3.objects[f"{HOME}/manifest-files.checksum"] = md5(b"other").encode()
    with pytest.raises(ExportCorrupt, match=r"manifest-files\.json"):
        opened(s3)


PARTS = [items("a", "b", "c"), items("d", "e"), []]


def _flip(s3: MemoryS3, key: str) -> None:
    body = bytearray(s3.objects[key])
    body[len(body) // 2] ^= 1
    s3.objects[key] = bytes(body)


def _truncate(s3: MemoryS3, key: str) -> None:
    s3.objects[key] = s3.objects[key][:-9]


def _cut_at_member(s3: MemoryS3, key: str) -> None:
    """A file of two gzip members that lost its second: gzip itself sees nothing wrong."""
    whole = s3.objects[key]
    raw = gzip.decompress(whole)
    half = raw.index(b"\n") + 1
    members = [gzip.compress(raw[:half]), gzip.compress(raw[half:])]
    manifest = s3.objects[f"{HOME}/manifest-files.json"]
    put_manifest(s3, "manifest-files", manifest.replace(md5(whole).encode(), md5(b"".join(members)).encode()))
    s3.objects[key] = members[0]


def _empty(s3: MemoryS3, key: str) -> None:
    s3.objects[key] = b""


def _missing(s3: MemoryS3, key: str) -> None:
    del s3.objects[key]


def _zeros(s3: MemoryS3, key: str) -> None:
    s3.objects[key] += b"\0" * 512


def _swap(s3: MemoryS3, key: str) -> None:
    s3.objects[key] = s3.objects[s3.data_keys[1]]


def _one_line_less(s3: MemoryS3, key: str) -> None:
    """The object's md5 is right, its count is not."""
    body = gzip.compress(gzip.decompress(s3.objects[key]).split(b"\n", 1)[1])
    manifest = s3.objects[f"{HOME}/manifest-files.json"]
    put_manifest(s3, "manifest-files", manifest.replace(md5(s3.objects[key]).encode(), md5(body).encode()))
    s3.objects[key] = body


def _not_gzip(s3: MemoryS3, key: str) -> None:
    """The manifest names exactly this object, but it is no whole gzip stream."""
    body = s3.objects[key][:-9]
    manifest = s3.objects[f"{HOME}/manifest-files.json"]
    put_manifest(s3, "manifest-files", manifest.replace(md5(s3.objects[key]).encode(), md5(body).encode()))
    s3.objects[key] = body


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (_flip, "checksum"),
        (_truncate, "checksum"),
        (_cut_at_member, "checksum"),
        (_zeros, "checksum"),
        (_empty, "size"),
        (_not_gzip, "size"),
        (_missing, "missing"),
        (_swap, "foreign"),
        (_one_line_less, "count"),
    ],
)
def test_a_damaged_object_is_classed_and_named(damage: Callable[[MemoryS3, str], None], kind: str) -> None:
    s3 = written_export(PARTS)
    key = s3.data_keys[0]
    damage(s3, key)
    export = opened(s3)
    found = export.verify(SilentProgress())
    assert [(name, text.partition(":")[0]) for name, text in found.files_bad] == [(key, kind)]
    assert found.files_ok == 2
    with pytest.raises(ExportCorrupt) as caught:
        require_whole(export, found)
    assert key in caught.value.why
    with pytest.raises(ObjectFault) as fault:
        list(export.items())
    assert (fault.value.fault.key, fault.value.fault.kind) == (key, kind)


@pytest.mark.parametrize("damage", [_flip, _truncate, _cut_at_member, _empty, _missing, _zeros, _swap])
def test_not_one_line_of_a_damaged_object_is_handed_out(damage: Callable[[MemoryS3, str], None]) -> None:
    s3 = written_export(PARTS)
    damage(s3, s3.data_keys[0])
    lines = opened(s3).lines()
    with pytest.raises(ObjectFault):
        next(lines)


def test_an_object_that_the_manifest_does_not_name_is_foreign() -> None:
    s3 = written_export(PARTS)
    stranger = f"{HOME}/data/zzzz.json.gz"
    s3.objects[stranger] = gzip.compress(b"{}\n")
    found = opened(s3).verify(SilentProgress())
    assert [(key, text.partition(":")[0]) for key, text in found.files_bad] == [(stranger, "foreign")]
    assert found.files_ok == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"Keys":{}}', "no member Item"),
        (b'{"Item":{"id":{"S":"a"}},"other":1}', "no member Item"),
        (b'{"Item":[]}', "no member Item"),
        (b'{"Item":{"id":{"S":"a"},"id":{"S":"b"}}}', "not JSON: an object names 'id' twice"),
        (b'{"Item":{"id":{"S":"a"}}}\r', "ends with a carriage return"),
    ],
)
def test_a_line_that_is_no_item_is_named_however_the_export_is_read(line: bytes, reason: str, tmp_path: Path) -> None:
    """One by one where there is no room for copies, else from copies."""
    s3 = written_export([items("a")])
    key = s3.data_keys[0]
    body = gzip.compress(line + b"\n")
    manifest = s3.objects[f"{HOME}/manifest-files.json"]
    put_manifest(s3, "manifest-files", manifest.replace(md5(s3.objects[key]).encode(), md5(body).encode()))
    s3.objects[key] = body
    export = opened(s3)
    with pytest.raises(ExportCorrupt) as streamed:
        list(export.items())
    [copy] = copy_objects(export, tmp_path) or ()
    file = LineFile(copy.path, copy.file.key, items=copy.file.items)
    with pytest.raises(ExportCorrupt) as copied:
        list(FilesSide(SideInfo("export", "e"), (file,), KeySchema("id")).read())
    assert streamed.value.why == copied.value.why == f"foreign: line 1 is no item: {reason}"
    assert streamed.value.what == copied.value.what == f"export object {key} cannot be used"


def test_sums_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ExportCorrupt) as caught:
        opened(written_export(PARTS, itemCount=6))
    assert caught.value.why.startswith("count")


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"exportArn": f"{TABLE_ARN}/export/01715685260608-ffffffff"}, "foreign"),
        ({"exportArn": "arn:aws:dynamodb:eu-central-1:1:table/Other/export/01715685260608-c488b4e1"}, "foreign"),
        ({"exportArn": None}, "foreign"),
        ({"itemCount": "5"}, "foreign"),
        ({"exportTime": None}, "foreign"),
        ({"exportTime": "yesterday"}, "foreign"),
        ({"exportTime": 1785000000}, "foreign"),
        ({"exportTime": "2026-11-20T10:02:16"}, "foreign: member exportTime is no time"),
        ({"startTime": "2026-13-01T00:00:00Z"}, "foreign: member startTime is no time"),
        ({"exportFromTime": "2026-11-20T09:00:00Z"}, "foreign: it names no window"),
        ({"exportFromTime": "x", "exportToTime": "2026-11-20T10:00:00Z"}, "foreign: member exportFromTime is no time"),
        ({"exportType": "INCREMENTAL_EXPORT", "exportToTime": "2026-11-20T10:00:00Z"}, "foreign: it names no window"),
    ],
)
def test_a_summary_of_something_else_is_foreign(members: dict[str, Any], kind: str) -> None:
    with pytest.raises(ExportCorrupt) as caught:
        opened(written_export(PARTS, **members))
    assert caught.value.why.startswith(kind)


def test_an_export_of_another_table_or_second_is_foreign_when_asked_for() -> None:
    s3 = written_export(PARTS)
    open_export(s3, ADDRESS, table_arn=TABLE_ARN, at=START)
    for wanted in ({"table_arn": TABLE_ARN + "2"}, {"at": START - timedelta(seconds=1)}):
        with pytest.raises(ExportCorrupt) as caught:
            open_export(s3, ADDRESS, **wanted)
        assert caught.value.why.startswith("foreign")


def test_a_cut_or_altered_manifest_is_refused() -> None:
    for name in ("manifest-files", "manifest-summary"):
        s3 = written_export(PARTS)
        s3.objects[f"{HOME}/{name}.json"] = s3.objects[f"{HOME}/{name}.json"][:-20]
        with pytest.raises(ExportCorrupt, match=name):
            opened(s3)
        del s3.objects[f"{HOME}/{name}.md5"]
        with pytest.raises(ExportCorrupt, match=name):
            opened(s3)


def test_a_missing_files_manifest_is_named() -> None:
    s3 = written_export(PARTS)
    del s3.objects[f"{HOME}/manifest-files.json"]
    with pytest.raises(ExportCorrupt) as caught:
        opened(s3)
    assert caught.value.why.startswith("missing")


def test_a_manifest_that_names_an_object_outside_its_export_is_foreign() -> None:
    s3 = written_export(PARTS)
    manifest = s3.objects[f"{HOME}/manifest-files.json"]
    put_manifest(s3, "manifest-files", manifest.replace(b"c488b4e1/data/", b"00000000/data/", 1))
    with pytest.raises(ExportCorrupt) as caught:
        opened(s3)
    assert caught.value.why.startswith("foreign")


def test_when_an_export_of_changes_was_started_need_not_be_told() -> None:
    window: dict[str, Any] = {"exportFromTime": "2026-09-20T09:00:00Z", "exportToTime": "2026-09-20T10:00:00Z"}
    export = opened(written_export([], **window, exportTime=None, startTime=None))
    assert export.exported_at.isoformat() == "2026-09-20T10:00:00+00:00"


def test_an_object_named_twice_is_refused() -> None:
    s3 = written_export([items("a"), []])
    line = s3.objects[f"{HOME}/manifest-files.json"].splitlines()[1]
    manifest = s3.objects[f"{HOME}/manifest-files.json"] + line + b"\n"
    put_manifest(s3, "manifest-files", manifest)
    with pytest.raises(ExportCorrupt) as caught:
        opened(s3)
    assert "twice" in caught.value.why


def test_a_filtered_export_is_refused_and_an_unknown_one_unless_allowed() -> None:
    s3 = written_export(PARTS)
    (arn,) = s3.exports
    s3.exports[arn] = {"ExportArn": arn, "FilterSpecification": {"FilterExpression": "x = :x"}}
    with pytest.raises(ExportFiltered, match="filtered export"):
        opened(s3)
    s3.exports.clear()
    with pytest.raises(ExportFiltered, match="cannot be read"):
        opened(s3)
    assert open_export(s3, ADDRESS, unknown_filter=True).weaknesses


def test_an_incremental_export_is_not_taken_for_a_table() -> None:
    s3 = written_export([[]], exportFromTime="2026-11-20T09:00:00Z", exportToTime="2026-11-20T10:00:00Z")
    manifest = s3.objects[f"{HOME}/manifest-files.json"].replace(f"{HOME}/data/".encode(), b"AWSDynamoDB/data/")
    put_manifest(s3, "manifest-files", manifest)
    export = opened(s3)
    assert export.incremental
    with pytest.raises(BadArgument, match="changes, not a table"):
        next(export.items())


def test_another_format_is_refused_instead_of_called_corrupt() -> None:
    with pytest.raises(BadArgument, match="ION"):
        opened(written_export(PARTS, outputFormat="ION"))


def test_a_broken_connection_is_tried_again_and_then_named() -> None:
    s3 = written_export(PARTS)
    key = s3.data_keys[0]
    s3.breaks[key] = 2
    assert len(list(opened(s3).items())) == 5
    s3.breaks[key] = 3
    with pytest.raises(Unreachable, match="broke off"):
        list(opened(s3).items())


def test_a_full_disk_of_this_machine_is_no_fault_of_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told that it is corrupt, somebody would take an older one."""
    monkeypatch.setattr(objects, "SPOOL_BYTES", 1000)
    s3 = written_export([items(*(f"{number * 7919:x}" for number in range(3000)))])
    for key, body in s3.objects.items():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    for export in (opened(s3), open_export(MemoryS3({}, s3.exports), str(tmp_path / HOME))):
        for read in (lambda it: list(it.items()), lambda it: it.verify(SilentProgress())):
            with full_disk(4096), pytest.raises(RunFolderUnusable, match="cannot hold an object"):
                read(export)
        assert export.verify(SilentProgress()).files_bad == ()


COPIES = ["other/place/AWSDynamoDB/01715685260608-c488b4e1", "01715685260608-c488b4e1", "kept/of-last-year"]


@pytest.mark.parametrize("home", COPIES)
def test_an_export_that_was_copied_elsewhere_is_read_from_there(home: str) -> None:
    s3 = written_export(PARTS)
    copied = MemoryS3({key.replace(HOME, home, 1): body for key, body in s3.objects.items()}, s3.exports)
    export = open_export(copied, f"s3://elsewhere/{home}/manifest-summary.json")
    assert len(list(export.items())) == 5
    assert export.weaknesses == ()
    assert {file.key for file in export.files} == set(copied.data_keys)
    assert export.data_prefix == f"{home}/data/"
    found = export.verify(SilentProgress())
    assert (found.files_ok, found.files_bad) == (3, ())
    _flip(copied, copied.data_keys[0])
    assert [key for key, _ in export.verify(SilentProgress()).files_bad] == [copied.data_keys[0]]


@pytest.mark.parametrize("home", COPIES)
def test_an_export_that_was_copied_to_a_folder_is_read_from_there(home: str, tmp_path: Path) -> None:
    s3 = written_export(PARTS)
    for key, body in s3.objects.items():
        path = tmp_path / key.replace(HOME, home, 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    knows_exports = MemoryS3({}, s3.exports)
    for address in (tmp_path / home, tmp_path / home / "manifest-summary.json"):
        export = open_export(knows_exports, str(address))
        assert export.address == str(tmp_path / home / "manifest-summary.json")
        assert len(list(export.items())) == 5
        assert export.weaknesses == ()
    assert export.verify(SilentProgress()).files_ok == 3
    stranger = tmp_path / home / "data" / "stranger.json.gz"
    stranger.write_bytes(b"")
    assert [fault.kind for fault in export.strangers()] == ["foreign"]
    first = sorted(path for path in (tmp_path / home / "data").iterdir() if path.stat().st_size)[0]
    first.write_bytes(first.read_bytes()[:-3])
    with pytest.raises(ObjectFault, match="cannot be used") as caught:
        list(export.items())
    assert caught.value.fault.kind == "checksum"
    first.unlink()
    with pytest.raises(ObjectFault) as missing:
        list(export.items())
    assert missing.value.fault.kind == "missing"


def test_a_copy_in_the_folder_of_another_export_is_foreign() -> None:
    s3 = written_export(PARTS)
    other = HOME.replace("c488b4e1", "00000000")
    copied = MemoryS3({key.replace(HOME, other, 1): body for key, body in s3.objects.items()}, s3.exports)
    with pytest.raises(ExportCorrupt, match="manifest") as caught:
        open_export(copied, f"s3://{BUCKET}/{other}/manifest-summary.json")
    assert caught.value.why.startswith("foreign")


def test_the_changes_of_an_incremental_export_are_found_beside_its_copy() -> None:
    s3 = written_export([[]], exportFromTime="2026-11-20T09:00:00Z", exportToTime="2026-11-20T10:00:00Z")
    manifest = s3.objects[f"{HOME}/manifest-files.json"].replace(f"{HOME}/data/".encode(), b"old/AWSDynamoDB/data/")
    put_manifest(s3, "manifest-files", manifest)
    [line] = s3.data_keys
    s3.objects[line.replace(HOME, "AWSDynamoDB")] = s3.objects.pop(line)
    assert list(opened(s3).lines()) == []
    assert [file.key for file in opened(s3).files] == s3.data_keys


@pytest.mark.parametrize("name", ["../x.json.gz", "a/b.json.gz", "..", "."])
def test_no_name_in_a_manifest_leads_out_of_its_folder(name: str) -> None:
    s3 = written_export([items("a")])
    manifest = s3.objects[f"{HOME}/manifest-files.json"]
    [key] = s3.data_keys
    put_manifest(s3, "manifest-files", manifest.replace(key.encode(), f"{HOME}/data/{name}".encode()))
    with pytest.raises(ExportCorrupt) as caught:
        opened(s3)
    assert caught.value.why.startswith("foreign")
