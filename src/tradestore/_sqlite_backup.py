"""A copy of an SQLite file that is known to be good, beside the file, before anything changes in it."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine

from tradestore._row_digest import sqlite_columns_of, sqlite_digest_of
from tradestore._schema_lock import alone
from tradestore.exceptions import MigrationError

__all__ = ["back_up_file", "file_of"]

logger = logging.getLogger(__name__)

_UNHARMFUL: Final = ("ok", "NULL value in ", "CHECK constraint failed in ")
"""How SQLite's findings begin that are about values, which a copy has as well, and not about a damaged file."""


def file_of(connection: Connection) -> Path | None:
    """Return the file of an SQLite database, None for one in memory."""
    if connection.dialect.name != "sqlite":
        return None
    databases = connection.exec_driver_sql("PRAGMA database_list").all()
    names = [name for _, schema, name in databases if schema == "main"]
    return Path(names[0]) if names and names[0] else None


def back_up_file(connection_or_engine: Connection | Engine, label: str) -> Path | None:
    """Copy an SQLite file to ``<file>.<label>.bak`` beside it, and compare every row of the copy.

    A name that is taken gets a number: ``.bak1``, ``.bak2``. Where the newest one is already equal to the file, as
    after a try that was cut short, it is taken as it is, so that a bot that starts again and again fills no disk.

    Args:
        connection_or_engine: A connection that holds the write lock and has written nothing yet, as ``alone`` gives
            it; of an engine, the lock is taken until the copy is done.
        label: What the database is before the change, such as its revision.

    Returns:
        The backup; None where there is nothing to copy: in memory, without tables, and on servers.

    Raises:
        MigrationError: If the copy could not be written or is not equal. It is removed, and the file is as it was.
    """
    if isinstance(connection_or_engine, Engine):
        with alone(connection_or_engine) as connection:
            return back_up_file(connection, label)
    file = file_of(connection_or_engine)
    if file is None:
        return None
    try:
        with closing(_open(file, "mode=ro")) as source:
            return _copy(source, file, label) if sqlite_columns_of(source) else None
    except (OSError, sqlite3.Error) as e:
        msg = (
            f"No backup of {file} could be written beside it ({e}). Nothing was changed: make room on the disk, give "
            "the bot's user the right to create files in that folder, then start again."
        )
        raise MigrationError(msg) from e


def _copy(source: sqlite3.Connection, file: Path, label: str) -> Path:
    newest, free = _names(file, label)
    part = file.with_name(f"{file.name}.{label}.part")
    # What a killed try has left.
    part.unlink(missing_ok=True)
    if newest is not None and not _fault_of(newest, source):
        logger.info("The backup %s is equal to the database already.", newest)
        return newest
    try:
        _write(source, part)
        _refuse_faulty(part, source, file)
        _keep(part, free, file.stat().st_mode & 0o7777)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    logger.info("The backup %s was written and compared.", free)
    return free


def _names(file: Path, label: str) -> tuple[Path | None, Path]:
    """Return the newest backup that is there, and the first name after it that is free."""
    newest = None
    for number in count():
        name = file.with_name(f"{file.name}.{label}.bak{number or ''}")
        if not name.exists():
            return newest, name
        newest = name
    raise AssertionError


def _write(source: sqlite3.Connection, part: Path) -> None:
    # Whoever may not read the trades may not read them here either.
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(_open(part, "mode=rw")) as target:
        target.execute("PRAGMA journal_mode = OFF")
        source.backup(target)


def _refuse_faulty(part: Path, source: sqlite3.Connection, file: Path) -> None:
    if fault := _fault_of(part, source):
        msg = (
            f"The backup of {file} is not good: {fault}. Nothing was changed: look after the disk and the file, for "
            "example with PRAGMA integrity_check in the sqlite3 shell, then start again."
        )
        raise MigrationError(msg)


def _fault_of(backup: Path, source: sqlite3.Connection) -> str | None:
    """Return what is wrong with a copy, None if nothing is."""
    try:
        with closing(_open(backup, "mode=ro&immutable=1")) as copy:
            findings = [finding for (finding,) in copy.execute("PRAGMA integrity_check")]
            faults = [finding for finding in findings if not finding.startswith(_UNHARMFUL)]
            if faults:
                return f"SQLite finds it damaged ({faults[0]})"
            schemas = [
                set(each.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")) for each in (source, copy)
            ]
            if schemas[0] != schemas[1]:
                return "it has other tables"
            for name, columns in sqlite_columns_of(source).items():
                if sqlite_digest_of(source, name, columns) != sqlite_digest_of(copy, name, columns):
                    return f"the table {name!r} has other rows"
    except sqlite3.DatabaseError as e:
        return f"it cannot be read ({e})"
    return None


def _keep(part: Path, name: Path, mode: int) -> None:
    """Give the finished copy its name, so that it stays under it after a power loss."""
    with _descriptor(part) as written:
        os.fchmod(written, mode)
        os.fsync(written)
    part.rename(name)
    with _descriptor(name.parent) as folder:
        os.fsync(folder)


@contextmanager
def _descriptor(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path, options: str) -> sqlite3.Connection:
    # Not by open(): closing the file there would give up the locks that SQLite holds on it in this process.
    connection: Any = sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, isolation_level=None)
    return connection  # type: ignore[no-any-return]
