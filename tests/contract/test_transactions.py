"""Units of work: stored whole or not at all."""

import threading
from contextlib import suppress

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from tests.builders import CLOSED, order, store, trade, trade_with_entry
from tradestore import CustomDataWrapper, KeyValueStore, PairLocks, Trade
from tradestore.exceptions import DependencyException


def _pairs() -> list[str]:
    Trade.session.remove()
    return [record.pair for record in Trade.get_trades()]


def test_block_is_stored_at_its_end(database) -> None:
    """All that the block wrote, by whichever door, is there afterwards."""
    with database.transaction() as session:
        session.add(trade(pair="ADA/USDT"))
        Trade.commit()
        session.add(trade(pair="ETH/USDT"))
        PairLocks.lock_pair("ADA/USDT", CLOSED)
        KeyValueStore.store_value("key", 1)
        CustomDataWrapper.set_custom_data(1, "key", 2)
    assert _pairs() == ["ADA/USDT", "ETH/USDT"]
    assert (len(PairLocks.get_all_locks()), KeyValueStore.get_value("key")) == (1, 1)
    assert CustomDataWrapper.get_custom_data(trade_id=1)[0].value == 2


def test_block_that_fails_stores_nothing(database) -> None:
    """What `Trade.commit` and the other writers wrote inside is given up with the rest."""
    store(trade(pair="BEFORE/USDT"))

    def block() -> None:
        with database.transaction() as session:
            session.add(trade(pair="ADA/USDT"))
            Trade.commit()
            PairLocks.lock_pair("ADA/USDT", CLOSED)
            KeyValueStore.store_value("key", 1)
            CustomDataWrapper.set_custom_data(1, "key", 2)
            Trade.get_trades(Trade.id == 1).one().delete()
            raise LookupError

    with pytest.raises(LookupError):
        block()
    assert _pairs() == ["BEFORE/USDT"]
    assert (len(PairLocks.get_all_locks()), KeyValueStore.get_value("key")) == (0, None)
    assert CustomDataWrapper.get_custom_data(trade_id=1) == []


@pytest.mark.needs("persistent")
def test_commit_inside_of_a_block_only_writes(database, store_url) -> None:
    """Nobody else sees what the block wrote before its end."""
    seen: list[int] = []

    def look() -> None:
        seen.append(Trade.get_open_trade_count())

    with database.transaction() as session:
        session.add(trade())
        Trade.commit()
        assert Trade.get_open_trade_count() == 1
        other = threading.Thread(target=look)
        other.start()
        other.join()
    look()
    assert seen == [0, 1]


def test_block_in_a_block_belongs_to_the_outer_one(database) -> None:
    """The inner end stores nothing yet; the outer failure takes all along."""

    def block() -> None:
        with database.transaction() as outer:
            outer.add(trade())
            with database.transaction() as inner:
                assert inner is outer
                inner.add(trade())
            assert database.run(lambda session: session is outer)
            raise LookupError

    with pytest.raises(LookupError):
        block()
    assert _pairs() == []


def test_pending_changes_are_refused(database) -> None:
    """A block doesn't swallow what was begun before it: new objects, changed ones, flushed ones, written rows."""
    store(trade(pair="ADA/USDT"))

    def refused() -> None:
        with pytest.raises(DependencyException, match=r"Trade\.commit"), database.transaction():
            pytest.fail("the block was entered")

    Trade.session.add(trade(pair="NEW/USDT"))
    refused()
    Trade.rollback()
    Trade.get_trades().one().enter_tag = "changed"
    refused()
    Trade.session.flush()
    refused()
    Trade.rollback()
    Trade.session.execute(update(Trade).values(enter_tag="written"))
    refused()
    Trade.rollback()
    assert [(record.pair, record.enter_tag) for record in Trade.get_trades()] == [("ADA/USDT", None)]


def test_reading_before_a_block_is_no_pending_change(database) -> None:
    """Whoever only asked may begin a block."""
    store(trade())
    record = Trade.get_trades().one()
    with database.transaction():
        record.enter_tag = "changed"
    Trade.session.remove()
    assert Trade.get_trades().one().enter_tag == "changed"


def test_block_does_not_pretend_after_a_failed_statement(database) -> None:
    """A failure that the block hides has undone what was written before, so the end must not look like success."""

    def careless() -> None:
        with database.transaction() as session:
            session.add(trade(pair="LOST/USDT"))
            Trade.commit()
            with suppress(DBAPIError):
                session.execute(text("SELECT no_such_column FROM trades"))

    with pytest.raises(Exception, match=r"(?i)transaction|rolled back"):
        careless()
    assert _pairs() == []
    store(trade(pair="AFTER/USDT"))
    assert _pairs() == ["AFTER/USDT"]


def test_block_stores_no_second_half(database) -> None:
    """After a hidden failure, what comes later isn't stored without what came before."""
    taken = trade_with_entry()
    store(taken)

    def careless() -> None:
        with database.transaction() as session:
            session.add(trade(pair="FIRST/USDT"))
            Trade.commit()
            second = trade(pair="SECOND/USDT")
            second.orders.append(order(order_id=taken.orders[0].order_id))
            session.add(second)
            with suppress(DBAPIError):
                Trade.commit()
            session.add(trade(pair="THIRD/USDT"))
            Trade.commit()

    with pytest.raises(Exception, match=r"(?i)transaction|rolled back"):
        careless()
    Trade.session.remove()
    assert _pairs() == ["ADA/USDT"]


def test_block_does_not_pretend_after_a_failure_past_the_session(database) -> None:
    """PostgreSQL would answer the commit of such a transaction with a rollback, and without an error."""
    stored = False
    with suppress(DependencyException):
        with database.transaction() as session:
            session.add(trade(pair="FIRST/USDT"))
            session.flush()
            with suppress(DBAPIError):
                session.connection().exec_driver_sql("SELECT no_such_column FROM trades")
        stored = True
    assert _pairs() == ["FIRST/USDT"] * stored


def test_commit_does_not_pretend_after_a_failure_among_the_rows(database) -> None:
    """A query may fail long after its first row has come; where that has undone the changes, the commit says so."""
    store(trade())
    Trade.get_trades().one().enter_tag = "flushed"
    Trade.session.flush()
    numbers = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT 1 / (800 - i) FROM n"
    )
    rows = Trade.session.execute(text(numbers), execution_options={"stream_results": True, "max_row_buffer": 10})
    told = False
    try:
        with suppress(DBAPIError):
            rows.all()
        rows.close()
        Trade.commit()
    except DependencyException:
        told = True
    Trade.session.remove()
    assert Trade.get_trades().one().enter_tag == (None if told else "flushed")


def test_savepoint_in_a_block(database) -> None:
    """What a savepoint gives up leaves the rest of the block as it is."""

    def savepoint(session) -> None:
        with session.begin_nested():
            session.add(trade(pair="LOST/USDT"))
            session.flush()
            raise LookupError

    with database.transaction() as session:
        session.add(trade(pair="KEPT/USDT"))
        session.flush()
        with suppress(LookupError):
            savepoint(session)
    assert _pairs() == ["KEPT/USDT"]


def test_run_returns_what_the_work_returns(database) -> None:
    """The work gets the session, and its result comes back when it is stored."""

    def work(session) -> int:
        record = trade()
        session.add(record)
        Trade.commit()
        return record.id

    assert database.run(work) == 1
    assert _pairs() == ["ADA/USDT"]


def test_run_does_not_repeat_other_errors(database) -> None:
    """A bug in the work is told at once."""
    calls: list[int] = []

    def work(_session) -> None:
        calls.append(1)
        raise LookupError

    with pytest.raises(LookupError):
        database.run(work)
    assert calls == [1]


def test_failed_statement_in_a_savepoint_takes_nothing_else(database) -> None:
    """The savepoint's owner has given up what failed; what was written before it is whole and is stored."""

    def savepoint() -> None:
        with Trade.session.begin_nested():
            Trade.session.execute(text("SELECT no_such_column FROM trades"))

    Trade.session.add(trade(pair="KEPT/USDT"))
    Trade.session.flush()
    with suppress(DBAPIError):
        savepoint()
    Trade.commit()
    assert _pairs() == ["KEPT/USDT"]
