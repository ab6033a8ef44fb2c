"""The records of `tradestore.testing` by shorter names, and what only our own suite needs beside them."""

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

from tradestore import ModelBase, Trade
from tradestore.testing.builders import CLOSED, OPENED
from tradestore.testing.builders import make_ccxt_order as ccxt_order
from tradestore.testing.builders import make_closed_trade as closed_trade
from tradestore.testing.builders import make_local_order as local_order
from tradestore.testing.builders import make_local_trade as local_trade
from tradestore.testing.builders import make_order as order
from tradestore.testing.builders import make_trade as trade
from tradestore.testing.builders import make_trade_with_entry as trade_with_entry

__all__ = [
    "CLOSED",
    "NO_MOMENTS",
    "OPENED",
    "amend",
    "ccxt_order",
    "closed_trade",
    "columns_of",
    "local_order",
    "local_trade",
    "order",
    "store",
    "trade",
    "trade_with_entry",
]


class _NotATime(datetime):
    """As other packages have it: a datetime that is none, and so unequal to itself."""

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = datetime.__hash__


NO_MOMENTS = (
    _NotATime(2026, 3, 1),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=3))),
    datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=3))),
)
"""What cannot be kept though it is a datetime: no moment at all, or none that UTC has a date for."""


def store(*records: ModelBase) -> None:
    """Add records and commit them."""
    Trade.session.add_all(records)
    Trade.commit()


def amend(record: Any, **fields: Any) -> None:
    """Set several fields of a record."""
    for name, value in fields.items():
        setattr(record, name, value)


def columns_of(record: ModelBase, *, without: Iterable[str] = ()) -> dict[str, Any]:
    """Return the values of all columns by name."""
    names = set(record.__mapper__.columns.keys()) - set(without)
    return {name: getattr(record, name) for name in sorted(names)}
