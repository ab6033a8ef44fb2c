"""Crowds of threads and processes on the same few rows: every unit of work is stored once, and nobody sees an error."""

import sqlite3
import threading
import time
from contextlib import suppress

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from tests.builders import store, trade_with_entry
from tests.faults.children import Child, all_told
from tests.faults.crowd import COUNTER, Crowd, Tally, work_in_crowd
from tests.servers import USER
from tradestore import CustomDataWrapper, KeyValueStore, Order, Trade, init_db
from tradestore.exceptions import DatabaseBusy

TRADES = 6


def _fill(store_url: str) -> tuple[int, ...]:
    with_rows = init_db(store_url)
    store(*(trade_with_entry(pair=f"C{number}/USDT", max_rate=0.0) for number in range(TRADES)))
    KeyValueStore.store_value(COUNTER, 0)
    ids = tuple(record.id for record in Trade.get_trades())
    with_rows.close()
    return ids


def _crowd_works(store_url: str, crowd: Crowd) -> tuple[Tally, float]:
    """Let the crowd do its work; return its tallies in one, and the seconds that it took."""
    started = time.monotonic()
    tallies = all_told([Child(work_in_crowd, store_url, crowd, number) for number in range(crowd.processes)])
    seconds = time.monotonic() - started
    assert [error for tally in tallies for error in tally.errors] == []
    total = Tally(
        units=sum(tally.units for tally in tallies),
        orders=sum(tally.orders for tally in tallies),
        changes=sum(tally.changes for tally in tallies),
        retries=sum(tally.retries for tally in tallies),
        deadlocks=sum(tally.deadlocks for tally in tallies),
        longest=max(tally.longest for tally in tallies),
    )
    return total, seconds


def _check_counts(store_url: str, crowd: Crowd, total: Tally) -> None:
    """What is stored is what was done: the counter, the trades' fields, the orders, each thread's last mark."""
    database = init_db(store_url)
    try:
        assert total.units == crowd.processes * (crowd.units // crowd.threads) * crowd.threads
        assert KeyValueStore.get_value(COUNTER) == total.units
        assert sum(record.max_rate or 0.0 for record in Trade.get_trades()) == total.changes
        assert Trade.session.query(Order).count() == total.orders + TRADES
        last: dict[str, int] = {}
        for trade_id in crowd.trades:
            for entry in CustomDataWrapper.get_custom_data(trade_id=trade_id):
                last[entry.cd_key] = max(entry.value, last.get(entry.cd_key, 0))
        names = [f"by {process}-{thread}" for process in range(crowd.processes) for thread in range(crowd.threads)]
        assert last == dict.fromkeys(names, crowd.units // crowd.threads)
        if database.engine.dialect.name == "sqlite":
            assert Trade.session.scalar(text("PRAGMA integrity_check")) == "ok"
    finally:
        database.close()


def _told(crowd: Crowd, total: Tally, seconds: float) -> str:
    return (
        f"{crowd.processes} processes of {crowd.threads} threads did {total.units} units on the same rows, "
        f"{total.retries} retries, {total.deadlocks} deadlocks, 0 errors, counts exact, "
        f"{seconds:.0f} s, slowest unit {total.longest:.1f} s"
    )


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.parametrize(
    ("processes", "units"), [(4, 40), pytest.param(8, 2_000, marks=pytest.mark.thorough)], ids=["small", "full"]
)
def test_crowd_loses_nothing(backend, store_url, note, processes, units) -> None:
    """Read, change and write on the same rows, by every thread of every process, leaves exact counts."""
    crowd = Crowd(processes=processes, threads=4, units=units, trades=_fill(store_url))
    total, seconds = _crowd_works(store_url, crowd)
    _check_counts(store_url, crowd, total)
    note("faults", f"contention: {_told(crowd, total, seconds)}")


@pytest.mark.needs("persistent", "in_process")
def test_crowded_writer_waits_and_gives_up(backend, store_url, tmp_path) -> None:
    """Whoever had to wait looks often from then on, for as long as was said; the connection is as it was afterwards."""
    database = init_db(store_url, busy_timeout=0.4)
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None, check_same_thread=False)
    told: list[str] = []
    event.listen(database.engine, "checkout", lambda connection, *_: connection.set_trace_callback(told.append))
    try:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            with pytest.raises(DatabaseBusy):
                KeyValueStore.store_value("key", 1)
        assert told.count("BEGIN IMMEDIATE") > 10
        end = threading.Timer(0.1, other.execute, ["ROLLBACK"])
        end.start()
        KeyValueStore.store_value("key", 2)
        end.join()
        assert Trade.session.scalar(text("PRAGMA busy_timeout")) == 400
        assert KeyValueStore.get_value("key") == 2
    finally:
        other.close()
        Trade.session.remove()
        database.close()


@pytest.fixture
def quick_to_find_deadlocks(server):
    """Let the server look for deadlocks at once; one that finds them without looking needs no word."""
    settings = ("SET deadlock_timeout = '10ms'", "RESET deadlock_timeout")
    with suppress(DBAPIError):
        server.execute(f"ALTER ROLE {USER} {settings[0]}")
    yield
    with suppress(DBAPIError):
        server.execute(f"ALTER ROLE {USER} {settings[1]}")


@pytest.mark.needs("row_locks", "networked", "first_driver")
@pytest.mark.parametrize(
    ("processes", "units", "crossing"),
    [(4, 60, 0.4), pytest.param(8, 2_000, 0.12, marks=pytest.mark.thorough)],
    ids=["small", "full"],
)
def test_deadlocks_lose_nothing(backend, store_url, quick_to_find_deadlocks, note, processes, units, crossing) -> None:
    """Units that lock two rows in any order deadlock again and again; each is stored once all the same."""
    crowd = Crowd(processes=processes, threads=4, units=units, trades=_fill(store_url), crossing=crossing)
    total, seconds = _crowd_works(store_url, crowd)
    assert total.deadlocks > 0
    _check_counts(store_url, crowd, total)
    note("faults", f"deadlocks: {_told(crowd, total, seconds)}")
