"""Failures on request are what the drivers raise themselves, and come where they were asked for."""

import threading
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import Insert, insert, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from tests.builders import local_trade, store, trade
from tradestore import KeyValueStore, Trade, init_db
from tradestore.exceptions import CommitOutcomeUnknown, DatabaseBusy, DatabaseNotReady
from tradestore.testing import Failure, Faults

CODES: dict[str, dict[Failure, object]] = {
    "sqlite": {Failure.BUSY: 5, Failure.DEADLOCK: 5, Failure.READ_ONLY: 8, Failure.FULL: 13},
    "postgresql": {
        Failure.BUSY: "55P03",
        Failure.DEADLOCK: "40P01",
        Failure.READ_ONLY: "25006",
        Failure.FULL: "53100",
    },
    "mysql": {Failure.BUSY: 1205, Failure.DEADLOCK: 1213, Failure.READ_ONLY: 1290, Failure.FULL: 1114},
}
CODES["mariadb"] = CODES["mysql"]


def _code(error: DBAPIError) -> object:
    cause = error.orig
    assert cause is not None
    if isinstance(cause.args[0], int):  # PyMySQL's come with a state, too.
        return cause.args[0]
    names = ("sqlite_errorcode", "sqlstate", "pgcode")
    return next(found for name in names if (found := getattr(cause, name, None)))


GIVEN_UP = {Failure.READ_ONLY, Failure.FULL, Failure.DEADLOCK}
"""Failures after which a connection may be replaced: another server may take changes, or the engine has undone all."""


@pytest.mark.parametrize("failure", [failure for failure in Failure if failure is not Failure.LOST])
def test_error_is_the_drivers_own(database, failure) -> None:
    """A failure has the driver's class and the engine's own number, and the store can be used afterwards."""
    dialect = database.engine.dialect
    with Faults(database).fail_statement(1, failure) as fault, database.engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text("SELECT 1"))
        connection.rollback()
        assert connection.scalar(text("SELECT 1")) == 1
    assert fault.happened == 1
    assert isinstance(caught.value.orig, dialect.dbapi.Error)
    assert _code(caught.value) == CODES[dialect.name][failure]
    assert failure in GIVEN_UP or not caught.value.connection_invalidated


@pytest.mark.needs("persistent")
def test_lost_connection_is_lost(database) -> None:
    """A cut connection is found out by the driver, marked by SQLAlchemy, and replaced by the pool."""
    with database.engine.connect() as connection, Faults(database).fail_statement(1, "lost"):
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text("SELECT 1"))
        assert caught.value.connection_invalidated
    with database.engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


@pytest.mark.needs("persistent")
def test_connection_can_be_lost_while_committing(database) -> None:
    """Before the COMMIT nothing is stored, after it all is; the error is the same, and nobody can tell."""
    with Faults().fail_commit(1, "lost") as before, pytest.raises(CommitOutcomeUnknown):
        KeyValueStore.store_value("before", 1)
    with Faults().lose_commit_answer() as after, pytest.raises(CommitOutcomeUnknown):
        KeyValueStore.store_value("after", 1)
    assert (before.happened, after.happened) == (1, 1)
    assert KeyValueStore.get_value("before") is None
    assert KeyValueStore.get_value("after") == 1


@pytest.mark.needs("row_locks")
def test_deadlock_has_ended_the_transaction(database) -> None:
    """What was written before the deadlock is gone, as the server itself would have it."""
    with database.engine.connect() as connection:
        connection.execute(text("DELETE FROM trades"))
        connection.execute(_trade_row())
        with Faults(database).fail_statement(1, "deadlock"), pytest.raises(OperationalError):
            connection.execute(text("SELECT 1"))
        if database.engine.dialect.name != "sqlite":
            with pytest.raises(SQLAlchemyError, match=r"aborted|Can't reconnect until"):
                connection.execute(text("SELECT 1"))
            connection.rollback()
        assert connection.scalar(text("SELECT count(*) FROM trades")) == 0


def _trade_row() -> Insert:
    values = {"pair": "A/B", "exchange": "x", "is_open": True, "open_date": datetime(2026, 3, 1, tzinfo=UTC)}
    return insert(Trade).values(amount=1.0, open_rate=1.0, stake_amount=1.0, **values)


def test_own_exception_comes_as_it_is(database) -> None:
    """An exception of the caller's own passes through, and the session is usable."""
    with Faults().fail_statement(1, RuntimeError("mine")), pytest.raises(RuntimeError, match="mine"):
        store(trade())
    store(trade())
    assert Trade.get_open_trade_count() == 1


def test_only_matching_statements_count(database) -> None:
    """Statements without the text pass, and so do those before and after the numbers that were asked for."""
    store(trade())
    with Faults().fail_statement(2, matching="delete FROM", times=2) as fault:
        for expected in (0, 1, 2, 2):
            KeyValueStore.store_value("key", 1)
            with suppress(DatabaseBusy):
                KeyValueStore.delete_value("key")
            assert fault.happened == expected


def test_bulk_rows_pass_by(database) -> None:
    """COPY and statements for many rows can fail too."""
    with Faults().fail_statement(matching="trades", times=99) as fault, pytest.raises((DatabaseBusy, DBAPIError)):
        Trade.bulk_add([local_trade() for _ in range(3)])
    assert fault.happened
    assert Trade.get_open_trade_count() == 0
    assert Trade.bulk_add([local_trade() for _ in range(3)]) == 3


def test_counting_shows_every_point(database, backend) -> None:
    """Each statement has its place in the list; on SQLite with the lock that a writer takes first."""
    KeyValueStore.get_value("key")
    Trade.commit()
    with Faults().count_statements() as steps, database.transaction():
        KeyValueStore.store_value("key", 1)
    begins = [statement for statement in steps.statements if statement == "BEGIN IMMEDIATE"]
    assert len(begins) == (0 if backend.row_locks else 1)
    assert steps.statements[-1].upper().startswith("INSERT INTO")
    assert steps.commits >= 1
    if begins:
        with Faults().fail_statement(matching="BEGIN IMMEDIATE"), pytest.raises(DatabaseBusy):
            KeyValueStore.store_value("key", 2)
        assert KeyValueStore.get_value("key") == 1


def test_faults_within_each_other_keep_apart(database) -> None:
    """What holds the lock is nobody's statement; a block that is left by an error leaves nothing behind."""
    with suppress(KeyError), Faults().fail_statement(1, "full") as fault, Faults().hold_lock():
        raise KeyError
    assert fault.happened == 0
    store(trade())
    assert Trade.get_open_trade_count() == 1


def test_lock_is_held_for_the_block(store_url) -> None:
    """While somebody else holds the lock writers give up, readers read; afterwards writers write."""
    opened = init_db(store_url, busy_timeout=0.2)
    try:
        KeyValueStore.store_value("key", 1)
        with Faults().hold_lock():
            with pytest.raises(DatabaseBusy):
                KeyValueStore.store_value("key", 2)
            assert KeyValueStore.get_value("key") == 1
            Trade.rollback()
        KeyValueStore.store_value("key", 3)
        with Faults().hold_lock(0.05):
            KeyValueStore.store_value("key", 4)
        assert KeyValueStore.get_value("key") == 4
    finally:
        Trade.session.remove()
        opened.close()


def test_lock_that_somebody_has_is_waited_for_not_stolen(database) -> None:
    """A held lock waits for an open writer, and reports what it met if that one stays."""
    done = threading.Event()
    began = threading.Event()

    def write() -> None:
        with database.transaction():
            KeyValueStore.store_value("key", 1)
            began.set()
            done.wait(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    began.wait()
    with Faults().hold_lock():
        assert KeyValueStore.get_value("key") == 1
        Trade.rollback()
    done.set()
    writer.join()


def test_slow_statements_still_work(database, monkeypatch) -> None:
    """Every statement that matches waits for its time, and then does its work."""
    slept: list[float] = []
    monkeypatch.setattr("tradestore.testing.faults.time.sleep", slept.append)
    with Faults().slow_down(0.25, matching="keyvaluestore"):
        KeyValueStore.store_value("key", 1)
        Trade.get_open_trade_count()
    assert set(slept) == {0.25}
    assert KeyValueStore.get_value("key") == 1


def test_memory_has_no_connection_to_lose() -> None:
    """What cannot happen is refused, not pretended; and without a store nothing can fail."""
    with pytest.raises(DatabaseNotReady), Faults().count_statements():
        pass
    opened = init_db("sqlite://")
    try:
        with pytest.raises(ValueError, match="memory"), Faults().fail_commit(1, "lost"):
            pass
        with pytest.raises(ValueError, match="nonsense"), Faults().fail_commit(1, "nonsense"):
            pass
    finally:
        opened.close()
