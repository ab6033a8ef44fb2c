"""Limits on open trades: kept by whoever writes, however many write at once."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from functools import partial
from threading import Event, Thread, get_ident
from typing import Any

import pytest
from sqlalchemy import delete, event, insert, select, text, update

from tests.builders import CLOSED, OPENED, ccxt_order, closed_trade, order, store, trade, trade_with_entry
from tests.contract import competing
from tests.contract.conftest import Watch
from tradestore import (
    FtNoDBContext,
    KeyValueStore,
    LocalTrade,
    OpenTradeLimits,
    Order,
    Trade,
    TradeLimits,
    lift_limits,
    migrations,
    set_limits,
)
from tradestore.exceptions import DatabaseNotReady, DependencyException, InvalidValue, MigrationError, TradeLimitReached


def _open_pairs() -> list[str]:
    Trade.session.remove()
    return [record.pair for record in Trade.get_open_trades()]


def _values(**fields: Any) -> dict[str, Any]:
    record = trade(**fields)
    return {name: value for name, value in record.column_values().items() if name != "id"}


@contextmanager
def _in_threads(works: list[Callable[[], object]]) -> Iterator[list[BaseException]]:
    """Run each function in a thread of its own beside the block; list what they raised."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)
        finally:
            Trade.session.remove()

    threads = [Thread(target=guarded, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    yield errors
    for thread in threads:
        thread.join()


def test_limits_are_told(database) -> None:
    """What was set is in force until it is lifted; new limits replace those before."""
    assert database.limits() is None
    database.set_limits(3)
    first = database.limits()
    assert first == OpenTradeLimits(3, False, first.set_at)
    assert first.set_at.tzinfo is UTC
    database.set_limits(one_per_pair_and_side=True)
    assert (database.limits().max_open_trades, database.limits().one_per_pair_and_side) == (None, True)
    lift_limits()
    assert database.limits() is None
    set_limits(0)
    assert Trade.session.scalars(select(TradeLimits.max_open_trades)).all() == [0]


def test_bad_number_is_refused(database) -> None:
    """A limit is a whole number from 0."""
    for number in (-1, 2**31, True, 1.0, "3"):
        with pytest.raises(InvalidValue, match="max_open_trades"):
            database.set_limits(number)
    assert database.limits() is None


def test_limits_are_set_by_themselves(database) -> None:
    """No limit at all, a unit of work around, waiting changes, and a closed store are refused."""
    with pytest.raises(InvalidValue, match="lift_limits"):
        database.set_limits()
    for change in (lambda: database.set_limits(1), database.lift_limits):
        database.set_limits(2)
        with database.transaction(), pytest.raises(DependencyException, match="leave the transaction"):
            change()
        Trade.session.add(trade())
        with pytest.raises(DependencyException, match="commit"):
            change()
        Trade.rollback()
    assert database.limits().max_open_trades == 2
    Trade.session.remove()
    database.close()
    for call in (partial(database.set_limits, 1), database.lift_limits, database.limits):
        with pytest.raises(DatabaseNotReady):
            call()


def test_limits_that_are_passed_already_are_refused(database) -> None:
    """Nothing is set where more is open than the limit admits, and the message names what is in the way."""
    store(trade(), trade(pair="ETH/USDT"), trade())
    with pytest.raises(TradeLimitReached, match="3 trades are open, and the limit is 2") as refused:
        database.set_limits(2)
    assert (refused.value.limit, refused.value.open_trades) == ("max_open_trades", 3)
    with pytest.raises(TradeLimitReached, match=r"ADA/USDT are open.*trade 1 is open already"):
        database.set_limits(5, one_per_pair_and_side=True)
    assert database.limits() is None
    database.set_limits(3)
    with pytest.raises(TradeLimitReached):
        database.set_limits(2)
    assert database.limits().max_open_trades == 3


def _reopen() -> None:
    Trade.get_trades(Trade.is_open.is_(False)).one().is_open = True
    Trade.commit()


def _by_session() -> None:
    Trade.session.add(trade_with_entry())
    Order.session.commit()


def _in_savepoint() -> None:
    with Trade.session.begin_nested():
        Trade.session.add(trade())
    Trade.commit()


def _in_block() -> None:
    with Trade.session.begin():
        Trade.session.add(trade())


def _in_unit_of_work(database: Any) -> None:
    with database.transaction(), database.transaction():
        KeyValueStore.store_value("half", 1)
        store(trade())


def _execute(statement: Any) -> None:
    Trade.session.execute(statement)
    Trade.commit()


OPENERS: dict[str, Callable[[Any], object]] = {
    "commit": lambda _: store(trade()),
    "session's commit": lambda _: _by_session(),
    "reopened": lambda _: _reopen(),
    "bulk_add": lambda _: Trade.bulk_add([trade()]),
    "bulk_add of plain trades": lambda _: Trade.bulk_add([LocalTrade(**_values())]),
    "bulk update": lambda _: _execute(update(Trade).values(is_open=True)),
    "bulk insert": lambda _: _execute(insert(Trade).values(_values())),
    "insert of many": lambda _: (Trade.session.execute(insert(Trade), [_values()]), Trade.commit()),
    "text": lambda _: _execute(text("UPDATE trades SET is_open = (1 = 1)")),
    "savepoint": lambda _: _in_savepoint(),
    "block": lambda _: _in_block(),
    "unit of work": _in_unit_of_work,
    "run": lambda database: database.run(lambda session: session.add(trade())),
    "upsert_order": lambda database: database.upsert_order(trade(), {"id": "1", "side": "buy", "price": 1.0}),
}


def test_no_way_around_the_number(database) -> None:
    """Whichever way a trade would be opened, nothing of its transaction is stored, and the session stays usable."""
    store(trade(pair="OPEN/USDT"), closed_trade(profit=1.0, ratio=0.1))
    database.set_limits(1)
    for name, opener in OPENERS.items():
        with pytest.raises(TradeLimitReached, match="2 trades would be open, and the limit is 1") as refused:
            opener(database)
        assert (refused.value.limit, refused.value.open_trades) == ("max_open_trades", 2), name
        assert _open_pairs() == ["OPEN/USDT"], name
        assert (len(Trade.get_trades().all()), KeyValueStore.get_value("half")) == (2, None), name
        Trade.session.remove()  # Some begin a transaction of their own.
    database.lift_limits()
    store(trade(pair="AFTER/USDT"))
    assert _open_pairs() == ["OPEN/USDT", "AFTER/USDT"]


def test_one_of_pair_and_side(database) -> None:
    """Neither a new trade nor a change makes two of a pair and side; long and short may be open side by side."""
    database.set_limits(one_per_pair_and_side=True)
    first = trade()
    store(first, trade(is_short=True))
    with pytest.raises(
        TradeLimitReached, match=rf"ADA/USDT would be open.*trade {first.id} is open already"
    ) as refused:
        store(trade())
    error = refused.value
    assert (error.limit, error.open_trades) == ("one_per_pair_and_side", 2)
    assert (error.pair, error.side, error.trade_id) == ("ADA/USDT", "long", first.id)
    others = {"pair": trade(pair="ETH/USDT"), "is_short": trade(pair="XRP/USDT", is_short=True)}
    closed = trade(is_open=False)
    store(*others.values(), closed, trade(pair="XRP/USDT"))
    for record, change in ((others["pair"], "pair"), (others["is_short"], "is_short"), (closed, "is_open")):
        setattr(record, change, {"pair": "ADA/USDT", "is_short": False, "is_open": True}[change])
        with pytest.raises(TradeLimitReached):
            Trade.commit()
    assert len(_open_pairs()) == 5


def test_earlier_trade_is_named_though_its_id_is_higher(database) -> None:
    """A trade that is opened again is not the one that is open already."""
    old = trade(is_open=False, close_date=CLOSED)
    store(old)
    now = trade()
    store(now)
    database.set_limits(one_per_pair_and_side=True)
    old.is_open = True
    with pytest.raises(TradeLimitReached) as refused:
        Trade.commit()
    assert refused.value.trade_id == now.id


def test_only_the_end_of_a_transaction_counts(database) -> None:
    """Within a unit of work, one trade may be opened before another one is closed."""
    record = trade()
    store(record)
    database.set_limits(1, one_per_pair_and_side=True)
    with database.transaction() as session:
        session.add(trade())
        Trade.commit()
        record.is_open = False
    assert len(_open_pairs()) == 1


def test_what_opens_nothing_is_asked_nothing(database, statements: Watch) -> None:
    """Limits cost three statements where a trade is opened, one without limits, and none anywhere else."""
    for limits, cost in ((False, 1), (True, 3)):
        record = trade_with_entry()
        store(record)
        if limits:
            database.set_limits(10)
        with statements() as sent:
            store(trade())
        assert len([one for one in sent if "INSERT" not in one]) == cost
        with statements() as sent:
            record.max_rate, record.orders[0].filled = 30.0 + cost, 1.0 + cost
            record.is_open = True
            record.orders.append(order())
            store(trade(is_open=False))
            record.is_open = False
            Trade.commit()
            record.is_open = True
            Trade.session.flush()
            Trade.rollback()
            KeyValueStore.store_value("key", cost)
        assert [one for one in sent if "trade_limits" in one] == []


def test_backtests_have_no_limits(database) -> None:
    """Trades in memory are nobody's but the backtest's."""
    database.set_limits(0)
    with FtNoDBContext():
        LocalTrade.add_bt_trade(LocalTrade(**_values(), orders=[]))
        assert Trade.get_open_trade_count() == 1


def test_downgrade_drops_no_limits(database) -> None:
    """Limits are in the way of a version that knows none, until they are lifted; the row that stays then is not."""
    database.set_limits(one_per_pair_and_side=True)
    Trade.session.remove()
    with pytest.raises(MigrationError, match="lift_limits"):
        migrations.downgrade(database.engine, "0004_wider_pairs")
    assert database.limits() is not None
    database.lift_limits()
    Trade.session.remove()
    migrations.downgrade(database.engine, "0004_wider_pairs")
    migrations.upgrade(database.engine)
    assert database.limits() is None


def _compete_in_threads(database: Any, work: str) -> list[str]:
    outcomes: list[str] = []

    def attempts(writer: int) -> None:
        outcomes.extend(competing.attempts(database, work, writer))

    with _in_threads([partial(attempts, number) for number in range(competing.WRITERS)]) as errors:
        pass
    assert errors == []
    return outcomes


def _check_competition(outcomes: list[str], opened: int) -> None:
    attempts = competing.WRITERS * competing.ATTEMPTS
    assert Counter(outcomes) == {"opened": opened, "TradeLimitReached": attempts - opened}
    Trade.session.remove()
    records = Trade.get_trades().all()
    assert len(records) == Trade.session.query(Order).count() == opened
    assert len({(record.pair, record.is_short) for record in records}) == opened


@pytest.mark.parametrize(("work", "opened"), [("open_mixed", 3), ("open_same", 2)])
def test_threads_compete(database, work, opened) -> None:
    """Of all that try at once, exactly as many as may open a trade, and one long and one short in the same pair."""
    database.set_limits(3, one_per_pair_and_side=True)
    Trade.session.remove()
    _check_competition(_compete_in_threads(database, work), opened)


@pytest.mark.needs("persistent", "first_driver")
def test_processes_compete(database, store_url) -> None:
    """The same holds between processes, which share nothing but the database."""
    database.set_limits(3, one_per_pair_and_side=True)
    Trade.session.remove()
    command = [sys.executable, "-m", competing.__name__, store_url, "open_mixed"]
    program = subprocess.run(command, capture_output=True, text=True, check=True)
    _check_competition(program.stdout.split("\n")[:-1], 3)


def _meet_before_commit(
    database: Any, first: Callable[[], object], second: Callable[[], object]
) -> tuple[list[BaseException], list[BaseException]]:
    """Hold one thread's work between its writing and its COMMIT, and let another one begin meanwhile."""
    held, go_on, writers = Event(), Event(), set[int]()
    threads: list[int] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if get_ident() in threads and statement.startswith("INSERT"):
            writers.add(get_ident())

    def hold(_connection: object) -> None:
        if get_ident() in writers:
            held.set()
            go_on.wait(60)

    def work() -> None:
        threads.append(get_ident())
        first()

    event.listen(database.engine, "before_cursor_execute", note)
    event.listen(database.engine, "commit", hold)
    with _in_threads([work]) as first_errors:
        assert held.wait(60)
        with _in_threads([second]) as second_errors:
            go_on.wait(0.3)  # Longer than the second one takes, if nobody is in its way.
            go_on.set()
    return first_errors, second_errors


@pytest.mark.parametrize("earlier", [False, True], ids=["first limits ever", "lifted before"])
def test_limits_wait_for_who_is_about_to_commit(database, earlier) -> None:
    """Limits that are set while trades are on their way to the disk count those trades."""
    if earlier:
        database.set_limits(5)
        database.lift_limits()
    Trade.session.remove()
    openers, setters = _meet_before_commit(database, lambda: store(trade(), trade()), lambda: database.set_limits(1))
    assert (openers, [type(error) for error in setters]) == ([], [TradeLimitReached])


def test_opener_waits_for_limits_that_are_about_to_be_set(database) -> None:
    """A trade that is to be opened while limits are being set has to keep them."""
    database.set_limits(5)
    database.lift_limits()
    Trade.session.remove()
    setters, openers = _meet_before_commit(database, lambda: database.set_limits(1), lambda: store(trade(), trade()))
    assert (setters, [type(error) for error in openers]) == ([], [TradeLimitReached])
    assert (_open_pairs(), database.limits().max_open_trades) == ([], 1)


def test_order_beyond_the_limits_is_not_sent(database) -> None:
    """Orders that may be at the exchange count like open trades, and the next one is refused before it is sent."""
    sent = []
    database.set_limits(max_open_trades=2, one_per_pair_and_side=True)
    store(trade_with_entry(pair="ADA/USDT"))

    def send(pair: str) -> None:
        with database.intent(pair, "buy", 1.0, 10.0, exchange="kraken"):
            sent.append(pair)

    with pytest.raises(TradeLimitReached, match=r"trade 1 is open already.*[Nn]othing was stored"):
        send("ADA/USDT")
    send("ETH/USDT")
    with pytest.raises(TradeLimitReached, match="3 trades would be open, and the limit is 2"):
        send("XMR/USDT")
    database.set_limits(one_per_pair_and_side=True)
    with pytest.raises(TradeLimitReached, match="an order was sent already"):
        send("ETH/USDT")
    assert sent == ["ETH/USDT"]
    with database.intent(Trade.get_open_trades()[0], "buy", 1.0, 10.0):
        sent.append("a further entry opens nothing")
    assert (len(sent), len(database.unresolved_intents())) == (2, 2)


def test_what_the_exchange_has_is_stored_beyond_the_limits(database) -> None:
    """A limit that was set, or reached, after an order was sent does not make its trade disappear."""
    answer = ccxt_order(symbol="ETH/USDT", status="closed", filled=10.0, remaining=0.0, average=20.0, cost=200.0)
    with database.intent("ETH/USDT", "buy", 10.0, 20.0, exchange="kraken") as intent:
        with pytest.raises(TradeLimitReached, match="1 trades are open"):
            database.set_limits(max_open_trades=0)
        _set_behind_the_back(database, max_open_trades=0)
        assert intent.placed(answer).trade.amount == 10.0
    assert _open_pairs() == ["ETH/USDT"]
    with pytest.raises(TradeLimitReached):
        store(trade(pair="ADA/USDT"))
    assert _open_pairs() == ["ETH/USDT"]


@pytest.mark.needs("persistent")
def test_order_that_is_placed_while_others_count(database) -> None:
    """It is counted as an order that was sent or as a trade, also by who has counted the trades already."""
    database.set_limits(max_open_trades=1)
    threads: list[Thread] = []
    with database.intent("ETH/USDT", "buy", 10.0, 20.0, exchange="kraken") as intent:

        def place(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if "FROM order_intents" in statement and not threads:
                threads.append(Thread(target=lambda: intent.placed(ccxt_order(symbol="ETH/USDT"))))
                threads[0].start()
                threads[0].join(0.3)  # Longer than it takes, if nobody is in its way.

        event.listen(database.engine, "before_cursor_execute", place)
        with pytest.raises(TradeLimitReached, match="2 trades would be open"):
            store(trade(pair="ADA/USDT"))
        threads[0].join()
    assert _open_pairs() == ["ETH/USDT"]


def _set_behind_the_back(database, max_open_trades: int) -> None:
    row = {"id": 1, "max_open_trades": max_open_trades, "one_per_pair_and_side": False, "updated_at": OPENED}
    with database.engine.begin() as connection:
        connection.execute(delete(TradeLimits))
        connection.execute(insert(TradeLimits).values(row))
