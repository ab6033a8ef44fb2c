"""What a trade makes of each of its orders."""

import pytest

from tests.local.making import after, fill, make_trade, place


@pytest.mark.parametrize("side", ["buy", "sell", "stoploss"])
@pytest.mark.parametrize(
    "values",
    [
        {"status": "open", "filled": 4.0},
        {"status": "canceled", "ft_is_open": False, "filled": 0.0},
        {"status": "canceled", "ft_is_open": False, "filled": None},
        {"status": "closed", "ft_is_open": False, "filled": 4.0, "price": None},
    ],
    ids=["waits", "cancelled", "cancelled without a number", "no price"],
)
def test_an_order_that_did_nothing_changes_nothing(side, values):
    """An order that waits, that ended without a fill, or that has no price leaves the trade as it is."""
    trade = make_trade(trading_mode="futures")
    fill(trade, "buy", 10.0, 20.0)
    trade.set_funding_fees(-1.5)
    before = dict(vars(trade))
    order = place(trade, side, 10.0, **{"price": 18.0} | values)
    trade.update_trade(order)
    assert vars(trade) == before | {"orders": trade.orders}
    assert order.funding_fee is None


def test_a_cancelled_first_entry_leaves_the_plan():
    """A first entry that was cancelled unfilled leaves amount and value as they were planned."""
    trade = make_trade()
    trade.update_trade(place(trade, "buy", 10.0, 21.0, status="canceled", ft_is_open=False))
    assert (trade.amount, trade.open_rate, trade.open_trade_value) == (10.0, 20.0, 200.2)


@pytest.mark.parametrize("side", ["hold", None])
def test_unknown_side_is_refused(side):
    """A filled order of another side is refused by name, and leaves the trade as it is."""
    trade = make_trade(funding_fee_running=1.0)
    before = dict(vars(trade))
    order = place(trade, "buy", 10.0, 20.0, ft_order_side=side, filled=10.0, ft_is_open=False, status="closed")
    with pytest.raises(ValueError, match="Unknown order type: limit"):
        trade.update_trade(order)
    assert vars(trade) == before | {"orders": [order]}


def test_without_a_database_nothing_is_committed():
    """Neither an order's fill, nor an update, nor a commit needs a session in memory."""
    trade = make_trade()
    order = fill(trade, "buy", 10.0, 20.0)
    order.update_orders([order], {"id": "order-1", "cost": 200.0})
    trade.commit()
    trade.rollback()
    assert (trade.amount, order.cost) == (10.0, 200.0)


def test_the_running_funding_fee_goes_to_the_filled_order():
    """The order takes over the running fee, which starts anew; the sum stays."""
    trade = make_trade(trading_mode="futures")
    fill(trade, "buy", 10.0, 20.0)
    trade.set_funding_fees(-1.5)
    order = fill(trade, "buy", 10.0, 20.0)
    assert (order.funding_fee, trade.funding_fee_running, trade.funding_fees) == (-1.5, 0.0, -1.5)


def test_an_order_that_has_its_funding_fee_keeps_it():
    """An order that was given its own fee leaves the running one alone."""
    trade = make_trade(trading_mode="futures", funding_fee_running=-1.5)
    order = fill(trade, "buy", 10.0, 20.0, funding_fee=-0.5)
    assert (order.funding_fee, trade.funding_fee_running, trade.funding_fees) == (-0.5, -1.5, -2.0)


@pytest.mark.parametrize("side", ["sell", "stoploss"])
def test_a_stop_loss_order_takes_the_funding_fee_too(side):
    """10 at 20 sold at 19 after -5 of funding end at -15, by a sell order and by a stop-loss order."""
    trade = make_trade(trading_mode="futures", fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    trade.set_funding_fees(-5.0)
    order = fill(trade, side, 10.0, 19.0)
    assert (trade.close_profit_abs, order.funding_fee, trade.funding_fees) == (-15.0, -5.0, -5.0)


def test_a_recalculation_keeps_the_running_funding_fee():
    """Funding is what the orders have and what runs, before and after a recalculation."""
    trade = make_trade(trading_mode="futures")
    fill(trade, "buy", 10.0, 20.0, funding_fee=0.5)
    trade.set_funding_fees(1.0)
    trade.recalc_trade_from_orders()
    assert (trade.funding_fees, trade.funding_fee_running) == (1.5, 1.0)


def test_an_unknown_funding_fee_is_ignored():
    """None leaves the fees as they are, 0.0 sets them."""
    trade = make_trade(trading_mode="futures")
    trade.set_funding_fees(1.0)
    trade.set_funding_fees(None)
    assert (trade.funding_fees, trade.funding_fee_running) == (1.0, 1.0)
    trade.set_funding_fees(0.0)
    assert (trade.funding_fees, trade.funding_fee_running) == (0.0, 0.0)


def test_more_sold_than_held_closes():
    """An exit beyond the position closes the trade, unless history is gone through again."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 10.5, 21.0)
    assert not trade.is_open


def test_more_sold_than_held_in_history():
    """While recalculating, an exit beyond the position leaves the trade open."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    order = place(trade, "sell", 10.5, 21.0, filled=10.5, status="closed", ft_is_open=False)
    trade.update_trade(order, recalculating=True)
    assert trade.is_open


@pytest.mark.parametrize("sold", [4.0, 5.0, 6.0], ids=["less than half", "half", "more than half"])
def test_a_partial_exit_that_comes_again_changes_nothing(sold):
    """Of 10 bought, what was not sold is still held, however often the exit is taken in; then the rest closes."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    leave = fill(trade, "sell", sold, 21.0)
    before = dict(vars(trade))
    trade.update_trade(leave)
    trade.update_trade(leave)
    assert (trade.is_open, trade.amount) == (True, 10.0 - sold)
    assert vars(trade) == before | {"orders": trade.orders}
    fill(trade, "sell", 10.0 - sold, 22.0)
    assert not trade.is_open


def test_an_exit_that_the_trade_does_not_list_closes_it_after_a_partial_one():
    """Only an order among the trade's own can have been counted: any other one that takes the rest is the last."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 5.0, 21.0)
    leave = place(trade, "sell", 5.0, 22.0, filled=5.0, status="closed", ft_is_open=False)
    del trade.orders[-1]
    trade.update_trade(leave)
    assert not trade.is_open


def test_a_rest_too_small_to_see_closes():
    """A difference of less than 1e-14 is none."""
    trade = make_trade(amount=0.3)
    fill(trade, "buy", 0.3, 20.0)
    fill(trade, "sell", 0.1 + 0.2, 21.0)  # 0.30000000000000004
    assert not trade.is_open


def test_a_fee_in_base_currency():
    """Of 10 bought at a fee of 0.01 in base currency 9.99 are held, and selling these closes."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0, ft_fee_base=0.01)
    assert (trade.amount, trade.stake_amount) == (9.99, 199.8)
    fill(trade, "sell", 9.99, 21.0)
    assert not trade.is_open


@pytest.mark.parametrize("fee", [10.0, 12.0])
def test_a_fee_that_eats_the_first_fill(fee):
    """A first fill that its fee ate leaves no negative amount, and value and amount agree: A · R · 1.001."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0, ft_fee_base=fee)
    assert trade.amount >= 0
    assert trade.open_trade_value == pytest.approx(trade.amount * trade.open_rate * 1.001)


def test_a_fee_that_eats_a_later_fill():
    """A later fill that its fee ate leaves the position as it is."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "buy", 5.0, 30.0, ft_fee_base=5.0)
    assert (trade.amount, trade.open_rate, trade.stake_amount, trade.open_trade_value) == (10.0, 20.0, 200.0, 200.2)


def test_an_exit_of_a_closed_trade_leaves_it_closed():
    """A second exit that is filled after the trade was closed doesn't close it again."""
    trade = make_trade(fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 10.0, 21.0)
    fill(trade, "sell", 10.0, 25.0, order_filled_date=after(9))
    assert (trade.is_open, trade.close_rate, trade.close_date) == (False, 21.0, after(1))


@pytest.mark.parametrize(("recalculating", "warnings"), [(False, 1), (True, 0)])
def test_an_entry_of_a_closed_trade_is_warned_of(recalculating, warnings, caplog):
    """An entry that is filled after the trade was closed leaves it closed, and a person should know."""
    trade = make_trade(fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 10.0, 21.0)
    order = place(trade, "buy", 5.0, 19.0, filled=5.0, status="closed", ft_is_open=False)
    trade.update_trade(order, recalculating)
    assert (trade.is_open, trade.realized_profit) == (False, 10.0)
    assert [record.levelname for record in caplog.records].count("WARNING") == warnings


def test_the_stop_follows_the_average_price():
    """A second entry at a better price moves the stop to 10 % below the new average: 22 · 0.9 = 19.8."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    trade.adjust_stop_loss(20.0, -0.1)
    fill(trade, "buy", 10.0, 24.0)
    assert (trade.open_rate, trade.stop_loss, trade.initial_stop_loss) == (22.0, 19.8, 18.0)


def test_no_stop_appears_by_itself():
    """A recalculation of a trade without a stop sets none."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    assert (trade.stop_loss, trade.stop_loss_pct, trade.initial_stop_loss_pct) == (0.0, None, None)


@pytest.mark.parametrize(("is_short", "entry", "leave"), [(False, "buy", "sell"), (True, "sell", "buy")])
def test_fees_are_noted_once_per_side(is_short, entry, leave):
    """The first report of each side counts, and others' sides are ignored."""
    trade = make_trade(is_short=is_short)
    assert (trade.fee_updated(entry), trade.fee_updated(leave), trade.fee_updated("stoploss")) == (False, False, False)
    trade.update_fee(0.02, "BNB", 0.0075, entry)
    assert (trade.fee_open_cost, trade.fee_open_currency, trade.fee_open) == (0.02, "BNB", 0.0075)
    assert (trade.fee_updated(entry), trade.fee_updated(leave)) == (True, False)
    trade.update_fee(9.0, "USDT", 0.9, entry)
    assert (trade.fee_open_cost, trade.fee_open_currency, trade.fee_open) == (0.02, "BNB", 0.0075)
    trade.update_fee(0.03, "USDT", 0.005, leave)
    trade.update_fee(9.0, "BNB", 0.9, leave)
    trade.update_fee(9.0, "BNB", 0.9, "stoploss")
    assert (trade.fee_close_cost, trade.fee_close_currency, trade.fee_close) == (0.03, "USDT", 0.005)


def test_the_entry_fee_is_the_guess_for_the_exit():
    """Until the exit fee is known, the entry's stands in for it."""
    trade = make_trade()
    trade.update_fee(0.02, "BNB", 0.0075, "buy")
    assert trade.fee_close == 0.0075


def test_a_known_exit_fee_is_no_longer_guessed():
    """An exit fee that was reported first stays."""
    trade = make_trade()
    trade.update_fee(0.03, "USDT", 0.005, "sell")
    trade.update_fee(0.02, "BNB", 0.001, "buy")
    assert (trade.fee_open, trade.fee_close) == (0.001, 0.005)


def test_a_fee_without_a_rate():
    """Where only the cost is known, the rates stay."""
    trade = make_trade()
    trade.update_fee(0.02, "BNB", None, "buy")
    trade.update_fee(0.03, "BNB", None, "sell")
    assert (trade.fee_open, trade.fee_close, trade.fee_open_cost, trade.fee_close_cost) == (0.001, 0.002, 0.02, 0.03)
