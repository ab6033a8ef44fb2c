"""Many trades at once are stored whole or not at all, alone and within a unit of work."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.builders import NO_MOMENTS, local_order, local_trade, store, trade, trade_with_entry
from tests.contract.test_bulk_add import belongings, expected, with_orders
from tradestore import KeyValueStore, LocalTrade, ModelBase, Trade, backtest_runs, store_backtest
from tradestore.exceptions import DatabaseBusy, DependencyException, InvalidOrder, InvalidValue

COUNT = 6
TABLES = ("trades", "orders", "trade_custom_data", "backtest_runs", "backtest_trades", "backtest_orders")

Store = Callable[..., object]


def _as_run(trades: Iterable[LocalTrade], **options: Any) -> object:
    return store_backtest(trades, run="run", **options)


each_store = pytest.mark.parametrize("store_all", [Trade.bulk_add, _as_run], ids=["trades", "backtest"])


def _counts() -> dict[str, Any]:
    Trade.session.remove()
    return {
        name: Trade.session.scalar(select(func.count()).select_from(ModelBase.metadata.tables[name])) for name in TABLES
    }


def _nothing() -> dict[str, int]:
    return dict.fromkeys(TABLES, 0)


def _arriving(bad: Any, place: int) -> Iterator[Any]:
    """Return trades one of which is bad; an error is raised in its place."""
    for number in range(COUNT):
        if number == place and isinstance(bad, Exception):
            raise bad
        yield bad if number == place else with_orders(number)


def _with_order(**fields: Any) -> LocalTrade:
    result = with_orders(50)
    result.orders.append(local_order(**fields))
    return result


BAD: list[Callable[[], Any]] = [
    lambda: LookupError("from the iterable"),
    lambda: local_trade(stake_amount=float("nan")),
    lambda: local_trade(max_rate=float("inf")),
    lambda: local_trade(pair="x" * 51),
    lambda: local_trade(strategy="nul\0"),
    lambda: local_trade(strategy="half a character \ud800"),
    lambda: local_trade(timeframe=2**31),
    lambda: local_trade(timeframe=[5]),
    lambda: local_trade(is_short=2),
    lambda: local_trade(close_date="2026-03-01"),
    *(lambda bad=bad: local_trade(close_date=bad) for bad in NO_MOMENTS),
    *(lambda bad=bad: _with_order(order_filled_date=bad) for bad in NO_MOMENTS),
    lambda: local_trade(trading_mode="lottery", open_trade_value=1.0),
    lambda: _with_order(ft_price=float("inf")),
    lambda: _with_order(order_id="x" * 256),
    lambda: {"pair": "ADA/USDT"},
    lambda: None,
]


@each_store
def test_bad_trade_anywhere_leaves_nothing(database, store_all: Store) -> None:
    """In whichever batch it comes, nothing is stored, and the session goes on."""
    for number, make_bad in enumerate(BAD):
        for place in range(COUNT):
            bad = make_bad()
            with pytest.raises(LookupError if isinstance(bad, LookupError) else InvalidValue):
                store_all(_arriving(bad, place), batch_size=2)
            assert (number, _counts()) == (number, _nothing())
    store(trade(pair="AFTER/USDT"))
    assert [pair for pair, _ in belongings()] == ["AFTER/USDT"]


@each_store
def test_failing_progress_leaves_nothing(database, store_all: Store) -> None:
    """Whoever is told of the progress can stop it all, also after the last batch."""
    for fatal in (2, 4, COUNT):

        def told(written: int, fatal: int = fatal) -> None:
            if written == fatal:
                raise LookupError

        with pytest.raises(LookupError):
            store_all((with_orders(number) for number in range(COUNT)), batch_size=2, on_progress=told)
        assert _counts() == _nothing()
    assert store_all([with_orders(1)])


def test_order_without_a_price_leaves_nothing(database) -> None:
    """An order that nobody knows a price for is refused as it is for a single trade."""
    for place in range(COUNT):
        bad = _with_order(price=0.0, cost=0.0)
        bad.orders[-1].ft_price = bad.orders[-1].average = None
        with pytest.raises(InvalidOrder, match="no price is known"):
            Trade.bulk_add(_arriving(bad, place), batch_size=2)
        assert _counts() == _nothing()


def test_duplicate_order_leaves_nothing(database) -> None:
    """An order that is stored already, or is given twice, keeps all of them out."""
    taken = trade_with_entry()
    store(taken)
    same = {"order_id": taken.orders[0].order_id, "ft_pair": taken.pair}
    for place in range(COUNT):
        doubled = with_orders(60)
        doubled.orders.append(local_order(**same))
        with pytest.raises(IntegrityError):
            Trade.bulk_add(_arriving(doubled, place), batch_size=2)
        with pytest.raises(IntegrityError):
            Trade.bulk_add([with_orders(1), with_orders(2), with_orders(1)], batch_size=2)
        assert _counts() == _nothing() | {"trades": 1, "orders": 1}
    store(trade(pair="AFTER/USDT"))
    assert [pair for pair, _ in belongings()] == ["ADA/USDT", "AFTER/USDT"]


@pytest.mark.parametrize("size", [0, -1, 1.5, None, True])
@each_store
def test_batch_that_holds_nothing_is_refused(database, store_all: Store, size) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidValue, match="batch_size"):
        store_all(_arriving(LookupError(), 0), batch_size=size)
    assert _counts() == _nothing()


@each_store
def test_trade_that_a_session_looks_after_is_refused(database, store_all: Store) -> None:
    """Pending or stored, it would be stored twice."""
    stored = trade_with_entry()
    store(stored)
    before = _counts()
    for _ in range(2):
        with pytest.raises(InvalidValue, match=r"deepcopy"):
            store_all([stored])
        Trade.session.remove()  # And again while no session looks after it any more.
    stored = Trade.get_trades().one()
    plain = local_trade()
    plain.orders.append(stored.orders[0])
    with pytest.raises(InvalidValue, match=r"deepcopy"):
        store_all([plain])
    assert _counts() == before


@each_store
def test_same_trade_twice_is_refused(database, store_all: Store) -> None:
    """Within a batch it is a mistake: one object that is filled again and again would store the last trade only."""
    reused = local_trade()

    def arriving() -> Iterator[LocalTrade]:
        for number in range(3):
            reused.pair = f"P{number}/USDT"
            yield reused

    for trades in (arriving(), [with_orders(1), reused, with_orders(2), reused]):
        with pytest.raises(InvalidValue, match="more than once"):
            store_all(trades)
        assert _counts() == _nothing()


@each_store
def test_iterator_that_an_earlier_attempt_has_read_is_refused(database, store_all: Store) -> None:
    """Whether it was read in part or to its end: the function that is run has to make it anew."""
    for stop, batch_size in ((2, 2), (COUNT, COUNT)):
        calls: list[int] = []
        made_outside = (with_orders(number) for number in range(COUNT))

        def work(
            _session: object,
            calls: list[int] = calls,
            trades: Iterator[LocalTrade] = made_outside,
            stop: int = stop,
            size: int = batch_size,
        ) -> None:
            def busy(written: int) -> None:
                calls.append(written)
                if written == stop:
                    raise DatabaseBusy

            store_all(trades, batch_size=size, on_progress=busy)

        with pytest.raises(DependencyException, match=r"earlier attempt of Database\.run.*generator"):
            database.run(work)
        assert calls == [stop]
        assert _counts() == _nothing()


@each_store
def test_iterable_that_can_be_read_again_is_stored_by_a_later_attempt(database, store_all: Store) -> None:
    """A list is the same each time, and so is a generator that the function makes; each is stored once."""
    given = [with_orders(number) for number in range(COUNT)]
    for make in (lambda: given, lambda: iter(given)):
        calls: list[int] = []

        def work(_session: object, calls: list[int] = calls, make: Callable[[], Any] = make) -> None:
            calls.append(1)
            store_all(make(), batch_size=2)
            if len(calls) < 3:
                raise DatabaseBusy

        database.run(work)
        assert len(calls) == 3
        stored = _counts()
        assert stored["trades"] + stored["backtest_trades"] == COUNT
        for name in ("orders", "trades", "backtest_orders", "backtest_trades", "backtest_runs"):
            Trade.session.execute(ModelBase.metadata.tables[name].delete())
        Trade.commit()


@each_store
def test_pending_changes_are_refused(database, store_all: Store) -> None:
    """A failure would take them along, so they are committed or given up first; they stay as they were."""
    Trade.session.add(trade(pair="NEW/USDT"))
    with pytest.raises(DependencyException, match=r"Trade\.commit"):
        store_all([with_orders(0)])
    Trade.commit()
    assert _counts() == _nothing() | {"trades": 1}


@pytest.mark.needs("persistent")
@each_store
def test_block_stores_at_its_end(database, store_all: Store) -> None:
    """Within a transaction nobody else sees the trades before its end, and they go with it if it fails."""
    seen: list[dict[str, int]] = []

    def look() -> None:
        seen.append(_counts())

    def block(error: Exception | None) -> None:
        with database.transaction() as session:
            session.add(trade(pair="FIRST/USDT"))
            store_all([with_orders(0), with_orders(1)])
            other = threading.Thread(target=look)
            other.start()
            other.join()
            if error is not None:
                raise error

    with pytest.raises(LookupError):
        block(LookupError())
    assert _counts() == _nothing()
    block(None)
    assert seen == [_nothing()] * 2
    stored = _counts()
    assert stored["trades"] + stored["backtest_trades"] == 3
    assert stored["orders"] + stored["backtest_orders"] == 4


@each_store
def test_failure_in_a_block_takes_nothing_else(database, store_all: Store) -> None:
    """A block that goes on after the failure stores what it wrote before and after."""
    for bad in (LookupError(), local_trade(max_rate=float("nan"))):
        with database.transaction() as session:
            session.add(trade(pair="BEFORE/USDT"))
            with suppress(LookupError, DependencyException):
                store_all(_arriving(bad, 5), batch_size=2)
            session.add(trade(pair="AFTER/USDT"))
        assert [pair for pair, _ in belongings()] == ["BEFORE/USDT", "AFTER/USDT"]
        assert backtest_runs() == []
        for record in Trade.get_trades().all():
            record.delete()


def test_refusal_of_the_engine_in_a_block_takes_nothing_else(database) -> None:
    """The same holds when the failure is a statement's."""
    with database.transaction() as session:
        session.add(trade(pair="BEFORE/USDT"))
        with suppress(IntegrityError):
            Trade.bulk_add(_arriving(local_trade(exchange=None), 5), batch_size=2)
        session.add(trade(pair="AFTER/USDT"))
    assert [pair for pair, _ in belongings()] == ["BEFORE/USDT", "AFTER/USDT"]


@each_store
def test_commit_meanwhile_stores_no_half(database, store_all: Store) -> None:
    """What commits by itself while the trades arrive only writes: it is stored with them or not at all."""

    def arriving(error: Exception | None) -> Iterator[LocalTrade]:
        for number in range(4):
            yield with_orders(number)
            store(trade(pair=f"MEANWHILE{number}/USDT"))
            KeyValueStore.store_value("last", number)
        if error is not None:
            raise error

    with pytest.raises(LookupError):
        store_all(arriving(LookupError()), batch_size=2)
    assert _counts() == _nothing()
    assert KeyValueStore.get_value("last") is None
    store_all(arriving(None), batch_size=2)
    assert KeyValueStore.get_value("last") == 3
    assert len([pair for pair, _ in belongings() if pair.startswith("MEANWHILE")]) == 4


def test_changes_after_a_savepoint_are_known(database) -> None:
    """Trades that were stored within a plain savepoint are changes that a transaction does not swallow."""
    with Trade.session.begin_nested():
        Trade.bulk_add([with_orders(0)])
    with pytest.raises(DependencyException, match=r"Trade\.commit"), database.transaction():
        pytest.fail("the block was entered")
    Trade.commit()
    assert belongings() == expected(0)


def test_run_repeats_it_whole(database) -> None:
    """A function that is called again stores its trades once."""
    calls: list[int] = []

    def work(session) -> int:
        calls.append(1)
        count = Trade.bulk_add(with_orders(number) for number in range(3))
        if len(calls) == 1:
            error: Any = Exception()
            error.sqlstate = "40001"
            raise DBAPIError("COMMIT", None, error)
        return count

    assert database.run(work) == 3
    assert (len(calls), belongings()) == (2, expected(0, 1, 2))


def test_message_of_a_failed_batch_can_be_read(database) -> None:
    """It shows a statement once, however many rows it was for."""
    with pytest.raises(IntegrityError) as caught:
        Trade.bulk_add([*(local_trade() for _ in range(300)), local_trade(exchange=None)])
    assert len(str(caught.value)) < 10_000
    assert Trade.session.scalar(text("SELECT COUNT(*) FROM trades")) == 0


@pytest.mark.needs("row_locks")
def test_deadlock_takes_the_whole_work(database) -> None:
    """Of two who each hold what the other one needs, one stores all and the other nothing, on a second attempt too."""
    both_hold_one = threading.Barrier(2)
    outcomes: list[str] = []

    def store_in_order(*numbers: int) -> None:
        attempts: list[int] = []

        def work(_session: object) -> None:
            attempts.append(1)
            for number in numbers:
                Trade.bulk_add([with_orders(number)])
                if len(attempts) == 1 and number == numbers[0]:
                    both_hold_one.wait(20)

        try:
            database.run(work)
            outcomes.append("stored")
        except IntegrityError:
            outcomes.append(f"had them already at attempt {len(attempts)}")
        finally:
            Trade.session.remove()

    writers = [threading.Thread(target=store_in_order, args=numbers) for numbers in ((0, 1), (1, 0))]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(outcomes) == ["had them already at attempt 2", "stored"]
    assert sorted(belongings()) == expected(0, 1)


@pytest.mark.needs("networked")
@each_store
def test_connection_that_is_lost_meanwhile(database, store_all: Store) -> None:
    """Nothing was stored, the error says so, and the same work succeeds afterwards."""

    def arriving() -> Iterator[LocalTrade]:
        for number in range(4):
            if number == 3:
                driver_connection: Any = Trade.session.connection().connection.driver_connection
                driver_connection.close()
            yield with_orders(number)

    with pytest.raises(DatabaseBusy):
        store_all(arriving(), batch_size=2)
    assert _counts() == _nothing()
    assert store_all(with_orders(number) for number in range(4))
    stored = _counts()
    assert stored["trades"] + stored["backtest_trades"] == 4
