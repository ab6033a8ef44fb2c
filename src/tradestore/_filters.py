"""What a caller asks of trades, as conditions of a query."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BinaryExpression, ColumnElement, false, true
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import False_, True_

from tradestore.base import ModelBase

__all__ = ["TradeFilter", "conditions"]

TradeFilter = Sequence[ColumnElement[bool]] | ColumnElement[bool] | None


def conditions(trade_filter: TradeFilter) -> list[ColumnElement[bool]]:
    """Return a caller's filter, which may be none, one or several, as a list of its own.

    Each of them must hold for a trade to be found.
    """
    if trade_filter is None:
        return []
    return [*map(_indexed, trade_filter if isinstance(trade_filter, Sequence) else [trade_filter])]


def _indexed(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Write ``is_(True)`` of a flag that every trade has as ``= true``: MariaDB uses no index for ``IS true``.

    Only as a condition of its own: within another one, or where an outer join leaves the trade out, the two differ.
    """
    if not isinstance(condition, BinaryExpression) or condition.operator is not operators.is_:
        return condition
    flag: Any = condition.left
    is_flag_of_trades = ModelBase.metadata.tables["trades"].columns.contains_column(flag) and not flag.nullable
    if is_flag_of_trades and isinstance(condition.right, True_ | False_):
        equal: ColumnElement[bool] = flag == (true() if isinstance(condition.right, True_) else false())
        return equal
    return condition
