"""SQLite files: a copy of one that is in use, what is wrong with one, and a new one in place of another."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from tradestore.exceptions import BackupError, DatabaseBusy
from tradestore.operations.backup._folder import synced
from tradestore.operations.backup._progress import Progress

__all__ = ["copy_snapshot", "fault_of", "put_in_place", "url_of"]

_PAGES: Final = 4096
"""How many are copied at once: between two times others may run, and Ctrl-C is heard."""

_SIDE_FILES: Final = ("-wal", "-shm", "-journal")
_UNHARMFUL: Final = ("ok", "NULL value in ", "CHECK constraint failed in ")
"""How SQLite's findings begin that are about values, which the source has as well, and not about a damaged file."""


def copy_snapshot(reading: Connection, path: Path, progress: Progress) -> None:
    """Copy what a connection sees into a new file, which needs no other file beside it.

    The connection's transaction holds still what it sees. So the copying never begins anew because others write, and
    where the source has a write-ahead log nobody waits for it.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    source: Any = reading.connection.driver_connection
    with closing(sqlite3.connect(path, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous = OFF")
        source.backup(
            target, pages=_PAGES, sleep=0, progress=lambda _, left, total: progress("copying", total - left, total)
        )
        # The copy came with the source's mode, in which each opening would make two more files.
        target.execute("PRAGMA journal_mode = DELETE")


def fault_of(path: Path) -> str | None:
    """Return what is wrong with a file, None if nothing is."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as file:
            found = [finding for (finding,) in file.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as e:
        return str(e)
    return next((finding for finding in found if not finding.startswith(_UNHARMFUL)), None)


def url_of(path: Path) -> str:
    """Return the database URL of a file."""
    return f"sqlite:///{path.absolute()}"


def put_in_place(part: Path, target: Path) -> Path | None:
    """Let a finished file take the place of another one at once; what was there is kept beside it.

    Args:
        part: In the same folder.
        target: What may be there.

    Returns:
        Under which name the other one was kept, None if there was none.

    Raises:
        DatabaseBusy: If the other one is in use.
    """
    kept = None
    if target.exists():
        with _unused(target):
            kept = _kept_beside(target)
            part.replace(target)
    else:
        # The log of a file that is gone would be taken for that of the new one.
        for side in _side_files(target):
            side.unlink()
        part.rename(target)
    synced(target.absolute().parent)
    return kept


@contextmanager
def _unused(target: Path) -> Iterator[None]:
    """Refuse a file that somebody has open; its log is written back into it, and goes."""
    with closing(sqlite3.connect(target, timeout=0, isolation_level=None)) as lock:
        try:
            mode = lock.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as e:
            if e.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                msg = f"{target} cannot be replaced ({e}). Nothing was changed: look after the file and its folder."
                raise BackupError(msg) from e
            msg = f"{target} is in use. Nothing was changed: stop the bot, and whatever else has it open, then restore."
            raise DatabaseBusy(msg) from e
        except sqlite3.DatabaseError:
            # It is damaged, which is a reason to replace it.
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
