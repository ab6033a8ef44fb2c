"""What has happened to an engine's units of work since it was opened, counted for whoever looks after a bot."""

import os
import threading
from collections import Counter
from datetime import datetime
from typing import Final
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from tradestore._clock import utc_now

__all__ = ["Counters", "counters_of"]

_lock: Final = threading.RLock()  # A session that is collected as garbage meanwhile counts its rollback.
if hasattr(os, "register_at_fork"):
    # A child would wait for ever for a lock that another thread of its parent held.
    os.register_at_fork(before=_lock.acquire, after_in_child=_lock.release, after_in_parent=_lock.release)


class Counters:
    """The counters of one engine; threads may note and read at the same time.

    Attributes:
        commits: Transactions that stored something.
        rollbacks: Transactions that had written something and gave it up.
        last_commit: When the last of the commits was done, in UTC; None before the first.
        retries: Attempts of ``Database.run`` after a first one, and reads that were repeated on a new connection.
        lock_waits: Times that somebody else held a lock for longer than was to be waited, or a deadlock was ended.
        lost_connections: Connections to a server that were lost, or could not be made.
        slow_statements: Statements that took longer than ``slow_statement`` allows.
        errors: How often a session raised an error of each kind, by the name of its class.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.commits = 0
        self.rollbacks = 0
        self.last_commit: datetime | None = None
        self.retries = 0
        self.lock_waits = 0
        self.lost_connections = 0
        self.slow_statements = 0
        self.errors: Counter[str] = Counter()

    def note_commit(self) -> None:
        """Count a transaction that stored something."""
        with _lock:
            self.commits += 1
            self.last_commit = utc_now()

    def note_rollback(self) -> None:
        """Count a transaction that gave up what it had written."""
        with _lock:
            self.rollbacks += 1

    def note_retry(self) -> None:
        """Count a repetition."""
        with _lock:
            self.retries += 1

    def note_lock_wait(self) -> None:
        """Count a lock that was waited for in vain."""
        with _lock:
            self.lock_waits += 1

    def note_lost_connection(self) -> None:
        """Count a connection that was lost."""
        with _lock:
            self.lost_connections += 1

    def note_slow_statement(self) -> None:
        """Count a statement that took too long."""
        with _lock:
            self.slow_statements += 1

    def note_error(self, error: BaseException) -> None:
        """Count an error that a caller gets."""
        with _lock:
            self.errors[type(error).__name__] += 1

    def errors_by_kind(self) -> dict[str, int]:
        """Return how often each kind of error was raised, by the name of its class."""
        with _lock:
            return dict(sorted(self.errors.items()))


_counters: Final[WeakKeyDictionary[Engine, Counters]] = WeakKeyDictionary()


def counters_of(engine: Engine) -> Counters:
    """Return the counters of an engine, always the same ones."""
    with _lock:
        found = _counters.get(engine)
        if found is None:
            found = _counters[engine] = Counters()
        return found
