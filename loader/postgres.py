"""PostgreSQL through psycopg 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from loader.artists import CONNECT_TIMEOUT_S, Connection, Database, Row
from loader.errors import (
    DatabaseCredentials,
    DatabaseDown,
    DatabaseForbidden,
    DatabaseMissing,
    LoaderError,
    UnsafeDatabase,
)

if TYPE_CHECKING:
    import psycopg

STATEMENT_TIMEOUT_MS = 30_000


class PostgresDriver:
    """Ids are compared by their bytes (`COLLATE "C"`), so that the order survives a restore to another host."""

    def connect(self, database: Database) -> Connection:
        import psycopg

        local = database.host.startswith("/")
        try:
            session = psycopg.connect(
                host=database.host,
                port=database.port,
                dbname=database.database,
                user=database.username,
                password=database.password(),
                sslmode="disable" if local else "verify-full",
                sslrootcert=None if local else database.ca_file,
                connect_timeout=CONNECT_TIMEOUT_S,
                autocommit=True,
                options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS}",
            )
        except psycopg.Error as error:
            raise classify(error, database) from error
        return _Session(session, database)

    def preflight(self, database: Database) -> tuple[str, tuple[object, ...]]:
        return (
            "SELECT c.collname, c.collisdeterministic AND t.typname <> 'citext' FROM pg_catalog.pg_attribute a "
            "JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation "
            "JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
            "WHERE a.attrelid = to_regclass(%s) AND a.attname = 'artist_id'",
            (database.table,),
        )

    def collation_problem(self, database: Database, rows: Sequence[Row]) -> str:
        if all(row[1] for row in rows):
            return ""
        return f'ALTER TABLE {database.table} ALTER COLUMN artist_id TYPE CHAR(22) COLLATE "C"'

    def page(self, table: str) -> str:
        return (
            f'SELECT artist_id, name, genre FROM {table} WHERE artist_id COLLATE "C" > %s '
            'ORDER BY artist_id COLLATE "C" LIMIT %s'
        )


class _Session:
    def __init__(self, session: psycopg.Connection[Any], database: Database) -> None:
        self._session = session
        self._database = database

    def rows(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        import psycopg

        try:
            # The table name was checked to be an identifier; everything else in the text is literal.
            return self._session.execute(statement, parameters).fetchall()
        except psycopg.Error as error:
            raise classify(error, self._database) from error

    def close(self) -> None:
        self._session.close()


def classify(error: psycopg.Error, database: Database) -> LoaderError:
    """By SQLSTATE where the server gave one; a failed connection carries only the server's English text."""
    import psycopg

    lines = str(error).strip().splitlines()
    said = lines[0] if lines else type(error).__name__
    where = f"{database.database} at {database.host} as {database.username}"
    state = error.sqlstate or ""
    if not state and ("SSL" in said or "certificate" in said):
        return UnsafeDatabase(f"no verified connection to {database.host}", why=said)
    if state.startswith("28") or "authentication failed" in said or "no password supplied" in said:
        return DatabaseCredentials(f"the database refused the login to {where}", why=said)
    if state == "42501":
        return DatabaseForbidden(f"{database.username} may not read {database.table}", why=said)
    if state in ("42P01", "42703", "3D000") or ("database" in said and "does not exist" in said):
        return DatabaseMissing(f"no such table, column or database: {database.table} in {where}", why=said)
    if "role" in said and "does not exist" in said:
        return DatabaseCredentials(f"the database refused the login to {where}", why=said)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseDown(f"cannot reach the database {where}", why=said)
    return LoaderError(f"the database rejected a statement on {database.table}", why=said)
