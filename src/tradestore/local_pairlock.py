"""Pair locks without a database: the rule by which a lock holds, and locks that live in memory."""

from bisect import bisect_right, insort
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from tradestore._clock import as_utc, moment_to_json, to_milliseconds, to_text
from tradestore._record import CutText, PlainRecord

__all__ = ["ANY", "LocalPairLock", "LockIndex"]

ANY: Final = "*"
"""As a side: both sides. As a pair: every pair."""


_NOT_GIVEN: Any = None
"""What a lock has where nobody has said it, though it holds nothing without it."""


class LocalPairLock(PlainRecord):
    """A pair that must not be entered until a time.

    A lock for side ``*`` holds for both sides. Dates are UTC.
    """

    id: int | None = None
    pair: str = _NOT_GIVEN
    side: str = ANY
    reason: str | None = CutText()  # type: ignore[assignment]  # a descriptor stands for its value
    lock_time: datetime = _NOT_GIVEN
    lock_end_time: datetime = _NOT_GIVEN
    active: bool = True

    @property
    def lock_time_utc(self) -> datetime:
        """When the lock began, with its zone."""
        return as_utc(self.lock_time)

    @property
    def lock_end_time_utc(self) -> datetime:
        """When the lock ends, with its zone."""
        return as_utc(self.lock_end_time)

    def holds(self, now: datetime, pair: str | None = None, side: str | None = None) -> bool:
        """Tell whether the lock is active and not over, for a pair and side if given.

        Args:
            now: An aware datetime.
            pair: Any if None.
            side: ``long``, ``short`` or ``*``; any if None. A lock for ``*`` holds for each of them.
        """
        return (
            self.active
            and self.lock_end_time_utc > now
            and (pair is None or self.pair == pair)
            and (side is None or self.side in {side, ANY})
        )

    def to_json(self) -> dict[str, Any]:
        """Return the lock as JSON-ready values."""
        return {
            "id": self.id,
            "pair": self.pair,
            "lock_time": to_text(self.lock_time_utc),
            "lock_timestamp": to_milliseconds(self.lock_time),
            "lock_end_time": to_text(self.lock_end_time_utc),
            "lock_end_timestamp": to_milliseconds(self.lock_end_time),
            "reason": self.reason,
            "side": self.side,
            "active": self.active,
        }

    def __repr__(self) -> str:
        """Return the lock in one line."""
        begin, end = moment_to_json(self.lock_time)[0], moment_to_json(self.lock_end_time)[0]
        return (
            f"PairLock(id={self.id}, pair={self.pair}, side={self.side}, lock_time={begin}, "
            f"lock_end_time={end}, reason={self.reason}, active={self.active})"
        )


_Entry = tuple[datetime, int, LocalPairLock]
"""When a lock ends, the how manieth it is, and the lock."""

_END, _NUMBER = itemgetter(0), itemgetter(1)


class LockIndex:
    """Finds the locks that hold among all that were ever made, at the cost of the answer.

    It follows a list that others own: what was appended since it last looked is taken in, and a list that was
    replaced, shortened or filled anew is read from its start. A lock's pair, side and end stay as they were made.
    """

    def __init__(self) -> None:
        """Start without locks."""
        self._locks: list[LocalPairLock] = []
        self._known = 0
        self._first: LocalPairLock | None = None
        self._last: LocalPairLock | None = None
        self._by_pair: dict[str, dict[str, list[_Entry]]] = {}
        self._latest: dict[tuple[object, ...], LocalPairLock] = {}

    def holding(
        self, locks: list[LocalPairLock], now: datetime, pair: str | None, side: str | None
    ) -> list[LocalPairLock]:
        """Return the locks that hold, in the order in which they were made; see :meth:`LocalPairLock.holds`."""
        self._follow(locks)
        found: list[_Entry] = []
        for by_side in self._by_pair.values() if pair is None else [self._by_pair.get(pair, {})]:
            for ends in by_side.values() if side is None else [by_side[s] for s in {side, ANY} if s in by_side]:
                found += ends[bisect_right(ends, now, key=_END) :]
        return [lock for _, _, lock in sorted(found, key=_NUMBER) if lock.holds(now, pair, side)]

    def same(self, locks: list[LocalPairLock], wanted: LocalPairLock) -> LocalPairLock | None:
        """Return the active lock with the same pair, side, reason and end, None without one."""
        self._follow(locks)
        known = self._latest.get(_identity(wanted))
        return known if known is not None and known.active else None

    def _follow(self, locks: list[LocalPairLock]) -> None:
        if (
            locks is not self._locks
            or len(locks) < self._known
            or (self._known and (locks[0] is not self._first or locks[self._known - 1] is not self._last))
        ):
            self._locks, self._known = locks, 0
            self._by_pair.clear()
            self._latest.clear()
        for number in range(self._known, len(locks)):
            lock = locks[number]
            entry = (lock.lock_end_time_utc, number, lock)
            insort(self._by_pair.setdefault(lock.pair, {}).setdefault(lock.side, []), entry, key=_END)
            self._latest[_identity(lock)] = lock
        self._known = len(locks)
        if locks:
            self._first, self._last = locks[0], locks[-1]


def _identity(lock: LocalPairLock) -> tuple[object, ...]:
    return lock.pair, lock.side, lock.reason, lock.lock_end_time_utc
