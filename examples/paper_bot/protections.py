"""Keeping away from what has just lost: each protection looks at what closed lately, and locks pairs."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from examples.paper_bot.market import CANDLE
from tradestore import LocalTrade, PairLock, PairLocks, Trade

__all__ = ["forget_old_locks", "protect"]

_STOPS: Final = {"stoploss_on_exchange", "stop_loss", "trailing_stop_loss", "liquidation"}
_KEPT: Final = timedelta(days=1)


def protect(now: datetime, pairs: Iterable[str]) -> None:
    """Run all protections.

    Args:
        now: The market's time (UTC).
        pairs: Those of which a trade has closed since the last time.
    """
    for pair in pairs:
        PairLocks.lock_pair(pair, now + 2 * CANDLE, "cooldown", now=now)
        _low_profit(pair, now)
    _stoploss_guard(now)
    _max_drawdown(now)


def forget_old_locks(now: datetime) -> int:
    """Mark locks that ended a day ago as inactive, as nobody else does; return how many."""
    over = PairLock.session.scalars(select(PairLock).where(PairLock.active, PairLock.lock_end_time < now - _KEPT)).all()
    for lock in over:
        lock.active = False
    return len(over)


def _low_profit(pair: str, now: datetime) -> None:
    """Lock a pair that has lost in its last trades."""
    trades = Trade.get_trades_proxy(pair=pair, close_date=now - 72 * CANDLE)
    if len(trades) >= 2 and sum(trade.close_profit or 0.0 for trade in trades) < -0.05:
        PairLocks.lock_pair(pair, now + 18 * CANDLE, "low profit", now=now)


def _stoploss_guard(now: datetime) -> None:
    """Lock one side of all pairs after several stop losses."""
    trades = [t for t in Trade.get_trades_proxy(close_date=now - 24 * CANDLE) if t.exit_reason in _STOPS]
    for side in ("long", "short"):
        if sum(trade.trade_direction == side for trade in trades) >= 3:
            PairLocks.lock_pair("*", now + 6 * CANDLE, "stoploss guard", now=now, side=side)


def _max_drawdown(now: datetime) -> None:
    """Lock everything after large losses in a row."""
    trades = sorted(Trade.get_trades_proxy(close_date=now - 48 * CANDLE), key=_by_close)
    highest = sum_of_ratios = worst = 0.0
    for trade in trades:
        sum_of_ratios += trade.close_profit or 0.0
        highest = max(highest, sum_of_ratios)
        worst = max(worst, highest - sum_of_ratios)
    if len(trades) >= 4 and worst > 0.5:
        PairLocks.lock_pair("*", now + 12 * CANDLE, "max drawdown", now=now)


def _by_close(trade: LocalTrade) -> tuple[datetime, int]:
    assert trade.close_date_utc is not None
    return trade.close_date_utc, trade.id or 0
