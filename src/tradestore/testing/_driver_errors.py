"""Errors exactly as each driver raises them: the server itself raises them, or they carry what SQLite's would.

An error that only looks right would pass where the real one fails: PostgreSQL refuses all that follows in the same
transaction, MariaDB has undone the transaction after a deadlock, and a lost connection stays lost.
"""

import os
import socket
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final

__all__ = ["Failure", "drop_connection", "raise_as_driver"]


class Failure(StrEnum):
    """What can go wrong in a database."""

    BUSY = "busy"
    """Somebody else kept a lock for longer than one waits; of the transaction nothing else is lost."""
    DEADLOCK = "deadlock"
    """Two waited for each other, and this one had to give way. SQLite has none: there it is BUSY."""
    LOST = "lost"
    """The connection is cut, for real, so that the server rolls back. A database in memory has none to lose."""
    READ_ONLY = "read-only"
    """The database takes no changes now."""
    FULL = "full"
    """No room on the disk."""


_SQLITE: Final[Mapping[Failure, tuple[str, str]]] = {
    Failure.BUSY: ("SQLITE_BUSY", "database is locked"),
    Failure.DEADLOCK: ("SQLITE_BUSY", "database is locked"),
    Failure.READ_ONLY: ("SQLITE_READONLY", "attempt to write a readonly database"),
    Failure.FULL: ("SQLITE_FULL", "database or disk is full"),
}
_POSTGRESQL: Final[Mapping[Failure, tuple[str, str]]] = {
    Failure.BUSY: ("55P03", "canceling statement due to lock timeout"),
    Failure.DEADLOCK: ("40P01", "deadlock detected"),
    Failure.READ_ONLY: ("25006", "cannot execute statement in a read-only transaction"),
    Failure.FULL: ("53100", "could not extend file: No space left on device"),
}
_MARIADB: Final[Mapping[Failure, tuple[str, int, str]]] = {
    Failure.BUSY: ("HY000", 1205, "Lock wait timeout exceeded; try restarting transaction"),
    Failure.DEADLOCK: ("40001", 1213, "Deadlock found when trying to get lock; try restarting transaction"),
    Failure.READ_ONLY: ("HY000", 1290, "The server is running with the --read-only option"),
    Failure.FULL: ("HY000", 1114, "The table is full"),
}


def raise_as_driver(failure: Failure, dialect: str, connection: Any) -> None:
    """Let a driver raise an error, and leave its connection as the real one would.

    Args:
        failure: What went wrong.
        dialect: SQLAlchemy's name of the engine.
        connection: The driver's connection.
    """
    if failure is Failure.LOST:
        drop_connection(connection)
        # A driver that has nothing to send would not notice.
        _execute(connection, "SELECT 1")
    elif dialect == "sqlite":
        name, message = _SQLITE[failure]
        error = sqlite3.OperationalError(message)
        error.sqlite_errorname, error.sqlite_errorcode = name, getattr(sqlite3, name)
        raise error
    elif dialect == "postgresql":
        code, message = _POSTGRESQL[failure]
        _execute(connection, f"DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = '{message}'; END$$")
    else:
        state, number, message = _MARIADB[failure]
        if failure is Failure.DEADLOCK:
            connection.rollback()
        _execute(connection, f"SIGNAL SQLSTATE '{state}' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = '{message}'")


def drop_connection(connection: Any) -> None:
    """Cut a driver's connection to its server without telling either; close it where there is no server."""
    if isinstance(connection, sqlite3.Connection):
        connection.close()
        return
    with suppress(OSError, ValueError), socket.socket(fileno=os.dup(_descriptor(connection))) as line:
        line.shutdown(socket.SHUT_RDWR)


def _descriptor(connection: Any) -> int:
    # PyMySQL has no public name for it.
    line = connection if hasattr(connection, "fileno") else connection._sock  # noqa: SLF001
    number: int = line.fileno()
    return number


def _execute(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        with suppress(Exception):
            cursor.close()
