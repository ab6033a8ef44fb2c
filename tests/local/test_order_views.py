"""The orders of a trade, seen from many sides."""

from collections.abc import Iterable

import pytest

from tests.local.making import OPENED, after, fill, make_trade, place
from tradestore import LocalOrder

CANCELLED = {"ft_is_open": False, "status": "canceled"}


@pytest.fixture
def trade():
    """Return a trade with a filled entry, cancelled and waiting orders, and two stop-loss orders."""
    trade = make_trade(stop_loss_pct=None)
    place(trade, "buy", 10.0, 19.0, order_id="never", **CANCELLED)
    fill(trade, "buy", 10.0, 20.0, order_id="entry", order_filled_date=after(1))
    fill(trade, "sell", 2.0, 21.0, order_id="exit", order_filled_date=after(3))
    fill(trade, "sell", 4.0, 22.0, order_id="partly", status="canceled", filled=1.0, order_filled_date=after(2))
    place(trade, "stoploss", 8.0, 18.0, order_id="old stop", order_date=after(1), **CANCELLED)
    place(trade, "stoploss", 7.0, 19.0, order_id="stop", order_date=after(4))
    place(trade, "sell", 7.0, 25.0, order_id="waits")
    return trade


def ids(orders: Iterable[LocalOrder]) -> list[str | None]:
    return [order.order_id for order in orders]


def test_open_orders(trade):
    """Stop-loss orders that wait are counted apart from the others."""
    assert (ids(trade.open_orders), trade.open_orders_ids, trade.has_open_orders) == (["waits"], ["waits"], True)
    assert (ids(trade.sl_orders), ids(trade.open_sl_orders)) == (["old stop", "stop"], ["stop"])
    assert trade.has_open_sl_orders


def test_no_orders():
    """A trade without orders has none of any kind."""
    trade = make_trade()
    assert (trade.open_orders, trade.sl_orders, trade.select_filled_orders()) == ([], [], [])
    assert (trade.has_open_orders, trade.has_open_sl_orders, trade.select_order()) == (False, False, None)
    assert (trade.nr_of_successful_entries, trade.date_entry_fill_utc) == (0, None)
    assert (trade.date_last_filled_utc, trade.stoploss_last_update_utc) == (OPENED, None)


def test_filled_orders(trade):
    """Orders that ended with a fill are filled, those cancelled in part too."""
    assert ids(trade.select_filled_orders()) == ["entry", "exit", "partly"]
    assert ids(trade.select_filled_orders("sell")) == ["exit", "partly"]
    assert ids(trade.select_filled_or_open_orders()) == ["entry", "exit", "partly", "stop", "waits"]


def test_order_that_the_exchange_has_not_told_of(trade):
    """It waits, so no second one should be placed; but there is nothing to show of it yet."""
    place(trade, "buy", 1.0, 15.0, order_id="unheard", status=None)
    assert "unheard" in ids(trade.open_orders)
    assert "unheard" not in ids(trade.select_filled_or_open_orders())
    assert "unheard" not in [order["order_id"] for order in trade.to_json()["orders"]]


def test_counts(trade):
    """Entries and exits are counted by what was filled; a stop-loss fill is no exit."""
    fill(trade, "stoploss", 1.0, 18.0)
    assert (trade.nr_of_successful_entries, trade.nr_of_successful_exits) == (1, 2)
    assert (trade.nr_of_successful_buys, trade.nr_of_successful_sells) == (1, 2)


@pytest.mark.parametrize("filled", [None, 0.0])
def test_cancelled_entries(trade, filled):
    """An entry that was cancelled without a fill counts, whether that is told as 0 or not at all."""
    place(trade, "buy", 1.0, 15.0, filled=filled, **CANCELLED)
    place(trade, "buy", 1.0, 15.0, filled=0.5, **CANCELLED)
    assert trade.fully_canceled_entry_order_count == 2


def test_cancelled_exits(trade):
    """An exit that was cancelled after a partial fill counts as cancelled."""
    place(trade, "sell", 1.0, 30.0, **CANCELLED)
    assert trade.canceled_exit_order_count == trade.get_canceled_exit_order_count() == 2


def test_dates(trade):
    """The last fill is the latest, the entry's fill the first of its side, the stop's date the waiting one's."""
    assert (trade.date_last_filled_utc, trade.date_entry_fill_utc) == (after(3), after(1))
    assert trade.stoploss_last_update_utc == after(4)


def test_last_fill_is_never_before_the_open_date():
    """A fill dated before the trade was opened doesn't count."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0, order_filled_date=after(-1))
    assert trade.date_last_filled_utc == OPENED


def test_filled_orders_without_a_date():
    """Where no fill has a date, the trade's open date stands in."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0, order_filled_date=None)
    assert (trade.date_last_filled_utc, trade.date_entry_fill_utc) == (OPENED, None)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), "waits"),
        (("buy",), "entry"),
        (("sell", False), "partly"),
        (("stoploss", True), "stop"),
        (("stoploss", False), "old stop"),
        (("stoploss", False, True), None),
        ((None, False, True), "partly"),
        (("buy", True), None),
    ],
)
def test_select_order(trade, arguments, found):
    """The latest order that matches side, state and fill is found."""
    order = trade.select_order(*arguments)
    assert (order.order_id if order else None) == found


def test_select_by_id(trade):
    """An order is found by the exchange's id."""
    assert trade.select_order_by_order_id("exit") is trade.orders[2]
    assert trade.select_order_by_order_id("unknown") is None


def test_update_order(trade):
    """A trade updates the one of its orders that an answer is about."""
    trade.update_order({"id": "waits", "status": "closed", "filled": 7.0})
    assert (trade.orders[-1].status, trade.has_open_orders) == ("closed", False)
