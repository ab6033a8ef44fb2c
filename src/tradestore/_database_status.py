"""How an open database is doing, for whoever looks after a bot: known without a question to the database."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, QueuePool

from tradestore import _session
from tradestore._clock import utc_now
from tradestore._counters import counters_of
from tradestore._engine import options_in_use
from tradestore._open_transactions import open_transactions

__all__ = ["DatabaseStatus", "status_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStatus:
    """The state of an open database at one moment. All counts begin with ``init_db``.

    Attributes:
        checked_out: Connections in use. The one connection of a database in memory is never counted.
        idle: Connections that are open and wait.
        pool_size: Connections that are kept open.
        max_overflow: Further ones that may be opened for a while.
        available: How many more may be had at once, idle or new, before somebody has to wait.
        sessions: Threads and requests that have a session.
        commits: Transactions that stored something.
        rollbacks: Transactions that had written something and gave it up.
        retries: Attempts of ``Database.run`` after a first one, and reads that were repeated.
        lock_waits: Times that somebody else held a lock for too long.
        lost_connections: Connections that were lost, or could not be made.
        slow_statements: Statements that took longer than the option ``slow_statement`` allows.
        errors: How often each kind of error was raised, by the name of its class.
        last_commit: When the last transaction was stored, in UTC; None before the first.
        seconds_since_commit: How long ago that was.
        oldest_transaction: Seconds since the oldest of the open transactions began; None without one.
        oldest_writing: The same of those that have changed something, and so hold locks.
    """

    checked_out: int
    idle: int
    pool_size: int
    max_overflow: int
    available: int
    sessions: int
    commits: int
    rollbacks: int
    retries: int
    lock_waits: int
    lost_connections: int
    slow_statements: int
    errors: Mapping[str, int]
    last_commit: datetime | None
    seconds_since_commit: float | None
    oldest_transaction: float | None
    oldest_writing: float | None


def status_of(engine: Engine) -> DatabaseStatus:
    """Return the state of an engine that ``init_db`` has opened."""
    pool, options, counters = engine.pool, options_in_use(engine), counters_of(engine)
    checked_out, idle, size, overflow = 0, 1, 1, 0
    if isinstance(pool, QueuePool):
        checked_out, idle, size, overflow = pool.checkedout(), pool.checkedin(), pool.size(), options.max_overflow
    last_commit = counters.last_commit
    transactions = open_transactions(engine)
    return DatabaseStatus(
        checked_out=checked_out,
        idle=idle,
        pool_size=size,
        max_overflow=overflow,
        available=max(0, size + overflow - checked_out),
        sessions=_session.sessions_of(engine),
        commits=counters.commits,
        rollbacks=counters.rollbacks,
        retries=counters.retries,
        lock_waits=counters.lock_waits,
        lost_connections=counters.lost_connections,
        slow_statements=counters.slow_statements,
        errors=counters.errors_by_kind(),
        last_commit=last_commit,
        # The clock may have been set back since.
        seconds_since_commit=None if last_commit is None else max(0.0, (utc_now() - last_commit).total_seconds()),
        oldest_transaction=_age(each.since for each in transactions),
        oldest_writing=_age(each.since for each in transactions if each.has_written),
    )


def _age(beginnings: Iterable[float]) -> float | None:
    oldest = min(beginnings, default=None)
    return None if oldest is None else time.monotonic() - oldest
