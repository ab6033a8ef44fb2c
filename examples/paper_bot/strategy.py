"""What to buy and when to leave. Each callback gets a copy of the trade, so that it can break nothing."""

from datetime import datetime
from typing import Final, NamedTuple

from examples.paper_bot.market import Market
from tradestore import CustomDataWrapper, LocalTrade

__all__ = ["Signal", "Strategy"]

_MEAN_CANDLES: Final = 12
_MOST_ENTRIES: Final = 3
_OLD_CANDLES: Final = 40
_UNLUCKY: Final = 3


class Signal(NamedTuple):
    """A reason to enter."""

    is_short: bool
    tag: str
    is_urgent: bool

    @property
    def side(self) -> str:
        return "short" if self.is_short else "long"


class Strategy:
    """Buys what fell below its mean, sells short what rose above it, and adds to what goes on falling.

    Attributes:
        name: For the trades.
        stoploss: The first stop loss, a ratio of the stake.
    """

    name = "MeanReversion"
    stoploss = -0.03

    def __init__(self, market: Market) -> None:
        self._market = market

    def entry_signal(self, pair: str, number: int) -> Signal | None:
        """Look at the candles of a pair."""
        close = self._market.candle(pair, number).close
        distance = close / self._market.average(pair, number, _MEAN_CANDLES) - 1
        if abs(distance) > 0.1:
            return None  # Nobody knows what that is.
        if distance < -0.008:
            return Signal(is_short=False, tag="deep dip" if distance < -0.014 else "dip", is_urgent=distance < -0.014)
        if distance > 0.01 and self._market.pairs[pair].is_futures:
            return Signal(is_short=True, tag="overbought", is_urgent=False)
        return None

    def confirm_trade_entry(self, pair: str, signal: Signal) -> bool:
        """Refuse one entry after some losses in a row, which it remembers for each pair."""
        known = CustomDataWrapper.get_custom_data(pair=pair)
        if known.get("losses in a row", 0) >= _UNLUCKY:
            CustomDataWrapper.save_custom_data(pair=pair, data={"losses in a row": 0})
            return False
        CustomDataWrapper.save_custom_data(pair=pair, data={"last signal": signal.tag})
        return True

    def order_filled(self, trade: LocalTrade) -> None:
        """Note where the trade should end: the more entries, the sooner."""
        trade.set_custom_data("target", 0.03 / trade.nr_of_successful_entries * (trade.leverage or 1.0))
        trade.set_custom_data("fills", [order.order_id for order in trade.select_filled_orders()])

    def trade_closed(self, trade: LocalTrade) -> None:
        """Count losses in a row of the pair."""
        known = CustomDataWrapper.get_custom_data(pair=trade.pair)
        losses = known.get("losses in a row", 0) + 1 if (trade.close_profit_abs or 0.0) < 0 else 0
        CustomDataWrapper.save_custom_data(pair=trade.pair, data={"losses in a row": losses})

    def custom_stoploss(self, trade: LocalTrade, profit: float) -> float | None:
        """Return how far below the rate the stop loss is to be, as a ratio of the stake; None leaves it."""
        leverage = trade.leverage or 1.0
        return -0.01 * leverage if profit > 0.012 * leverage else None

    def custom_exit(self, trade: LocalTrade, now: datetime, profit: float) -> str | None:
        """Return why to leave, None to stay."""
        if profit > 0.008 and profit >= trade.get_custom_data("target", default=1.0):
            return "target"
        age = now - trade.open_date_utc
        return "too old" if age.total_seconds() > _OLD_CANDLES * 300 and profit > -0.01 else None

    def adjust_trade_position(self, trade: LocalTrade, profit: float) -> float | None:
        """Return the stake to add, or below 0 to take out; None changes nothing."""
        leverage = trade.leverage or 1.0
        if profit < -0.02 * leverage and trade.nr_of_successful_entries < _MOST_ENTRIES:
            return (trade.max_stake_amount or trade.stake_amount) / trade.nr_of_successful_entries
        if profit > 0.012 * leverage and not trade.nr_of_successful_exits:
            return -trade.stake_amount / 2
        return None
