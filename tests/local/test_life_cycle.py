"""A trade from its first entry to its last exit, computed by hand.

The usual trade opens at 0.1 % and closes at 0.2 %.
"""

import pytest

from tests.local.making import after, fill, make_trade, place


def test_entry():
    """10 at 21 instead of the planned 20: 210 staked, 210 · 1.001 = 210.21 with fee, of which 0.21 is the fee."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 21.0)
    assert (trade.amount, trade.open_rate, trade.stake_amount, trade.max_stake_amount) == (10.0, 21.0, 210.0, 210.0)
    assert (trade.open_trade_value, trade.fee_open_cost, trade.funding_fees) == (210.21, 0.21, 0.0)
    assert (trade.is_open, trade.realized_profit, trade.close_profit, trade.close_profit_abs) == (True, 0.0, None, None)


def test_second_entry():
    """10 at 20 and 30 at 24 are 40 at 23: 920 staked, 920.92 with fee, of which 0.92 is the fee."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "buy", 30.0, 24.0)
    assert (trade.amount, trade.open_rate, trade.stake_amount, trade.max_stake_amount) == (40.0, 23.0, 920.0, 920.0)
    assert (trade.open_trade_value, trade.fee_open_cost) == (920.92, 0.92)


def test_partial_exit():
    """10 of 40 at 23 sold at 25: 249.5 - 230.23 = 19.27 of 920.92; 690 stay staked, 920 was the most."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "buy", 30.0, 24.0)
    fill(trade, "sell", 10.0, 25.0)
    assert (trade.amount, trade.open_rate, trade.stake_amount, trade.max_stake_amount) == (30.0, 23.0, 690.0, 920.0)
    assert (trade.realized_profit, trade.close_profit_abs) == (19.27, 19.27)
    assert trade.close_profit == pytest.approx(19.27 / 920.92, rel=1e-14)
    assert (trade.is_open, trade.close_rate, trade.close_date) == (True, None, None)


def test_two_partial_exits():
    """Of an open trade close_profit_abs is the latest exit's, realized_profit that of all: 20 and 20 + 6."""
    trade = make_trade(fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 4.0, 25.0)
    fill(trade, "sell", 2.0, 23.0)
    assert (trade.close_profit_abs, trade.realized_profit, trade.close_profit) == (6.0, 26.0, 0.13)


def test_closing():
    """The last exit closes: 249.5 - 230.23 and 598.8 - 690.69 are -72.62 of 920.92 together."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "buy", 30.0, 24.0)
    fill(trade, "sell", 10.0, 25.0)
    fill(trade, "sell", 30.0, 20.0)
    assert (trade.is_open, trade.close_rate, trade.close_date, trade.exit_order_status) == (
        False,
        20.0,
        after(3),
        "closed",
    )
    assert (trade.realized_profit, trade.close_profit_abs) == (-72.62, -72.62)
    assert trade.close_profit == pytest.approx(-72.62 / 920.92, rel=1e-14)
    # What a closed trade held last stays to be seen.
    assert (trade.amount, trade.open_rate, trade.has_open_position) == (30.0, 23.0, False)


def test_short_with_leverage():
    """10 sold at 20 with leverage 5 stake 40; bought at 18: 199.8 - 10 · 18 · 1.002 = 19.44 of 199.8, 5 fold."""
    trade = make_trade(is_short=True, leverage=5.0, trading_mode="futures")
    fill(trade, "sell", 10.0, 20.0)
    assert (trade.stake_amount, trade.max_stake_amount, trade.fee_open_cost) == (40.0, 40.0, 0.2)
    fill(trade, "buy", 10.0, 18.0)
    assert (trade.is_open, trade.close_profit_abs) == (False, 19.44)
    assert trade.close_profit == pytest.approx(5 * 19.44 / 199.8, rel=1e-14)


def test_exits_that_cancel_out():
    """Exits of +10 and -10 leave a realised profit of 0, not that of the first."""
    trade = make_trade(fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 5.0, 22.0)
    assert trade.realized_profit == 10.0
    fill(trade, "sell", 5.0, 18.0)
    assert (trade.realized_profit, trade.close_profit, trade.close_profit_abs) == (0.0, 0.0, 0.0)


def test_stop_loss_on_the_exchange():
    """A filled stop-loss order closes the trade, and says why and at which stop."""
    trade = make_trade(fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    trade.adjust_stop_loss(20.0, -0.1)
    fill(trade, "stoploss", 10.0, 17.9, order_type="stop_loss_limit")
    assert (trade.is_open, trade.exit_reason, trade.close_rate_requested) == (False, "stoploss_on_exchange", 18.0)
    assert (trade.close_rate, trade.close_profit_abs, trade.close_profit) == (17.9, -21.0, -0.105)


def test_stop_loss_filled_in_part():
    """A stop-loss order that was filled in part and cancelled leaves the rest open."""
    trade = make_trade(fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "stoploss", 10.0, 18.0, filled=4.0, status="canceled")
    assert (trade.is_open, trade.amount, trade.realized_profit) == (True, 6.0, -8.0)


def test_margin_in_two_halves_costs_the_interest_of_the_whole():
    """100 borrowed at 0.24 % a day are 0.01 an hour: after 3 hours 0.03, at once or 0.015 twice."""
    profits = []
    for parts in ([10.0], [5.0, 5.0]):
        trade = make_trade(fee_open=0.0, fee_close=0.0, trading_mode="margin", leverage=2.0, interest_rate=0.0024)
        fill(trade, "buy", 10.0, 20.0)
        for part in parts:
            fill(trade, "sell", part, 20.0, order_filled_date=after(3))
        assert not trade.is_open
        profits.append(trade.close_profit_abs)
    assert profits == [-0.03, -0.03]


def test_contract_precision():
    """A rest of less than a contract is none: 10 contracts of 0.1 were bought, 9.95 of them count as 9."""
    trade = make_trade(
        amount=1.0, amount_precision=1.0, precision_mode=4, contract_size=0.1, trading_mode="futures", fee_open=0.0
    )
    fill(trade, "buy", 0.995, 20.0)
    assert trade.amount == 0.9
    fill(trade, "sell", 0.9, 20.0)
    assert not trade.is_open


def test_open_rate_has_the_precision_of_prices():
    """An average of 61/3 is 20.33 on an exchange with two decimals, and the stake stays 61."""
    trade = make_trade(price_precision=2.0, precision_mode=4, precision_mode_price=2, fee_open=0.0)
    fill(trade, "buy", 1.0, 21.0)
    fill(trade, "buy", 2.0, 20.0)
    assert (trade.open_rate, trade.open_trade_value, trade.stake_amount) == (20.33, 60.99, 61.0)


def test_close_without_an_exit_order():
    """A trade that is closed by hand takes rate and date, and stays without a profit."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    trade.close(21.0)
    assert (trade.is_open, trade.close_rate, trade.close_date, trade.close_profit_abs) == (False, 21.0, after(0), None)


def test_close_date_that_is_known_stays():
    """A close date that was set before is kept."""
    trade = make_trade(close_date=after(9))
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 10.0, 21.0)
    assert trade.close_date == after(9)


def test_close_date_without_any_fill_date(time_machine):
    """Where no fill has a date the trade was closed now."""
    time_machine.move_to(after(5), tick=False)
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0, order_filled_date=None)
    fill(trade, "sell", 10.0, 21.0, order_filled_date=None)
    assert trade.close_date == after(5)


def test_closing_twice_changes_nothing():
    """A closed trade can't be closed again at another rate."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 10.0, 21.0)
    before = dict(vars(trade))
    trade.close(99.0)
    assert vars(trade) == before


@pytest.mark.parametrize(("show", "messages"), [(True, 1), (False, 0)])
def test_closing_is_logged_unless_told_otherwise(show, messages, caplog):
    """The closing is logged once, or not at all."""
    trade = make_trade()
    with caplog.at_level("INFO", "tradestore"):
        trade.close(21.0, show_msg=show)
    assert len(caplog.records) == messages


def test_a_closed_trade_keeps_its_profit_when_recalculated():
    """Going through the orders of a closed trade again gives the profit of the whole trade, not of the last exit."""
    trade = make_trade(fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 5.0, 22.0)
    fill(trade, "sell", 5.0, 21.0)
    before = dict(vars(trade))
    trade.recalc_trade_from_orders()
    assert trade.close_profit_abs == 15.0
    assert vars(trade) == before


def test_entry_after_a_partial_exit():
    """5 of 10 at 20 sold, then 5 at 26 bought: 100 + 130 over 10 are 23; the most staked counts all entries."""
    trade = make_trade(fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 5.0, 22.0)
    fill(trade, "buy", 5.0, 26.0)
    assert (trade.amount, trade.open_rate, trade.stake_amount, trade.max_stake_amount) == (10.0, 23.0, 230.0, 330.0)
    assert trade.realized_profit == 10.0


def test_orders_that_wait_are_not_counted():
    """A recalculation looks at filled orders only."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    place(trade, "buy", 10.0, 10.0, filled=4.0)
    place(trade, "sell", 10.0, 30.0, status="canceled", ft_is_open=False)
    trade.recalc_trade_from_orders()
    assert (trade.amount, trade.open_rate) == (10.0, 20.0)
