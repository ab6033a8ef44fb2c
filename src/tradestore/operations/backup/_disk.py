"""What the operating system says about files, as the library's own errors."""

import errno
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tradestore._sqlite_files import driver_errors
from tradestore.exceptions import BackupError, DatabaseFull, TradeStoreError

__all__ = ["room_told"]

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SQLITE_FULL: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


@contextmanager
def room_told() -> Iterator[None]:
    """Turn errors of files and of SQLite's copies into ones that say what to do.

    Raises:
        DatabaseFull: If there is no room.
        BackupError: If a file cannot be read or written.
    """
    try:
        yield
    except TradeStoreError:
        raise
    except driver_errors() as e:
        if getattr(e, "sqlite_errorcode", 0) & 0xFF in _SQLITE_FULL:
            raise _no_room(e) from e
        msg = f"SQLite could not copy the database ({e}). Nothing was changed: look after the file and the disk."
        raise BackupError(msg) from e
    except OSError as e:
        if e.errno in _FULL:
            raise _no_room(e) from e
        msg = f"A file cannot be used ({e}). Nothing was changed: correct the path, or run as its owner."
        raise BackupError(msg) from e


def _no_room(error: Exception) -> DatabaseFull:
    return DatabaseFull(
        f"There is no room for the backup ({error}). Nothing was changed: make room in its folder, and in the one for "
        f"temporary files, {tempfile.gettempdir()}, or set TMPDIR to another one."
    )
