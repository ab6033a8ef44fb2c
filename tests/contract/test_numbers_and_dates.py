"""What is stored comes back: every bit of a number, every microsecond of a date, on a server in another time zone."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.builders import columns_of, order, store, trade
from tradestore import (
    CustomDataWrapper,
    KeyValueStore,
    Order,
    PairLock,
    PairLocks,
    Trade,
    WalletHistory,
)

NUMBERS = [
    12345678.12345678,
    0.1 + 0.2,
    1e-8,
    0.00000442,
    123456789012.34567,
    1 / 3,
    -2.5e-17,
    1e-300,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    9007199254740993.0,
    0.0,
]
NOON = datetime.fromisoformat("2026-03-01T12:00:00.123456")
MOSCOW = timezone(timedelta(hours=3))
SAME_MOMENT = [
    NOON,
    NOON.replace(tzinfo=UTC),
    datetime(2026, 3, 1, 15, 0, 0, 123456, tzinfo=MOSCOW),
    datetime(2026, 2, 28, 21, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-14, minutes=-30))),
]

each_form = pytest.mark.parametrize("moment", SAME_MOMENT, ids=["naive", "utc", "moscow", "far-west"])


def _bits(number: float | None) -> str:
    assert number is not None
    return number.hex()


def _balance(number: float, minute: int = 0) -> WalletHistory:
    return WalletHistory(
        timestamp=NOON + timedelta(minutes=minute), currency="ADA", quote_currency="USDT", balance=number
    )


def _raw(column: str, table: str) -> str:
    """Return the text that plain SQL shows of a date column's only value."""
    row = Trade.session.execute(text(f"SELECT CAST({column} AS CHAR(40)) FROM {table}")).one()
    return str(row[0]).strip()


def test_numbers_of_trades_and_orders(database) -> None:
    """A number that was stored is the same to the last bit when another session reads it."""
    for number in NUMBERS:
        record = trade(realized_profit=number)
        record.orders.append(order(price=number, filled=number, stop_price=number, cost=number))
        Trade.session.add(record)
    Trade.commit()
    Trade.session.remove()
    expected = [number.hex() for number in NUMBERS]
    read = Trade.get_trades().all()
    assert [_bits(record.realized_profit) for record in read] == expected
    for name in ("price", "filled", "stop_price", "cost"):
        assert [_bits(getattr(record.orders[0], name)) for record in read] == expected


def test_numbers_of_the_bot(database) -> None:
    """Balances, settings and custom data keep every bit as well."""
    store(*(_balance(number, minute) for minute, number in enumerate(NUMBERS)))
    for number in NUMBERS:
        KeyValueStore.store_value(number.hex(), number)
        CustomDataWrapper.set_custom_data(None, number.hex(), number)
    Trade.session.remove()
    expected = [number.hex() for number in NUMBERS]
    assert [row.balance.hex() for row in Trade.session.query(WalletHistory).order_by(WalletHistory.id)] == expected
    assert [_bits(KeyValueStore.get_float_value(name)) for name in expected] == expected
    assert [entry.value.hex() for entry in CustomDataWrapper.get_custom_data(trade_id=None)] == expected


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_any_number(database, numbers) -> None:
    """Whatever float there is, it comes back equal."""
    Trade.session.query(WalletHistory).delete()
    store(*(_balance(number, minute) for minute, number in enumerate(numbers)))
    Trade.session.remove()
    assert [row.balance for row in Trade.session.query(WalletHistory).order_by(WalletHistory.id)] == numbers


def test_numbers_that_are_no_floats(database) -> None:
    """Whole numbers and decimals become floats before any engine sees them."""
    record = trade(amount=Decimal("0.1"), stake_amount=3)
    store(record)
    assert (record.amount, record.stake_amount) == (0.1, 3.0)
    assert (type(record.amount), type(record.stake_amount)) == (float, float)


def test_dates_of_trades_and_orders(database) -> None:
    """One moment, however it is written, is stored as UTC and comes back as naive UTC, with zone by its property."""
    for moment in SAME_MOMENT:
        record = trade(open_date=moment, close_date=moment, is_open=False)
        record.orders.append(order(order_date=moment, order_filled_date=moment, order_update_date=moment))
        Trade.session.add(record)
    Trade.commit()
    Trade.session.remove()
    aware = NOON.replace(tzinfo=UTC)
    for read in Trade.get_trades():
        assert (read.open_date, read.close_date) == (NOON, NOON)
        assert (read.open_date_utc, read.close_date_utc) == (aware, aware)
        assert read.open_date_utc.utcoffset() == timedelta(0)
        placed = read.orders[0]
        assert (placed.order_date, placed.order_filled_date, placed.order_update_date) == (NOON, NOON, NOON)
        assert (placed.order_date_utc, placed.order_filled_utc) == (aware, aware)
    assert len(Trade.get_trades().all()) == len(SAME_MOMENT)


@each_form
def test_dates_of_the_bot(database, moment) -> None:
    """Locks, settings and balances hold the same moment whatever form it was given in."""
    PairLocks.lock_pair("ADA/USDT", moment, now=moment)
    KeyValueStore.store_value("moment", moment)
    store(WalletHistory(timestamp=moment, currency="ADA", quote_currency="USDT", balance=1.0))
    Trade.session.remove()
    lock = PairLock.get_all_locks().one()
    assert (lock.lock_time, lock.lock_end_time) == (NOON, NOON)
    assert KeyValueStore.get_datetime_value("moment") == NOON.replace(tzinfo=UTC)
    assert Trade.session.query(WalletHistory).one().timestamp == NOON


@each_form
def test_column_holds_utc(database, moment) -> None:
    """Plain SQL, from any client, finds the UTC text with its microseconds."""
    store(trade(open_date=moment))
    KeyValueStore.store_value("moment", moment)
    PairLocks.lock_pair("ADA/USDT", moment, now=moment)
    table = Trade.metadata.tables["KeyValueStore"]
    quoted = Trade.session.get_bind().dialect.identifier_preparer.format_table(table)
    found = [
        _raw("open_date", "trades"),
        _raw("datetime_value", quoted),
        _raw("lock_time", "pairlocks"),
        _raw("lock_end_time", "pairlocks"),
    ]
    assert found == ["2026-03-01 12:00:00.123456"] * 4


def test_filters_take_any_form(database) -> None:
    """A date in a question means the same moment in every form: the comparison is exact to the microsecond."""
    micro = timedelta(microseconds=1)
    store(trade(open_date=NOON - micro), trade(open_date=NOON), trade(open_date=NOON + micro))
    for moment in SAME_MOMENT:
        assert [t.id for t in Trade.get_trades(Trade.open_date == moment)] == [2]
        assert [t.id for t in Trade.get_trades([Trade.open_date >= moment])] == [2, 3]
        assert [t.id for t in Trade.get_trades_proxy(open_date=moment)] == [3]


def test_close_dates_are_exclusive_bounds_in_any_form(database) -> None:
    """Whoever asks for what closed since a moment gets what closed later."""
    micro = timedelta(microseconds=1)
    store(*(trade(is_open=False, close_date=NOON + step * micro) for step in (-1, 0, 1)))
    for moment in SAME_MOMENT:
        assert [t.id for t in Trade.get_trades_proxy(close_date=moment)] == [3]


def test_value_given_is_the_value_read(database) -> None:
    """After a commit the object shows what a new session will read, not what it was given."""
    record = trade(open_date=SAME_MOMENT[2], amount=7, timeframe=5)
    record.orders.append(order(order_date=SAME_MOMENT[2]))
    store(record)
    shown, shown_order = columns_of(record), columns_of(record.orders[0])
    Trade.session.remove()
    assert columns_of(Trade.get_trades().one()) == shown
    assert columns_of(Trade.session.query(Order).one()) == shown_order


def test_dates_far_away(database) -> None:
    """Dates outside of what 32 bits of seconds can count are kept too."""
    moments = [datetime.fromisoformat(text) for text in ("1970-01-01", "2038-01-19T03:14:08", "2106-02-08")]
    store(*(trade(open_date=moment) for moment in moments))
    Trade.session.remove()
    assert [record.open_date for record in Trade.get_trades()] == moments
