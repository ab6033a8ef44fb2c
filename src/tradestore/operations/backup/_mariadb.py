"""Dumps of MariaDB, by its own programs: of the very moment whose content was hashed."""

import random
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError

from tradestore._errors import is_retryable, refusals_told
from tradestore.exceptions import BackupError
from tradestore.operations._endpoints import snapshot
from tradestore.operations.backup._programs import feed, output_of, program, write_secret

__all__ = ["dumped", "is_whole", "load"]

_LONGEST_LOCK: Final = 5.0
"""Seconds that writers may have to wait for the dump to begin."""
_LONGEST_TRY: Final = 30.0
"""Seconds in which all tables must once be free of writers."""
_PAUSE: Final = (0.001, 0.01)
_BEGUN: Final = b"-- Table structure"
_END: Final = b"-- Dump completed"
_TLS: Final = {"ssl_ca": "ssl-ca", "ssl_cert": "ssl-cert", "ssl_key": "ssl-key"}


@contextmanager
def dumped(engine: Engine, secrets: Path) -> Iterator[tuple[Connection, Iterator[bytes]]]:
    """Yield a connection that sees a moment, and a dump of the same.

    A server cannot lend the view of one transaction to another. So writers wait until both have begun, for as long as
    the program takes to start.

    Args:
        engine: Of the database.
        secrets: A folder for the file with the password.

    Raises:
        BackupError: If the right to lock tables is not there, or the program fails.
        DatabaseBusy: If others have changed a table and not committed for too long.
    """
    words = [
        program("mariadb-dump", "mysqldump"),
        f"--defaults-file={_defaults(engine, secrets)}",
        "--single-transaction",
        "--quick",
        "--skip-lock-tables",
        "--no-tablespaces",
        # Neither could be moved from one database to another, as a restore does.
        "--skip-triggers",
        *_without_views(engine),
        "--hex-blob",
        "--default-character-set=utf8mb4",
        str(engine.url.database),
    ]
    with ExitStack() as until_the_end:
        with _locked(engine):
            output = until_the_end.enter_context(output_of(words, {}))
            output.wait_for(_BEGUN, _LONGEST_LOCK)
            reading = until_the_end.enter_context(snapshot(engine))
        yield reading, output.chunks()


def load(engine: Engine, chunks: Iterable[bytes], secrets: Path) -> None:
    """Fill an empty database from a dump; one that fails, or is killed, leaves a part in it.

    Args:
        engine: Of the database.
        chunks: Of the dump.
        secrets: A folder for the file with the password.

    Raises:
        BackupError: If it fails.
    """
    words = [
        program("mariadb", "mysql"),
        f"--defaults-file={_defaults(engine, secrets)}",
        "--default-character-set=utf8mb4",
        f"--database={engine.url.database}",
    ]
    feed(words, {}, chunks)


def is_whole(chunks: Iterable[bytes]) -> bool:
    """Tell whether a dump has come to its end."""
    tail = b""
    for chunk in chunks:
        tail = (tail + chunk)[-1024:]
    return _END in tail


@contextmanager
def _locked(engine: Engine) -> Iterator[None]:
    """Let nobody write to the tables during the block."""
    with engine.connect() as connection:
        preparer = connection.dialect.identifier_preparer
        names = [preparer.quote_identifier(name) for name in inspect(connection).get_table_names()]
        try:
            with refusals_told(_not_locked):
                _lock(connection, f"LOCK TABLES {', '.join(f'{name} READ' for name in names)}")
                yield
        finally:
            # The locks are the connection's, and a pool would keep it.
            connection.invalidate()


def _not_locked(cause: object) -> BackupError:
    return BackupError(
        f"The tables could not be locked for the moment in which the dump begins ({cause}). Nothing was changed: grant "
        "the user LOCK TABLES on the database, or use the portable format (--format portable)."
    )


def _lock(connection: Connection, statement: str) -> None:
    """Take the locks at a moment when all of them are free.

    Whoever waited for one and held others would meet a writer that waits for those, and the writer would be told of a
    deadlock.
    """
    deadline = time.monotonic() + _LONGEST_TRY
    is_patient = not getattr(connection.dialect, "is_mariadb", False)
    while True:
        try:
            connection.exec_driver_sql(statement if is_patient else f"{statement} NOWAIT")
        except DBAPIError as e:
            if is_patient or not is_retryable(e) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(*_PAUSE))
        else:
            return


def _without_views(engine: Engine) -> list[str]:
    return [f"--ignore-table={engine.url.database}.{name}" for name in inspect(engine).get_view_names()]


def _defaults(engine: Engine, secrets: Path) -> Path:
    """Write a file in which the programs find the server and the password."""
    url = engine.url
    given = {"host": url.host, "port": url.port, "user": url.username, "password": url.password, "protocol": "TCP"}
    if socket := url.query.get("unix_socket"):
        given |= {"socket": str(socket), "protocol": "SOCKET"}
    given |= {option: str(url.query[name]) for name, option in _TLS.items() if name in url.query}
    lines = [f"{name}={_quoted(str(value))}" for name, value in given.items() if value is not None]
    return write_secret(secrets, "\n".join(["[client]", *lines, ""]))


def _quoted(value: str) -> str:
    for letter, escape in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(letter, escape)
    return f'"{value}"'
