"""The two ends of a transfer: opened, told apart, and the source held still."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, select, text

from tradestore._engine import is_memory, masked, take_write_lock
from tradestore.constants import TRANSFER_TABLE
from tradestore.database import Database
from tradestore.exceptions import DatabaseBusy, TransferError
from tradestore.migrations import HEAD, current
from tradestore.models import open_engine, present_tables
from tradestore.operations.opening import refuse_unusable_file

__all__ = ["PATIENCE", "End", "family", "opened", "refuse_same", "refuse_unready", "snapshot", "sole_transfer"]

End = str | Engine | Database
"""A database URL, or a database that is open."""

_LONGEST_PAUSE: Final = 3600
"""Seconds that MariaDB waits for the next batch to be taken."""

PATIENCE: Final = 5.0
"""Seconds that a transfer waits for another one."""
_PAUSE: Final = 0.05
_LOCK_NUMBER: Final = 7_239_101_205
_LONGEST_LOCK_NAME: Final = 64

_MYSQL_PLACE: Final = "SELECT @@hostname, @@port, @@datadir, database()"
_PLACES: Final = {
    # The start tells servers apart to the microsecond, under whatever addresses they are reached.
    "postgresql": "SELECT CAST(pg_postmaster_start_time() AS text), current_database(), current_schema()",
    "mysql": _MYSQL_PLACE,
}


@contextmanager
def opened(end: End) -> Iterator[Engine]:
    """Return the engine of one end; one that is opened for it is closed afterwards.

    Raises:
        InvalidDatabaseUrl: If the URL cannot be used.
        MissingDriver: If the driver that it asks for is not installed.
        TransferError: If the URL means a database that nobody could have filled, or could use afterwards.
    """
    if not isinstance(end, str):
        yield end.engine if isinstance(end, Database) else end
        return
    engine = open_engine(end, pool_size=2, max_overflow=2, pool_recycle=-1, answer_timeout=None)
    if is_memory(engine.url):
        msg = f"{masked(engine.url)} is a new database in memory: give the Database that init_db() returned for it."
        raise TransferError(msg)
    try:
        yield engine
    finally:
        engine.dispose()


def family(engine: Engine | Connection) -> str:
    """Return the name of an engine's kind; MariaDB and MySQL are one."""
    name = engine.dialect.name
    return "mysql" if name == "mariadb" else name


def refuse_unready(source: Engine) -> None:
    """Refuse a source that isn't there, or whose tables are not those of this version.

    Raises:
        DatabaseUnreachable: If nobody answers there.
        TransferError: If it has to be opened by ``init_db`` first, or is an unfinished copy itself.
    """
    refuse_unusable_file(source.url)
    if TRANSFER_TABLE in present_tables(source):
        msg = (
            f"{masked(source.url)} is an unfinished copy itself: run the transfer into it again, to its end, before "
            "anything is copied from it."
        )
        raise TransferError(msg)
    revision = current(source)
    if revision != HEAD:
        msg = (
            f"The source {masked(source.url)} is at revision {revision!r}, expected was {HEAD!r}. Nothing was changed: "
            "open it once with tradestore.init_db(), which brings it up to date or says what is in the way."
        )
        raise TransferError(msg)


def refuse_same(source: Connection, target: Engine) -> None:
    """Refuse a target that is the source, whatever its URL looks like.

    Raises:
        TransferError: If it is.
    """
    with target.connect() as connection:
        is_same = family(source) == family(target) and _place(source) == _place(connection)
    if is_same:
        msg = f"Source and target are the same database, {masked(target.url)}: give the URL of another one as target."
        raise TransferError(msg)


@contextmanager
def snapshot(source: Engine) -> Iterator[Connection]:
    """Return a connection that sees the source as it is now, and nothing of what is written later."""
    with source.connect() as connection:
        match family(source):
            case "sqlite":
                _begin_reading(connection)
            case "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            case "mysql":
                connection.execution_options(isolation_level="REPEATABLE READ")
                connection.exec_driver_sql(f"SET SESSION net_write_timeout = {_LONGEST_PAUSE}")
                connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        try:
            yield connection
        finally:
            connection.rollback()


@contextmanager
def sole_transfer(target: Engine) -> Iterator[None]:
    """Keep other transfers away from a target for as long as the block lasts.

    SQLite needs nothing: whoever writes has the file for itself, and notes in the journal tell one from the other.

    Raises:
        DatabaseBusy: If another transfer does not end within seconds.
    """
    name = f"{TRANSFER_TABLE}.{target.url.database}"[:_LONGEST_LOCK_NAME]
    attempts = {
        "postgresql": select(func.pg_try_advisory_lock(_LOCK_NUMBER)),
        "mysql": select(func.get_lock(name, 0)),
    }
    attempt = attempts.get(family(target))
    if attempt is None:
        yield
        return
    deadline = time.monotonic() + PATIENCE
    with target.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # The session of one that was killed a moment ago may not have ended yet.
        while not connection.scalar(attempt):
            if time.monotonic() > deadline:
                msg = (
                    f"Another transfer into {masked(target.url)} is under way: wait for it to end. If its machine is "
                    "gone, end its session at the server."
                )
                raise DatabaseBusy(msg)
            time.sleep(_PAUSE)
        try:
            yield
        finally:
            # The lock is the connection's, and a pool would keep it.
            connection.invalidate()


def _begin_reading(connection: Connection) -> None:
    if is_memory(connection.engine.url):
        # All its threads share one transaction: writers have to wait.
        take_write_lock(connection)
    driver_connection: Any = connection.connection.driver_connection
    if not driver_connection.in_transaction:
        connection.exec_driver_sql("BEGIN")
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")


def _place(connection: Connection) -> tuple[object, ...]:
    if family(connection) != "sqlite":
        return tuple(connection.execute(text(_PLACES[family(connection)])).one())
    files = [row.file for row in connection.exec_driver_sql("PRAGMA database_list") if row.name == "main"]
    if not files[0]:
        return (id(connection.connection.driver_connection),)
    status = Path(files[0]).stat()
    return status.st_dev, status.st_ino
