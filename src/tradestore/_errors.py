"""What an engine's errors mean to a caller: wait and repeat, make room, look what happened, or mend the data."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Engine, StaticPool, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from tradestore._counters import Counters
from tradestore.exceptions import (
    CommitOutcomeUnknown,
    ConnectionLost,
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    PoolExhausted,
    TradeStoreError,
)

__all__ = [
    "give_up_broken_connections",
    "is_broken",
    "is_retryable",
    "meaning_of",
    "meaningful",
    "meaningful_errors",
    "note_error",
    "refusals_told",
]

_Meaning = type[TradeStoreError]

_SQLITE: Final[Mapping[int, _Meaning]] = MappingProxyType(
    {
        5: DatabaseBusy,  # BUSY
        6: DatabaseBusy,  # LOCKED
        8: DatabaseReadOnly,  # READONLY
        13: DatabaseFull,  # FULL
        15: DatabaseBusy,  # PROTOCOL: too many began at the same moment
        778: DatabaseFull,  # IOERR_WRITE: a quota or a limit on the file's size
        4874: DatabaseFull,  # IOERR_SHMSIZE: no room for the WAL's index
    }
)
"""By SQLite's extended codes, and by its primary ones, the lowest byte."""

_SQLITE_UNDOES_ALL: Final = frozenset({10, 13})
"""IOERR and FULL."""

_POSTGRESQL: Final[Mapping[str, _Meaning]] = MappingProxyType(
    {
        "40001": DatabaseBusy,  # serialization_failure
        "40P01": DatabaseBusy,  # deadlock_detected
        "55P03": DatabaseBusy,  # lock_not_available
        "57014": DatabaseBusy,  # query_canceled, by a timeout or by an operator
        "08": ConnectionLost,
        "25P03": ConnectionLost,  # idle_in_transaction_session_timeout
        "25P04": ConnectionLost,  # transaction_timeout
        "57P01": ConnectionLost,  # admin_shutdown
        "57P02": ConnectionLost,  # crash_shutdown
        "57P03": ConnectionLost,  # cannot_connect_now
        "57P05": ConnectionLost,  # idle_session_timeout
        "25006": DatabaseReadOnly,  # read_only_sql_transaction
        "53100": DatabaseFull,  # disk_full
        "53300": PoolExhausted,  # too_many_connections
    }
)
"""By SQLSTATE, and by its class, the first two characters."""

_DEADLOCK: Final = 1213
_MARIADB: Final[Mapping[int, _Meaning]] = MappingProxyType(
    {
        1020: DatabaseBusy,  # the row was changed since it was read
        1205: DatabaseBusy,  # lock wait timeout
        1412: DatabaseBusy,  # a table was changed since the transaction began
        1684: DatabaseBusy,  # a table is just being changed
        _DEADLOCK: DatabaseBusy,
        1969: DatabaseBusy,  # max_statement_time
        3024: DatabaseBusy,  # the same on MySQL
        3572: DatabaseBusy,  # NOWAIT
        1053: ConnectionLost,  # the server shuts down
        1158: ConnectionLost,  # errors of the network, seen by the server
        1159: ConnectionLost,
        1160: ConnectionLost,
        1161: ConnectionLost,
        1927: ConnectionLost,  # the connection was killed
        2002: ConnectionLost,  # nobody answers
        2003: ConnectionLost,
        2006: ConnectionLost,  # the server has gone away
        2013: ConnectionLost,
        2055: ConnectionLost,
        4031: ConnectionLost,  # idle for too long
        1290: DatabaseReadOnly,  # --read-only
        1792: DatabaseReadOnly,  # a transaction that only reads
        1836: DatabaseReadOnly,
        27: DatabaseFull,
        28: DatabaseFull,
        1021: DatabaseFull,
        1114: DatabaseFull,
        1040: PoolExhausted,  # too many connections
        1203: PoolExhausted,
        1226: PoolExhausted,
    }
)
"""By the number that MariaDB and MySQL give."""

_GONE_BEFORE: Final = "8s2b"
"""SQLAlchemy's code for a transaction whose connection was lost by an earlier statement, so that none was sent."""

_NO_ROOM: Final = re.compile(r"\berr(?:or|no):? (?:27|28|122)\b", re.IGNORECASE)
"""How MariaDB passes on what the operating system said: EFBIG, ENOSPC or EDQUOT, under many numbers of its own."""

_ADVICE: Final[Mapping[_Meaning, str]] = MappingProxyType(
    {
        DatabaseBusy: "The database could not be used now ({reason}). Nothing was stored: do it again as a whole.",
        ConnectionLost: (
            "The connection to the database was lost ({reason}). Nothing was stored: do it again as a whole, a new "
            "connection is made by itself."
        ),
        DatabaseReadOnly: (
            "The database takes no changes now ({reason}). Nothing was stored: do it again as a whole when it does, a "
            "new connection is made by itself."
        ),
        PoolExhausted: (
            "No connection to the database was free ({reason}). Nothing was stored: give back sessions that are done "
            "(Trade.session.remove()), or let init_db open more (pool_size, max_overflow)."
        ),
        DatabaseFull: (
            "The database has no room ({reason}). Nothing was stored: make room, then do it again as a whole."
        ),
        CommitOutcomeUnknown: (
            "The connection was lost while committing ({reason}), so the changes may or may not be stored: look "
            "whether they are there before doing them again."
        ),
    }
)


def meaning_of(error: BaseException) -> _Meaning | None:
    """Return what kind of error an engine's is to a caller, None if it is about the data or a mistake."""
    if isinstance(error, NoConnectionFree):
        return PoolExhausted
    if isinstance(error, PendingRollbackError) and error.code == _GONE_BEFORE:
        return ConnectionLost
    if not isinstance(error, DBAPIError) or error.orig is None:
        return None
    cause: Any = error.orig
    found = _by_code(cause)
    if found is None and (error.connection_invalidated or _never_connected(cause)):
        return ConnectionLost
    return found


def meaningful(error: BaseException, *, committing: bool = False) -> TradeStoreError | None:
    """Return the library's own error in place of an engine's that is about the moment, and not about the data.

    Args:
        error: Of SQLAlchemy.
        committing: Whether it came from the COMMIT, which may have been done when the answer was lost.

    Returns:
        What to raise from the error; None if it is to be passed on as it is.
    """
    meaning = meaning_of(error)
    if meaning is None:
        return None
    if committing and meaning is ConnectionLost and isinstance(error, DBAPIError):
        meaning = CommitOutcomeUnknown
    reason = error.orig if isinstance(error, DBAPIError) else error
    return meaning(_ADVICE[meaning].format(reason=str(reason).strip()))


@contextmanager
def meaningful_errors(counters: Counters | None = None) -> Iterator[None]:
    """Turn the errors that are about the moment, not about the data, into the library's own.

    Args:
        counters: Where they are counted, if anywhere.

    Raises:
        DatabaseBusy: If others held a lock, the connection was lost, or nothing can be written now.
        DatabaseFull: If there is no room.
    """
    try:
        yield
    except SQLAlchemyError as e:
        own = meaningful(e)
        if own is None:
            raise
        if counters is not None:
            note_error(counters, own)
        raise own from e


@contextmanager
def refusals_told(tell: Callable[[Any], TradeStoreError]) -> Iterator[None]:
    """Turn what an engine refuses for good into words as well.

    Args:
        tell: Makes the error to be raised out of the driver's own.

    Raises:
        DatabaseBusy: As :func:`meaningful_errors` raises it.
        TradeStoreError: What *tell* has made of any other of the driver's errors.
    """
    try:
        yield
    except DBAPIError as e:
        raise meaningful(e) or tell(e.orig) from e


def note_error(counters: Counters, error: TradeStoreError) -> None:
    """Count what happened."""
    counters.note_error(error)
    if isinstance(error, ConnectionLost | CommitOutcomeUnknown):
        counters.note_lost_connection()
    elif type(error) is DatabaseBusy:
        counters.note_lock_wait()


def give_up_broken_connections(engine: Engine) -> None:
    """Let an engine connect anew after an error that its present connections would only repeat.

    What SQLAlchemy knows of lost connections is not all; and a server that has become read-only has been replaced by
    another one, which a new connection finds. A transaction that the engine has undone by itself ends with its
    connection as well, so that nobody can go on in it.
    """
    event.listen(engine, "handle_error", _note_broken_connection)


def is_broken(error: BaseException | None, engine: Engine) -> bool:
    """Tell whether a connection that gave the error would only repeat it."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    # A database in memory is gone with its connection.
    return not isinstance(engine.pool, StaticPool) and _by_code(cause) in {ConnectionLost, DatabaseReadOnly}


def is_retryable(error: DBAPIError) -> bool:
    """Tell whether the same work may succeed a moment later: others held a lock, and nothing was written."""
    return error.orig is not None and _by_code(error.orig) is DatabaseBusy


def _note_broken_connection(context: ExceptionContext) -> None:
    # Without an open connection there is none to give up.
    connection, cause = context.connection, context.original_exception
    if connection is None or connection.closed:
        return
    if isinstance(connection.engine.pool, StaticPool):
        # SQLAlchemy gives up whatever was interrupted, and with it a database in memory would be gone.
        context.is_disconnect = False
    elif is_broken(cause, connection.engine):
        context.is_disconnect = True
    elif _undoes_all(cause):
        # Whoever went on would store the second half alone. The other connections are good.
        context.is_disconnect, context.invalidate_pool_on_disconnect = True, False
    if context.is_disconnect and connection.dialect.name == "sqlite" and not connection.invalidated:
        # As long as somebody has a cursor, such as a traceback, closing would leave the write lock where it is.
        driver_connection: Any = connection.connection.driver_connection
        with suppress(driver_connection.Error):
            driver_connection.rollback()


def _undoes_all(cause: BaseException) -> bool:
    """Tell whether MariaDB, or SQLite, has undone the whole transaction by itself, savepoints included."""
    code = getattr(cause, "sqlite_errorcode", 0)
    return cause.args[:1] == (_DEADLOCK,) or code & 0xFF in _SQLITE_UNDOES_ALL


def _by_code(cause: Any) -> _Meaning | None:
    number = cause.args[0] if cause is not None and cause.args else None
    if isinstance(number, int):
        return _MARIADB.get(number) or (DatabaseFull if _NO_ROOM.search(str(cause)) else None)
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code) or _SQLITE.get(code & 0xFF)
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""
    return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])


def _never_connected(cause: Any) -> bool:
    """Tell whether a driver of PostgreSQL reports what no server has said: it has no code then."""
    return (
        type(cause).__module__.partition(".")[0] in {"psycopg", "psycopg2"}
        and type(cause).__name__ == "OperationalError"
    )
