"""The status of an open store: what is in use, what is open for how long, and what has happened."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.builders import store, trade
from tradestore import Trade, init_db
from tradestore._counters import counters_of


def test_fresh_store(store_url, backend) -> None:
    """Nothing has happened, and all connections may be had."""
    database = init_db(store_url, pool_size=3, max_overflow=2)
    try:
        status = database.status()
        assert (status.commits, status.rollbacks, status.retries) == (0, 0, 0)
        assert (status.lock_waits, status.lost_connections) == (0, 0)
        assert (status.last_commit, status.seconds_since_commit) == (None, None)
        assert (status.oldest_transaction, status.oldest_writing, status.sessions) == (None, None, 0)
        sizes = (status.checked_out, status.pool_size, status.max_overflow, status.available)
        assert sizes == ((0, 3, 2, 5) if backend.persistent else (0, 1, 0, 1))
        assert status.idle == database.pool_status().idle
    finally:
        database.close()


@pytest.mark.needs("persistent")
def test_connections_in_use(store_url) -> None:
    """Each thread that holds a connection takes one of those that may be had."""
    database = init_db(store_url, pool_size=1, max_overflow=2)
    used, seen = threading.Barrier(3), threading.Event()

    def hold() -> None:
        Trade.get_open_trade_count()
        used.wait(20)
        seen.wait(20)

    threads = [threading.Thread(target=hold) for _ in range(2)]
    try:
        for thread in threads:
            thread.start()
        used.wait(20)
        status = database.status()
    finally:
        seen.set()
        for thread in threads:
            thread.join()
    assert (status.checked_out, status.available, status.sessions) == (2, 1, 2)
    status = database.status()
    assert (status.checked_out, status.available, status.sessions) == (0, 3, 0)
    database.close()


def test_open_transactions_have_an_age(database) -> None:
    """One that reads is open, one that has written is so too; both end with the commit or the rollback."""
    store(trade())
    Trade.session.remove()
    for end in (Trade.commit, Trade.rollback, Trade.session.remove):
        Trade.get_open_trade_count()
        reading = database.status()
        assert reading.oldest_transaction is not None
        assert reading.oldest_transaction >= 0
        assert reading.oldest_writing is None
        Trade.session.add(trade())
        Trade.session.flush()
        writing = database.status()
        assert writing.oldest_transaction == writing.oldest_writing or writing.oldest_writing is not None
        assert writing.oldest_transaction >= reading.oldest_transaction
        end()
        assert (database.status().oldest_transaction, database.status().oldest_writing) == (None, None)


def test_failed_statement_leaves_no_open_transaction(database) -> None:
    """What fails ends its transaction, also for the status."""
    with pytest.raises(Exception, match=r"(?i)pair"):
        store(trade(pair=None))
    assert database.status().oldest_transaction is None


def test_last_commit_is_a_moment_in_utc(database) -> None:
    """What was counted for the engine is told, and the last commit has a time with its zone."""
    before = datetime.now(UTC)
    counters = counters_of(database.engine)
    commits = counters.commits
    counters.note_commit()
    status = database.status()
    assert status.commits == commits + 1
    assert before - timedelta(seconds=1) <= status.last_commit <= datetime.now(UTC)
    assert 0 <= status.seconds_since_commit < 60
