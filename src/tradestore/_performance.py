"""The queries that sum up what trades brought."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Enum,
    Integer,
    Label,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from tradestore._archive_model import ArchivedProfit
from tradestore._planning import unindexed
from tradestore.base import ModelBase

__all__ = [
    "NO_TAG",
    "archived_table",
    "cost_of",
    "each_summed_query",
    "invested_in_trade",
    "mix_tag_query",
    "orders_table",
    "performance_query",
    "period_query",
    "price_of",
    "trades_table",
]

NO_TAG = "Other"


def performance_query(
    columns: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]],
    filters: Sequence[ColumnElement[bool]],
    fallback: str,
) -> Select[Any]:
    """Build a query over trades that sums them up by expressions on their columns, best profit first.

    It is a plain grouped query: a caller may add conditions, joins and further groups on columns of trades. The profit
    ratio of a group is its profit over what its entry orders invested (filled · price / leverage); 0 where nothing was
    invested. A trade without a profit counts as 0.

    Args:
        columns: To group by: columns, labels or functions. They keep their names and types.
        filters: Which trades.
        fallback: Stands for a missing value of a text; other values stay missing.

    Returns:
        A query whose rows are the columns, ``profit_ratio``, ``profit_sum_abs`` (stake currency) and ``count``.
    """
    trades = trades_table()
    shown = [_with_fallback(column, fallback) for column in columns]
    # An index in the order of the groups would lead past the one that leads to the few trades of a filter.
    groups = [unindexed(column.element if isinstance(column, Label) else column) for column in shown]
    return _sums(shown, groups, _profit(), invested_in_trade(), func.count()).select_from(trades).where(*filters)


def each_summed_query(
    name: str,
    filters: Sequence[ColumnElement[bool]],
    fallback: str,
    archived: Sequence[ColumnElement[bool]] | None = None,
) -> Select[Any]:
    """Build the query that answers as :func:`performance_query` for one text column, and may not be added to.

    It joins the orders of all trades first: for a long history that takes half the time of asking for those of each.

    Args:
        name: Of the column.
        filters: Which trades.
        fallback: Stands for a missing value.
        archived: Which of the sums of archived trades count as well; none of them if None.
    """
    here, gone = trades_table().c[name], archived_table().c[name]
    shown = func.coalesce(here, fallback).label(name)
    return _each_summed(here, shown, func.coalesce(gone, fallback).label(name), filters, archived)


def period_query(
    begin: Callable[[ColumnElement[Any]], ColumnElement[str]],
    filters: Sequence[ColumnElement[bool]],
    archived: Sequence[ColumnElement[bool]],
) -> Select[Any]:
    """Build the query that sums up trades by the period in which they were closed, best profit first.

    Args:
        begin: Returns the first day of the period that a moment is in.
        filters: Which trades.
        archived: Which of the sums of archived trades.

    Returns:
        A query whose rows are ``period`` and what :func:`performance_query` has.
    """
    closed, gone = trades_table().c.close_date, archived_table().c.closed_on
    return _each_summed(closed, begin(closed).label("period"), begin(gone).label("period"), filters, archived)


def _each_summed(
    column: ColumnElement[Any],
    here: Label[Any],
    gone: Label[Any],
    filters: Sequence[ColumnElement[bool]],
    archived: Sequence[ColumnElement[bool]] | None,
) -> Select[Any]:
    """Sum up by what follows from a column of trades, and from the like of it among the sums of archived ones."""
    # Under a name of its own: the caller's filters may ask for orders themselves.
    trades, entries = trades_table(), orders_table().alias("entry")
    # All closed trades are read as they lie there; to few of them an index leads.
    trade_id = trades.c.id if len(filters) <= 1 else unindexed(trades.c.id)
    each = (
        select(
            here,
            _profit().label("profit"),
            (func.sum(_filled_cost(entries)) / _leverage()).label("invested"),
            literal(1).label("trades"),
        )
        .select_from(trades.outerjoin(entries, _is_entry_of_trade(entries)))
        .where(*filters)
        # The id alone would do, but not every server knows that the rest follows from it.
        .group_by(trade_id, column, trades.c.close_profit_abs, trades.c.leverage)
    )
    sums = archived_table().c
    rest = select(gone, sums.close_profit_abs, sums.invested, sums.trades)
    found = (each if archived is None else union_all(each, rest.where(*archived))).subquery("each_trade").c
    group = found[here.name]
    return _sums([group], [group], found.profit, found.invested, _count_of(found.trades))


def mix_tag_query(filters: Sequence[ColumnElement[bool]], archived: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Build the query that sums up trades by entry tag and exit reason together, best profit first.

    Args:
        filters: Which trades.
        archived: Which of the sums of archived trades.

    Returns:
        A query whose rows are ``mix_tag``, ``profit_ratio`` (the sum of the trades' ratios), ``profit_sum_abs`` (stake
        currency) and ``count``.
    """
    trades, gone = trades_table().c, archived_table().c
    each_trade = select(
        func.coalesce(trades.enter_tag, NO_TAG).label("enter_tag"),
        func.coalesce(trades.exit_reason, NO_TAG).label("exit_reason"),
        func.coalesce(trades.close_profit, 0.0).label("ratio"),
        _profit().label("profit"),
        literal(1).label("trades"),
    )
    sums = select(
        func.coalesce(gone.enter_tag, NO_TAG),
        func.coalesce(gone.exit_reason, NO_TAG),
        gone.close_profit,
        gone.close_profit_abs,
        gone.trades,
    )
    each = union_all(each_trade.where(*filters), sums.where(*archived)).subquery("each_trade")
    profit = func.sum(each.c.profit)
    group = [each.c.enter_tag, each.c.exit_reason]
    return (
        select(
            (each.c.enter_tag + literal(" ") + each.c.exit_reason).label("mix_tag"),
            func.sum(each.c.ratio).label("profit_ratio"),
            profit.label("profit_sum_abs"),
            _count_of(each.c.trades).label("count"),
        )
        .group_by(*group)
        .order_by(profit.desc(), *group)
    )


def price_of(orders: Any) -> ColumnElement[float]:
    """Return the best known price of an order, for the table of orders or an alias of it."""
    return func.coalesce(orders.c.average, orders.c.price, orders.c.stop_price, orders.c.ft_price)


def cost_of(orders: Any) -> ColumnElement[float]:
    """Return what a filled order cost in stake currency, for the table of orders or an alias of it."""
    return func.coalesce(orders.c.cost, orders.c.filled * price_of(orders))


def _sums(
    shown: Sequence[ColumnElement[Any]],
    groups: Sequence[ColumnElement[Any]],
    profit: ColumnElement[float],
    invested: ColumnElement[float],
    count: ColumnElement[int],
) -> Select[Any]:
    total = func.sum(profit)
    # The costs stand here once: an engine may ask for the same orders again for a second mention.
    ratio = total / func.nullif(func.sum(invested), 0.0, type_=Double())
    return (
        select(
            *shown,
            func.coalesce(ratio, 0.0).label("profit_ratio"),
            total.label("profit_sum_abs"),
            count.label("count"),
        )
        .group_by(*groups)
        .order_by(total.desc(), *groups)
    )


def _with_fallback(column: Any, fallback: str) -> ColumnElement[Any]:
    if not isinstance(column.type, String) or isinstance(column.type, Enum):
        plain: ColumnElement[Any] = column
        return plain
    known = func.coalesce(column.element if isinstance(column, Label) else column, fallback)
    return known if column.key is None else known.label(column.key)


def _profit() -> ColumnElement[float]:
    return func.coalesce(trades_table().c.close_profit_abs, 0.0)


def _count_of(trades: ColumnElement[int]) -> ColumnElement[int]:
    # MariaDB sums whole numbers up to decimals.
    return cast(func.sum(trades), Integer)


def invested_in_trade() -> ColumnElement[float]:
    """Return what the filled entries of a trade took, None without one."""
    # Under a name of its own: the caller's filters and joins may ask for orders themselves.
    entries = orders_table().alias("entry")
    filled = select(func.sum(_filled_cost(entries))).where(_is_entry_of_trade(entries)).correlate(trades_table())
    costs: Any = filled.scalar_subquery()
    invested: ColumnElement[float] = costs / _leverage()
    return invested


def _filled_cost(orders: Any) -> ColumnElement[float]:
    cost: ColumnElement[float] = orders.c.filled * price_of(orders)
    return cost


def _leverage() -> ColumnElement[float]:
    return func.coalesce(func.nullif(trades_table().c.leverage, 0.0, type_=Double()), 1.0)


def _is_entry_of_trade(orders: Any) -> ColumnElement[bool]:
    trades = trades_table()
    entry_side = case((trades.c.is_short, "sell"), else_="buy")
    return and_(orders.c.ft_trade_id == trades.c.id, orders.c.filled > 0, orders.c.ft_order_side == entry_side)


def trades_table() -> Any:
    """Return the table of trades, whose model is built on what stands here."""
    return ModelBase.metadata.tables["trades"]


def orders_table() -> Any:
    """Return the table of orders."""
    return ModelBase.metadata.tables["orders"]


def archived_table() -> Any:
    """Return the table of what archived trades brought."""
    return ArchivedProfit.__table__
