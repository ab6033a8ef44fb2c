"""Pair locks without a database: the rule by which a lock holds, and locks that live in memory."""

from datetime import datetime
from typing import Any, Final

from tradestore._clock import as_utc, to_milliseconds, to_text
from tradestore._record import CutText, PlainRecord

__all__ = ["ANY", "LocalPairLock"]

ANY: Final = "*"
"""As a side: both sides. As a pair: every pair."""


class LocalPairLock(PlainRecord):
    """A pair that must not be entered until a time.

    A lock for side ``*`` holds for both sides. Dates are UTC.
    """

    id: int | None = None
    pair: str
    side: str = ANY
    reason: str | None = CutText()  # type: ignore[assignment]  # a descriptor stands for its value
    lock_time: datetime
    lock_end_time: datetime
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
        return (
            f"PairLock(id={self.id}, pair={self.pair}, side={self.side}, lock_time={to_text(self.lock_time_utc)}, "
            f"lock_end_time={to_text(self.lock_end_time_utc)}, reason={self.reason}, active={self.active})"
        )
