"""From a database URL to the arguments of an engine, and what every connection is told first."""

import math
import re
import socket
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final

from sqlalchemy import URL, Connection, Dialect, Engine, QueuePool, StaticPool, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError

from tradestore._answer_timeout import AnswerTimeout, limit_answers
from tradestore._copy import copy_data
from tradestore._durability import durability_statement
from tradestore._file_log import end_file_log
from tradestore._fork import survive_forks
from tradestore._open_transactions import note_transactions
from tradestore._options import EngineOptions
from tradestore._plain_parameters import take_foreign_numbers
from tradestore._shared_connection import take_turn, take_turns
from tradestore._slow_statements import watch_slow_statements
from tradestore._sqlite_files import create_privately, is_encrypted
from tradestore._write_turn import WriteTurn
from tradestore.exceptions import InvalidDatabaseUrl

__all__ = [
    "check_url",
    "engine_arguments",
    "exact_collation",
    "extra_for",
    "is_memory",
    "is_read",
    "masked",
    "options_in_use",
    "prepare_engine",
    "read_url",
    "retire",
    "take_write_lock",
    "without_secret_options",
]

_DRIVERS = {
    "postgresql": "postgresql+psycopg2",
    "postgres": "postgresql+psycopg2",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_SUPPORTED = {"sqlite", "sqlite+pysqlite", "sqlite+pysqlcipher", "postgresql+psycopg", *_DRIVERS.values()}
_EXTRAS = {"psycopg2": "postgres", "psycopg": "all", "pymysql": "mysql", "pysqlcipher": "sqlcipher"}
_PASSWORDS: Final = ("password", "passwd")
_FURTHER_SECRETS: Final = ("sslpassword", "ssl_key_password")
_WRITE_TURN: Final = "tradestore_write_turn"
_OPTIONS: Final = "tradestore_options"
_LONGEST_CONNECT: Final = 31_536_000
_SOCKET_TIMEOUTS: Final = ("read_timeout", "write_timeout")
_KEEPALIVES: Final = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_SOCKET_KEEPALIVES: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
_UNREADABLE = (
    "The given db_url is no valid database URL! It looks like sqlite:///trades.sqlite or "
    "postgresql://user:password@host/database; special characters in a password are written as %XX, an @ as %40."
)
_READS = re.compile(
    r"\s*(?:SELECT|PRAGMA|EXPLAIN|VALUES|VACUUM|BEGIN|COMMIT|END|ROLLBACK|ATTACH|DETACH)\b"
    r"|\s*WITH\b(?!.*\b(?:INSERT|UPDATE|DELETE|REPLACE)\b)",
    re.IGNORECASE | re.DOTALL,
)


def check_url(db_url: str) -> URL:
    """Read a database URL and name the driver where the URL leaves it open.

    Raises:
        InvalidDatabaseUrl: If it can't be read, means a database that is not supported, or a file without a name.
    """
    url = read_url(db_url)
    if url.drivername in _DRIVERS:
        url = url.set(drivername=_DRIVERS[url.drivername])
    if url.drivername not in _SUPPORTED:
        msg = (
            f"{masked(url)} is no valid database URL for this library: {url.drivername!r} is not supported. "
            f"Use one of {', '.join(sorted({*_DRIVERS, *_SUPPORTED} - {'postgres'}))}."
        )
        raise InvalidDatabaseUrl(msg)
    if url.get_backend_name() == "sqlite":
        _refuse_bad_file(url)
    return url


def read_url(db_url: str) -> URL:
    """Read a database URL as it stands, with its password where SQLAlchemy never shows it.

    Raises:
        InvalidDatabaseUrl: If it can't be read.
    """
    url = _parsed(db_url)
    if url is None:
        raise InvalidDatabaseUrl(_UNREADABLE)
    texts = (url.host or "", url.database or "", *url.query)
    if url.host is not None and any("@" in text for text in texts):
        # What stands before it is the rest of a password that nobody escaped.
        raise InvalidDatabaseUrl(_UNREADABLE)
    return _with_password_in_its_place(url)


def _parsed(db_url: str) -> URL | None:
    # The original error may quote the URL, and with it the password: nobody gets to see it, not even as a context.
    try:
        return make_url(db_url)
    except (ArgumentError, ValueError):
        return None


def without_secret_options(url: URL) -> URL:
    """Return the URL as its engine may know and show it; :func:`engine_arguments` has what it is without."""
    return url.difference_update_query(_FURTHER_SECRETS)


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


def engine_arguments(url: URL, options: EngineOptions) -> dict[str, Any]:
    """Return the keyword arguments with which an engine for the URL is created."""
    arguments = _arguments_of_backend(url, options)
    arguments["connect_args"] |= {name: url.query[name] for name in _FURTHER_SECRETS if name in url.query}
    return arguments


def _arguments_of_backend(url: URL, options: EngineOptions) -> dict[str, Any]:
    backend = url.get_backend_name()
    pool = {name: getattr(options, name) for name in ("pool_size", "max_overflow", "pool_timeout")}
    if backend == "sqlite":
        connect_args = {"check_same_thread": False, "timeout": options.busy_timeout}
        if is_memory(url):
            return {"connect_args": connect_args, "poolclass": StaticPool}
        # SQLCipher's dialect would keep one connection for each thread, for as long as the thread lives.
        return {"connect_args": connect_args, "poolclass": QueuePool, **pool}
    arguments: dict[str, Any] = {"pool_pre_ping": True, "pool_recycle": options.pool_recycle, **pool}
    if backend == "postgresql":
        arguments["connect_args"] = {"connect_timeout": math.ceil(options.connect_timeout)} | {
            name: value for name, value in _KEEPALIVES.items() if name not in url.query
        }
        return arguments
    # The default there would show a long-lived session the past, and lock gaps between rows.
    arguments["isolation_level"] = "READ COMMITTED"
    timeout = min(options.connect_timeout, _LONGEST_CONNECT)
    arguments["connect_args"] = {"charset": "utf8mb4", "connect_timeout": timeout}
    # Else the driver would wait for ever for the greeting of a server that has stopped.
    arguments["connect_args"] |= {name: timeout for name in _SOCKET_TIMEOUTS if name not in url.query}
    if url.password is not None:
        # The driver would write it in latin-1, which not every password fits into.
        arguments["connect_args"]["password"] = url.password.encode()
    return arguments


def prepare_engine(engine: Engine, options: EngineOptions) -> None:
    """Make every connection of the engine behave as the library promises."""
    backend = engine.dialect.name
    engine.update_execution_options(**{_OPTIONS: options})
    if options.slow_statement is not None:
        watch_slow_statements(engine, options.slow_statement)
    take_foreign_numbers(engine)
    resets = [note_transactions(engine, is_read)]
    if backend == "sqlite":
        if is_encrypted(engine.url):
            event.listen(engine, "connect", _keep_cipher_quiet)
        event.listen(engine, "connect", partial(_prepare_sqlite, options))
        if isinstance(engine.pool, StaticPool):
            resets.append(take_turns(engine, options.busy_timeout))
            event.listen(engine, "before_cursor_execute", _begin_before_writing)
        else:
            create_privately(engine)
            engine.update_execution_options(**{_WRITE_TURN: WriteTurn(options.busy_timeout)})
            event.listen(engine, "before_cursor_execute", _begin_once)
    else:
        timeout = None if options.answer_timeout is None else limit_answers(engine, options.answer_timeout)
        if timeout is not None:
            resets.append(timeout.forget)
        if backend == "postgresql":
            event.listen(engine, "connect", _limited(timeout, partial(_prepare_postgresql, options)))
            event.listen(engine, "do_execute", _limited(timeout, copy_data))
        else:
            event.listen(engine, "connect", _limited(timeout, partial(_prepare_mariadb, options)))
            event.listen(engine, "connect", partial(_keep_socket_alive, engine.url.query.keys()))
    survive_forks(engine, *resets)


def options_in_use(engine: Engine) -> EngineOptions:
    """Return the options that an engine was opened with."""
    options: EngineOptions = engine.get_execution_options().get(_OPTIONS, EngineOptions())
    return options


def retire(engine: Engine) -> None:
    """Close the connections of an engine, those that wait now, those in use when they come back, and its log."""
    event.listen(engine.pool, "checkin", lambda _connection, record: record.invalidate())
    engine.dispose()
    end_file_log(engine)


def take_write_lock(connection: Connection) -> None:
    """Begin the transaction as a writer where readers and writers differ, which is on SQLite."""
    if connection.dialect.name != "sqlite":
        return
    take_turn(connection)
    driver_connection: Any = connection.connection.driver_connection
    if driver_connection.in_transaction:
        return
    turn: WriteTurn | None = connection.get_execution_options().get(_WRITE_TURN)
    try:
        _begin_as_writer(driver_connection, turn)
    except driver_connection.OperationalError as e:
        # Hooks run outside of the place where SQLAlchemy gives drivers' errors their common form.
        raise OperationalError("BEGIN IMMEDIATE", None, e) from e
    except driver_connection.ProgrammingError as e:
        connection.invalidate(e)  # It was closed behind the pool's back.
        raise ProgrammingError("BEGIN IMMEDIATE", None, e, connection_invalidated=True) from e


def is_read(statement: str) -> bool:
    """Tell whether a statement changes nothing that a transaction keeps."""
    return _READS.match(statement) is not None


def _refuse_bad_file(url: URL) -> None:
    if url.host:
        # Most likely the rest of a key that nobody escaped.
        raise InvalidDatabaseUrl(_UNREADABLE)
    if url.database == "":
        msg = f"Bad db-url {masked(url)}: it names no file. For in-memory database, please use `sqlite://`."
        raise InvalidDatabaseUrl(msg)
    if is_encrypted(url) and is_memory(url):
        msg = f"Bad db-url {masked(url)}: a database in memory is not encrypted, name a file or use `sqlite://`."
        raise InvalidDatabaseUrl(msg)
    if is_encrypted(url) and not url.password:
        msg = (
            f"Bad db-url {masked(url)}: it has no key. It looks like sqlite+pysqlcipher://:KEY@/trades.sqlite; special "
            "characters in a key are written as %XX."
        )
        raise InvalidDatabaseUrl(msg)


def _with_password_in_its_place(url: URL) -> URL:
    """Move a password from the options, where drivers take it as well, to where SQLAlchemy never shows it."""
    for name in _PASSWORDS:
        given = url.query.get(name)
        if given is not None:
            # Without a name, even an empty one, SQLAlchemy would write the URL without its password.
            url = url.set(username=url.username or "", password=given if isinstance(given, str) else given[-1])
    return url.difference_update_query(_PASSWORDS)


def _begin_as_writer(driver_connection: Any, turn: WriteTurn | None) -> None:
    if turn is None:
        _tell(driver_connection, "BEGIN IMMEDIATE")
    else:
        turn.begin(driver_connection)


def _limited(timeout: AnswerTimeout | None, call: Callable[..., Any]) -> Callable[..., Any]:
    return call if timeout is None else timeout.limited(call)


def _keep_cipher_quiet(connection: Any, _record: Any) -> None:
    # It would write its findings to standard error; they are raised as errors as well.
    _tell(connection, "PRAGMA cipher_log_level = NONE")


def _prepare_sqlite(options: EngineOptions, connection: Any, _record: Any) -> None:
    # The driver would begin transactions by its own lights: late, and never for DDL.
    connection.isolation_level = None
    _tell(connection, "PRAGMA foreign_keys = ON")
    _tell_durability(connection, "sqlite", options)


def _prepare_mariadb(options: EngineOptions, connection: Any, _record: Any) -> None:
    _tell(connection, "SET time_zone = '+00:00'")
    # The second is for changes of tables, which would wait for an open transaction of somebody else for a day.
    for setting in ("innodb_lock_wait_timeout", "lock_wait_timeout"):
        _tell(connection, f"SET {setting} = %s", max(1, round(options.busy_timeout)))


def _keep_socket_alive(own_options: Collection[str], connection: Any, _record: Any) -> None:
    """Let a dead network be noticed, and answers take their time again once the connection is made."""
    for name in _SOCKET_TIMEOUTS:
        if name not in own_options:
            setattr(connection, f"_{name}", None)
    own: socket.socket = connection._sock  # noqa: SLF001 - the driver has no other way to it
    own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _SOCKET_KEEPALIVES.items():
        if hasattr(socket, name) and own.family in {socket.AF_INET, socket.AF_INET6}:
            own.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _prepare_postgresql(options: EngineOptions, connection: Any, _record: Any) -> None:
    _tell(connection, "SET TIME ZONE 'UTC'")
    milliseconds = max(1, round(options.busy_timeout * 1000))
    _tell(connection, "SELECT set_config('lock_timeout', %s, false)", f"{milliseconds}ms")
    _tell_durability(connection, "postgresql", options)
    # Else the settings would end with a rollback of the transaction that they opened.
    connection.commit()


def _tell_durability(connection: Any, backend: str, options: EngineOptions) -> None:
    statement = durability_statement(backend, options.durability)
    if statement is not None:
        _tell(connection, statement)


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
