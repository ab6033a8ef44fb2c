"""A database that is open: units of work, their repetition, and the state of the pool."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Engine, QueuePool
from sqlalchemy.orm import Session

from tradestore import _session
from tradestore._attempts import Attempts
from tradestore._engine import masked, retire, take_write_lock
from tradestore._errors import meaningful_errors
from tradestore.exceptions import DatabaseBusy, DatabaseNotReady, DependencyException

__all__ = ["Database", "PoolStatus", "unit_of_work"]

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_FIRST_DELAY: Final = 0.02
_LONGEST_DELAY: Final = 1.0


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """How many connections there are.

    Attributes:
        checked_out: In use.
        idle: Open and waiting.
    """

    checked_out: int
    idle: int


class Database:
    """An open database, as ``init_db`` returns it.

    Attributes:
        engine: Its SQLAlchemy engine.
    """

    def __init__(self, engine: Engine) -> None:
        """Take over an engine; ``init_db`` does this."""
        self.engine = engine

    @property
    def url(self) -> str:
        """The database URL without its password."""
        return masked(self.engine.url)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Do all that the block writes in one transaction: all of it is stored at its end, or nothing.

        Inside, ``Trade.commit()`` and whatever else commits by itself only writes; the block's end commits. A block in
        a block is all or nothing for itself, and stored with the outer one.

        Yields:
            The session of the present thread or request.

        Raises:
            DatabaseNotReady: If the database was closed, or another one opened since.
            DependencyException: If the session holds changes from before that were neither committed nor rolled back,
                or if a failure inside the block, which it then hid, has rolled everything back.
            DatabaseBusy: If the database stayed locked; nothing was stored.
            CommitOutcomeUnknown: If the connection was lost while committing.
        """
        if _session.bound_engine() is not self.engine:
            msg = f"{self!r} is closed, or another init_db() came after it: use the Database that is open now."
            raise DatabaseNotReady(msg)
        with unit_of_work(_session.scoped()) as session:
            yield session

    def run(self, work: Callable[[Session], _T], *, attempts: int = 8) -> _T:
        """Call a function in one transaction, again from its start while the database is locked by others.

        Args:
            work: Gets the session. It may be called more than once, so it must read what it needs inside and do
                nothing that can't be done twice, such as placing an order. Iterators must be made inside, too:
                ``bulk_add`` and ``store_backtest`` refuse one that an earlier call has read from.
            attempts: How often at the most.

        Returns:
            What the function returned the last time.

        Raises:
            DatabaseBusy: If the database was still locked the last time; nothing was stored.
            CommitOutcomeUnknown: If the connection was lost while committing: that is not repeated.
        """
        attempt, all_attempts = 1, Attempts()
        while True:
            try:
                with all_attempts.attempt(), self.transaction() as session:
                    return work(session)
            except DatabaseBusy as e:
                if attempt >= attempts:
                    raise
                delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2**attempt) * random.uniform(0.5, 1.5)
                attempt += 1
                logger.warning("%s Attempt %d of %d follows in %.2f s.", e, attempt, attempts, delay)
                time.sleep(delay)

    def pool_status(self) -> PoolStatus:
        """Return how many connections are in use and how many wait."""
        pool = self.engine.pool
        if isinstance(pool, QueuePool):
            return PoolStatus(checked_out=pool.checkedout(), idle=pool.checkedin())
        return PoolStatus(checked_out=0, idle=1)

    def close(self) -> None:
        """Close all connections; the models have no database until the next ``init_db``."""
        if _session.bound_engine() is self.engine:
            _session.bind(None)
        retire(self.engine)

    def __repr__(self) -> str:
        """Return the database in one line, without its password."""
        return f"Database({self.url})"


@contextmanager
def unit_of_work(session: Session) -> Iterator[Session]:
    """Do what :meth:`Database.transaction` does, in a session that is known already."""
    if _session.in_unit_of_work(session):
        with session.begin_nested():
            yield session
        return
    if _session.has_changes(session):
        msg = "The session holds changes from before this transaction: call Trade.commit() or Trade.rollback() first."
        raise DependencyException(msg)
    with meaningful_errors():
        # Reads may have begun a transaction of their own; it has nothing to commit, and this one starts fresh.
        session.commit()
    with meaningful_errors() as watch, session.begin() as transaction:
        take_write_lock(session.connection())
        yield session
        if not transaction.is_active:
            msg = (
                "Something inside this transaction has ended it, and what was written in it until then is lost: "
                "let a failure leave the block, and leave the session to it."
            )
            raise DependencyException(msg)
        session.flush()
        watch.reached = True
