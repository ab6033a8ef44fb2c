"""Data frames of the mapped ``Trade`` and ``Order``: of what is in the database, or of what is given."""

from collections.abc import Iterable
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, select

from tradestore._exported_columns import EXPORTED_TABLES
from tradestore._filters import TradeFilter, conditions
from tradestore._frames import FrameLibrary, frame_of, values_of
from tradestore._session import SessionType
from tradestore.base import ModelBase
from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade

__all__ = ["OrderFrames", "TradeFrames"]


class TradeFrames:
    """The data frames of the mapped ``Trade``."""

    use_db: ClassVar[bool]
    session: ClassVar[SessionType]

    @classmethod
    def to_dataframe(
        cls,
        trades: Iterable[LocalTrade] | None = None,
        *,
        trade_filter: TradeFilter = None,
        library: FrameLibrary = "pandas",
    ) -> Any:
        """Return trades as a data frame, one row for each.

        Its columns are the fields of a trade that an export has, with the same names and units: whole numbers, floats,
        texts and flags that may be missing, and moments in UTC with their zone.

        Args:
            trades: Which; those of the database by id if None, or those in memory where no database is used.
            trade_filter: SQL expressions on the columns, all of which must hold; for trades of the database only.
            library: ``pandas`` or ``polars``.

        Raises:
            MissingPackage: If the library is not installed.
            InvalidValue: If there is no such library.
        """
        if trades is None and cls.use_db:
            return frame_of("trades", _stored("trades", cls.session, conditions(trade_filter)), library)
        given = LocalTrade.get_trades_proxy() if trades is None else trades
        return frame_of("trades", values_of("trades", given), library)


class OrderFrames:
    """The data frames of the mapped ``Order``."""

    session: ClassVar[SessionType]

    @classmethod
    def to_dataframe(
        cls,
        orders: Iterable[LocalOrder] | None = None,
        *,
        order_filter: TradeFilter = None,
        library: FrameLibrary = "pandas",
    ) -> Any:
        """Return orders as a data frame, one row for each; see :meth:`TradeFrames.to_dataframe`.

        Args:
            orders: Which; those of the database by id if None. In memory they are in ``trade.orders``.
            order_filter: SQL expressions on the columns, all of which must hold; for orders of the database only.
            library: ``pandas`` or ``polars``.

        Raises:
            MissingPackage: If the library is not installed.
            InvalidValue: If there is no such library.
        """
        if orders is None:
            return frame_of("orders", _stored("orders", cls.session, conditions(order_filter)), library)
        return frame_of("orders", values_of("orders", orders), library)


def _stored(name: str, session: SessionType, chosen: list[ColumnElement[bool]]) -> list[Any]:
    table, names = ModelBase.metadata.tables[name], EXPORTED_TABLES[name].names
    rows = session.execute(select(*(table.c[each] for each in names)).where(*chosen).order_by(table.c.id)).all()
    return list(zip(*rows, strict=True)) if rows else [()] * len(names)
