"""Errors that are about the moment and not about the data: one kind for each meaning, through every door."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from tests.builders import store, trade, trade_with_entry
from tradestore import KeyValueStore, Trade, init_db
from tradestore._counters import counters_of
from tradestore._errors import meaning_of
from tradestore._store_session import StoreSession
from tradestore.exceptions import (
    ConnectionLost,
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    PoolExhausted,
    TradeStoreError,
)

RAISED: dict[type[TradeStoreError], tuple[tuple[str, int], ...]] = {
    DatabaseBusy: (("40001", 1205), ("40P01", 1213), ("55P03", 1020), ("57014", 1969)),
    ConnectionLost: (("57P01", 1053), ("57P02", 1927), ("57P03", 1158), ("08006", 2013), ("25P03", 4031)),
    DatabaseReadOnly: (("25006", 1290), ("25006", 1792), ("25006", 1836)),
    DatabaseFull: (("53100", 1021), ("53100", 1114)),
    PoolExhausted: (("53300", 1040), ("53300", 1203)),
}
"""What the servers say, by SQLSTATE and by number."""

RAISERS = (
    "DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{0}'; END $$",
    "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {1}, MESSAGE_TEXT = 'on purpose'",
)
"""Each engine knows one of them, and calls the other one a mistake."""

SQLITE_CODES = {
    sqlite3.SQLITE_BUSY: DatabaseBusy,
    sqlite3.SQLITE_BUSY_SNAPSHOT: DatabaseBusy,
    sqlite3.SQLITE_LOCKED_SHAREDCACHE: DatabaseBusy,
    sqlite3.SQLITE_FULL: DatabaseFull,
    sqlite3.SQLITE_IOERR_WRITE: DatabaseFull,
    sqlite3.SQLITE_READONLY: DatabaseReadOnly,
    sqlite3.SQLITE_READONLY_DBMOVED: DatabaseReadOnly,
    sqlite3.SQLITE_IOERR_READ: None,
    sqlite3.SQLITE_CORRUPT: None,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: None,
}

READ_ONLY = (
    "PRAGMA query_only = ON",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET SESSION TRANSACTION READ ONLY",
)
"""How a connection is made to refuse changes, as the one to a server that was replaced does."""


def _any_of(statements: tuple[str, ...], state: str = "", number: int = 0) -> None:
    """Run the one of the statements that the engine knows."""
    for statement in statements:
        with suppress(DBAPIError):
            Trade.session.execute(text(statement.format(state, number)))
            Trade.session.commit()
            return


@pytest.mark.needs("networked")
def test_each_error_of_a_server_has_its_meaning(database) -> None:
    """A table of what servers say; the session can be used after each of them."""
    found: dict[object, list[tuple[str, int]]] = {}
    for expected, raised in RAISED.items():
        for state, number in raised:
            with pytest.raises(TradeStoreError) as caught:
                _any_of(RAISERS, state, number)
            found.setdefault(caught.type, []).append((state, number))
            assert isinstance(caught.value.__cause__, DBAPIError)
            assert Trade.get_open_trade_count() == 0
        assert found[expected] == list(raised)


@pytest.mark.parametrize(("code", "meaning"), SQLITE_CODES.items())
def test_each_error_of_sqlite_has_its_meaning(code: int, meaning: type[TradeStoreError] | None) -> None:
    """A table of what the library says."""
    cause = sqlite3.OperationalError("on purpose")
    cause.sqlite_errorcode = code
    assert meaning_of(OperationalError("SELECT 1", None, cause)) is meaning


def test_errors_about_the_data_stay_as_they_are(database) -> None:
    """Whoever catches SQLAlchemy's errors of violated keys and mistakes goes on doing so."""
    store(trade(id=7))
    Trade.session.expunge_all()
    Trade.session.add(trade(id=7))
    with pytest.raises(IntegrityError):
        Trade.commit()
    with pytest.raises(DBAPIError):
        Trade.session.execute(text("SELECT no_such_column FROM trades"))
    assert Trade.get_open_trade_count() == 1


@pytest.mark.needs("networked")
def test_every_door_tells_of_a_server_that_does_not_answer(database) -> None:
    """Statement, object, flush, commit, block: it is the same error, and nobody has to know the driver's."""
    nowhere = create_engine(make_url(database.engine.url).set(port=1))
    session = StoreSession(nowhere, autoflush=False)

    def block() -> None:
        with session.begin():
            session.add(trade())

    def savepoint() -> None:
        with session.begin_nested():
            session.execute(text("SELECT 1"))

    def add_and(end: Callable[[], None]) -> None:
        session.add(trade())
        end()

    doors: dict[str, Callable[[], object]] = {
        "execute": lambda: session.execute(text("SELECT 1")),
        "scalars": lambda: session.scalars(select(Trade)),
        "scalar": lambda: session.scalar(select(Trade.id)),
        "query": lambda: session.query(Trade).all(),
        "get": lambda: session.get(Trade, 1),
        "connection": session.connection,
        "flush": partial(add_and, session.flush),
        "commit": partial(add_and, session.commit),
        "block": block,
        "savepoint": savepoint,
    }
    told: dict[str, object] = {}
    for name, door in doors.items():
        with pytest.raises(Exception) as caught:  # noqa: PT011 - all are compared together
            door()
        told[name] = caught.type
        session.rollback()
    session.close()
    nowhere.dispose()
    assert told == dict.fromkeys(doors, ConnectionLost)
    assert counters_of(nowhere).lost_connections >= len(doors)


@pytest.mark.needs("persistent")
def test_no_free_connection_is_told(store_url) -> None:
    """Whoever waits in vain for a connection of the pool gets the library's own error, and keeps what waits."""
    database = init_db(store_url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    try:
        with database.engine.connect():
            Trade.session.add(trade())
            with pytest.raises(PoolExhausted, match="pool_size"):
                Trade.get_open_trade_count()
        Trade.commit()
        assert Trade.get_open_trade_count() == 1
    finally:
        Trade.session.remove()
        database.close()


@pytest.mark.needs("persistent")
def test_connection_that_takes_no_changes_is_replaced(store_url) -> None:
    """A server that became a mere copy is left: the next attempt is made on a new connection, without a restart."""
    database = init_db(store_url, pool_size=1, max_overflow=0, pool_timeout=5)
    try:
        writers: list[Callable[[], object]] = [
            lambda: store(trade()),
            lambda: KeyValueStore.store_value("key", 1),
        ]
        for write in writers:
            _any_of(READ_ONLY)
            with pytest.raises(DatabaseReadOnly):
                write()
            write()
        _any_of(READ_ONLY)
        database.run(lambda session: session.add(trade()))
        assert Trade.get_open_trade_count() == 2
        assert KeyValueStore.get_value("key") == 1
    finally:
        Trade.session.remove()
        database.close()


@pytest.mark.needs("in_process")
def test_full_disk_is_told_and_nothing_is_half_stored(database) -> None:
    """Where a file may not grow, what did not fit is given up as a whole; with room again, everything works."""
    pages = Trade.session.scalar(text("PRAGMA page_count"))
    Trade.session.execute(text(f"PRAGMA max_page_count = {pages + 1}"))

    def fill() -> None:
        for _ in range(300):
            Trade.session.add(trade_with_entry(strategy="x" * 100))
        Trade.commit()

    with pytest.raises(DatabaseFull, match="make room"):
        fill()
    assert Trade.get_open_trade_count() == 0
    Trade.session.execute(text("PRAGMA max_page_count = 1000000"))
    fill()
    assert Trade.get_open_trade_count() == 300


def test_error_of_the_commit_that_is_certain_is_repeated(database, monkeypatch) -> None:
    """A commit that was refused stored nothing: `run` does the work again, others tell, and nothing is left behind."""
    dialect = database.engine.dialect
    commit = dialect.do_commit
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY

    def refuse(connection) -> None:
        monkeypatch.setattr(dialect, "do_commit", commit)
        dialect.do_rollback(connection)
        cursor = connection.cursor()
        try:
            for statement in RAISERS:
                with suppress(dialect.loaded_dbapi.ProgrammingError):
                    cursor.execute(statement.format("40001", 1213))
        except sqlite3.OperationalError:
            raise busy from None
        finally:
            cursor.close()

    record = trade_with_entry(pair="KEPT/USDT")
    store(record)
    record.enter_tag = "given up"
    Trade.session.add(trade(pair="NEVER/USDT"))
    monkeypatch.setattr(dialect, "do_commit", refuse)
    with pytest.raises(DatabaseBusy):
        Trade.commit()
    assert record.enter_tag is None
    Trade.rollback()
    calls: list[int] = []

    def work(session) -> None:
        calls.append(1)
        session.add(trade(pair="AGAIN/USDT"))

    monkeypatch.setattr(dialect, "do_commit", refuse)
    database.run(work)
    Trade.session.remove()
    assert [found.pair for found in Trade.get_trades()] == ["KEPT/USDT", "AGAIN/USDT"]
    assert calls == [1, 1]
    counters = counters_of(database.engine)
    assert (counters.commits, counters.rollbacks, counters.lock_waits, counters.retries) == (2, 2, 2, 1)


def test_commits_and_rollbacks_are_counted(database) -> None:
    """What stored something counts, and nothing that only read."""
    counters = counters_of(database.engine)
    assert (counters.commits, counters.rollbacks, counters.last_commit) == (0, 0, None)
    store(trade())
    Trade.get_trades().all()
    Trade.commit()
    Trade.rollback()
    with database.transaction() as session, session.begin_nested():
        session.add(trade())
    first = counters.last_commit
    Trade.session.add(trade())
    Trade.session.flush()
    Trade.rollback()
    assert (counters.commits, counters.rollbacks) == (2, 1)
    assert counters.last_commit is first
    assert first is not None
    assert first.tzinfo is not None
