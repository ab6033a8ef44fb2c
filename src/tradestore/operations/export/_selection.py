"""Which rows an export takes: the tables that were asked for, and of trades those that fit."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Table, and_, false, select, true

from tradestore._exported_columns import EXPORTED_TABLES, ExportedTable
from tradestore._filters import TradeFilter, conditions
from tradestore.base import ModelBase
from tradestore.exceptions import InvalidValue

__all__ = ["OF_TRADES", "Selection", "select_rows", "stored_table"]

OF_TRADES: Final = ("trades", "orders", "custom_data")
"""The tables whose rows are chosen by a filter: trades, and what belongs to one."""

_ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Selection:
    """What is exported.

    Attributes:
        tables: In the order in which they are written.
        conditions: All of which a trade must fulfil; none for all trades.
    """

    tables: tuple[ExportedTable, ...]
    conditions: tuple[ColumnElement[bool], ...]

    def rows_of(self, table: ExportedTable) -> ColumnElement[bool] | None:
        """Return the condition that the rows of a table fulfil, None for all of them."""
        if not self.conditions:
            return None
        if table.name == "trades":
            return and_(*self.conditions)
        trades = stored_table(EXPORTED_TABLES["trades"])
        return stored_table(table).c.ft_trade_id.in_(select(trades.c.id).where(*self.conditions))


def select_rows(
    what: str | Collection[str],
    *,
    pair: str | None,
    is_open: bool | None,
    since: datetime | None,
    until: datetime | None,
    trade_filter: TradeFilter,
) -> Selection:
    """Return what is to be exported; the arguments are those of ``export_trades``.

    Raises:
        InvalidValue: If there is no table of a name, or one that no filter of trades can choose from.
    """
    trades = stored_table(EXPORTED_TABLES["trades"]).c
    chosen = conditions(trade_filter)
    if pair is not None:
        chosen.append(trades.pair == pair)
    if is_open is not None:
        chosen.append(trades.is_open == (true() if is_open else false()))
    if since is not None:
        chosen.append(trades.open_date >= since)
    if until is not None:
        chosen.append(trades.open_date < until)
    return Selection(_tables(what, is_filtered=bool(chosen)), tuple(chosen))


def stored_table(table: ExportedTable) -> Table:
    """Return the model's table that an exported one is read from."""
    return ModelBase.metadata.tables[table.stored_as]


def _tables(what: str | Collection[str], *, is_filtered: bool) -> tuple[ExportedTable, ...]:
    names = {what} if isinstance(what, str) else set(what)
    unknown = names - EXPORTED_TABLES.keys() - {_ALL}
    if unknown or not names:
        msg = (
            f"There is nothing called {', '.join(sorted(unknown)) or 'nothing'} to export: choose from "
            f"{', '.join([_ALL, *EXPORTED_TABLES])}."
        )
        raise InvalidValue(msg)
    if _ALL in names:
        names = set(OF_TRADES) if is_filtered else set(EXPORTED_TABLES)
    if is_filtered and (others := names.difference(OF_TRADES)):
        msg = (
            f"{', '.join(sorted(others))} cannot be chosen by the pair, dates or state of trades: export them without "
            "a filter, by themselves."
        )
        raise InvalidValue(msg)
    return tuple(table for name, table in EXPORTED_TABLES.items() if name in names)
