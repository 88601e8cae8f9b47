"""The artists table of a PostgreSQL or MySQL database, read in pages by key.

Every page is a statement of its own: no cursor and no snapshot stays open, and a connection that breaks is
opened again after the last id that was read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loader.errors import BadLoadRequest, DatabaseDown, UnsafeDatabase
from loader.models import Artist, BadArtist, parse_artist

PAGE_ROWS = 1000
RECONNECTS = 3
CONNECT_TIMEOUT_S = 5
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Database:
    """Where the table is. `password` is called for every connection, because an IAM token lives 15 minutes.

    A host that begins with `/` is the folder of a Unix socket; every other host needs `ca_file`.
    """

    engine: str
    host: str
    port: int
    database: str
    username: str
    password: Callable[[], str] = field(repr=False)
    ca_file: str = ""
    table: str = "artists"


class Connection(Protocol):
    """What a driver has to do here."""

    def rows(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        """All rows of one statement, which commits by itself."""

    def close(self) -> None:
        """End the session."""


class Driver(Protocol):
    """One database engine: how to connect, and its dialect."""

    def connect(self, database: Database) -> Connection:
        """A session, or the classified error."""

    def preflight(self, database: Database) -> tuple[str, tuple[object, ...]]:
        """The statement that reads the collation of the id column, with its parameters."""

    def collation_problem(self, database: Database, rows: Sequence[Row]) -> str:
        """Empty, or the statement that has to be run before ids can be told apart."""

    def page(self, table: str) -> str:
        """The statement of one page: parameters are the last id and the number of rows."""


def read_artists(database: Database, driver: Driver | None = None) -> list[Artist | BadArtist]:
    """Every artist once, in the order of the id's bytes; rows that cannot be loaded are kept with a reason."""
    return list(iterate_artists(database, driver))


def iterate_artists(database: Database, driver: Driver | None = None) -> Iterator[Artist | BadArtist]:
    """The same, page by page. A page that fails is asked again from the last id, on a new connection."""
    refuse_unsafe(database)
    driver = driver or driver_for(database)
    last, failures = "", 0
    connection = driver.connect(database)
    try:
        _check_collation(database, driver, connection)
        while True:
            try:
                rows = connection.rows(driver.page(database.table), (last, PAGE_ROWS))
            except DatabaseDown:
                failures += 1
                if failures > RECONNECTS:
                    raise
                connection.close()
                connection = driver.connect(database)
                continue
            for row in rows:
                yield parse_artist(row[0], row[1], row[2])
            if len(rows) < PAGE_ROWS:
                return
            last, failures = str(rows[-1][0]), 0
    finally:
        connection.close()


def refuse_unsafe(database: Database) -> None:
    """Before any secret is fetched or sent: TLS for every TCP host, and a table name that is only a name."""
    if not _IDENTIFIER.fullmatch(database.table):
        raise BadLoadRequest(f"'{database.table}' is not a table name")
    if not database.host.startswith("/") and not database.ca_file:
        raise UnsafeDatabase(
            f"the connection to {database.host} would not be verified",
            why="a TCP connection needs TLS with the certificate of the server checked",
            hint="give the RDS certificate bundle of the region as the CA file (docs.aws.amazon.com, UsingWithRDS.SSL)",
        )


def driver_for(database: Database) -> Driver:
    """The driver of the engine; drivers are imported here, so that the other one need not be installed."""
    engine = database.engine.lower()
    if engine in ("postgres", "postgresql", "aurora-postgresql"):
        from loader.postgres import PostgresDriver

        return PostgresDriver()
    if engine in ("mysql", "mariadb", "aurora-mysql"):
        from loader.mysql import MySqlDriver

        return MySqlDriver()
    raise BadLoadRequest(f"no driver for the database engine {database.engine}")


def _check_collation(database: Database, driver: Driver, connection: Connection) -> None:
    statement, parameters = driver.preflight(database)
    repair = driver.collation_problem(database, connection.rows(statement, parameters))
    if repair:
        raise UnsafeDatabase(
            f"{database.table}.artist_id does not tell upper from lower case",
            why="two Spotify ids that differ only in case would be one artist",
            hint=f"run: {repair}",
        )
