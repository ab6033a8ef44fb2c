"""The one scoped session of the process: whose it is, when it ends, and what it refuses to store."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import Any, Final, cast

from sqlalchemy import Engine, Executable, TextClause, event, inspect
from sqlalchemy.exc import DBAPIError, IllegalStateChangeError
from sqlalchemy.orm import (
    InstanceState,
    Mapper,
    ORMExecuteState,
    Session,
    SessionTransaction,
    object_mapper,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.util import ScopedRegistry

from tradestore._engine import is_read
from tradestore._errors import is_deadlock, meaningful_errors
from tradestore._plain_rows import write_rows
from tradestore._sqltypes import is_storable, storable
from tradestore.exceptions import DatabaseNotReady, DependencyException

__all__ = [
    "REQUEST_ID_CTX_KEY",
    "SessionType",
    "StoreSession",
    "bind",
    "bound_engine",
    "get_request_or_thread_id",
    "has_changes",
    "in_unit_of_work",
    "note_writing",
    "request_id_context",
    "scoped",
    "settle",
    "write",
]

REQUEST_ID_CTX_KEY: Final = "request_id"
_WRITTEN: Final = "tradestore written"
_LOST: Final = "tradestore lost"

request_id_context: ContextVar[str | None] = ContextVar(REQUEST_ID_CTX_KEY, default=None)


def get_request_or_thread_id() -> str | None:
    """Return the id of the web request that is being answered, else of the thread."""
    return request_id_context.get() or str(threading.get_ident())


class StoreSession(Session):
    """A session that stays usable: what fails is rolled back at once, whatever the caller does next."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Any:
        """Return the engine.

        Raises:
            DatabaseNotReady: If there is none yet.
        """
        if self.bind is None:
            msg = "There is no database yet: call tradestore.init_db(db_url) first."
            raise DatabaseNotReady(msg)
        return super().get_bind(*args, **kwargs)

    def flush(self, objects: Any = None) -> None:
        """Write what is pending; on failure nothing of it stays, neither in the database nor in the session."""
        try:
            new, changed, deleted = list(self.new), list(self.dirty), bool(self.deleted)
            _prepare_for_storing((*new, *changed))
            if objects or deleted or not write_rows(self, new, changed):
                super().flush(objects)
            if new or changed or deleted:
                note_writing(self)
        except BaseException as e:
            self._give_up(e)
            raise

    def commit(self) -> None:
        """Commit; on failure nothing stays pending. Within a ``with`` block that will commit, only write.

        Raises:
            DependencyException: If a statement that failed before has taken changes with it, so that this would commit
                less than was meant.
        """
        if _belongs_to_block(self):
            self.flush()
            return
        try:
            super().commit()
        except BaseException as e:
            self._give_up(e)
            raise

    def rollback(self) -> None:
        """Give up what is not committed; what was loaded is read anew when it is looked at again."""
        self.info.pop(_LOST, None)
        super().rollback()
        self.expire_all()

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Execute a statement; after a failure the session can be used again."""
        with self._usable_afterwards():
            return super().execute(*args, **kwargs)

    def scalars(self, *args: Any, **kwargs: Any) -> Any:
        """Execute a statement for its first column; after a failure the session can be used again."""
        with self._usable_afterwards():
            return super().scalars(*args, **kwargs)

    def scalar(self, *args: Any, **kwargs: Any) -> Any:
        """Execute a statement for one value; after a failure the session can be used again."""
        with self._usable_afterwards():
            return super().scalar(*args, **kwargs)

    @contextmanager
    def _usable_afterwards(self) -> Iterator[None]:
        lost = self.info.get(_LOST, False) or has_changes(self)
        try:
            yield
        except DBAPIError as e:
            # PostgreSQL ends the transaction here, so it ends here everywhere.
            if self.in_nested_transaction() or not _belongs_to_block(self):
                self._give_up(e)
            if not self.in_nested_transaction():
                self.info[_LOST] = lost or _belongs_to_block(self)
            raise

    def _give_up(self, error: BaseException) -> None:
        if self.in_nested_transaction():
            # A savepoint is its owner's to give up, unless the server has dropped it with all the rest.
            if not is_deadlock(error):
                return
            self.connection().invalidate()
        # Within a commit, the transaction that is being committed rolls itself back.
        with suppress(IllegalStateChangeError):
            self.rollback()


class _ThreadEnd:
    """Closes a thread's session when the thread's own storage goes, which is when the thread ends."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __del__(self) -> None:
        # At interpreter shutdown the pool may be gone before the last thread's storage is.
        with suppress(Exception):
            self.session.close()


class _SessionRegistry(ScopedRegistry[Session]):
    """One session per web request where one is set, else per thread, and none beyond the life of either.

    After the engine was changed, every scope gets a new session at its next use.
    """

    def __init__(self, createfunc: Callable[[], Session]) -> None:
        super().__init__(createfunc, get_request_or_thread_id)
        self._threads = threading.local()
        self._requests: dict[str, Session] = {}
        self.engine: Engine | None = None

    def rebind(self, engine: Engine | None) -> None:
        """Leave behind every session that is bound to another engine."""
        self.clear()
        self._requests.clear()
        self.engine = engine

    def __call__(self) -> Session:
        session = self._present()
        if session is None or session.bind is not self.engine:
            if session is not None:
                session.close()
            session = self.createfunc()
            self.set(session)
        return session

    def has(self) -> bool:
        return self._present() is not None

    def set(self, obj: Session) -> None:
        request_id = request_id_context.get()
        if request_id:
            self._requests[request_id] = obj
        else:
            self._threads.end = _ThreadEnd(obj)

    def clear(self) -> None:
        request_id = request_id_context.get()
        if request_id:
            self._requests.pop(request_id, None)
        else:
            self._threads.__dict__.pop("end", None)

    def _present(self) -> Session | None:
        request_id = request_id_context.get()
        if request_id:
            return self._requests.get(request_id)
        end: _ThreadEnd | None = getattr(self._threads, "end", None)
        return None if end is None else end.session


SessionType = scoped_session[Session]

_factory = sessionmaker(class_=StoreSession, autoflush=False, expire_on_commit=False)
_registry = _SessionRegistry(_factory)
scoped: SessionType = scoped_session(cast("sessionmaker[Session]", _factory), get_request_or_thread_id)
scoped.registry = _registry


def bind(engine: Engine | None) -> None:
    """Point every later session at an engine, or at none."""
    scoped.remove()
    _factory.configure(bind=engine)
    _registry.rebind(engine)


def bound_engine() -> Engine | None:
    """Return the engine that sessions get, None without one."""
    return _registry.engine


def in_unit_of_work(session: Session) -> bool:
    """Tell whether the present transaction belongs to somebody who will end it."""
    return session.in_nested_transaction() or _belongs_to_block(session)


def _belongs_to_block(session: Session) -> bool:
    # SQLAlchemy has no public name for the mark that a ``with session.begin():`` leaves.
    return session.in_transaction() and getattr(session, "_trans_context_manager", None) is not None


def settle(session: Session) -> None:
    """Commit, or only write where the commit belongs to whoever began the unit of work.

    Raises:
        DatabaseBusy: If the database stayed locked; nothing was stored.
        CommitOutcomeUnknown: If the connection was lost while committing.
    """
    if in_unit_of_work(session):
        session.flush()
        return
    with meaningful_errors() as watch:
        session.flush()
        watch.reached = True
        session.commit()


def write(session: Session, statement: Executable) -> None:
    """Execute a statement that changes rows, and :func:`settle`."""
    with meaningful_errors():
        session.execute(statement)
    settle(session)


def has_changes(session: Session) -> bool:
    """Tell whether the session holds anything that is not committed."""
    return _WRITTEN in session.info or bool(session.new or session.dirty or session.deleted)


def note_writing(session: Session) -> None:
    """Remember that the session's transaction holds something to commit."""
    session.info[_WRITTEN] = True


@event.listens_for(StoreSession, "after_transaction_end")
def _note_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_WRITTEN, None)
        session.info.pop(_LOST, None)


@event.listens_for(StoreSession, "before_commit")
def _refuse_half_of_the_work(session: Session) -> None:
    if session.info.get(_LOST, False):
        msg = (
            "Changes were lost when a statement failed in the same transaction, so what is left is not whole and was "
            "not stored: let a failure leave the block, or call rollback() after it, and do the work again."
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
        for name, value in list(record.__dict__.items()):
            if value is None or name not in tests or tests[name](value):
                continue
            stored = storable(f"{type(record).__name__}.{name}", mapper.columns[name].type, value)
            if stored is not value:
                setattr(record, name, stored)


@cache
def _storable_tests(mapper: Mapper[Any], _attributes: int) -> Mapping[str, Callable[[Any], bool]]:
    # Somebody may add a column, which then makes another number of attributes.
    return {name: is_storable(column.type) for name, column in mapper.columns.items()}


@event.listens_for(StoreSession, "do_orm_execute")
def _watch_statements(state: ORMExecuteState) -> None:
    """Note what writes, and let a query bring the objects that it returns up to date, but for their own changes.

    Objects keep their values over a commit, so that going on with them costs no statement each. What others stored
    since then must still be seen, and it is: by the next query that returns the object.
    """
    session = state.session
    if not state.is_select:
        if not (isinstance(state.statement, TextClause) and is_read(state.statement.text)):
            note_writing(session)
    elif not (state.is_column_load or state.is_relationship_load or "populate_existing" in state.execution_options):
        if session.dirty or session.deleted:
            _expire_unchanged(state)
        else:
            state.update_execution_options(populate_existing=True)


def _expire_unchanged(state: ORMExecuteState) -> None:
    """Let the statement, which is about to run, load anew what it returns, where nothing waits to be stored."""
    described = getattr(state.statement, "column_descriptions", ())
    if not any(column["entity"] is not None and column["expr"] is column["entity"] for column in described):
        return
    for row in state.invoke_statement(execution_options={"yield_per": None}).unique().all():
        for record in row:
            for unchanged in _unchanged_with_relatives(record):
                # With its names given, expiring stays with the object; without, changed relatives would go too.
                state.session.expire(unchanged, object_mapper(unchanged).attrs.keys())


def _unchanged_with_relatives(record: Any) -> Iterator[Any]:
    described = inspect(record, raiseerr=False)
    if not isinstance(described, InstanceState) or described.modified:
        return
    for relationship in described.mapper.relationships:
        loaded = described.dict.get(relationship.key)
        for relative in loaded if isinstance(loaded, list) else [loaded]:
            if relative is not None and instance_state(relative).persistent and not instance_state(relative).modified:
                yield relative
    yield record
