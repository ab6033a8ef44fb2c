"""What an engine's errors mean to a caller: wait and repeat, look what happened, or mend the data."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError

from tradestore.exceptions import CommitOutcomeUnknown, DatabaseBusy

__all__ = ["CommitWatch", "is_deadlock", "is_retryable", "meaningful_errors"]

_SQLITE_BUSY = frozenset({5, 6})
"""SQLITE_BUSY and SQLITE_LOCKED: somebody else writes."""

_RETRYABLE_STATES = frozenset({"40001", "40P01", "55P03"})
"""PostgreSQL: serialization failure, deadlock, lock not available."""

_DEADLOCK = 1213
_RETRYABLE_NUMBERS = frozenset({1205, _DEADLOCK})
"""MariaDB: lock wait timeout, deadlock."""


class CommitWatch:
    """Knows whether a transaction has come as far as its COMMIT.

    Attributes:
        reached: Whether nothing but the COMMIT is left.
    """

    def __init__(self) -> None:
        """Begin before the COMMIT."""
        self.reached = False


@contextmanager
def meaningful_errors() -> Iterator[CommitWatch]:
    """Turn the errors that are about the moment, not about the data, into the library's own.

    Yields:
        A watch; whoever is about to commit sets ``reached``.

    Raises:
        DatabaseBusy: If others held a lock, or the connection was lost before the COMMIT: nothing was stored.
        CommitOutcomeUnknown: If the connection was lost during the COMMIT.
    """
    watch = CommitWatch()
    try:
        yield watch
    except DBAPIError as e:
        if e.connection_invalidated and watch.reached:
            msg = (
                "The connection was lost while committing, so the changes may or may not be stored: "
                "look whether they are there before doing them again."
            )
            raise CommitOutcomeUnknown(msg) from e
        if e.connection_invalidated or is_retryable(e):
            msg = (
                f"The database could not be written to now ({e.orig}). Nothing was stored, and the session gave up its "
                "changes: make them again."
            )
            raise DatabaseBusy(msg) from e
        raise


def is_deadlock(error: BaseException) -> bool:
    """Tell whether MariaDB has undone the whole transaction, savepoints included, to end a deadlock."""
    return isinstance(error, DBAPIError) and error.orig is not None and error.orig.args[:1] == (_DEADLOCK,)


def is_retryable(error: DBAPIError) -> bool:
    """Tell whether the same work may succeed a moment later: others held a lock, and nothing was written."""
    cause: Any = error.orig
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    number = cause.args[0] if cause is not None and cause.args else None
    code = getattr(cause, "sqlite_errorcode", None)
    return (
        state in _RETRYABLE_STATES or number in _RETRYABLE_NUMBERS or (code is not None and code & 0xFF in _SQLITE_BUSY)
    )
