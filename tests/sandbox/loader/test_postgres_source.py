"""Artists from a real PostgreSQL: pages, refusals, and a server that goes away."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import certifi
import psycopg
import pytest

from loader.artists import Database, iterate_artists, read_artists
from loader.errors import DatabaseCredentials, DatabaseDown, DatabaseForbidden, DatabaseMissing, UnsafeDatabase
from loader.models import Artist, BadArtist
from ops.clock import SystemClock
from ops.sandbox import postgres
from ops.sandbox.catalogue import base62_id
from ops.sandbox.postgres import PostgresServer, connect
from ops.sandbox.state import private_folder, remove_folder

Execute = Callable[..., None]


@pytest.fixture
def database(database_server: PostgresServer) -> Database:
    server = database_server
    return Database("postgres", server.address, server.port, server.database, server.username, lambda: server.password)


@pytest.fixture
def execute(database_server: PostgresServer) -> Iterator[Execute]:
    with connect(database_server, database_server.database) as connection:
        connection.execute("DROP TABLE IF EXISTS artists")
        connection.execute("CREATE TABLE artists (artist_id CHAR(22) PRIMARY KEY, name TEXT, genre TEXT)")

        def run(statement: str, *parameters: object) -> None:
            connection.execute(statement, parameters)

        yield run


def fill(execute: Execute, count: int) -> list[str]:
    ids = sorted(base62_id(str(number)) for number in range(count))
    execute("INSERT INTO artists SELECT unnest(%s::text[]), 'Artist', 'Rock'", ids)
    return ids


def test_every_artist_is_read_once_in_the_order_of_the_ids_bytes(database: Database, execute: Execute) -> None:
    ids = fill(execute, 2500)
    found = read_artists(database)
    assert [row.artist_id for row in found] == ids
    assert found[0] == Artist(ids[0], "Artist", "rock")


def test_ids_that_differ_only_in_case_are_two_artists(database: Database, execute: Execute) -> None:
    execute("INSERT INTO artists VALUES (%s,'a',NULL),(%s,'b','')", "0tN" + "x" * 19, "0tn" + "x" * 19)
    found = read_artists(database)
    assert len(found) == 2
    assert {row.genre for row in found if isinstance(row, Artist)} == {"unknown"}


def test_a_malformed_id_in_the_table_is_kept_with_a_reason(database: Database, execute: Execute) -> None:
    execute("INSERT INTO artists VALUES ('Q42','a','pop')")
    [found] = read_artists(database)
    assert isinstance(found, BadArtist)
    assert found.artist_id == "Q42"


def test_a_wrong_password_is_a_credentials_error_that_does_not_show_it(database: Database, execute: Execute) -> None:
    with pytest.raises(DatabaseCredentials, match="password authentication failed") as caught:
        read_artists(replace(database, password=lambda: "wrong-password-value"))
    assert "wrong-password-value" not in f"{caught.value}"


def test_a_missing_table_and_a_missing_database_are_named(database: Database, execute: Execute) -> None:
    with pytest.raises(DatabaseMissing, match="nothing_here"):
        read_artists(replace(database, table="nothing_here"))
    with pytest.raises(DatabaseMissing, match="no_such_database"):
        read_artists(replace(database, database="no_such_database"))


def test_a_user_without_the_right_to_read_is_a_permission_error(database: Database, execute: Execute) -> None:
    execute("DROP ROLE IF EXISTS stranger")
    execute("CREATE ROLE stranger LOGIN PASSWORD 'pw'")
    with pytest.raises(DatabaseForbidden):
        read_artists(replace(database, username="stranger", password=lambda: "pw"))


def test_a_case_insensitive_collation_is_refused_with_a_statement_that_repairs_it(
    database: Database, execute: Execute
) -> None:
    # This build has no ICU, the only provider of such collations: mark a copy of "C" as one in the catalogue.
    execute("DROP COLLATION IF EXISTS ci")
    execute('CREATE COLLATION ci FROM "C"')
    execute('ALTER TABLE artists ALTER COLUMN artist_id TYPE TEXT COLLATE "ci"')
    execute("UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'ci'")
    with pytest.raises(UnsafeDatabase) as caught:
        read_artists(database)
    execute(caught.value.hint.removeprefix("run: "))
    assert read_artists(database) == []


def test_a_citext_column_is_refused(database: Database, execute: Execute) -> None:
    # The extension is not in this build; the check goes by the name of the type.
    execute("DROP DOMAIN IF EXISTS citext")
    execute("CREATE DOMAIN citext AS TEXT")
    execute("ALTER TABLE artists ALTER COLUMN artist_id TYPE citext")
    with pytest.raises(UnsafeDatabase, match="upper from lower"):
        read_artists(database)
    execute("DROP TABLE artists")


def test_no_session_stays_in_a_transaction_while_a_caller_takes_its_time(
    database: Database, execute: Execute, database_server: PostgresServer
) -> None:
    fill(execute, 1500)
    rows = iterate_artists(database)
    next(rows)
    with connect(database_server, database_server.database) as observer:
        states = observer.execute(
            "SELECT state FROM pg_stat_activity WHERE datname = 'music' AND pid <> pg_backend_pid()"
        ).fetchall()
    assert ("idle in transaction",) not in states
    assert len(list(rows)) == 1499


def test_a_session_that_is_cut_between_two_pages_leaves_no_gap(
    database: Database, execute: Execute, database_server: PostgresServer
) -> None:
    ids = fill(execute, 2500)
    rows = iterate_artists(database)
    found = [next(rows).artist_id]
    with connect(database_server, "postgres") as administrator:
        administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'music' "
            "AND pid <> pg_backend_pid() AND query LIKE 'SELECT artist_id%'"
        )
    found += [row.artist_id for row in rows]
    assert found == ids


def test_a_database_that_is_down_is_said_to_be_down(database: Database) -> None:
    with pytest.raises(DatabaseDown, match="cannot reach"):
        read_artists(replace(database, host="/nonexistent-socket-folder"))


def test_a_tcp_host_with_a_ca_file_is_asked_for_a_verified_certificate(database: Database) -> None:
    # Nothing listens on port 1: what matters is that the refusal comes from the network, not from a default.
    local = replace(database, host="127.0.0.1", port=1, ca_file="/nonexistent/ca.pem")
    with pytest.raises(DatabaseDown):
        read_artists(local)


def test_a_server_without_tls_gets_no_login_over_tcp(database: Database) -> None:
    received: list[bytes] = []

    def refuse_tls(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            received.append(connection.recv(8))
            connection.sendall(b"N")
            received.append(connection.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse_tls, args=(listener,))
        thread.start()
        port = int(listener.getsockname()[1])
        with pytest.raises(UnsafeDatabase, match="no verified connection"):
            read_artists(replace(database, host="127.0.0.1", port=port, ca_file=certifi.where()))
        thread.join()
    assert received == [b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b""]


def test_a_server_that_was_killed_comes_back_with_its_rows() -> None:
    folder, clock = private_folder(), SystemClock()
    server = postgres.start(folder, clock)
    try:
        with connect(server, server.database) as connection:
            connection.execute("CREATE TABLE kept (n INT)")
            connection.execute("INSERT INTO kept VALUES (7)")
            connection.execute("CHECKPOINT")
        os.kill(server.process.pid, signal.SIGKILL)
        assert postgres.problem(server) != ""
        server = postgres.restart(folder, server, clock)
        with connect(server, server.database) as connection:
            assert connection.execute("SELECT n FROM kept").fetchall() == [(7,)]
    finally:
        assert postgres.stop(server.process, clock)
        remove_folder(folder)
    with pytest.raises(psycopg.OperationalError):
        connect(server, server.database)
