"""What closed trades brought, by whatever they are grouped by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, String, func, literal_column

from tradestore._performance import (
    NO_TAG,
    archived_table,
    each_summed_query,
    mix_tag_query,
    performance_query,
    trades_table,
)
from tradestore._reports import closed
from tradestore.constants import PROFIT_DECIMALS
from tradestore.operations.opening import Place, open_to_read
from tradestore.trade_model import Trade

__all__ = ["Grouping", "PerformanceGroup", "read_performance"]

_TO_THE_SECOND: Final = 19
"""Characters of a moment: with its fraction, SQLite would round the end of a day up to the next one."""

_Period = Callable[[ColumnElement[Any]], ColumnElement[str]]


class Grouping(StrEnum):
    """What closed trades are grouped by."""

    PAIR = "pair"
    ENTER_TAG = "enter_tag"
    EXIT_REASON = "exit_reason"
    MIX_TAG = "mix_tag"
    """Entry tag and exit reason together."""
    DAY = "day"
    WEEK = "week"
    """From Monday on, by the date of closing (UTC), as day and month are."""
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceGroup:
    """What some closed trades brought together.

    Attributes:
        group: What they have in common: a pair, a tag, or the first day of a day, week or month (UTC).
        count: How many they are.
        profit_abs: In stake currency.
        profit_ratio: Profit over what was invested (0.01 is 1 %); by ``mix_tag`` the sum of the trades' ratios.
    """

    group: str
    count: int
    profit_abs: float
    profit_ratio: float


def read_performance(
    place: Place, by: Grouping | str = Grouping.PAIR, *, since: datetime | None = None
) -> tuple[PerformanceGroup, ...]:
    """Return what closed trades brought; nothing is changed.

    Args:
        place: A database URL, or the database that is open.
        by: What they are grouped by.
        since: Only those that were closed then or later (UTC).

    Returns:
        The groups, the best profit first, or the latest day, week or month first.

    Raises:
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: Likewise.
    """
    by = Grouping(by)
    filters = [closed(alone=since is None)]
    if since is not None:
        filters.append(trades_table().c.close_date >= since)
    archived = [] if since is None else [archived_table().c.closed_on >= since]
    with open_to_read(place) as store:
        rows = Trade.session.execute(_query(by, filters, archived, store.engine.dialect.name)).all()
    found = tuple(
        PerformanceGroup(group=group, count=count, profit_abs=round(profit, PROFIT_DECIMALS), profit_ratio=ratio)
        for group, ratio, profit, count in rows
    )
    is_period = by in {Grouping.DAY, Grouping.WEEK, Grouping.MONTH}
    return tuple(sorted(found, key=lambda each: each.group, reverse=True)) if is_period else found


def _query(
    by: Grouping, filters: list[ColumnElement[bool]], archived: list[ColumnElement[bool]], engine: str
) -> Select[Any]:
    match by:
        case Grouping.PAIR:
            return each_summed_query("pair", filters, "", archived)
        case Grouping.ENTER_TAG | Grouping.EXIT_REASON:
            return each_summed_query(by.value, filters, NO_TAG, archived)
        case Grouping.MIX_TAG:
            return mix_tag_query(filters, archived)
        case _:
            begin = _FIRST_DAY[engine][by](trades_table().c.close_date)
            return performance_query([begin.label("period")], filters, "")


def _sqlite(*modifiers: str) -> _Period:
    # Written out: the same value twice, as two parameters, would be two expressions to a server.
    written: list[ColumnElement[str]] = [literal_column(f"'{each}'") for each in modifiers]
    whole: list[ColumnElement[int]] = [literal_column("1"), literal_column(str(_TO_THE_SECOND))]
    return lambda date: func.date(func.substr(date, *whole), *written, type_=String())


def _postgresql(period: str) -> _Period:
    form: ColumnElement[str] = literal_column("'YYYY-MM-DD'")
    return lambda date: func.to_char(func.date_trunc(literal_column(f"'{period}'"), date), form, type_=String())


def _mysql(form: str, *, from_monday: bool = False) -> _Period:
    def first_day(date: ColumnElement[Any]) -> ColumnElement[str]:
        begin = func.subdate(date, func.weekday(date)) if from_monday else date
        return func.date_format(begin, literal_column(f"'{form}'"), type_=String())

    return first_day


_MYSQL: Final = {
    Grouping.DAY: _mysql("%Y-%m-%d"),
    Grouping.WEEK: _mysql("%Y-%m-%d", from_monday=True),
    Grouping.MONTH: _mysql("%Y-%m-01"),
}
_FIRST_DAY: Final[Mapping[str, Mapping[Grouping, _Period]]] = {
    "sqlite": {
        Grouping.DAY: _sqlite(),
        Grouping.WEEK: _sqlite("weekday 0", "-6 days"),
        Grouping.MONTH: _sqlite("start of month"),
    },
    "postgresql": {each: _postgresql(each.value) for each in (Grouping.DAY, Grouping.WEEK, Grouping.MONTH)},
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}
