"""Stored trades with their orders, read page by page, and what follows from the orders by the library's own math."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Connection, Table, func, select

from tradestore._plain_twin import plain_trade
from tradestore._stored_values import Kind, StoredTable
from tradestore.enums import TradingMode
from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade
from tradestore.operations.doctor._look import Look
from tradestore.operations.doctor.quick_sums import HELD_FIELDS, quick_totals

__all__ = ["DUST", "Story", "count_of_trades", "stories"]

_PAGE: Final = 500
"""Trades that are read at once."""

DUST: Final = 0.01
"""The part of a position that may stay behind: an exchange's fee, or what is too little to be sold."""

_ROUNDED: Final = 1e-8
"""What rounding to 8 decimals may change, on two ways of calculating."""
_RELATIVE: Final = 5e-8
"""What the amount that is rounded to 8 decimals may change in what it is worth."""

_DIGITS: Final = 6
_SHORT: Final = 2e-5
"""What 6 digits may change in a product of two numbers, and in what is kept of it."""

_SIDES: Final = frozenset({"buy", "sell", "stoploss"})

_Row = dict[str, Any]


class Story:
    """A trade with its orders, as they are stored.

    Attributes:
        trade: In memory, past everything that a new one computes.
        orders: Of the trade, in the order in which they were placed.
        fills: The orders that count: as :meth:`LocalTrade.recalc_trade_from_orders` chooses them.
        entries: The fills that added to the position.
        exits: The fills that took from the position.
    """

    def __init__(self, trade: LocalTrade) -> None:
        """Take a trade with its orders."""
        self.trade = trade
        self.orders: Sequence[LocalOrder] = trade.orders
        side = trade.entry_side
        self.fills = [
            order
            for order in self.orders
            if order.filled
            and not order.ft_is_open
            and (order.average or order.price or order.stop_price or order.ft_price) is not None
        ]
        self.entries = [order for order in self.fills if order.ft_order_side == side]
        self.exits = [order for order in self.fills if order.ft_order_side != side]

    @cached_property
    def entered(self) -> float:
        """The amount of all entries together, in base currency."""
        return sum(_amount_of(order) for order in self.entries)

    @cached_property
    def left(self) -> float:
        """What the orders leave in the position, in base currency; below 0 where more was sold than held."""
        return self.entered - sum(_amount_of(order) for order in self.exits)

    @cached_property
    def entry_cost(self) -> float:
        """What all entries together cost, in stake currency, without fees and with what was borrowed."""
        return sum(_amount_of(order) * (order.safe_price or 0.0) for order in self.entries)

    @property
    def is_dust_left(self) -> bool:
        """Whether nothing is left that could be sold."""
        return abs(self.left) <= DUST * self.entered

    @cached_property
    def is_told(self) -> bool:
        """Whether the orders tell all of what the trade is, so that its totals can be held against them."""
        trade = self.trade
        return (
            bool(self.entries)
            and all(order.ft_order_side in _SIDES for order in self.orders)
            and all(order.safe_price for order in self.fills)
            # Whoever sold more had it from elsewhere, and nobody knows at what cost.
            and self.left >= -self.tolerance("amount", _SHORT if self.is_short_of_digits else _ROUNDED)
            and (self.is_dust_left and bool(self.exits)) is not bool(trade.is_open)
            and not self._fee_is_untold
        )

    @cached_property
    def is_funding_told(self) -> bool:
        """Whether the orders tell the funding fees: older ones have none, or 0, while the trade has the sum."""
        trade = self.trade
        if trade.trading_mode != TradingMode.FUTURES or not trade.funding_fees or trade.funding_fee_running:
            return True
        return all(o.funding_fee is not None for o in self.fills) and any(o.funding_fee for o in self.fills)

    @property
    def _fee_is_untold(self) -> bool:
        """Whether the exchange took its fee from what was bought, and the orders are older than the note of it."""
        trade = self.trade
        return trade.fee_open_currency is not None and (
            trade.fee_open_currency == trade.safe_base_currency
            and any(order.ft_fee_base is None for order in self.entries)
        )

    @cached_property
    def sums_are_right(self) -> bool:
        """Whether it can be told at once that all totals are what the orders tell."""
        trade = self.trade
        try:
            told = quick_totals(trade, self.fills, self.entered)
        except ArithmeticError:  # Such as a fee of all that there is.
            return False
        if told is None or (self.exits and (trade.close_profit is None or trade.close_profit_abs is None)):
            return False
        for column, total in told.items():
            difference = abs((getattr(trade, column) or 0.0) - total)
            # Half of what is always tolerated, and else half of what is tolerated here.
            if difference > _ROUNDED and difference > self.tolerance(column) / 2:
                return False
        return True

    @cached_property
    def expected(self) -> Mapping[str, float | None]:
        """The totals computed anew from the orders; those on which the orders say nothing are left out."""
        return self._computed(rounding=True)

    @cached_property
    def unrounded(self) -> Mapping[str, float | None]:
        """The same without rounding to the exchange's precision, which older trades did not do."""
        return self._computed(rounding=False)

    def agrees(self, column: str) -> bool:
        """Say whether the trade has what its orders tell, but for rounding; nothing is 0 here."""
        found: float = getattr(self.trade, column) or 0.0
        tolerance = self.tolerance(column, _SHORT if self.is_short_of_digits and _is_short(found) else 0.0)
        if abs(found - (self.expected.get(column) or 0.0)) <= tolerance:
            return True
        return abs(found - (self.unrounded.get(column) or 0.0)) <= tolerance

    @cached_property
    def is_short_of_digits(self) -> bool:
        """Whether all numbers of the orders are of 6 digits: as they come out of MariaDB's columns of 4 bytes."""
        return all(_is_short(o.filled) and _is_short(o.ft_fee_base) and _is_short(o.safe_price) for o in self.fills)

    def tolerance(self, column: str, more: float = 0.0) -> float:
        """Return by how much a total may differ from what the orders tell.

        Args:
            column: Of the total.
            more: What the numbers may be off besides, in proportion to them.
        """
        steps = _ROUNDED * (len(self.fills) + 1)
        match column:
            case "amount":
                return steps + more * self.entered
            case "open_rate":
                return steps + (1e-9 + more) * (self.trade.open_rate or 0.0)
            case "close_profit":
                leverage = self.trade.leverage or 1.0
                # The profit has been rounded before it is divided.
                return steps * (1 + leverage / self.entry_cost) + _RELATIVE + more * leverage
            case _:
                return steps + (_RELATIVE + more) * self.entry_cost

    def _computed(self, *, rounding: bool) -> dict[str, float | None]:
        whole = self._recomputed(self.orders, rounding)
        told: dict[str, float | None] = {"max_stake_amount": whole.max_stake_amount, "funding_fees": whole.funding_fees}
        if self.exits:
            told |= {
                "realized_profit": whole.realized_profit,
                "close_profit": whole.close_profit,
                "close_profit_abs": whole.close_profit_abs,
            }
        if self.trade.is_open:
            holding = whole
        elif whole.amount or not self.exits:
            return told
        else:
            # A closed trade keeps what the last exit found.
            last = self.orders.index(self.exits[-1])
            holding = self._recomputed([*self.orders[:last], *self.orders[last + 1 :]], rounding)
        if holding.amount:
            told |= {name: getattr(holding, name) for name in HELD_FIELDS}
        return told

    def _recomputed(self, orders: Sequence[LocalOrder], rounding: bool) -> LocalTrade:
        twin = object.__new__(LocalTrade)
        twin.__dict__.update(self.trade.__dict__)
        twin.orders = list(orders)
        twin.amount = 0.0  # It stays so if the orders leave nothing.
        if not rounding:
            twin.amount_precision = twin.price_precision = None
        twin.recalc_trade_from_orders()
        return twin


def _amount_of(order: LocalOrder) -> float:
    # Floats are enough to tell what is left from dust, and take a tenth of the time of decimals.
    return (order.filled or 0.0) - (order.ft_fee_base or 0.0)


def _is_short(number: float | None) -> bool:
    return not number or float(f"{number:.{_DIGITS}g}") == number


def stories(look: Look) -> Iterator[tuple[Story, int]]:
    """Yield every trade whose values can be told, with how many trades have been gone through.

    Those whose values are not of their columns' types are left to the checks of values.

    Args:
        look: Whose store is read.
    """
    trades, orders = look.table("trades"), look.table("orders")
    last, done = None, 0
    while True:
        query = select(trades.c.id).order_by(trades.c.id).limit(_PAGE)
        ids = look.connection.scalars(query if last is None else query.where(trades.c.id > last)).all()
        if not ids:
            return
        first, last = ids[0], ids[-1]
        placed: defaultdict[int, list[_Row]] = defaultdict(list)
        unusable = set()
        for row, is_sound in _rows(look.connection, orders, orders.c.ft_trade_id, first, last):
            placed[row["ft_trade_id"]].append(row)
            if not is_sound:
                unusable.add(row["ft_trade_id"])
        for row, is_sound in _rows(look.connection, trades, trades.c.id, first, last):
            done += 1
            if is_sound and row["id"] not in unusable and _name_mode(row):
                yield Story(plain_trade(row, placed.get(row["id"], ()))), done


def count_of_trades(look: Look) -> int:
    """Return how many trades there are."""
    return int(look.connection.execute(select(func.count()).select_from(look.table("trades"))).scalar_one())


def _rows(connection: Connection, table: Table, by: Any, first: int, last: int) -> Iterator[tuple[_Row, bool]]:
    stored = StoredTable(table)
    names = [column.name for column in stored.columns]
    for batch in stored.batches(connection, where=by.between(first, last), order=[table.c.id]):
        doubts = [
            (place, kind, bool(column.nullable))
            for place, (kind, column) in enumerate(zip(stored.kinds, stored.columns, strict=True))
            if not _all_sound(kind, batch[place], nullable=bool(column.nullable))
        ]
        if not doubts:
            for values in zip(*batch, strict=True):
                yield dict(zip(names, values, strict=True)), True
            continue
        for values in zip(*batch, strict=True):
            is_sound = all(_is_sound(kind, values[place], nullable=nullable) for place, kind, nullable in doubts)
            yield dict(zip(names, values, strict=True)), is_sound


_TYPES: Final[Mapping[Kind, type]] = {
    Kind.FLAG: bool,
    Kind.NUMBER: float,
    Kind.COUNT: int,
    Kind.TEXT: str,
    Kind.MOMENT: datetime,
}


def _all_sound(kind: Kind, values: Sequence[Any], *, nullable: bool) -> bool:
    allowed = {_TYPES[kind], type(None)} if nullable else {_TYPES[kind]}
    if not allowed.issuperset(set(map(type, values))):
        return False
    return kind is not Kind.NUMBER or math.isfinite(sum(value for value in values if value is not None))


def _is_sound(kind: Kind, value: Any, *, nullable: bool) -> bool:
    if value is None:
        return nullable
    return type(value) is _TYPES[kind] and (not isinstance(value, float) or math.isfinite(value))


def _name_mode(row: _Row) -> bool:
    """Put the trading mode in place of the name that the table has; say whether there is such a one."""
    name = row["trading_mode"]
    if name is None:
        return True
    if name not in TradingMode.__members__:
        return False
    row["trading_mode"] = TradingMode[name]
    return True
