"""Pair locks in the database."""

from datetime import datetime

from sqlalchemy import Index, ScalarResult, String, select
from sqlalchemy.orm import Mapped, mapped_column, validates

from tradestore._clock import utc_now
from tradestore._record import cut
from tradestore.base import ModelBase
from tradestore.constants import PAIR_LENGTH, SIDE_LENGTH
from tradestore.local_pairlock import ANY, LocalPairLock

__all__ = ["PairLock"]


class PairLock(ModelBase, LocalPairLock):
    """A pair that must not be entered until a time."""

    __tablename__ = "pairlocks"
    # Most locks are active and over: nobody releases a lock that has ended.
    __table_args__ = (Index(None, "active", "lock_end_time"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    pair: Mapped[str] = mapped_column(String(PAIR_LENGTH), index=True)
    side: Mapped[str] = mapped_column(String(SIDE_LENGTH), default=ANY)
    reason: Mapped[str | None]
    lock_time: Mapped[datetime]
    lock_end_time: Mapped[datetime] = mapped_column(index=True)
    active: Mapped[bool] = mapped_column(default=True, index=True)

    @validates("reason")
    def _cut_reason(self, _name: str, reason: str | None) -> str | None:
        return cut(reason)

    @staticmethod
    def query_pair_locks(
        pair: str | None, now: datetime | None = None, side: str | None = None
    ) -> ScalarResult["PairLock"]:
        """Return the locks that are active and not over, in the order in which they were made.

        Args:
            pair: Of this pair only; of all if None.
            now: The present if None (UTC).
            side: ``long``, ``short`` or ``*``; any if None. A lock for ``*`` holds for each of them.
        """
        query = select(PairLock).where(PairLock.active, PairLock.lock_end_time > (now or utc_now()))
        if pair is not None:
            query = query.where(PairLock.pair == pair)
        if side is not None:
            query = query.where(PairLock.side.in_({side, ANY}))
        return PairLock.session.scalars(query.order_by(PairLock.id))

    @staticmethod
    def get_all_locks() -> ScalarResult["PairLock"]:
        """Return every lock, those that are over or released included."""
        return PairLock.session.scalars(select(PairLock).order_by(PairLock.id))
