"""What fails in the middle leaves no half behind, and nobody takes half of the work for all of it."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import raiseload

from tests.builders import order, store, trade
from tradestore import CustomDataWrapper, KeyValueStore, LocalPairLock, Order, PairLocks, Trade
from tradestore._session import request_id_context
from tradestore.exceptions import DatabaseBusy, DependencyException, InvalidValue


def _pairs() -> list[str]:
    Trade.session.remove()
    return [record.pair for record in Trade.get_trades()]


def _fail() -> None:
    with pytest.raises(Exception, match="no_such_table"):
        Trade.session.execute(text("SELECT 1 FROM no_such_table"))


def test_second_failure_does_not_hide_the_first(database) -> None:
    """Changes that a failed statement took with it are told of, however many statements fail after it."""
    Trade.session.add(trade(pair="ONE/USDT"))
    _fail()
    _fail()
    Trade.session.add(trade(pair="TWO/USDT"))
    with pytest.raises(DependencyException, match="lost"):
        Trade.commit()
    assert _pairs() == []


def test_commit_of_the_session_within_a_block_only_writes(database) -> None:
    """The block's end commits, whichever commit was called inside."""

    def write_and_fail() -> None:
        with database.transaction() as session:
            session.add(trade(pair="ONE/USDT"))
            session.commit()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert _pairs() == []


def test_block_of_the_session_does_not_pretend_after_a_hidden_failure(database) -> None:
    """A plain block of the session stores nothing after a failure in it, and says so."""

    def hide_a_failure() -> None:
        with Trade.session.begin():
            Trade.session.add(trade(pair="ONE/USDT"))
            with suppress(Exception):
                Trade.session.execute(text("SELECT 1 FROM no_such_table"))

    with pytest.raises(DependencyException, match="lost"):
        hide_a_failure()
    assert _pairs() == []
    store(trade(pair="AFTER/USDT"))
    assert _pairs() == ["AFTER/USDT"]


def test_custom_data_of_a_pair_is_saved_whole_or_not_at_all(database) -> None:
    """A value that cannot be stored takes the others of the same call with it, and blocks nobody."""
    with pytest.raises(InvalidValue):
        CustomDataWrapper.save_custom_data(pair="X/Y", data={"first": 1, "second": "nul\0"})
    store(trade())
    assert CustomDataWrapper.get_custom_data(pair="X/Y") == {}


def test_query_beside_a_change_leaves_out_a_deleted_order(database) -> None:
    """An order that was deleted while its trade's list still shows it does not stop a query."""
    holder = trade()
    holder.orders += [order(), order()]
    store(holder, trade(pair="OTHER/USDT"))
    Trade.session.delete(holder.orders[0])
    Trade.commit()
    other = Trade.session.scalars(select(Trade).where(Trade.pair == "OTHER/USDT")).one()
    other.stop_loss = 3.0
    found = Trade.get_trades().all()
    assert [len(record.orders) for record in found] == [1, 0]
    assert other.stop_loss == 3.0


def test_counting_works_beside_a_change(database) -> None:
    """A question that returns no objects has none to bring up to date."""
    record = trade()
    store(record)
    record.stop_loss = 3.0
    assert Trade.get_open_trade_count() == 1
    assert record.stop_loss == 3.0


def test_query_in_portions_works_beside_a_change(database) -> None:
    """Reading row by row is possible while something waits to be stored."""
    first = trade(pair="ONE/USDT")
    store(first, trade(pair="TWO/USDT"))
    first.stop_loss = 3.0
    query = select(Trade).order_by(Trade.id).options(raiseload(Trade.orders))
    found = Trade.session.scalars(query.execution_options(yield_per=1))
    assert [record.pair for record in found] == ["ONE/USDT", "TWO/USDT"]
    assert first.stop_loss == 3.0


def test_order_found_by_id_has_its_trade_up_to_date(database) -> None:
    """The trade of an order that was asked for is as fresh as the order."""
    holder = trade()
    holder.orders.append(order(order_id="mine"))
    store(holder)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE trades SET stop_loss = 7.5"))
    found = Order.order_by_id("mine")
    assert found is not None
    assert found.trade is holder
    assert holder.stop_loss == 7.5


def test_two_requests_of_one_thread_keep_apart(database, backend) -> None:
    """What one request has not stored, another one can neither store nor undo."""
    first = request_id_context.set("one")
    Trade.session.add(trade(pair="ONE/USDT"))
    Trade.session.flush()
    second = request_id_context.set("two")  # While the first one waits: its reset would end it.
    if backend.row_locks:
        KeyValueStore.store_value("key", 1)
    elif not backend.persistent:
        with pytest.raises(DatabaseBusy):
            KeyValueStore.store_value("key", 1)
    Trade.session.remove()
    request_id_context.reset(second)
    assert request_id_context.get() == "one"
    Trade.rollback()
    Trade.session.remove()
    request_id_context.reset(first)
    assert _pairs() == []


def test_list_of_locks_that_was_filled_anew_is_read_anew() -> None:
    """Locks in memory are those of the list as it is, also when it was emptied and filled to the same length."""
    PairLocks.use_db = False
    until, now = _moment(12), _moment(10)
    PairLocks.locks.append(LocalPairLock(pair="A/B", lock_time=now, lock_end_time=until))
    assert PairLocks.is_pair_locked("A/B", now)
    PairLocks.locks.clear()
    PairLocks.locks.append(LocalPairLock(pair="C/D", lock_time=now, lock_end_time=until))
    assert not PairLocks.is_pair_locked("A/B", now)
    assert PairLocks.is_pair_locked("C/D", now)


def _moment(hour: int) -> datetime:
    return datetime(2026, 3, 1, hour, tzinfo=UTC)
