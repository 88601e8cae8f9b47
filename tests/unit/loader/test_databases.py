"""Reading artists: dialects, preflight, classification, with a driver that follows a script."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import pymysql
import pytest

from loader import mysql, postgres
from loader.artists import PAGE_ROWS, Connection, Database, Row, driver_for, iterate_artists, read_artists
from loader.errors import (
    BadLoadRequest,
    DatabaseCredentials,
    DatabaseDown,
    DatabaseForbidden,
    DatabaseMissing,
    LoaderError,
    UnsafeDatabase,
)
from loader.models import Artist, BadArtist
from loader.mysql import MySqlDriver
from loader.postgres import PostgresDriver
from tests.unit.loader.kit import artist_id


class Scripted:
    """A driver with the dialect of a real one and rows of its own."""

    def __init__(self, dialect: MySqlDriver | PostgresDriver, ids: Sequence[str], collation: Row) -> None:
        self.dialect = dialect
        self.ids = sorted(ids)
        self.collation = collation
        self.connects = 0
        self.closed = 0
        self.break_at: set[int] = set()
        self.pages = 0
        self.open_cursors = 0

    def connect(self, database: Database) -> Connection:
        self.connects += 1
        database.password()
        return self

    def rows(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        if "artist_id >" not in statement and '"C" >' not in statement:
            return [self.collation]
        self.pages += 1
        if self.pages in self.break_at:
            raise DatabaseDown("connection lost")
        after = [one for one in self.ids if one > str(parameters[0])]
        return [(one, f"Artist {one}", "rock") for one in after[: int(str(parameters[1]))]]

    def close(self) -> None:
        self.closed += 1

    def preflight(self, database: Database) -> tuple[str, tuple[object, ...]]:
        return self.dialect.preflight(database)

    def collation_problem(self, database: Database, rows: Sequence[Row]) -> str:
        return self.dialect.collation_problem(database, rows)

    def page(self, table: str) -> str:
        return self.dialect.page(table)


def database(host: str = "/run/socket", engine: str = "mysql", ca_file: str = "", table: str = "artists") -> Database:
    return Database(engine, host, 3306, "music", "loader", lambda: "pw", ca_file, table)


@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_0900_ai_ci", "latin1_swedish_ci"])
def test_a_case_insensitive_collation_is_refused_with_the_statement_to_run(collation: str) -> None:
    driver = Scripted(MySqlDriver(), [artist_id(1)], (collation,))
    with pytest.raises(UnsafeDatabase) as caught:
        read_artists(database(), driver)
    assert "ascii_bin" in caught.value.hint
    assert driver.pages == 0
    assert driver.closed == 1


@pytest.mark.parametrize("collation", ["ascii_bin", "utf8mb4_bin", "utf8mb4_0900_as_cs", None])
def test_an_exact_collation_is_accepted(collation: str | None) -> None:
    assert len(read_artists(database(), Scripted(MySqlDriver(), [artist_id(1)], (collation,)))) == 1


def test_a_nondeterministic_collation_of_postgresql_is_refused() -> None:
    driver = Scripted(PostgresDriver(), [artist_id(1)], ("case_insensitive", False))
    with pytest.raises(UnsafeDatabase, match="upper from lower"):
        read_artists(database(engine="postgres"), driver)


def test_more_than_two_pages_are_read_whole_and_in_order() -> None:
    ids = [artist_id(number) for number in range(PAGE_ROWS * 2 + 1)]
    found = read_artists(database(), Scripted(MySqlDriver(), ids, ("ascii_bin",)))
    assert [row.artist_id for row in found] == ids


def test_a_connection_lost_between_pages_is_opened_again_without_a_gap() -> None:
    ids = [artist_id(number) for number in range(PAGE_ROWS * 3)]
    driver = Scripted(MySqlDriver(), ids, ("ascii_bin",))
    driver.break_at = {2, 3}
    assert [row.artist_id for row in read_artists(database(), driver)] == ids
    assert driver.connects == 3


def test_a_database_that_stays_away_is_reported_after_a_few_tries() -> None:
    driver = Scripted(MySqlDriver(), [artist_id(1)], ("ascii_bin",))
    driver.break_at = set(range(1, 100))
    with pytest.raises(DatabaseDown):
        read_artists(database(), driver)
    assert driver.pages == 4


def test_no_password_is_fetched_for_a_tcp_host_without_a_ca_file() -> None:
    def never() -> str:
        raise AssertionError("the password was asked for")

    for engine in ("postgres", "mysql"):
        unsafe = Database(engine, "db.example.com", 5432, "music", "loader", never)
        with pytest.raises(UnsafeDatabase, match="not be verified"):
            read_artists(unsafe)


@pytest.mark.parametrize("table", ["artists; DROP TABLE x", "a b", "", "public.artists", "artists--"])
def test_a_table_name_is_only_a_name(table: str) -> None:
    with pytest.raises(BadLoadRequest):
        next(iterate_artists(database(table=table), Scripted(MySqlDriver(), [], ("ascii_bin",))))


def test_mysql_insists_on_a_verified_certificate_for_tcp() -> None:
    options = mysql._address(database(host="db.example.com", ca_file="/ca.pem"))
    assert options["ssl_verify_cert"] is True
    assert options["ssl_verify_identity"] is True
    assert options["ssl_ca"] == "/ca.pem"


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (1045, DatabaseCredentials),
        (1698, DatabaseCredentials),
        (1142, DatabaseForbidden),
        (1049, DatabaseMissing),
        (1146, DatabaseMissing),
        (2003, DatabaseDown),
        (2013, DatabaseDown),
        (2026, UnsafeDatabase),
        (1064, LoaderError),
    ],
)
def test_mysql_errors_are_classed_by_their_number(number: int, wanted: type[LoaderError]) -> None:
    found = mysql.classify(pymysql.err.OperationalError(number, "text"), database())
    assert type(found) is wanted


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (psycopg.errors.InvalidPassword("x"), DatabaseCredentials),
        (psycopg.errors.InsufficientPrivilege("x"), DatabaseForbidden),
        (psycopg.errors.UndefinedTable("x"), DatabaseMissing),
        (psycopg.errors.UndefinedColumn("x"), DatabaseMissing),
        (psycopg.errors.AdminShutdown("x"), DatabaseDown),
        (psycopg.OperationalError("connection refused"), DatabaseDown),
        (psycopg.OperationalError('FATAL: database "x" does not exist'), DatabaseMissing),
        (psycopg.OperationalError("FATAL: password authentication failed"), DatabaseCredentials),
        (psycopg.OperationalError("server does not support SSL, but SSL was required"), UnsafeDatabase),
        (psycopg.OperationalError("SSL error: certificate verify failed"), UnsafeDatabase),
        (psycopg.errors.SyntaxError("x"), LoaderError),
    ],
)
def test_postgresql_errors_are_classed_by_their_state(error: psycopg.Error, wanted: type[LoaderError]) -> None:
    assert type(postgres.classify(error, database())) is wanted


def test_an_engine_without_a_driver_is_refused() -> None:
    with pytest.raises(BadLoadRequest, match="oracle"):
        driver_for(database(engine="oracle-ee"))


def test_a_malformed_row_of_a_table_is_kept_with_its_reason() -> None:
    found = read_artists(database(), Scripted(MySqlDriver(), ["Q42", artist_id(1)], ("ascii_bin",)))
    assert [type(row) for row in found] == [BadArtist, Artist]
