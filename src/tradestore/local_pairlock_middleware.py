"""Pair locks of a backtest: the rules of :class:`PairLocks` over a list in memory, and no more."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from tradestore._clock import as_utc, utc_now
from tradestore._record import cut
from tradestore.accounting.timeframes import next_candle
from tradestore.local_pairlock import ANY, LocalPairLock, LockIndex

__all__ = ["LocalPairLocks"]

logger = logging.getLogger(__name__)


class LocalPairLocks:
    """Locks, made and asked for, without a database.

    Attributes:
        use_db: Whether locks are in the database or in ``locks``.
        timeframe: Locks end with a candle of it; with the moment asked for where it is empty.
        locks: All locks in memory.
    """

    use_db: ClassVar[bool] = False
    timeframe: ClassVar[str] = ""
    locks: ClassVar[list[LocalPairLock]] = []

    _lock_class: ClassVar[type[LocalPairLock]] = LocalPairLock
    _index: ClassVar[LockIndex] = LockIndex()

    @classmethod
    def reset_locks(cls) -> None:
        """Forget the locks in memory; those of a database stay."""
        if not cls.use_db:
            cls.locks = []

    @classmethod
    def lock_pair(
        cls,
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
        if cls.timeframe:
            end = next_candle(cls.timeframe, end)
        kind = cls._lock_class if cls.use_db else LocalPairLock
        lock = kind(pair=pair, side=side, reason=reason, lock_time=now or utc_now(), lock_end_time=end, active=True)
        same = cls._find_same(lock)
        if same is not None:
            return same
        cls._keep(lock)
        return lock

    @classmethod
    def _find_same(cls, lock: LocalPairLock) -> LocalPairLock | None:
        return cls._index.same(cls.locks, lock)

    @classmethod
    def _keep(cls, lock: LocalPairLock) -> None:
        cls.locks.append(lock)

    @classmethod
    def get_pair_locks(
        cls, pair: str | None, now: datetime | None = None, side: str | None = None
    ) -> Sequence[LocalPairLock]:
        """Return the locks that hold, in the order in which they were made.

        Args:
            pair: Of this pair only; of all if None.
            now: The present if None (UTC).
            side: ``long``, ``short`` or ``*``; any if None. A lock for ``*`` holds for each of them.
        """
        moment = utc_now() if now is None else as_utc(now)
        return cls._index.holding(cls.locks, moment, pair, side)

    @classmethod
    def get_pair_longest_lock(cls, pair: str, now: datetime | None = None, side: str = ANY) -> LocalPairLock | None:
        """Return the lock of a pair that ends last, None without one."""
        locks = cls.get_pair_locks(pair, now, side)
        return max(locks, key=lambda lock: lock.lock_end_time_utc, default=None)

    @classmethod
    def unlock_pair(cls, pair: str, now: datetime | None = None, side: str = ANY) -> None:
        """Release the locks of a pair.

        Args:
            pair: Which pair.
            now: The present if None (UTC).
            side: Those that hold for ``long`` or ``short``; for ``*`` all of the pair.
        """
        cls._release(cls.get_pair_locks(pair, now, None if side == ANY else side))

    @classmethod
    def unlock_reason(cls, reason: str, now: datetime | None = None) -> None:
        """Release all locks that were made for a reason.

        Args:
            reason: As it was given.
            now: The present if None (UTC).
        """
        cls._release([lock for lock in cls.get_pair_locks(None, now) if lock.reason == cut(reason)])

    @classmethod
    def _release(cls, locks: Sequence[LocalPairLock]) -> None:
        for lock in locks:
            logger.info("Releasing %s.", str(lock))
            lock.active = False

    @classmethod
    def is_global_lock(cls, now: datetime | None = None, side: str = ANY) -> bool:
        """Tell whether all pairs are locked."""
        return bool(cls.get_pair_locks(ANY, now, side))

    @classmethod
    def is_pair_locked(cls, pair: str, now: datetime | None = None, side: str = ANY) -> bool:
        """Tell whether a pair is locked, by itself or with all others."""
        return bool(cls.get_pair_locks(pair, now, side)) or cls.is_global_lock(now, side)

    @classmethod
    def get_all_locks(cls) -> Sequence[LocalPairLock]:
        """Return every lock, those that are over or released included."""
        return list(cls.locks)
