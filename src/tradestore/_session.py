"""The one scoped session of the process: whose it is, when it ends, and how fresh what it returns is."""

import re
from collections.abc import Iterator
from typing import Any, Final, cast

from sqlalchemy import BindParameter, Engine, TextClause, UpdateBase, event, inspect
from sqlalchemy.orm import InstanceState, ORMExecuteState, Session, object_mapper, scoped_session, sessionmaker
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.sql.functions import Function
from sqlalchemy.sql.visitors import iterate

from tradestore._engine import is_read
from tradestore._errors import give_up_broken_connections
from tradestore._scopes import REQUEST_ID_CTX_KEY, SessionRegistry, get_request_or_thread_id, request_id_context
from tradestore._sqltypes import UtcDateTime
from tradestore._store_session import StoreSession, note_locking, note_writing

__all__ = [
    "REQUEST_ID_CTX_KEY",
    "SessionType",
    "StoreSession",
    "bind",
    "bound_engine",
    "get_request_or_thread_id",
    "request_id_context",
    "scoped",
    "sessions_of",
]

SessionType = scoped_session[Session]

_MORE_THAN_A_READ: Final = re.compile(
    r"\bFOR\s+(?:NO|KEY|UPDATE|SHARE)\b|\bLOCK\s+IN\b|lock\w*\s*\(|set_config\s*\(|\bINTO\b|@\w+\s*:=", re.IGNORECASE
)
"""How a query takes locks, on rows or under a name of their own, or sets what lasts as long as its connection."""

_factory = sessionmaker(class_=StoreSession, autoflush=False, expire_on_commit=False)
_registry = SessionRegistry(_factory)
scoped: SessionType = scoped_session(cast("sessionmaker[Session]", _factory), get_request_or_thread_id)
scoped.registry = _registry


def bind(engine: Engine | None) -> None:
    """Point every later session at an engine, or at none."""
    if engine is not None:
        give_up_broken_connections(engine)
    scoped.remove()
    _factory.configure(bind=engine)
    _registry.rebind(engine)


def bound_engine() -> Engine | None:
    """Return the engine that sessions get, None without one."""
    return _registry.engine


def sessions_of(engine: Engine) -> int:
    """Return how many threads and requests have a session on an engine."""
    return _registry.sessions_of(engine)


@event.listens_for(StoreSession, "do_orm_execute")
def _watch_statements(state: ORMExecuteState) -> None:
    """Note what writes, and let a query bring the objects that it returns up to date, but for their own changes.

    Objects keep their values over a commit, so that going on with them costs no statement each. What others stored
    since then must still be seen, and it is: by the next query that returns the object.
    """
    session = state.session
    if not state.is_select:
        if isinstance(state.statement, TextClause) and is_read(state.statement.text):
            if _MORE_THAN_A_READ.search(state.statement.text):
                note_locking(session)
            return
        if isinstance(session, StoreSession):
            session.wake()
        note_writing(session)
        if (state.is_update or state.is_delete) and _is_about_dates(state.statement):
            # Compared in Python, a moment with an offset would meet those without.
            wanted = state.execution_options.get("synchronize_session", "auto")
            state.update_execution_options(synchronize_session="fetch" if wanted == "auto" else wanted)
        return
    if state.is_column_load or state.is_relationship_load:
        return
    # A connection that is not to a server is not lost.
    if session.bind is not None and session.bind.dialect.name != "sqlite":
        _note_what_stays(session, state.statement)
    if "populate_existing" not in state.execution_options:
        if (session.dirty or session.deleted) and not _is_about_others(state):
            _expire_unchanged(state)
        else:
            state.update_execution_options(populate_existing=True)


def _is_about_dates(statement: Any) -> bool:
    condition = statement.whereclause
    return condition is not None and any(
        isinstance(part, BindParameter) and isinstance(part.type, UtcDateTime) for part in iterate(condition)
    )


def _note_what_stays(session: Session, query: Any) -> None:
    """Note what a query leaves behind in its transaction, so that another one would not be as good."""
    for part in iterate(query):
        if isinstance(part, UpdateBase):
            note_writing(session)
        named = f"{part.name}(" if isinstance(part, Function) else part.text if isinstance(part, TextClause) else ""
        if getattr(part, "_for_update_arg", None) is not None or _MORE_THAN_A_READ.search(named):
            note_locking(session)


def _is_about_others(state: ORMExecuteState) -> bool:
    """Tell whether a query returns only objects of kinds of which none waits to be stored, and which lead to no other.

    Then bringing them up to date takes nothing away, and the query need not run twice: strategies ask for what they
    remember, and for locks, while the trade that they look at has changed.
    """
    mappers = state.all_mappers
    if not mappers or any(mapper.relationships for mapper in mappers):
        return False
    changed = {object_mapper(record) for record in (*state.session.dirty, *state.session.deleted)}
    return all(changed.isdisjoint(mapper.self_and_descendants) for mapper in mappers)


def _expire_unchanged(state: ORMExecuteState) -> None:
    """Let the statement, which is about to run, load anew what it returns, where nothing waits to be stored."""
    described = getattr(state.statement, "column_descriptions", ())
    if not any(column.get("entity") is not None and column["expr"] is column["entity"] for column in described):
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
