"""Connections that are lost: readers don't notice, writers are told the truth, and nothing is stored twice."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from tests.builders import columns_of, order, store, trade, trade_with_entry
from tests.servers import Server
from tradestore import Database, KeyValueStore, Order, Trade, _store_session, init_db
from tradestore._clock import utc_now
from tradestore._commit_tokens import COMMIT_TOKENS, CommitToken
from tradestore._counters import counters_of
from tradestore.exceptions import CommitOutcomeUnknown, ConnectionLost, DatabaseFull

pytestmark = pytest.mark.needs("networked")

_TOKEN = {"token": "mine", "committed_at": utc_now()}


def _pairs() -> list[str]:
    Trade.session.remove()
    return [record.pair for record in Trade.get_trades()]


def _lose_commit(
    database: Database,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stored: bool,
    then: Callable[[], object] = lambda: None,
) -> None:
    """Lose the connection during the next COMMIT, before it arrives or before its answer does."""
    dialect = database.engine.dialect
    commit = dialect.do_commit

    def lose(connection) -> None:
        monkeypatch.setattr(dialect, "do_commit", commit)
        if stored:
            commit(connection)
        server.disconnect()
        then()
        dialect.do_ping(connection)

    monkeypatch.setattr(dialect, "do_commit", lose)


def test_readers_do_not_notice(database, server: Server) -> None:
    """Whatever is asked after the connection died under an open transaction gets its answer; objects stay in use."""
    store(trade_with_entry())
    KeyValueStore.store_value("key", 1)
    record = Trade.get_trades().one()

    def ask_again() -> object:
        Trade.session.expire(record)
        return record.pair

    asked: dict[Callable[[], object], object] = {
        lambda: Trade.get_trades().one(): record,
        lambda: Trade.session.scalar(select(func.count(Order.id))): 1,
        lambda: KeyValueStore.get_value("key"): 1,
        lambda: Trade.session.get(Trade, record.id, populate_existing=True): record,
        lambda: Trade.session.query(Order.ft_pair).all(): [("ADA/USDT",)],
        ask_again: "ADA/USDT",
    }
    answers = []
    for ask in asked:
        Trade.get_trades().all()
        assert server.disconnect() == 1
        answers.append(ask())
    assert answers == list(asked.values())
    assert record in Trade.session
    assert counters_of(database.engine).lost_connections == len(asked)


def test_failed_query_leaves_nothing_that_readers_notice(database, server: Server) -> None:
    """The transaction after the one that a bad statement has ended is as new as any."""
    store(trade())
    with pytest.raises(SQLAlchemyError):
        Trade.session.execute(text("SELECT no_such_column FROM trades"))
    assert Trade.get_open_trade_count() == 1
    server.disconnect()
    assert Trade.get_open_trade_count() == 1


def test_reading_keeps_what_waits_to_be_stored(database, server: Server) -> None:
    """Objects that are new or changed are neither lost nor expired when a read is repeated, and the commit has them."""
    store(trade())
    record = Trade.get_trades().one()
    record.enter_tag = "waits"
    Trade.session.add(trade_with_entry(pair="NEW/USDT"))
    server.disconnect()
    assert Trade.get_open_trade_count() == 1
    assert record.enter_tag == "waits"
    Trade.commit()
    Trade.session.remove()
    assert [(found.pair, found.enter_tag) for found in Trade.get_trades()] == [
        ("ADA/USDT", "waits"),
        ("NEW/USDT", None),
    ]


def test_writing_after_a_while_of_reading_does_not_notice(database, server: Server, monkeypatch) -> None:
    """A connection that was idle is tried before the first write, and replaced with nothing lost."""
    monkeypatch.setattr(_store_session, "_IDLE", 0.0)
    record = trade()
    store(record)

    def flush() -> None:
        Trade.session.flush()
        Trade.commit()

    writers: dict[str, Callable[[], object]] = {
        "commit": Trade.commit,
        "flush": flush,
        "statement": lambda: KeyValueStore.store_value("key", 1),
    }
    for name, write in writers.items():
        Trade.get_trades().all()
        record.enter_tag = name
        server.disconnect()
        write()
        Trade.session.remove()
        record = Trade.get_trades().one()
        assert record.enter_tag == name
    assert KeyValueStore.get_value("key") == 1


def test_transaction_that_only_read_ends_in_peace(database, server: Server) -> None:
    """Commit, rollback, removal and the begin of a unit of work have nothing to complain about."""
    store(trade())

    def begin() -> None:
        with database.transaction():
            pass

    def read_in_a_block() -> None:
        with Trade.session.begin():
            Trade.get_trades().all()
            server.disconnect()

    for end in (Trade.commit, Trade.rollback, Trade.session.remove, begin, lambda: database.run(len)):
        Trade.get_trades().all()
        server.disconnect()
        with suppress(TypeError):  # The work that has no length to tell is none of this test's business.
            end()
    Trade.session.remove()
    read_in_a_block()
    assert _pairs() == ["ADA/USDT"]


def test_what_was_written_is_never_repeated_in_silence(database, server: Server) -> None:
    """A transaction that has written is lost as a whole, and whoever goes on in it is told."""
    doors: tuple[Callable[[], object], ...] = (
        Trade.get_open_trade_count,
        Trade.commit,
        Trade.session.flush,
        lambda: Trade.session.connection().exec_driver_sql("SELECT 1"),
        lambda: KeyValueStore.store_value("key", 1),
    )
    errors = []
    for door in doors:
        Trade.session.add(trade(pair="LOST/USDT"))
        Trade.session.flush()
        Trade.session.add(trade(pair="LOST/USDT"))
        server.disconnect()
        try:
            door()
        except (ConnectionError, SQLAlchemyError) as error:
            errors.append(type(error).__name__)
        Trade.rollback()
    # What goes past the session is SQLAlchemy's own.
    assert errors == ["ConnectionLost"] * 3 + ["OperationalError", "ConnectionLost"]
    assert _pairs() == []
    store(trade(pair="AFTER/USDT"))
    assert _pairs() == ["AFTER/USDT"]


def test_locked_rows_are_not_read_anew_in_silence(database, server: Server) -> None:
    """Whoever holds locks must know that they are gone."""
    store(trade())
    mine: dict[str, tuple[Any, ...]] = {
        "postgresql": (
            select(func.pg_advisory_xact_lock(7)),
            text("SELECT set_config('lock_timeout', '3s', true)"),
            text("SELECT 1 AS one INTO TEMP TABLE taken"),
            select(func.count()).select_from(insert(COMMIT_TOKENS).values(_TOKEN).returning(COMMIT_TOKENS).cte()),
        ),
        "mariadb": (select(func.get_lock("mine", 1)), text("SELECT @mine := 1"), text("SELECT 1 INTO @mine")),
    }
    locked = select(Trade.id).with_for_update()
    for query in (
        select(Trade).with_for_update(),
        select(Trade).where(Trade.id.in_(select(locked.subquery().c.id))),
        text("SELECT id FROM trades FOR UPDATE"),
        *mine["postgresql" if database.engine.dialect.name == "postgresql" else "mariadb"],
    ):
        Trade.session.execute(query)
        server.disconnect()
        with pytest.raises(ConnectionLost):
            Trade.get_open_trade_count()
        assert Trade.get_open_trade_count() == 1


def test_rows_written_past_the_unit_of_work_count_as_written(database, server: Server, monkeypatch) -> None:
    """A commit of rows from dicts or of a statement of one's own is in doubt like any other."""

    def row(number: int) -> dict[str, Any]:
        return {**columns_of(trade(id=number))}

    writers: list[Callable[[], object]] = [
        lambda: Trade.session.bulk_insert_mappings(inspect(Trade), [row(1)]),
        lambda: Trade.session.bulk_save_objects([trade(id=2)]),
        lambda: Trade.session.connection().execute(insert(Trade).values(row(3))),
    ]
    for write in writers:
        _lose_commit(database, server, monkeypatch, stored=True)
        write()
        with pytest.raises(CommitOutcomeUnknown):
            Trade.commit()
    assert Trade.get_open_trade_count() == 3


def test_block_and_savepoint_are_lost_as_a_whole(database, server: Server) -> None:
    """The error that leaves the block is the typed one, wherever in it the connection was lost."""

    def block() -> None:
        with database.transaction() as session:
            session.add(trade(pair="LOST/USDT"))
            with database.transaction():
                session.add(trade(pair="LOST/USDT"))
                session.flush()
                server.disconnect()

    def failing_block() -> None:
        with database.transaction() as session:
            session.add(trade(pair="LOST/USDT"))
            session.flush()
            server.disconnect()
            raise LookupError

    for _ in range(2):
        with pytest.raises(ConnectionLost):
            block()
        with pytest.raises(LookupError):
            failing_block()
    assert _pairs() == []


def test_run_is_repeated_when_the_connection_is_lost_before_the_commit(database, server: Server) -> None:
    """Lost at the start, in the middle or with the last statement: the work is done again, and stored once."""
    calls: list[str] = []

    def work_of(moment: str) -> Callable[..., Trade]:
        def work(session) -> Trade:
            calls.append(moment)
            if calls.count(moment) == 1 and moment == "start":
                server.disconnect()
            record = trade_with_entry(pair=f"{moment}/USDT")
            session.add(record)
            if calls.count(moment) == 1 and moment != "start":
                if moment == "middle":
                    session.flush()
                server.disconnect()
            return record

        return work

    for moment in ("start", "middle", "end"):
        record = database.run(work_of(moment))
        assert record in Trade.session
        assert record.orders[0].ft_trade_id == record.id
    assert calls == ["start", "start", "middle", "middle", "end", "end"]
    assert _pairs() == ["start/USDT", "middle/USDT", "end/USDT"]
    assert counters_of(database.engine).retries == 3


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "not stored"])
def test_run_finds_out_what_became_of_a_lost_commit(database, server: Server, monkeypatch, stored: bool) -> None:
    """The work is stored exactly once, and all objects are what the commit has made of them."""
    store(trade_with_entry(pair="OLD/USDT"), trade_with_entry(pair="GONE/USDT"))
    old, gone = Trade.get_trades().all()
    beside = trade_with_entry(pair="BESIDE/USDT")
    calls: list[int] = []

    def work(session) -> Trade:
        calls.append(1)
        record = trade_with_entry(pair="NEW/USDT")
        session.add_all([record, beside])
        changed = session.get(Trade, old.id)
        changed.enter_tag = "changed"
        changed.orders.append(order(ft_order_side="sell"))
        session.delete(session.get(Trade, gone.id))
        return record

    Trade.session.rollback()
    _lose_commit(database, server, monkeypatch, stored=stored)
    record = database.run(work)
    assert len(calls) == (1 if stored else 2)
    assert (record.pair, beside.pair, old.enter_tag, len(old.orders)) == ("NEW/USDT", "BESIDE/USDT", "changed", 2)
    assert gone not in Trade.session
    record.enter_tag = beside.orders[0].ft_order_tag = "later"
    Trade.commit()
    assert Trade.session.query(Order).count() == 4
    Trade.session.remove()
    found = {read.pair: read for read in Trade.get_trades()}
    assert sorted(found) == ["BESIDE/USDT", "NEW/USDT", "OLD/USDT"]
    assert (found["NEW/USDT"].id, found["NEW/USDT"].enter_tag) == (record.id, "later")
    assert found["BESIDE/USDT"].orders[0].ft_order_tag == "later"
    assert Trade.get_open_trade_count() == 3


def test_commits_that_are_not_repeated_say_so(database, server: Server, monkeypatch) -> None:
    """A block and `Trade.commit` leave it to their callers to look; the session can be used at once."""

    def block() -> None:
        with database.transaction() as session:
            session.add(trade(pair="BLOCK/USDT"))

    def plain_block() -> None:
        with Trade.session.begin():
            Trade.session.add(trade(pair="BLOCK/USDT"))

    commits: tuple[Callable[[], None], ...] = (lambda: store(trade(pair="COMMIT/USDT")), block, plain_block)
    for commit in commits:
        for stored in (True, False):
            Trade.session.remove()
            _lose_commit(database, server, monkeypatch, stored=stored)
            with pytest.raises(CommitOutcomeUnknown):
                commit()
    assert _pairs() == ["COMMIT/USDT", "BLOCK/USDT", "BLOCK/USDT"]


def test_nobody_answers_what_became_of_a_commit(database, server: Server, monkeypatch) -> None:
    """Where the server stays away, the outcome is unknown, and that is what the error says."""

    def refuse(dialect: Any, *_: object) -> None:
        raise dialect.loaded_dbapi.OperationalError(2003, "Connection refused")

    def refuse_all() -> None:
        event.listen(database.engine, "do_connect", refuse)

    _lose_commit(database, server, monkeypatch, stored=True, then=refuse_all)
    calls: list[int] = []

    def work(session) -> None:
        calls.append(1)
        session.add(trade())

    with pytest.raises(CommitOutcomeUnknown):
        database.run(work, attempts=3)
    event.remove(database.engine, "do_connect", refuse)
    assert calls == [1]
    assert _pairs() == ["ADA/USDT"]


def test_error_about_something_else_does_not_hide_a_commit_in_doubt(database, server: Server, monkeypatch) -> None:
    """Whatever keeps the server from being asked, nobody may take it for what became of the commit."""
    _lose_commit(database, server, monkeypatch, stored=True)

    def fill_disk(*_: object) -> None:
        raise DatabaseFull("no room")

    monkeypatch.setattr(CommitToken, "is_stored", fill_disk)
    with pytest.raises(CommitOutcomeUnknown) as told:
        database.run(lambda session: session.add(trade()))
    assert isinstance(told.value.__cause__, DatabaseFull)
    assert _pairs() == ["ADA/USDT"]


def test_inner_run_leaves_repeating_to_the_outer_one(database, server: Server) -> None:
    """What is lost is the whole transaction, so only the whole is done again."""
    calls: list[str] = []

    def inner(session) -> None:
        calls.append("inner")
        session.add(trade(pair="INNER/USDT"))
        session.flush()
        if calls.count("inner") == 1:
            server.disconnect()

    def outer(session) -> None:
        calls.append("outer")
        session.add(trade(pair="OUTER/USDT"))
        session.flush()
        database.run(inner)

    database.run(outer)
    assert calls == ["outer", "inner", "outer", "inner"]
    assert _pairs() == ["OUTER/USDT", "INNER/USDT"]


def test_tokens_do_not_pile_up(database, store_url) -> None:
    """One row serves all runs that follow each other; what killed processes left is removed a day later."""

    def tokens() -> int:
        return len(Trade.session.scalars(select(COMMIT_TOKENS.c.token)).all())

    for number in range(3):
        database.run(lambda session, number=number: session.add(trade(pair=f"P{number}/USDT")))
    database.run(lambda session: session.scalar(select(func.count(Trade.id))))
    assert tokens() == 1
    ages = {"old": timedelta(hours=25), "fresh": timedelta(hours=23)}
    for name, age in ages.items():
        Trade.session.execute(insert(COMMIT_TOKENS).values(token=name, committed_at=utc_now() - age))
    Trade.commit()
    Trade.session.remove()
    again = init_db(store_url)
    try:
        again.run(lambda session: session.add(trade()))
        assert tokens() == 3
        assert "old" not in Trade.session.scalars(select(COMMIT_TOKENS.c.token)).all()
    finally:
        Trade.session.remove()
        again.close()


@pytest.mark.needs("networked", "first_driver")
def test_restart_of_the_server_is_bridged(database, server: Server) -> None:
    """A run waits for a server that comes back, and a reader needs no more than to ask again."""
    store(trade(pair="BEFORE/USDT"))
    Trade.get_trades().all()
    server.stop()
    with pytest.raises(ConnectionLost):
        Trade.get_trades().all()
    starting = threading.Timer(0.5, server.start)
    starting.start()
    try:
        database.run(lambda session: session.add(trade(pair="DURING/USDT")))
    finally:
        starting.join()
    assert _pairs() == ["BEFORE/USDT", "DURING/USDT"]
