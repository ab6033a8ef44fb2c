"""Waiting for SQLite's write lock so that every writer of a crowd gets its turn.

SQLite itself looks for the lock only ten times a second once it has waited for a while. Whoever has just let it go
takes it again long before that, so one writer among many may wait for half a minute. Looking often is fair.
That takes two settings more for each transaction, so it is done only for as long as writers have to wait.
"""

import random
import time
from typing import Any, Final

__all__ = ["WriteTurn"]

_CROWDED: Final = 0.25
_STAYS_CROWDED: Final = 30.0
_FIRST_LOOK: Final = 0.0005
_LONGEST_LOOK: Final = 0.01
_BUSY: Final = 5
"""SQLITE_BUSY."""


class WriteTurn:
    """How the connections of an engine wait for the write lock of their file."""

    def __init__(self, busy_timeout: float) -> None:
        """Expect no other writers.

        Args:
            busy_timeout: Seconds to wait for them, which the connections do by themselves as well.
        """
        self._busy_timeout = busy_timeout
        self._crowded_until = 0.0

    def begin(self, connection: Any) -> None:
        """Begin a transaction with the write lock.

        Args:
            connection: Of the driver; it has no transaction yet.

        Raises:
            OperationalError: The driver's, if others had the lock all the time.
        """
        started = time.monotonic()
        try:
            if started < self._crowded_until:
                self._look_often(connection, started)
            else:
                connection.execute("BEGIN IMMEDIATE")
        finally:
            now = time.monotonic()
            if now - started > _CROWDED:
                self._crowded_until = now + _STAYS_CROWDED

    def _look_often(self, connection: Any, started: float) -> None:
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            look = _FIRST_LOOK
            while not _begins(connection, is_last=time.monotonic() - started >= self._busy_timeout):
                time.sleep(look * random.uniform(0.5, 1.5))
                look = min(look * 1.5, _LONGEST_LOOK)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout * 1000)}")


def _begins(connection: Any, *, is_last: bool) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except connection.OperationalError as e:
        if is_last or e.sqlite_errorcode & 0xFF != _BUSY:
            raise
        return False
    return True
