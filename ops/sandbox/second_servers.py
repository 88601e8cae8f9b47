"""Second PostgreSQL servers, made from the first one's log: what an RDS restore gives.

docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html: a restore makes a new instance with the data of the
chosen second. Here PostgreSQL's own recovery does it: a copy of the cluster as `initdb` left it, the archived
write-ahead log, and a target (www.postgresql.org/docs/18/continuous-archiving.html). The first server never stops.
"""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import LiteralString

from ops.clock import Clock
from ops.errors import SandboxBroken
from ops.sandbox import postgres, processes
from ops.sandbox.postgres import PostgresServer
from ops.sandbox.processes import Owner, ProcessRecord

FOLDER = "r"
ARCHIVE_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where the replay of the log ends: at a named point, or at an instant of this machine's clock."""

    point: str = ""
    when: datetime | None = None

    def settings(self) -> dict[str, str]:
        """PostgreSQL's recovery target."""
        if self.point:
            return {"recovery_target_name": self.point}
        assert self.when is not None
        return {"recovery_target_time": self.when.astimezone(UTC).isoformat(sep=" ")}


class SecondServers:
    """Servers beside the first one of `home` (`<state folder>/pg`): one socket folder, a port of its own each."""

    def __init__(self, first: PostgresServer, clock: Clock) -> None:
        self._first = first
        self._home = Path(first.address).parent
        self._clock = clock

    def possible(self) -> bool:
        """Whether the first server was started with an archive of its log."""
        return (self._home / postgres.BASE).is_file()

    def mark(self, name: str) -> None:
        """A restore point at this instant."""
        with postgres.connect(self._first, "postgres") as connection:
            connection.execute("SELECT pg_create_restore_point(%s)", (name,))

    def restore(self, name: str, target: Target, password: str | None = None) -> PostgresServer:
        """A new server with the data of the target; its password is the first one's unless another is given."""
        self._flush_log()
        owner, place = postgres.unprivileged_owner(), self._home / FOLDER / name
        shutil.rmtree(place, ignore_errors=True)
        (self._home / FOLDER).mkdir(mode=0o711, exist_ok=True)
        place.mkdir(mode=0o711)
        postgres.unpack_base(self._home, place / "data")
        (place / "data" / "recovery.signal").touch()
        archive = shlex.quote(str(self._home / postgres.ARCHIVE)).replace("%", "%%")
        settings = {
            "port": str(self._free_port()), "archive_mode": "off", "restore_command": f"cp {archive}/%f %p",
            "recovery_target_action": "promote", "hot_standby": "off", **target.settings(),
        }  # fmt: skip
        lines = "".join(f"{key} = '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in settings.items())
        with (place / "data" / "postgresql.auto.conf").open("a", encoding="utf-8") as file:
            file.write(lines)
        _hand_over(place, owner)
        try:
            process = postgres.boot(self._home, place / "data", f"postgres-{name}", owner, self._clock)
        except SandboxBroken:
            shutil.rmtree(place, ignore_errors=True)
            raise
        server = replace(self._first, process=process, port=int(settings["port"]))
        return server if password is None else self.change_password(server, password)

    def change_password(self, server: PostgresServer, password: str) -> PostgresServer:
        """Really change it."""
        from psycopg import sql

        with postgres.connect(server, "postgres") as connection:
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
            connection.execute(statement.format(sql.Identifier(server.username), sql.Literal(password)))
        return replace(server, password=password)

    def empty(self) -> None:
        """Drop the database of the first server, whoever is connected: its instance was deleted. The log stays."""
        # DROP DATABASE marks the database as invalid before it commits; a commit just before it is where the
        # replay to an earlier instant stops
        with postgres.connect(self._first, "postgres") as connection:
            connection.execute("SELECT pg_current_xact_id()")
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)")

    def fill(self) -> None:
        """Make the database of the first server when it was dropped: a new instance is empty."""
        with postgres.connect(self._first, "postgres") as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (self._first.database,))
            if found.fetchone() is None:
                self._run("CREATE DATABASE {}")

    def _run(self, statement: LiteralString) -> None:
        from psycopg import sql

        with postgres.connect(self._first, "postgres") as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(self._first.database)))

    def drop(self, server: PostgresServer) -> None:
        """End a second server and remove its data."""
        postgres.stop(server.process, self._clock)
        for place in (self._home / FOLDER).glob("*"):
            if (place / "data").is_dir() and _port_of(place) == server.port:
                shutil.rmtree(place)

    def _flush_log(self) -> None:
        """Put what was committed so far into the archive, with one commit after it for a target to stop at."""
        with postgres.connect(self._first, "postgres") as connection:
            connection.execute("SELECT pg_current_xact_id()")
            row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
        last = str(row[0]) if row else ""
        deadline = self._clock.monotonic() + ARCHIVE_LIMIT_S
        while not (self._home / postgres.ARCHIVE / last).exists():
            if self._clock.monotonic() >= deadline:
                raise SandboxBroken("PostgreSQL does not archive its log", why=f"{last} did not appear")
            self._clock.sleep(processes.POLL_S)

    def _free_port(self) -> int:
        taken = {_port_of(place) for place in (self._home / FOLDER).glob("*") if (place / "data").is_dir()}
        return next(port for port in range(self._first.port + 1, 65_536) if port not in taken)


def folders(state_folder: Path) -> tuple[Path, ...]:
    """The data folders of all second servers."""
    return tuple(sorted((state_folder / "pg" / FOLDER).glob("*/data")))


def restart_all(state_folder: Path, clock: Clock) -> tuple[ProcessRecord, ...]:
    """Start every second server again where it was."""
    owner = postgres.unprivileged_owner()
    return tuple(
        postgres.boot(state_folder / "pg", data, f"postgres-{data.parent.name}", owner, clock)
        for data in folders(state_folder)
    )


def _port_of(place: Path) -> int:
    lines = (place / "data" / "postgresql.auto.conf").read_text(encoding="utf-8").splitlines()
    ports = [line.partition("'")[2].rstrip("'") for line in lines if line.startswith("port ")]
    return int(ports[-1]) if ports else 0


def _hand_over(place: Path, owner: Owner | None) -> None:
    (place / "data").chmod(0o700)
    if owner is not None:
        for path in (place, *place.rglob("*")):
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
