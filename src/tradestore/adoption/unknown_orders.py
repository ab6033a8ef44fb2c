"""Orders that older trades know by their number only: placed, and not filled yet when the trade was last stored."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Table, exists, func, insert, select

from tradestore.adoption.carried_rows import CarriedRows
from tradestore.adoption.plan import ORDER_IDS

__all__ = ["store_unknown_orders"]


def store_unknown_orders(
    connection: Connection, rows: CarriedRows, places: Mapping[str, Table], new: Mapping[str, Table]
) -> None:
    """Make an order of every order number of a trade that no order has: entries and exits first, then stop losses."""
    if "orders" not in new:
        return
    orders = new["orders"]
    number = connection.scalar(select(func.max(orders.c.id))) or 0
    made: dict[tuple[str, str], dict[str, Any]] = {}
    for name in ORDER_IDS:
        for trade_id, pair, order_id, side in sorted(_known_by(connection, orders, rows, places, name)):
            if (pair, order_id) not in made:
                made[pair, order_id] = _row(number + len(made) + 1, trade_id, pair, order_id, side)
    if made:
        connection.execute(insert(orders), list(made.values()))


def _known_by(
    connection: Connection, orders: Table, rows: CarriedRows, places: Mapping[str, Table], name: str
) -> Iterator[tuple[int, str, str, str]]:
    for source, query in rows.trades_with_orders(places):
        if name not in source.c:
            continue
        carried = query.add_columns(source.c[name].label(name)).where(source.c[name].is_not(None)).subquery()
        columns = (carried.c[each] for each in ("id", "pair", name, "close_rate_requested", "is_short"))
        has_row = exists().where(orders.c.ft_pair == carried.c.pair, orders.c.order_id == carried.c[name])
        for trade_id, pair, order_id, exit_rate, is_short in connection.execute(select(*columns).where(~has_row)):
            is_buy = (exit_rate is None) != bool(is_short)
            side = "stoploss" if name == "stoploss_order_id" else "buy" if is_buy else "sell"
            yield trade_id, pair, order_id, side


def _row(number: int, trade_id: int, pair: str, order_id: str, side: str) -> dict[str, Any]:
    return {
        "id": number,
        "ft_trade_id": trade_id,
        "ft_order_side": side,
        "ft_pair": pair,
        "ft_is_open": True,
        "ft_amount": 0.0,
        "ft_price": 0.0,
        "order_id": order_id,
        "funding_fee": 0.0,
        "order_date": None,
    }
