"""Failures on request: a bot's own tests can see what it does when its database fails at any point.

with Faults(store).fail_statement(3, "lost") as fault:
    bot.record(order)
assert fault.happened
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine, StaticPool, create_engine, inspect

from tradestore._session import bound_engine
from tradestore._shared_connection import take_turn
from tradestore.base import ModelBase
from tradestore.database import Database
from tradestore.exceptions import DatabaseNotReady
from tradestore.testing._driver_errors import Failure, drop_connection, raise_as_driver
from tradestore.testing._points import watch

__all__ = ["Failure", "Fault", "Faults", "Steps"]

_LOCK_SECONDS: Final = 10


@dataclass
class Steps:
    """What a block has executed.

    Attributes:
        statements: Their texts, in order, as the driver got them; on SQLite with the ``BEGIN`` of each writer.
        commits: How many COMMITs there were, those of transactions that only read among them.
    """

    statements: list[str] = field(default_factory=list)
    commits: int = 0


class Fault:
    """A failure that waits for its moment.

    Attributes:
        happened: How often it came.
    """

    def __init__(self) -> None:
        """Wait for it."""
        self.happened = 0


class Faults:
    """Failures of one store. What they raise is what the driver raises, in SQLAlchemy's usual form.

    Each method is a block; numbers count from its beginning, over all threads. After the block nothing fails.
    """

    def __init__(self, store: Database | Engine | None = None) -> None:
        """Choose where.

        Args:
            store: The store or engine; by default the one that is open when a block begins.
        """
        self._store = store

    @contextmanager
    def count_statements(self) -> Iterator[Steps]:
        """List what the block executes, so that a test can let it fail at every point."""
        counting = _Counting()
        with watch(self._engine(), counting):
            yield counting.steps

    @contextmanager
    def fail_statement(
        self,
        number: int = 1,
        error: Failure | str | BaseException = Failure.BUSY,
        *,
        matching: str = "",
        times: int = 1,
    ) -> Iterator[Fault]:
        """Let a statement fail before it is executed.

        Args:
            number: Which one, from 1.
            error: A :class:`Failure`, its value such as ``"lost"``, or an exception of your own.
            matching: Only statements that contain this text, in whatever case, are counted.
            times: How many fail, in a row.

        Raises:
            ValueError: If the error cannot happen there.
        """
        engine = self._engine()
        failing = _FailingStatement(_raiser(engine, error), range(number, number + times), matching.casefold())
        with watch(engine, failing):
            yield failing

    @contextmanager
    def fail_commit(
        self, number: int = 1, error: Failure | str | BaseException = Failure.BUSY, *, times: int = 1
    ) -> Iterator[Fault]:
        """Let a COMMIT fail before it takes effect.

        Args:
            number: Which one, from 1; transactions that only read have one, too.
            error: As for :meth:`fail_statement`.
            times: How many fail, in a row.

        Raises:
            ValueError: If the error cannot happen there.
        """
        engine = self._engine()
        failing = _FailingCommit(_raiser(engine, error), range(number, number + times))
        with watch(engine, failing):
            yield failing

    @contextmanager
    def lose_commit_answer(self, number: int = 1) -> Iterator[Fault]:
        """Cut the connection after a COMMIT has taken effect, and before anybody hears of it.

        Args:
            number: Which one, from 1; transactions that only read have one, too.

        Raises:
            ValueError: If the store is in memory: it would be gone with its connection.
        """
        engine = self._engine()
        losing = _LostAnswer(_raiser(engine, Failure.LOST), range(number, number + 1))
        with watch(engine, losing):
            yield losing

    @contextmanager
    def slow_down(self, seconds: float, *, matching: str = "") -> Iterator[None]:
        """Let every statement take longer.

        Args:
            seconds: How much longer.
            matching: Only statements that contain this text, in whatever case.
        """
        with watch(self._engine(), _Slow(seconds, matching.casefold())):
            yield

    @contextmanager
    def hold_lock(self, seconds: float | None = None) -> Iterator[None]:
        """Let somebody else keep everybody from writing to the models' tables; reading goes on.

        Args:
            seconds: For how long; by default until the block ends.

        Raises:
            sqlalchemy.exc.OperationalError: If somebody writes already, and doesn't come to an end.
        """
        engine = self._engine()
        holder = _LockHolder(engine, seconds)
        holder.start()
        try:
            yield
        finally:
            holder.release()

    def _engine(self) -> Engine:
        store = bound_engine() if self._store is None else self._store
        if store is None:
            msg = "No database is open that could fail: open one first, or ask for a fixture such as tradestore_sqlite."
            raise DatabaseNotReady(msg)
        return store.engine if isinstance(store, Database) else store


class _Unconcerned:
    """Lets everything pass."""

    def statement(self, connection: Any, text: str) -> None:
        pass

    def before_commit(self, connection: Any) -> None:
        pass

    def after_commit(self, connection: Any) -> None:
        pass


class _Counting(_Unconcerned):
    def __init__(self) -> None:
        self.steps = Steps()

    def statement(self, connection: Any, text: str) -> None:
        self.steps.statements.append(text)

    def before_commit(self, connection: Any) -> None:
        self.steps.commits += 1


class _Slow(_Unconcerned):
    def __init__(self, seconds: float, matching: str) -> None:
        self._seconds = seconds
        self._matching = matching

    def statement(self, connection: Any, text: str) -> None:
        if self._matching in text.casefold():
            time.sleep(self._seconds)


class _Raiser:
    """Raises an error of a driver, or somebody's own."""

    def __init__(self, error: Failure | BaseException, dialect: str) -> None:
        self.error = error
        self._dialect = dialect

    def __call__(self, connection: Any) -> None:
        if isinstance(self.error, BaseException):
            raise self.error
        raise_as_driver(self.error, self._dialect, connection)


class _Failing(Fault, _Unconcerned):
    def __init__(self, raiser: _Raiser, numbers: range) -> None:
        super().__init__()
        self._raiser = raiser
        self._numbers = numbers
        self._passed = 0
        self._lock = threading.Lock()

    def _is_due(self) -> bool:
        with self._lock:
            self._passed += 1
            is_due = self._passed in self._numbers
            self.happened += is_due
            return is_due


class _FailingStatement(_Failing):
    def __init__(self, raiser: _Raiser, numbers: range, matching: str) -> None:
        super().__init__(raiser, numbers)
        self._matching = matching

    def statement(self, connection: Any, text: str) -> None:
        if self._matching not in text.casefold() or not self._is_due():
            return
        if self._raiser.error is Failure.LOST:
            # The statement itself finds out.
            drop_connection(connection)
        else:
            self._raiser(connection)


class _FailingCommit(_Failing):
    def before_commit(self, connection: Any) -> None:
        if self._is_due():
            self._raiser(connection)


class _LostAnswer(_Failing):
    def after_commit(self, connection: Any) -> None:
        if self._is_due():
            self._raiser(connection)


class _LockHolder(threading.Thread):
    """A writer of its own; a thread, since those of a database in memory are told apart by it."""

    def __init__(self, engine: Engine, seconds: float | None) -> None:
        super().__init__(name="tradestore lock", daemon=True)
        self._is_shared = isinstance(engine.pool, StaticPool)
        self._engine = engine if self._is_shared else create_engine(engine.url, pool=engine.pool.recreate())
        self._seconds = seconds
        self._held = threading.Event()
        self._end = threading.Event()
        self._error: BaseException | None = None

    def start(self) -> None:
        """Return when the lock is held."""
        super().start()
        self._held.wait()
        if self._error is not None:
            self.release()
            raise self._error

    def release(self) -> None:
        """Return when the lock is free."""
        self._end.set()
        self.join()

    def run(self) -> None:
        try:
            with self._engine.connect() as connection, connection.begin() as transaction:
                _lock_tables(connection)
                self._held.set()
                self._end.wait(self._seconds)
                _unlock_tables(connection)
                transaction.rollback()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the lock raises it
            self._error = error
        finally:
            self._held.set()
            if not self._is_shared:
                self._engine.dispose()


def _lock_tables(connection: Connection) -> None:
    dialect = connection.dialect
    if isinstance(connection.engine.pool, StaticPool):
        # A BEGIN would be a statement of the store, and might be the one that is to fail.
        take_turn(connection)
    elif dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_LOCK_SECONDS * 1000}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
        connection.exec_driver_sql(f"LOCK TABLE {', '.join(_tables(connection))} IN EXCLUSIVE MODE")
    else:
        connection.exec_driver_sql(f"SET lock_wait_timeout = {_LOCK_SECONDS}")
        connection.exec_driver_sql(f"LOCK TABLES {', '.join(f'{name} READ' for name in _tables(connection))}")


def _unlock_tables(connection: Connection) -> None:
    if connection.dialect.name in {"mysql", "mariadb"}:
        connection.exec_driver_sql("UNLOCK TABLES")


def _tables(connection: Connection) -> list[str]:
    present = set(inspect(connection).get_table_names())
    tables = [table for table in ModelBase.metadata.sorted_tables if table.name in present]
    return [connection.dialect.identifier_preparer.format_table(table) for table in tables]


def _raiser(engine: Engine, error: Failure | str | BaseException) -> _Raiser:
    kind = error if isinstance(error, BaseException) else Failure(error)
    if kind is Failure.LOST and isinstance(engine.pool, StaticPool):
        msg = "A database in memory has no connection to lose, it would be gone with it: use one in a file."
        raise ValueError(msg)
    return _Raiser(kind, engine.dialect.name)
