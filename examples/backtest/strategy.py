"""What to trade and when: signals from moving averages, and rules for what is open.

A strategy knows nothing of books, databases and fills. It sees candles that are over, and copies of trades.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from examples.backtest.candles import Candle
from tradestore import LocalTrade

FAST: Final = 6
SLOW: Final = 24
CAREFUL: Final = frozenset({"dip", "rally"})
"""Tags of trades that may grow."""


@dataclass(frozen=True)
class Entry:
    """What a new trade should look like.

    Attributes:
        is_short: Whether to sell first.
        tag: Why.
        leverage: How many times the own money; 1.0 on spot.
        stop_distance: How far the price may go against the trade (0.06 is 6 %).
        stake_share: How much of the usual stake it is worth.
    """

    is_short: bool
    tag: str
    leverage: float
    stop_distance: float
    stake_share: float


@dataclass(frozen=True)
class Advice:
    """What a candle that is over says about the next one."""

    enter: Entry | None = None
    leave_long: bool = False
    leave_short: bool = False

    def leaves(self, trade: LocalTrade) -> bool:
        """Tell whether a trade should be left."""
        return self.leave_short if trade.is_short else self.leave_long


class Strategy:
    """Buys dips and breakouts, sells rallies and breakdowns where shorts are allowed."""

    name = "swings"
    minimal_roi = (
        (timedelta(hours=48), 0.005),
        (timedelta(hours=18), 0.035),
        (timedelta(0), 0.06),
    )
    """The profit ratio, before leverage, with which a trade of some age is content; the oldest age first."""
    trailing_offset = 0.03
    trailing_distance = 0.02
    """Once the best price is 3 % better than the open rate, the stop follows it at 2 %."""
    further_entries = 2
    entry_distance = 0.025
    partial_exit_at = 0.022

    def __init__(self, *, can_short: bool, most_leverage: float) -> None:
        """Prepare a strategy for a kind of market."""
        self._can_short = can_short
        self._most_leverage = most_leverage

    def advise(self, candles: Sequence[Candle]) -> list[Advice]:
        """Return the advice of each candle, which knows that candle and those before it, and none after it."""
        closes = [candle.close for candle in candles]
        fast, slow = _averages(closes, FAST), _averages(closes, SLOW)
        return [Advice()] * SLOW + [
            Advice(
                enter=self._entry(closes[number - SLOW : number], closes[number], slow[number]),
                leave_long=fast[number] < slow[number] and fast[number - 1] >= slow[number - 1],
                leave_short=fast[number] > slow[number] and fast[number - 1] <= slow[number - 1],
            )
            for number in range(SLOW, len(closes))
        ]

    def content_with(self, age: timedelta, leverage: float) -> float:
        """Return the profit ratio, with leverage, at which a trade of an age is closed."""
        return next(ratio for since, ratio in self.minimal_roi if age >= since) * leverage

    def adjust_position(self, trade: LocalTrade, candle: Candle) -> float:
        """Return by how much own money a trade should grow, in stake currency; less than 0 for a partial exit.

        Args:
            trade: A copy.
            candle: The last one that is over.
        """
        gain = gain_of(trade, candle.close)
        entries = trade.nr_of_successful_entries
        if trade.enter_tag in CAREFUL and entries <= self.further_entries and gain < -self.entry_distance * entries:
            return trade.stake_amount / entries
        if gain > self.partial_exit_at and not trade.nr_of_successful_exits:
            return -trade.stake_amount / 2
        return 0.0

    def _entry(self, before: Sequence[float], close: float, average: float) -> Entry | None:
        if close < average * 0.965:
            return self._careful("dip", is_short=False)
        if close > max(before) * 1.006:
            return self._bold("breakout", is_short=False)
        if self._can_short and close > average * 1.035:
            return self._careful("rally", is_short=True)
        if self._can_short and close < min(before) * 0.994:
            return self._bold("breakdown", is_short=True)
        return None

    def _careful(self, tag: str, *, is_short: bool) -> Entry:
        """Return an entry that is left well before it would be liquidated."""
        leverage = min(3.0, self._most_leverage)
        return Entry(is_short=is_short, tag=tag, leverage=leverage, stop_distance=0.07, stake_share=1.0)

    def _bold(self, tag: str, *, is_short: bool) -> Entry:
        """Return a small entry whose stop lies beyond the price at which twenty times leverage is liquidated."""
        leverage = min(20.0, self._most_leverage)
        return Entry(is_short=is_short, tag=tag, leverage=leverage, stop_distance=0.045, stake_share=0.2)


def gain_of(trade: LocalTrade, price: float) -> float:
    """Return by which ratio a price is better than the open rate (0.01 is 1 %), without leverage and fees."""
    change = price / trade.open_rate - 1.0
    return -change if trade.is_short else change


def _averages(closes: Sequence[float], length: int) -> list[float]:
    """Return for each price the average of the last ones up to it."""
    return [sum(window := closes[max(0, end - length) : end]) / len(window) for end in range(1, len(closes) + 1)]
