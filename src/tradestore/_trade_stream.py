"""JSON of many trades, one batch at a time, past the objects that the session would make of them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

from sqlalchemy import ColumnElement, Row, select

from tradestore._database_only import refuse
from tradestore._filters import TradeFilter, conditions
from tradestore._plain_twin import plain_trade
from tradestore._planning import unindexed
from tradestore._session import SessionType
from tradestore._trade_json import trade_to_json, without_orders
from tradestore.base import ModelBase

BATCH: Final = 500
"""Trades that are read at once."""


class TradeStream:
    """The stream of the mapped ``Trade``; in memory it is refused."""

    use_db: ClassVar[bool]
    session: ClassVar[SessionType]

    @classmethod
    def get_trades_json(
        cls, trade_filter: TradeFilter = None, *, minified: bool = False, include_orders: bool = True
    ) -> Iterator[dict[str, Any]]:
        """Yield what ``to_json`` gives of the matching trades, by id.

        However many they are, only 500 are in memory at a time. What counts is what is stored: changes that wait for
        a commit are not seen.

        Args:
            trade_filter: SQL expressions on the columns of trades, all of which must hold.
            minified: Orders carry only what a backtest's result needs.
            include_orders: Without them, whatever only orders tell is left out as well.

        Raises:
            NotImplementedError: In memory mode.
        """
        if not cls.use_db:
            refuse("get_trades_json")
        return _stream(cls.session, conditions(trade_filter), minified, include_orders)


def _stream(
    session: SessionType, filters: list[ColumnElement[bool]], minified: bool, include_orders: bool
) -> Iterator[dict[str, Any]]:
    trades = ModelBase.metadata.tables["trades"]
    names = trades.columns.keys()
    query = select(trades).where(*filters).order_by(trades.c.id).limit(BATCH)
    last = None
    while True:
        rows = session.execute(query if last is None else query.where(trades.c.id > last)).all()
        if rows:
            last = rows[-1].id
        orders = _orders_of(session, rows) if include_orders else {}
        for row in rows:
            twin = plain_trade(dict(zip(names, row, strict=True)), orders.get(row.id, ()))
            found = trade_to_json(twin, minified=minified)
            yield found if include_orders else without_orders(found)
        if len(rows) < BATCH:
            return


def _orders_of(session: SessionType, trades: Sequence[Row[Any]]) -> dict[int, list[dict[str, Any]]]:
    orders = ModelBase.metadata.tables["orders"]
    found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    if trades:
        names = orders.columns.keys()
        query = select(orders).where(orders.c.ft_trade_id.in_([trade.id for trade in trades]))
        for row in session.execute(query.order_by(unindexed(orders.c.id))):
            found[row.ft_trade_id].append(dict(zip(names, row, strict=True)))
    return found
