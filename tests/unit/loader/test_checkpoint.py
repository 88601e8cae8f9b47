"""The checkpoint survives a cut and refuses a forgery."""

from __future__ import annotations

from pathlib import Path

import pytest

from loader.checkpoint import ArtistRecord, Checkpoint, LoadIdentity
from loader.errors import CheckpointMismatch, RunFolderUnusable

IDENTITY = LoadIdentity("run", "table", "file", ("SE",))


def filled(folder: Path, artists: int = 3) -> Path:
    checkpoint = Checkpoint(folder, IDENTITY)
    checkpoint.add([ArtistRecord(f"a{number}", {"SE": "loaded"}, read=number) for number in range(artists)])
    return folder / "done.jsonl"


@pytest.mark.parametrize("cut_bytes", [1, 10, 60])
def test_a_cut_tail_costs_only_the_last_artist_and_the_file_stays_usable(tmp_path: Path, cut_bytes: int) -> None:
    done = filled(tmp_path)
    done.write_bytes(done.read_bytes()[:-cut_bytes])
    reopened = Checkpoint(tmp_path, IDENTITY)
    assert set(reopened.records) == {"a0", "a1"}
    reopened.add([ArtistRecord("a2", {"SE": "loaded"})])
    assert set(Checkpoint(tmp_path, IDENTITY).records) == {"a0", "a1", "a2"}


def test_a_changed_line_is_refused(tmp_path: Path) -> None:
    done = filled(tmp_path)
    done.write_text(done.read_text().replace('"read":1', '"read":9'))
    with pytest.raises(CheckpointMismatch, match="changed after"):
        Checkpoint(tmp_path, IDENTITY)


def test_files_of_a_load_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    done = filled(tmp_path / "run")
    assert done.stat().st_mode & 0o077 == 0
    assert (tmp_path / "run" / "load.json").stat().st_mode & 0o077 == 0
    assert (tmp_path / "run").stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderUnusable, match="file"):
        Checkpoint(tmp_path / "file" / "run", IDENTITY)


def test_a_symbolic_link_in_place_of_the_checkpoint_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("")
    folder = tmp_path / "run"
    checkpoint = Checkpoint(folder, IDENTITY)
    (folder / "done.jsonl").symlink_to(target)
    with pytest.raises(RunFolderUnusable):
        checkpoint.add([ArtistRecord("a", {"SE": "loaded"})])
    assert target.read_text() == ""
