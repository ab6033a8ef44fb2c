"""How trades, orders and locks are built, by bots, by their subclasses and by the mocks of their tests."""

import copy
import pickle
import random
from decimal import Decimal
from typing import Any
from unittest.mock import MagicMock, create_autospec, patch

import numpy as np
import pytest

import tradestore
from tests.local.making import OPENED, answer, fill, make_trade
from tradestore import CustomDataWrapper, LocalOrder, LocalPairLock, LocalTrade, Order, PairLock, PairLocks, Trade
from tradestore.enums import TradingMode

TRADE = {
    "pair": "ETH/USDT:USDT",
    "exchange": "binance",
    "amount": 10.0,
    "amount_requested": 12.0,
    "open_rate": 20.0,
    "stake_amount": 100.0,
    "fee_open": 0.001,
    "fee_close": 0.002,
    "open_date": OPENED,
    "leverage": 2.0,
    "is_short": True,
    "trading_mode": TradingMode.MARGIN,
    "interest_rate": 0.0005,
    "liquidation_price": 35.0,
    "stop_loss": 22.0,
    "stop_loss_pct": -0.2,
    "initial_stop_loss": 22.0,
    "initial_stop_loss_pct": -0.2,
    "amount_precision": 2.0,
    "price_precision": 2.0,
    "precision_mode": 2,
    "max_rate": 21.0,
    "enter_tag": "dip",
}
ORDER = {
    "order_id": "1",
    "ft_pair": "ETH/USDT",
    "ft_order_side": "sell",
    "ft_amount": 10.0,
    "ft_price": 20.0,
    "amount": 10.0,
    "filled": 4.0,
    "price": 20.0,
    "average": 19.0,
    "status": "open",
    "order_date": OPENED,
    "ft_order_tag": "first",
}


def in_some_order(values: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return the same values in another order."""
    names = list(values)
    random.Random(seed).shuffle(names)
    return {name: values[name] for name in names}


def told(record: LocalTrade | LocalOrder) -> dict[str, Any]:
    """Return all that a record holds."""
    return {name: value for name, value in vars(record).items() if name != "_sa_instance_state"}


@pytest.mark.parametrize("kind", [LocalTrade, Trade])
def test_the_order_of_keywords_of_a_trade_does_not_matter(kind):
    """A short's open value is 10 · 20 · 0.999 = 199.8, its risk and requests are as given, whichever comes first."""
    first = kind(**TRADE)
    assert (first.open_trade_value, first.stop_loss, first.liquidation_price) == (199.8, 22.0, 35.0)
    assert (first.amount_requested, first.stoploss_or_liquidation, first.borrowed) == (12.0, 22.0, 10.0)
    expected = told(first)
    assert all(told(kind(**in_some_order(TRADE, seed))) == expected for seed in range(50))


@pytest.mark.parametrize("kind", [LocalOrder, Order])
def test_the_order_of_keywords_of_an_order_does_not_matter(kind):
    """An order's views follow from its fields alone: it has a best price of 19, and 6 of 10 are left."""
    first = kind(**ORDER)
    assert (first.safe_price, first.safe_remaining, first.stake_amount) == (19.0, 6.0, 190.0)
    expected = told(first)
    assert all(told(kind(**in_some_order(ORDER, seed))) == expected for seed in range(50))


@pytest.mark.parametrize("kind", [LocalTrade, Trade])
def test_fields_that_are_set_later_count_as_given_ones(kind):
    """A trade whose fields are set one by one, and whose open value is worked out then, is the same trade."""
    later: Any = kind(pair="?", is_short=True)
    for name, value in in_some_order(TRADE, 1).items():
        setattr(later, name, value)
    assert later.open_trade_value is None
    later.recalc_open_trade_value()
    assert told(later) == told(kind(**TRADE))


@pytest.mark.parametrize("kind", [LocalTrade, Trade])
@pytest.mark.parametrize("given", [None, [], ()], ids=["None", "list", "tuple"])
def test_a_trade_begins_with_a_list_of_its_own(kind, given):
    """Neither the caller's list nor another trade's is changed by what is appended."""
    first, second = kind(pair="A/B", orders=given), kind(pair="A/B", orders=given)
    first.orders.append(Order() if kind is Trade else LocalOrder())
    assert (len(first.orders), list(second.orders), given or []) == (1, [], [])


def test_given_orders_may_come_in_any_row():
    """A list that is handed in stays the caller's."""
    orders = [LocalOrder(order_id="1"), LocalOrder(order_id="2")]
    trade = LocalTrade(pair="A/B", orders=orders)
    orders.clear()
    assert ([o.order_id for o in trade.orders], trade.orders[0].trade) == (["1", "2"], trade)
    assert len(LocalTrade(pair="A/B", orders=tuple(trade.orders)).orders) == 2


@pytest.mark.parametrize("kind", [LocalTrade, Trade, LocalOrder, Order, LocalPairLock, PairLock])
@pytest.mark.parametrize("name", ["amuont", "session", "metadata", "shared_by_copies", "_sa_instance_state"])
def test_what_is_no_field_is_refused_and_named(kind, name):
    """A keyword that is no field raises TypeError, whatever else the class has under that name."""
    with pytest.raises(TypeError, match=name):
        kind(**{name: 1.0})


@pytest.mark.parametrize("kinds", [(LocalTrade, Trade), (LocalOrder, Order), (LocalPairLock, PairLock)])
def test_every_field_of_a_new_record_can_be_read(kinds):
    """Each column has its default before it is stored, the same in memory; what has none is None, empty or 0."""
    plain, mapped = (kind() for kind in kinds)
    for name, column in kinds[1].__mapper__.columns.items():
        default = column.default.arg if column.default is not None and column.default.is_scalar else None
        if name != "open_date":
            assert getattr(mapped, name) == default, name
            assert getattr(plain, name) in {default, None, "", 0}, name
    assert repr(plain).partition("(")[0] == repr(mapped).partition("(")[0] in {"Trade", "Order", "PairLock"}
    assert kinds[0]._fields <= {*kinds[1].__mapper__.attrs.keys()}


def test_a_class_variable_that_a_bot_overrides_is_still_no_field():
    """``use_db`` and its kin belong to the class, with or without an annotation; fields keep their new default."""

    class Mine(LocalTrade):
        use_db = True
        leverage = 3.0

    with pytest.raises(TypeError, match="use_db"):
        Mine(pair="A/B", use_db=False)
    assert (Mine(pair="A/B").leverage, Mine(pair="A/B", leverage=2.0).leverage) == (3.0, 2.0)


class Own(LocalTrade):
    """A bot's class with an __init__, a class attribute, a property and attributes of its own."""

    mood = "calm"

    def __init__(self, config: dict[str, int], *, extra: Any = None, **fields: Any) -> None:
        super().__init__(**fields)
        self.config = config
        self.extra = extra

    @property
    def double(self) -> float:
        return self.amount * 2


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_lists_of_a_bots_own_trades_travel_between_processes(protocol):
    """Trades, their orders and what a subclass has added come back from a pickle of any protocol."""
    first = Own({"a": 1}, extra=[2], pair="A/B", amount=3.0, open_rate=2.0)
    first.orders.append(LocalOrder(order_id="1"))
    first.orders[0]._trade_bt = first
    read = pickle.loads(pickle.dumps([first, make_trade()], protocol))
    assert (type(read[0]), read[0].config, read[0].extra, read[0].double) == (Own, {"a": 1}, [2], 6.0)
    assert read[0].orders[0].trade is read[0]
    assert read[1].to_json() == make_trade().to_json()


def test_copies_of_a_bots_own_trades():
    """A shallow copy shares what the trade holds, a deep one has its own."""
    first = Own({"a": 1}, pair="A/B", amount=3.0)
    shallow, deep = copy.copy(first), copy.deepcopy(first)
    assert (shallow.config is first.config, shallow.orders is first.orders) == (True, True)
    assert (deep.config is first.config, deep.orders is first.orders, deep.config) == (False, False, {"a": 1})


def test_a_bots_own_orders_are_made_from_answers():
    """``parse_from_ccxt_object`` makes the class that it is called on."""

    class Mine(LocalOrder):
        def __init__(self, extra: int = 1, **fields: Any) -> None:
            super().__init__(**fields)
            self.extra = extra

    order = Mine.parse_from_ccxt_object(answer(), "ETH/USDT", "buy")
    assert (type(order), order.extra, order.order_id) == (Mine, 1, "exchange-1")


@pytest.mark.parametrize(
    "number", [int, Decimal, np.float64, np.int64], ids=["int", "Decimal", "numpy float", "numpy int"]
)
def test_any_number_will_do(number):
    """10 bought at 20 with a fee of 0.1 % and sold at 22 with 0.2 %: 219.56 less 200.2 is 19.36, in plain floats."""
    trade = make_trade(amount=number(10), open_rate=number(20))
    profit = trade.calculate_profit(number(22))
    assert (profit.profit_abs, type(profit.profit_abs), type(trade.open_trade_value)) == (19.36, float, float)


@pytest.mark.parametrize("kind", [Trade, LocalTrade])
def test_mocks_know_what_a_trade_has(kind):
    """A mock with a class as its specification has all fields, orders and dates, and nothing else."""
    for mock in (MagicMock(spec=kind), create_autospec(kind, instance=True)):
        assert hasattr(mock, "orders")
        assert None not in (mock.pair, mock.open_date, mock.open_date_utc, mock.stop_loss)
        mock.calc_profit_ratio.return_value = 0.1
        assert mock.calc_profit_ratio(21.0) == 0.1
        with pytest.raises(AttributeError):
            mock.amuont  # noqa: B018 - reading it is the test


@pytest.mark.parametrize(
    "kind", [Order, LocalOrder, PairLock, LocalPairLock, PairLocks, CustomDataWrapper, Trade, LocalTrade]
)
def test_specifications_can_be_taken_of_every_class(kind):
    """``create_autospec`` walks through all that a class has."""
    assert create_autospec(kind)
    assert create_autospec(kind, instance=True)


def test_patched_methods_are_called():
    """What a test puts in the place of a method is what the library itself calls, under every name of the class."""
    mine: Any = ["mine"]
    with patch("tradestore.Trade.get_trades_proxy", return_value=mine):
        assert Trade.get_open_trades() == tradestore.trade_model.Trade.get_closed_trades() == mine
    with patch.object(LocalTrade, "persist") as persist:
        fill(make_trade(), "buy", 10.0, 20.0)
    assert persist.call_count == 1


def test_memory_may_be_chosen_for_each_class_alone():
    """``use_db`` is set on each of the classes, and concerns no other."""
    Trade.use_db = False
    try:
        LocalTrade.add_bt_trade(trade := make_trade())
        assert (Trade.get_open_trades(), Trade.get_open_trade_count(), Trade.total_open_trades_stakes()) == (
            [trade],
            1,
            200.0,
        )
        assert (PairLocks.use_db, CustomDataWrapper.use_db, LocalTrade.use_db) == (True, True, False)
    finally:
        Trade.use_db = True
    CustomDataWrapper.use_db = PairLocks.use_db = False
    try:
        CustomDataWrapper.set_custom_data(1, "key", 2)
        PairLocks.lock_pair("A/B", OPENED, now=OPENED)
        assert (len(CustomDataWrapper.custom_data), len(PairLocks.locks)) == (1, 1)
    finally:
        CustomDataWrapper.use_db = PairLocks.use_db = True
