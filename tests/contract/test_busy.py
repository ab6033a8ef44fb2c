"""While others hold a lock: one typed error, repetition with a bound, and nothing lost or half done."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import create_engine, text, update
from sqlalchemy.exc import DBAPIError

from tests.builders import CLOSED, OPENED, store, trade, trade_with_entry
from tradestore import CustomDataWrapper, KeyValueStore, ModelBase, Order, PairLocks, Trade, init_db
from tradestore.exceptions import DatabaseBusy, DependencyException


@pytest.fixture
def impatient(store_url):
    """Return an open store, with one of everything, that waits for other writers only a moment."""
    database = init_db(store_url, busy_timeout=0.05, pool_size=1, max_overflow=0, pool_timeout=5)
    for setting in ("lock_timeout = '200ms'", "innodb_lock_wait_timeout = 0"):
        with suppress(DBAPIError):  # Each engine that needs one knows its own.
            Trade.session.execute(text(f"SET SESSION {setting}"))
        Trade.session.commit()
    store(trade())
    KeyValueStore.store_value("key", 1)
    PairLocks.lock_pair("ADA/USDT", CLOSED, now=OPENED)
    CustomDataWrapper.set_custom_data(1, "key", 1)
    yield database
    Trade.session.remove()
    assert database.pool_status().checked_out == 0
    database.close()


@contextmanager
def _somebody_writes(database) -> Iterator[Callable[[], None]]:
    """Let another program change all rows without committing; what is given back ends that."""
    engine = create_engine(database.engine.url)
    connection = engine.connect()
    for name, column in (
        ("trades", "max_rate"),
        ("KeyValueStore", "id"),
        ("pairlocks", "id"),
        ("trade_custom_data", "id"),
    ):
        table = ModelBase.metadata.tables[name]
        connection.execute(table.update().values({column: table.c[column] + 0}))
    try:
        yield connection.rollback
    finally:
        connection.close()
        engine.dispose()


def _tag_trade_and(store_it: Callable[[], object]) -> None:
    Trade.get_trades().one().enter_tag = "late"
    store_it()


WRITERS: dict[str, Callable[[], object]] = {
    "commit": lambda: _tag_trade_and(Trade.commit),
    "delete": lambda: Trade.get_trades().one().delete(),
    "store_value": lambda: KeyValueStore.store_value("key", 2),
    "delete_value": lambda: KeyValueStore.delete_value("key"),
    "unlock_pair": lambda: PairLocks.unlock_pair("ADA/USDT", now=OPENED),
    "set_custom_data": lambda: CustomDataWrapper.set_custom_data(1, "key", 2),
    "delete_custom_data": lambda: CustomDataWrapper.delete_custom_data(1),
}
PLAIN_WRITERS: dict[str, Callable[[], object]] = {
    "flush": lambda: _tag_trade_and(Trade.session.flush),
    "session commit": lambda: _tag_trade_and(Trade.session.commit),
    "statement": lambda: Trade.session.execute(update(Trade).values(enter_tag="late")),
}


def _what_is_stored() -> tuple[object, ...]:
    Trade.session.remove()
    entry = CustomDataWrapper.get_custom_data(trade_id=1)[0]
    is_locked = PairLocks.is_pair_locked("ADA/USDT", now=OPENED)
    return Trade.get_trades().one().enter_tag, KeyValueStore.get_value("key"), entry.value, is_locked


@pytest.mark.needs("persistent")
def test_writing_under_a_lock_is_busy(impatient) -> None:
    """Whichever door is used, the error is the library's own; nothing is stored, and later everything works."""
    errors: dict[str, object] = {}
    with _somebody_writes(impatient):
        for name, write in WRITERS.items():
            try:
                errors[name] = write()
            except Exception as error:  # noqa: BLE001 - all are compared together
                errors[name] = type(error)
    assert _what_is_stored() == (None, 1, 1, True)
    for name in ("commit", "store_value", "set_custom_data", "unlock_pair"):
        WRITERS[name]()
    assert _what_is_stored() == ("late", 2, 2, False)
    assert errors == dict.fromkeys(WRITERS, DatabaseBusy)


@pytest.mark.needs("persistent")
def test_session_itself_is_usable_after_a_lock(impatient) -> None:
    """Whoever uses the session without the library's doors finds it usable as well."""
    with _somebody_writes(impatient):
        for write in PLAIN_WRITERS.values():
            with pytest.raises((DatabaseBusy, DBAPIError)):
                write()
            assert KeyValueStore.get_value("key") == 1
    assert _what_is_stored() == (None, 1, 1, True)
    PLAIN_WRITERS["session commit"]()
    assert _what_is_stored() == ("late", 1, 1, True)


@pytest.mark.needs("persistent")
def test_reading_under_a_lock_works(impatient) -> None:
    """Readers don't wait for writers, and see what was stored before."""
    with _somebody_writes(impatient):
        assert Trade.get_trades().one().max_rate == 0.0
        assert KeyValueStore.get_value("key") == 1


@pytest.mark.needs("persistent")
def test_run_repeats_until_the_lock_is_gone(impatient, caplog) -> None:
    """The whole work is done again, and stored once."""

    def work(session) -> None:
        session.add(trade(pair="ETH/USDT"))
        Trade.get_trades(Trade.id == 1).one().enter_tag = "stored"
        Trade.commit()

    with _somebody_writes(impatient) as end:
        timer = threading.Timer(0.4, end)
        timer.start()
        impatient.run(work)
        timer.join()
    assert any("Attempt 2 of 8" in message for message in caplog.messages)
    Trade.session.remove()
    assert [(t.pair, t.enter_tag) for t in Trade.get_trades()] == [("ADA/USDT", "stored"), ("ETH/USDT", None)]


@pytest.mark.needs("persistent")
def test_run_ends_as_busy_after_its_bound(impatient, caplog) -> None:
    """The number of attempts is a promise; after the last one nothing is stored."""

    def work(_session) -> None:
        Trade.get_trades().one().enter_tag = "never"
        Trade.commit()

    with _somebody_writes(impatient), pytest.raises(DatabaseBusy):
        impatient.run(work, attempts=2)
    assert len([message for message in caplog.messages if "Attempt" in message]) == 1
    assert Trade.get_trades().one().enter_tag is None


@pytest.mark.needs("row_locks", "persistent")
def test_deadlock_is_repeated(database) -> None:
    """Two works that lock the same rows in opposite order both get done."""
    store(trade(pair="ADA/USDT", max_rate=0.0), trade(pair="ETH/USDT", max_rate=0.0))
    met = threading.Barrier(2)
    calls: list[str] = []
    errors: list[BaseException] = []

    def add_to(session, trade_id: int) -> None:
        session.execute(update(Trade).where(Trade.id == trade_id).values(max_rate=Trade.max_rate + 1))

    def worker(name: str, first: int, second: int) -> None:
        def work(session) -> None:
            calls.append(name)
            add_to(session, first)
            if calls.count(name) == 1:
                met.wait(20)
            add_to(session, second)

        try:
            database.run(work)
        except BaseException as error:  # noqa: BLE001 - it is shown below
            errors.append(error)

    threads = [threading.Thread(target=worker, args=args) for args in (("one", 1, 2), ("two", 2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(calls) == 3
    assert [record.max_rate for record in Trade.get_trades()] == [2.0, 2.0]


@pytest.mark.needs("row_locks", "persistent")
def test_deadlock_that_somebody_hides_is_told_by_the_commit(database) -> None:
    """What the engine has undone by itself is not stored by half, not even past the session."""
    store(trade(pair="ADA/USDT"), trade(pair="ETH/USDT"))
    met = threading.Barrier(2)
    told: list[str] = []

    def worker(name: str, first: int, second: int) -> None:
        connection = Trade.session.connection()
        connection.execute(update(Trade).where(Trade.id == first).values(enter_tag=name))
        met.wait(20)
        with suppress(DBAPIError):
            connection.execute(update(Trade).where(Trade.id == second).values(enter_tag=name))
        try:
            Trade.commit()
        except (DatabaseBusy, DependencyException):
            told.append(name)

    threads = [threading.Thread(target=worker, args=args) for args in (("one", 1, 2), ("two", 2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (loser,) = told
    winner = "two" if loser == "one" else "one"
    assert [record.enter_tag for record in Trade.get_trades()] == [winner, winner]


@pytest.mark.needs("persistent")
def test_concurrent_blocks_lose_nothing(database) -> None:
    """Eight threads that each store five trades with orders in works of their own: forty trades are there."""
    errors: list[BaseException] = []

    def worker(name: int) -> None:
        def work(session) -> None:
            session.add(trade_with_entry(pair=f"W{name}/USDT"))

        try:
            for _ in range(5):
                database.run(work)
        except BaseException as error:  # noqa: BLE001 - it is shown below
            errors.append(error)

    threads = [threading.Thread(target=worker, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Trade.get_open_trade_count() == 40
    assert Trade.session.query(Order).count() == 40
