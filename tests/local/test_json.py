"""Trades to JSON and back."""

import json
from datetime import timedelta

import pytest

from tests.local.making import OPENED, PAIR, PLACED, after, fill, make_trade, place
from tradestore import LocalTrade

MINIMUM = {
    "pair": PAIR,
    "amount": 10.0,
    "stake_amount": 200.0,
    "open_rate": 20.0,
    "open_timestamp": PLACED,
    "is_open": True,
}


def again(trade: LocalTrade) -> LocalTrade:
    return LocalTrade.from_json(json.dumps(trade.to_json()))


@pytest.fixture
def lived():
    """Return a trade with every kind of value in it, left in part."""
    trade = make_trade(
        id=7,
        base_currency="ETH",
        stake_currency="USDT",
        strategy="Demo",
        enter_tag="dip",
        timeframe=5,
        trading_mode="futures",
        leverage=2.0,
        amount_requested=10.0,
        open_rate_requested=19.9,
        open_date=OPENED + timedelta(milliseconds=123),
        amount_precision=3.0,
        price_precision=2.0,
        precision_mode=2,
        precision_mode_price=2,
        contract_size=1.0,
    )
    fill(trade, "buy", 10.0, 20.0, funding_fee=0.5, ft_order_tag="first", order_filled_date=after(1))
    fill(trade, "sell", 4.0, 25.0, order_filled_date=after(2.0001), cost=100.0)
    trade.adjust_stop_loss(20.0, -0.1)
    trade.adjust_stop_loss(30.0, -0.1)
    trade.set_liquidation_price(11.0)
    trade.adjust_min_max_rates(31.0, 19.0)
    trade.update_fee(0.01, "BNB", 0.001, "buy")
    return trade


def test_keys_of_a_new_trade():
    """Times come as text and in milliseconds, what isn't known as null."""
    values = make_trade(id=7).to_json()
    assert (values["trade_id"], values["pair"], values["quote_currency"]) == (7, PAIR, "USDT")
    assert (values["open_date"], values["open_timestamp"]) == ("2026-03-01 12:00:00", PLACED)
    unknown = [
        "close_date",
        "close_timestamp",
        "open_fill_date",
        "close_profit",
        "profit_pct",
        "stop_loss_ratio",
        "trade_duration",
    ]
    assert [values[key] for key in unknown] == [None] * len(unknown)
    assert (values["orders"], values["realized_profit"], values["has_open_orders"]) == ([], 0.0, False)


def test_duration():
    """A trade of 90.5 minutes lasted 5430 seconds, 90 full minutes."""
    values = make_trade(is_open=False, close_date=OPENED + timedelta(minutes=90, seconds=30)).to_json()
    assert (values["trade_duration_s"], values["trade_duration"]) == (5430, 90)


@pytest.mark.parametrize(
    ("field", "keys"),
    [
        ("close_profit", ["close_profit", "close_profit_pct", "profit_ratio", "profit_pct", "realized_profit_ratio"]),
        ("close_profit_abs", ["close_profit_abs", "profit_abs"]),
        ("stop_loss_pct", ["stop_loss_ratio", "stop_loss_pct"]),
        ("initial_stop_loss_pct", ["initial_stop_loss_ratio", "initial_stop_loss_pct"]),
        ("stop_loss", ["stop_loss_abs"]),
        ("max_stake_amount", ["max_stake_amount"]),
        ("amount_requested", ["amount_requested"]),
        ("funding_fees", ["funding_fees"]),
    ],
)
def test_zero_is_written_as_zero(field, keys):
    """A value of exactly 0 is 0 in the text, not null."""
    values = make_trade(**{field: 0.0}).to_json()
    assert [values[key] for key in keys] == [0.0] * len(keys)


def test_ratios_as_percentages():
    """A ratio of 0.123456 is 12.35 %."""
    values = make_trade(close_profit=0.123456, stop_loss_pct=-0.1).to_json()
    assert (values["close_profit_pct"], values["profit_pct"], values["stop_loss_pct"]) == (12.35, 12.35, -10.0)


def test_minified_orders():
    """The short form keeps of each order what a backtest's result needs."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    keys = {"amount", "safe_price", "ft_order_side", "order_filled_timestamp", "ft_is_entry", "ft_order_tag", "cost"}
    assert trade.to_json(minified=True)["orders"][0].keys() == keys
    assert trade.to_json()["orders"][0].keys() > keys


def test_orders_that_ended_unfilled_are_left_out():
    """Filled orders and those that wait are in the text, others not."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    place(trade, "sell", 10.0, 30.0, status="canceled", ft_is_open=False)
    place(trade, "sell", 10.0, 25.0)
    assert [order["order_id"] for order in trade.to_json()["orders"]] == ["order-1", "order-3"]


def test_the_text_comes_back_complete(lived):
    """What is read back writes the same text."""
    assert again(lived).to_json() == lived.to_json()


def test_milliseconds_come_back(lived):
    """Dates keep their milliseconds, those of orders as well."""
    trade = again(lived)
    assert trade.open_date_utc == OPENED + timedelta(milliseconds=123)
    assert trade.orders[1].order_filled_utc == after(2.0001)


def test_fields_come_back(lived):
    """Fields that have another name in the text, or none, come back too."""
    trade = again(lived)
    names = ["id", "stake_currency", "amount_requested", "open_rate_requested", "stop_loss", "initial_stop_loss"]
    names += ["max_stake_amount", "realized_profit", "close_profit", "is_stop_loss_trailing", "open_trade_value"]
    assert {name: getattr(trade, name) for name in names} == {name: getattr(lived, name) for name in names}
    assert trade.calculate_profit(22.0) == lived.calculate_profit(22.0)


def test_orders_come_back(lived):
    """Orders come back with their trade, and the next recalculation finds what it would have found."""
    trade = again(lived)
    assert [order.trade for order in trade.orders] == [trade, trade]
    assert trade.orders[0].ft_order_tag == "first"
    trade.recalc_trade_from_orders()
    lived.recalc_trade_from_orders()
    assert trade.to_json() == lived.to_json()


def test_average_price_of_a_cheap_coin_comes_back():
    """An order at 0.00001234567891 comes back at that price, not at its first 8 decimals."""
    trade = make_trade(open_rate=0.00001234567891)
    fill(trade, "buy", 10.0, 0.00001234567891)
    assert again(trade).orders[0].average == 0.00001234567891


def test_running_funding_fee_comes_back():
    """Funding that runs is still part of the fees when the trade that was read back is recalculated."""
    trade = make_trade(trading_mode="futures")
    fill(trade, "buy", 10.0, 20.0, funding_fee=0.5)
    trade.set_funding_fees(1.5)
    read = again(trade)
    read.recalc_trade_from_orders()
    assert read.funding_fees == 2.0


@pytest.mark.parametrize("is_short", [False, True])
def test_a_trailing_stop_still_trails(is_short):
    """A stop that moved towards profit still trails after the round trip, one at its first place doesn't."""
    trade = make_trade(is_short=is_short)
    trade.adjust_stop_loss(20.0, -0.1)
    assert again(trade).is_stop_loss_trailing is False
    trade.adjust_stop_loss(10.0 if is_short else 30.0, -0.1)
    assert again(trade).is_stop_loss_trailing is True


@pytest.mark.parametrize("is_short", [False, True])
def test_a_stop_that_moved_away_from_profit_does_not_trail(is_short):
    """A stop that a refresh moved away from profit can't have trailed there."""
    trade = make_trade(is_short=is_short)
    trade.adjust_stop_loss(20.0, -0.1)
    trade.adjust_stop_loss(30.0 if is_short else 10.0, -0.1, allow_refresh=True)
    assert again(trade).is_stop_loss_trailing is False


def test_a_closed_trade_comes_back():
    """A closed trade comes back with its result."""
    trade = make_trade(fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 10.0, 21.0)
    read = again(trade)
    assert (read.is_open, read.close_rate, read.close_date_utc, read.exit_order_status) == (
        False,
        21.0,
        after(1),
        "closed",
    )
    assert (read.close_profit_abs, read.close_profit, read.realized_profit) == (10.0, 0.05, 10.0)


def test_margin_comes_back():
    """A margin trade keeps its interest rate."""
    trade = again(make_trade(trading_mode="margin", interest_rate=0.0024, leverage=2.0))
    assert (trade.interest_rate, trade.trading_mode, trade.leverage) == (0.0024, "margin", 2.0)


def test_few_fields_are_enough():
    """A text of another program needs to have little more than pair, amounts, rate and time."""
    trade = LocalTrade.from_json(json.dumps(MINIMUM))
    assert (trade.exchange, trade.amount_requested, trade.open_rate_requested, trade.orders) == (
        "import",
        10.0,
        20.0,
        [],
    )
    assert (trade.leverage, trade.fee_open, trade.open_trade_value, trade.is_stop_loss_trailing) == (
        1.0,
        0.0,
        200.0,
        False,
    )


@pytest.mark.parametrize("field", ["pair", "amount", "stake_amount", "open_rate", "open_timestamp"])
def test_a_text_without_a_needed_field_is_refused(field):
    """A field that no trade can be without is missed by name."""
    text = json.dumps({key: value for key, value in MINIMUM.items() if key != field})
    with pytest.raises(KeyError, match=field):
        LocalTrade.from_json(text)


def test_a_subclass_reads_its_own_kind():
    """What a subclass reads is of that subclass."""

    class Tagged(LocalTrade):
        mood: str = "calm"

    assert type(Tagged.from_json(json.dumps(MINIMUM))) is Tagged
