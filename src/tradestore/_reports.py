"""What closed trades brought, grouped in SQL by one function."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, bindparam, false, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from tradestore._database_only import refuse
from tradestore._filters import TradeFilter, conditions
from tradestore._performance import (
    NO_TAG,
    archived_table,
    cost_of,
    each_summed_query,
    mix_tag_query,
    orders_table,
    performance_query,
    trades_table,
)
from tradestore._planning import unindexed
from tradestore._session import SessionType
from tradestore.constants import PROFIT_DECIMALS


class BestPair(NamedTuple):
    """The pair that brought the most.

    Attributes:
        pair: Its name.
        profit_ratio: Profit over what was invested (0.01 is 1 %).
        profit_abs: In stake currency.
        count: How many trades.
    """

    pair: str
    profit_ratio: float
    profit_abs: float
    count: int  # type: ignore[assignment]  # the documented name, though every tuple has a method of that name


class TradeReports:
    """The reports of the mapped ``Trade``; in memory they are refused.

    Trades that were archived count in them as before, but where a filter is given: what it asks of a trade nobody can
    answer for those that are not here.
    """

    use_db: ClassVar[bool]
    session: ClassVar[SessionType]
    pair: Any
    is_open: Any
    close_date: Any
    enter_tag: Any
    exit_reason: Any

    @staticmethod
    def _generic_performance_query(
        columns: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]],
        filters: TradeFilter,
        fallback: str = "",
    ) -> Select[Any]:
        """Return a query over trades that sums them up by expressions, to be added to by the caller.

        See :func:`performance_query`. Over a whole history it takes up to three times as long as a report.
        """
        return performance_query(columns, conditions(filters), fallback)

    @classmethod
    def get_overall_performance(cls, start_date: datetime | None = None) -> list[dict[str, Any]]:
        """Return what each pair brought, best profit first.

        Args:
            start_date: Only of trades closed since then (UTC). Of archived trades those count that were closed on the
                days after it, or on its day if it is a midnight.
        """
        query = _performance_of_closed("pair", "", since=start_date is not None)
        rows = cls._rows(query, "get_overall_performance", since=start_date)
        return [
            {
                "pair": row.pair,
                "profit_ratio": row.profit_ratio,
                "profit": _percent(row.profit_ratio),
                "profit_pct": _percent(row.profit_ratio),
                "profit_abs": _money(row.profit_sum_abs),
                "count": row.count,
            }
            for row in rows
        ]

    @classmethod
    def get_enter_tag_performance(cls, pair: str | None) -> list[dict[str, Any]]:
        """Return what each entry tag brought, of one pair or of all, best profit first."""
        query = _performance_of_closed("enter_tag", NO_TAG, of_pair=pair is not None)
        return _report(cls._rows(query, "get_enter_tag_performance", pair=pair), "enter_tag")

    @classmethod
    def get_exit_reason_performance(cls, pair: str | None) -> list[dict[str, Any]]:
        """Return what each exit reason brought, of one pair or of all, best profit first."""
        query = _performance_of_closed("exit_reason", NO_TAG, of_pair=pair is not None)
        return _report(cls._rows(query, "get_exit_reason_performance", pair=pair), "exit_reason")

    @classmethod
    def get_mix_tag_performance(cls, pair: str | None) -> list[dict[str, Any]]:
        """Return what each entry tag and exit reason together brought, of one pair or of all, best profit first.

        The ratio of a group is the sum of its trades' ratios.
        """
        query = _mix_tags_of_closed(of_pair=pair is not None)
        return _report(cls._rows(query, "get_mix_tag_performance", pair=pair), "mix_tag")

    @classmethod
    def get_best_pair(cls, trade_filter: TradeFilter = None, *, filters: TradeFilter = None) -> BestPair | None:
        """Return the pair with the best profit, None without a closed trade.

        Args:
            trade_filter: Further SQL expressions on the columns; the caller's list stays as it is. With one, archived
                trades do not count.
            filters: More of them: the same by its other name.
        """
        filters = [*conditions(trade_filter), *conditions(filters)]
        query = each_summed_query("pair", [closed(alone=False), *filters], "").limit(1) if filters else _best_pair()
        for row in cls._rows(query, "get_best_pair"):
            return BestPair._make((row.pair, row.profit_ratio, _money(row.profit_sum_abs), row.count))
        return None

    @classmethod
    def get_trading_volume(cls, trade_filter: TradeFilter = None, *, filters: TradeFilter = None) -> float:
        """Return what everything filled cost, in stake currency.

        Args:
            trade_filter: SQL expressions on the columns of trades, and on those of the orders that are summed up; the
                caller's list stays as it is. With one, archived trades do not count.
            filters: More of them: the same by its other name.
        """
        filters = [*conditions(trade_filter), *conditions(filters)]
        rows = cls._rows(volume_query(filters) if filters else _volume(), "get_trading_volume")
        return _money(rows[0][0])

    @classmethod
    def _rows(cls, query: Select[Any], report: str, **values: Any) -> Sequence[Row[Any]]:
        if not cls.use_db:
            refuse(report)
        rows: Sequence[Row[Any]] = cls.session.execute(query, values).all()
        return rows


def closed(*, alone: bool) -> ColumnElement[bool]:
    """Return the condition that a trade is closed.

    Args:
        alone: Whether it is the only one, so that nearly all trades meet it.
    """
    is_open = trades_table().c.is_open
    return (unindexed(is_open) if alone else is_open) == false()


def volume_query(filters: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Build the query for what everything filled cost, in stake currency."""
    trades, orders = trades_table(), orders_table()
    if orders not in select(literal(1)).where(*filters).get_final_froms():
        # Only a filter that speaks of the very orders which are summed up may find them under their own name: one that
        # asks for orders in a subquery means all of a trade's.
        orders = orders.alias("placed")
    return (
        select(func.coalesce(func.sum(cost_of(orders)), 0.0))
        .select_from(orders.join(trades, orders.c.ft_trade_id == trades.c.id))
        .where(orders.c.filled > 0, *filters)
    )


@cache
def _performance_of_closed(column: str, fallback: str, *, of_pair: bool = False, since: bool = False) -> Select[Any]:
    """Return a standard report's query, which takes longer to build than many a database to answer it."""
    archived = _archived_filters(of_pair=of_pair, since=since)
    return each_summed_query(column, _standard_filters(of_pair=of_pair, since=since), fallback, archived)


@cache
def _best_pair() -> Select[Any]:
    return _performance_of_closed("pair", "").limit(1)


@cache
def _volume() -> Select[Any]:
    return select(volume_query([]).scalar_subquery() + _archived_sum("volume"))


@cache
def open_count_query() -> Select[Any]:
    """Return the query for the number of open trades."""
    return select(func.count(trades_table().c.id)).where(trades_table().c.is_open)


@cache
def open_stakes_query() -> Select[Any]:
    """Return the query for the stake of each open trade, in stake currency."""
    return select(trades_table().c.stake_amount).where(trades_table().c.is_open)


@cache
def closed_profit_query() -> Select[Any]:
    """Return the query for the profit of all closed trades together, in stake currency."""
    here = func.coalesce(func.sum(trades_table().c.close_profit_abs), 0.0)
    return select(here + _archived_sum("close_profit_abs")).where(closed(alone=True))


@cache
def _mix_tags_of_closed(*, of_pair: bool) -> Select[Any]:
    return mix_tag_query(
        _standard_filters(of_pair=of_pair, since=False), _archived_filters(of_pair=of_pair, since=False)
    )


def _standard_filters(*, of_pair: bool, since: bool) -> list[ColumnElement[bool]]:
    trades = trades_table().c
    filters = [closed(alone=not of_pair and not since)]
    if of_pair:
        filters.append(trades.pair == bindparam("pair"))
    if since:
        filters.append(trades.close_date >= bindparam("since"))
    return filters


def _archived_filters(*, of_pair: bool, since: bool) -> list[ColumnElement[bool]]:
    archived = archived_table().c
    filters = []
    if of_pair:
        filters.append(archived.pair == bindparam("pair"))
    if since:
        filters.append(archived.closed_on >= bindparam("since"))
    return filters


def _archived_sum(column: str) -> ColumnElement[float]:
    return select(func.coalesce(func.sum(archived_table().c[column]), 0.0)).scalar_subquery()


def _report(rows: Sequence[Row[Any]], name: str) -> list[dict[str, Any]]:
    return [
        {
            name: getattr(row, name),
            "profit_ratio": row.profit_ratio,
            "profit_pct": _percent(row.profit_ratio),
            "profit_abs": _money(row.profit_sum_abs),
            "count": row.count,
        }
        for row in rows
    ]


def _money(total: float) -> float:
    """Take away what adding floats added: every profit that went in has 8 decimals."""
    return round(total, PROFIT_DECIMALS)


def _percent(ratio: float) -> float:
    return round(ratio * 100, 2)
