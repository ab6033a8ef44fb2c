"""Marks that units of work leave in their own transaction: the answer when that of a commit was lost.

Whoever lost the answer writes the same mark once more. If it is refused, the transaction was committed; if it is taken,
the transaction was not and never will be: the server lets the second writer wait until the first one is done.
"""

import logging
import time
from collections import deque
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, cast
from uuid import uuid4

from sqlalchemy import Column, CursorResult, Engine, String, Table, delete, insert, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from tradestore._clock import utc_now
from tradestore._sqltypes import UtcDateTime
from tradestore.base import ModelBase

__all__ = ["COMMIT_TOKENS", "CommitToken", "CommitTokens"]

logger = logging.getLogger(__name__)

TOKEN_LENGTH: Final = 32

COMMIT_TOKENS: Final = Table(
    "commit_tokens",
    ModelBase.metadata,
    Column("token", String(TOKEN_LENGTH), primary_key=True),
    Column("committed_at", UtcDateTime, nullable=False, index=True),
)

_KEPT: Final = timedelta(days=1)
"""How long a mark is of use, which is as long as somebody may still be asking for it."""

_PAUSE: Final = 3600.0
"""Seconds between two looks for marks that nobody needs any more, such as those of processes that were killed."""


class CommitToken:
    """The mark of one unit of work, whatever number of attempts it takes."""

    def __init__(self, stored: deque[str]) -> None:
        """Make a mark.

        Args:
            stored: Marks that are stored and of no use any more, whose rows may be taken by others.
        """
        self._text = uuid4().hex
        self._stored = stored
        self._former: str | None = None

    def write(self, session: Session) -> None:
        """Leave the mark in the session's transaction, as its last statement."""
        if self._former is None:
            with suppress(IndexError):
                self._former = self._stored.pop()
        values = {"token": self._text, "committed_at": utc_now()}
        if self._former is not None:
            statement = update(COMMIT_TOKENS).where(COMMIT_TOKENS.c.token == self._former).values(values)
            if cast("CursorResult[Any]", session.execute(statement)).rowcount:
                return
        session.execute(insert(COMMIT_TOKENS).values(values))

    def is_stored(self, session: Session) -> bool:
        """Find out whether an earlier transaction left the mark; if not, the present one does.

        Returns:
            Whether the earlier transaction was committed; the present one is over then.
        """
        try:
            session.execute(insert(COMMIT_TOKENS).values(token=self._text, committed_at=utc_now()))
        except IntegrityError:
            return True
        return False

    def note_stored(self) -> None:
        """Let another mark take the row."""
        self._stored.append(self._text)


class CommitTokens:
    """The marks of one open database: as many rows as there are units of work at the same time."""

    def __init__(self) -> None:
        """Begin without any."""
        self._stored: deque[str] = deque()
        self._next_look = 0.0

    def make(self) -> CommitToken:
        """Return a new mark."""
        return CommitToken(self._stored)

    def remove_old(self, engine: Engine) -> None:
        """Remove rows that nobody will take any more, if that was not done for an hour."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _PAUSE
        try:
            with engine.begin() as connection:
                connection.execute(delete(COMMIT_TOKENS).where(COMMIT_TOKENS.c.committed_at < utc_now() - _KEPT))
        except SQLAlchemyError as e:
            # The work is stored, which is what counts.
            logger.debug("Old commit tokens stay for another hour: %s", e)
