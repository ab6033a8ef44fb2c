"""Trades that live in memory, as a backtest makes them."""

from collections.abc import Iterable
from datetime import timedelta, timezone
from typing import Any

import pytest

from tests.local.making import OPENED, after, make_trade
from tradestore import LocalTrade


def add(identifier: int, hours: float = 0.0, **values: Any) -> LocalTrade:
    """Take a trade into memory, opened some hours after the first, and closed two hours later if it is closed."""
    if not values.get("is_open", True):
        values.setdefault("close_date", after(hours + 2))
    trade = make_trade(id=identifier, open_date=after(hours), **values)
    LocalTrade.add_bt_trade(trade)
    return trade


def ids(trades: Iterable[LocalTrade]) -> list[int]:
    return [trade.id for trade in trades]


def close(trade: LocalTrade, profit: float | None, at: float = 5.0) -> None:
    trade.is_open, trade.close_profit_abs, trade.close_date = False, profit, after(at)
    LocalTrade.close_bt_trade(trade)


@pytest.fixture
def five():
    """Return five trades: 1 and 2 closed, 3 and 4 open in the same pair, 5 open in another."""
    return [
        add(1, 0, is_open=False, close_profit_abs=1.0),
        add(2, 1, is_open=False, pair="BTC/USDT", close_profit_abs=None),
        add(3, 2),
        add(4, 3),
        add(5, 4, pair="BTC/USDT"),
    ]


def test_nothing_at_first():
    """Memory is empty at first, also for a pair that nobody traded."""
    assert (LocalTrade.bt_trades, LocalTrade.bt_trades_open, LocalTrade.bt_open_open_trade_count) == ([], [], 0)
    assert (LocalTrade.bt_trades_open_pp["A/B"], LocalTrade.bt_total_profit) == ([], 0.0)
    assert (LocalTrade.get_open_trades(), LocalTrade.get_total_closed_profit()) == ([], 0.0)


def test_lists(five):
    """Open trades are listed together and by pair, closed ones apart."""
    assert (ids(LocalTrade.bt_trades), ids(LocalTrade.bt_trades_open)) == ([1, 2], [3, 4, 5])
    assert {pair: ids(trades) for pair, trades in LocalTrade.bt_trades_open_pp.items()} == {
        "ETH/USDT": [3, 4],
        "BTC/USDT": [5],
    }
    assert LocalTrade.bt_open_open_trade_count == LocalTrade.get_open_trade_count() == 3
    assert (ids(LocalTrade.get_open_trades()), ids(LocalTrade.get_closed_trades())) == ([3, 4, 5], [1, 2])


def test_an_instance_sees_the_lists(five):
    """The lists can be read from a trade and from a subclass as well."""

    class Tagged(LocalTrade):
        pass

    assert five[0].bt_trades_open is LocalTrade.bt_trades_open is Tagged.bt_trades_open


def test_closing(five):
    """A trade that is closed moves to the closed ones, and its profit counts."""
    close(five[2], 2.5)
    assert (ids(LocalTrade.bt_trades), ids(LocalTrade.bt_trades_open)) == ([1, 2, 3], [4, 5])
    assert ids(LocalTrade.bt_trades_open_pp["ETH/USDT"]) == [4]
    assert (LocalTrade.bt_total_profit, LocalTrade.get_open_trade_count()) == (2.5, 2)


def test_profit_is_added_exactly(five):
    """0.1 + 0.2 is 0.3, and a trade without a profit counts as 0."""
    for trade, profit in zip(five[2:], [0.1, None, 0.2], strict=True):
        close(trade, profit)
    assert LocalTrade.bt_total_profit == 0.3
    assert LocalTrade.get_total_closed_profit() == 1.3


def test_removing(five):
    """A trade whose entry was cancelled is forgotten."""
    LocalTrade.remove_bt_trade(five[3])
    assert (ids(LocalTrade.bt_trades_open), ids(LocalTrade.bt_trades_open_pp["ETH/USDT"])) == ([3, 5], [3])
    assert (ids(LocalTrade.bt_trades), LocalTrade.bt_total_profit) == ([1, 2], 0.0)


def test_reset(five):
    """After a reset nothing is left."""
    close(five[2], 2.5)
    LocalTrade.reset_trades()
    assert (LocalTrade.get_trades_proxy(), LocalTrade.bt_total_profit, LocalTrade.bt_open_open_trade_count) == (
        [],
        0.0,
        0,
    )
    assert not LocalTrade.bt_trades_open_pp


def test_trades_may_close_while_they_are_walked_over(five):
    """A loop over the open trades sees all that were open when it began."""
    seen = []
    for trade in LocalTrade.bt_trades_open:
        seen.append(trade.id)
        close(trade, 1.0)
    assert seen == [3, 4, 5]
    assert LocalTrade.bt_trades_open == []


def test_trades_of_a_pair_may_close_and_open_while_they_are_walked_over(five):
    """The same holds for the trades of one pair, and for trades that are opened meanwhile."""
    seen = []
    for trade in LocalTrade.bt_trades_open_pp["ETH/USDT"]:
        seen.append(trade.id)
        LocalTrade.remove_bt_trade(trade)
        add(trade.id + 10)
    assert seen == [3, 4]
    assert ids(LocalTrade.bt_trades_open_pp["ETH/USDT"]) == [13, 14]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"is_open": True}, [3, 4, 5]),
        ({"is_open": False}, [1, 2]),
        ({"pair": "BTC/USDT"}, [2, 5]),
        ({"pair": "BTC/USDT", "is_open": True}, [5]),
        ({"pair": "BTC/USDT", "is_open": False}, [2]),
        ({"pair": "XRP/USDT"}, []),
        # Trade 3 was opened after exactly 2 hours, trade 1 closed after 2 and trade 2 after 3.
        ({"open_date": after(2)}, [4, 5]),
        ({"open_date": after(1.9)}, [3, 4, 5]),
        ({"open_date": after(0), "is_open": False}, [2]),
        ({"open_date": after(9)}, []),
        ({"close_date": after(2)}, [2]),
        ({"close_date": after(1.9)}, [1, 2]),
        ({"close_date": after(0), "pair": "ETH/USDT"}, [1]),
        ({"close_date": after(0), "is_open": False}, [1, 2]),
        ({"close_date": after(0), "is_open": True}, []),
        ({"close_date": after(0), "open_date": after(0)}, [2]),
    ],
)
def test_proxy_filters(five, filters, found):
    """Dates are exclusive lower bounds, a close date implies closed trades, and filters add up."""
    assert ids(LocalTrade.get_trades_proxy(**filters)) == found


@pytest.mark.parametrize("field", ["open_date", "close_date"])
def test_proxy_takes_any_date(five, field):
    """A naive date is UTC, and one of another zone is the same moment."""
    moment = after(2)
    east = moment.astimezone(timezone(timedelta(hours=3)))
    filters: list[dict[str, Any]] = [{field: date} for date in (moment, moment.replace(tzinfo=None), east)]
    found = [ids(LocalTrade.get_trades_proxy(**dates)) for dates in filters]
    assert found[0] == found[1] == found[2] != []


def test_proxy_compares_trades_with_naive_dates():
    """Trades whose own dates are naive are found as well."""
    naive = OPENED.replace(tzinfo=None)
    LocalTrade.add_bt_trade(make_trade(id=1, is_open=False, open_date=naive, close_date=naive + timedelta(hours=2)))
    assert ids(LocalTrade.get_trades_proxy(open_date=after(-1), close_date=after(1))) == [1]


def test_proxy_leaves_out_closed_trades_without_a_date():
    """A closed trade whose close date is unknown wasn't closed after any date."""
    LocalTrade.add_bt_trade(make_trade(id=1, is_open=False))
    assert (ids(LocalTrade.get_trades_proxy(is_open=False)), LocalTrade.get_trades_proxy(close_date=after(-9))) == (
        [1],
        [],
    )


def test_proxy_sorts_by_id():
    """The answer comes by id, not in the order in which trades were closed."""
    for identifier in (3, 1, 2):
        add(identifier, is_open=identifier == 2)
    assert ids(LocalTrade.get_trades_proxy()) == [1, 2, 3]


@pytest.mark.parametrize("filters", [{}, {"is_open": True}, {"is_open": False}, {"pair": "ETH/USDT", "is_open": True}])
def test_proxy_gives_a_list_of_its_own(five, filters):
    """Whoever changes the answer changes nothing else."""
    LocalTrade.get_trades_proxy(**filters).clear()  # type: ignore[attr-defined]  # what a careless caller may do
    assert ids(LocalTrade.get_trades_proxy()) == [1, 2, 3, 4, 5]


def test_stakes_of_open_trades():
    """The stakes of open trades add up exactly; closed ones don't count."""
    add(1, stake_amount=0.1)
    add(2, stake_amount=0.2)
    add(3, stake_amount=9.0, is_open=False)
    assert LocalTrade.total_open_trades_stakes() == 0.3


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_trades", ()),
        ("get_trades_query", ()),
        ("get_open_trades_without_assigned_fees", ()),
        ("get_closed_trades_without_assigned_fees", ()),
        ("get_overall_performance", ()),
        ("get_enter_tag_performance", (None,)),
        ("get_exit_reason_performance", (None,)),
        ("get_mix_tag_performance", (None,)),
        ("get_best_pair", ()),
        ("get_trading_volume", ()),
    ],
)
def test_database_questions_are_refused(name, arguments):
    """A question that needs a database says so, and names what answers instead."""
    with pytest.raises(NotImplementedError, match=rf"{name}\(\) needs a database.*get_trades_proxy"):
        getattr(LocalTrade, name)(*arguments)


def test_deleting_is_refused():
    """A trade in memory can't be deleted from a database."""
    with pytest.raises(NotImplementedError, match=r"delete\(\) needs a database"):
        make_trade().delete()


def test_a_trade_is_taken_in_once():
    """Adding an open trade a second time changes nothing."""
    trade = make_trade(pair="A/B")
    LocalTrade.add_bt_trade(trade)
    LocalTrade.add_bt_trade(trade)
    assert LocalTrade.bt_trades_open == LocalTrade.bt_trades_open_pp["A/B"] == [trade]
