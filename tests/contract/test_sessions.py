"""The one session: shared by all models, usable after every failure, and never blind to what others stored."""

import copy
import pickle
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import String, create_engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from tests.builders import CLOSED, OPENED, columns_of, order, store, trade, trade_with_entry
from tradestore import (
    CustomDataWrapper,
    Database,
    KeyValueStore,
    KeyValueStoreModel,
    ModelBase,
    Order,
    PairLock,
    PairLocks,
    Trade,
    WalletHistory,
    init_db,
)
from tradestore.custom_data import _CustomData
from tradestore.exceptions import DatabaseBusy, DependencyException
from tradestore.models import custom_data_rpc_wrapper
from tradestore.testing import Faults


def _elsewhere(url: str, statement: str) -> None:
    """Run one statement over a connection that the library knows nothing of."""
    engine = create_engine(url.replace("mysql://", "mysql+pymysql://").replace("mariadb://", "mariadb+pymysql://"))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_all_models_share_one_session(database) -> None:
    """Whichever model is asked, it is the same session of the same engine."""
    models = [Trade, Order, PairLock, _CustomData, KeyValueStoreModel, WalletHistory, ModelBase]
    assert {id(model.session) for model in models} == {id(Trade.session)}
    assert {id(model.session()) for model in models} == {id(Trade.session())}
    assert Trade.session.get_bind() is database.engine


def test_session_is_usable_after_a_duplicate_order(database) -> None:
    """A unique key that is violated costs the commit, not the session."""
    store(trade_with_entry())
    taken = Trade.get_trades().one().orders[0].order_id
    record = trade(pair="ETH/USDT")
    record.orders.append(order(order_id=taken))
    Trade.session.add(record)
    with pytest.raises(IntegrityError):
        Trade.commit()
    assert Trade.get_open_trade_count() == 1
    store(trade(pair="XRP/USDT"))
    Trade.session.remove()
    assert [t.pair for t in Trade.get_trades()] == ["ADA/USDT", "XRP/USDT"]


def test_session_is_usable_after_a_duplicate_balance(database) -> None:
    """One row per currency and time; a second one is refused."""

    def balance(amount: float) -> WalletHistory:
        return WalletHistory(timestamp=OPENED, currency="ADA", quote_currency="USDT", balance=amount)

    store(balance(1.0))
    with pytest.raises(IntegrityError):
        store(balance(2.0))
    assert [row.balance for row in Trade.session.query(WalletHistory)] == [1.0]


def test_session_is_usable_after_a_bad_statement(database) -> None:
    """A statement that the engine refuses ends its transaction; the next question gets an answer."""
    store(trade())
    for question in (Trade.session.execute, Trade.session.scalars, Trade.session.scalar):
        with pytest.raises(DBAPIError):
            question(text("SELECT no_such_column FROM trades"))
        assert Trade.get_open_trade_count() == 1


@pytest.mark.needs("persistent")
def test_session_is_usable_after_an_interruption(database) -> None:
    """Whoever stops a bot in the middle of a question can still store what there is to store."""
    with Faults().fail_statement(1, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        KeyValueStore.get_value("mood")
    KeyValueStore.store_value("mood", "stopped")
    assert KeyValueStore.get_value("mood") == "stopped"


def test_failed_commit_gives_up_what_was_pending(database) -> None:
    """After a failure, objects show what is stored, and the next commit stores nothing of the failed one."""
    record = trade_with_entry()
    store(record)
    record.enter_tag = "pending"
    Trade.session.add(trade(pair=None))
    with pytest.raises(Exception, match=r"(?i)pair"):
        Trade.commit()
    assert record.enter_tag is None
    Trade.commit()
    Trade.session.remove()
    assert [(t.pair, t.enter_tag) for t in Trade.get_trades()] == [("ADA/USDT", None)]


def test_error_of_the_commit_itself(database) -> None:
    """A failure at COMMIT, the last moment, is no half success either."""
    store(trade())

    def fail(_connection: object) -> None:
        raise InterruptedError

    record = Trade.get_trades().one()
    record.enter_tag = "pending"
    event.listen(database.engine, "commit", fail)
    with pytest.raises(InterruptedError):
        Trade.commit()
    event.remove(database.engine, "commit", fail)
    assert record.enter_tag is None
    Trade.commit()
    Trade.session.remove()
    assert Trade.get_trades().one().enter_tag is None


def test_interrupted_query_takes_nothing_with_it(database, monkeypatch) -> None:
    """After Ctrl-C in a query, what was stored is there, a database in memory too, and what waits can be stored."""
    store(trade())
    found = Trade.get_trades().one()
    Trade.commit()
    found.enter_tag = "waits"

    def interrupt(*_: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(database.engine.dialect, "do_execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Trade.get_open_trade_count()
    Trade.commit()
    Trade.session.remove()
    assert Trade.get_trades().one().enter_tag == "waits"


@pytest.mark.needs("in_process", "persistent")
def test_full_disk_that_somebody_hides_leaves_no_lock(store_url) -> None:
    """What was undone is told by the commit, and the next write need not wait, even while the error is looked at."""
    database = init_db(store_url, busy_timeout=1)
    store(trade())
    connection = Trade.session.connection()
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 3}")
    Trade.rollback()
    Trade.session.add(trade(pair="LOST/USDT"))
    Trade.session.flush()
    much = text("CREATE TABLE much AS SELECT :content AS content")
    with pytest.raises(DBAPIError) as told:
        Trade.session.connection().execute(much, {"content": "x" * 200_000})
    with pytest.raises(DatabaseBusy):
        Trade.commit()
    store(trade(pair="AFTER/USDT"))
    assert [found.pair for found in Trade.get_trades()] == ["ADA/USDT", "AFTER/USDT"]
    assert "full" in str(told.value)
    database.close()


def test_rollback_gives_up_changes(database) -> None:
    """What was not committed is gone, new objects and changes alike."""
    record = trade()
    store(record)
    record.enter_tag = "pending"
    Trade.session.add(trade())
    Trade.rollback()
    assert record.enter_tag is None
    assert Trade.get_open_trade_count() == 1


def test_reading_does_not_write(database) -> None:
    """A question doesn't flush: what is pending stays pending until the commit."""
    Trade.session.add(trade())
    assert Trade.get_open_trade_count() == 0
    Trade.commit()
    assert Trade.get_open_trade_count() == 1


@pytest.mark.needs("persistent")
def test_next_query_sees_what_others_stored(database, store_url) -> None:
    """An object in use is brought up to date, columns and orders, by the next query that returns it."""
    record = trade_with_entry()
    store(record)
    _elsewhere(store_url, "UPDATE trades SET enter_tag = 'theirs', stake_amount = 150.5")
    _elsewhere(store_url, "UPDATE orders SET funding_fee = -0.5")
    assert Trade.get_open_trades() == [record]
    assert (record.enter_tag, record.stake_amount, record.orders[0].funding_fee) == ("theirs", 150.5, -0.5)


@pytest.mark.needs("persistent")
def test_next_query_sees_orders_of_others(database, store_url) -> None:
    """Orders that others removed are gone from the trade that is in use."""
    record = trade_with_entry()
    store(record)
    _elsewhere(store_url, "DELETE FROM orders")
    assert Trade.get_trades().one() is record
    assert record.orders == []


@pytest.mark.needs("persistent")
def test_reading_keeps_pending_changes(database, store_url) -> None:
    """What is changed but not stored yet is not overwritten by a query, and is what the commit stores."""
    record, other = trade(), trade()
    store(record, other)
    record.enter_tag = "mine"
    _elsewhere(store_url, "UPDATE trades SET enter_tag = 'theirs'")
    Trade.get_trades().all()
    Trade.get_open_trades()
    assert record.enter_tag == "mine"
    Trade.commit()
    assert [t.enter_tag for t in Trade.get_trades()] == ["mine", "theirs"]


@pytest.mark.needs("persistent")
def test_reading_keeps_pending_orders(database, store_url) -> None:
    """An order that was added to a trade but not stored yet survives a query."""
    record = trade_with_entry()
    store(record)
    record.orders.append(order(order_id="mine"))
    _elsewhere(store_url, "UPDATE trades SET enter_tag = 'theirs'")
    Trade.get_trades().all()
    assert [o.order_id for o in record.orders][1:] == ["mine"]
    Trade.commit()
    Trade.session.remove()
    assert len(Trade.get_trades().one().orders) == 2


@pytest.mark.needs("persistent")
def test_other_thread_function_reads_what_is_stored_now(database, store_url) -> None:
    """The wrapper lets a function see the present, gives up what it leaves behind, and removes its session."""
    record = trade()
    store(record)

    @custom_data_rpc_wrapper
    def read(tag: str, *, more: str) -> str:
        found = Trade.get_trades().one()
        found.exit_reason = "left behind"
        return f"{found.enter_tag} {tag} {more}"

    _elsewhere(store_url, "UPDATE trades SET enter_tag = 'theirs'")
    assert read("a", more="b") == "theirs a b"
    assert read.__name__ == "read"
    assert not Trade.session.registry.has()
    assert Trade.get_trades().one().exit_reason is None
    Trade.session.remove()
    assert database.pool_status().checked_out == 0


def test_wrapper_cleans_up_after_an_error(database) -> None:
    """Also a function that fails leaves no session."""

    @custom_data_rpc_wrapper
    def fail() -> None:
        Trade.session.add(trade())
        Trade.session.flush()
        raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert not Trade.session.registry.has()
    assert Trade.get_open_trade_count() == 0


@pytest.fixture
def own_model() -> Iterator[type[ModelBase]]:
    """Return a model as a user would write it, and take it back afterwards."""

    class Note(ModelBase):
        __tablename__ = "my_notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        words: Mapped[str] = mapped_column(String(50))
        reader: Mapped[str | None]
        weight: Mapped[float | None]
        read_at: Mapped[datetime | None]

    yield Note
    ModelBase.metadata.remove(Note.__table__)  # type: ignore[arg-type]  # it is a Table
    ModelBase.registry._dispose_cls(Note)


def test_own_model_on_the_base_is_created(own_model, store_url) -> None:
    """A user's table is made with the others, also in a store that is there already, and shares the session."""
    for words in ("first", "second"):
        database = init_db(store_url)
        try:
            Trade.session.add(own_model(words=words))
            Trade.commit()
            assert own_model.session.query(own_model).order_by(own_model.id.desc()).first().words == words
        finally:
            Trade.session.remove()
            database.close()


def test_own_model_keeps_values_as_ours_do(own_model, store_url) -> None:
    """A column that is only annotated keeps every digit, microsecond and offset, and refuses what is too long."""
    database = init_db(store_url)
    try:
        read_at = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=timezone(timedelta(hours=5)))
        Trade.session.add(own_model(words="one", reader="r" * 255, weight=12345678.12345678, read_at=read_at))
        Trade.commit()
        Trade.session.expunge_all()
        note = own_model.session.query(own_model).one()
        assert (note.weight, note.read_at) == (12345678.12345678, (read_at - timedelta(hours=5)).replace(tzinfo=None))
        note.reader = "r" * 256
        with pytest.raises(DependencyException):
            Trade.commit()
    finally:
        Trade.session.remove()
        database.close()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["copy", "pickle"])
def test_copies_are_independent(database, duplicate) -> None:
    """A copied trade has the same values and orders of its own, and its changes reach nobody."""
    record = trade_with_entry(enter_tag="original", close_date=CLOSED)
    store(record)
    twin = duplicate(record)
    assert type(twin) is Trade
    assert columns_of(twin) == columns_of(record)
    assert [columns_of(o) for o in twin.orders] == [columns_of(o) for o in record.orders]
    assert twin.orders[0] is not record.orders[0]
    assert twin.calc_profit(22.0) == record.calc_profit(22.0)
    twin.enter_tag = twin.orders[0].ft_order_tag = "copy"
    twin.orders.append(order())
    Trade.commit()
    assert (record.enter_tag, record.orders[0].ft_order_tag, len(record.orders)) == ("original", None, 1)
    Trade.session.remove()
    read = Trade.get_trades().one()
    assert (read.enter_tag, read.orders[0].ft_order_tag, len(read.orders)) == ("original", None, 1)


def test_copy_of_a_trade_that_was_never_stored(database) -> None:
    """A new trade can be copied as well; only the one that is added gets stored."""
    record = trade_with_entry()
    twin = copy.deepcopy(record)
    store(twin)
    assert record not in Trade.session
    assert len(record.orders) == 1
    assert Trade.get_open_trade_count() == 1


def test_locks_and_values_take_part_in_one_commit(database) -> None:
    """All tables are written in one transaction when one of the writers commits."""
    record = trade()
    Trade.session.add(record)
    PairLocks.lock_pair("ADA/USDT", CLOSED)
    CustomDataWrapper.set_custom_data(record.id, "key", 1)
    Trade.session.remove()
    assert (Trade.get_open_trade_count(), len(PairLocks.get_all_locks())) == (1, 1)


def test_database_tells_about_itself(database) -> None:
    """The handle has its engine, its URL and its pool."""
    Trade.session.remove()
    assert isinstance(database, Database)
    assert database.pool_status().checked_out == 0
    assert repr(database) == f"Database({database.url})"


def test_question_about_others_is_asked_once_while_a_trade_waits_to_be_stored(database) -> None:
    """As strategies ask: for notes, locks and settings, while the trade that they look at has changed."""
    kept = trade()
    store(kept)
    kept.set_custom_data("target", 0.5)
    KeyValueStore.store_value("mode", "calm")
    PairLocks.lock_pair(kept.pair, CLOSED, now=OPENED)
    kept.max_rate = 5.0
    with Faults(database).count_statements() as steps:
        assert kept.get_custom_data("target") == 0.5
        assert KeyValueStore.get_value("mode") == "calm"
        assert len(PairLocks.get_pair_locks(kept.pair, OPENED)) == 1
    assert len(steps.statements) == 3
    assert kept.max_rate == 5.0
    assert kept in Trade.session.dirty


def test_note_that_waits_to_be_stored_outlives_a_question_for_it(database) -> None:
    kept = trade()
    store(kept)
    kept.set_custom_data("target", 0.5)
    (entry,) = kept.get_all_custom_data()
    entry.value = 0.75
    assert kept.get_custom_data("target") == 0.75
    assert entry.value == 0.75
