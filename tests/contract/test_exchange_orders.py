"""Real answers of exchanges: what they become, that they are stored, and what is refused."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from tests.builders import ccxt_order, columns_of, store, trade
from tests.contract.conftest import Watch
from tradestore import LocalOrder, Order, Trade
from tradestore.exceptions import DependencyException, InvalidOrder

FOLDER = Path(__file__).parents[1] / "data" / "ccxt_orders"
FAILURES = json.loads((FOLDER / "failures.json").read_text(encoding="utf-8"))
ANSWERS = {
    (file.stem, index): item["order"]
    for file in sorted(FOLDER.glob("*.json"))
    if file.stem != "failures"
    for index, item in enumerate(json.loads(file.read_text(encoding="utf-8")))
}
WITH_ID = {key: answer for key, answer in ANSWERS.items() if answer["id"]}
NOW = datetime(2026, 1, 1, tzinfo=UTC)

NUMBERS = ("price", "average", "amount", "filled", "remaining", "cost")


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def _pair(key: tuple[str, int]) -> str:
    """Return a pair of its own for each answer: some exchanges appear with one order twice."""
    return f"{key[0]}{key[1]}/USDT"


def _parse(key: tuple[str, int], **asked: Any) -> Order:
    return Order.parse_from_ccxt_object(ANSWERS[key], _pair(key), "buy", **asked)


def _tells_price(answer: dict[str, Any]) -> bool:
    by_value = answer.get("cost") and answer.get("filled")
    trigger = answer.get("stopPrice") or answer.get("triggerPrice")
    if answer.get("stopPrice") is None and answer.get("triggerPrice") is None:
        # Beside a trigger price of 0, it belongs to another order that comes with this one.
        trigger = answer.get("stopLossPrice")
    return bool(answer.get("price") or answer.get("average") or by_value or trigger)


def _at_rest(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as they must come back: dates in UTC without offset."""
    return {
        name: value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value
        for name, value in values.items()
    }


def _store_all(orders: dict[tuple[str, int], Order]) -> dict[tuple[str, int], dict[str, Any]]:
    """Store each order with a trade, and return what a new session reads, apart from what the database gives."""
    for key, order in orders.items():
        holder = trade(pair=_pair(key))
        holder.orders.append(order)
        Trade.session.add(holder)
    Trade.commit()
    Trade.session.remove()
    found = {order.ft_pair: order for order in Order.session.query(Order)}
    return {key: columns_of(found[_pair(key)], without=("id", "ft_trade_id")) for key in orders}


def _cases(kind: str, *needed: str) -> Any:
    cases = [
        ((f["exchange"], f["index"]), f["correct"])
        for f in FAILURES
        if f["kind"] == kind and all(name in f["correct"] for name in needed)
    ]
    assert cases
    return pytest.mark.parametrize(("key", "correct"), cases, ids=[f"{key[0]}-{key[1]}" for key, _ in cases])


def test_the_answers_were_found() -> None:
    """All 75 recorded answers of 25 exchanges are here."""
    assert len(ANSWERS) == 75
    assert len({exchange for exchange, _ in ANSWERS}) == 25


def test_stored_with_what_was_asked_for(database) -> None:
    """Whatever an exchange answers can be stored with the price and amount that were asked for, and stays as it was."""
    orders = {key: _parse(key, amount=3.5, price=7.25) for key in WITH_ID}
    before = {key: _at_rest(columns_of(order, without=("id", "ft_trade_id"))) for key, order in orders.items()}
    assert _store_all(orders) == before
    assert {(values["ft_amount"], values["ft_price"]) for values in before.values()} == {(3.5, 7.25)}


def test_stored_with_what_the_exchange_tells(database) -> None:
    """Without a price that was asked for, the best one known is stored; everything else stays as it was."""
    orders = {key: _parse(key) for key, answer in WITH_ID.items() if _tells_price(answer)}
    before = {key: _at_rest(columns_of(order, without=("id", "ft_trade_id"))) for key, order in orders.items()}
    after = _store_all(orders)
    assert all(values.pop("ft_price") > 0 for values in after.values())
    assert after == {key: {n: v for n, v in values.items() if n != "ft_price"} for key, values in before.items()}


def test_refused_where_no_price_is_known(database, statements: Watch) -> None:
    """An order without any price is refused by name before the database is asked, and nothing of it stays."""
    unknown = [key for key, answer in WITH_ID.items() if not _tells_price(answer)]
    for key in unknown:
        holder = trade(pair=_pair(key))
        holder.orders.append(_parse(key))
        Trade.session.add(holder)
        with statements() as sent, pytest.raises(DependencyException, match=ANSWERS[key]["id"]):
            Trade.commit()
        assert sent == []
    store(trade(pair="AFTER/USDT"))
    assert [t.pair for t in Trade.get_trades()] == ["AFTER/USDT"]
    assert Order.get_open_orders() == []
    assert len(unknown) == 15


@_cases("not_storable", "taken_from")
def test_price_is_taken_from_the_best_place(database, key, correct) -> None:
    """The price of an order whose asked price is unknown comes from where the recorded judgement takes it."""
    assert _store_all({key: _parse(key)})[key]["ft_price"] == correct["ft_price"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"price": 5.0, "average": 6.0, "stopPrice": 8.0}, 5.0),
        ({"average": 6.0, "cost": 21.0, "filled": 3.0, "stopPrice": 8.0}, 6.0),
        ({"cost": 21.0, "filled": 3.0, "stopPrice": 8.0}, 7.0),
        ({"cost": 0.3, "filled": 0.1}, 3.0),  # In binary fractions it would be 2.9999999999999996.
        ({"stopPrice": 8.0}, 8.0),
        ({"stopPrice": 0, "triggerPrice": 9.0}, 9.0),
    ],
)
def test_price_comes_from_the_first_place_that_has_one(database, told, expected) -> None:
    """The order of places is price, average, exact cost per unit, trigger price."""
    answer = ccxt_order(**{"price": None, "average": None, "cost": None, "filled": None} | told)
    holder = trade()
    holder.orders.append(Order.parse_from_ccxt_object(answer, "ADA/USDT", "buy"))
    store(holder)
    assert holder.orders[0].ft_price == expected


def test_written_back_as_an_answer(database) -> None:
    """An order that was stored is given back as the answer that it was made from, and reads the same again."""
    _store_all({key: _parse(key, amount=3.5, price=7.25) for key in WITH_ID})
    for order in Order.session.query(Order).order_by(Order.id):
        written = order.to_ccxt_object()
        again = LocalOrder.parse_from_ccxt_object(written, order.ft_pair, "buy")
        assert {name: getattr(again, name) for name in NUMBERS} == {name: getattr(order, name) for name in NUMBERS}
        assert (again.order_id, again.status, again.ft_is_open) == (order.order_id, order.status, order.ft_is_open)
        assert again.order_type == order.order_type
        assert again.order_date_utc is not None
        assert order.order_date_utc is not None
        assert timedelta(0) <= order.order_date_utc - again.order_date_utc < timedelta(milliseconds=1)


@pytest.mark.parametrize("key", WITH_ID, ids=lambda key: f"{key[0]}-{key[1]}")
def test_plain_values_are_taken_as_told(key) -> None:
    """Id, symbol, type, price, average and the time of placing are those of the answer."""
    answer, order = ANSWERS[key], _parse(key, amount=3.5, price=7.25)
    assert order.order_id == str(answer["id"])
    assert (order.symbol, order.order_type) == (answer["symbol"], answer["type"])
    assert (order.price, order.average) == (answer["price"], answer["average"])
    placed = (
        NOW
        if answer["timestamp"] is None
        else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=answer["timestamp"])
    )
    assert order.order_date == placed


def test_stop_loss_order_tells_its_trigger_price() -> None:
    """The trigger price of a stop-loss order is given back under the name that the exchange wants."""
    order = LocalOrder.parse_from_ccxt_object(ccxt_order(stopPrice=18.5), "ADA/USDT", "stoploss")
    written = order.to_ccxt_object(stopPriceName="triggerPrice")
    assert (written["triggerPrice"], written["ft_order_type"]) == (18.5, "stoploss")
    assert "stopPrice" not in written


@_cases("id_null")
def test_answer_without_an_id_is_refused(key, correct) -> None:
    """Nobody could tell the order apart from others, so it is refused when it is read."""
    with pytest.raises(InvalidOrder, match="no order id"):
        _parse(key, amount=3.5, price=7.25)


@pytest.mark.parametrize("identifier", [None, ""])
def test_update_without_an_id_is_refused(identifier) -> None:
    """An update that doesn't say which order it is about changes nothing."""
    order = LocalOrder.parse_from_ccxt_object(ccxt_order(), "ADA/USDT", "buy")
    with pytest.raises(DependencyException):
        order.update_from_ccxt_object(ccxt_order(id=identifier, filled=4.0))
    assert order.filled == 0.0


@_cases("stop_price_zero")
def test_zero_is_no_trigger_price(key, correct) -> None:
    """A trigger price of 0 means that there is none."""
    assert _parse(key).stop_price is correct["stop_price"]


@_cases("trigger_price_lost")
def test_trigger_price_is_found_under_any_name(key, correct) -> None:
    """The trigger price is taken from whichever name the exchange uses."""
    assert _parse(key).stop_price == correct["stop_price"]


@_cases("side_odd")
def test_hedge_mode_sides_are_plain_sides(key, correct) -> None:
    """`buy_open` is a buy, `sell_close` a sell."""
    assert _parse(key).side == correct["side"]


@_cases("amount_in_quote")
def test_amount_in_stake_currency_becomes_what_was_bought(key, correct) -> None:
    """A market buy by cost has bought what was filled, and nothing remains."""
    order = _parse(key)
    assert (order.amount, order.remaining, order.cost) == (correct["amount"], correct["remaining"], correct["cost"])


@_cases("cost_without_fill")
def test_order_without_a_fill_has_cost_nothing(key, correct) -> None:
    """Amount times price is no cost as long as nothing was filled."""
    assert _parse(key).cost == correct["cost"]


@pytest.mark.parametrize("status", ["CANCELED", "Closed", "EXPIRED", "Rejected", "CanCelled"])
def test_status_is_kept_in_lower_case(status) -> None:
    """A final status ends the order however it is written."""
    order = LocalOrder.parse_from_ccxt_object(ccxt_order(status=status), "ADA/USDT", "buy")
    assert (order.status, order.ft_is_open) == (status.lower(), False)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"lastTradeTimestamp": 1772366460000, "lastUpdateTimestamp": 1772366520000}, "2026-03-01T12:01:00"),
        ({"lastUpdateTimestamp": 1772366520000}, "2026-03-01T12:02:00"),
        ({}, "2026-01-01T00:00:00"),
    ],
)
def test_fill_time(times, expected) -> None:
    """An order was filled at its last trade, else at its last update, else now."""
    answer = ccxt_order(status="closed", filled=10.0, remaining=0.0, **times)
    order = LocalOrder.parse_from_ccxt_object(answer, "ADA/USDT", "buy")
    assert order.order_filled_utc == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_order_that_waits_has_no_fill_time() -> None:
    """A part that was filled is no end."""
    answer = ccxt_order(filled=4.0, lastTradeTimestamp=1772366460000)
    assert LocalOrder.parse_from_ccxt_object(answer, "ADA/USDT", "buy").order_filled_date is None


def test_acknowledgement_overwrites_nothing(database) -> None:
    """An answer that has only the id leaves every known value as it is, in memory and in the database."""
    answer = ccxt_order(status="closed", filled=10.0, remaining=0.0, average=19.5, cost=195.0, stopPrice=18.0)
    holder = trade()
    holder.orders.append(Order.parse_from_ccxt_object(answer, "ADA/USDT", "buy"))
    store(holder)
    known = columns_of(holder.orders[0], without=["order_update_date"])
    holder.update_order(dict.fromkeys(answer) | {"id": answer["id"], "info": {}})
    holder.update_order({"id": answer["id"]})
    Trade.session.remove()
    assert columns_of(Trade.get_trades().one().orders[0], without=["order_update_date"]) == known


def test_unknown_order_and_odd_answers_change_nothing(database, caplog) -> None:
    """An answer about another order, or one that is no dict, is logged."""
    holder = trade()
    holder.orders.append(Order.parse_from_ccxt_object(ccxt_order(), "ADA/USDT", "buy"))
    store(holder)
    before = columns_of(holder.orders[0])
    holder.update_order(ccxt_order(id="somebody-else", filled=10.0))
    holder.update_order([])  # type: ignore[arg-type]  # as an exchange may answer
    assert columns_of(holder.orders[0]) == before
    assert len(caplog.records) == 2


def test_number_as_id_is_found_again(database) -> None:
    """Some exchanges send ids as numbers; they are the same ids as texts."""
    holder = trade()
    holder.orders.append(Order.parse_from_ccxt_object(ccxt_order(id=12345), "ADA/USDT", "buy"))
    store(holder)
    holder.update_order(ccxt_order(id=12345, filled=4.0))
    found = Order.order_by_id("12345", "ADA/USDT")
    assert found is not None
    assert found.filled == 4.0
