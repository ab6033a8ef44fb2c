"""Trades page by page: each page costs the same, wherever it stands."""

import operator
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, SupportsIndex

from sqlalchemy import ColumnElement, Select, and_, exists, false, inspect, or_, select
from sqlalchemy.orm import selectinload

from tradestore._database_only import refuse
from tradestore._filters import TradeFilter, conditions
from tradestore._session import SessionType
from tradestore.base import ModelBase
from tradestore.exceptions import InvalidValue
from tradestore.local_trade import LocalTrade

if TYPE_CHECKING:
    from sqlalchemy.orm import InstanceState

    from tradestore.trade_model import Trade

PageOrder = Literal["id", "close_date"]

LONGEST_PAGE: Final = 10_000


class TradePages:
    """The pages of the mapped ``Trade``; in memory they are refused."""

    use_db: ClassVar[bool]
    session: ClassVar[SessionType]
    id: Any
    is_open: Any
    close_date: Any
    orders: Any

    @classmethod
    def get_trades_page(
        cls,
        *,
        after: SupportsIndex | LocalTrade | None = None,
        limit: int = 100,
        trade_filter: TradeFilter = None,
        include_orders: bool = True,
        newest_first: bool = False,
        by: PageOrder = "id",
    ) -> list["Trade"]:
        """Return one page of the matching trades; a page that is shorter than the limit is the last one.

        Trades that are added between two pages make no later page repeat or leave out one that was there before.

        Args:
            after: The last trade of the page before, or its id; None for the first page.
            limit: How many trades at most, 1 to 10,000.
            trade_filter: SQL expressions on the columns, all of which must hold; the same for every page.
            include_orders: Whether orders are loaded too, with one more statement for each 500 trades; as in
                ``get_trades_query``.
            newest_first: Whether the latest come first, on every page.
            by: ``id``, the order in which trades were stored, or ``close_date``, then closed trades only.

        Raises:
            InvalidValue: If limit, order or position are none.
            NotImplementedError: In memory mode.
        """
        if not cls.use_db:
            refuse("get_trades_page")
        limit = _checked_limit(limit)
        if by not in {"id", "close_date"}:
            msg = f"Trades are paged by 'id' or by 'close_date', not by {by!r}."
            raise InvalidValue(msg)
        position = None if after is None else _id_of(after)
        filters = conditions(trade_filter)
        if by == "close_date":
            filters += [cls.is_open == false(), cls.close_date.is_not(None)]
        if position is not None:
            filters.append(cls._beyond(position, after, by, newest_first))
        page = list(cls.session.scalars(cls._page_query(filters, include_orders, newest_first, by).limit(limit)))
        if not page and by == "close_date" and position is not None:
            cls._refuse_lost_position(position, after)
        return page

    @classmethod
    def _page_query(
        cls, filters: list[ColumnElement[bool]], include_orders: bool, newest_first: bool, by: PageOrder
    ) -> Select["Trade"]:
        keys = [cls.id] if by == "id" else [cls.close_date, cls.id]
        if include_orders:
            # Asks for the orders of the trades that came; the subquery of other questions would ask for the page again.
            query: Select[Any] = select(cls).where(*filters).options(selectinload(cls.orders))
        else:
            mapped: Any = cls
            query = mapped.get_trades_query(filters, include_orders=False)
        return query.order_by(*(key.desc() if newest_first else key for key in keys))

    @classmethod
    def _beyond(cls, position: int, after: Any, by: PageOrder, newest_first: bool) -> ColumnElement[bool]:
        later = operator.lt if newest_first else operator.gt
        if by == "id":
            beyond: ColumnElement[bool] = later(cls.id, position)
            return beyond
        edge: Any = _close_date_of(after)
        if edge is None:
            edge = select(cls.close_date).where(cls.id == position, cls.is_open == false()).scalar_subquery()
        # The first condition is where an index can begin, on every engine.
        from_edge = operator.le if newest_first else operator.ge
        return and_(from_edge(cls.close_date, edge), or_(later(cls.close_date, edge), later(cls.id, position)))

    @classmethod
    def _refuse_lost_position(cls, position: int, after: Any) -> None:
        if _close_date_of(after) is not None:
            return
        is_closed = exists().where(cls.id == position, cls.is_open == false(), cls.close_date.is_not(None))
        if not cls.session.scalar(select(is_closed)):
            msg = (
                f"There is no closed trade with the id {position} to go on after: begin with the first page, "
                "or pass the trade itself, with the values that were read."
            )
            raise InvalidValue(msg)


def _checked_limit(limit: Any) -> int:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= LONGEST_PAGE:
        msg = f"The limit of a page is a whole number from 1 to {LONGEST_PAGE}, not {limit!r}."
        raise InvalidValue(msg)
    return limit


def _id_of(after: Any) -> int:
    try:
        position = operator.index(_stored_id(after) if isinstance(after, LocalTrade) else after)
    except TypeError:
        position = None
    if position is None or isinstance(after, bool) or not abs(position) < 2**31:
        msg = f"A page goes on after a trade or its id, not after {_shown(after)}."
        raise InvalidValue(msg)
    return position


def _stored_id(trade: LocalTrade) -> Any:
    """Return a trade's id without asking for its row, which may be gone by now."""
    state: InstanceState[Any] | None = inspect(trade, raiseerr=False)
    return state.identity[0] if state is not None and state.identity else trade.id


def _shown(after: Any) -> str:
    if isinstance(after, LocalTrade):
        return "one that was never stored"
    # What an object of the session is called may be a question to the database.
    return f"an object of {type(after).__name__}" if isinstance(after, ModelBase) else repr(after)


def _close_date_of(after: Any) -> datetime | None:
    """Return where a trade that was handed in stood: it may have been removed or changed by now.

    None for an id, and for a trade whose values were given up since: where that one stands, only the database knows.
    """
    return vars(after).get("close_date") if isinstance(after, LocalTrade) else None
