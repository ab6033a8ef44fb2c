"""What the hot paths of a backtest cost, counted in calls of Python functions: a regression fails without a stopwatch.

A budget is what the path needs today and a little more. Whoever makes a path dearer raises its budget here, in sight.
"""

import copy
import gc
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from types import FrameType
from typing import Any

import pytest

from tests.local.making import fill, make_trade, place
from tradestore import FtNoDBContext, LocalOrder, LocalTrade, PairLocks

START = datetime(2026, 1, 1, tzinfo=UTC)


def calls_of(work: Callable[[], Any]) -> int:
    """Return how many Python functions are called, once all that is remembered between calls has been."""
    work()
    count = 0

    def note(frame: FrameType, event: str, _: Any) -> None:
        nonlocal count
        count += event == "call"

    gc.disable()  # What others left behind would call its finalizers in between.
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count - 1


def open_trade(entries: int = 1, **values: Any) -> LocalTrade:
    """Return an open trade with a stop loss and filled entries."""
    trade = make_trade(stop_loss_pct=-0.1, **values)
    for _ in range(entries):
        fill(trade, "buy", 10.0, 20.0)
    trade.adjust_stop_loss(20.0, -0.1, initial=True)
    return trade


@pytest.mark.parametrize("mode", ["spot", "futures"])
def test_a_profit_costs_two_calls(mode):
    """A profit or its ratio is one formula on floats, with funding as without."""
    trade = open_trade(trading_mode=mode)
    assert calls_of(lambda: trade.calc_profit_ratio(21.37)) <= 2
    assert calls_of(lambda: trade.calc_profit(21.37)) <= 2


@pytest.mark.parametrize(("precision", "budget"), [(None, 3), (0.01, 6)])
def test_a_moving_stop_costs_few_calls(precision, budget):
    """A stop that moves is one product, and one more step where prices have steps."""
    trade = open_trade(price_precision=precision, precision_mode=4)
    rates = iter((20.5, 20.71))
    assert calls_of(lambda: trade.adjust_stop_loss(next(rates), -0.1)) <= budget
    assert calls_of(lambda: trade.adjust_min_max_rates(22.0, 19.0)) <= 1


def test_a_recalculation_is_one_loop():
    """However many orders a trade has, a recalculation calls the same few functions."""
    few, many = (calls_of(open_trade(entries).recalc_trade_from_orders) for entries in (10, 110))
    assert many == few <= 19


def test_a_copy_is_one_loop():
    """However many orders a trade has, a deep copy calls the same few functions: fields are copied at once."""
    few, many = (open_trade(entries) for entries in (10, 110))
    calls = [calls_of(partial(copy.deepcopy, trade)) for trade in (few, many)]
    assert calls[0] == calls[1] <= 5


@pytest.mark.parametrize(("entries", "budget"), [(1, 128), (3, 182)])
def test_a_lifecycle_keeps_its_budget(entries, budget):
    """Entries, ten looks at profit, stop and range, and the exit."""

    def live() -> None:
        trade = make_trade(open_date=START)
        for entry in range(entries):
            order = place(trade, "buy", 10.0, 20.0 + entry)
            order.close_bt_order(START, trade)
        trade.adjust_stop_loss(20.0, -0.1, initial=True)
        for step in range(10):
            trade.adjust_min_max_rates(20.1 + step, 19.9)
            trade.adjust_stop_loss(20.0 + step / 10, -0.1)
            trade.calc_profit_ratio(20.0 + step / 10)
        order = place(trade, "sell", trade.amount, 21.0)
        order.close_bt_order(START + timedelta(hours=1), trade)
        trade.close(21.0, show_msg=False)

    assert calls_of(live) <= budget


def test_making_an_order_costs_two_calls():
    """An order takes its fields in one go, but for texts that may have to be cut."""
    assert calls_of(lambda: LocalOrder(order_id="1", ft_order_side="buy", amount=1.0, price=2.0, status="open")) <= 2


@pytest.fixture
def history(request):
    """A backtest with a number of closed trades and locks, most of them long ago; each answer has the same size."""
    with FtNoDBContext("5m"):
        LocalTrade.reset_trades()
        PairLocks.reset_locks()
        for number in range(request.param):
            begin = START + timedelta(minutes=5 * number)
            end = begin + timedelta(minutes=5)
            LocalTrade.add_bt_trade(make_trade(id=number + 1, open_date=begin, is_open=False, close_date=end))
            PairLocks.lock_pair("ETH/USDT", end, now=begin, side="long")
        yield START + timedelta(minutes=5 * (request.param - 3))
        LocalTrade.reset_trades()
        PairLocks.reset_locks()


@pytest.mark.parametrize("history", [100, 3000], indirect=True)
def test_questions_cost_the_answer_and_not_the_history(history):
    """What closed lately, and whether a pair is locked, is found with the same calls in a long history."""
    asked = {"pair": "ETH/USDT", "is_open": False, "close_date": history}
    assert len(LocalTrade.get_trades_proxy(**asked)) == 3
    assert calls_of(lambda: LocalTrade.get_trades_proxy(**asked)) <= 10
    assert PairLocks.is_pair_locked("ETH/USDT", history, "long")
    assert calls_of(lambda: PairLocks.is_pair_locked("ETH/USDT", history, "long")) <= 30
    assert calls_of(LocalTrade.get_open_trade_count) <= 3
