"""What a backtest did to the cash, counted again with fractions from the fills and the candles alone.

Nothing of the library's arithmetic is used: a buy takes the value of its coins and the fee, a sale brings the value
less the fee, funding is a ratio of what was held, and interest a ratio of what was borrowed for each hour begun.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from fractions import Fraction

from examples.backtest.candles import History
from examples.backtest.settings import Settings
from tradestore import LocalOrder, LocalTrade

HALF_A_UNIT = Fraction(1, 2 * 10**8)
"""How far a number with eight decimals may be from the exact one."""


def exact(number: float | None) -> Fraction:
    """Return what the shortest text of a float says."""
    assert number is not None
    return Fraction(repr(float(number)))


class Ledger:
    """The cash of one trade.

    Attributes:
        coins: Held; below 0 what a short owes.
        cash: In stake currency: what came in, less what went out.
        roundings: How many numbers of the trade were rounded to eight decimals on the way.
    """

    def __init__(self, trade: LocalTrade, settings: Settings, history: History) -> None:
        """Replay all orders of a trade."""
        self.coins = self.cash = Fraction(0)
        self.roundings = 0
        self._trade, self._settings, self._history = trade, settings, history
        self._held = self._cost = Fraction(0)
        for order in trade.orders:
            self._replay(order)
        if settings.is_futures:
            self._pay_funding(trade.orders)

    def _replay(self, order: LocalOrder) -> None:
        amount, price, fee = exact(order.filled), exact(order.average), exact(self._settings.fee)
        sign = 1 if order.side == "buy" else -1
        self.coins += sign * amount
        self.cash -= sign * amount * price + amount * price * fee
        if order.side == self._trade.entry_side:
            self._held, self._cost = self._held + amount, self._cost + amount * price
            return
        self.roundings += 1  # The profit of an exit.
        average = self._cost / self._held
        if self._settings.is_margin:
            self._pay_interest(order, amount, price, average)
        self._held, self._cost = self._held - amount, self._cost - amount * average

    def _pay_interest(self, order: LocalOrder, amount: Fraction, price: Fraction, average: Fraction) -> None:
        assert order.order_filled_utc
        seconds = int((order.order_filled_utc - self._trade.open_date_utc).total_seconds())
        share = exact(self._settings.interest_rate) * -(-seconds // 3600) / 24
        leverage, fee = exact(self._trade.leverage), exact(self._settings.fee)
        if self._trade.is_short:
            self.cash -= amount * share * price * (1 + fee)  # Coins that have to be bought, too.
        else:
            self.cash -= amount * average * (leverage - 1) / leverage * share

    def _pay_funding(self, orders: Iterable[LocalOrder]) -> None:
        opens = {candle.date: candle.open for candle in self._history.candles}
        for moment, rate in self._history.funding.items():
            held = _held_before(orders, moment)
            # Who holds coins pays where the rate is positive, and who owes coins receives.
            self.cash -= held * exact(opens[moment]) * exact(rate)
            self.roundings += held != 0


def _held_before(orders: Iterable[LocalOrder], moment: datetime) -> Fraction:
    """Return the coins of all orders that were filled before a moment: at the moment itself, funding comes first."""
    signs = {"buy": 1, "sell": -1}
    return sum(
        (signs[str(o.side)] * exact(o.filled) for o in orders if o.order_filled_utc and o.order_filled_utc < moment),
        Fraction(0),
    )


def ledgers(trades: Iterable[LocalTrade], settings: Settings, histories: Mapping[str, History]) -> list[Ledger]:
    """Return the ledger of each trade."""
    return [Ledger(trade, settings, histories[trade.pair]) for trade in trades]
