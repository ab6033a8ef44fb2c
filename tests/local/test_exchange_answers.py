"""What an order takes over from an exchange's answers."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from tests.local.making import OPENED, PAIR, PLACED, answer, read
from tradestore import LocalOrder
from tradestore.exceptions import DependencyException, InvalidOrder

HOUR = 3_600_000
NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def test_a_new_order():
    """An answer makes an order with its id as text, and with what was asked for."""
    order = LocalOrder.parse_from_ccxt_object(answer(id=4711), PAIR, "buy", 11.0, 21.0)
    assert (order.order_id, order.ft_pair, order.ft_order_side, order.ft_is_open) == ("4711", PAIR, "buy", True)
    assert (order.ft_amount, order.ft_price, order.amount, order.price) == (11.0, 21.0, 10.0, 20.0)
    assert (order.order_type, order.side, order.symbol, order.status) == ("limit", "buy", PAIR, "open")
    assert (order.order_date, order.order_update_date, order.order_filled_date) == (OPENED, NOW, None)


def test_what_was_asked_for_falls_back_to_the_answer():
    """Amount and price that weren't given are the answer's, a missing amount is 0.0 and a missing price unknown."""
    order = LocalOrder.parse_from_ccxt_object(answer(), PAIR, "buy")
    assert (order.ft_amount, order.ft_price) == (10.0, 20.0)
    order = LocalOrder.parse_from_ccxt_object({"id": "1"}, PAIR, "buy")
    assert (order.ft_amount, order.ft_price, order.ft_is_open) == (0.0, None, True)


@pytest.mark.parametrize("identifier", [None, ""])
def test_an_answer_without_an_id_is_refused(identifier):
    """An order needs the exchange's id, to be found again."""
    with pytest.raises(DependencyException, match="no order id"):
        read(id=identifier)
    with pytest.raises(DependencyException, match="no order id"):
        read().update_from_ccxt_object({"status": "closed"})


def test_an_answer_about_another_order_is_refused():
    """Another id is refused, and nothing of it is taken."""
    order = read()
    with pytest.raises(DependencyException, match="exchange-2"):
        order.update_from_ccxt_object(answer(id="exchange-2", filled=10.0))
    assert order.filled == 0.0


def test_an_integer_id_is_the_same_as_its_text():
    """Whoever sends 7 means the order "7"."""
    order = read(id="7")
    order.update_from_ccxt_object(answer(id=7, filled=4.0))
    assert order.filled == 4.0


def test_what_an_answer_leaves_out_stays():
    """Neither a missing key nor None overwrites what is known."""
    order = read(filled=4.0, average=19.5, cost=78.0)
    before = dict(vars(order))
    order.update_from_ccxt_object(
        {"id": "exchange-1", "price": None, "filled": None, "status": None, "timestamp": None}
    )
    order.update_from_ccxt_object({"id": "exchange-1"})
    assert vars(order) == before


def test_a_fill_in_two_steps():
    """A first part leaves the order open and without a fill time, the rest closes it."""
    order = read()
    order.update_from_ccxt_object(answer(filled=4.0, remaining=6.0, average=19.5, cost=78.0))
    assert (order.ft_is_open, order.filled, order.average, order.order_filled_date) == (True, 4.0, 19.5, None)
    order.update_from_ccxt_object(answer(status="closed", filled=10.0, remaining=0.0, lastTradeTimestamp=PLACED + HOUR))
    assert (order.ft_is_open, order.safe_remaining) == (False, 0.0)
    assert order.order_filled_date == OPENED + timedelta(hours=1)


@pytest.mark.parametrize("status", ["closed", "canceled", "cancelled", "expired", "rejected"])
def test_a_final_status_ends_the_order(status):
    """After a final status the order is not open any more."""
    assert read(status=status).ft_is_open is False


@pytest.mark.parametrize(("told", "kept"), [("CANCELED", "canceled"), ("Closed", "closed"), ("OPEN", "open")])
def test_statuses_are_kept_in_lower_case(told, kept):
    """A status in capitals is the same status."""
    order = read(status=told)
    assert (order.status, order.ft_is_open) == (kept, kept == "open")


def test_a_late_message_does_not_reopen():
    """An answer that calls a closed order open is late: nothing of it is taken."""
    order = read(status="closed", filled=10.0, remaining=0.0)
    order.update_from_ccxt_object(answer(filled=4.0, remaining=6.0))
    assert (order.status, order.ft_is_open, order.filled, order.remaining) == ("closed", False, 10.0, 0.0)


def test_closed_by_a_message_without_a_fill():
    """A closing message that doesn't tell the fill closes with the fill that is known, and that has a time."""
    order = read(filled=10.0, average=20.0)
    order.update_from_ccxt_object({"id": "exchange-1", "status": "closed"})
    assert (order.ft_is_open, order.filled, order.order_filled_date, order.is_filled) == (False, 10.0, NOW, True)


def test_cancelled_without_a_fill_has_no_fill_time():
    """An order that ended unfilled was never filled."""
    assert read(status="canceled").order_filled_date is None
    assert read(status="canceled", filled=None).order_filled_date is None


@pytest.mark.parametrize(
    ("times", "filled_at"),
    [
        ({"lastTradeTimestamp": PLACED + HOUR, "lastUpdateTimestamp": PLACED + 2 * HOUR}, OPENED + timedelta(hours=1)),
        ({"lastTradeTimestamp": None, "lastUpdateTimestamp": PLACED + 2 * HOUR}, OPENED + timedelta(hours=2)),
        ({"lastTradeTimestamp": PLACED + 123}, OPENED + timedelta(milliseconds=123)),
        ({}, NOW),
    ],
    ids=["trade", "update", "milliseconds", "neither"],
)
def test_fill_time(times, filled_at):
    """An order was filled at its last trade, else at its last update, else now."""
    assert read(status="closed", filled=10.0, **times).order_filled_date == filled_at


def test_the_first_fill_time_stays():
    """A fill time that is known isn't overwritten by a later answer."""
    order = read(status="closed", filled=10.0, lastTradeTimestamp=PLACED + HOUR)
    order.update_from_ccxt_object(answer(status="closed", filled=10.0, lastTradeTimestamp=PLACED + 2 * HOUR))
    assert order.order_filled_date == OPENED + timedelta(hours=1)


def test_order_date_without_a_timestamp():
    """A new order without a timestamp was placed now; a known one keeps its date."""
    assert read(timestamp=None).order_date == NOW
    order = read()
    order.update_from_ccxt_object(answer(timestamp=None))
    assert order.order_date == OPENED


@pytest.mark.parametrize(
    ("prices", "stop_price"),
    [
        ({"stopPrice": 18.0, "triggerPrice": 17.0, "stopLossPrice": 16.0}, 18.0),
        ({"stopPrice": None, "triggerPrice": 17.0, "stopLossPrice": 16.0}, 17.0),
        ({"stopPrice": 0, "triggerPrice": None, "stopLossPrice": 16.0}, 16.0),
        ({"stopPrice": 0}, None),
        ({}, None),
    ],
)
def test_trigger_price(prices, stop_price):
    """The trigger price comes under one of three names, and 0 means none."""
    assert read(**prices).stop_price == stop_price


@pytest.mark.parametrize(
    ("told", "kept"), [("buy", "buy"), ("buy_open", "buy"), ("sell_close", "sell"), ("SELL", "sell")]
)
def test_sides_of_hedge_mode(told, kept):
    """buy_open and the like are buy and sell, in the answer and from the caller."""
    assert read(side=told).side == kept
    assert LocalOrder.parse_from_ccxt_object(answer(), PAIR, told).ft_order_side == kept


def test_stoploss_side_stays():
    """An order of side stoploss keeps it beside the exchange's side."""
    order = LocalOrder.parse_from_ccxt_object(answer(side="sell"), PAIR, "stoploss")
    assert (order.ft_order_side, order.side) == ("stoploss", "sell")


def test_amount_in_quote_currency():
    """A market buy of 200 USDT that got 10 at 20 has an amount of 10, and nothing remains."""
    order = read(type="market", status="closed", amount=200.0, cost=200.0, filled=10.0, remaining=190.0)
    assert (order.amount, order.filled, order.remaining, order.cost) == (10.0, 10.0, 0.0, 200.0)


@pytest.mark.parametrize("changes", [{"type": "limit"}, {"side": "sell"}, {"status": "canceled"}, {"cost": 100.0}])
def test_amount_in_base_currency_stays(changes):
    """Only a closed market buy whose amount is its cost was meant in quote currency."""
    told = {"type": "market", "status": "closed", "amount": 200.0, "cost": 200.0, "filled": 10.0} | changes
    assert read(**told).amount == 200.0


def test_cost_without_a_fill():
    """The cost of an order that has not traded is 0."""
    assert read(cost=200.0, filled=0.0).cost == 0.0


@pytest.mark.parametrize(("status", "cost"), [("open", None), ("canceled", None), ("closed", 200.0)])
def test_cost_without_a_known_fill(status, cost):
    """A cost counts if the fill isn't told only where the order is done: elsewhere it is what a fill would cost."""
    assert read(status=status, filled=None, cost=200.0).cost == cost


def test_fill_without_a_value():
    """A fill at cost 0 and average 0 is none: the order was cancelled."""
    assert read(status="canceled", filled=10.0, cost=0.0, average=0.0).filled == 0.0


def test_remaining_of_an_open_order():
    """0 remaining on an open order of 0.3 with 0.1 filled is exactly 0.2."""
    assert read(amount=0.3, filled=0.1, remaining=0.0).remaining == 0.2
    assert read(amount=0.3, filled=0.1, remaining=0.0, status="canceled").remaining == 0.0


def test_numbers_as_text():
    """Numbers that come as text are numbers."""
    order = read(price="20.5", filled="0.1", timestamp=str(PLACED))
    assert (order.price, order.filled, order.order_date) == (20.5, 0.1, OPENED)


def test_times_in_seconds():
    """A time in seconds is told apart from one in milliseconds."""
    assert read(timestamp=PLACED // 1000).order_date == OPENED


@pytest.mark.parametrize("key", ["price", "amount", "filled", "average", "cost", "timestamp", "lastTradeTimestamp"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "twenty", [20.0]], ids=["nan", "inf", "text", "list"])
def test_what_is_no_number_is_refused(key, value):
    """A number that is none is refused by name, and the known order stays as it was."""
    order = read()
    before = dict(vars(order))
    with pytest.raises(InvalidOrder, match=f"as '{key}'"):
        order.update_from_ccxt_object(answer(status="closed", filled=10.0) | {key: value})
    assert vars(order) == before


def test_a_time_beyond_the_calendar_is_refused():
    """A timestamp that no date can hold is refused as an order, not as an overflow."""
    with pytest.raises(InvalidOrder, match="as 'timestamp'"):
        read(timestamp=10**20)


@pytest.mark.parametrize("identifier", ["exchange-2", 7])
def test_update_orders_finds_the_order(identifier):
    """Among several orders the one with the id is updated, an integer id too."""
    orders = [read(id="exchange-1"), read(id="7"), read(id="exchange-2")]
    LocalOrder.update_orders(orders, answer(id=identifier, filled=4.0))
    assert {o.order_id: o.filled for o in orders if o.filled} == {str(identifier): 4.0}


@pytest.mark.parametrize("message", [None, "gone", [], {"id": "exchange-9"}, {}], ids=repr)
def test_update_orders_warns_of_what_it_cannot_use(message, caplog):
    """What is no order, or an unknown one, is logged and changes nothing."""
    order = read()
    before = dict(vars(order))
    with caplog.at_level(logging.WARNING, "tradestore"):
        LocalOrder.update_orders([order], message)
    assert vars(order) == before
    assert [record.levelname for record in caplog.records] == ["WARNING"]
