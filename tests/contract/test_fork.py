"""Forked processes: the child has connections of its own, and takes nothing from its parent."""

import gc
import multiprocessing
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import event

from tests.builders import amend, store, trade, trade_with_entry
from tradestore import Trade, init_db
from tradestore.exceptions import DatabaseNotReady

# Python warns of threads at a fork; the servers' drivers and the tests have some, and none holds a lock.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

SCRIPT = """
import os, sys
from tests.builders import store, trade
from tradestore import Trade, init_db

init_db(sys.argv[1], durability="normal")  # Else the servers of the tests give a warning.
store(trade(pair="FIRST/USDT"))
Trade.session.add(trade(pair="PARENT/USDT"))
Trade.get_trades().all()
pid = os.fork()
if pid == 0:
    store(trade(pair="CHILD/USDT"))
    sys.exit()
assert os.waitpid(pid, 0)[1] == 0
Trade.commit()
print(*sorted(record.pair for record in Trade.get_trades()))
"""


def _in_child(work: Callable[[], object]) -> None:
    """Run a function in a forked process that collects its garbage and ends as any other does."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            gc.collect()
            code = 0
        except BaseException:  # noqa: BLE001 - the parent is told by the exit code
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _store_one(pair: str) -> None:
    assert Trade.get_trades(Trade.pair == pair).all() == []
    store(trade_with_entry(pair=pair))
    assert [record.pair for record in Trade.get_trades(Trade.pair == pair)] == [pair]


def _opened_connections(database) -> list[object]:
    opened: list[object] = []
    event.listen(database.engine, "connect", lambda connection, _: opened.append(connection))
    return opened


@pytest.mark.needs("persistent")
@pytest.mark.parametrize("forks", [4, pytest.param(20, marks=pytest.mark.thorough)])
def test_child_writes_within_a_transaction_of_its_parent(database, forks) -> None:
    """Again and again: the parent's work under way is stored by its commit, and so is what the child stored."""
    opened = _opened_connections(database)
    store(trade_with_entry(pair="FIRST/USDT"))
    for number in range(forks):
        first = Trade.get_trades(Trade.pair == "FIRST/USDT").one()
        first.enter_tag = f"tag {number}"
        Trade.session.add(trade_with_entry(pair=f"P{number}/USDT"))
        _in_child(partial(_store_one, f"C{number}/USDT"))
        assert first.enter_tag == f"tag {number}"
        Trade.commit()
    pairs = sorted(record.pair for record in Trade.get_trades())
    assert pairs == sorted(["FIRST/USDT", *(f"{who}{n}/USDT" for who in "PC" for n in range(forks))])
    assert Trade.get_trades(Trade.pair == "FIRST/USDT").one().enter_tag == f"tag {forks - 1}"
    assert opened == [], "the parent lost a connection"


@pytest.mark.needs("row_locks", "persistent")
def test_child_writes_beside_rows_that_its_parent_has_written(database) -> None:
    """What the parent has sent but not committed is not seen by the child, and survives it."""
    Trade.session.add(trade_with_entry(pair="PARENT/USDT"))
    Trade.session.flush()
    _in_child(lambda: _store_one("CHILD/USDT"))
    Trade.commit()
    assert sorted(record.pair for record in Trade.get_trades()) == ["CHILD/USDT", "PARENT/USDT"]


@pytest.mark.needs("one_writer")
def test_child_of_a_writing_parent_cannot_write_to_the_file(store_url, backend) -> None:
    """SQLite cannot keep the two apart then: the child is told, in memory it goes on with what was committed."""
    database = init_db(store_url, busy_timeout=0.1)
    store(trade(pair="FIRST/USDT"))
    Trade.session.add(trade(pair="PARENT/USDT"))
    Trade.session.flush()

    def refused() -> None:
        with pytest.raises(DatabaseNotReady, match="forked"):
            Trade.get_open_trade_count()

    def go_on() -> None:
        assert Trade.get_open_trade_count() == 1
        _store_one("CHILD/USDT")

    _in_child(refused if backend.persistent else go_on)
    Trade.commit()
    assert [record.pair for record in Trade.get_trades()] == ["FIRST/USDT", "PARENT/USDT"]
    Trade.session.remove()
    database.close()


@pytest.mark.needs("persistent")
def test_child_cannot_touch_its_parents_session(database) -> None:
    """A session that the child still knows by name is refused; giving it up is harmless."""
    record = trade(pair="PARENT/USDT")
    store(record)
    session = Trade.session()

    def misuse() -> None:
        with pytest.raises(DatabaseNotReady, match="forked"):
            session.get(Trade, record.id, populate_existing=True)
        session.rollback()
        session.close()
        assert Trade.session() is not session
        assert Trade.get_open_trade_count() == 1

    Trade.get_open_trade_count()
    _in_child(misuse)
    amend(record, enter_tag="mine")
    assert Trade.get_trades().one().enter_tag == "mine"


def test_child_in_memory_has_a_copy(database) -> None:
    """What it writes there, its parent does not see; on the other engines it does."""
    store(trade(pair="FIRST/USDT"))
    _in_child(lambda: _store_one("CHILD/USDT"))
    expected = ["FIRST/USDT"] if database.engine.url.database is None else ["CHILD/USDT", "FIRST/USDT"]
    assert sorted(record.pair for record in Trade.get_trades()) == expected


@pytest.mark.needs("persistent")
def test_workers_of_an_open_store(store_url) -> None:
    """As gunicorn does with a preloaded application: opened once, used by processes that end in good order."""
    database = init_db(store_url)
    opened = _opened_connections(database)
    workers = [multiprocessing.get_context("fork").Process(target=_work, args=[number]) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    pairs = sorted(record.pair for record in Trade.get_trades())
    assert pairs == sorted(f"W{number}-{n}/USDT" for number in range(4) for n in range(5))
    assert opened == [], "the parent lost a connection"
    Trade.session.remove()
    database.close()


def _work(number: int) -> None:
    for n in range(5):
        _store_one(f"W{number}-{n}/USDT")


@pytest.mark.needs("persistent")
def test_child_that_ends_with_its_interpreter(store_url) -> None:
    """What Python clears away at the end of a child takes nothing from the parent either."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT, store_url]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["CHILD/USDT", "FIRST/USDT", "PARENT/USDT"], "")


@pytest.mark.needs("networked")
def test_server_sees_no_connection_break(database, server) -> None:
    """A child that closes its store leaves in good order, and its parent's connection goes on."""
    store(trade(pair="FIRST/USDT"))
    before = len(server._log.read_text(errors="replace"))

    def work() -> None:
        _store_one("CHILD/USDT")
        Trade.session.remove()
        database.close()

    for number in range(3):
        Trade.session.add(trade(pair=f"P{number}/USDT"))
        Trade.session.flush()
        _in_child(work)
        Trade.get_trades(Trade.pair == "CHILD/USDT").one().delete()
        Trade.commit()
    assert Trade.get_open_trade_count() == 4
    log = server._log.read_text(errors="replace")[before:].lower()
    assert [line for line in log.splitlines() if "abort" in line or "eof" in line or "reset by peer" in line] == []


@pytest.mark.needs("persistent")
def test_child_that_opens_the_store_again(store_url) -> None:
    """A worker may call `init_db` itself, which leaves the parent's as it is."""
    database = init_db(store_url)
    store(trade(pair="FIRST/USDT"))

    def open_again() -> None:
        own = init_db(store_url)
        _store_one("CHILD/USDT")
        own.close()

    Trade.session.add(trade(pair="PARENT/USDT"))
    _in_child(open_again)
    Trade.commit()
    assert Trade.get_open_trade_count() == 3
    Trade.session.remove()
    database.close()
