"""The example engine within one candle: what comes first, and at which price, on stories of three or four hours.

Each story enters at 100 at the open of its second hour, without fees. A careful long on spot has its stop at 93, is
content at 106, and from 103 on its stop trails the best price at 2 %; a short is the mirror of it, three times. A bold
long has 20 times leverage: it is liquidated at 100 · (1 - 1/20 + 0.01) = 96, before its stop at 95.5.
"""

from collections.abc import Sequence
from datetime import datetime

import pytest

from examples.backtest.books import MemoryBook
from examples.backtest.candles import BEGIN, CANDLE, TIMEFRAME, Candle, History, Market
from examples.backtest.engine import Engine
from examples.backtest.settings import Settings
from examples.backtest.strategy import Advice, Entry, Strategy
from tradestore import LocalTrade, TradingMode

CAREFUL_LONG = Entry(is_short=False, tag="dip", leverage=1.0, stop_distance=0.07, stake_share=1.0)
CAREFUL_SHORT = Entry(is_short=True, tag="rally", leverage=3.0, stop_distance=0.07, stake_share=1.0)
BOLD_LONG = Entry(is_short=False, tag="breakout", leverage=20.0, stop_distance=0.045, stake_share=1.0)

Prices = tuple[float, float, float, float]
"""Open, high, low and close of an hour."""

FLAT: Prices = (100.0, 100.0, 100.0, 100.0)


def tell(monkeypatch: pytest.MonkeyPatch, entry: Entry, *hours: Prices, leave_after: int | None = None) -> LocalTrade:
    """Return the trade of a story, whose first hour is flat and advises the entry."""
    candles = [Candle(BEGIN + number * CANDLE, *prices, 1.0) for number, prices in enumerate((FLAT, *hours))]
    advice = [Advice(enter=entry), *(Advice() for _ in hours)]
    if leave_after is not None:
        advice[leave_after] = Advice(leave_long=True, leave_short=True)
    monkeypatch.setattr(Strategy, "advise", lambda *_: advice)
    mode = TradingMode.SPOT if entry is CAREFUL_LONG else TradingMode.FUTURES
    history = History(Market("ABC", 100.0, 2, 4), candles, {})
    settings = Settings(mode=mode, pairs=1, candles=len(candles), fee=0.0)
    (trade,) = Engine(settings, MemoryBook(TIMEFRAME), [history]).run().trades
    assert (trade.orders[0].average, trade.open_date_utc) == (100.0, BEGIN + CANDLE)
    return trade


def end_of(trade: LocalTrade) -> tuple[str | None, float | None, datetime | None]:
    return trade.exit_reason, trade.close_rate, trade.close_date_utc


@pytest.mark.parametrize(
    ("entry", "hour", "reason", "rate"),
    [
        pytest.param(CAREFUL_LONG, (100.0, 110.0, 90.0, 100.0), "stop_loss", 93.0, id="the stop before the profit"),
        pytest.param(CAREFUL_LONG, (92.0, 110.0, 90.0, 100.0), "stop_loss", 92.0, id="a gap beyond the stop"),
        pytest.param(CAREFUL_LONG, (100.0, 106.0, 99.0, 100.0), "roi", 106.0, id="the profit, just reached"),
        pytest.param(CAREFUL_LONG, (107.0, 109.0, 99.0, 100.0), "roi", 107.0, id="a gap beyond the profit"),
        pytest.param(CAREFUL_SHORT, (100.0, 110.0, 90.0, 100.0), "stop_loss", 107.0, id="a short's stop"),
        pytest.param(CAREFUL_SHORT, (108.0, 110.0, 90.0, 100.0), "stop_loss", 108.0, id="a gap beyond a short's stop"),
        pytest.param(CAREFUL_SHORT, (100.0, 101.0, 94.0, 100.0), "roi", 94.0, id="a short's profit"),
        pytest.param(BOLD_LONG, (100.0, 110.0, 95.0, 100.0), "liquidation", 96.0, id="liquidation before all"),
        pytest.param(BOLD_LONG, (90.0, 110.0, 85.0, 100.0), "liquidation", 96.0, id="a gap beyond the liquidation"),
    ],
)
def test_what_an_hour_ends(
    monkeypatch: pytest.MonkeyPatch, entry: Entry, hour: Prices, reason: str, rate: float
) -> None:
    trade = tell(monkeypatch, entry, FLAT, hour, FLAT)
    assert end_of(trade) == (reason, rate, BEGIN + 2 * CANDLE)


def test_the_hour_of_the_entry_may_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    trade = tell(monkeypatch, CAREFUL_LONG, (100.0, 110.0, 92.0, 100.0), FLAT)
    assert end_of(trade) == ("stop_loss", 93.0, BEGIN + CANDLE)


def test_a_stop_trails_from_the_next_hour_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """104 · 0.98 = 101.92: the low of the hour that had 104 is below it, and ends nothing."""
    trade = tell(monkeypatch, CAREFUL_LONG, FLAT, (100.0, 104.0, 99.0, 103.0), (103.0, 103.0, 101.0, 102.0))
    assert end_of(trade) == ("trailing_stop_loss", 101.92, BEGIN + 3 * CANDLE)


def test_an_exit_signal_is_followed_at_the_next_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the second hour advises happens at the open of the third."""
    trade = tell(monkeypatch, CAREFUL_LONG, FLAT, (101.0, 110.0, 90.0, 100.0), leave_after=1)
    assert end_of(trade) == ("exit_signal", 101.0, BEGIN + 2 * CANDLE)


def test_the_stop_comes_before_the_exit_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the open, what the gap has ended can't be left any more."""
    trade = tell(monkeypatch, CAREFUL_LONG, FLAT, (92.0, 110.0, 90.0, 100.0), leave_after=1)
    assert end_of(trade) == ("stop_loss", 92.0, BEGIN + 2 * CANDLE)


def test_what_is_left_over_is_closed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    trade = tell(monkeypatch, CAREFUL_LONG, FLAT, (100.0, 102.0, 99.0, 101.0))
    assert end_of(trade) == ("force_exit", 101.0, BEGIN + 3 * CANDLE)


def test_a_strategy_sees_only_hours_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it wants to change at the open of the third hour, it wants for what it saw of the second one."""
    seen: list[Candle] = []

    def buy_more(self: Strategy, trade: LocalTrade, candle: Candle) -> float:
        seen.append(candle)
        return 50.0 if len(seen) == 1 else 0.0

    monkeypatch.setattr(Strategy, "adjust_position", buy_more)
    hours: Sequence[Prices] = ((100.0, 101.0, 99.0, 100.5), (101.0, 102.0, 100.0, 101.0), FLAT)
    trade = tell(monkeypatch, CAREFUL_LONG, *hours)
    assert [(candle.date, candle.close) for candle in seen] == [
        (BEGIN + CANDLE, 100.5),
        (BEGIN + 2 * CANDLE, 101.0),
    ]
    assert (trade.orders[1].average, trade.orders[1].order_filled_utc) == (101.0, BEGIN + 2 * CANDLE)
