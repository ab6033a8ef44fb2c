"""Finished backtests: they come back as they were, under their names, and never among the real trades."""

import gc
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from weakref import WeakSet

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import event, func, select

from tests.builders import CLOSED, OPENED, closed_trade, local_trade, store, trade_with_entry
from tests.contract.any_records import any_trades, as_local, as_mapped
from tests.contract.conftest import Watch
from tests.contract.test_bulk_add import with_orders
from tradestore import (
    BacktestRun,
    Database,
    FtNoDBContext,
    LocalOrder,
    LocalTrade,
    ModelBase,
    Order,
    Trade,
    TradingMode,
    backtest_runs,
    delete_backtest,
    load_backtest,
    migrations,
    store_backtest,
)
from tradestore.custom_data import _CustomData
from tradestore.exceptions import DatabaseNotReady, DependencyException, InvalidValue, MigrationError

TRADE_FIELDS = sorted(column.name for column in Trade.__table__.columns)
ORDER_FIELDS = sorted(column.name for column in Order.__table__.columns)


def _fields(record: Any, names: list[str]) -> dict[str, Any]:
    """Return the fields in the form in which they must come back."""
    values = {name: getattr(record, name) for name in names}
    return {name: _form(name, value) for name, value in values.items()}


def _form(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if name == "trading_mode" and value is not None:
        return TradingMode[value] if value in TradingMode.__members__ else TradingMode(value)
    return value


def _all_of(trades: list[LocalTrade]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    return [(_fields(t, TRADE_FIELDS), [_fields(o, ORDER_FIELDS) for o in t.orders]) for t in trades]


def _pairs(run: str) -> list[str]:
    return [trade.pair for trade in load_backtest(run)]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trades=any_trades())
def test_every_field_comes_back(database, trades) -> None:
    """Plain trades and mapped ones are read again as plain ones, field by field, with their orders."""
    plain = [as_local(*each, id=number) for number, each in enumerate(trades)]
    store_backtest(plain, run="plain", replace=True, batch_size=3)
    read = list(load_backtest("plain", batch_size=2))
    assert _all_of(read) == _all_of(plain)
    assert {type(record) for t in read for record in (t, *t.orders)} <= {LocalTrade, LocalOrder}
    assert all(o.trade is t for t in read for o in t.orders)
    mapped = [as_mapped(*each) for each in trades]
    store_backtest(mapped, run="mapped", replace=True, batch_size=3)
    assert _all_of(list(load_backtest("mapped"))) == _all_of(list(mapped))


def test_what_is_missing_stays_missing(database) -> None:
    """A backtest's order often lacks what a real one must have: it is kept as it was."""
    bare = LocalTrade(pair="ADA/USDT", leverage=None, open_trade_value=None)
    bare.stake_amount = None  # type: ignore[assignment]
    bare.orders.append(LocalOrder(order_id="1", ft_pair="ADA/USDT", ft_order_side="buy", amount=0.1, average=74.7))
    store_backtest([bare], run="bare")
    (read,) = load_backtest("bare")
    assert _all_of([read]) == _all_of([bare])
    assert [read.leverage, read.stake_amount, read.orders[0].ft_price, read.orders[0].order_date] == [None] * 4


def test_dates_come_back_with_their_zone(database) -> None:
    """Whatever zone a date was given in, it is the same moment in UTC."""
    moment = datetime(2026, 3, 1, 15, 0, 0, 123456, tzinfo=timezone(timedelta(hours=3)))
    store_backtest([local_trade(open_date=moment, close_date=moment.replace(tzinfo=None))], run="dates")
    (read,) = load_backtest("dates")
    assert read.open_date == moment
    assert str(read.open_date) == "2026-03-01 12:00:00.123456+00:00"
    assert str(read.close_date) == "2026-03-01 15:00:00.123456+00:00"


def test_real_trades_know_nothing_of_it(database) -> None:
    """Questions, reports and single orders are answered as before, and a bot's tables hold no more rows."""
    store(closed_trade(profit=20.0, ratio=0.1))

    def answers() -> list[object]:
        Trade.session.remove()
        return [
            Trade.get_overall_performance(),
            Trade.get_mix_tag_performance(None),
            Trade.get_best_pair(),
            Trade.get_trading_volume(),
            Trade.get_total_closed_profit(),
            Trade.get_open_trade_count(),
            Trade.total_open_trades_stakes(),
            [t.id for t in Trade.get_trades_proxy()],
            Order.get_open_orders(),
            Order.order_by_id("0-0"),
            Trade.session.scalar(select(func.count(Order.id))),
        ]

    before = answers()
    trades = [with_orders(number) for number in range(3)]
    trades[1].is_open, trades[1].close_profit_abs = False, 1000.0
    trades[2].orders[0].ft_is_open = True
    store_backtest(trades, run="simulated")
    assert answers() == before
    delete_backtest("simulated")
    assert answers() == before


def test_backtest_that_just_ended(database) -> None:
    """The trades in memory go into the database while memory is still in use, and stay in memory."""
    with FtNoDBContext("5m"):
        for number in range(3):
            LocalTrade.add_bt_trade(with_orders(number))
        store_backtest(LocalTrade.bt_trades_open, run="just ended")
        assert len(LocalTrade.bt_trades_open) == 3
        assert _pairs("just ended") == ["P0/USDT", "P1/USDT", "P2/USDT"]
    assert Trade.get_open_trade_count() == 0


def test_summary(database, time_machine) -> None:
    """A run tells when it was stored, what its trades have in common, and their exact profit."""
    time_machine.move_to(datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC), tick=False)

    def made(profit: float, **fields: Any) -> LocalTrade:
        common = {"is_open": False, "close_date": CLOSED, "strategy": "Patience", "timeframe": 5}
        return local_trade(close_profit_abs=profit, **(common | fields))

    stored_at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    alike = [made(0.1), made(0.2), made(7.0, is_open=True)]
    whole = BacktestRun(
        name="alike", stored_at=stored_at, strategy="Patience", timeframe=5, trade_count=3, total_profit=0.3
    )
    assert store_backtest(alike, run="alike", batch_size=1) == whole
    time_machine.shift(60)
    mixed = store_backtest([made(1.0), made(-3.0, strategy="Haste", timeframe=None)], run="a mixed one")
    assert (mixed.strategy, mixed.timeframe, mixed.trade_count, mixed.total_profit) == (None, None, 2, -2.0)
    empty = store_backtest([], run="empty")
    assert (empty.strategy, empty.trade_count, empty.total_profit) == (None, 0, 0.0)
    assert list(load_backtest("empty")) == []
    assert backtest_runs() == [whole, mixed, empty]


def test_name_is_used_once(database) -> None:
    """A second backtest under the name is refused, and takes the first one's place only on demand."""
    store_backtest([with_orders(0), with_orders(1)], run="run")
    with pytest.raises(DependencyException, match=r"'run' already.*replace=True"):
        store_backtest([with_orders(2)], run="run")
    assert _pairs("run") == ["P0/USDT", "P1/USDT"]
    store_backtest([with_orders(2)], run="run", replace=True)
    assert _pairs("run") == ["P2/USDT"]
    assert [run.trade_count for run in backtest_runs()] == [1]
    store_backtest([with_orders(2)], run="RUN ")
    assert [run.name for run in backtest_runs()] == ["run", "RUN "]


def test_replacement_that_fails_changes_nothing(database) -> None:
    """The former backtest is there until the new one is whole."""
    store_backtest([with_orders(0), with_orders(1)], run="run")
    former = backtest_runs()
    with pytest.raises(InvalidValue):
        store_backtest([with_orders(2), local_trade(max_rate=float("nan"))], run="run", replace=True, batch_size=1)
    assert _pairs("run") == ["P0/USDT", "P1/USDT"]
    assert backtest_runs() == former


def test_one_of_several_gets_the_name(database) -> None:
    """Of those who store under the same name at the same time, one succeeds and the others are told."""
    outcomes: list[str] = []

    def attempt(number: int) -> None:
        try:
            store_backtest((with_orders(100 * number + n) for n in range(20)), run="run", batch_size=5)
            outcomes.append("stored")
        except DependencyException as error:
            outcomes.append("refused" if "'run'" in str(error) else str(error))
        finally:
            Trade.session.remove()

    writers = [threading.Thread(target=attempt, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(outcomes) == ["refused", "refused", "stored"]
    assert len(_pairs("run")) == 20


def test_delete(database) -> None:
    """All of the run goes, and nothing of another one."""
    for run in ("one", "two"):
        store_backtest([with_orders(number) for number in range(3)], run=run)
    delete_backtest("one")
    assert [run.name for run in backtest_runs()] == ["two"]
    assert len(_pairs("two")) == 3
    counts = [
        Trade.session.scalar(select(func.count()).select_from(ModelBase.metadata.tables[name]))
        for name in ("backtest_runs", "backtest_trades", "backtest_orders")
    ]
    assert counts == [1, 3, 6]


def test_unknown_name(database) -> None:
    """It is told at once, not when the first trade is read."""
    for ask in (load_backtest, delete_backtest):
        with pytest.raises(DependencyException, match=r"no backtest 'nobody'.*backtest_runs\(\)"):
            ask("nobody")


@pytest.mark.parametrize(
    "name",
    ["", "x" * 101, "nul\0", "half a character \ud800", None, 5.5, 5, b"run"],
    ids=["empty", "long", "nul", "half", "none", "number", "count", "bytes"],
)
def test_name_that_cannot_be_kept(database, name, statements: Watch) -> None:
    """It is refused before anything is read, the same whether it is stored, loaded or deleted."""
    for ask in (lambda: store_backtest(iter([with_orders(0)]), run=name), lambda: load_backtest(name)):
        with statements() as sent, pytest.raises(InvalidValue, match="name"):
            ask()
        assert sent == []
    with pytest.raises(InvalidValue, match="name"):
        delete_backtest(name)
    assert backtest_runs() == []


def test_profit_beyond_every_number(database) -> None:
    """Each trade's may be one, and the sum none: the backtest is refused."""
    rich = [local_trade(is_open=False, close_profit_abs=1e308) for _ in range(2)]
    with pytest.raises(InvalidValue, match="total profit"):
        store_backtest(rich, run="run")
    assert backtest_runs() == []
    assert store_backtest(rich[:1], run="run").total_profit == 1e308


def test_run_that_is_deleted_while_it_is_read(database) -> None:
    """Whoever reads learns that there is no more, instead of taking half for the whole."""
    store_backtest((with_orders(number) for number in range(5)), run="run")
    reading = load_backtest("run", batch_size=2)
    assert [next(reading).pair, next(reading).pair] == ["P0/USDT", "P1/USDT"]
    delete_backtest("run")
    with pytest.raises(DependencyException, match=r"'run' was deleted or replaced"):
        next(reading)


def test_run_that_gives_way_to_another_one_while_it_is_read(database, time_machine) -> None:
    """Nobody reads the start of one run and the end of another, also if the clock stands still."""
    time_machine.move_to(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False)

    def replace() -> None:
        store_backtest([with_orders(10 + number) for number in range(5)], run="run", replace=True)

    def delete_and_store(name: str) -> None:
        delete_backtest("run")
        store_backtest([with_orders(10 + number) for number in range(5)], run=name)

    for change in (replace, lambda: delete_and_store("run"), lambda: delete_and_store("other")):
        store_backtest([with_orders(number) for number in range(5)], run="run", replace=True)
        reading = load_backtest("run", batch_size=2)
        assert [next(reading).pair, next(reading).pair] == ["P0/USDT", "P1/USDT"]
        change()
        with pytest.raises(DependencyException, match=r"'run' was deleted or replaced"):
            next(reading)


@pytest.mark.needs("row_locks")
@pytest.mark.parametrize("formers", [0, 1])
def test_replacement_waits_for_another_one(database, formers: int) -> None:
    """Of two that take the place at the same time, the second waits for the first and replaces what that stored."""
    if formers:
        store_backtest([with_orders(0)], run="run")
    waits = threading.Event()
    outcomes: list[object] = []

    def second() -> None:
        try:
            outcomes.append(store_backtest([with_orders(2), with_orders(3)], run="run", replace=True).trade_count)
        except BaseException as error:  # noqa: BLE001 - told to the main thread
            outcomes.append(error)
        finally:
            Trade.session.remove()

    other = threading.Thread(target=second)

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread() is other and "backtest_runs" in statement and needle in statement:
            waits.set()

    needle = "FOR UPDATE" if formers else "INSERT"
    event.listen(database.engine, "before_cursor_execute", note)
    with database.transaction():
        store_backtest([with_orders(1)], run="run", replace=True)
        other.start()
        # Some engines let a reader wait for a new row, too: then the second does not come to its INSERT before the end.
        waits.wait(1)
    other.join()
    event.remove(database.engine, "before_cursor_execute", note)
    assert outcomes == [2]
    assert _pairs("run") == ["P2/USDT", "P3/USDT"]
    assert len(backtest_runs()) == 1


@pytest.mark.needs("row_locks")
def test_many_replacements_at_once(database) -> None:
    """Each is stored in the end, whoever waits for whom, and none is told to do what it did."""
    failures: list[BaseException] = []

    def attempt(number: int) -> None:
        def work(_session: object) -> None:
            store_backtest([with_orders(10 * number + place) for place in range(3)], run="run", replace=True)

        try:
            database.run(work, attempts=50)
        except BaseException as error:  # noqa: BLE001 - told to the main thread
            failures.append(error)
        finally:
            Trade.session.remove()

    writers = [threading.Thread(target=attempt, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    pairs = _pairs("run")
    assert pairs in [[f"P{10 * number + place}/USDT" for place in range(3)] for number in range(4)]
    assert [run.trade_count for run in backtest_runs()] == [3]


def test_custom_data_is_refused(database) -> None:
    """There is no room for it, and nothing is lost in silence."""
    carrying = trade_with_entry()
    carrying.custom_data.append(_CustomData(cd_key="key", cd_type="int", cd_value="1"))
    with pytest.raises(InvalidValue, match="custom_data"):
        store_backtest([with_orders(0), carrying], run="run", batch_size=1)
    assert backtest_runs() == []


def test_batches_are_let_go_of(database) -> None:
    """Neither storing nor reading keeps more than two batches alive."""
    alive: WeakSet[LocalTrade] = WeakSet()
    most = [0]

    def noted(trades: Iterator[LocalTrade]) -> Iterator[LocalTrade]:
        for each in trades:
            alive.add(each)
            if len(alive) > 6:
                gc.collect()  # Orders know their trades: a circle.
            most[0] = max(most[0], len(alive))
            yield each
            del each

    store_backtest(noted(with_orders(number) for number in range(20)), run="run", batch_size=3)
    assert 0 < most[0] <= 6
    gc.collect()
    assert len(alive) == 0
    most[0] = 0
    assert sum(1 for _ in noted(load_backtest("run", batch_size=3))) == 20
    assert 0 < most[0] <= 6


def test_progress_and_statements(database, statements: Watch) -> None:
    """Progress is told after each batch, and a batch costs the same few statements whatever its size."""
    told: list[int] = []
    costs = []
    for size in (2, 50):
        with statements() as sent:
            store_backtest((with_orders(n) for n in range(size)), run=f"one of {size}", batch_size=size)
        once = len(sent)
        with statements() as sent:
            store_backtest(
                (with_orders(n) for n in range(3 * size)),
                run=f"three of {size}",
                batch_size=size,
                on_progress=told.append,
            )
        costs.append((len(sent) - once) / 2)
        with statements() as sent:
            assert len(list(load_backtest(f"three of {size}", batch_size=size))) == 3 * size
        costs.append((len(sent) - 1) / 3)
    assert told == [2, 4, 6, 50, 100, 150]
    assert costs == [2, 2, 2, 2]  # Trades and orders.


def test_without_a_database() -> None:
    """It says what to do first."""
    with pytest.raises(DatabaseNotReady, match="init_db"):
        store_backtest([local_trade()], run="run")


@pytest.mark.needs("persistent")
def test_database_of_the_first_release_gets_the_tables(database: Database) -> None:
    """An upgrade adds the tables and leaves the real trades alone; a downgrade waits for the backtests to go."""
    store(trade_with_entry(open_date=OPENED))
    store_backtest([with_orders(0)], run="run")
    Trade.session.remove()
    with pytest.raises(MigrationError, match=r"'run'.*delete them first"):
        migrations.downgrade(database.engine, "0001_initial")
    delete_backtest("run")
    migrations.downgrade(database.engine, "0001_initial")
    assert Trade.get_open_trade_count() == 1
    Trade.session.remove()
    migrations.upgrade(database.engine)
    assert backtest_runs() == []
    store_backtest([with_orders(0)], run="run")
    assert (_pairs("run"), Trade.get_open_trade_count()) == (["P0/USDT"], 1)
    assert migrations.check(database.engine, ModelBase.metadata) == []
