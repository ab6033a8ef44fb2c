"""The session that trades are stored with: usable after every failure, and clear about what a failure means."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import Any, Final, NoReturn, TypeVar

from sqlalchemy import Connection, Executable, event, literal, select
from sqlalchemy.exc import DBAPIError, IllegalStateChangeError, SQLAlchemyError
from sqlalchemy.orm import Mapper, Session, SessionTransaction, object_mapper
from sqlalchemy.orm.attributes import instance_state

from tradestore._counters import counters_of
from tradestore._deleted_rows import leave_lists
from tradestore._errors import is_broken, meaning_of, meaningful, note_error
from tradestore._explanations import explanation_of
from tradestore._openings import OPENINGS, POSITIONS
from tradestore._plain_rows import write_rows
from tradestore._sqltypes import is_storable, storable
from tradestore.exceptions import ConnectionLost, DatabaseNotReady, DependencyException, TradeStoreError

__all__ = [
    "StoreSession",
    "forget_sharing",
    "has_changes",
    "has_written",
    "in_unit_of_work",
    "note_locking",
    "note_writing",
    "settle",
    "write",
]

_Error = TypeVar("_Error", bound=BaseException)

_WRITTEN: Final = "tradestore written"
_LOCKING: Final = "tradestore locking"
_SHARED: Final = "tradestore shared"
_LOST: Final = "tradestore lost"
_IDLE: Final = 1.0
"""Seconds after which a connection that only read may have died, so that it is tried before it is written to."""
_PING: Final = select(literal(1))

_POSTGRESQL_FAILED: Final = 3
"""PostgreSQL would answer a COMMIT with a rollback, and without an error."""

_MARKS: Final = (_WRITTEN, _LOCKING, _SHARED, _LOST, OPENINGS, POSITIONS)
"""What is noted of the present transaction: what it holds, or what nobody can know."""


class StoreSession(Session):
    """A session that stays usable: what fails is rolled back at once, whatever the caller does next.

    What is about the moment and not about the data comes as the library's own error, whichever way it takes.
    """

    _is_busy = False
    used_at = math.inf

    def get_bind(self, *args: Any, **kwargs: Any) -> Any:
        """Return the engine.

        Raises:
            DatabaseNotReady: If there is none yet.
        """
        if self.bind is None:
            msg = "There is no database yet: call tradestore.init_db(db_url) first."
            raise DatabaseNotReady(msg)
        return super().get_bind(*args, **kwargs)

    def begin(self, nested: bool = False) -> SessionTransaction:
        """Begin a transaction, or a savepoint in it."""
        self.wake()
        is_busy, self._is_busy = self._is_busy, True
        try:
            transaction = super().begin(nested)
        finally:
            self._is_busy = is_busy
        # A ``with`` block calls the transaction itself, past the session.
        transaction.__class__ = _Transaction
        return transaction

    def connection(self, *args: Any, **kwargs: Any) -> Connection:
        """Return the connection of the present transaction."""
        try:
            connection = super().connection(*args, **kwargs)
        except SQLAlchemyError as e:
            self._tell(e)
        # What goes over it past the session is not seen here.
        self.info[_SHARED] = True
        return connection

    def flush(self, objects: Any = None) -> None:
        """Write what is pending; on failure nothing of it stays, neither in the database nor in the session."""
        new, changed, deleted = list(self.new), list(self.dirty), list(self.deleted)
        if time.monotonic() - self.used_at > _IDLE:
            self.wake()
        is_busy, self._is_busy = self._is_busy, True
        try:
            _prepare_for_storing((*new, *changed))
            if new or changed or deleted:
                note_writing(self)
            if objects or deleted or not write_rows(self, new, changed):
                super().flush(objects)
            leave_lists(self, deleted)
        except BaseException as e:
            explain = explanation_of(e, (*new, *changed))
            self._give_up(e)
            if explain is not None:
                # As long as the session keeps its connection, another one might have to be waited for.
                raise self._counted(explain(None if self.in_transaction() else self.get_bind().engine)) from e
            own = self._meaningful(e)
            if own is None:
                raise
            raise own from e
        finally:
            self._is_busy = is_busy

    def commit(self) -> None:
        """Commit; on failure nothing stays pending. Within a ``with`` block that will commit, only write.

        Raises:
            DependencyException: If a statement that failed before has taken changes with it, so that this would commit
                less than was meant.
        """
        if _belongs_to_block(self):
            self.flush()
            return
        if time.monotonic() - self.used_at > _IDLE:
            self.wake()
        if self.new or self.dirty or self.deleted:
            # A flush that fails within the commit could not give up the transaction.
            self.flush()
        self.end(super().commit)

    def end(self, commit: Callable[[], None], *, is_whole: bool = True) -> None:
        """End a transaction or a savepoint in the given way; an error says what became of it.

        Args:
            commit: Does it.
            is_whole: Whether it sends a COMMIT.
        """
        is_busy, self._is_busy = self._is_busy, True
        try:
            commit()
        except BaseException as e:
            if is_whole and meaning_of(e) is ConnectionLost and not has_written(self):
                # Nothing can be lost, and a transaction that only read has no more to say.
                self._start_anew()
                return
            self._give_up(e)
            own = self._meaningful(e, committing=is_whole)
            if own is None:
                raise
            raise own from e
        finally:
            self._is_busy = is_busy

    def rollback(self) -> None:
        """Give up what is not committed; what was loaded is read anew when it is looked at again."""
        self.info.pop(_LOST, None)
        while self.in_transaction():
            # Where the connection is lost, so is all that was to be given up.
            with _ignoring_lost_connection():
                super().rollback()
        self.expire_all()

    def close(self) -> None:
        """Give up what is not committed, and let go of all objects and of the connection."""
        with _ignoring_lost_connection():
            super().close()

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Execute a statement; after a failure the session can be used again."""
        return self._ask(super().execute, args, kwargs)

    def scalars(self, *args: Any, **kwargs: Any) -> Any:
        """Execute a statement for its first column; after a failure the session can be used again."""
        return self._ask(super().scalars, args, kwargs)

    def scalar(self, *args: Any, **kwargs: Any) -> Any:
        """Execute a statement for one value; after a failure the session can be used again."""
        return self._ask(super().scalar, args, kwargs)

    def bulk_save_objects(self, *args: Any, **kwargs: Any) -> None:
        """Write objects without keeping them; after a failure the session can be used again."""
        self._write(super().bulk_save_objects, args, kwargs)

    def bulk_insert_mappings(self, *args: Any, **kwargs: Any) -> None:
        """Write new rows from dicts; after a failure the session can be used again."""
        self._write(super().bulk_insert_mappings, args, kwargs)

    def bulk_update_mappings(self, *args: Any, **kwargs: Any) -> None:
        """Change rows from dicts; after a failure the session can be used again."""
        self._write(super().bulk_update_mappings, args, kwargs)

    def _write(self, write_all: Callable[..., None], arguments: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        self.wake()
        note_writing(self)
        self._ask(write_all, arguments, options)

    def _ask(self, ask: Callable[..., Any], arguments: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
        lost = self.info.get(_LOST, False) or has_changes(self)
        try:
            answer = ask(*arguments, **options)
            self.used_at = time.monotonic()
            return answer
        except SQLAlchemyError as e:
            if not self._only_reads() or meaning_of(e) is not ConnectionLost:
                self._fail(e, lost=lost)
            # The transaction held nothing, so another one is as good, and what waits to be stored can go on waiting.
            self._start_anew()
            if not (isinstance(e, DBAPIError) and e.connection_invalidated):
                self._tell(e)
        except BaseException as e:
            if not isinstance(e, Exception) and self._only_reads():
                # SQLAlchemy gives up the connection of a statement that was interrupted.
                self._start_anew(invalidate=False)
            raise
        counters = counters_of(self.get_bind().engine)
        counters.note_lost_connection()
        counters.note_retry()
        try:
            answer = ask(*arguments, **options)
        except SQLAlchemyError as e:
            if meaning_of(e) is not ConnectionLost:
                self._fail(e, lost=lost)
            self._start_anew()
            self._tell(e)
        self.used_at = time.monotonic()
        return answer

    def _fail(self, error: BaseException, *, lost: bool) -> NoReturn:
        if isinstance(error, DBAPIError) or not isinstance(error, Exception):
            belonged = in_unit_of_work(self)
            # PostgreSQL ends the transaction here, so it ends here everywhere.
            if self.in_nested_transaction() or not _belongs_to_block(self):
                self._give_up(error)
            # Where all of a unit of work is gone, with its savepoints, nothing is left that could be stored by half.
            is_told = self.in_nested_transaction() or (belonged and not self.in_transaction())
            if not is_told and (lost or _belongs_to_block(self)):
                self.info[_LOST] = True
        self._tell(error)

    def wake(self) -> None:
        """Let the first write of a transaction that has only read for a while not meet a connection that has died."""
        is_idle = time.monotonic() - self.used_at > _IDLE
        if not (is_idle and self._only_reads() and self.get_bind().dialect.name != "sqlite"):
            return
        try:
            self.execute(_PING)
        except BaseException:
            self.rollback()
            raise

    def _only_reads(self) -> bool:
        return not (self._is_busy or in_unit_of_work(self) or any(mark in self.info for mark in _MARKS))

    def _start_anew(self, *, invalidate: bool = True) -> None:
        """Leave a transaction that held nothing, without a word to the objects."""
        transaction = self.get_transaction()
        if transaction is not None:
            transaction.close(invalidate=invalidate)

    def _give_up(self, error: BaseException) -> None:
        # A savepoint is its owner's to give up, unless it is gone with all the rest.
        is_gone = isinstance(error, DBAPIError) and error.connection_invalidated
        if self.in_nested_transaction() and not is_gone:
            return
        # Within a commit, the transaction that is being committed rolls itself back.
        with suppress(IllegalStateChangeError):
            self.rollback()

    def _tell(self, error: BaseException) -> NoReturn:
        own = self._meaningful(error)
        if own is None:
            raise error
        raise own from error

    def _meaningful(self, error: BaseException, *, committing: bool = False) -> TradeStoreError | None:
        own = meaningful(error, committing=committing)
        if own is None:
            self._counted(error)
        else:
            engine = self.get_bind().engine
            note_error(counters_of(engine), own)
            if isinstance(error, DBAPIError) and not error.connection_invalidated and is_broken(error, engine):
                # It was told past the place where SQLAlchemy looks for broken connections.
                engine.dispose()
        return own

    def _counted(self, error: _Error) -> _Error:
        if self.bind is not None:
            counters_of(self.get_bind().engine).note_error(error)
        return error


class _Transaction(SessionTransaction):
    """What ``with session.begin():`` and ``with session.begin_nested():`` end by themselves."""

    session: StoreSession

    def commit(self, _to_root: bool = False) -> None:
        self.session.end(partial(super().commit, _to_root), is_whole=_to_root or self.parent is None)

    def rollback(self, _capture_exception: bool = False, _to_root: bool = False) -> None:
        with _ignoring_lost_connection():
            super().rollback(_capture_exception, _to_root)


@contextmanager
def _ignoring_lost_connection() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as e:
        if meaning_of(e) is not ConnectionLost:
            raise


def in_unit_of_work(session: Session) -> bool:
    """Tell whether the present transaction belongs to somebody who will end it."""
    return session.in_nested_transaction() or _belongs_to_block(session)


def _belongs_to_block(session: Session) -> bool:
    # SQLAlchemy has no public name for the mark that a ``with session.begin():`` leaves.
    return session.in_transaction() and getattr(session, "_trans_context_manager", None) is not None


def settle(session: Session) -> None:
    """Commit, or only write where the commit belongs to whoever began the unit of work.

    Raises:
        DatabaseBusy: If the database stayed locked, or its connection was lost; nothing was stored.
        CommitOutcomeUnknown: If the connection was lost while committing.
    """
    # In a ``with`` block, a commit only writes by itself.
    if session.in_nested_transaction():
        session.flush()
    else:
        session.commit()


def write(session: Session, statement: Executable) -> None:
    """Execute a statement that changes rows, and :func:`settle`."""
    session.execute(statement)
    settle(session)


def has_changes(session: Session) -> bool:
    """Tell whether the session holds anything that is not committed."""
    return _WRITTEN in session.info or bool(session.new or session.dirty or session.deleted)


def has_written(session: Session) -> bool:
    """Tell whether the session's transaction holds anything to commit, as far as the session can know."""
    return _WRITTEN in session.info or _SHARED in session.info


def note_writing(session: Session) -> None:
    """Remember that the session's transaction holds something to commit."""
    session.info[_WRITTEN] = True


def note_locking(session: Session) -> None:
    """Remember that the session's transaction holds locks, so that another one is not as good."""
    session.info[_LOCKING] = True


def forget_sharing(session: Session) -> None:
    """Remember that what was done with the session's connection is known."""
    session.info.pop(_SHARED, None)


@event.listens_for(StoreSession, "after_commit")
def _note_commit(session: Session) -> None:
    if _WRITTEN in session.info and not session.in_nested_transaction():
        session.info.pop(_WRITTEN)
        counters_of(session.get_bind().engine).note_commit()


@event.listens_for(StoreSession, "after_transaction_end")
def _note_end(session: StoreSession, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.used_at = math.inf
        if _WRITTEN in session.info:
            counters_of(session.get_bind().engine).note_rollback()
        for mark in _MARKS:
            session.info.pop(mark, None)


@event.listens_for(StoreSession, "before_commit")
def _refuse_half_of_the_work(session: Session) -> None:
    if session.info.get(_LOST, False):
        msg = (
            "Changes were lost when a statement failed in the same transaction, so what is left is not whole and was "
            "not stored: let a failure leave the block, or call rollback() after it, and do the work again."
        )
        raise DependencyException(msg)
    is_silent = session.bind is not None and session.bind.dialect.name == "postgresql"
    if is_silent and has_written(session):
        connection = session.connection()
        driver_connection: Any = None if connection.invalidated else connection.connection.driver_connection
        if driver_connection is not None and driver_connection.info.transaction_status == _POSTGRESQL_FAILED:
            msg = (
                "A statement that failed has undone all changes of the transaction, so "
                "that nothing was stored: let the failure leave the block, or call rollback(), and do the work again."
            )
            raise DependencyException(msg)


def _prepare_for_storing(records: Iterable[Any]) -> None:
    """Bring every value into the form that it comes back in, or refuse it, before the first statement goes out."""
    for record in records:
        complete = getattr(record, "complete_for_storing", None)
        if complete is not None:
            complete()
        mapper = object_mapper(record)
        tests = _storable_tests(mapper, len(mapper.attrs))
        state = instance_state(record)
        # What a row holds already has been through here, or was made by the engine.
        for name in [*(record.__dict__ if state.key is None else state.committed_state)]:
            value = record.__dict__.get(name)
            if value is None or name not in tests or tests[name](value):
                continue
            stored = storable(f"{type(record).__name__}.{name}", mapper.columns[name].type, value)
            if stored is not value:
                setattr(record, name, stored)


@cache
def _storable_tests(mapper: Mapper[Any], _attributes: int) -> Mapping[str, Callable[[Any], bool]]:
    # Somebody may add a column, which then makes another number of attributes.
    return {name: is_storable(column.type) for name, column in mapper.columns.items()}
