"""Trades and orders with any values that their columns can hold, derived from the columns."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Boolean, Column, Enum, Integer, String, text

from tradestore import LocalOrder, LocalTrade, Order, Trade, TradingMode
from tradestore._sqltypes import Number, UtcDateTime

__all__ = ["HARD_TEXTS", "any_trades", "as_local", "as_mapped", "stored_rows"]

HARD_TEXTS = [
    "",
    " ",
    "\\",
    "\\N",
    "\\.",
    "\\t",
    "tab\tnewline\nreturn\r\nend",
    'it\'s "quoted" `so`',
    "%s %(a)s %",
    "NULL",
    "ü é ß İ",
    "🚀 漢字",
    "\u2028\x7f\x01",
]
_ZONES = [None, UTC, timezone(timedelta(hours=3)), timezone(timedelta(hours=-9, minutes=-30))]

_numbers = count(1)


def _values(column: Column[Any]) -> st.SearchStrategy[Any]:
    match column.type:
        case Enum():
            return st.sampled_from([*TradingMode, "SPOT", "futures"])
        case String(length=length):
            assert length is not None
            characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
            return st.sampled_from(HARD_TEXTS) | st.text(characters, max_size=min(length, 12)).map(lambda t: t[:length])
        case Number():
            # Added to zero, a negative zero loses its sign, which not every driver sends.
            floats = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)
            return floats | st.sampled_from([0, 7, 0.1 + 0.2, 1e-300])
        case Boolean():
            return st.booleans()
        case Integer():
            return st.integers(-(2**31), 2**31 - 1)
        case UtcDateTime():
            dates = st.datetimes(datetime.fromisoformat("1500-01-01"), datetime.fromisoformat("2500-01-01"))
            return st.builds(lambda date, zone: date.replace(tzinfo=zone), dates, st.sampled_from(_ZONES))
    raise AssertionError(column.type)


def _fields(table: Any, *, without: set[str], given: set[str]) -> st.SearchStrategy[dict[str, Any]]:
    columns = {column.name: column for column in table.columns if column.name not in without}
    return st.fixed_dictionaries(
        {
            name: _values(column) if name in given or not column.nullable else st.none() | _values(column)
            for name, column in columns.items()
        }
    )


# Mapped and plain trades work out an open value, and the present time, where none is given.
_ANY_ORDER = _fields(Order.__table__, without={"id", "ft_trade_id"}, given={"order_date"})
_ANY_TRADE = _fields(Trade.__table__, without={"id"}, given={"open_trade_value"})


@st.composite
def any_trades(draw: st.DrawFn) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Return the fields of some trades, each with those of its orders."""
    trades = draw(st.lists(st.tuples(_ANY_TRADE, st.lists(_ANY_ORDER, max_size=3)), max_size=7))
    for _, orders in trades:
        for fields in orders:
            fields["order_id"] = f"{next(_numbers)}-{fields['order_id']}"
    return trades


def as_local(fields: dict[str, Any], orders: list[dict[str, Any]], **more: Any) -> LocalTrade:
    """Return a plain trade."""
    trade = LocalTrade(**fields, **more)
    for order_fields in orders:
        order = LocalOrder(id=77, ft_trade_id=78, **order_fields)
        order.belong_to(trade)
        trade.orders.append(order)
    return trade


def as_mapped(fields: dict[str, Any], orders: list[dict[str, Any]]) -> Trade:
    """Return a mapped trade that is in no session."""
    trade = Trade(**fields)
    trade.orders.extend(Order(**order_fields) for order_fields in orders)
    return trade


def stored_rows() -> list[str]:
    """Return all trades and orders as plain SQL shows them; ids are replaced by places, each by its trade's."""
    trades = Trade.session.execute(text("SELECT * FROM trades ORDER BY id")).mappings().all()
    orders = Trade.session.execute(text("SELECT * FROM orders ORDER BY id")).mappings().all()
    places = {trade["id"]: str(place) for place, trade in enumerate(trades)}
    return [str({**trade, "id": places[trade["id"]]}) for trade in trades] + [
        str({**order, "id": place, "ft_trade_id": places[order["ft_trade_id"]]}) for place, order in enumerate(orders)
    ]
