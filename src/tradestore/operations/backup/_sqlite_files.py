"""SQLite files: a copy of one that is in use, what is wrong with one, and a new one in place of another."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from tradestore._disk import sync_path
from tradestore._sqlite_backup import damage_of, write_copy
from tradestore._sqlite_files import SqliteDriver, driver_of, url_of
from tradestore.exceptions import BackupError, DatabaseBusy
from tradestore.operations.backup._progress import Progress

__all__ = ["copy_snapshot", "database_url", "fault_of", "put_in_place"]

_SIDE_FILES: Final = ("-wal", "-shm", "-journal")
_IN_USE: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def copy_snapshot(reading: Connection, path: Path, progress: Progress) -> None:
    """Copy what a connection sees into a new file, which needs no other file beside it.

    The connection's transaction holds still what it sees. So the copying never begins anew because others write, and
    where the source has a write-ahead log nobody waits for it.
    """
    driver = driver_of(reading)
    source: Any = reading.connection.driver_connection
    write_copy(driver, source, path, lambda done, total: progress("copying", done, total))
    with closing(driver.open(path, "mode=rw")) as copy:
        # It came with the source's mode, in which each opening would make two more files.
        copy.execute("PRAGMA journal_mode = DELETE")


def fault_of(driver: SqliteDriver, path: Path) -> str | None:
    """Return what is wrong with a file that nobody has open, None if nothing is."""
    try:
        with closing(driver.open(path, "mode=ro&immutable=1")) as file:
            return damage_of(file)
    except driver.error as e:
        return str(e)


def database_url(path: Path, key: str | None = None) -> str:
    """Return the database URL of a file, with the key of one that is encrypted."""
    return url_of(path.absolute(), key).render_as_string(hide_password=False)


def put_in_place(driver: SqliteDriver, part: Path, target: Path) -> Path | None:
    """Let a finished file take the place of another one at once; what was there is kept beside it.

    A program that has a file without a write-ahead log open, and does nothing, cannot be noticed. What it reads is
    what the file was; SQLite refuses what it writes then, since the file has lost its name.

    Args:
        driver: Opens what may be there.
        part: In the same folder.
        target: What may be there.

    Returns:
        Under which name the other one was kept, None if there was none.

    Raises:
        DatabaseBusy: If the other one is in use.
    """
    kept = None
    if target.exists():
        with _unused(driver, target):
            kept = _kept_beside(target)
            part.replace(target)
    else:
        # The log of a file that is gone would be taken for that of the new one.
        for side in _side_files(target):
            side.unlink()
        part.rename(target)
    sync_path(target.absolute().parent)
    return kept


@contextmanager
def _unused(driver: SqliteDriver, target: Path) -> Iterator[None]:
    """Refuse a file that somebody uses; its log is written back into it, and goes."""
    with closing(driver.open(target, "mode=rw")) as lock:
        try:
            lock.execute("PRAGMA busy_timeout = 0")
            mode = lock.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
            lock.execute("BEGIN EXCLUSIVE")
        except driver.error as e:
            code = getattr(e, "sqlite_errorcode", 0) & 0xFF
            if code in _IN_USE:
                msg = (
                    f"{target} is in use. Nothing was changed: stop the bot, and whatever else has it open, then "
                    "restore."
                )
                raise DatabaseBusy(msg) from e
            if code not in _DAMAGED:
                msg = f"{target} cannot be replaced ({e}). Nothing was changed: look after the file and its folder."
                raise BackupError(msg) from e
            # Which is a reason to replace it.
            mode = "none"
        yield
        if mode == "delete":
            lock.execute("ROLLBACK")


def _kept_beside(target: Path) -> Path:
    names = (target.with_name(f"{target.name}.before-restore{number or ''}") for number in count())
    kept = next(name for name in names if not name.exists())
    # Only a damaged file still has any.
    for side in _side_files(target):
        side.rename(side.with_name(kept.name + side.name.removeprefix(target.name)))
    # A second name, so that there is a file under the first one at every moment.
    kept.hardlink_to(target)
    kept.chmod(0o600)
    return kept


def _side_files(target: Path) -> list[Path]:
    names = (target.with_name(target.name + ending) for ending in _SIDE_FILES)
    return [name for name in names if name.exists()]
