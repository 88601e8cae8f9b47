"""The state folder: whole files, clear refusals."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ops.errors import Locked, OpsError, SandboxBroken, StateFolderUnusable
from ops.sandbox import state
from ops.sandbox.postgres import PostgresServer
from ops.sandbox.processes import ProcessRecord
from ops.sandbox.state import SandboxState

PROCESS = ProcessRecord("postgres", 12, "34")
STATE = SandboxState(
    token="t",
    ready=True,
    items=1,
    seed=2,
    catalogue="",
    started="2026-11-20T10:00:00Z",
    client_id="c",
    client_secret="s",
    processes=(PROCESS,),
    postgres=PostgresServer(PROCESS, "/s", 5432, "music", "u", "p"),
)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    state.write_state(tmp_path, STATE)
    assert state.read_state(tmp_path) == STATE
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_no_state_is_not_an_error(tmp_path: Path) -> None:
    assert state.read_state(tmp_path) is None
    assert state.read_state(tmp_path / "nothing") is None


@pytest.mark.parametrize("keep_bytes", [0, 1, 40, 300])
def test_a_half_written_state_is_named_with_the_way_out(tmp_path: Path, keep_bytes: int) -> None:
    state.write_state(tmp_path, STATE)
    path = tmp_path / "state.json"
    path.write_bytes(path.read_bytes()[:keep_bytes])
    with pytest.raises(SandboxBroken, match="damaged") as caught:
        state.read_state(tmp_path)
    assert "ops sandbox down" in caught.value.fix[0]


@pytest.mark.parametrize(
    "text", ["[]", '"x"', '{"schema":"ops.sandbox/9"}', '{"schema":"ops.sandbox/1","processes":3}']
)
def test_a_state_of_another_shape_is_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(SandboxBroken):
        state.read_state(tmp_path)


def test_the_folder_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "sandbox"
    state.make_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)


def test_a_folder_with_other_files_is_refused_because_down_would_remove_them(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(StateFolderUnusable, match=r"thesis\.tex"):
        state.make_folder(tmp_path)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(StateFolderUnusable, match="symbolic link"):
        state.make_folder(tmp_path / "link")


def test_a_file_in_the_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateFolderUnusable, match="cannot be used"):
        state.make_folder(tmp_path / "file" / "sandbox")


def test_a_disk_with_too_little_room_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "NEEDED_BYTES", 2**62)
    with pytest.raises(StateFolderUnusable, match="MB free") as caught:
        state.make_folder(tmp_path / "new" / "sandbox")
    assert list(tmp_path.iterdir()) == []
    assert caught.value.why == "the disk is full"


def test_a_write_that_the_disk_cuts_short_leaves_the_old_state_whole(tmp_path: Path) -> None:
    state.write_state(tmp_path, STATE)
    program = (
        "import resource, signal, sys; from pathlib import Path; from ops.sandbox.state import *;"
        "from ops.errors import OpsError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n write_atomically(Path(sys.argv[1]) / 'state.json', {'x': 'y' * 1000})\n"
        "except OpsError as error:\n sys.exit(f'{error.code} {error.why}')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "OPS-E105 the file size limit is reached" in done.stderr
    assert state.read_state(tmp_path) == STATE
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100


def test_two_commands_at_once_are_told_who_holds_the_folder(tmp_path: Path) -> None:
    with state.locked(tmp_path), pytest.raises(Locked) as caught, state.locked(tmp_path):
        raise AssertionError("the lock was taken twice")
    assert str(os.getpid()) in caught.value.why


def test_the_lock_of_a_dead_process_does_not_hold(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from ops.sandbox.state import locked\n"
        "with locked(Path(sys.argv[1])):\n os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert (tmp_path / "lock").read_text() != ""
    with state.locked(tmp_path):
        assert (tmp_path / "lock").read_text().startswith(str(os.getpid()))


def test_the_default_folder_follows_the_environment() -> None:
    assert state.default_folder({"OPS_SANDBOX_DIR": "/somewhere/else"}) == Path("/somewhere/else")
    found = state.default_folder({"XDG_STATE_HOME": "/home/x/state"})
    expected = "/var/lib/ops-sandbox" if os.geteuid() == 0 else "/home/x/state/ops/sandbox"
    assert found == Path(expected)


def test_every_refusal_says_what_to_do_next(tmp_path: Path) -> None:
    (tmp_path / "foreign").write_text("")
    with pytest.raises(OpsError) as caught:
        state.make_folder(tmp_path)
    assert all(caught.value.fix)
