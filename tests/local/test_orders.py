"""One order: what it falls back to, how it is shown, and how a backtest fills it."""

import pytest

from tests.local.making import OPENED, PLACED, after, make_trade, place
from tradestore import LocalOrder


@pytest.mark.parametrize(
    ("values", "amount"),
    [
        ({"amount": 5.0, "ft_amount": 6.0}, 5.0),
        ({"amount": 0.0, "ft_amount": 6.0}, 6.0),
        ({"ft_amount": 6.0}, 6.0),
        ({}, 0.0),
    ],
)
def test_safe_amount(values, amount):
    """The amount counts, else the one asked for; 0 counts as missing."""
    assert LocalOrder(**values).safe_amount == amount


@pytest.mark.parametrize(
    ("values", "price", "placement"),
    [
        ({"average": 1.0, "price": 2.0, "stop_price": 3.0, "ft_price": 4.0}, 1.0, 2.0),
        ({"average": 0.0, "price": 2.0, "stop_price": 3.0, "ft_price": 4.0}, 2.0, 2.0),
        ({"stop_price": 3.0, "ft_price": 4.0}, 3.0, 3.0),
        ({"price": 0.0, "ft_price": 4.0}, 4.0, 4.0),
        ({"average": 1.0}, 1.0, None),
        ({}, None, None),
    ],
)
def test_safe_price(values, price, placement):
    """Average, limit, trigger, asked for: the first that is set counts; the average doesn't tell the placement."""
    order = LocalOrder(**values)
    assert (order.safe_price, order.safe_placement_price) == (price, placement)


@pytest.mark.parametrize(
    ("values", "remaining"),
    [
        ({"remaining": 3.0, "amount": 10.0, "filled": 9.0}, 3.0),
        ({"remaining": 0.0, "amount": 10.0, "filled": 9.0}, 0.0),
        ({"amount": 0.3, "filled": 0.1}, 0.2),  # floats see 0.19999999999999998
        ({"ft_amount": 10.0}, 10.0),
        ({}, 0.0),
    ],
)
def test_safe_remaining(values, remaining):
    """What remains is told, or the exact difference of amount and fill."""
    assert LocalOrder(**values).safe_remaining == remaining


def test_safe_numbers_of_a_new_order():
    """What isn't known of fills, cost and fee is 0.0."""
    order = LocalOrder()
    assert (order.safe_filled, order.safe_cost, order.safe_fee_base, order.safe_amount_after_fee) == (0, 0, 0, 0)


def test_amount_after_fee():
    """0.3 filled less a fee of 0.1 are 0.2, where floats see 0.19999999999999998."""
    assert LocalOrder(filled=0.3, ft_fee_base=0.1).safe_amount_after_fee == 0.2


def test_stake_amount():
    """10 at 20 bind 200, of which leverage 5 leaves 40; half filled, 20."""
    order = LocalOrder(amount=10.0, filled=5.0, price=20.0)
    assert (order.stake_amount, order.stake_amount_filled) == (200.0, 100.0)
    order._trade_bt = make_trade(leverage=5.0)
    assert (order.stake_amount, order.stake_amount_filled) == (40.0, 20.0)
    assert LocalOrder(amount=10.0).stake_amount == 0.0


def test_trade_of_an_order():
    """An order knows the trade in memory that it belongs to."""
    trade = make_trade()
    assert place(trade, "buy", 10.0, 20.0).trade is trade
    assert LocalOrder().trade is None


def test_dates_have_their_zone():
    """Naive dates of an order are UTC."""
    naive = OPENED.replace(tzinfo=None)
    order = LocalOrder(order_date=naive, order_filled_date=naive)
    assert (order.order_date_utc, order.order_filled_utc) == (OPENED, OPENED)
    assert (LocalOrder().order_date_utc, LocalOrder().order_filled_utc) == (None, None)


@pytest.mark.parametrize(
    ("status", "is_final"),
    [
        ("closed", True),
        ("canceled", True),
        ("cancelled", True),
        ("expired", True),
        ("rejected", True),
        ("open", False),
        ("canceling", False),
        (None, False),
    ],
)
def test_final_status(status, is_final):
    """After five statuses an order can't be filled any more."""
    assert LocalOrder(status=status).has_final_status is is_final


@pytest.mark.parametrize(
    ("is_open", "filled", "is_filled"),
    [(False, 1.0, True), (True, 1.0, False), (False, 0.0, False), (False, None, False)],
)
def test_is_filled(is_open, filled, is_filled):
    """An order is filled once it is done and something of it was filled."""
    assert LocalOrder(ft_is_open=is_open, filled=filled).is_filled is is_filled


def test_repr_without_a_date():
    """An order without a date shows None."""
    assert repr(LocalOrder(order_id="7")) == (
        "Order(id=None, trade=None, order_id=7, side=None, filled=0.0, price=None, amount=None, status=None, date=None)"
    )


def test_repr_of_a_placed_order():
    """An order shows its trade's id and its date."""
    text = repr(place(make_trade(id=3), "buy", 10.0, 20.0))
    assert "trade=3, order_id=order-1, side=buy" in text
    assert text.endswith("status=open, date=2026-03-01 12:00:00)")


def test_json_of_an_order():
    """The long form has everything, the short one what a backtest's result needs."""
    order = LocalOrder(
        order_id="7",
        ft_pair="ETH/USDT",
        ft_order_side="buy",
        amount=10.0,
        average=20.123456789,
        order_date=OPENED,
        order_filled_date=OPENED,
        ft_order_tag="dip",
    )
    short = order.to_json("buy", minified=True)
    assert short == {
        "amount": 10.0,
        "safe_price": 20.123456789,
        "ft_order_side": "buy",
        "order_filled_timestamp": PLACED,
        "ft_is_entry": True,
        "ft_order_tag": "dip",
        "cost": 0,
    }
    long = order.to_json("sell")
    assert long.items() >= (short | {"ft_is_entry": False}).items()
    assert (long["average"], long["order_date"], long["order_timestamp"]) == (
        20.12345679,
        "2026-03-01 12:00:00",
        PLACED,
    )


def test_json_of_an_order_without_dates():
    """Unknown dates are null."""
    values = LocalOrder(ft_order_side="buy").to_json("buy")
    dates = ["order_date", "order_timestamp", "order_filled_date", "order_filled_timestamp"]
    assert [values[key] for key in dates] == [None] * 4


def test_ccxt_form():
    """An order turns back into the unified form; a stop-loss order adds its trigger price under the given name."""
    trade = make_trade()
    plain = place(trade, "buy", 10.0, 20.0).to_ccxt_object()
    assert plain == {
        "id": "order-1",
        "symbol": "ETH/USDT",
        "price": 20.0,
        "average": None,
        "amount": 10.0,
        "cost": None,
        "type": "limit",
        "side": "buy",
        "filled": None,
        "remaining": None,
        "datetime": "2026-03-01T12:00:00.000000",
        "timestamp": PLACED,
        "status": "open",
        "fee": None,
        "info": {},
    }
    stop = place(trade, "stoploss", 10.0, None, stop_price=18.0, order_date=None).to_ccxt_object("triggerPrice")
    assert (stop["triggerPrice"], stop["ft_order_type"]) == (18.0, "stoploss")
    assert (stop["datetime"], stop["timestamp"]) == (None, None)


def test_ccxt_form_of_a_naive_date():
    """A date without a zone is UTC in the unified form as well."""
    told = LocalOrder(order_id="7", order_date=OPENED.replace(tzinfo=None)).to_ccxt_object()
    assert (told["datetime"], told["timestamp"]) == ("2026-03-01T12:00:00.000000", PLACED)


def test_ccxt_form_reads_back():
    """What an order writes, another one reads with the same numbers."""
    first = place(make_trade(), "buy", 10.0, 20.0)
    second = LocalOrder.parse_from_ccxt_object(first.to_ccxt_object(), "ETH/USDT", "buy")
    fields = ["order_id", "amount", "price", "status", "order_date", "ft_amount", "ft_price", "ft_is_open"]
    assert [getattr(second, f) for f in fields] == [getattr(first, f) for f in fields]


def test_backtest_fills_the_whole_order():
    """A backtest fills the asked amount at once and moves the running funding fee onto the order."""
    trade = make_trade(trading_mode="futures", funding_fee_running=-0.5)
    order = place(trade, "buy", 10.0, 21.0)
    order.close_bt_order(after(1), trade)
    assert (order.filled, order.remaining, order.status, order.ft_is_open) == (10.0, 0.0, "closed", False)
    assert (order.order_filled_utc, order.funding_fee, trade.funding_fee_running) == (after(1), -0.5, 0.0)
    assert (trade.open_rate, trade.funding_fees) == (21.0, -0.5)


def test_backtest_sets_the_stop_of_the_first_entry_anew():
    """The first entry fills at another price than planned: the stop keeps its distance from that price."""
    trade = make_trade()
    trade.adjust_stop_loss(20.0, -0.1, initial=True)
    place(trade, "buy", 10.0, 30.0).close_bt_order(after(1), trade)
    assert (trade.stop_loss, trade.initial_stop_loss, trade.is_stop_loss_trailing) == (27.0, 27.0, False)


def test_backtest_exit_leaves_the_trade_alone():
    """An exit is filled, but the backtest itself says what the trade makes of it."""
    trade = make_trade()
    place(trade, "buy", 10.0, 20.0).close_bt_order(after(1), trade)
    place(trade, "sell", 4.0, 25.0).close_bt_order(after(2), trade)
    assert (trade.amount, trade.realized_profit, trade.nr_of_successful_exits) == (10.0, 0.0, 1)
    trade.recalc_trade_from_orders()
    assert trade.amount == 6.0
