"""Whichever way rows are written, past SQLAlchemy's unit of work or by it, the same is stored and the same holds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import event, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from tests.builders import order, trade, trade_with_entry
from tradestore import Order, Trade
from tradestore.enums import TradingMode

EARLY = datetime(999, 1, 2, tzinfo=UTC)
FAR = timezone(timedelta(hours=5, minutes=30))


def _listen_to_session(name: str, seen: list[str]) -> Callable[[], None]:
    def note(*_: Any) -> None:
        seen.append(name)

    session = Trade.session()
    event.listen(session, name, note)
    return lambda: event.remove(session, name, note)


def _listen_to_trade(name: str, seen: list[str]) -> Callable[[], None]:
    def note(*_: Any) -> None:
        seen.append(name)

    event.listen(Trade, name, note)
    return lambda: event.remove(Trade, name, note)


def _odd_trade(number: int) -> Trade:
    """Return a trade with values of every kind, in forms that need attention."""
    record = trade(
        open_date=datetime(2026, 3, 1, 0, 30, 0, 7, tzinfo=FAR),
        close_date=datetime(999, 1, 2, 3, 4, tzinfo=UTC),
        trading_mode=TradingMode.FUTURES,
        is_short=True,
        is_open=False,
        fee_open=1,
        stake_amount=0.1 + 0.2,
        min_rate=5e-324,
        close_profit=-0.0,
        enter_tag="Ω'\"%s",
        timeframe=5,
        exit_reason="",
    )
    dates = {"order_date": datetime(2026, 3, 1, tzinfo=FAR), "order_filled_date": datetime(1970, 1, 1, tzinfo=UTC)}
    record.orders += [
        order(order_id=f"first-{number}", ft_price=None, order_update_date=None, **dates),
        order(order_id=f"second-{number}", ft_order_side="sell", cost=None, ft_order_tag="ß", **dates),
    ]
    return record


def _rows(table: str) -> list[tuple[Any, ...]]:
    """Return what the driver finds, without any conversion on the way."""
    rows = Trade.session.connection().exec_driver_sql(f"SELECT * FROM {table} ORDER BY id").all()
    Trade.commit()
    return [tuple(row) for row in rows]


def test_same_bytes_on_both_ways(database) -> None:
    """New rows and changed ones hold the same, down to the text of a date."""
    for number in (1, 2):
        stop = _listen_to_session("before_flush", []) if number == 2 else lambda: None
        record = _odd_trade(number)
        Trade.session.add(record)
        Trade.commit()
        record.close_date, record.max_rate = datetime(2026, 4, 1, 0, 0, 0, 120000, tzinfo=FAR), 3
        record.trading_mode, record.is_short, record.min_rate = TradingMode.MARGIN, False, None
        record.orders[0].order_update_date = datetime(2026, 4, 1, tzinfo=UTC).replace(tzinfo=None)
        Trade.commit()
        stop()
    (first, second), orders = _rows("trades"), _rows("orders")
    assert first[1:] == second[1:]
    assert [type(value) for value in first] == [type(value) for value in second]
    for plain, other in zip(orders[:2], orders[2:], strict=True):
        differing = [a for a, b in zip(plain, other, strict=True) if (type(a), a) != (type(b), b)]
        assert len(differing) == 3  # The order's number, its trade's, and its id.


@pytest.mark.needs("in_process")
def test_text_of_a_date(database) -> None:
    """Other programs read the file: a date is a text with microseconds, in UTC."""
    Trade.session.add(trade(open_date=datetime(2026, 3, 1, 0, 30, tzinfo=FAR), close_date=EARLY))
    Trade.commit()
    dates = Trade.session.execute(text("SELECT open_date, close_date FROM trades")).one()
    assert dates == ("2026-02-28 19:00:00.000000", "0999-01-02 00:00:00.000000")


def test_objects_are_known_afterwards(database) -> None:
    """They have their numbers, in the order in which they were added, and nothing waits any more."""
    records = [_odd_trade(number) for number in range(3)]
    Trade.session.add_all(records)
    Trade.commit()
    assert [record.id for record in records] == [1, 2, 3]
    assert [[o.id for o in record.orders] for record in records] == [[1, 2], [3, 4], [5, 6]]
    assert [[o.ft_trade_id for o in record.orders] for record in records] == [[1, 1], [2, 2], [3, 3]]
    assert not Trade.session.new
    assert not Trade.session.dirty
    assert Trade.session.get(Trade, 2) is records[1]
    assert all(inspect(record).persistent for record in [*records, *records[0].orders])


@pytest.mark.parametrize("listener", ["before_flush", "after_flush", "after_flush_postexec", "pending_to_persistent"])
def test_listeners_of_the_session_hear(database, listener) -> None:
    """Whoever listens to SQLAlchemy's work on the session hears of it."""
    heard: list[str] = []
    stop = _listen_to_session(listener, heard)
    Trade.session.add(trade_with_entry())
    Trade.commit()
    stop()
    assert heard


@pytest.mark.parametrize("listener", ["before_insert", "after_insert", "before_update", "after_update"])
def test_listeners_of_a_class_hear(database, listener) -> None:
    """Whoever listens to the rows of a class hears of each."""
    heard: list[str] = []
    stop = _listen_to_trade(listener, heard)
    record = trade_with_entry()
    Trade.session.add(record)
    Trade.commit()
    record.max_rate = 30.0
    Trade.commit()
    stop()
    assert heard == [listener]


def test_failure_in_the_middle_leaves_nothing(database) -> None:
    """The second of two orders is refused: nothing is stored, and after the correction all of it is."""
    Trade.session.add(trade_with_entry(pair="OLD/USDT"))
    Trade.commit()
    taken = Trade.get_trades().one().orders[0].order_id
    record = trade(pair="OLD/USDT")
    record.orders += [order(ft_pair="OLD/USDT"), order(ft_pair="OLD/USDT", order_id=taken)]
    Trade.session.add(record)
    with pytest.raises(IntegrityError):
        Trade.commit()
    assert (len(_rows("trades")), len(_rows("orders"))) == (1, 1)
    assert inspect(record).transient
    record.orders[1].order_id = "free"
    Trade.session.add(record)
    Trade.commit()
    Trade.session.remove()
    assert [len(found.orders) for found in Trade.get_trades()] == [1, 2]


def test_rollback_takes_written_rows_back(database) -> None:
    """What was written but not committed is gone: new objects are new again, changed ones as before."""
    old = trade_with_entry(max_rate=20.0)
    Trade.session.add(old)
    Trade.commit()
    new = trade_with_entry()
    Trade.session.add(new)
    old.max_rate = 40.0
    Trade.session.flush()
    assert (len(_rows_now()), old in Trade.session.dirty) == (2, False)
    Trade.rollback()
    assert old.max_rate == 20.0
    assert inspect(new).transient
    assert len(_rows("trades")) == 1


def _rows_now() -> list[Any]:
    return list(Trade.session.execute(text("SELECT id FROM trades")))


def test_changed_row_that_is_gone(database) -> None:
    """A change of what somebody else deleted is refused, and nothing else of that commit is stored."""
    first, second = trade(pair="A/USDT"), trade(pair="B/USDT")
    Trade.session.add_all([first, second])
    Trade.commit()
    with database.engine.begin() as other:
        other.execute(text("DELETE FROM trades WHERE pair = 'B/USDT'"))
    first.max_rate = second.max_rate = 50.0
    with pytest.raises(StaleDataError):
        Trade.commit()
    Trade.session.remove()
    assert [found.max_rate for found in Trade.get_trades()] == [0.0]


def test_orders_that_move_or_leave(database) -> None:
    """An order goes where its trade is; one that was taken off a new trade is not stored."""
    first, second = trade(), trade()
    first.orders += [order(order_id="stays"), order(order_id="moves"), order(order_id="late")]
    Trade.session.add_all([first, second])
    dropped = order(order_id="dropped")
    second.orders.append(dropped)
    second.orders.remove(dropped)
    Trade.commit()
    third = trade()
    third.orders.append(first.orders[1])
    Trade.session.add(third)
    second.orders.append(order(order_id="added"))
    Trade.commit()
    Trade.session.remove()
    stored = {found.id: [o.order_id for o in found.orders] for found in Trade.get_trades()}
    assert stored == {first.id: ["stays", "late"], second.id: ["added"], third.id: ["moves"]}


def test_order_of_a_trade_that_is_stored(database) -> None:
    """It may say so by the trade's number alone."""
    record = trade()
    Trade.session.add(record)
    Trade.commit()
    Trade.session.add(order(ft_trade_id=record.id, order_id="loose"))
    Trade.commit()
    Trade.session.remove()
    assert [o.order_id for o in Trade.get_trades().one().orders] == ["loose"]


def test_given_numbers_are_kept(database) -> None:
    """An object that brings its number along keeps it."""
    Trade.session.add(trade_with_entry(id=77))
    Trade.commit()
    Trade.session.remove()
    assert [(found.id, found.orders[0].ft_trade_id) for found in Trade.get_trades()] == [(77, 77)]


def test_defaults_of_the_table_hold(database) -> None:
    """None in a column with a default becomes the default, as ever."""
    record = trade_with_entry(leverage=None, is_open=None)
    Trade.session.add(record)
    Trade.commit()
    Trade.session.remove()
    found = Trade.get_trades().one()
    assert (found.leverage, found.is_open) == (1.0, True)


def test_savepoint_is_its_owners(database) -> None:
    """What fails within a savepoint takes nothing of what was written before it."""
    with database.transaction() as session:
        session.add(trade_with_entry(pair="KEPT/USDT"))
        session.flush()
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(Order(order_id="nobody's", ft_pair="X", ft_price=1.0, ft_amount=1.0, ft_order_side="buy"))
    Trade.session.remove()
    assert [found.pair for found in Trade.get_trades()] == ["KEPT/USDT"]


def test_trade_with_custom_data(database) -> None:
    """What hangs on a trade is stored and deleted with it."""
    record = trade_with_entry()
    Trade.session.add(record)
    record.set_custom_data("key", [1, 2])
    record.set_custom_data("key", {"a": 1})
    Trade.commit()
    Trade.session.remove()
    found = Trade.get_trades().one()
    assert [entry.value for entry in found.get_all_custom_data()] == [{"a": 1}]
    found.delete()
    assert not _rows("trades") + _rows("orders") + _rows("trade_custom_data")


def test_listener_that_comes_back_hears_of_new_objects(database) -> None:
    """Who listens to a column, no more, and then again hears of every trade that is made while it listens."""
    heard: list[str] = []

    def note(_target: Any, value: str, *_: Any) -> None:
        heard.append(value)

    for pair in ("A/B", "C/D"):
        event.listen(Trade.pair, "set", note)
        event.remove(Trade.pair, "set", note)
        trade(pair="not heard")
        event.listen(Trade.pair, "set", note)
        trade(pair=pair)
        event.remove(Trade.pair, "set", note)
    assert heard == ["A/B", "C/D"]
