"""When to keep away: pair locks after exits, made from what the book knows of closed trades."""

from datetime import datetime, timedelta
from math import fsum
from typing import Final

from examples.backtest.books import Book
from tradestore import ExitType, LocalTrade

COOLDOWN: Final = timedelta(hours=2)
GUARD_WINDOW: Final = timedelta(hours=72)
GUARD_STOPS: Final = 2
GUARD_LOCK: Final = timedelta(hours=24)
DRAWDOWN_WINDOW: Final = timedelta(hours=24)
DRAWDOWN_RATIO: Final = 0.08
DRAWDOWN_LOCK: Final = timedelta(hours=12)

_STOPS: Final = frozenset({ExitType.STOP_LOSS.value, ExitType.LIQUIDATION.value})


def lock_after_exit(book: Book, trade: LocalTrade, moment: datetime, balance: float) -> None:
    """Lock what should be left alone after a trade was closed.

    - A pair rests for two hours after each trade.
    - A side of a pair that was stopped out twice within three days rests for a day.
    - All pairs rest for half a day once a day has cost 8 % of the balance.

    Args:
        book: Where trades and locks are.
        trade: That was closed just now.
        moment: When (UTC).
        balance: Of which a loss is a ratio, in stake currency.
    """
    locks, closed_trades = book.locks, book.trade_class.get_trades_proxy
    locks.lock_pair(trade.pair, moment + COOLDOWN, "cooldown", now=moment)

    if trade.exit_reason in _STOPS:
        recent = closed_trades(pair=trade.pair, is_open=False, close_date=moment - GUARD_WINDOW)
        stops = sum(t.exit_reason in _STOPS and t.is_short == trade.is_short for t in recent)
        if stops >= GUARD_STOPS:
            locks.lock_pair(
                trade.pair, moment + GUARD_LOCK, "stopped out too often", now=moment, side=trade.trade_direction
            )

    if (trade.close_profit_abs or 0.0) < 0.0:
        recent = closed_trades(is_open=False, close_date=moment - DRAWDOWN_WINDOW)
        if fsum(t.close_profit_abs or 0.0 for t in recent) < -DRAWDOWN_RATIO * balance:
            locks.lock_pair("*", moment + DRAWDOWN_LOCK, "lost too much in a day", now=moment)
