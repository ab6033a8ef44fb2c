"""Plain twins of stored trades: a mapped attribute takes many times as long to read as a plain one."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy.orm import class_mapper

from tradestore.base import ModelBase
from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade


def plain_trade(values: Mapping[str, Any], orders: Iterable[Mapping[str, Any]]) -> LocalTrade:
    """Return a trade in memory with the columns of a stored one, past everything that a new trade computes."""
    trade = object.__new__(LocalTrade)
    trade.__dict__.update(values)
    trade.orders = [_plain_order(order) for order in orders]
    return trade


def values_of(record: ModelBase) -> Mapping[str, Any]:
    """Return at least the columns of a record by name, loading what is not loaded; not to be changed."""
    values = record.__dict__
    columns = _columns(type(record))
    if columns <= values.keys():
        return values
    return {name: getattr(record, name) for name in columns}


def _plain_order(values: Mapping[str, Any]) -> LocalOrder:
    order = object.__new__(LocalOrder)
    order.__dict__.update(values)
    return order


@cache
def _columns(kind: type[ModelBase]) -> frozenset[str]:
    return frozenset(class_mapper(kind).column_attrs.keys())
