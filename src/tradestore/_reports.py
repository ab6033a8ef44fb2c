"""What closed trades brought, grouped in SQL by one function."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from tradestore.base import ModelBase

NO_TAG = "Other"


def performance_query(
    columns: Sequence[InstrumentedAttribute[Any]],
    filters: Sequence[ColumnElement[bool]],
    fallback: str,
) -> Select[Any]:
    """Build the query that sums up trades by some of their columns, best profit first.

    The profit ratio of a group is its profit over what its entry orders invested (filled · price / leverage); 0 where
    nothing was invested. A trade without a profit counts as 0.

    Args:
        columns: To group by.
        filters: Which trades.
        fallback: Stands for a missing value of a column.

    Returns:
        A query whose rows are the columns, ``profit_ratio``, ``profit_sum_abs`` (stake currency) and ``count``.
    """
    trades, invested = _trades(), _invested_per_trade()
    names = [column.key for column in columns]
    each = (
        select(
            *(func.coalesce(trades.c[name], fallback).label(name) for name in names),
            func.coalesce(trades.c.close_profit_abs, 0.0).label("profit"),
            func.coalesce(invested.c.invested, 0.0).label("invested"),
        )
        .select_from(trades.outerjoin(invested, invested.c.trade_id == trades.c.id))
        .where(*filters)
        .subquery("each_trade")
    )
    profit, cost = func.sum(each.c.profit), func.sum(each.c.invested)
    group = [each.c[name] for name in names]
    return (
        select(
            *group,
            case((cost > 0, profit / cost), else_=0.0).label("profit_ratio"),
            profit.label("profit_sum_abs"),
            func.count().label("count"),
        )
        .group_by(*group)
        .order_by(profit.desc(), *group)
    )


def mix_tag_query(filters: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Build the query that sums up trades by entry tag and exit reason together, best profit first.

    Returns:
        A query whose rows are ``mix_tag``, ``profit_ratio`` (the sum of the trades' ratios), ``profit_sum_abs`` (stake
        currency) and ``count``.
    """
    trades = _trades()
    each = (
        select(
            func.coalesce(trades.c.enter_tag, NO_TAG).label("enter_tag"),
            func.coalesce(trades.c.exit_reason, NO_TAG).label("exit_reason"),
            func.coalesce(trades.c.close_profit, 0.0).label("ratio"),
            func.coalesce(trades.c.close_profit_abs, 0.0).label("profit"),
        )
        .where(*filters)
        .subquery("each_trade")
    )
    profit = func.sum(each.c.profit)
    group = [each.c.enter_tag, each.c.exit_reason]
    return (
        select(
            (each.c.enter_tag + literal(" ") + each.c.exit_reason).label("mix_tag"),
            func.sum(each.c.ratio).label("profit_ratio"),
            profit.label("profit_sum_abs"),
            func.count().label("count"),
        )
        .group_by(*group)
        .order_by(profit.desc(), *group)
    )


def volume_query(filters: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Build the query for what everything filled cost, in stake currency."""
    trades, orders = _trades(), _orders()
    cost = func.coalesce(orders.c.cost, orders.c.filled * _price())
    return (
        select(func.coalesce(func.sum(cost), 0.0))
        .select_from(orders.join(trades, orders.c.ft_trade_id == trades.c.id))
        .where(orders.c.filled > 0, *filters)
    )


def report_rows(rows: Sequence[Any], *names: str) -> list[dict[str, Any]]:
    """Return report rows as dicts: the named columns, the profit as ratio, percentage and money, and the count."""
    return [
        {
            **{name: getattr(row, name) for name in names},
            "profit_ratio": row.profit_ratio,
            "profit_pct": round(row.profit_ratio * 100, 2),
            "profit_abs": row.profit_sum_abs,
            "count": row.count,
        }
        for row in rows
    ]


def _invested_per_trade() -> Any:
    trades, orders = _trades(), _orders()
    entry_side = case((trades.c.is_short, "sell"), else_="buy")
    leverage = func.coalesce(func.nullif(trades.c.leverage, 0.0), 1.0)
    return (
        select(
            orders.c.ft_trade_id.label("trade_id"),
            func.sum(orders.c.filled * _price() / leverage).label("invested"),
        )
        .select_from(orders.join(trades, orders.c.ft_trade_id == trades.c.id))
        .where(orders.c.filled > 0, orders.c.ft_order_side == entry_side)
        .group_by(orders.c.ft_trade_id)
        .subquery("invested")
    )


def _price() -> ColumnElement[float]:
    orders = _orders()
    return func.coalesce(orders.c.average, orders.c.price, orders.c.stop_price, orders.c.ft_price)


def _trades() -> Any:
    return ModelBase.metadata.tables["trades"]


def _orders() -> Any:
    return ModelBase.metadata.tables["orders"]
