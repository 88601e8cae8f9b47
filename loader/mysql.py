"""MySQL and MariaDB through PyMySQL."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

from loader.artists import CONNECT_TIMEOUT_S, Connection, Database, Row
from loader.errors import (
    DatabaseCredentials,
    DatabaseDown,
    DatabaseForbidden,
    DatabaseMissing,
    LoaderError,
    UnsafeDatabase,
)

READ_TIMEOUT_S = 30
TLS_ERROR = 2026
# dev.mysql.com/doc/mysql-errors: 1044 and 1045 access denied, 1698 denied by plugin, 1142 and 1143 no right,
# 1049 no database, 1146 no table, 1054 no column.
_CLASSES: dict[int, type[LoaderError]] = {
    1044: DatabaseCredentials,
    1045: DatabaseCredentials,
    1698: DatabaseCredentials,
    1142: DatabaseForbidden,
    1143: DatabaseForbidden,
    1049: DatabaseMissing,
    1146: DatabaseMissing,
    1054: DatabaseMissing,
}


class MySqlDriver:
    """The collation is checked first: MySQL's default takes two ids that differ in case for one."""

    def connect(self, database: Database) -> Connection:
        import pymysql

        try:
            session = pymysql.connect(
                user=database.username,
                password=database.password(),
                database=database.database,
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                **_address(database),
            )
        except pymysql.err.Error as error:
            raise classify(error, database) from error
        return _Session(session, database)

    def preflight(self, database: Database) -> tuple[str, tuple[object, ...]]:
        return (
            "SELECT COLLATION_NAME FROM information_schema.COLUMNS "
            "WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND COLUMN_NAME = 'artist_id'",
            (database.database, database.table),
        )

    def collation_problem(self, database: Database, rows: Sequence[Row]) -> str:
        if not any(str(row[0]).endswith("_ci") for row in rows):
            return ""
        return f"ALTER TABLE {database.table} MODIFY artist_id CHAR(22) CHARACTER SET ascii COLLATE ascii_bin NOT NULL"

    def page(self, table: str) -> str:
        return f"SELECT artist_id, name, genre FROM {table} WHERE artist_id > %s ORDER BY artist_id LIMIT %s"


class _Session:
    def __init__(self, session: Any, database: Database) -> None:
        self._session = session
        self._database = database

    def rows(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        import pymysql

        try:
            with self._session.cursor() as cursor:
                cursor.execute(statement, tuple(parameters))
                return [tuple(row) for row in cursor.fetchall()]
        except pymysql.err.Error as error:
            raise classify(error, self._database) from error

    def close(self) -> None:
        # A session that broke is closed already, and PyMySQL raises when asked twice.
        if self._session.open:
            self._session.close()


def classify(error: Exception, database: Database) -> LoaderError:
    """By the server's error number; a number of the client (2000 and above) means that nobody answered."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    said = str(error.args[1]) if len(error.args) > 1 else str(error)
    where = f"{database.database} at {database.host} as {database.username}"
    if number == TLS_ERROR or isinstance(getattr(error, "original_exception", None), ssl.SSLError):
        return UnsafeDatabase(f"no verified connection to {database.host}", why=f"{number} {said}")
    found = _CLASSES.get(number)
    if found is not None:
        return found(f"the database refused {where}", why=f"{number} {said}")
    if number >= 2000 or number in (0, 1040, 1053, 1927, 3024):
        return DatabaseDown(f"cannot reach the database {where}", why=f"{number} {said}")
    return LoaderError(f"the database rejected a statement on {database.table}", why=f"{number} {said}")


def _address(database: Database) -> dict[str, Any]:
    """PyMySQL answers a request for a clear-text password without checking that TLS is on: insist on it."""
    if database.host.startswith("/"):
        return {"unix_socket": database.host}
    return {
        "host": database.host,
        "port": database.port,
        "ssl_ca": database.ca_file,
        "ssl_verify_cert": True,
        "ssl_verify_identity": True,
    }
