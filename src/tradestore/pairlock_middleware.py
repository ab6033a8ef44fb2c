"""Pair locks for bots and backtests: one rule over the table or over a list in memory."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from sqlalchemy import select

from tradestore._store_session import settle
from tradestore.local_pairlock import LocalPairLock, LockIndex
from tradestore.local_pairlock_middleware import LocalPairLocks
from tradestore.pairlock import PairLock

__all__ = ["PairLocks"]


class PairLocks(LocalPairLocks):
    """Locks, made and asked for, in the database or in memory; the two never mix.

    Attributes:
        use_db: Whether locks are in the database or in ``locks``.
        timeframe: Locks end with a candle of it; with the moment asked for where it is empty.
        locks: All locks in memory.
    """

    use_db: ClassVar[bool] = True
    timeframe: ClassVar[str] = ""
    locks: ClassVar[list[LocalPairLock]] = []

    _lock_class: ClassVar[type[LocalPairLock]] = PairLock
    _index: ClassVar[LockIndex] = LockIndex()

    @classmethod
    def _find_same(cls, lock: LocalPairLock) -> LocalPairLock | None:
        if not cls.use_db:
            return super()._find_same(lock)
        return PairLock.session.scalars(
            select(PairLock)
            .where(
                PairLock.active,
                PairLock.pair == lock.pair,
                PairLock.side == lock.side,
                PairLock.reason == lock.reason,
                PairLock.lock_end_time == lock.lock_end_time,
            )
            .order_by(PairLock.id)
        ).first()

    @classmethod
    def _keep(cls, lock: LocalPairLock) -> None:
        if not cls.use_db:
            super()._keep(lock)
            return
        PairLock.session.add(lock)
        settle(PairLock.session())

    @classmethod
    def get_pair_locks(
        cls, pair: str | None, now: datetime | None = None, side: str | None = None
    ) -> Sequence[LocalPairLock]:
        """Return the locks that hold; see :meth:`LocalPairLocks.get_pair_locks`."""
        return (
            PairLock.query_pair_locks(pair, now, side).all() if cls.use_db else super().get_pair_locks(pair, now, side)
        )

    @classmethod
    def _release(cls, locks: Sequence[LocalPairLock]) -> None:
        super()._release(locks)
        if cls.use_db:
            settle(PairLock.session())

    @classmethod
    def get_all_locks(cls) -> Sequence[LocalPairLock]:
        """Return every lock, those that are over or released included."""
        return PairLock.get_all_locks().all() if cls.use_db else super().get_all_locks()
