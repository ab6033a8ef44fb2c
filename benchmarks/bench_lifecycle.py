"""What a trade of a backtest costs, against bare objects with float formulas that go through the same events.

Both are measured side by side, in turns, and the best turn of each counts: a busy machine slows both.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tradestore import LocalOrder, LocalTrade

START = datetime(2026, 1, 1, tzinfo=UTC)
RATES = [20.0 + step / 10 for step in range(10)]
TRADES = 500
TURNS = 7


class BareOrder:
    """The fields that the events need, and nothing else."""

    __slots__ = ("amount", "date", "price", "side")

    def __init__(self, side: str, amount: float, price: float, date: datetime) -> None:
        self.side, self.amount, self.price, self.date = side, amount, price, date


class BareTrade:
    """The same events in plain floats: wrong in the last digits, and as fast as objects in Python get."""

    __slots__ = ("amount", "close_date", "fee", "high", "low", "open_rate", "orders", "pair", "profit", "stop", "value")

    def __init__(self, pair: str, fee: float) -> None:
        self.pair, self.fee, self.orders = pair, fee, []  # type: ignore[var-annotated]
        self.amount = self.open_rate = self.high = self.low = self.stop = self.value = self.profit = 0.0
        self.close_date: datetime | None = None

    def enter(self, order: BareOrder) -> None:
        self.orders.append(order)
        self.amount, self.open_rate = order.amount, order.price
        self.high = self.low = order.price
        self.value = order.amount * order.price * (1 + self.fee)
        self.move_stop(order.price, 0.1)

    def see(self, high: float, low: float) -> None:
        self.high, self.low = max(high, self.high), min(low, self.low)

    def move_stop(self, rate: float, distance: float) -> None:
        self.stop = max(self.stop, rate * (1 - distance))

    def ratio(self, rate: float) -> float:
        return round(self.amount * rate * (1 - self.fee) / self.value - 1, 8)

    def leave(self, order: BareOrder) -> None:
        self.orders.append(order)
        self.profit = round(order.amount * order.price * (1 - self.fee) - self.value, 8)
        self.close_date = order.date


def bare_lifecycle() -> float:
    """Run one trade through its events on bare objects; return its profit."""
    trade = BareTrade("ETH/USDT", 0.001)
    trade.enter(BareOrder("buy", 10.0, 20.0, START))
    for rate in RATES:
        trade.see(rate + 0.1, rate - 0.1)
        trade.move_stop(rate, 0.1)
        trade.ratio(rate)
    trade.leave(BareOrder("sell", 10.0, 21.0, START + timedelta(hours=1)))
    return trade.profit


def stored_lifecycle() -> float:
    """Run one trade through its events on the library's plain objects; return its profit."""
    trade = LocalTrade(
        pair="ETH/USDT",
        exchange="binance",
        amount=10.0,
        open_rate=20.0,
        stake_amount=200.0,
        fee_open=0.001,
        fee_close=0.001,
        open_date=START,
    )
    entry = LocalOrder(order_id="1", ft_pair="ETH/USDT", ft_order_side="buy", amount=10.0, average=20.0)
    trade.orders.append(entry)
    entry.close_bt_order(START, trade)
    trade.adjust_stop_loss(20.0, -0.1, initial=True)
    for rate in RATES:
        trade.adjust_min_max_rates(rate + 0.1, rate - 0.1)
        trade.adjust_stop_loss(rate, -0.1)
        trade.calc_profit_ratio(rate)
    leave = LocalOrder(order_id="2", ft_pair="ETH/USDT", ft_order_side="sell", amount=10.0, average=21.0)
    trade.orders.append(leave)
    leave.close_bt_order(START + timedelta(hours=1), trade)
    trade.close(21.0, show_msg=False)
    assert trade.close_profit_abs is not None
    return trade.close_profit_abs


def seconds_for(work: Callable[[], float]) -> float:
    """Return how long a number of lifecycles takes."""
    begin = time.perf_counter()
    for _ in range(TRADES):
        work()
    return time.perf_counter() - begin


def test_lifecycle_against_bare_objects(capsys: pytest.CaptureFixture[str]) -> None:
    """One entry, ten looks at profit, stop and range, one exit: the same profit on both, and what it costs."""
    assert stored_lifecycle() == bare_lifecycle()
    turns = [(seconds_for(bare_lifecycle), seconds_for(stored_lifecycle)) for _ in range(TURNS)]
    bare, stored = (min(column) / TRADES * 1e6 for column in zip(*turns, strict=True))
    with capsys.disabled():
        print(f"\nlifecycle: {stored:.1f} µs a trade, bare objects {bare:.1f} µs, ratio {stored / bare:.1f}")
