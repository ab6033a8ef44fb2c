"""Units of work: stored whole or not at all, and done again as a whole where that may help."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, make_transient_to_detached

from tradestore._attempts import Attempts
from tradestore._commit_tokens import CommitToken
from tradestore._counters import counters_of
from tradestore._engine import take_write_lock
from tradestore._errors import is_broken, meaningful_errors
from tradestore._store_session import forget_sharing, has_changes, has_written, in_unit_of_work
from tradestore.exceptions import (
    CommitOutcomeUnknown,
    ConnectionLost,
    DatabaseBusy,
    DatabaseReadOnly,
    DependencyException,
    TradeStoreError,
)

__all__ = ["Repetition", "unit_of_work"]

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_DELAYS: Final = (0.04, 0.08, 0.16, 0.32, 0.64, 1.0)
"""Seconds before the next attempt, while others hold locks."""

_DELAYS_WITHOUT_SERVER: Final = (0.04, 0.5, 1.0)
"""The same while there is no server, or none that can be written to: a restart takes seconds."""


@contextmanager
def unit_of_work(session: Session, *, last: Callable[[], None] | None = None) -> Iterator[Session]:
    """Do what :meth:`tradestore.Database.transaction` does, in a session that is known already.

    Args:
        session: Of the present scope.
        last: Called before the COMMIT of a transaction that has written something; not within another unit of work.
    """
    if in_unit_of_work(session):
        with session.begin_nested():
            yield session
        return
    if has_changes(session):
        msg = "The session holds changes from before this transaction: call Trade.commit() or Trade.rollback() first."
        raise DependencyException(msg)
    # Reads may have begun a transaction of their own; it has nothing to commit, and this one starts fresh.
    session.commit()
    with meaningful_errors(counters_of(session.get_bind().engine)), session.begin() as transaction:
        _begin_writing(session.connection())
        forget_sharing(session)
        yield session
        if not transaction.is_active:
            msg = (
                "Something inside this transaction has ended it, and what was written in it until then is lost: "
                "let a failure leave the block, and leave the session to it."
            )
            raise DependencyException(msg)
        session.flush()
        if last is not None and has_written(session):
            last()


def _begin_writing(connection: Connection) -> None:
    try:
        take_write_lock(connection)
    except DBAPIError as e:
        # It was told past the place where SQLAlchemy looks for broken connections.
        if is_broken(e, connection.engine):
            connection.invalidate(e)
        raise


class Repetition(Generic[_T]):
    """A unit of work that is done again until it is stored."""

    def __init__(self, session: Session, work: Callable[[Session], _T], token: CommitToken | None) -> None:
        """Prepare it.

        Args:
            session: Of the present scope, outside of any unit of work.
            work: What is to be done.
            token: The mark to find out by what became of a COMMIT; None where a connection cannot be lost.
        """
        self._session = session
        self._work = work
        self._token = token
        self._counters = counters_of(session.get_bind().engine)
        self._doubt: CommitOutcomeUnknown | None = None
        self._has_mark = False
        self._known: list[Any] = []

    def run(self, attempts: int) -> _T:
        """Do the work.

        Args:
            attempts: How often at the most.

        Returns:
            What it returned when it was stored.

        Raises:
            DatabaseBusy: If the last attempt failed for what may be over a moment later; nothing was stored.
            CommitOutcomeUnknown: If nobody answered any more what became of a COMMIT.
        """
        number, all_attempts = 1, Attempts()
        while True:
            try:
                with all_attempts.attempt():
                    return self._attempt()
            except DatabaseBusy as e:
                if number >= attempts:
                    raise self._doubt or e from e.__cause__
                self._pause(e, number, attempts)
            except CommitOutcomeUnknown as e:
                if not self._has_mark or number >= attempts:
                    raise
                self._doubt = e
                self._pause(e, number, attempts)
            except Exception as e:
                # Whatever it tells of, it is not what became of the COMMIT.
                if self._doubt is None:
                    raise
                raise self._doubt from e
            number += 1

    def _attempt(self) -> _T:
        self._has_mark = False
        try:
            with unit_of_work(self._session, last=self._leave_mark):
                self._resolve_doubt()
                self._result = self._work(self._session)
        except _StoredBefore:
            self._take_as_stored()
        if self._token is not None and self._has_mark:
            self._token.note_stored()
        return self._result

    def _resolve_doubt(self) -> None:
        if self._doubt is None or self._token is None:
            return
        if self._token.is_stored(self._session):
            raise _StoredBefore
        # It can't be any more, and the mark is this transaction's now.
        self._doubt, self._has_mark = None, True

    def _leave_mark(self) -> None:
        if self._token is None:
            return
        if not self._has_mark:
            self._token.write(self._session)
            self._has_mark = True
        self._known = list(self._session)

    def _take_as_stored(self) -> None:
        """Let the objects be what the commit has made of them; the session has taken them for given up."""
        self._doubt, self._has_mark = None, True
        added = [record for record in self._known if inspect(record).transient]
        for record in added:
            make_transient_to_detached(record)
        self._session.add_all(added)
        known = set(map(id, self._known))
        for deleted in [record for record in self._session if id(record) not in known]:
            self._session.expunge(deleted)
        self._counters.note_commit()

    def _pause(self, error: TradeStoreError, number: int, attempts: int) -> None:
        is_away = isinstance(error, ConnectionLost | DatabaseReadOnly | CommitOutcomeUnknown)
        delays = _DELAYS_WITHOUT_SERVER if is_away else _DELAYS
        delay = delays[min(number, len(delays)) - 1] * random.uniform(1.0, 2.0)
        told: object = "The connection was lost while committing; next it is asked what became of that."
        if not isinstance(error, CommitOutcomeUnknown):
            told = error
        logger.warning("%s Attempt %d of %d follows in %.2f s.", told, number + 1, attempts, delay)
        self._counters.note_retry()
        time.sleep(delay)


class _StoredBefore(Exception):
    """The mark of an earlier attempt is there."""
