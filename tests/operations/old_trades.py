"""A store with trades of several days, and the reports that must not notice when the old ones are archived."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from tests.builders import closed_trade, order, store, trade_with_entry
from tradestore import Trade, TradingMode

__all__ = ["BEFORE", "OLD", "fill", "reports", "rows_of_trades"]

FIRST = datetime(2025, 1, 1, 12, tzinfo=UTC)
BEFORE = datetime(2025, 2, 1, tzinfo=UTC)
"""Trades 1 to 9 were closed before it; 10 to 12 later, 13 is open."""
OLD = list(range(1, 10))

_PROFITS = (20.12345678, -3.1, 0.00000001, 7.7, -12.34567891, 100.0, 0.1, 0.2, 0.3, 4.0, -5.0, 6.0)
_PAIRS = ("ADA/USDT", "ETH/USDT", "XRP/USDT")
_TAGS = ("dip", None, "news é")
_REASONS = ("roi", "stop_loss", None, "exit_signal")


def fill() -> None:
    """Store the trades with orders and custom data in the open store."""
    for number, profit in enumerate(_PROFITS, start=1):
        closed = FIRST + timedelta(days=2 * number if number <= len(OLD) else 100 + number)
        is_short = number % 4 == 0
        one = closed_trade(
            pair=_PAIRS[number % 3],
            profit=profit,
            ratio=profit / 200,
            enter_tag=_TAGS[number % 3],
            exit_reason=_REASONS[number % 4],
            is_short=is_short,
            leverage=3.0 if number % 5 == 0 else 1.0,
            trading_mode=TradingMode.FUTURES if is_short else TradingMode.SPOT,
            open_date=closed - timedelta(hours=3),
            close_date=closed,
        )
        leave = order(ft_order_side="buy" if is_short else "sell", ft_pair=one.pair, price=21.0, cost=None)
        one.orders.append(leave)
        store(one)
        one.set_custom_data("level", {"number": number})
    store(trade_with_entry(open_date=FIRST + timedelta(days=300)))
    Trade.session.remove()


def reports() -> dict[str, Any]:
    """Return what all reports say of everything."""
    found = {
        "profit": Trade.get_total_closed_profit(),
        "pairs": Trade.get_overall_performance(),
        "pairs since": Trade.get_overall_performance(datetime(2025, 1, 10, tzinfo=UTC)),
        "tags": Trade.get_enter_tag_performance(None),
        "tags of a pair": Trade.get_enter_tag_performance("ETH/USDT"),
        "reasons": Trade.get_exit_reason_performance(None),
        "reasons of a pair": Trade.get_exit_reason_performance("ETH/USDT"),
        "mix": Trade.get_mix_tag_performance(None),
        "mix of a pair": Trade.get_mix_tag_performance("ETH/USDT"),
        "best": Trade.get_best_pair()._asdict(),  # type: ignore[union-attr]
        "volume": Trade.get_trading_volume(),
    }
    Trade.session.remove()
    return {name: _rounded(value) for name, value in found.items()}


def rows_of_trades() -> list[int]:
    """Return the ids of the trades that are in the open store."""
    found = [*Trade.session.scalars(select(Trade.id).order_by(Trade.id))]
    Trade.session.remove()
    return found


def _rounded(value: Any) -> Any:
    """Ratios are not rounded by reports, and the order of adding shows in their last digit."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 12) if isinstance(value, float) else value
