"""A database that is open: units of work, their repetition, and the state of the pool."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Engine, QueuePool
from sqlalchemy.orm import Session

from tradestore import _session
from tradestore._commit_tokens import CommitTokens
from tradestore._compiled_statements import forget_statements
from tradestore._database_status import DatabaseStatus, status_of
from tradestore._engine import masked, retire
from tradestore._store_session import in_unit_of_work
from tradestore._units_of_work import Repetition, unit_of_work
from tradestore.exceptions import DatabaseNotReady

__all__ = ["Database", "DatabaseStatus", "PoolStatus"]

_T = TypeVar("_T")


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
        self._tokens = CommitTokens()

    @property
    def url(self) -> str:
        """The database URL without its password."""
        return masked(self.engine.url)

    @property
    def is_open(self) -> bool:
        """Whether the models use it: neither was it closed, nor did another ``init_db`` come after it."""
        return _session.bound_engine() is self.engine

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
            DatabaseBusy: If others held locks, or the connection was lost before the commit; nothing was stored.
            CommitOutcomeUnknown: If the connection was lost while committing.
        """
        with unit_of_work(self._session()) as session:
            yield session

    def run(self, work: Callable[[Session], _T], *, attempts: int = 8) -> _T:
        """Call a function in one transaction, again from its start while others hold locks or the server is away.

        A connection that is lost during the commit is no reason to store twice or to give up: the next one asks the
        server what became of the transaction, and the function is called again only if nothing was stored. Within
        another unit of work the function is called once, since whatever is to be repeated is the outer one.

        Args:
            work: Gets the session. It may be called more than once, so it must read what it needs inside and do
                nothing that can't be done twice, such as placing an order. Iterators must be made inside, too:
                ``bulk_add`` and ``store_backtest`` refuse one that an earlier call has read from.
            attempts: How often at the most. The default bridges about 6 s without a server.

        Returns:
            What the function returned when its work was stored.

        Raises:
            DatabaseBusy: If the last attempt failed for a lock or a lost connection, too; nothing was stored.
            CommitOutcomeUnknown: If the connection was lost while committing and no later attempt found out more.
        """
        session = self._session()
        if in_unit_of_work(session):
            with unit_of_work(session):
                return work(session)
        networked = self.engine.dialect.name != "sqlite"
        result = Repetition(session, work, self._tokens.make() if networked else None).run(attempts)
        if networked:
            self._tokens.remove_old(self.engine)
        return result

    def status(self) -> DatabaseStatus:
        """Return how the database is doing: connections, transactions, and what has happened since it was opened."""
        return status_of(self.engine)

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
        forget_statements()
        retire(self.engine)

    def _session(self) -> Session:
        self._require_open()
        return _session.scoped()

    def _require_open(self) -> None:
        if not self.is_open:
            msg = f"{self!r} is closed, or another init_db() came after it: use the Database that is open now."
            raise DatabaseNotReady(msg)

    def __repr__(self) -> str:
        """Return the database in one line, without its password."""
        return f"Database({self.url})"
