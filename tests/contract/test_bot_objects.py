"""Trades and orders as bots handle them: lists, copies, pickles, sessions that are gone, and other threads."""

import copy
import pickle
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import DetachedInstanceError

from tests.builders import CLOSED, amend, local_order, order, store, trade, trade_with_entry
from tradestore import FtNoDBContext, LocalOrder, LocalTrade, Order, PairLocks, Trade
from tradestore.exceptions import DependencyException, InvalidOrder


def three_orders() -> Trade:
    """Store a trade with orders 1, 2 and 3."""
    record = trade_with_entry()
    record.orders += [order(order_id="second"), order(order_id="third")]
    store(record)
    return record


def rows() -> tuple[list[int], list[int]]:
    """Return the ids of the trades and of the orders that are in the database."""
    Trade.session.remove()
    trades = Trade.session.scalars(select(Trade.id).order_by(Trade.id)).all()
    orders = Trade.session.scalars(select(Order.id).order_by(Order.id)).all()
    Trade.session.remove()
    return list(trades), list(orders)


def in_thread(work: Callable[[], Any]) -> Any:
    """Do something in another thread, which leaves its session behind; return its result or its error."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as e:  # noqa: BLE001 - it is handed over
            results.append(e)
        finally:
            Trade.session.remove()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return results[0]


def assign(record: Any, orders: list[Order]) -> None:
    """Replace the list of orders."""
    record.orders = orders


def new(name: str = "new") -> Any:
    """Return an order that can belong to a trade of the mode that is in use."""
    return order(order_id=name) if Trade.use_db else local_order(order_id=name)


CHANGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "del one": (lambda t: t.orders.__delitem__(0), "b c"),
    "del the last": (lambda t: t.orders.__delitem__(-1), "a b"),
    "del some": (lambda t: t.orders.__delitem__(slice(1, None)), "a"),
    "remove": (lambda t: t.orders.remove(t.orders[1]), "a c"),
    "pop": (lambda t: t.orders.pop(), "a b"),
    "clear": (lambda t: t.orders.clear(), ""),
    "append": (lambda t: t.orders.append(new()), "a b c new"),
    "insert": (lambda t: t.orders.insert(0, new()), "new a b c"),
    "extend": (lambda t: t.orders.extend([new("d"), new("e")]), "a b c d e"),
    "one in place of another": (lambda t: t.orders.__setitem__(0, new()), "new b c"),
    "some in place of others": (lambda t: t.orders.__setitem__(slice(0, 2), [new()]), "new c"),
    "a part of the list": (lambda t: assign(t, t.orders[:2]), "a b"),
    "another list": (lambda t: assign(t, [new()]), "new"),
    "no list": (lambda t: assign(t, []), ""),
    "sort": (lambda t: t.orders.sort(key=lambda o: o.order_id, reverse=True), "c b a"),
}
DELETIONS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "the session deletes": (lambda t: Order.session.delete(t.orders[-1]), "a b"),
    "the session deletes some": (lambda t: list(map(Order.session.delete, t.orders[:2])), "c"),
}


def names(orders: Iterable[LocalOrder]) -> str:
    """Return the ids that the exchange gave to orders."""
    return " ".join(str(o.order_id) for o in orders)


def test_lists_of_orders(database) -> None:
    """What is done to a list of orders, or to an order in it, is what trade and database have after a commit."""
    changes = CHANGES | DELETIONS
    expected = {name: ids for name, (_, ids) in changes.items()}
    records = {name: trade(pair=f"{number}/USDT") for number, name in enumerate(changes)}
    for record in records.values():
        record.orders += [order(order_id=letter, ft_pair=record.pair) for letter in "abc"]
    Trade.session.add_all(records.values())
    Trade.commit()
    for name, record in records.items():
        changes[name][0](record)
        for each in record.orders:
            each.ft_pair = record.pair  # Ids are unique for each pair.
    Trade.commit()
    assert {name: names(record.orders) for name, record in records.items()} == expected
    assert all(o.trade is record for record in records.values() for o in record.orders)
    ids = {name: record.id for name, record in records.items()}
    Trade.session.remove()
    read = {t.id: names(t.orders) for t in Trade.get_trades()}
    assert {name: sorted(read[ids[name]].split()) for name in ids} == {
        name: sorted(each.split()) for name, each in expected.items()
    }
    assert Trade.session.scalar(select(func.count(Order.id))) == sum(len(each.split()) for each in expected.values())


@pytest.mark.parametrize("name", CHANGES)
def test_lists_of_orders_in_memory(name) -> None:
    """The list of a trade in memory takes the same."""
    change, expected = CHANGES[name]
    with FtNoDBContext():
        record = LocalTrade(pair="ADA/USDT", orders=[new(letter) for letter in "abc"])
        change(record)
    assert names(record.orders) == expected


def test_a_deleted_order_comes_back_with_a_rollback(database) -> None:
    """An order that was deleted leaves the list when it is written, and is there again when that is given up."""
    record = three_orders()
    Order.session.delete(record.orders[0])
    Order.session.flush()
    assert [o.id for o in record.orders] == [2, 3]
    Trade.rollback()
    assert [o.id for o in record.orders] == [1, 2, 3]
    savepoint = Trade.session.begin_nested()
    Order.session.delete(record.orders[0])
    Order.session.flush()
    assert [o.id for o in record.orders] == [2, 3]
    savepoint.rollback()
    assert [o.id for o in record.orders] == [1, 2, 3]
    Trade.commit()
    assert rows() == ([1], [1, 2, 3])


def test_a_trade_follows_its_orders_after_one_was_deleted(database) -> None:
    """20 units were bought by two orders; without the second one the trade holds 10 and has a stake of 200."""
    record = trade_with_entry()
    record.orders.append(order())
    store(record)
    record.recalc_trade_from_orders()
    assert (record.amount, record.stake_amount) == (20.0, 400.0)
    Order.session.delete(record.orders[-1])
    Trade.commit()
    record.recalc_trade_from_orders()
    assert (record.amount, record.stake_amount) == (10.0, 200.0)


def test_an_order_may_move_to_another_trade(database) -> None:
    """An order that is appended to another trade leaves its own."""
    first, second = three_orders(), trade()
    store(second)
    second.orders.append(first.orders[0])
    assert ([o.id for o in first.orders], [o.id for o in second.orders]) == ([2, 3], [1])
    Trade.commit()
    Trade.session.remove()
    assert [[o.id for o in t.orders] for t in Trade.get_trades()] == [[2, 3], [1]]


@pytest.mark.parametrize("wrong", [local_order(), {"id": "1"}, "order", None], ids=["plain", "dict", "text", "None"])
def test_only_mapped_orders_belong_to_a_stored_trade(database, wrong) -> None:
    """What is no Order is refused at once, by the name of what it is, and the trade keeps what it has."""
    record = three_orders()
    for put in (lambda: record.orders.append(wrong), lambda: assign(record, [wrong]), lambda: trade(orders=[wrong])):
        with pytest.raises(InvalidOrder, match=type(wrong).__name__):
            put()
    Trade.commit()
    assert rows() == ([1], [1, 2, 3])


def test_a_mapped_order_may_belong_to_a_trade_in_memory() -> None:
    """Backtesters mix the two."""
    record = LocalTrade(pair="ADA/USDT", amount=10.0, open_rate=20.0, orders=[order()])
    assert (record.orders[0].trade, record.nr_of_successful_entries) == (record, 1)


def test_deleting_a_trade_that_the_session_does_not_know(database) -> None:
    """A trade whose session is gone, or is another thread's, can be deleted; one that is not stored is refused."""
    first, second = three_orders(), trade_with_entry()
    store(second)
    assert in_thread(second.delete) is None
    assert rows() == ([1], [1, 2, 3])
    first.delete()
    assert (rows(), len(first.orders)) == (([], []), 3)
    for record in (first, trade()):
        with pytest.raises(DependencyException, match="not stored"):
            record.delete()


def readings(record: Any) -> tuple[Any, ...]:
    """Read all that a bot might of a trade."""
    return record.pair, len(record.orders), record.orders[0].trade is record, record.to_json()["trade_id"], repr(record)


LEAVING: dict[str, Callable[[], Any]] = {
    "removed": Trade.session.remove,
    "closed": Trade.session.close,
    "all expunged": Trade.session.expunge_all,
    "committed and closed": lambda: [step() for step in (Trade.commit, Trade.session.close)],
}
LOADING: dict[str, Callable[[], Any]] = {
    "get_trades": lambda: Trade.get_trades().one(),
    "scalars": lambda: Trade.session.scalars(select(Trade)).one(),
    "query": lambda: Trade.session.query(Trade).one(),
    "get": lambda: Trade.session.get(Trade, 1),
    "an order by its id": lambda: getattr(Order.order_by_id("third"), "trade", None),
    "an open order": lambda: Order.get_open_orders()[0].trade,
}


@pytest.mark.parametrize("leaving", LEAVING)
def test_trades_can_be_read_when_their_session_is_gone(database, leaving) -> None:
    """However a trade was loaded, it is whole, and so are its orders, for whoever keeps it."""
    record = three_orders()
    record.orders[2].ft_is_open = True
    Trade.commit()
    expected = ("ADA/USDT", 3, True, 1, repr(record))
    found = {}
    for name, load in LOADING.items():
        Trade.session.remove()
        kept = load()
        LEAVING[leaving]()
        found[name] = readings(kept)
    assert found == dict.fromkeys(LOADING, expected)


def test_a_trade_can_be_written_in_a_log_whatever_became_of_it(database) -> None:
    """A trade that cannot be read any more says so, instead of failing where it is only mentioned."""
    record = three_orders()
    Trade.rollback()
    Trade.session.remove()
    with pytest.raises(DetachedInstanceError):
        record.amount  # noqa: B018 - reading it is the test
    assert repr(record) == "Trade(of a row that cannot be read: (1,))"


def test_sessions_take_objects_back(database) -> None:
    """What a session has let go of can be added or merged again, refreshed, and expired."""
    record = three_orders()
    Trade.session.remove()
    record.enter_tag = "added"
    Trade.session.add(record)
    Trade.commit()
    Trade.session.remove()
    record.enter_tag = "merged"
    merged = Trade.session.merge(record)
    Trade.commit()
    assert (merged is record, merged.enter_tag, len(merged.orders)) == (False, "merged", 3)
    merged.enter_tag = "forgotten"
    Trade.session.refresh(merged)
    assert merged.enter_tag == "merged"
    Trade.session.expire(merged)
    assert (merged.enter_tag, len(merged.orders)) == ("merged", 3)
    assert rows() == ([1], [1, 2, 3])


def test_objects_may_be_read_in_other_threads(database) -> None:
    """A thread reads what it was handed, also after a rollback of its own; its commit is about its own session."""
    record = three_orders()
    assert in_thread(lambda: readings(record)) == readings(record)
    assert in_thread(lambda: (Trade.rollback(), readings(record))[1]) == readings(record)
    assert in_thread(partial(amend, record, enter_tag="theirs")) is None
    Trade.commit()
    Trade.session.remove()
    assert Trade.get_trades().one().enter_tag == "theirs"


def test_what_is_no_column_stays_with_the_object(database) -> None:
    """An attribute of a bot's own outlives commit, rollback, refresh and the next query; it is not stored."""
    record: Any = three_orders()
    record.note = {"seen": 1}
    Trade.commit()
    record.enter_tag = "given up"
    Trade.rollback()
    Trade.session.refresh(record)
    assert (Trade.get_trades().one(), record.note, vars(record)["note"]) == (record, {"seen": 1}, {"seen": 1})
    Trade.session.remove()
    assert not hasattr(Trade.get_trades().one(), "note")


def test_objects_are_equal_to_themselves(database) -> None:
    """A trade is one object in a session; copies are others, and any of them goes into sets and dicts."""
    record = three_orders()
    twin = copy.deepcopy(record)
    assert Trade.get_trades().one() is record
    assert (record in (record, twin), [twin, record].index(record), record == twin) == (True, 1, False)
    assert (len({record, twin}), {record: 1}[record], bool(record)) == (2, 1, True)
    assert isinstance(record, LocalTrade)
    assert isinstance(record.orders[0], LocalOrder)
    assert max(record.orders, key=lambda o: o.id) is record.orders[-1]


def pickled(record: Any, protocol: int) -> Any:
    """Return what comes back from a pickle."""
    return pickle.loads(pickle.dumps(record, protocol))


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {p}": partial(pickled, protocol=p) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_keep_apart(database, name) -> None:
    """A copy has all values, orders that know it, and what a bot has set; its changes reach neither trade nor rows."""
    record: Any = three_orders()
    record.note = ["first"]
    twin = COPIES[name](record)
    assert (twin.to_json(), twin.note, type(twin)) == (record.to_json(), ["first"], Trade)
    assert all(o.trade is twin for o in twin.orders)
    assert all(o.trade is record for o in record.orders)
    twin.enter_tag = twin.orders[0].ft_order_tag = "copy"
    twin.orders.pop()
    twin.note = "other"
    Trade.commit()
    assert (record.enter_tag, record.orders[0].ft_order_tag, len(record.orders)) == (None, None, 3)
    assert (record.note, twin in Trade.session) == (["first"], False)
    assert rows() == ([1], [1, 2, 3])


@pytest.mark.parametrize("name", ["copy", "deepcopy", "pickle 5"])
def test_copies_of_what_waits_to_be_read_anew(database, name) -> None:
    """After a rollback nothing is loaded; a copy is whole all the same, of a trade, of an order and of a lock."""
    record = three_orders()
    lock = PairLocks.lock_pair("ADA/USDT", CLOSED)
    found: list[Any] = []
    for original in (record, record.orders[1], lock):
        Trade.rollback()
        found.append(COPIES[name](original))
    Trade.session.remove()
    assert [o.order_id for o in found[0].orders][1:] == ["second", "third"]
    assert (found[0].pair, found[1].order_id, found[2].pair) == ("ADA/USDT", "second", "ADA/USDT")


def test_a_copy_cannot_be_stored_beside_its_original(database) -> None:
    """A copy has the ids of the original: adding it is refused, merging it changes the original's row."""
    twin = copy.deepcopy(three_orders())
    twin.enter_tag = "copy"
    Trade.session.remove()
    Trade.session.add(twin)
    with pytest.raises(IntegrityError):
        Trade.commit()
    assert rows() == ([1], [1, 2, 3])
    Trade.session.merge(copy.deepcopy(twin))
    Trade.commit()
    assert rows() == ([1], [1, 2, 3])
    assert Trade.get_trades().one().enter_tag == "copy"


def test_a_copy_becomes_another_trade_without_its_ids(database) -> None:
    """Whoever takes the ids off a copy stores a second trade with orders of its own."""
    twin: Any = copy.deepcopy(three_orders())
    twin.id = None
    for number, each in enumerate(twin.orders):
        each.id = each.ft_trade_id = None
        each.order_id = f"copy-{number}"
    store(twin)
    assert rows() == ([1, 2], [1, 2, 3, 4, 5, 6])


def test_a_copy_shares_the_custom_data_of_its_row(database) -> None:
    """Custom data is asked for by the id, which a copy has."""
    record = three_orders()
    record.set_custom_data("key", {"a": 1})
    assert copy.deepcopy(record).get_custom_data("key") == {"a": 1}
    assert Trade.session.scalar(select(func.count()).select_from(type(record.custom_data[0]))) == 1


def test_an_unpickled_trade_goes_on(database) -> None:
    """What another process has changed of a pickled trade is stored once it is added here."""
    twin = pickle.loads(pickle.dumps(three_orders()))
    Trade.session.remove()
    assert inspect(twin).detached
    twin.enter_tag = "elsewhere"
    Trade.session.add(twin)
    Trade.commit()
    Trade.session.remove()
    assert Trade.get_trades().one().enter_tag == "elsewhere"
