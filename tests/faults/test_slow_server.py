"""Servers that answer late or never: slow work or a typed error, as was asked for, and each unit stored once."""

from collections.abc import Callable, Iterator

import pytest

from tests.builders import store, trade_with_entry
from tradestore import Database, KeyValueStore, Order, Trade, init_db
from tradestore.exceptions import CommitOutcomeUnknown, ConnectionLost

pytestmark = pytest.mark.needs("networked", "first_driver")

Open = Callable[..., Database]
QUICK_OR_FULL = pytest.mark.parametrize(
    "seconds", [0.6, pytest.param(5.0, marks=pytest.mark.thorough)], ids=["small", "full"]
)


@pytest.fixture
def by_proxy(proxy, store_url) -> Iterator[Open]:
    """Return what opens the database by way of the proxy; afterwards every connection is back."""
    opened: list[Database] = []

    def open_it(answer_timeout: float | None) -> Database:
        opened.append(
            init_db(proxy.url(store_url), answer_timeout=answer_timeout, connect_timeout=4, pool_size=2, max_overflow=0)
        )
        store(trade_with_entry(enter_tag="first"))
        Trade.rollback()
        return opened[0]

    yield open_it
    Trade.session.remove()
    for database in opened:
        assert database.pool_status().checked_out == 0
        database.close()


def _add(tag: str) -> None:
    Trade.session.add(trade_with_entry(enter_tag=tag))
    Trade.commit()


def _tags() -> list[str | None]:
    """Return the tags of all trades, each of which has its order."""
    Trade.rollback()
    assert Trade.session.query(Order).count() == Trade.session.query(Trade).count()
    return [found.enter_tag for found in Trade.get_trades()]


@QUICK_OR_FULL
def test_patient_store_is_only_slow(backend, proxy, by_proxy, note, seconds) -> None:
    """Without a limit, a server that answers late makes the work slow, and nothing else."""
    by_proxy(None)
    with proxy.slow(seconds):
        KeyValueStore.store_value("slow", 1)
    assert proxy.late_answers > 0
    assert KeyValueStore.get_value("slow") == 1
    note("faults", f"slow server: answers {seconds:g} s late without answer_timeout: slow, and stored")


@QUICK_OR_FULL
def test_impatient_store_gives_up(backend, proxy, by_proxy, note, seconds) -> None:
    """With a limit, a server that answers too late is a lost connection, and work goes on when it is quick again."""
    database = by_proxy(seconds / 2)
    with proxy.slow(seconds):
        with pytest.raises(ConnectionLost):
            _add("by commit")
        with pytest.raises(ConnectionLost):
            database.run(lambda _session: _add("by run"), attempts=1)
    assert _tags() == ["first"]
    _add("commit again")
    database.run(lambda _session: _add("run again"))
    assert _tags() == ["first", "commit again", "run again"]
    note("faults", f"slow server: answers {seconds:g} s late, answer_timeout={seconds / 2:g}: ConnectionLost, goes on")


def test_frozen_network(backend, proxy, by_proxy, note) -> None:
    """A network that brings nothing in either direction is a lost connection; nothing is stored by half."""
    database = by_proxy(0.3)
    with proxy.frozen(), pytest.raises(ConnectionLost):
        _add("lost")
    database.run(lambda _session: _add("kept"))
    assert _tags() == ["first", "kept"]
    note("faults", "frozen network: ConnectionLost, and work goes on when it thaws")


@pytest.mark.parametrize("cuts", [True, False], ids=["cut", "no answer"])
def test_lost_answer_to_commit(backend, proxy, by_proxy, note, cuts) -> None:
    """Trade.commit() says that it cannot know; Database.run finds out, and stores exactly once."""
    database = by_proxy(1.0)
    proxy.lose_next_commit_answer(cuts=cuts)
    with pytest.raises(CommitOutcomeUnknown):
        _add("unknown")
    assert proxy.lost_answers == 1
    calls: list[int] = []

    def work(_session: object) -> None:
        calls.append(1)
        _add("once")

    assert _tags() == ["first", "unknown"]
    Trade.rollback()
    proxy.lose_next_commit_answer(cuts=cuts)
    database.run(work)
    assert proxy.lost_answers == 2
    assert calls == [1]
    assert _tags() == ["first", "unknown", "once"]
    what = "cut" if cuts else "lost"
    note("faults", f"answer to COMMIT {what}: CommitOutcomeUnknown by commit(), Database.run found out and stored once")


def test_cut_before_commit(backend, proxy, by_proxy) -> None:
    """A connection that is cut in the middle of the work stored nothing; Database.run does the work again."""
    database = by_proxy(None)
    cuts = [proxy.cut]

    def work(session: object) -> None:
        KeyValueStore.store_value("half", 1)
        if cuts:
            cuts.pop()()
        _add("again")

    database.run(work)
    assert _tags() == ["first", "again"]

    def fail() -> None:
        with database.transaction():
            KeyValueStore.store_value("half", 2)
            proxy.cut()
            _add("never")

    with pytest.raises(ConnectionLost):
        fail()
    assert (KeyValueStore.get_value("half"), _tags()) == (1, ["first", "again"])
