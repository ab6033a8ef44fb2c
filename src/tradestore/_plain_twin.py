"""Plain twins of stored trades: a mapped attribute takes many times as long to read as a plain one."""

from collections.abc import Iterable, Mapping
from typing import Any

from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade


def plain_trade(values: Mapping[str, Any], orders: Iterable[Mapping[str, Any]]) -> LocalTrade:
    """Return a trade in memory with the columns of a stored one, past everything that a new trade computes."""
    trade = object.__new__(LocalTrade)
    trade.__dict__.update(values)
    trade.orders = [_plain_order(order) for order in orders]
    return trade


def _plain_order(values: Mapping[str, Any]) -> LocalOrder:
    order = object.__new__(LocalOrder)
    order.__dict__.update(values)
    return order
