"""Sessions end with the thread or the request that they belong to, and give their connections back."""

import gc
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import partial
from threading import Barrier, Event, Thread
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.orm import Session

import tradestore
from tests.builders import amend, store, trade
from tradestore import Order, Trade, models
from tradestore.models import get_request_or_thread_id, init_db

REQUEST_ID: ContextVar[str | None] = vars(models)["_request_id_ctx_var"]  # Where web servers find it.
THREADS = 10_000
AT_ONCE = 32


def _run(works: Iterable[Callable[[], object]]) -> None:
    """Run each function in a thread of its own, all at once, and raise what one of them raised."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised again where the test sees it
            errors.append(error)

    threads = [Thread(target=guarded, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.needs("persistent", "first_driver")
def test_ten_thousand_threads_leave_nothing_behind(store_url, note) -> None:
    """Threads that read and end, without a word of good-bye, take neither a connection nor a session with them."""
    database = init_db(store_url, pool_size=5, max_overflow=0, pool_timeout=60)
    try:
        store(trade())
        Trade.session.remove()
        counts: list[int] = []
        for _ in range(0, THREADS, AT_ONCE):
            _run([lambda: counts.append(Trade.get_open_trade_count())] * AT_ONCE)
        status = database.pool_status()
        assert (sum(counts), status.checked_out) == (len(counts), 0)
        assert len(counts) >= THREADS
        assert status.idle <= 5
        gc.collect()
        assert [s for s in gc.get_objects() if isinstance(s, Session) and s.bind is database.engine] == []
        note("faults", f"{len(counts)} threads: {status.checked_out} connections in use, 0 sessions left")
    finally:
        database.close()


@pytest.mark.needs("persistent")
def test_thread_that_fails_gives_its_connection_back(database) -> None:
    """A thread that dies of an error in the middle of its writing leaves nothing of it."""

    def die() -> None:
        Trade.session.add(trade())
        Trade.session.flush()
        raise LookupError("a bug in a strategy")

    with pytest.raises(LookupError, match="a bug in a strategy"):
        _run([die])
    gc.collect()  # The traceback that pytest holds names the thread's variables.
    assert database.pool_status().checked_out == 0
    assert Trade.get_open_trade_count() == 0


def test_threads_that_write_at_once_lose_nothing(database) -> None:
    """Eight threads that each commit ten trades: eighty trades are there, and no thread saw an error of another."""

    def write(number: int) -> None:
        for _ in range(10):
            store(trade(pair=f"W{number}/USDT"))
            assert len(Trade.get_trades(Trade.pair == f"W{number}/USDT").all()) > 0

    _run([partial(write, number) for number in range(8)])
    pairs = [record.pair for record in Trade.get_trades()]
    assert {pair: pairs.count(pair) for pair in pairs} == {f"W{number}/USDT": 10 for number in range(8)}


def test_thread_that_rolls_back_takes_nothing_from_others(database) -> None:
    """What one thread gives up is not what another one committed."""

    def give_up() -> None:
        for _ in range(10):
            Trade.session.add(trade(pair="LOST/USDT"))
            Trade.session.flush()
            Trade.rollback()

    def keep() -> None:
        for _ in range(10):
            store(trade(pair="KEPT/USDT"))

    _run([give_up, keep, give_up, keep])
    assert [record.pair for record in Trade.get_trades()] == ["KEPT/USDT"] * 20


def test_each_thread_has_a_session(database) -> None:
    """Two threads that live at the same time never share a session, all models of one thread do."""
    barrier = Barrier(3)
    sessions: list[Session] = []

    def note() -> None:
        sessions.append(Trade.session())
        assert Order.session() is Trade.session()
        barrier.wait(10)

    _run([note] * 3)
    assert len({id(session) for session in sessions}) == 3


def test_each_request_has_a_session(database) -> None:
    """Requests that one thread answers in turns keep their own sessions, whose uncommitted changes stay apart."""
    store(trade())
    outside = Trade.session()
    token = REQUEST_ID.set("request-1")
    try:
        first = Trade.session()
        mine = Trade.get_trades().one()
        amend(mine, enter_tag="first")
        REQUEST_ID.set("request-2")
        second = Trade.session()
        other = Trade.get_trades().one()
        assert get_request_or_thread_id() == "request-2"
        assert len({id(outside), id(first), id(second)}) == 3
        assert (mine.enter_tag, other.enter_tag) == ("first", None)
        assert Order.session() is second
        Trade.session.remove()
        REQUEST_ID.set("request-1")
        assert Trade.session() is first
        Trade.session.remove()
        assert not Trade.session.registry.has()
    finally:
        REQUEST_ID.reset(token)
    assert Trade.session() is outside


@pytest.mark.needs("persistent")
def test_removing_a_request_session_gives_its_connection_back(database) -> None:
    """What a web server does at the end of each request is enough."""
    Trade.session.remove()
    for number in range(3):
        token = REQUEST_ID.set(f"request-{number}")
        Trade.session.execute(sqlalchemy.select(Trade.id)).all()
        assert database.pool_status().checked_out == 1
        Trade.session.remove()
        REQUEST_ID.reset(token)
        assert database.pool_status().checked_out == 0


@pytest.mark.needs("persistent")
def test_opening_again_closes_the_earlier_pool(database, store_url) -> None:
    """A second `init_db` gives all models the new pool, and the earlier one has no connection left."""
    store(trade())
    Trade.get_trades().all()
    again = init_db(store_url)
    try:
        assert (database.pool_status().idle, database.pool_status().checked_out) == (0, 0)
        assert Trade.session.get_bind() is again.engine
        assert Trade.get_open_trade_count() == 1
    finally:
        again.close()


def test_thread_that_used_the_earlier_engine_goes_on_with_the_new_one(store_url) -> None:
    """A thread that lived through a second `init_db` has a session on the new engine at its next question."""
    first = init_db(store_url)
    used, opened = Event(), Event()
    engines: list[object] = []
    counts: list[int] = []

    def live_on() -> None:
        for event in (None, opened):
            if event:
                event.wait(20)
            engines.append(Trade.session.get_bind())
            counts.append(Trade.get_open_trade_count())
            used.set()

    def open_again() -> None:
        used.wait(20)
        databases.append(init_db(store_url))
        opened.set()

    databases: list[tradestore.Database] = []
    try:
        _run([live_on, open_again])
        assert engines == [first.engine, databases[0].engine]
        assert counts == [0, 0]
    finally:
        for database in databases:
            database.close()
        first.close()


@pytest.mark.needs("persistent")
def test_connections_of_the_earlier_engine_are_closed(store_url) -> None:
    """A connection that a thread still had when the engine changed is closed by the thread's next question."""
    first = init_db(store_url)
    used: list[Any] = []
    closed: list[Any] = []
    sqlalchemy.event.listen(first.engine, "checkout", lambda connection, *_: used.append(connection))
    sqlalchemy.event.listen(first.engine, "close", lambda connection, *_: closed.append(connection))
    begun, opened = Event(), Event()

    def live_on() -> None:
        Trade.get_open_trade_count()
        begun.set()
        opened.wait(20)
        Trade.get_open_trade_count()

    def open_again() -> None:
        begun.wait(20)
        databases.append(init_db(store_url))
        opened.set()

    databases: list[tradestore.Database] = []
    try:
        _run([live_on, open_again])
        assert used
        assert [connection for connection in used if connection not in closed] == []
    finally:
        for database in databases:
            database.close()
        first.close()
        for connection in used:
            if connection not in closed:
                connection.close()


def test_closing_an_earlier_database_leaves_the_present_one_alone(store_url) -> None:
    """A handle that was left over cannot take the database from the models."""
    first = init_db(store_url)
    second = init_db(store_url)
    first.close()
    try:
        assert Trade.get_open_trade_count() == 0
    finally:
        second.close()
