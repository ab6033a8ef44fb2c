"""Values that no exchange and no bot can have meant."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import eq
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Enum, String, Table, and_, func, or_, type_coerce

from tradestore._clock import as_naive_utc
from tradestore._stored_values import Kind, kind_of
from tradestore.enums import TradingMode
from tradestore.operations.doctor._look import Look, NotApplicable, as_text, rows_that
from tradestore.operations.doctor.findings import Finding
from tradestore.operations.doctor.stories import Story

__all__ = [
    "before_the_first_trade",
    "cut_order_numbers",
    "cut_trade_numbers",
    "ends_before_it_begins",
    "excessive_fees",
    "filled_before_placed",
    "in_the_future",
    "missing_texts",
    "negative_numbers",
    "not_finite",
    "of_another_type",
    "stop_ratios_out_of_range",
    "too_long_texts",
    "unknown_modes",
]

Rows = Iterator[tuple[int, dict[str, Any]]]
"""Primary keys with facts by column."""

_LARGEST: Final = 1.7976931348623157e308
_SANE_FEE: Final = 0.1
_SKEW: Final = timedelta(hours=1)
"""How far an exchange's clock may be off, or this machine's."""
_BACKWARDS: Final = timedelta(minutes=1)
_FIRST_BLOCK: Final = datetime(2009, 1, 3)  # noqa: DTZ001 - as moments are stored

_NOT_NEGATIVE: Final[Mapping[str, Sequence[str]]] = {
    "trades": ("amount", "open_rate", "close_rate", "stake_amount", "max_stake_amount", "stop_loss", "min_rate"),
    "orders": ("ft_amount", "ft_price", "amount", "filled", "remaining", "price", "average", "stop_price"),
}
_PAST: Final[Mapping[str, Sequence[str]]] = {
    "trades": ("open_date", "close_date"),
    "orders": ("order_date", "order_filled_date"),
    "pairlocks": ("lock_time",),
    "trade_custom_data": ("created_at",),
    "wallet_history": ("timestamp",),
}
_REQUIRED: Final[Mapping[str, Sequence[str]]] = {
    "trades": ("exchange", "pair"),
    "orders": ("order_id", "ft_pair"),
    "pairlocks": ("pair",),
    "trade_custom_data": ("cd_key",),
    "KeyValueStore": ("key",),
    "wallet_history": ("currency",),
}
_CUT_IN_TRADES: Final = ("amount", "open_rate", "close_rate", "stake_amount", "fee_open", "fee_close", "stop_loss")
_CUT_IN_ORDERS: Final = ("amount", "filled", "price", "average", "cost", "ft_amount", "ft_price")
_NEVER_CUT: Final = 0.1
"""In place of what is missing: a number that has no like of 4 bytes."""
_TELLING: Final = 2
"""How many of a row's numbers must be cut: one alone may be chance."""


def not_finite(look: Look) -> Iterator[Finding]:
    """N01: infinite, or no number at all."""
    if look.engine == "mysql":
        msg = "the engine keeps finite numbers only"
        raise NotApplicable(msg)
    for table in _with_ids(look):
        columns = _of_kind(table, Kind.NUMBER)
        # PostgreSQL sorts NaN above all numbers.
        bad = [look.well_formed(column, or_(column > _LARGEST, column < -_LARGEST)) for column in columns]
        yield from _any(look, "N01", table, columns, bad, "have numbers that are not finite")


def negative_numbers(look: Look) -> Iterator[Finding]:
    """N02: less than nothing."""
    for name, names in _NOT_NEGATIVE.items():
        table = look.table(name)
        columns = [table.c[each] for each in names]
        bad = [and_(column < 0, column >= -_LARGEST) for column in columns]
        yield from _any(look, "N02", table, columns, bad, "have amounts, rates or stakes below 0")


def missing_texts(look: Look) -> Iterator[Finding]:
    """N03: empty."""
    for name, names in _REQUIRED.items():
        table = look.table(name)
        columns = [table.c[each] for each in names]
        bad = [or_(column.is_(None), column == "") for column in columns]
        yield from _any(look, "N03", table, columns, bad, "lack a text that they need")


def excessive_fees(look: Look) -> Iterator[Finding]:
    """N04: more than a tenth of the value."""
    table = look.table("trades")
    columns = [table.c.fee_open, table.c.fee_close]
    bad = [look.well_formed(each, and_(func.abs(each) > _SANE_FEE, func.abs(each) <= _LARGEST)) for each in columns]
    yield from _any(look, "N04", table, columns, bad, "have a fee above 10 %")


def stop_ratios_out_of_range(look: Look) -> Iterator[Finding]:
    """N05: neither nothing, nor all, nor between them; losses are negative."""
    table = look.table("trades")
    columns = [table.c.stop_loss_pct, table.c.initial_stop_loss_pct]
    bad = [look.well_formed(each, and_(or_(each > 0, each < -1), func.abs(each) <= _LARGEST)) for each in columns]
    yield from _any(look, "N05", table, columns, bad, "have a stop loss ratio that is not between -1 and 0")


def ends_before_it_begins(look: Look) -> Iterator[Finding]:
    """N06: the close date is before the open date."""
    table = look.table("trades")
    is_before = table.c.close_date < table.c.open_date
    bad = [look.well_formed(table.c.close_date, look.well_formed(table.c.open_date, is_before))]
    yield from _any(look, "N06", table, [table.c.open_date, table.c.close_date], bad, "end before they begin")


def filled_before_placed(story: Story) -> Rows:
    """N07: by more than clocks may be apart."""
    for order in story.orders:
        placed, filled = order.order_date, order.order_filled_date
        if placed is not None and filled is not None and filled < placed - _BACKWARDS:
            yield order.id or 0, {"order_date": {"found": placed}, "order_filled_date": {"found": filled}}


def in_the_future(look: Look) -> Iterator[Finding]:
    """N08: it has not come yet."""
    latest = as_naive_utc(look.now + _SKEW)
    for table, columns in _pasts(look):
        bad = [look.well_formed(column, column > latest) for column in columns]
        yield from _any(look, "N08", table, columns, bad, "have moments that have not come yet")


def before_the_first_trade(look: Look) -> Iterator[Finding]:
    """N09: there was nothing to be traded."""
    for table, columns in _pasts(look):
        bad = [look.well_formed(column, column < _FIRST_BLOCK) for column in columns]
        yield from _any(look, "N09", table, columns, bad, "have moments before 2009-01-03")


def cut_trade_numbers(story: Story) -> Rows:
    """N11: the trade has been in columns of 4 bytes."""
    yield from _cut(story.trade, _CUT_IN_TRADES)


def cut_order_numbers(story: Story) -> Rows:
    """N11: the order has been in columns of 4 bytes."""
    for order in story.orders:
        yield from _cut(order, _CUT_IN_ORDERS)


def _cut(record: Any, names: Sequence[str]) -> Rows:
    numbers = [getattr(record, name) or _NEVER_CUT for name in names]
    if not _may_be_cut(numbers):
        return
    facts = {
        name: {"found": found, "expected": expected}
        for name, found in zip(names, numbers, strict=True)
        if (expected := _before_cut(found)) is not None
    }
    if len({each["found"] for each in facts.values()}) >= _TELLING:
        yield record.id, facts


def _may_be_cut(numbers: Sequence[float]) -> bool:
    """Say whether any number fits into 4 bytes. All are asked at once: this is done for every row of the store."""
    layout = f"{len(numbers)}f"
    try:
        return any(map(eq, struct.unpack(layout, struct.pack(layout, *numbers)), numbers))
    except OverflowError:
        return True


def _before_cut(number: float) -> float | None:
    """Return the shortest decimal that 4 bytes keep as the number; None for one that was never cut to 4 bytes.

    A number that 9 digits can write was not cut, or nothing was lost by it: 0.5 is the same in 4 bytes.
    """
    try:
        if struct.unpack("f", struct.pack("f", number))[0] != number or float(f"{number:.9g}") == number:
            return None
    except OverflowError:
        return None
    for digits in range(6, 9):
        shorter = float(f"{number:.{digits}g}")
        if struct.unpack("f", struct.pack("f", shorter))[0] == number:
            return shorter
    return float(f"{number:.9g}")


def unknown_modes(look: Look) -> Iterator[Finding]:
    """N12: no member of the enum."""
    if look.engine == "postgresql":
        msg = "the engine keeps known modes only"
        raise NotApplicable(msg)
    table = look.table("trades")
    mode: ColumnElement[Any] = type_coerce(table.c.trading_mode, String())
    bad = [and_(mode.is_not(None), mode.not_in(list(TradingMode.__members__)))]
    yield from _any(look, "N12", table, [table.c.trading_mode], bad, "have an unknown trading mode")


def of_another_type(look: Look) -> Iterator[Finding]:
    """N13: SQLite keeps whatever it is given."""
    look.only("sqlite")
    for table in _with_ids(look):
        columns = [each for each in table.columns if kind_of(each.type) in _TYPE_CONDITIONS]
        bad = [
            and_(as_text(each).is_not(None), _TYPE_CONDITIONS[kind_of(each.type)](as_text(each))) for each in columns
        ]
        yield from _any(look, "N13", table, columns, bad, "have values that are not of their columns' types")


def too_long_texts(look: Look) -> Iterator[Finding]:
    """N14: SQLite keeps what other engines refuse."""
    look.only("sqlite")
    for table in _with_ids(look):
        columns, bad = [], []
        for column in table.columns:
            if isinstance(column.type, String) and not isinstance(column.type, Enum) and column.type.length:
                columns.append(column)
                bad.append(func.length(as_text(column)) > column.type.length)
        yield from _any(look, "N14", table, columns, bad, "have texts that are longer than their columns")


def _not_typed(*types: str) -> Any:
    return lambda column: func.typeof(column).not_in(types)


def _no_moment(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(func.typeof(column) != "text", func.datetime(column).is_(None))


_TYPE_CONDITIONS: Final[Mapping[Kind, Any]] = {
    Kind.NUMBER: _not_typed("real", "integer"),
    Kind.COUNT: _not_typed("integer"),
    Kind.FLAG: lambda column: or_(func.typeof(column) != "integer", column.not_in((0, 1))),
    Kind.TEXT: _not_typed("text"),
    Kind.MOMENT: _no_moment,
}


def _pasts(look: Look) -> Iterator[tuple[Table, list[Column[Any]]]]:
    for name, names in _PAST.items():
        table = look.table(name)
        yield table, [table.c[each] for each in names]


def _with_ids(look: Look) -> Iterator[Table]:
    for table in look.tables.values():
        if [column.name for column in table.primary_key.columns] == ["id"]:
            yield table


def _of_kind(table: Table, kind: Kind) -> list[Column[Any]]:
    return [column for column in table.columns if kind_of(column.type) is kind]


def _any(
    look: Look,
    code: str,
    table: Table,
    columns: Sequence[Column[Any]],
    bad: Sequence[ColumnElement[bool]],
    what: str,
) -> Iterator[Finding]:
    """Yield the rows in which any condition holds."""
    if bad:
        yield from rows_that(look, code, table, or_(*bad), [each.name for each in columns], f"rows {what}")
