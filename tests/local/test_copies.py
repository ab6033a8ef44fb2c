"""Copies of trades stand on their own, and pickled ones come back."""

import copy
import pickle
from typing import Annotated, Any

import pytest

from tests.local.making import fill, make_trade, place
from tradestore import LocalTrade


def pickled(trade):
    return pickle.loads(pickle.dumps(trade))


@pytest.fixture
def trade():
    trade = make_trade(id=7, enter_tag="dip")
    fill(trade, "buy", 10.0, 20.0, ft_order_tag="first")
    place(trade, "sell", 10.0, 25.0)
    return trade


copying = pytest.mark.parametrize("copied", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])


@copying
def test_a_copy_is_equal_in_all_it_tells(trade, copied):
    """A copy has the fields of the trade and of its orders."""
    twin = copied(trade)
    assert type(twin) is LocalTrade
    assert twin.to_json() == trade.to_json()
    assert (twin.enter_tag, twin.orders[0].ft_order_tag) == ("dip", "first")


@copying
def test_a_copy_is_independent(trade, copied):
    """What happens to a copy and its orders doesn't touch the first, nor the other way round."""
    twin = copied(trade)
    before = trade.to_json()
    fill(twin, "buy", 10.0, 30.0)
    twin.orders[0].filled = 1.0
    twin.enter_tag = "other"
    assert trade.to_json() == before
    assert len(trade.orders) == 2
    trade.orders[1].status = "closed"
    assert twin.orders[1].status == "open"


@copying
def test_orders_of_a_copy_belong_to_the_copy(trade, copied):
    """The orders of a copy know the copy, not the first trade."""
    twin = copied(trade)
    assert all(order.trade is twin for order in twin.orders)
    assert all(order.trade is trade for order in trade.orders)


@copying
def test_a_copied_order_brings_its_trade(trade, copied):
    """A copy of an order has a copy of its trade, in which it stands."""
    order = copied(trade.orders[0])
    assert order.trade is not trade
    assert order.trade.orders[0] is order


@copying
def test_a_copy_is_not_in_memory(trade, copied):
    """A copy of a trade that is in memory isn't there itself."""
    LocalTrade.add_bt_trade(trade)
    copied(trade)
    assert LocalTrade.bt_trades_open == [trade]


def test_what_a_subclass_adds_is_copied_too():
    """A list that a subclass keeps is a list of the copy's own."""

    class Noted(LocalTrade):
        notes: list[str]

    trade = Noted(pair="A/B", notes=["first"])
    twin = copy.deepcopy(trade)
    twin.notes.append("second")
    assert (type(twin), trade.notes, twin.notes) == (Noted, ["first"], ["first", "second"])


def test_what_a_bot_sets_beside_the_fields_is_copied_too():
    """A dict that a bot hangs on a trade or an order without declaring it is the copy's own as well."""
    trade: Any = make_trade()
    order: Any = place(trade, "buy", 10.0, 20.0)
    trade.seen, order.seen, trade.first = {"a": 1}, [1], order
    twin = copy.deepcopy(trade)
    twin.seen["a"], twin.orders[0].seen[0] = 2, 2
    assert (trade.seen, order.seen) == ({"a": 1}, [1])
    assert twin.first is twin.orders[0]


def test_a_list_that_holds_itself_is_copied():
    """A copy follows lists in lists, and lists that hold themselves."""
    trade: Any = make_trade()
    trade.nested = [trade.orders]
    trade.nested.append(trade.nested)
    twin = copy.deepcopy(trade)
    assert twin.nested[0] is twin.orders
    assert twin.nested[1] is twin.nested
    assert twin.nested is not trade.nested


def test_a_field_may_be_annotated_with_anything():
    """A hint that cannot be hashed is a hint all the same, and what the field holds is copied."""

    class Weighed(LocalTrade):
        weight: Annotated[list[float], {"unit": "kg"}]

    trade = Weighed(pair="A/B", weight=[1.0])
    twin = copy.deepcopy(trade)
    twin.weight.append(2.0)
    assert trade.weight == [1.0]


def test_an_order_that_belongs_elsewhere_keeps_its_own_trade():
    """An order of another trade brings a copy of that trade, not the one in whose list it stands."""
    first, second = make_trade(id=1), make_trade(id=2)
    second.orders.append(place(first, "buy", 1.0, 2.0))
    twin = copy.deepcopy(second)
    owner = twin.orders[0].trade
    assert owner is not None
    assert owner.id == 1
    assert owner is not first
