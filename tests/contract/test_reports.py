"""What closed trades brought: sums by pair, tag and reason. Every trade here has a stake of 200."""

from datetime import timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.builders import CLOSED, closed_trade, order, store, trade, trade_with_entry
from tradestore import Order, Trade


def _best_pair(trade_filter: Any = None) -> tuple[object, ...] | None:
    best = Trade.get_best_pair(trade_filter)
    return None if best is None else tuple(best)


def _rows(report: list[dict[str, Any]], name: str) -> list[tuple[object, ...]]:
    return [(r[name], round(r["profit_ratio"], 12), r["profit_pct"], r["profit_abs"], r["count"]) for r in report]


def test_ratio_is_profit_over_stake(database) -> None:
    """Two trades of 200 that brought 20 and 40 make 60 of 400, which is 15 %."""
    store(closed_trade(profit=20.0, ratio=0.1), closed_trade(profit=40.0, ratio=0.2), trade_with_entry())
    assert Trade.get_overall_performance() == [
        {"pair": "ADA/USDT", "profit_ratio": 0.15, "profit": 15.0, "profit_pct": 15.0, "profit_abs": 60.0, "count": 2}
    ]


def test_best_profit_comes_first(database) -> None:
    """Profit in money decides, not the ratio; equal profits come by name."""
    for pair, profit in (("LOSS/USDT", -5.0), ("GOOD/USDT", 20.0), ("B/USDT", 3.0), ("A/USDT", 3.0)):
        store(closed_trade(pair=pair, profit=profit, ratio=profit / 200))
    pairs = [row["pair"] for row in Trade.get_overall_performance()]
    assert pairs == ["GOOD/USDT", "A/USDT", "B/USDT", "LOSS/USDT"]


def test_best_pair(database) -> None:
    """The row of the best pair, of all trades or of those that a filter leaves."""
    store(
        closed_trade(pair="ADA/USDT", profit=30.0, ratio=0.15),
        closed_trade(pair="ETH/USDT", profit=20.0, ratio=0.1, close_date=CLOSED + timedelta(days=1)),
        closed_trade(pair="ETH/USDT", profit=4.0, ratio=0.02, close_date=CLOSED + timedelta(days=2)),
    )
    assert _best_pair() == ("ADA/USDT", 0.15, 30.0, 1)
    assert _best_pair([Trade.close_date > CLOSED]) == ("ETH/USDT", 0.06, 24.0, 2)
    assert Trade.get_best_pair([Trade.pair == "XRP/USDT"]) is None


def test_leverage_and_shorts(database) -> None:
    """What a leveraged trade invested is its own money; a short enters by selling."""
    store(
        closed_trade(pair="LONG/USDT", profit=20.0, ratio=0.2, leverage=2.0),
        closed_trade(pair="SHORT/USDT", profit=10.0, ratio=0.25, leverage=5.0, is_short=True),
    )
    assert _rows(Trade.get_overall_performance(), "pair") == [
        ("LONG/USDT", 0.2, 20.0, 20.0, 1),
        ("SHORT/USDT", 0.25, 25.0, 10.0, 1),
    ]


def test_only_what_was_filled_counts_as_invested(database) -> None:
    """Of a cancelled entry, the part that was filled counts; the exit doesn't."""
    record = closed_trade(profit=30.0, ratio=0.1)
    record.orders.append(order(status="canceled", filled=5.0, cost=100.0))
    record.orders.append(order(status="canceled", filled=0.0, cost=0.0))
    record.orders.append(order(ft_order_side="sell", price=22.0))
    store(record)
    assert _rows(Trade.get_overall_performance(), "pair") == [("ADA/USDT", 0.1, 10.0, 30.0, 1)]


def test_since_a_date(database) -> None:
    """The date is the first that counts, in any time zone."""
    store(closed_trade(pair="ADA/USDT", profit=20.0, ratio=0.1))
    store(closed_trade(pair="ETH/USDT", profit=10.0, ratio=0.05, close_date=CLOSED - timedelta(microseconds=1)))
    for since in (CLOSED, CLOSED.replace(tzinfo=None), CLOSED.astimezone(timezone(timedelta(hours=9)))):
        assert [row["pair"] for row in Trade.get_overall_performance(since)] == ["ADA/USDT"]


def test_enter_tags(database) -> None:
    """By entry tag, of all pairs or of one."""
    store(
        closed_trade(profit=20.0, ratio=0.1, enter_tag="dip"),
        closed_trade(profit=10.0, ratio=0.05, enter_tag="dip", pair="ETH/USDT"),
        closed_trade(profit=-4.0, ratio=-0.02, enter_tag="news"),
    )
    assert _rows(Trade.get_enter_tag_performance(None), "enter_tag") == [
        ("dip", 0.075, 7.5, 30.0, 2),
        ("news", -0.02, -2.0, -4.0, 1),
    ]
    assert _rows(Trade.get_enter_tag_performance("ETH/USDT"), "enter_tag") == [("dip", 0.05, 5.0, 10.0, 1)]


def test_exit_reasons(database) -> None:
    """By exit reason, of all pairs or of one."""
    store(
        closed_trade(profit=20.0, ratio=0.1, exit_reason="roi"),
        closed_trade(profit=-30.0, ratio=-0.15, exit_reason="stop_loss"),
        closed_trade(profit=6.0, ratio=0.03, exit_reason="roi", pair="ETH/USDT"),
    )
    assert _rows(Trade.get_exit_reason_performance(None), "exit_reason") == [
        ("roi", 0.065, 6.5, 26.0, 2),
        ("stop_loss", -0.15, -15.0, -30.0, 1),
    ]
    assert _rows(Trade.get_exit_reason_performance("ETH/USDT"), "exit_reason") == [("roi", 0.03, 3.0, 6.0, 1)]


def test_three_trades_of_ten_percent_make_thirty(database) -> None:
    """The mixed tag's ratio is the sum of its trades' ratios, its percentage a hundred times that."""
    for _ in range(3):
        store(closed_trade(profit=20.0, ratio=0.1, enter_tag="dip", exit_reason="roi"))
    store(closed_trade(profit=100.0, ratio=0.5, enter_tag="dip", exit_reason="stop"))
    assert _rows(Trade.get_mix_tag_performance(None), "mix_tag") == [
        ("dip stop", 0.5, 50.0, 100.0, 1),
        ("dip roi", 0.3, 30.0, 60.0, 3),
    ]
    assert Trade.get_mix_tag_performance("ETH/USDT") == []


def test_tag_named_other_is_the_missing_tag(database) -> None:
    """Trades without a tag and trades whose tag says so are one group."""
    store(
        closed_trade(profit=20.0, ratio=0.1, enter_tag="Other", exit_reason=None),
        closed_trade(profit=40.0, ratio=0.2, enter_tag=None, exit_reason="Other"),
        closed_trade(profit=0.0, ratio=0.0),
    )
    assert _rows(Trade.get_enter_tag_performance(None), "enter_tag") == [("Other", 0.1, 10.0, 60.0, 3)]
    assert _rows(Trade.get_exit_reason_performance(None), "exit_reason") == [("Other", 0.1, 10.0, 60.0, 3)]
    assert _rows(Trade.get_mix_tag_performance(None), "mix_tag") == [("Other Other", 0.3, 30.0, 60.0, 3)]


@pytest.mark.parametrize("other", ["DIP", "dïp", "dip "])
def test_tags_differ_by_every_letter(database, other) -> None:
    """The size of a letter, an accent and a blank at the end make another group on every engine."""
    store(
        closed_trade(profit=20.0, ratio=0.1, enter_tag="dip", exit_reason="dip"),
        closed_trade(profit=10.0, ratio=0.05, enter_tag=other, exit_reason=other),
    )
    assert [row["enter_tag"] for row in Trade.get_enter_tag_performance(None)] == ["dip", other]
    assert [row["exit_reason"] for row in Trade.get_exit_reason_performance(None)] == ["dip", other]
    assert [row["mix_tag"] for row in Trade.get_mix_tag_performance(None)] == ["dip dip", f"{other} {other}"]


def test_trades_without_a_profit(database) -> None:
    """A closed trade whose profit nobody noted counts as zero, alone and among others."""
    store(closed_trade(profit=None, ratio=None, enter_tag="lost"), closed_trade(profit=20.0, ratio=0.1))
    assert _rows(Trade.get_enter_tag_performance(None), "enter_tag") == [
        ("Other", 0.1, 10.0, 20.0, 1),
        ("lost", 0.0, 0.0, 0.0, 1),
    ]
    assert _rows(Trade.get_overall_performance(), "pair") == [("ADA/USDT", 0.05, 5.0, 20.0, 2)]
    assert _rows(Trade.get_mix_tag_performance(None), "mix_tag")[1] == ("lost Other", 0.0, 0.0, 0.0, 1)
    assert Trade.get_total_closed_profit() == 20.0


def test_trades_without_entry_orders(database) -> None:
    """Trades of old databases without orders keep their profit; their ratio is unknown, and so 0."""
    store(trade(is_open=False, close_date=CLOSED, close_profit=0.1, close_profit_abs=20.0))
    assert _rows(Trade.get_overall_performance(), "pair") == [("ADA/USDT", 0.0, 0.0, 20.0, 1)]
    assert _rows(Trade.get_enter_tag_performance(None), "enter_tag") == [("Other", 0.0, 0.0, 20.0, 1)]
    assert _best_pair() == ("ADA/USDT", 0.0, 20.0, 1)


def test_filter_of_the_caller_stays_as_it_was(database) -> None:
    """A list that was handed in is read, not used."""
    store(closed_trade(profit=20.0, ratio=0.1))
    filters = [Trade.pair == "ADA/USDT"]
    kept = list(filters)
    Trade.get_best_pair(filters)
    Trade.get_trading_volume(filters)
    Trade.get_trades(filters)
    Trade.get_trades_query(filters)
    assert len(filters) == 1
    assert filters[0] is kept[0]


def test_volume_is_all_that_was_filled(database) -> None:
    """Entry 200, of a cancelled order the 80 that were filled, exit 220; what waits or failed costs nothing."""
    record = closed_trade(profit=20.0, ratio=0.1)
    record.orders.append(order(status="canceled", filled=4.0, cost=80.0))
    record.orders.append(order(ft_order_side="sell", price=22.0))
    record.orders.append(order(status="open", ft_is_open=True, filled=0.0, cost=0.0))
    record.orders.append(order(status="expired", filled=None, cost=None))
    store(record, trade_with_entry(pair="ETH/USDT"))
    assert Trade.get_trading_volume() == 700.0
    assert Trade.get_trading_volume([Trade.is_open.is_(False)]) == 500.0
    assert Trade.get_trading_volume(Trade.pair == "ETH/USDT") == 200.0


def test_volume_of_an_order_without_a_cost(database) -> None:
    """Where the exchange told no cost, it is what was filled at its price."""
    record = trade()
    record.orders.append(order(cost=None, filled=3.0, average=21.0))
    store(record)
    assert Trade.get_trading_volume() == 63.0


def test_volume_of_trades_that_are_found_by_their_orders(database) -> None:
    """A filter may ask for any order of a trade; the sum is of all that it had filled."""
    for exits in range(3):
        record = trade_with_entry()
        record.orders += [order(ft_order_side="sell", amount=1.0) for _ in range(exits)]
        store(record)
    has_exit = select(Order.id).where(Order.ft_trade_id == Trade.id, Order.ft_order_side == "sell").exists()
    filled = select(func.count(Order.id)).where(Order.ft_trade_id == Trade.id).scalar_subquery()
    assert Trade.get_trading_volume(has_exit) == 460.0
    assert Trade.get_trading_volume(Trade.orders.any(Order.ft_order_side == "sell")) == 460.0
    assert Trade.get_trading_volume([Trade.id > 1, filled == 2]) == 220.0
    assert Trade.get_trading_volume(Trade.id.in_(select(Order.ft_trade_id).where(Order.amount == 1.0))) == 460.0


def test_volume_of_some_orders(database) -> None:
    """A filter that speaks of the orders themselves chooses among those that are summed up."""
    record = trade_with_entry()
    record.orders.append(order(ft_order_side="sell", amount=1.0))
    store(record, trade_with_entry())
    assert Trade.get_trading_volume(Order.ft_order_side == "sell") == 20.0
    assert Trade.get_trading_volume([Order.ft_order_side == "buy", Trade.id == 1]) == 200.0
