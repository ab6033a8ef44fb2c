"""How many statements a question costs: a fixed number, however many trades there are."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.builders import OPENED, order, store, trade_with_entry
from tests.contract.conftest import Watch
from tradestore import Order, Trade

READERS: dict[str, Callable[[], Sequence[Any]]] = {
    "get_open_trades": Trade.get_open_trades,
    "get_trades": lambda: Trade.get_trades(Trade.is_open.is_(True)).all(),
    "get_trades_proxy": lambda: Trade.get_trades_proxy(is_open=True),
    "get_trades_query": lambda: Trade.session.scalars(Trade.get_trades_query([Trade.is_open.is_(True)])).all(),
}


def _fill(trades: int, orders: int = 1) -> None:
    for number in range(trades):
        record = trade_with_entry(pair=f"P{number}/USDT")
        record.orders += [order(ft_pair=record.pair, ft_order_side="sell") for _ in range(orders - 1)]
        Trade.session.add(record)
    Trade.commit()
    Trade.session.remove()


def _touch(trades: Sequence[Any]) -> Any:
    """Read what a bot reads of each trade in each round."""
    return sum(
        t.stake_amount + t.nr_of_successful_entries + len(t.orders) + t.orders[0].safe_price + t.calc_profit(21.0)
        for t in trades
        if t.has_open_position and not t.has_open_orders and t.orders[0].trade is t
    )


@pytest.mark.parametrize("count", [1, 10, 700])
def test_reading_open_trades_with_orders_is_two_statements(database, statements: Watch, count) -> None:
    """One statement brings the trades, one brings all of their orders, and nothing more is asked when they are used."""
    _fill(count)
    for reader in READERS.values():
        with statements() as sent:
            trades = reader()
            assert _touch(trades) > 0
        assert len(sent) == 2, sent
        assert len(trades) == count
        Trade.session.remove()


def test_reading_trades_without_orders_is_one_statement(database, statements: Watch) -> None:
    """Whoever doesn't need the orders doesn't wait for them."""
    _fill(20, orders=3)
    with statements() as sent:
        trades = Trade.get_trades(include_orders=False).all()
        assert sum(t.stake_amount for t in trades) == 20 * 200.0
    assert len(sent) == 1


def _tick() -> None:
    """Read, change three trades and an order of each, commit, and use every trade again."""
    trades = Trade.get_open_trades()
    for record in trades[:3]:
        record.adjust_min_max_rates(25.0, 18.0)
        record.orders[0].funding_fee = -0.5
    Trade.commit()
    _touch(trades)


def test_tick_of_a_bot_costs_the_same_for_any_number_of_trades(database, statements: Watch) -> None:
    """The statements of a round don't grow with the trades that are open."""
    costs = []
    for more in (5, 195):
        _fill(more)
        _tick()
        for record in Trade.get_open_trades()[:3]:
            record.max_rate = record.orders[0].funding_fee = None
        Trade.commit()
        with statements() as sent:
            _tick()
        costs.append(len(sent))
    assert costs == [4, 4]  # Trades, orders, and one change each of trades and of orders.


def test_tick_without_a_change_only_reads(database, statements: Watch) -> None:
    """A commit of nothing sends no statement."""
    _fill(5)
    with statements() as sent:
        trades = Trade.get_open_trades()
        Trade.commit()
        _touch(trades)
    assert len(sent) == 2


def test_open_orders_with_their_trades_are_a_fixed_number(database, statements: Watch) -> None:
    """The orders that wait bring their trades along without a question for each."""
    costs = []
    for more in (3, 60):
        for number in range(more):
            record = trade_with_entry(pair=f"W{number}/USDT")
            record.orders[0].ft_is_open = True
            Trade.session.add(record)
        Trade.commit()
        Trade.session.remove()
        with statements() as sent:
            assert all(waiting.trade and waiting.trade.pair for waiting in Order.get_open_orders())
        costs.append(len(sent))
        Trade.session.remove()
    assert costs[0] == costs[1]


def test_reports_are_one_statement(database, statements: Watch) -> None:
    """Grouping and summing is the database's work."""
    store(trade_with_entry(is_open=False, close_profit=0.1, close_profit_abs=20.0))
    reports: list[Callable[[], object]] = [
        Trade.get_overall_performance,
        lambda: Trade.get_overall_performance(OPENED),
        lambda: Trade.get_enter_tag_performance(None),
        lambda: Trade.get_enter_tag_performance("ADA/USDT"),
        lambda: Trade.get_exit_reason_performance(None),
        lambda: Trade.get_exit_reason_performance("ADA/USDT"),
        lambda: Trade.get_mix_tag_performance(None),
        lambda: Trade.get_mix_tag_performance("ADA/USDT"),
        Trade.get_best_pair,
        lambda: Trade.get_best_pair([Trade.close_date >= OPENED]),
        Trade.get_trading_volume,
        lambda: Trade.get_trading_volume([Trade.close_date >= OPENED]),
        Trade.get_total_closed_profit,
        Trade.get_open_trade_count,
        Trade.total_open_trades_stakes,
    ]
    for report in reports:
        with statements() as sent:
            report()
        assert len(sent) == 1, sent
