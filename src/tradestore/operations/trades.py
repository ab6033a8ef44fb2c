"""Trades as an operator looks at them: one page of a list, or one with all that belongs to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement

from tradestore.accounting.explanation import TradeExplanation
from tradestore.exceptions import InvalidValue
from tradestore.operations.opening import Place, open_to_read
from tradestore.trade_model import Trade

__all__ = ["TradeDetails", "TradesPage", "explain_trade", "list_trades", "read_trade", "stored_trade"]


@dataclass(frozen=True, slots=True)
class TradesPage:
    """Some trades of a list.

    Attributes:
        trades: What ``Trade.to_json`` gives of each.
        next: After which id the next page begins; None if this is the last one.
    """

    trades: tuple[Mapping[str, Any], ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class TradeDetails:
    """A trade with all that belongs to it.

    Attributes:
        trade: What ``Trade.to_json`` gives of it, but for its orders.
        orders: What ``Order.to_json`` gives of each of its orders, those that were never filled included.
        custom_data: What was remembered for it, by key.
    """

    trade: Mapping[str, Any]
    orders: tuple[Mapping[str, Any], ...]
    custom_data: Mapping[str, Any]


def list_trades(
    place: Place,
    *,
    is_open: bool | None = None,
    pair: str | None = None,
    strategy: str | None = None,
    since: datetime | None = None,
    limit: int = 20,
    after: int | None = None,
) -> TradesPage:
    """Return a page of trades, the latest first; nothing is changed.

    Args:
        place: A database URL, or the database that is open.
        is_open: Only open or only closed ones; None for both.
        pair: Only of this one.
        strategy: Only of this one.
        since: Only those that were opened then or later (UTC).
        limit: How many at most, 1 to 10,000.
        after: Where the page before has ended, its ``next``.

    Raises:
        InvalidValue: If limit or position are none.
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: Likewise.
    """
    conditions: list[ColumnElement[bool]] = []
    if is_open is not None:
        conditions.append(Trade.is_open == is_open)
    if pair is not None:
        conditions.append(Trade.pair == pair)
    if strategy is not None:
        conditions.append(Trade.strategy == strategy)
    if since is not None:
        conditions.append(Trade.open_date >= since)
    with open_to_read(place):
        page = Trade.get_trades_page(after=after, limit=limit, trade_filter=conditions, newest_first=True)
        return TradesPage(tuple(each.to_json() for each in page), page[-1].id if len(page) == limit else None)


def read_trade(place: Place, trade_id: int) -> TradeDetails:
    """Return a trade with its orders and what was remembered for it; nothing is changed.

    Args:
        place: A database URL, or the database that is open.
        trade_id: Which one.

    Raises:
        InvalidValue: If there is none with this id.
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: Likewise.
    """
    with open_to_read(place) as store:
        trade = stored_trade(store.url, trade_id)
        values = trade.to_json()
        del values["orders"]
        return TradeDetails(
            values,
            tuple(order.to_json(trade.entry_side) for order in trade.orders),
            {entry.cd_key: entry.value for entry in trade.get_all_custom_data()},
        )


def explain_trade(place: Place, trade_id: int) -> TradeExplanation:
    """Return what each order of a trade did to it, with the steps of rounding; nothing is changed.

    Args:
        place: A database URL, or the database that is open.
        trade_id: Which one.

    Raises:
        InvalidValue: If there is none with this id.
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it, or if the trade's mode,
            a precision mode, or the exchange of a margin trade is unknown.
        DatabaseBusy: Likewise.
    """
    with open_to_read(place) as store:
        return stored_trade(store.url, trade_id).explain()


def stored_trade(url: str, trade_id: int) -> Trade:
    """Return a trade of the database that is open.

    Args:
        url: Of the database, for the message.
        trade_id: Which one.

    Raises:
        InvalidValue: If there is none with this id.
    """
    found = Trade.get_trades([Trade.id == trade_id]).first()
    if found is None:
        msg = f"There is no trade {trade_id} in {url}: see `tradestore trades`."
        raise InvalidValue(msg)
    return found
