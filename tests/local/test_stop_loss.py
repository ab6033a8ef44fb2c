"""The stop loss of a trade, computed by hand."""

import pytest

from tests.local.making import make_trade
from tradestore import LocalTrade


def stops(trade: LocalTrade) -> tuple[float | None, ...]:
    return trade.stop_loss, trade.initial_stop_loss, trade.stop_loss_pct, trade.initial_stop_loss_pct


@pytest.mark.parametrize(
    ("values", "stop"),
    [
        ({}, 18.0),
        ({"is_short": True}, 22.0),
        ({"leverage": 5.0}, 19.6),
        ({"is_short": True, "leverage": 5.0}, 20.4),
        ({"leverage": None}, 18.0),
    ],
)
@pytest.mark.parametrize("stoploss", [0.1, -0.1])
def test_first_stop(values, stop, stoploss):
    """The first stop is 10 % of the stake away from 20, and is the initial one as well; its ratio is a loss."""
    trade = make_trade(**values)
    trade.adjust_stop_loss(20.0, stoploss, initial=True)
    assert stops(trade) == (stop, stop, -0.1, -0.1)
    assert trade.is_stop_loss_trailing is False


@pytest.mark.parametrize(("is_short", "stop"), [(False, 1.1), (True, 1.21)])
def test_both_stops_are_rounded_once(is_short, stop):
    """The initial stop is the stop: 11 · 0.1 = 1.1 has two places; 1.1111 · 1.09 = 1.211099 rounds down to 1.21."""
    trade = make_trade(is_short=is_short, price_precision=2.0, precision_mode=2)
    trade.adjust_stop_loss(1.1111 if is_short else 11.0, 0.09 if is_short else 0.9)
    assert (trade.stop_loss, trade.initial_stop_loss) == (stop, stop)


def test_no_stop_is_asked_for():
    """None changes nothing, and neither does an initial stop where one is set."""
    trade = make_trade()
    trade.adjust_stop_loss(20.0, None)
    assert stops(trade) == (0.0, 0.0, None, None)
    trade.adjust_stop_loss(20.0, -0.1)
    trade.adjust_stop_loss(30.0, -0.1, initial=True)
    assert stops(trade) == (18.0, 18.0, -0.1, -0.1)


@pytest.mark.parametrize(
    ("is_short", "price", "stop", "trailing"),
    [
        (False, 30.0, 27.0, True),
        (False, 20.0, 18.0, False),
        (False, 10.0, 18.0, False),
        (True, 10.0, 11.0, True),
        (True, 20.0, 22.0, False),
        (True, 30.0, 22.0, False),
    ],
)
def test_stop_moves_towards_profit_only(is_short, price, stop, trailing):
    """A later stop moves up for a long and down for a short, and only then it trails."""
    trade = make_trade(is_short=is_short)
    trade.adjust_stop_loss(20.0, -0.1)
    trade.adjust_stop_loss(price, -0.1)
    assert (trade.stop_loss, trade.is_stop_loss_trailing) == (stop, trailing)
    assert trade.initial_stop_loss == (22.0 if is_short else 18.0)


@pytest.mark.parametrize("price", [10.0, 30.0])
def test_refresh_moves_either_way(price):
    """A refreshed stop moves away from profit too, and never trails."""
    trade = make_trade()
    trade.adjust_stop_loss(20.0, -0.1)
    trade.adjust_stop_loss(price, -0.2, allow_refresh=True)
    assert stops(trade) == (price * 0.8, 18.0, -0.2, -0.1)
    assert trade.is_stop_loss_trailing is False


def test_price_mode_of_its_own():
    """Prices may count in another way than amounts: ticks of 0.5 instead of decimal places. 20.3 · 0.9 = 18.27."""
    trade = make_trade(price_precision=0.5, precision_mode=2, precision_mode_price=4)
    trade.adjust_stop_loss(20.3, -0.1)
    assert trade.stop_loss == 18.5


def test_liquidation_price():
    """A liquidation price is rounded like a price; None leaves the one that is known."""
    trade = make_trade(price_precision=2.0, precision_mode=2)
    trade.set_liquidation_price(15.128)
    assert trade.liquidation_price == 15.13
    trade.set_liquidation_price(None)
    assert trade.liquidation_price == 15.13


@pytest.mark.parametrize(
    ("is_short", "liquidation", "tighter"),
    [(False, 15.0, 18.0), (False, 19.0, 19.0), (False, None, 18.0), (True, 25.0, 22.0), (True, 21.0, 21.0)],
)
def test_stop_or_liquidation(is_short, liquidation, tighter):
    """Whichever is reached first counts."""
    trade = make_trade(is_short=is_short, liquidation_price=liquidation)
    trade.adjust_stop_loss(20.0, -0.1)
    assert trade.stoploss_or_liquidation == tighter


def test_liquidation_alone():
    """Without a stop loss the liquidation price is what is reached."""
    assert make_trade(stop_loss=None, liquidation_price=15.0).stoploss_or_liquidation == 15.0


def test_range_of_rates():
    """The range starts at the open rate and only widens."""
    trade = make_trade()
    trade.adjust_min_max_rates(19.0, 18.0)
    assert (trade.max_rate, trade.min_rate) == (20.0, 18.0)
    trade.adjust_min_max_rates(25.0, 19.0)
    trade.adjust_min_max_rates(21.0, 20.5)
    assert (trade.max_rate, trade.min_rate) == (25.0, 18.0)


def test_a_new_strategy_stop():
    """Open trades take the new stop from their open rate, but not those that trail."""
    fixed, trailing, closed = make_trade(id=1), make_trade(id=2), make_trade(id=3, is_open=False)
    for trade in (fixed, trailing, closed):
        trade.adjust_stop_loss(20.0, -0.1)
        LocalTrade.add_bt_trade(trade)
    trailing.adjust_stop_loss(30.0, -0.1)
    LocalTrade.stoploss_reinitialization(-0.05)
    assert stops(fixed) == (19.0, 19.0, -0.05, -0.05)
    assert stops(trailing) == (27.0, 18.0, -0.1, -0.1)
    assert stops(closed) == (18.0, 18.0, -0.1, -0.1)


def test_the_same_strategy_stop_moves_nothing():
    """A stop that was moved by a refresh stays where it is if the strategy's stop didn't change."""
    trade = make_trade()
    LocalTrade.add_bt_trade(trade)
    trade.adjust_stop_loss(20.0, -0.1)
    trade.adjust_stop_loss(10.0, -0.1, allow_refresh=True)
    LocalTrade.stoploss_reinitialization(-0.1)
    assert stops(trade) == (9.0, 18.0, -0.1, -0.1)
