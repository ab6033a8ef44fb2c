"""Whether a store can be worked with at this moment: an answer within a deadline, whatever hangs."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Engine, StaticPool, func, select
from sqlalchemy.exc import SQLAlchemyError

from tradestore._clock import as_utc, utc_now
from tradestore._engine import masked, take_write_lock
from tradestore._errors import meaningful
from tradestore._intent_model import UNRESOLVED, OrderIntent
from tradestore.database import Database
from tradestore.exceptions import DatabaseBusy, DatabaseReadOnly, TradeStoreError, TransferError
from tradestore.migrations import HEAD, current
from tradestore.models import open_engine, present_tables, refuse_half_a_copy
from tradestore.operations.opening import Place, refuse_unusable_file

__all__ = ["Health", "HealthReason", "HealthState", "health"]

_SHARE: Final = 0.4
"""Of the deadline, for each single wait: two of them fit into it."""

_LONGEST_WRITING: Final = 60.0
"""Seconds after which whoever writes is told of: others wait for his locks."""

_SENDING: Final = timedelta(minutes=2)
"""How long an order may take to be sent before its intent counts as unresolved."""


class HealthState(StrEnum):
    """How a store is doing; the worse comes later."""

    OK = "ok"
    DEGRADED = "degraded"
    """It works, but a person should look."""
    FAILED = "failed"
    """It cannot be worked with."""


_WORSE: Final = {state: rank for rank, state in enumerate(HealthState)}


@dataclass(frozen=True, slots=True)
class HealthReason:
    """Why a store is not well.

    Attributes:
        code: ``unreachable``, ``deadline``, ``closed``, ``schema``, ``read_only``, ``locked``, ``pool``, ``writing``,
            ``intents`` or ``idle``.
        state: How bad that is.
        text: What was found, and what to do.
    """

    code: str
    state: HealthState
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a store is doing at one moment.

    Attributes:
        state: The worst of the reasons, ``ok`` without one.
        reasons: Why it is not well.
        database: Its URL, without the password.
        can_read: Whether a question was answered.
        can_write: Whether a change would be taken; None if that was not found out.
        revision: Which one the tables have; None if that was not found out.
        unresolved_intents: Orders of which only the exchange knows; None if that was not found out.
        seconds_since_commit: Since the last commit by this process; None if there was none, or for a URL.
        seconds: How long the look took.
    """

    state: HealthState
    reasons: tuple[HealthReason, ...]
    database: str
    can_read: bool
    can_write: bool | None
    revision: str | None
    unresolved_intents: int | None
    seconds_since_commit: float | None
    seconds: float


def health(place: Place, *, deadline: float = 2.0, max_commit_age: float | None = None) -> Health:
    """Look whether a store can be worked with; nothing is changed, and nothing is raised.

    It asks over a connection of its own, so that it needs none of the pool's. Whatever hangs, the answer is there when
    the deadline has passed.

    Args:
        place: The database that is open, whose pool and transactions are looked at as well; or a database URL.
        deadline: Seconds.
        max_commit_age: Seconds after which a store without a commit counts as degraded; None for never. Only for a
            database that is open.
    """
    look = _Look(begun=time.monotonic(), deadline=max(0.0, deadline))
    if isinstance(place, Database):
        _look_at_process(look, place, max_commit_age)
        if isinstance(place.engine.pool, StaticPool):
            # It is in this process, and its one connection may be in use.
            look.can_read = look.can_write = True
            return look.result(is_done=True)
    watcher = threading.Thread(target=_look_at_database, args=(look, place), name="tradestore health", daemon=True)
    watcher.start()
    watcher.join(max(0.0, look.deadline - (time.monotonic() - look.begun)))
    return look.result(is_done=not watcher.is_alive())


@dataclass
class _Look:
    """What has been found so far; a thread that still hangs when it is told may not add to it."""

    begun: float
    deadline: float
    reasons: list[HealthReason] = field(default_factory=list)
    database: str = "?"
    can_read: bool = False
    can_write: bool | None = None
    revision: str | None = None
    intents: int | None = None
    since_commit: float | None = None

    def add(self, code: str, state: HealthState, text: str) -> None:
        self.reasons.append(HealthReason(code, state, " ".join(text.split())))

    def result(self, *, is_done: bool) -> Health:
        if not is_done:
            self.add("deadline", HealthState.FAILED, f"There was no answer within {self.deadline:g} s.")
        reasons = tuple(self.reasons)
        return Health(
            state=max((reason.state for reason in reasons), key=_WORSE.__getitem__, default=HealthState.OK),
            reasons=reasons,
            database=self.database,
            can_read=self.can_read,
            can_write=self.can_write,
            revision=self.revision,
            unresolved_intents=self.intents,
            seconds_since_commit=self.since_commit,
            seconds=time.monotonic() - self.begun,
        )


def _look_at_process(look: _Look, store: Database, max_commit_age: float | None) -> None:
    """Look at what is known without a question."""
    look.database = store.url
    if not store.is_open:
        look.add("closed", HealthState.FAILED, "The store was closed, or another one was opened since.")
    status = store.status()
    look.since_commit = status.seconds_since_commit
    if not status.available:
        text = (
            f"All {status.checked_out} connections are in use: give back sessions that are done, or allow more "
            "(pool_size, max_overflow)."
        )
        look.add("pool", HealthState.DEGRADED, text)
    if status.oldest_writing is not None and status.oldest_writing > _LONGEST_WRITING:
        text = f"A transaction has held its locks for {status.oldest_writing:.0f} s: end it, others wait for it."
        look.add("writing", HealthState.DEGRADED, text)
    age = status.seconds_since_commit
    if max_commit_age is not None and (age is None or age > max_commit_age):
        since = "ever" if age is None else f"for {age:.0f} s"
        look.add("idle", HealthState.DEGRADED, f"Nothing was stored {since}: look whether the bot still works.")


def _look_at_database(look: _Look, place: Place) -> None:
    """Ask the database; runs in a thread of its own, which nobody waits for when it hangs."""
    try:
        with _asking(look, place) as engine:
            look.revision = current(engine)
            look.can_read = True
            if look.revision != HEAD:
                text = f"The tables are at revision {look.revision}, expected was {HEAD}: run `tradestore upgrade`."
                look.add("schema", HealthState.FAILED, text)
                return
            try:
                refuse_half_a_copy(engine, present_tables(engine))
            except TransferError as e:
                look.add("schema", HealthState.FAILED, str(e))
                return
            with engine.connect() as connection:
                _look_at_intents(look, connection)
            with engine.connect() as connection:
                _look_at_writing(look, connection)
    except Exception as e:  # noqa: BLE001 - whatever it is, the store cannot be worked with
        own = meaningful(e) if isinstance(e, SQLAlchemyError) else e
        _note_failure(look, e if own is None else own)


def _note_failure(look: _Look, error: Exception) -> None:
    reason = str(getattr(error, "orig", None) or error) if not isinstance(error, TradeStoreError) else str(error)
    if look.can_read and isinstance(error, DatabaseReadOnly):
        look.can_write = False
        look.add("read_only", HealthState.FAILED, f"Nothing can be stored: {reason}")
    elif look.can_read and type(error) is DatabaseBusy:
        look.can_write = False
        text = f"Another writer has held the database for longer than this look may wait: {reason}"
        look.add("locked", HealthState.DEGRADED, text)
    else:
        look.add("unreachable", HealthState.FAILED, reason)


@contextmanager
def _asking(look: _Look, place: Place) -> Iterator[Engine]:
    """Return an engine whose waits are all shorter than the deadline."""
    share = max(0.05, look.deadline * _SHARE)
    url = place.engine.url.render_as_string(hide_password=False) if isinstance(place, Database) else place
    limits: dict[str, Any] = dict.fromkeys(("busy_timeout", "connect_timeout", "answer_timeout", "pool_timeout"), share)
    engine = open_engine(url, pool_size=1, max_overflow=0, slow_statement=None, **limits)
    look.database = masked(engine.url)
    refuse_unusable_file(engine.url)
    try:
        yield engine
    finally:
        engine.dispose()


def _look_at_intents(look: _Look, connection: Connection) -> None:
    table: Any = OrderIntent.__table__
    query = select(func.count(), func.min(table.c.created_at)).where(table.c.state.in_(UNRESOLVED))
    count, oldest = connection.execute(query).one()
    look.intents = count
    connection.rollback()
    if count and _age_of(oldest) > _SENDING:
        since = f"{oldest:%Y-%m-%d %H:%M} UTC"
        text = f"{count} orders may have been sent, the oldest on {since}, of which nothing is known: resolve them."
        look.add("intents", HealthState.DEGRADED, text)


def _age_of(moment: datetime) -> timedelta:
    return utc_now() - as_utc(moment)


def _look_at_writing(look: _Look, connection: Connection) -> None:
    """Find out whether a change would be taken, without one."""
    match connection.dialect.name:
        case "sqlite":
            take_write_lock(connection)
            # A file that may only be read gives the lock, but refuses even a change of nothing.
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num WHERE 0")
            is_read_only = False
        case "postgresql":
            query = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool"
            is_read_only = bool(connection.exec_driver_sql(query).scalar_one())
        case _:
            is_read_only = bool(connection.exec_driver_sql("SELECT @@global.read_only").scalar_one())
    connection.rollback()
    look.can_write = not is_read_only
    if is_read_only:
        look.add("read_only", HealthState.FAILED, "The server takes no changes: it is a replica, or set to read only.")
