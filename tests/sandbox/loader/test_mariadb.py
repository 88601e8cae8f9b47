"""The MySQL dialect against a real MariaDB, where one is installed."""

from __future__ import annotations

import os
import shutil
import socket as socketlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import certifi
import pymysql
import pytest

from loader.artists import Database, read_artists
from loader.errors import DatabaseCredentials, DatabaseMissing, UnsafeDatabase

MARIADBD = shutil.which("mariadbd") or shutil.which("mysqld")
TABLES = [
    Path(folder) / name
    for folder in ("/usr/share/mysql", "/usr/share/mariadb")
    for name in ("mysql_system_tables.sql", "mysql_system_tables_data.sql")
    if (Path(folder) / name).exists()
]

pytestmark = pytest.mark.skipif(
    MARIADBD is None or len(TABLES) != 2,
    reason="mariadbd is not on this machine; the MySQL dialect is then covered by a scripted driver only",
)


@dataclass(frozen=True)
class MariaDb:
    """A server that lives as long as the tests of this module."""

    socket: str
    port: int

    def execute(self, *statements: str, database: str | None = None) -> None:
        session = pymysql.connect(unix_socket=self.socket, user="root", database=database, autocommit=True)
        with session, session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    folder = Path(tempfile.mkdtemp(prefix="mdb-", dir="/tmp"))
    user = ["--user=root"] if os.geteuid() == 0 else []
    (folder / "data" / "mysql").mkdir(parents=True)
    # What mariadb-install-db does, without the client programs that it asks for.
    script = "use mysql;\nset @auth_root_socket=NULL;\n" + "".join(path.read_text() for path in TABLES)
    subprocess.run(
        [str(MARIADBD), "--no-defaults", "--bootstrap", f"--datadir={folder}/data", *user],
        input=script.encode(),
        check=True,
        capture_output=True,
    )
    socket = f"{folder}/s"
    with socketlib.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    options = [
        "--no-defaults",
        f"--datadir={folder}/data",
        f"--socket={socket}",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        *user,
    ]
    server = subprocess.Popen([str(MARIADBD), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not Path(socket).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    found = MariaDb(socket, port)
    found.execute("CREATE DATABASE music", "CREATE USER loader@localhost IDENTIFIED BY 'pw'")
    found.execute("GRANT SELECT ON music.* TO loader@localhost")
    yield found
    server.terminate()
    server.wait(timeout=30)
    shutil.rmtree(folder)


@pytest.fixture
def database(mariadb: MariaDb) -> Database:
    mariadb.execute("DROP TABLE IF EXISTS artists", database="music")
    return Database("mysql", mariadb.socket, 3306, "music", "loader", lambda: "pw")


def test_the_default_collation_is_refused_and_the_named_statement_repairs_it(
    mariadb: MariaDb, database: Database
) -> None:
    mariadb.execute(
        "CREATE TABLE artists (artist_id CHAR(22) PRIMARY KEY, name TEXT, genre TEXT) COLLATE utf8mb4_general_ci",
        database="music",
    )
    with pytest.raises(UnsafeDatabase) as caught:
        read_artists(database)
    mariadb.execute(caught.value.hint.removeprefix("run: "), database="music")
    lower, upper = "0tn" + "x" * 19, "0tN" + "x" * 19
    mariadb.execute(f"INSERT INTO artists VALUES ('{lower}','a','pop'), ('{upper}','b','pop')", database="music")
    assert [row.artist_id for row in read_artists(database)] == [upper, lower]


def test_wrong_password_and_missing_table_are_told_apart(mariadb: MariaDb, database: Database) -> None:
    with pytest.raises(DatabaseCredentials):
        read_artists(replace(database, password=lambda: "wrong"))
    with pytest.raises(DatabaseMissing):
        read_artists(replace(database, table="nothing"))


def test_a_server_without_tls_gets_no_login_over_tcp(mariadb: MariaDb, database: Database) -> None:
    mariadb.execute("CREATE TABLE artists (artist_id CHAR(22) PRIMARY KEY, name TEXT, genre TEXT)", database="music")
    over_tcp = replace(database, host="127.0.0.1", port=mariadb.port, ca_file=certifi.where())
    with pytest.raises(UnsafeDatabase, match="no verified connection"):
        read_artists(over_tcp)
