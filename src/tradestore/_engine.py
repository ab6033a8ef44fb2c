"""From a database URL to the arguments of an engine, and what every connection is told first."""

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, StaticPool, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from tradestore._copy import copy_data
from tradestore._shared_connection import take_turn, take_turns
from tradestore.exceptions import InvalidDatabaseUrl

__all__ = [
    "PoolOptions",
    "check_url",
    "engine_arguments",
    "exact_collation",
    "extra_for",
    "is_memory",
    "is_read",
    "masked",
    "prepare_engine",
    "retire",
    "take_write_lock",
]

_DRIVERS = {
    "postgresql": "postgresql+psycopg2",
    "postgres": "postgresql+psycopg2",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_SUPPORTED = {"sqlite", "sqlite+pysqlite", "postgresql+psycopg", *_DRIVERS.values()}
_EXTRAS = {"psycopg2": "postgres", "psycopg": "all", "pymysql": "mysql"}
_UNREADABLE = (
    "The given db_url is no valid database URL! It looks like sqlite:///trades.sqlite or "
    "postgresql://user:password@host/database; special characters in a password are written as %XX, an @ as %40."
)
_READS = re.compile(
    r"\s*(?:SELECT|PRAGMA|EXPLAIN|VALUES|VACUUM|BEGIN|COMMIT|END|ROLLBACK|ATTACH|DETACH)\b"
    r"|\s*WITH\b(?!.*\b(?:INSERT|UPDATE|DELETE|REPLACE)\b)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """How connections are kept and waited for.

    Attributes:
        pool_size: Connections that are kept open.
        max_overflow: Further ones that may be opened for a while.
        pool_timeout: Seconds to wait for one of them.
        pool_recycle: Seconds after which a connection to a server is replaced by a new one.
        busy_timeout: Seconds to wait for another writer.
    """

    pool_size: int
    max_overflow: int
    pool_timeout: float
    pool_recycle: int
    busy_timeout: float


def check_url(db_url: str) -> URL:
    """Read a database URL and name the driver where the URL leaves it open.

    Raises:
        InvalidDatabaseUrl: If it can't be read, means a database that is not supported, or a file without a name.
    """
    try:
        url = make_url(db_url)
    except (ArgumentError, ValueError):
        # The original error may quote the URL, and with it the password.
        raise InvalidDatabaseUrl(_UNREADABLE) from None
    if any("@" in text for text in (url.host or "", url.database or "", *url.query)) and url.host is not None:
        # What stands before it is the rest of a password that nobody escaped.
        raise InvalidDatabaseUrl(_UNREADABLE)
    if url.drivername in _DRIVERS:
        url = url.set(drivername=_DRIVERS[url.drivername])
    if url.drivername not in _SUPPORTED:
        msg = (
            f"{masked(url)} is no valid database URL for this library: {url.drivername!r} is not supported. "
            f"Use one of {', '.join(sorted({*_DRIVERS, *_SUPPORTED} - {'postgres'}))}."
        )
        raise InvalidDatabaseUrl(msg)
    if url.get_backend_name() == "sqlite" and url.database == "":
        msg = f"Bad db-url {masked(url)}: it names no file. For in-memory database, please use `sqlite://`."
        raise InvalidDatabaseUrl(msg)
    return url


def is_memory(url: URL) -> bool:
    """Tell whether the URL means an SQLite database in memory."""
    return url.get_backend_name() == "sqlite" and (
        url.database in {None, "", ":memory:", "file::memory:"} or url.query.get("mode") == "memory"
    )


def masked(url: URL) -> str:
    """Return the URL without its password, and without its options: they may hold one too."""
    return url.set(query={}).render_as_string(hide_password=True)


def extra_for(url: URL) -> str:
    """Return which extra of this package installs the driver of a URL."""
    return _EXTRAS[url.drivername.partition("+")[2]]


def exact_collation(dialect: Dialect) -> str:
    """Return the collation by which MariaDB, or MySQL, tells texts apart by every character."""
    options: Any = dialect
    if options.is_mariadb:
        return "utf8mb4_nopad_bin"
    return "utf8mb4_0900_bin" if (options.server_version_info or ()) >= (8,) else "utf8mb4_bin"


def engine_arguments(url: URL, options: PoolOptions) -> dict[str, Any]:
    """Return the keyword arguments with which an engine for the URL is created."""
    if url.get_backend_name() == "sqlite":
        connect_args: Mapping[str, Any] = {"check_same_thread": False, "timeout": options.busy_timeout}
        if is_memory(url):
            return {"connect_args": connect_args, "poolclass": StaticPool}
        return {"connect_args": connect_args, **_pool_arguments(options)}
    arguments = {"pool_pre_ping": True, "pool_recycle": options.pool_recycle, **_pool_arguments(options)}
    if url.get_backend_name() in {"mysql", "mariadb"}:
        # The default there would show a long-lived session the past, and lock gaps between rows.
        arguments["isolation_level"] = "READ COMMITTED"
        arguments["connect_args"] = {"charset": "utf8mb4"}
        if url.password is not None and not {"password", "passwd"} & url.query.keys():
            # The driver would write it in latin-1, which not every password fits into.
            arguments["connect_args"]["password"] = url.password.encode()
    return arguments


def prepare_engine(engine: Engine, options: PoolOptions) -> None:
    """Make every connection of the engine behave as the library promises."""
    backend = engine.dialect.name
    if backend == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        if isinstance(engine.pool, StaticPool):
            take_turns(engine, options.busy_timeout)
            event.listen(engine, "before_cursor_execute", _begin_before_writing)
        else:
            event.listen(engine, "before_cursor_execute", _begin_once)
    elif backend in {"mysql", "mariadb"}:
        event.listen(engine, "connect", partial(_prepare_mariadb, options.busy_timeout))
    elif backend == "postgresql":
        event.listen(engine, "connect", partial(_prepare_postgresql, options.busy_timeout))
        event.listen(engine, "do_execute", copy_data)


def retire(engine: Engine) -> None:
    """Close the connections of an engine: those that wait now, those in use when they come back."""
    event.listen(engine.pool, "checkin", lambda _connection, record: record.invalidate())
    engine.dispose()


def take_write_lock(connection: Connection) -> None:
    """Begin the transaction as a writer where readers and writers differ, which is on SQLite."""
    if connection.dialect.name != "sqlite":
        return
    take_turn(connection)
    driver_connection: Any = connection.connection.driver_connection
    if driver_connection.in_transaction:
        return
    try:
        _tell(driver_connection, "BEGIN IMMEDIATE")
    except sqlite3.OperationalError as e:
        # Hooks run outside of the place where SQLAlchemy gives drivers' errors their common form.
        raise OperationalError("BEGIN IMMEDIATE", None, e) from e


def is_read(statement: str) -> bool:
    """Tell whether a statement changes nothing that a transaction keeps."""
    return _READS.match(statement) is not None


def _pool_arguments(options: PoolOptions) -> dict[str, Any]:
    return {
        "pool_size": options.pool_size,
        "max_overflow": options.max_overflow,
        "pool_timeout": options.pool_timeout,
    }


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by its own lights: late, and never for DDL.
    connection.isolation_level = None
    _tell(connection, "PRAGMA foreign_keys = ON")
    _tell(connection, "PRAGMA synchronous = FULL")


def _prepare_mariadb(busy_timeout: float, connection: Any, _record: Any) -> None:
    _tell(connection, "SET time_zone = '+00:00'")
    # The second is for changes of tables, which would wait for an open transaction of somebody else for a day.
    for setting in ("innodb_lock_wait_timeout", "lock_wait_timeout"):
        _tell(connection, f"SET {setting} = %s", max(1, round(busy_timeout)))


def _prepare_postgresql(busy_timeout: float, connection: Any, _record: Any) -> None:
    _tell(connection, "SET TIME ZONE 'UTC'")
    _tell(connection, "SELECT set_config('lock_timeout', %s, false)", f"{max(1, round(busy_timeout * 1000))}ms")
    # Else the settings would end with a rollback of the transaction that they opened.
    connection.commit()


def _tell(connection: Any, statement: str, *parameters: object) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(statement, parameters)
    finally:
        cursor.close()


def _begin_before_writing(
    connection: Connection, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: Any
) -> None:
    """Take SQLite's write lock with the first statement that writes, and only then.

    A reader that turns writer in the middle of a transaction is refused at once when somebody else has written since;
    one that begins as a writer waits its turn.
    """
    if not is_read(statement) and connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        take_write_lock(connection)


def _begin_once(connection: Connection, cursor: Any, *details: Any) -> None:
    """Do the same where no other session shares the connection: an open transaction needs nothing more."""
    if not cursor.connection.in_transaction:
        _begin_before_writing(connection, cursor, *details)
