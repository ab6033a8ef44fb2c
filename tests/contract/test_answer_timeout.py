"""Servers that do not answer: whoever waits gets an error instead of waiting for ever, and nobody else is disturbed."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import Column, Float, MetaData, Table, TextClause, event, insert, text
from sqlalchemy.exc import DBAPIError

from tests.builders import store, trade
from tradestore import Trade, init_db
from tradestore._answer_timeout import AnswerTimeout
from tradestore._schema_lock import alone
from tradestore.exceptions import CommitOutcomeUnknown, DatabaseBusy, DatabaseUnreachable

LOST = (DBAPIError, DatabaseBusy)
SLEEPS = {"postgresql": "SELECT pg_sleep({})", "mysql": "SELECT SLEEP({})", "mariadb": "SELECT SLEEP({})"}


@pytest.fixture
def impatient(store_url):
    """Return a store with a trade that waits a second for answers."""
    database = init_db(store_url, answer_timeout=1, connect_timeout=2)
    store(trade())
    Trade.session.remove()
    yield database
    Trade.session.remove()
    assert database.pool_status().checked_out == 0
    database.close()


@contextmanager
def _frozen(server) -> Iterator[None]:
    """Stop all processes of a server, so that its connections stay open and nothing comes back."""
    first = server._process.pid
    os.kill(first, signal.SIGSTOP)
    pids = [*map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split()), first]
    try:
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        # A thread that is running already may still answer.
        while not all(map(_is_stopped, pids)):
            time.sleep(0.001)
        yield
    finally:
        for pid in pids:
            _signal(pid, signal.SIGCONT)


def _is_stopped(pid: int) -> bool:
    """Tell whether no thread of a process goes on."""
    try:
        states = [
            status.read_text().rpartition(")")[2].split()[0] for status in Path(f"/proc/{pid}/task").glob("*/stat")
        ]
    except (FileNotFoundError, ProcessLookupError):  # A thread has ended meanwhile.
        return False
    return all(state in {"T", "Z", "X"} for state in states)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # A child that was about to end.
        os.kill(pid, number)


@pytest.mark.needs("networked", "first_driver")  # The other one sends all at once, and waits for all.
def test_many_answers_of_one_call_have_time_each(impatient, backend) -> None:
    """A statement for many rows may take long as a whole, as long as each answer comes; one that does not is lost."""
    lines = Table("slow", MetaData(), Column("seconds", Float))
    sleep = "pg_sleep(seconds)::text" if backend.sequences else "SLEEP(seconds)"
    delayed = text(f"DELETE FROM slow WHERE seconds = :seconds AND {sleep} = 'never'")
    with impatient.engine.begin() as connection:
        lines.create(connection)
        connection.execute(insert(lines), [{"seconds": 0.3125}, {"seconds": 60.0}])
    with impatient.engine.connect() as connection:
        connection.execute(delayed, [{"seconds": 0.3125}] * 6)
        with pytest.raises(DBAPIError) as lost:
            connection.execute(delayed, [{"seconds": 60.0}] * 2)
    assert lost.value.connection_invalidated


def _sleeping(seconds: float) -> TextClause:
    return text(SLEEPS[Trade.session.get_bind().dialect.name].format(seconds))


def _write() -> None:
    Trade.session.add(trade(pair="LOST/USDT"))
    Trade.session.flush()


@pytest.mark.needs("networked")
def test_frozen_server_ends_every_wait(impatient, server) -> None:
    """A statement, a COMMIT, a ROLLBACK, a test of a connection from the pool: each ends, and afterwards all works."""
    _write()
    with ExitStack() as stack:
        event.listen(impatient.engine, "commit", lambda _: stack.enter_context(_frozen(server)), once=True)
        with pytest.raises(CommitOutcomeUnknown):
            Trade.commit()
        with pytest.raises(LOST):
            Trade.get_open_trade_count()
    Trade.session.remove()
    Trade.get_open_trade_count()
    with _frozen(server), pytest.raises(LOST):
        Trade.get_open_trade_count()
    _write()
    with _frozen(server):
        # Whether the loss is told matters less than that it ends.
        with_errors = _outcome(Trade.rollback)
    assert with_errors is None or isinstance(with_errors, LOST)
    assert Trade.get_open_trade_count() >= 1  # What the lost COMMIT held may be there, too.


def _outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - it is looked at
        return error


@pytest.mark.needs("networked")
def test_opening_a_frozen_server_ends(store_url, server) -> None:
    """A server that lets nobody in is unreachable."""
    init_db(store_url).close()
    with _frozen(server), pytest.raises(DatabaseUnreachable):
        init_db(store_url, connect_timeout=1)


@pytest.mark.needs("networked")
def test_slow_statement_loses_its_connection_and_no_other_does(impatient) -> None:
    """While some threads ask again and again, one that gets no answer is told, and only that one."""
    counts: list[int] = []
    errors: list[object] = []
    over = threading.Event()

    def ask() -> None:
        try:
            while not over.is_set():
                counts.append(Trade.get_open_trade_count())
                Trade.commit()
        except Exception as error:  # noqa: BLE001 - it is shown below
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    with pytest.raises(LOST):
        Trade.session.execute(_sleeping(60))
    over.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(counts) == {1}
    assert Trade.get_open_trade_count() == 1


@pytest.mark.needs("networked")
def test_changes_of_tables_take_as_long_as_they_take(impatient) -> None:
    """Upgrades are exempt, and so is nothing that comes after them."""
    with alone(impatient.engine) as connection:
        connection.execute(_sleeping(1.5))
    assert Trade.get_open_trade_count() == 1
    with pytest.raises(LOST):
        Trade.session.execute(_sleeping(60))


def test_thread_ends_when_nobody_waits() -> None:
    """The thread that looks after those who wait ends when there is none, and another one follows it."""
    timeout = AnswerTimeout(20)
    for _ in range(2):
        timeout.begin(None)
        thread = timeout._thread
        assert thread is not None
        timeout.end()
        thread.join(60)
        assert not thread.is_alive()


def test_interpreter_that_ends_still_asks(monkeypatch) -> None:
    """At its exit Python starts no threads any more: what is asked then is answered, without a limit."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    timeout = AnswerTimeout(20)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert timeout.limited(lambda _target: "stored")(None) == "stored"
    timeout.begin(None)
    assert timeout._thread is not None
    timeout.end()
    timeout._thread.join(60)


def test_garbage_may_ask_anywhere() -> None:
    """A forgotten session that Python clears away is rolled back wherever its thread is, without a wait."""
    timeout = AnswerTimeout(20)

    def clear_away() -> None:
        with timeout._lock:
            timeout.begin(None)
            timeout.end()
            timeout.end()

    asker = threading.Thread(target=clear_away, daemon=True)
    asker.start()
    asker.join(20)
    assert not asker.is_alive()
