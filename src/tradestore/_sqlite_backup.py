"""A copy of an SQLite file that is known to be good, beside the file, before anything changes in it."""

import logging
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine

from tradestore._disk import sync_path
from tradestore._row_digest import sqlite_columns_of, sqlite_digest_of
from tradestore._schema_lock import alone
from tradestore._sqlite_files import SqliteDriver, create_private, driver_of
from tradestore.exceptions import MigrationError

__all__ = ["back_up_file", "damage_of", "fault_of", "file_of", "keep", "write_copy"]

logger = logging.getLogger(__name__)

_UNHARMFUL: Final = ("ok", "NULL value in ", "CHECK constraint failed in ")
"""How SQLite's findings begin that are about values, which a copy has as well, and not about a damaged file."""

_PAGES: Final = 4096
"""How many are copied at once: between two times others may run, and Ctrl-C is heard."""

_STATISTICS: Final = "sqlite_stat"
"""How the tables of SQLite's planner begin: SQLCipher writes no copy of them, and ANALYZE makes new ones."""
_SCHEMA: Final = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE substr(name, 1, 11) <> 'sqlite_stat'"


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
    driver = driver_of(connection_or_engine)
    try:
        with closing(driver.open(file, "mode=ro")) as source:
            return _copy(driver, source, file, label) if sqlite_columns_of(source) else None
    except (OSError, driver.error) as e:
        msg = (
            f"No backup of {file} could be written beside it ({e}). Nothing was changed: make room on the disk, give "
            "the bot's user the right to create files in that folder, then start again."
        )
        raise MigrationError(msg) from e


def _copy(driver: SqliteDriver, source: Any, file: Path, label: str) -> Path:
    newest, free = _names(file, label)
    part = file.with_name(f"{file.name}.{label}.part")
    # What a killed try has left.
    part.unlink(missing_ok=True)
    if newest is not None and not fault_of(driver, newest, source):
        logger.info("The backup %s is equal to the database already.", newest)
        return newest
    try:
        write_copy(driver, source, part)
        _refuse_faulty(driver, part, source, file)
        keep(part, free)
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


def write_copy(
    driver: SqliteDriver, source: Any, part: Path, progress: Callable[[int, int], None] | None = None
) -> None:
    """Copy what a connection sees into a new file that its owner alone may read, encrypted if the source is.

    Args:
        driver: Of the connection.
        source: The connection. Without a transaction, the copying begins anew whenever others write.
        part: The file to make.
        progress: Called with how many pages are done, and how many there are.
    """
    create_private(part)
    with closing(driver.open(part, "mode=rw")) as target:
        target.execute("PRAGMA journal_mode = OFF")
        if progress is None:
            source.backup(target)
        else:
            tell = progress
            source.backup(target, pages=_PAGES, sleep=0, progress=lambda _, left, total: tell(total - left, total))


def _refuse_faulty(driver: SqliteDriver, part: Path, source: Any, file: Path) -> None:
    if fault := fault_of(driver, part, source):
        msg = (
            f"The backup of {file} is not good: {fault}. Nothing was changed: look after the disk and the file, for "
            "example with PRAGMA integrity_check in the sqlite3 shell, then start again."
        )
        raise MigrationError(msg)


def fault_of(driver: SqliteDriver, backup: Path, source: Any) -> str | None:
    """Return what is wrong with a copy, None if nothing is.

    Args:
        driver: Opens the copy.
        backup: The copy, which nobody else has open.
        source: A connection to what was copied.
    """
    try:
        with closing(driver.open(backup, "mode=ro&immutable=1")) as copy:
            if damage := damage_of(copy):
                return f"SQLite finds it damaged ({damage})"
            schemas = [set(each.execute(_SCHEMA)) for each in (source, copy)]
            if schemas[0] != schemas[1]:
                return "it has other tables"
            for name, columns in sqlite_columns_of(source).items():
                if name.startswith(_STATISTICS):
                    continue
                if sqlite_digest_of(source, name, columns) != sqlite_digest_of(copy, name, columns):
                    return f"the table {name!r} has other rows"
    except driver.error as e:
        return f"it cannot be read ({e})"
    return None


def damage_of(connection: Any) -> str | None:
    """Return the first thing that SQLite finds damaged in a file, None if there is nothing."""
    findings = [finding for (finding,) in connection.execute("PRAGMA integrity_check")]
    return next((finding for finding in findings if not finding.startswith(_UNHARMFUL)), None)


def keep(part: Path, name: Path) -> None:
    """Give the finished copy its name, so that it stays under it after a power loss."""
    sync_path(part)
    part.rename(name)
    sync_path(name.parent)
