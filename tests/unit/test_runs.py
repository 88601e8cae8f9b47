"""The run journal survives what can happen to a process and to a disk."""

from __future__ import annotations

import errno
import fcntl
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.errors import Locked, ResourceNotFound, RunFolderUnusable
from ops.runs import new_run_id, open_run, read_journal, resume_run, run8


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 11, 20, 10, 2, 16, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing to wait for")


def make_run(runs: Path) -> Path:
    with open_run(runs, ["backup", "top_tracks"], FixedClock(), Random(1)) as run:
        run.intent("dynamodb:CreateBackup", "top_tracks", token="t")
        run.outcome("dynamodb:CreateBackup", "top_tracks", result="arn")
        return run.folder


@given(st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)), st.integers(0, 10**9))
def test_run_ids_sort_by_time(moment: datetime, seed: int) -> None:
    aware = moment.replace(tzinfo=UTC)
    earlier, later = new_run_id(aware, Random(seed)), new_run_id(aware + timedelta(milliseconds=1), Random(seed + 1))
    assert len(earlier) == 26
    assert earlier < later
    assert run8(earlier) == earlier[-8:].lower()


def test_a_finished_run_is_read_back_line_by_line(runs_folder: Path) -> None:
    lines, _ = read_journal(make_run(runs_folder) / "journal.jsonl")
    assert [line.kind for line in lines] == ["start", "intent", "outcome"]
    assert lines[1].data == {"operation": "dynamodb:CreateBackup", "target": "top_tracks", "token": "t"}


@pytest.mark.parametrize("cut", [1, 2, 30, 80])
def test_a_cut_tail_is_dropped_and_the_run_goes_on(runs_folder: Path, cut: int) -> None:
    folder = make_run(runs_folder)
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    with resume_run(runs_folder, folder.name, FixedClock()) as run:
        assert [line.kind for line in run.lines] == ["start", "intent", "resume"]
        run.write("more")
    kinds = [line.kind for line in read_journal(path)[0]]
    assert kinds == ["start", "intent", "resume", "more"]


def test_a_changed_line_is_refused(runs_folder: Path) -> None:
    folder = make_run(runs_folder)
    path = folder / "journal.jsonl"
    path.write_text(path.read_text().replace('"token":"t"', '"token":"u"'))
    with pytest.raises(RunFolderUnusable, match="line 3"), resume_run(runs_folder, folder.name, FixedClock()):
        pass


@pytest.mark.parametrize("line", ["{", "[]", "null", '{"prev":1}', "\x00\x00", "[" * 100_000])
def test_a_line_that_is_none_is_refused(runs_folder: Path, line: str) -> None:
    folder = make_run(runs_folder)
    path = folder / "journal.jsonl"
    path.write_text(f"{line}\n{path.read_text()}")
    with pytest.raises(RunFolderUnusable, match="line 1"), resume_run(runs_folder, folder.name, FixedClock()):
        pass


def test_a_removed_line_is_refused(runs_folder: Path) -> None:
    folder = make_run(runs_folder)
    path = folder / "journal.jsonl"
    first, _, third = path.read_text().splitlines(keepends=True)
    path.write_text(first + third)
    with pytest.raises(RunFolderUnusable), resume_run(runs_folder, folder.name, FixedClock()):
        pass


def test_an_open_run_cannot_be_opened_twice(runs_folder: Path) -> None:
    with open_run(runs_folder, ["load"], FixedClock(), Random(1)) as run:
        again = resume_run(runs_folder, run.id, FixedClock())
        with pytest.raises(Locked, match=run.id), again:
            pass


@pytest.mark.parametrize("fault", ["lock", "folder"])
def test_a_run_that_cannot_be_locked_is_not_told_as_open_elsewhere(
    runs_folder: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    folder = make_run(runs_folder)
    if fault == "folder":
        (folder / "lock").unlink()
        (folder / "lock").mkdir()
    else:

        def no_locks(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", no_locks)
    unusable = pytest.raises(RunFolderUnusable, match="cannot write to the run folder")
    with unusable as caught, resume_run(runs_folder, folder.name, FixedClock()):
        pass
    assert ("No locks" if fault == "lock" else "directory") in caught.value.why


def test_a_run_that_was_killed_before_its_first_line_is_begun_anew(runs_folder: Path) -> None:
    folder = make_run(runs_folder)
    (folder / "journal.jsonl").write_bytes(b"")
    with (
        pytest.raises(RunFolderUnusable, match="asked for nothing"),
        resume_run(runs_folder, folder.name, FixedClock()),
    ):
        pass
    assert (folder / "journal.jsonl").read_bytes() == b""


def test_an_unknown_run_is_named_with_the_way_to_find_it(runs_folder: Path) -> None:
    with pytest.raises(ResourceNotFound) as caught, resume_run(runs_folder, "01J", FixedClock()):
        pass
    assert caught.value.fix == ("ops list runs",)


FULL = """
import resource, signal, sys
from pathlib import Path
from random import Random
from ops.clock import SystemClock
from ops.errors import RunFolderUnusable
from ops.runs import resume_run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with resume_run(Path(sys.argv[1]), sys.argv[2], SystemClock()) as run:
    size = (run.folder / "journal.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 60, resource.RLIM_INFINITY))
    for step in (
        lambda: run.intent("DeleteTable", "drill-1"),
        lambda: run.outcome("DeleteTable", "drill-1"),
        lambda: run.save("result.json", "x" * 10000),
    ):
        try:
            step()
        except RunFolderUnusable as error:
            print(error.changed)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    run.write("there is room again")
"""


def test_a_disk_that_is_full_for_a_while_breaks_no_line_and_leaves_no_part(runs_folder: Path) -> None:
    folder = make_run(runs_folder)
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(runs_folder), folder.name], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "the step that was to come was not begun",
        "DeleteTable drill-1 was asked of AWS; the journal could not keep the answer",
        "the step that was to come was not begun",
    ]
    kinds = [line.kind for line in read_journal(folder / "journal.jsonl")[0]]
    assert kinds == ["start", "intent", "outcome", "resume", "there is room again"]
    assert not list(folder.glob(".*.part"))


def test_a_folder_that_cannot_be_written_is_said_before_anything_starts(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(RunFolderUnusable, match="run folder"), open_run(blocked, ["load"], FixedClock(), Random(1)):
        pass


def test_saved_files_are_whole_and_leave_no_part_behind(runs_folder: Path) -> None:
    with open_run(runs_folder, ["load"], FixedClock(), Random(1)) as run:
        path = run.save("result.json", json.dumps({"a": 1}))
        run.save("result.json", json.dumps({"a": 2}))
        assert json.loads(path.read_text()) == {"a": 2}
        assert not list(run.folder.glob(".*.part"))
