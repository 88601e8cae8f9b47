"""Data objects of an export, copied to be read by several processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.errors import BadArgument, RunFolderUnusable
from ops.recovery.copies import copy_objects
from ops.recovery.manifest import Export, open_export
from ops.recovery.objects import ObjectFault
from tests.unit.recovery.kit import BUCKET, HOME, MemoryS3, items, written_export

PARTS = [items("a", "b"), items("c"), items("d", "e")]


def opened(s3: MemoryS3) -> Export:
    return open_export(s3, f"s3://{BUCKET}/{HOME}/manifest-summary.json")


def test_every_object_is_copied_byte_for_byte_with_what_the_manifest_says_of_it(tmp_path: Path) -> None:
    s3 = written_export(PARTS)
    made = copy_objects(opened(s3), tmp_path)
    assert made is not None
    assert [one.path.read_bytes() for one in made] == [s3.objects[one.file.key] for one in made]
    assert [one.file.items for one in made] == [2, 1, 2]
    assert sorted(tmp_path.iterdir()) == [one.path for one in made]


def test_an_object_that_is_not_what_the_manifest_says_is_never_handed_out(tmp_path: Path) -> None:
    s3 = written_export(PARTS)
    export, bad = opened(s3), s3.data_keys[1]
    s3.objects[bad] = s3.objects[bad][:-3]
    with pytest.raises(ObjectFault) as caught:
        copy_objects(export, tmp_path)
    assert (caught.value.fault.key, caught.value.fault.kind) == (bad, "checksum")
    del s3.objects[bad]
    with pytest.raises(ObjectFault) as caught:
        copy_objects(export, tmp_path)
    assert (caught.value.fault.key, caught.value.fault.kind) == (bad, "missing")


def test_an_export_too_large_for_the_disk_is_not_copied_and_leaves_nothing(tmp_path: Path) -> None:
    s3 = written_export(PARTS)
    whole_bytes = sum(len(s3.objects[key]) for key in s3.data_keys)
    assert copy_objects(opened(s3), tmp_path, limit_bytes=whole_bytes - 1) is None
    assert list(tmp_path.iterdir()) == []
    assert copy_objects(opened(s3), tmp_path, limit_bytes=whole_bytes) is not None


def test_changes_are_no_table(tmp_path: Path) -> None:
    export = opened(written_export(PARTS))
    export.summary["exportType"] = "INCREMENTAL_EXPORT"
    with pytest.raises(BadArgument, match="incremental"):
        copy_objects(export, tmp_path)


def test_a_full_disk_is_told_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(RunFolderUnusable, match="cannot hold the objects") as caught:
        copy_objects(opened(written_export(PARTS)), tmp_path)
    assert str(tmp_path) in caught.value.what
    assert "No space left" in caught.value.why
