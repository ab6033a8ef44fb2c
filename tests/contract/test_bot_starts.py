"""Bots and their tests open databases hundreds of times, and hold objects before the first one and after the last."""

import copy
import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, patch

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from tests.builders import CLOSED, OPENED, ccxt_order, order, store, trade, trade_with_entry
from tradestore import CustomDataWrapper, KeyValueStore, Order, PairLock, PairLocks, Trade, WalletHistory, init_db
from tradestore._session import bind, bound_engine
from tradestore.exceptions import DatabaseNotReady

_DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture(params=["before", "closed"])
def no_database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the models without a database: as before the first ``init_db``, or after a store was closed."""
    bind(None)
    if request.param == "closed":
        database = init_db("sqlite://")
        store(trade())
        database.close()
    yield
    Trade.session.remove()


@pytest.mark.usefixtures("no_database")
def test_objects_need_no_database() -> None:
    """Without a database trades and orders are built, read, computed, filled, copied and written as JSON."""
    record = trade_with_entry(fee_open=0.001, fee_close=0.002)
    record.orders.append(order(ft_order_side="sell", price=22.0, average=22.0))
    record.recalc_trade_from_orders()
    # 10 · 22 · 0.998 - 10 · 20 · 1.001 = 219.56 - 200.2
    assert (record.realized_profit, record.nr_of_successful_exits) == (19.36, 1)
    twin = copy.deepcopy(record)
    assert twin.to_json() == record.to_json() == copy.copy(record).to_json()
    assert (repr(twin), twin.orders[1].trade, Trade.session.bind) == (repr(record), twin, None)
    del twin.orders[0]
    assert (len(twin.orders), len(record.orders)) == (1, 2)
    read = Order.parse_from_ccxt_object(ccxt_order(), "ADA/USDT", "buy")
    assert (read.ft_is_open, read.trade, read.to_json("buy")["amount"]) == (True, None, 10.0)
    assert WalletHistory(currency="USDT", balance=1.0).leverage == 1.0
    assert PairLock(pair="A/B", lock_time=OPENED, lock_end_time=CLOSED).to_json()["pair"] == "A/B"


QUESTIONS: dict[str, Callable[[], Any]] = {
    "open trades": Trade.get_open_trades,
    "a filter": lambda: Trade.get_trades(Trade.is_open.is_(True)).all(),
    "a count": Trade.get_open_trade_count,
    "an older query": lambda: Trade.session.query(Trade).first(),
    "get": lambda: Trade.session.get(Trade, 1),
    "orders": Order.get_open_orders,
    "locks": lambda: PairLocks.is_pair_locked("A/B"),
    "a new lock": lambda: PairLocks.lock_pair("A/B", CLOSED),
    "custom data": lambda: CustomDataWrapper.get_custom_data(trade_id=1),
    "a value": lambda: KeyValueStore.get_value("bot_start_time"),
    "storing": lambda: store(trade()),
}


@pytest.mark.usefixtures("no_database")
@pytest.mark.parametrize("name", QUESTIONS)
def test_what_needs_a_database_says_so(name) -> None:
    """A question to the database names the call that is missing, and leaves nothing that the next one trips over."""
    for _ in range(2):
        with pytest.raises(DatabaseNotReady, match="init_db"):
            QUESTIONS[name]()
    Trade.rollback()
    Trade.session.remove()


@pytest.mark.usefixtures("no_database")
def test_ending_what_was_not_begun_does_nothing() -> None:
    """Without changes there is nothing to commit, to give up or to remove, with or without a database."""
    for _ in range(2):
        Trade.commit()
        Trade.rollback()
        Trade.session.remove()
    assert bound_engine() is None


def left_behind() -> tuple[int, int, int, int, int]:
    """Count file descriptors, threads, engines, sessions and trades that are still there."""
    for thread in threading.enumerate():
        if thread.name == "tradestore answer timeout":
            thread.join()  # It ends by itself a moment after the last answer.
    gc.collect()
    kinds = (Engine, Session, Trade)
    counts = [sum(issubclass(type(each), kind) for each in gc.get_objects()) for kind in kinds]
    return len(list(_DESCRIPTORS.iterdir())), threading.active_count(), counts[0], counts[1], counts[2]


def test_opening_again_and_again_leaves_nothing_behind(store_url, tmp_path) -> None:
    """Memory, files and servers in turns, with or without closing: the next store has nothing of the one before."""
    urls = [store_url, "sqlite://", f"sqlite:///{tmp_path / 'other.sqlite'}"]

    def open_once(number: int) -> None:
        database = init_db(urls[number % 3])
        record = trade_with_entry()
        store(record)
        assert record in Trade.get_open_trades()
        PairLocks.lock_pair("A/B", CLOSED)
        record.delete()
        if number % 4 == 0:
            database.close()
        elif number % 4 == 1:
            Trade.session.remove()

    def count_after(times: int) -> tuple[int, ...]:
        for number in range(times):
            open_once(number)
        init_db("sqlite://").close()
        return left_behind()

    few = count_after(6)
    assert count_after(12) == few


def test_objects_of_the_store_before_can_be_read_alone(database) -> None:
    """What was loaded from another store can be read; it is not in the new one, and changing it there is refused."""
    record = trade_with_entry(enter_tag="old")
    store(record)
    number = record.id
    other = init_db("sqlite://")
    try:
        assert (record.pair, len(record.orders), record.orders[0].trade is record) == ("ADA/USDT", 1, True)
        assert (record in Trade.session, Trade.session.get(Trade, number), Trade.get_open_trades()) == (False, None, [])
        record.enter_tag = "new"
        Trade.commit()
        assert Trade.get_open_trades() == []
        Trade.session.add(record)
        with pytest.raises(StaleDataError):
            Trade.commit()
        assert Trade.get_open_trades() == []
        Trade.session.remove()  # SQLAlchemy 2.0 keeps what is added as if its row were there.
        twin: Any = copy.deepcopy(trade_with_entry())
        store(twin)
        assert [t.id for t in Trade.get_open_trades()] == [1]
    finally:
        Trade.session.remove()
        other.close()


def test_tests_may_look_at_how_the_engine_is_made() -> None:
    """A mock in the place of ``create_engine`` is called with the URL, and the models keep what they had."""
    before = bound_engine()
    with patch("tradestore.models.create_engine", MagicMock()) as create_engine:
        init_db("sqlite:///trades.sqlite")
    assert create_engine.call_count == 1
    assert create_engine.mock_calls[0].args[0].endswith(":///trades.sqlite")
    assert bound_engine() is before
