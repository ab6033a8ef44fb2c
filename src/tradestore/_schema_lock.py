"""Changing tables while nobody else does: one process at a time, in one transaction where the engine can."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import OperationalError

from tradestore._answer_timeout import however_long
from tradestore._engine import is_memory, take_write_lock
from tradestore._errors import is_retryable
from tradestore._shared_connection import take_turn
from tradestore.exceptions import MigrationError

__all__ = ["LOCK_TIMEOUT", "PAUSE", "alone"]

LOCK_TIMEOUT: Final = 300
"""Seconds that a process waits while another one brings the same database up to date."""

PAUSE: Final = 0.05
"""Seconds between two looks whether the other one has finished."""

_LOCK_NUMBER: Final = 7_239_101_204
# A server has one set of names for all its databases.
_LOCK_NAME: Final = func.concat("tradestore_", func.md5(func.database()))

_MARIADB_LOCK, _MARIADB_UNLOCK = select(func.get_lock(_LOCK_NAME, 0)), select(func.release_lock(_LOCK_NAME))
_LOCK: Final = {
    "postgresql": select(func.pg_try_advisory_lock(_LOCK_NUMBER)),
    "mysql": _MARIADB_LOCK,
    "mariadb": _MARIADB_LOCK,
}
_UNLOCK: Final = {
    "postgresql": select(func.pg_advisory_unlock(_LOCK_NUMBER)),
    "mysql": _MARIADB_UNLOCK,
    "mariadb": _MARIADB_UNLOCK,
}

_RESHAPING: Final = {"foreign_keys": 0, "legacy_alter_table": 1}
"""How SQLite lets a table be replaced: rows that refer to it stay, and no other statement's text is rewritten."""


@contextmanager
def alone(engine: Engine, *, reshaping: bool = False) -> Iterator[Connection]:
    """Open a transaction during which no other process changes the tables; others that want to wait for its end.

    It is committed at the end of the block, and rolled back by an error. On SQLite and PostgreSQL that undoes changes
    of tables, too; on MariaDB and MySQL they stay, because each commits by itself.

    Args:
        engine: Of the database, the library's own or one from a plain ``create_engine``.
        reshaping: Whether tables will be replaced by others of their name. On SQLite this puts off foreign keys, and
            leaves views, triggers and references to a renamed table as they are, until the end of the block.

    Yields:
        The connection, in the transaction.

    Raises:
        MigrationError: If another process changes the tables for minutes.
    """
    with however_long(), engine.connect() as connection:
        _wait_for_others(connection)
        try:
            settings = _RESHAPING if reshaping and engine.dialect.name == "sqlite" else {}
            with _set(connection, settings), connection.begin():
                _take_write_lock(connection)
                yield connection
        finally:
            unlock = _UNLOCK.get(engine.dialect.name)
            # A connection that was lost has lost its locks with it.
            if unlock is not None and not connection.invalidated:
                connection.execute(unlock)
                connection.commit()


def _wait_for_others(connection: Connection) -> None:
    lock = _LOCK.get(connection.dialect.name)
    deadline = time.monotonic() + LOCK_TIMEOUT
    while lock is not None and not connection.scalar(lock):
        if time.monotonic() > deadline:
            msg = f"Another process has been changing the tables for {LOCK_TIMEOUT} s: wait for it, then try again."
            raise MigrationError(msg)
        time.sleep(PAUSE)
    connection.commit()


def _take_write_lock(connection: Connection) -> None:
    """Wait on SQLite, whose lock is also any other writer's, as long as for another process on a server."""
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            take_write_lock(connection)
        except OperationalError as e:
            # In memory there is no other process, and who writes in the same thread would wait for itself.
            if not is_retryable(e) or is_memory(connection.engine.url) or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
        else:
            return


@contextmanager
def _set(connection: Connection, settings: Mapping[str, int]) -> Iterator[None]:
    """Give SQLite other settings for a while; it takes them outside of a transaction only."""
    if not settings:
        yield
        return
    before = _exchange(connection, settings)
    try:
        yield
    finally:
        # A COMMIT that a reader kept waiting in vain leaves its transaction open.
        connection.connection.rollback()
        _exchange(connection, before)


def _exchange(connection: Connection, settings: Mapping[str, int]) -> dict[str, int]:
    before = {}
    with connection.begin():
        take_turn(connection)
        for name, value in settings.items():
            before[name] = connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            connection.exec_driver_sql(f"PRAGMA {name} = {value:d}")
            if connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() != value:
                msg = f"SQLite did not take PRAGMA {name} = {value}: use an engine that opens no transaction by itself."
                raise MigrationError(msg)
    return before
