"""Writers of a database in memory take turns: its threads share one connection, and so one transaction."""

import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

__all__ = ["take_turn", "take_turns"]

_TURN = "tradestore_turn"


def take_turns(engine: Engine, busy_timeout: float) -> Callable[[], None]:
    """Let whoever writes first finish before another thread writes, as with a file.

    Args:
        engine: With a single connection.
        busy_timeout: Seconds to wait for the turn.

    Returns:
        What makes the turn free in a process that was forked: who had it is not there.
    """
    turn = _Turn(engine.dialect, busy_timeout)
    engine.update_execution_options(**{_TURN: turn})
    event.listen(engine, "commit", turn.note_end)
    event.listen(engine, "rollback", turn.note_end)
    return turn.forget


def take_turn(connection: Connection) -> None:
    """Wait until no other thread writes; where connections are not shared there is nothing to wait for."""
    turn: _Turn | None = connection.get_execution_options().get(_TURN)
    if turn is not None:
        turn.take(connection)


class _Turn:
    """Who writes now. Who only reads has nothing to commit and, more to the point, nothing to roll back."""

    def __init__(self, dialect: Any, busy_timeout: float) -> None:
        self.forget()
        self._busy_timeout = busy_timeout
        dialect.do_commit = partial(self._end, dialect.do_commit)
        dialect.do_rollback = partial(self._end, dialect.do_rollback)

    def forget(self) -> None:
        """Let nobody write."""
        self._writers: WeakSet[Connection] = WeakSet()
        self._thread = 0
        self._free = threading.Condition()
        self._ending = threading.local()

    def take(self, connection: Connection) -> None:
        """Wait until no other thread writes."""
        present = threading.get_ident()
        deadline = time.monotonic() + self._busy_timeout
        with self._free:
            while self._writers and connection not in self._writers:
                # Whoever waited for another session of the same thread would wait for ever.
                if self._thread == present or time.monotonic() > deadline:
                    raise _locked()
                self._free.wait(deadline - time.monotonic())
            driver_connection: Any = connection.connection.driver_connection
            if not self._writers and driver_connection.in_transaction:
                # Its writer is gone without an end.
                driver_connection.rollback()
            self._writers.add(connection)
            self._thread = present

    def note_end(self, connection: Connection) -> None:
        """Remember whose transaction the dialect is about to end: it is not told."""
        self._ending.connection = connection

    def _end(self, end: Callable[[Any], None], driver_connection: Any) -> None:
        with self._free:
            if self._ending.__dict__.pop("connection", None) in self._writers:
                try:
                    end(driver_connection)
                finally:
                    self._writers.clear()
                    self._free.notify_all()


def _locked() -> OperationalError:
    cause = sqlite3.OperationalError("database is locked")
    cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return OperationalError("BEGIN IMMEDIATE", None, cause)
