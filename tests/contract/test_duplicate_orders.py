"""An order that comes a second time: refused by name, with the trade that has it."""

import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from tests.builders import OPENED, ccxt_order, order, store, trade, trade_with_entry
from tests.contract import competing
from tradestore import (
    FtNoDBContext,
    LocalOrder,
    LocalTrade,
    Order,
    OrderIntent,
    Trade,
    UpsertOutcome,
    order_upserts,
    upsert_order,
)
from tradestore.exceptions import DatabaseNotReady, DependencyException, DuplicateOrder, InvalidOrder, InvalidValue

INSERTED, UPDATED, OTHER_TRADE = UpsertOutcome
FILLED = {"status": "closed", "filled": 10.0, "remaining": 0.0, "average": 20.0}


def _with_order(order_id: str, **fields: Any) -> Trade:
    record = trade(**fields)
    record.orders.append(order(order_id=order_id))
    return record


def _rows() -> list[tuple[int, str]]:
    Trade.session.remove()
    return [(row.ft_trade_id, row.order_id) for row in Trade.session.query(Order).order_by(Order.id)]


def _by_session() -> None:
    Trade.session.add(_with_order("taken"))
    Trade.session.commit()


def _by_flush() -> None:
    Trade.session.add_all([_with_order("free"), _with_order("taken")])
    Trade.session.flush()


def _by_new_id() -> None:
    record = _with_order("free")
    store(record)
    record.orders[0].order_id = "taken"
    Trade.commit()


def _in_transaction(database: Any) -> None:
    with database.transaction() as session:
        session.add(_with_order("taken"))


WRITERS: dict[str, Callable[[Any], object]] = {
    "Trade.commit": lambda _: store(_with_order("taken")),
    "session.commit": lambda _: _by_session(),
    "session.flush": lambda _: _by_flush(),
    "another id": lambda _: _by_new_id(),
    "transaction": _in_transaction,
    "run": lambda database: database.run(lambda session: session.add(_with_order("taken"))),
    "bulk_add": lambda _: Trade.bulk_add([trade_with_entry(), _with_order("taken")]),
}


def test_message_names_the_trade(database) -> None:
    """Whoever stores an order twice, by whichever way, is told which one it is, and where it is."""
    store(trade(), _with_order("taken", open_date=OPENED))
    for name, writer in WRITERS.items():
        with pytest.raises(DuplicateOrder) as refused:
            writer(database)
        error = refused.value
        assert (error.order_id, error.pair, error.trade_id) == ("taken", "ADA/USDT", 2), name
        for part in ("'taken' (ADA/USDT) belongs to trade 2", "open since 2026-03-01 12:00:00", "upsert_order"):
            assert part in str(error)
        assert isinstance(error, IntegrityError)
        store(trade_with_entry())
    assert [row for row in _rows() if row[1] == "taken"] == [(2, "taken")]


@pytest.mark.parametrize("writer", [store, lambda record: Trade.bulk_add([record])], ids=["commit", "bulk_add"])
def test_twice_at_once(database, writer) -> None:
    """Where both come together, the message says so."""
    record = _with_order("twice")
    record.orders += [order(order_id="twice"), order(order_id="once")]
    with pytest.raises(DuplicateOrder, match=r"'twice' \(ADA/USDT\) is among what was to be stored more than once"):
        writer(record)
    assert _rows() == []


def test_first_one_in_the_same_transaction(database) -> None:
    """An order that is not committed yet cannot be asked for, but the message names it."""

    def both() -> None:
        with database.transaction() as session:
            session.add(_with_order("taken"))
            session.flush()
            session.add(_with_order("taken"))

    with pytest.raises(DuplicateOrder, match=r"'taken' \(ADA/USDT\) is stored already"):
        both()
    assert _rows() == []


def test_savepoint_is_its_owners(database) -> None:
    """Within a savepoint the error is the same, without the trade; what was written before stays."""
    store(_with_order("taken"))

    def savepoint() -> None:
        with Trade.session.begin_nested():
            Trade.session.add(_with_order("taken"))

    Trade.session.add(_with_order("kept"))
    with pytest.raises(DuplicateOrder) as refused:
        savepoint()
    assert (refused.value.order_id, refused.value.trade_id) == ("taken", None)
    Trade.commit()
    assert _rows() == [(1, "taken"), (2, "kept")]


def test_error_travels_between_processes(database) -> None:
    """A pickled error tells the same."""
    store(_with_order("taken"))
    with pytest.raises(DuplicateOrder) as refused:
        store(_with_order("taken"))
    copied = pickle.loads(pickle.dumps(refused.value))
    assert (str(copied), copied.order_id, copied.trade_id) == (str(refused.value), "taken", 1)


def test_same_answer_twice_is_one_order(database) -> None:
    """The first time it is inserted with what was asked for, later it is brought up to date."""
    record = trade()
    store(record)
    answer = ccxt_order()
    first = database.upsert_order(record, answer, amount=11.0, price=21.0, tag="dip")
    assert (first.outcome, first.trade, first.order) == (INSERTED, record, record.orders[0])
    assert (first.order.ft_amount, first.order.ft_price, first.order.ft_order_tag) == (11.0, 21.0, "dip")
    Trade.session.remove()
    found = Trade.get_trades().one()
    second = upsert_order(found, answer | FILLED)
    assert (second.outcome, second.trade, second.order) == (UPDATED, found, found.orders[0])
    Trade.session.remove()
    (stored,) = Trade.get_trades().one().orders
    assert (stored.filled, stored.ft_is_open, stored.ft_price, stored.ft_order_tag) == (10.0, False, 21.0, "dip")
    assert stored.ft_order_side == "buy"


def test_new_trade_is_stored_with_its_order(database) -> None:
    """A trade that is in no session yet, a side that is given, and an order that waited in the list."""
    record = trade()
    record.orders.append(Order.parse_from_ccxt_object(ccxt_order(id="waiting"), "ADA/USDT", "buy"))
    outcome = database.upsert_order(record, ccxt_order(id="waiting", **FILLED))
    assert (outcome.outcome, outcome.order) == (INSERTED, record.orders[0])
    stop = database.upsert_order(record, ccxt_order(id="stop", side="sell"), side="stoploss")
    assert (stop.outcome, stop.order.ft_order_side) == (INSERTED, "stoploss")
    assert _rows() == [(1, "waiting"), (1, "stop")]
    assert Trade.get_trades().one().orders[0].filled == 10.0


def test_order_that_waits_and_was_stored_by_another(database) -> None:
    """What waits in the list gives way to the row that is there by now, and hands over its notes."""
    store(trade())
    record = Trade.get_trades().one()
    record.orders.append(Order.parse_from_ccxt_object(ccxt_order(id="x"), "ADA/USDT", "buy"))
    record.orders[0].ft_order_tag = "noted"

    def elsewhere() -> None:
        upsert_order(Trade.get_trades().one(), ccxt_order(id="x"))
        Trade.session.remove()

    thread = Thread(target=elsewhere)
    thread.start()
    thread.join()
    done = database.upsert_order(record, ccxt_order(id="x", **FILLED))
    assert (done.outcome, record.orders) == (UPDATED, [done.order])
    assert _rows() == [(1, "x")]
    (stored,) = Trade.get_trades().one().orders
    assert (stored.filled, stored.ft_order_tag) == (10.0, "noted")


def test_order_of_another_trade_is_left_alone(database) -> None:
    """Nothing is changed, neither the order nor what waits in the session; a pair of another name is another order."""
    store(_with_order("taken"), trade())
    owner, other = Trade.get_trades().all()
    for asker in (other, trade()):
        done = database.upsert_order(asker, ccxt_order(id="taken", status="open"))
        assert (done.outcome, done.order, done.trade) == (OTHER_TRADE, owner.orders[0], owner)
    other.enter_tag = "waits"
    assert database.upsert_order(other, ccxt_order(id="taken")).outcome is OTHER_TRADE
    assert (other.enter_tag, owner.orders[0].status) == ("waits", "closed")
    Trade.rollback()
    assert other.enter_tag is None
    Trade.session.add(_with_order("pending"))
    assert database.upsert_order(other, ccxt_order(id="pending")).outcome is OTHER_TRADE
    Trade.rollback()
    assert database.upsert_order(trade(pair="ETH/USDT"), ccxt_order(id="taken")).outcome is INSERTED
    assert _rows() == [(1, "taken"), (3, "taken")]


def test_bad_answer_stores_nothing(database) -> None:
    """What cannot be stored takes the trade along, and leaves it as it was."""
    record = _with_order("first")
    kept = list(record.orders)
    for answer, error in (
        (ccxt_order(price=float("nan")), InvalidOrder),
        (ccxt_order(side=None), InvalidOrder),
        (ccxt_order(price=None), DependencyException),
        (ccxt_order(id="x" * 256), InvalidValue),
    ):
        with pytest.raises(error):
            database.upsert_order(record, answer)
        assert (record.orders, record.pair, _rows()) == (kept, "ADA/USDT", [])
        assert {record.id, kept[0].id, kept[0].ft_trade_id} == {None}
    assert database.upsert_order(record, ccxt_order(id="good")).outcome is INSERTED
    assert [order_id for _, order_id in _rows()] == ["first", "good"]


def test_trade_that_is_gone_and_store_that_is_closed(database) -> None:
    """Both are named instead of a key that refers to nothing."""
    record = trade()
    store(record)
    Trade.session.remove()
    Trade.get_trades().one().delete()
    Trade.session.remove()
    with pytest.raises(DependencyException, match="not in the database any more"):
        database.upsert_order(record, ccxt_order())
    Trade.session.remove()
    database.close()
    with pytest.raises(DatabaseNotReady):
        database.upsert_order(record, ccxt_order())


@pytest.mark.needs("persistent")
def test_trade_of_another_session(database) -> None:
    """A trade whose session has ended is taken in; one that is another session's is not mistaken for another trade."""
    record = _with_order("known")
    store(record)
    Trade.session.remove()
    assert database.upsert_order(record, ccxt_order(id="known")).outcome is UPDATED
    assert database.upsert_order(record, ccxt_order(id="more")).trade is record
    new = trade()
    Trade.session.add(new)

    def elsewhere() -> None:
        for theirs in (record, new):
            with pytest.raises(DependencyException, match="another thread or request"):
                database.upsert_order(theirs, ccxt_order(id="known"))
        refused.append(True)

    refused: list[bool] = []
    thread = Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert refused
    Trade.session.remove()
    here = Trade.get_trades().one()
    with pytest.raises(DependencyException, match="another thread or request"):
        database.upsert_order(record, ccxt_order(id="known"))
    assert [placed.order_id for placed in here.orders] == ["known", "more"]


@pytest.mark.needs("persistent")
@pytest.mark.parametrize("waits", [False, True], ids=["alone", "with changes"])
def test_new_trade_whose_order_another_gets_after_the_look(database, monkeypatch, waits) -> None:
    """The new trade is not stored, not even for the next commit, and stays as it was."""
    taken, lock = ccxt_order(id="taken"), order_upserts._lock

    def lock_late(session: Any, record: Trade) -> None:
        monkeypatch.undo()
        thread = Thread(target=lambda: database.upsert_order(trade(), taken))
        thread.start()
        thread.join()
        lock(session, record)

    mine = _with_order("mine")
    if waits:
        Trade.session.add(_with_order("waits", pair="ETH/USDT"))
    monkeypatch.setattr(order_upserts, "_lock", lock_late)
    assert database.upsert_order(mine, taken).outcome is OTHER_TRADE
    assert {mine.id, mine.orders[0].id} == {None}
    assert mine not in Trade.session
    Trade.commit()
    stored = {placed.order_id for found in Trade.get_trades() for placed in found.orders}
    assert stored == ({"taken", "waits"} if waits else {"taken"})
    assert len(Trade.get_trades().all()) == len(stored)
    store(mine)
    assert mine.orders[0].order_id == "mine"


def test_unit_of_work_only_writes(database) -> None:
    """The block's failure takes the order along."""
    store(trade())
    record = Trade.get_trades().one()

    def fail() -> None:
        with database.transaction():
            assert database.upsert_order(record, ccxt_order(id="x")).outcome is INSERTED
            assert database.upsert_order(record, ccxt_order(id="x")).outcome is UPDATED
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert _rows() == []


def test_placeholder_is_completed(database) -> None:
    """An order without an id is stored under our own name for it, until an answer of that name brings the id."""
    record = trade()
    first = database.upsert_order(record, ccxt_order(id=None, clientOrderId="mine"), tag="dip")
    again = database.upsert_order(record, ccxt_order(id=""), client_order_id="mine")
    assert (first.outcome, again.outcome, first.order) == (INSERTED, UPDATED, again.order)
    assert (first.order.order_id, first.order.has_placeholder_id) == ("placeholder:mine", True)
    assert database.upsert_order(record, ccxt_order(id=None)).outcome is INSERTED
    assert database.upsert_order(record, ccxt_order(id=None)).outcome is INSERTED
    assert len({row.order_id for row in record.orders}) == 3
    Trade.session.remove()
    record = Trade.get_trades().one()
    done = database.upsert_order(record, ccxt_order(id="real", clientOrderId="mine", **FILLED))
    assert (done.outcome, done.order, done.order.has_placeholder_id) == (UPDATED, record.orders[0], False)
    assert [row[1].startswith("placeholder:") for row in _rows()] == [False, True, True]
    stored = Trade.get_trades().one().orders[0]
    assert (stored.order_id, stored.filled, stored.ft_order_tag) == ("real", 10.0, "dip")


@pytest.mark.parametrize("is_loaded", [False, True])
def test_placeholder_is_merged_away(database, is_loaded) -> None:
    """Where the order with the real id is there already, the placeholder's row goes into it."""
    record = trade()
    database.upsert_order(record, ccxt_order(id=None), client_order_id="mine", tag="dip")
    database.upsert_order(record, ccxt_order(id="real"))
    Trade.session.remove()
    record = Trade.get_trades(include_orders=is_loaded).one()
    done = database.upsert_order(record, ccxt_order(id="real", **FILLED), client_order_id="mine")
    assert (done.outcome, done.order.order_id, done.order.ft_order_tag) == (UPDATED, "real", "dip")
    assert _rows() == [(1, "real")]
    assert len(Trade.get_trades().one().orders) == 1


def test_placeholder_of_another_trade(database) -> None:
    """Our own name for an order belongs to one trade."""
    database.upsert_order(trade(), ccxt_order(id=None), client_order_id="mine")
    done = database.upsert_order(trade(), ccxt_order(id="real"), client_order_id="mine")
    assert (done.outcome, done.trade.id) == (OTHER_TRADE, 1)
    assert _rows() == [(1, "placeholder:mine")]


def test_late_answer_without_id_finds_the_order_by_its_intent(database) -> None:
    """An intent that knows the exchange's id says that the order is complete."""
    record = trade()
    database.upsert_order(record, ccxt_order(id="real"), client_order_id="mine")
    intent = {"client_order_id": "mine", "state": "placed", "pair": "ADA/USDT", "side": "buy", "amount": 10.0}
    store(OrderIntent(**intent, order_id="real", created_at=OPENED))
    assert database.upsert_order(record, ccxt_order(id=None), client_order_id="mine").outcome is UPDATED
    assert _rows() == [(1, "real")]


def test_update_completes_a_placeholder() -> None:
    """Every way in which an answer reaches an order takes over the id, unless the answer has another name."""
    waiting = LocalOrder(order_id="placeholder:mine", ft_pair="ADA/USDT", ft_order_side="buy")
    with pytest.raises(DependencyException, match="don't match"):
        waiting.update_from_ccxt_object(ccxt_order(id="real", clientOrderId="another"))
    with pytest.raises(InvalidOrder):
        waiting.update_from_ccxt_object(ccxt_order(id=None))
    assert waiting.has_placeholder_id
    waiting.update_from_ccxt_object(ccxt_order(id="real"))
    assert (waiting.order_id, waiting.has_placeholder_id) == ("real", False)
    with pytest.raises(DependencyException, match="don't match"):
        waiting.update_from_ccxt_object(ccxt_order(id="other"))


def test_memory_has_the_same_rules() -> None:
    """In a backtest the trade's list takes the place of the table."""
    with FtNoDBContext():
        fields = {"pair": "ADA/USDT", "exchange": "binance", "amount": 1.0, "open_rate": 2.0, "stake_amount": 2.0}
        record, other = LocalTrade(id=1, **fields), LocalTrade(id=2, **fields)
        LocalTrade.add_bt_trade(record)
        assert upsert_order(record, ccxt_order(id="x")).outcome is INSERTED
        done = upsert_order(record, ccxt_order(id="x", **FILLED), tag="late")
        assert (done.outcome, done.order.filled, done.order.ft_order_tag) == (UPDATED, 10.0, "late")
        assert upsert_order(other, ccxt_order(id="x")).trade is record
        upsert_order(record, ccxt_order(id=None), client_order_id="mine")
        assert upsert_order(record, ccxt_order(id="x"), client_order_id="mine").outcome is UPDATED
        assert (record.orders, record.orders[0].trade, other.orders) == ([done.order], record, [])


def test_threads_store_one_order(database) -> None:
    """Of all that hand in the same answer at once, one inserts it, and no one sees an error."""
    store(trade())
    Trade.session.remove()
    outcomes: list[str] = []

    def attempts(writer: int) -> None:
        outcomes.extend(competing.attempts(database, "upsert", writer))
        Trade.session.remove()

    threads = [Thread(target=partial(attempts, number)) for number in range(competing.WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _check_competition(outcomes)


@pytest.mark.needs("persistent", "first_driver")
def test_processes_store_one_order(database, store_url) -> None:
    """The same holds between processes."""
    store(trade())
    Trade.session.remove()
    command = [sys.executable, "-m", competing.__name__, store_url, "upsert"]
    _check_competition(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[:-1])


def _check_competition(outcomes: list[str]) -> None:
    assert Counter(outcomes) == {"inserted": 1, "updated": competing.WRITERS * competing.ATTEMPTS - 1}
    assert _rows() == [(1, "contested")]
    assert Trade.get_trades().one().orders[0].filled == 10.0


@pytest.mark.needs("row_locks")
def test_order_that_another_trade_gets_after_the_look(database) -> None:
    """What is stored elsewhere between the look and the writing is found by the next look."""
    store(trade(), trade())
    record = Trade.get_trades().first()

    def elsewhere() -> None:
        other = Trade.get_trades(Trade.id == 2).one()
        other.orders.append(order(order_id="raced"))
        Trade.commit()
        Trade.session.remove()

    session = Trade.session()
    flush = session.flush

    def flush_late(objects: Any = None) -> None:
        if session.in_nested_transaction() and session.new:
            session.flush = flush  # type: ignore[method-assign]  # once is enough
            thread = Thread(target=elsewhere)
            thread.start()
            thread.join()
        flush(objects)

    session.flush = flush_late  # type: ignore[method-assign]  # the moment is missed by any other way
    done = database.upsert_order(record, ccxt_order(id="raced"))
    assert (done.outcome, done.trade.id) == (OTHER_TRADE, 2)
    assert _rows() == [(2, "raced")]
