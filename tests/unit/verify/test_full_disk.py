"""A disk that is full while a comparison holds its records: told as that, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from ops.errors import RunFolderUnusable
from ops.model.items import Item, KeySchema
from ops.model.proof import SideInfo
from ops.verify.compare import compare
from ops.verify.details import Notes
from ops.verify.fingerprint import Record, recorder
from ops.verify.lines import LineFile
from ops.verify.sides import FilesSide
from ops.verify.spill import Spill
from ops.verify.worker import MergeJob, run_jobs
from tests.unit.disk import full_disk

KEYS = KeySchema("pk")
LIMIT_BYTES = 100_000


def items(count: int, value: str = "x") -> list[Item]:
    return [{"pk": {"S": f"k{number}"}, "v": {"S": value}} for number in range(count)]


def side(path: Path, some: list[Item]) -> FilesSide:
    path.write_bytes(b"".join(orjson.dumps({"Item": item}) + b"\n" for item in some))
    return FilesSide(SideInfo("lines", path.name), (LineFile(path),), KEYS)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("count", [3000, 1400], ids=["far too small", "hardly too small"])
def test_a_comparison_says_that_the_disk_is_full(workers: int, count: int, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    left, right = side(tmp_path / "left.json", items(count)), side(tmp_path / "right.json", items(count, "y"))
    with full_disk(LIMIT_BYTES), pytest.raises(RunFolderUnusable) as caught:
        compare(left, right, keys=KEYS, folder=scratch, workers=workers)
    assert str(scratch) in caught.value.what
    assert list(scratch.iterdir()) == []


def test_differences_that_the_disk_cannot_hold_are_told_by_the_process(tmp_path: Path) -> None:
    with Spill(tmp_path, memory_limit_bytes=LIMIT_BYTES // 2) as left, Spill(tmp_path) as right:
        for record in map(recorder(KEYS), items(1000)):
            left.add(record.key, record.item)
        files = tuple(left.files()), tuple(right.files())
        jobs = [[MergeJob(*files, first, first + 128, tmp_path / f"{first}")] for first in (0, 128)]
        wide = [[MergeJob(*files, 0, 256, tmp_path / "all")], *jobs[:1]]
        run_jobs(jobs)
        with full_disk(LIMIT_BYTES), pytest.raises(RunFolderUnusable, match="records") as caught:
            run_jobs(wide)
    assert str(tmp_path) in caught.value.what


def test_what_is_held_is_given_back_on_a_full_disk(tmp_path: Path) -> None:
    record = recorder(KEYS)(items(1)[0])
    with full_disk(LIMIT_BYTES):
        with pytest.raises(RunFolderUnusable), Spill(tmp_path, memory_limit_bytes=0) as spill:
            for _ in range(2000):
                spill.add(record.key, record.item)
        notes = Notes(tmp_path, memory_limit_bytes=0)
        with pytest.raises(RunFolderUnusable):
            fill(notes, record)
        notes.close()
    assert list(tmp_path.iterdir()) == []


def fill(notes: Notes, record: Record) -> None:
    for _ in range(5000):
        notes.add(record)
