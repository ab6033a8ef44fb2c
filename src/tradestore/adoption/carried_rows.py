"""The rows that a table built anew gets: from the table that it replaces, and from a backup where rows are hidden.

Where a bot went on with an empty table beside hidden rows, its new trades have numbers that old ones have, too. The old
ones keep theirs; the new ones move up, with their orders and with what strategies remember about them.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, case, exists, false, func, or_, select, true

from tradestore.adoption.column_rules import has_old_pairs, row_of
from tradestore.adoption.hidden_rows import BOT_START, exact, row_count, was_left_out
from tradestore.adoption.plan import AdoptionPlan, TablePlan

__all__ = ["CarriedRows"]

_BELONGING: Final = ("orders", "trade_custom_data")
"""Tables whose rows belong to a trade."""


class CarriedRows:
    """Says for every table that is built anew which rows it gets.

    Args:
        connection: To the database as it was found.
        plan: What shall be built anew.
    """

    def __init__(self, connection: Connection, plan: AdoptionPlan) -> None:
        """Look which numbers are taken twice."""
        self._plan = plan
        self._dialect = connection.dialect.name
        self._shifts = {table.name: _shift(connection, table) for table in plan.tables}

    def selects(self, table: TablePlan, places: Mapping[str, Table]) -> list[Select[Any]]:
        """Return the queries that give the rows of a table, each with all of its columns in their order.

        Args:
            table: Which one.
            places: Where the tables' contents stand by now, by the names that they had; else they are where they were.
        """
        return [self._select(table, origin, places) for origin in table.origins]

    def trades_with_orders(self, places: Mapping[str, Table]) -> list[tuple[Table, Select[Any]]]:
        """Return the tables of trades that know of orders by number, each with the query for those trades."""
        trades = self._plan.of("trades")
        if trades is None:
            return []
        found = [
            (_place_of(origin, places), query)
            for origin, query in zip(trades.origins, self.selects(trades, places), strict=True)
        ]
        if trades.forgotten is not None and trades.current is not None:
            present = _place_of(trades.current, places)
            row = row_of(trades.target, trades.forgotten, self._dialect)
            query = select(*(value.label(name) for name, value in row.items()))
            orders = self._plan.of("orders")
            placed = None if orders is None or orders.current is None else orders.current
            placed = None if placed is None else _place_of(placed, places)
            found.append((trades.forgotten, query.where(was_left_out(trades.forgotten, present, placed))))
        return found

    def set_aside(self, connection: Connection) -> dict[str, int]:
        """Return how many rows belong to no trade and so are not carried over, by the table in which they stand."""
        found = {}
        for table in filter(None, map(self._plan.of, _BELONGING)):
            for origin, query in zip(table.origins, self.selects(table, {}), strict=True):
                carried = connection.scalar(select(func.count()).select_from(query.subquery())) or 0
                if left := row_count(connection, origin) - carried:
                    found[origin.name] = left
        return found

    def undecided_orders(self) -> Select[Any] | None:
        """Return a query for orders that may belong to either of two trades with one number, None if there are none."""
        orders, trades = self._plan.of("orders"), self._plan.of("trades")
        if orders is None or orders.current is None or orders.hidden is not None:
            return None
        if trades is None or not self._shifts["trades"]:
            return None
        places: dict[str, Table] = {}
        old, new = (self._is_order_of(orders.current, each, places) for each in (trades.hidden, trades.current))
        return select(orders.current.c.id, orders.current.c.ft_pair).where(old, new)

    def _select(self, table: TablePlan, origin: Table, places: Mapping[str, Table]) -> Select[Any]:
        source = _place_of(origin, places)
        turns_pairs = table.forgotten is not None and has_old_pairs(table.forgotten)
        row = row_of(table.target, source, self._dialect, turns_pairs=turns_pairs)
        is_current = origin is table.current
        shift = self._shifts[table.name]
        if shift and is_current == (table.name != "KeyValueStore"):
            row["id"] = source.c.id + shift
        if table.name in _BELONGING and is_current:
            row["ft_trade_id"] = self._trade_of(table, source, places)
        if table.name == "KeyValueStore" and is_current and table.hidden is not None:
            row["datetime_value"] = _first_start(source, _place_of(table.hidden, places), self._dialect)
        query = select(*(value.label(name) for name, value in row.items()))
        return query.where(*self._conditions(table, source, places, is_current=is_current))

    def _conditions(
        self, table: TablePlan, source: Table, places: Mapping[str, Table], *, is_current: bool
    ) -> list[ColumnElement[bool]]:
        """Return which rows can be carried over; the others stay in the backup."""
        if table.name == "orders":
            conditions: list[ColumnElement[bool]] = [source.c.ft_trade_id.is_not(None)]
            return [*conditions, self._has_trade(source, places, of_hidden=not is_current)]
        if table.name == "trade_custom_data":
            return [or_(source.c.ft_trade_id.is_(None), self._has_trade(source, places))]
        if table.name != "KeyValueStore":
            return []
        conditions = [source.c.id.in_(select(func.min(source.c.id)).group_by(exact(source.c.key, self._dialect)))]
        if not is_current and table.current is not None:
            now = _place_of(table.current, places)
            conditions.append(exact(source.c.key, self._dialect).not_in(select(exact(now.c.key, self._dialect))))
        return conditions

    def _has_trade(self, source: Table, places: Mapping[str, Table], *, of_hidden: bool = False) -> ColumnElement[bool]:
        """Return that the trade of a row exists.

        SQLite never checked that, so there such rows are as good as they were; but hidden orders of trades that were
        deleted since stay hidden.
        """
        trades = self._plan.of("trades")
        if trades is None or (self._dialect == "sqlite" and (not of_hidden or trades.hidden is not None)):
            return true()
        origins = [_place_of(each, places) for each in trades.origins]
        return or_(false(), *(source.c.ft_trade_id.in_(select(each.c.id)) for each in origins))

    def _trade_of(self, table: TablePlan, source: Table, places: Mapping[str, Table]) -> ColumnElement[Any]:
        """Return the number that the trade of a row in a current table has from now on."""
        trades, shift = self._plan.of("trades"), self._shifts.get("trades", 0)
        if trades is None or not shift:
            return source.c.ft_trade_id
        if table.name == "trade_custom_data":
            is_of_new = self._is_remembered_of_new(source, trades, places)
        elif table.hidden is not None:
            return source.c.ft_trade_id + shift  # All old orders are in the backup.
        else:
            is_of_new = self._is_order_of(source, trades.current, places)
        return case((is_of_new, source.c.ft_trade_id + shift), else_=source.c.ft_trade_id)

    def _is_order_of(self, orders: Table, trades: Table | None, places: Mapping[str, Table]) -> ColumnElement[bool]:
        """Return that a trade in a table can be the order's: it has the number and the pair."""
        if trades is None:
            return false()
        place = _place_of(trades, places)
        is_same = exact(place.c.pair, self._dialect) == exact(orders.c.ft_pair, self._dialect)
        return exists().where(place.c.id == orders.c.ft_trade_id, is_same)

    def _is_remembered_of_new(
        self, source: Table, trades: TablePlan, places: Mapping[str, Table]
    ) -> ColumnElement[bool]:
        """Return that something was noted after the first order of the new trade with that number had been placed."""
        if trades.current is None:
            return false()
        new = _place_of(trades.current, places)
        began = [exists().where(new.c.id == source.c.ft_trade_id, new.c.open_date <= source.c.created_at)]
        orders = self._plan.of("orders")
        if orders is not None and orders.current is not None:
            placed = _place_of(orders.current, places)
            is_new_order = and_(
                placed.c.ft_trade_id == source.c.ft_trade_id,
                placed.c.order_date <= source.c.created_at,
                true() if orders.hidden is not None else self._is_order_of(placed, trades.current, places),
            )
            began.append(exists().where(is_new_order))
        return or_(*began)


def _place_of(table: Table, places: Mapping[str, Table]) -> Table:
    """Return where what a table held stands by now."""
    return places.get(table.name, table)


def _shift(connection: Connection, table: TablePlan) -> int:
    """Return by how much the newer numbers have to move up, 0 if none is taken twice."""
    hidden, current = table.hidden, table.current
    if hidden is None or current is None:
        return 0
    twice = select(hidden.c.id).join(current, hidden.c.id == current.c.id).limit(1)
    if connection.execute(twice).first() is None:
        return 0
    return max(connection.scalar(select(func.max(each.c.id))) or 0 for each in (hidden, current))


def _first_start(current: Table, hidden: Table, dialect: str) -> ColumnElement[Any]:
    """Return the moment of a key; a bot that was started on an empty table took that for its first start."""
    earlier = (
        select(func.min(hidden.c.datetime_value))
        .where(
            exact(hidden.c.key, dialect) == exact(current.c.key, dialect),
            hidden.c.datetime_value < current.c.datetime_value,
        )
        .scalar_subquery()
    )
    return case(
        (current.c.key == BOT_START, func.coalesce(earlier, current.c.datetime_value)), else_=current.c.datetime_value
    )
