"""Pair locks for bots and backtests: one rule over the table or over a list in memory."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from sqlalchemy import select

from tradestore._clock import as_utc, utc_now
from tradestore._record import cut
from tradestore._store_session import settle
from tradestore.accounting.timeframes import next_candle
from tradestore.local_pairlock import ANY, LocalPairLock, LockIndex
from tradestore.pairlock import PairLock

__all__ = ["PairLocks"]

logger = logging.getLogger(__name__)

_INDEX = LockIndex()


class PairLocks:
    """Locks, made and asked for.

    Attributes:
        use_db: Whether locks are in the database or in ``locks``.
        timeframe: Locks end with a candle of it; with the moment asked for where it is empty.
        locks: All locks in memory.
    """

    use_db: ClassVar[bool] = True
    timeframe: ClassVar[str] = ""
    locks: ClassVar[list[LocalPairLock]] = []

    @staticmethod
    def reset_locks() -> None:
        """Forget the locks in memory; those of a database stay."""
        if not PairLocks.use_db:
            PairLocks.locks = []

    @staticmethod
    def lock_pair(
        pair: str,
        until: datetime,
        reason: str | None = None,
        *,
        now: datetime | None = None,
        side: str = ANY,
    ) -> LocalPairLock:
        """Lock a pair up to the end of the candle in which a moment lies.

        Args:
            pair: ``*`` for all pairs.
            until: UTC.
            reason: Free text, cut after 255 characters.
            now: When the lock begins; the present if None (UTC).
            side: ``long``, ``short``, or ``*`` for both.

        Returns:
            The new lock, or the active one that has the same pair, side, reason and end.
        """
        end = as_utc(until)
        if PairLocks.timeframe:
            end = next_candle(PairLocks.timeframe, end)
        kind = PairLock if PairLocks.use_db else LocalPairLock
        lock = kind(pair=pair, side=side, reason=reason, lock_time=now or utc_now(), lock_end_time=end, active=True)
        same = PairLocks._find_same(lock)
        if same is not None:
            return same
        if isinstance(lock, PairLock):
            PairLock.session.add(lock)
            settle(PairLock.session())
        else:
            PairLocks.locks.append(lock)
        return lock

    @staticmethod
    def _find_same(lock: LocalPairLock) -> LocalPairLock | None:
        if PairLocks.use_db:
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
        return _INDEX.same(PairLocks.locks, lock)

    @staticmethod
    def get_pair_locks(
        pair: str | None, now: datetime | None = None, side: str | None = None
    ) -> Sequence[LocalPairLock]:
        """Return the locks that hold, in the order in which they were made.

        Args:
            pair: Of this pair only; of all if None.
            now: The present if None (UTC).
            side: ``long``, ``short`` or ``*``; any if None. A lock for ``*`` holds for each of them.
        """
        if PairLocks.use_db:
            return PairLock.query_pair_locks(pair, now, side).all()
        moment = utc_now() if now is None else as_utc(now)
        return _INDEX.holding(PairLocks.locks, moment, pair, side)

    @staticmethod
    def get_pair_longest_lock(pair: str, now: datetime | None = None, side: str = ANY) -> LocalPairLock | None:
        """Return the lock of a pair that ends last, None without one."""
        locks = PairLocks.get_pair_locks(pair, now, side)
        return max(locks, key=lambda lock: lock.lock_end_time_utc, default=None)

    @staticmethod
    def unlock_pair(pair: str, now: datetime | None = None, side: str = ANY) -> None:
        """Release the locks of a pair.

        Args:
            pair: Which pair.
            now: The present if None (UTC).
            side: Those that hold for ``long`` or ``short``; for ``*`` all of the pair.
        """
        PairLocks._release(PairLocks.get_pair_locks(pair, now, None if side == ANY else side))

    @staticmethod
    def unlock_reason(reason: str, now: datetime | None = None) -> None:
        """Release all locks that were made for a reason.

        Args:
            reason: As it was given.
            now: The present if None (UTC).
        """
        PairLocks._release([lock for lock in PairLocks.get_pair_locks(None, now) if lock.reason == cut(reason)])

    @staticmethod
    def _release(locks: Sequence[LocalPairLock]) -> None:
        for lock in locks:
            logger.info("Releasing %s.", str(lock))
            lock.active = False
        if PairLocks.use_db:
            settle(PairLock.session())

    @staticmethod
    def is_global_lock(now: datetime | None = None, side: str = ANY) -> bool:
        """Tell whether all pairs are locked."""
        return bool(PairLocks.get_pair_locks(ANY, now, side))

    @staticmethod
    def is_pair_locked(pair: str, now: datetime | None = None, side: str = ANY) -> bool:
        """Tell whether a pair is locked, by itself or with all others."""
        return bool(PairLocks.get_pair_locks(pair, now, side)) or PairLocks.is_global_lock(now, side)

    @staticmethod
    def get_all_locks() -> Sequence[LocalPairLock]:
        """Return every lock, those that are over or released included."""
        if PairLocks.use_db:
            return PairLock.get_all_locks().all()
        return list(PairLocks.locks)
