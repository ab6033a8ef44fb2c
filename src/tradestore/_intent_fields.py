"""What an intent remembers of its trade, as JSON: the fields of one to be made, or what a stored one is known by.

Every value is brought into the form in which a table would give it back before it is written, so that what was written
once can always be made a trade of.
"""

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from enum import Enum as Choices
from typing import Any, NamedTuple

from sqlalchemy import Column, DateTime, Enum
from sqlalchemy.orm import class_mapper

from tradestore._clock import as_naive_utc, utc_now
from tradestore._sqltypes import UtcDateTime, storable
from tradestore.accounting._decimal import divide, exact, multiply
from tradestore.exceptions import InvalidValue
from tradestore.trade_model import Trade

__all__ = [
    "StoredTrade",
    "fields_of_new_trade",
    "new_trade",
    "positive",
    "stored_trade",
    "write_fields",
    "write_stored",
]

logger = logging.getLogger(__name__)

_STORED_ID, _STORED_SINCE = "stored_trade_id", "open_date"
_TOLD_BY_ARGUMENTS = frozenset({"id", "pair"})


class StoredTrade(NamedTuple):
    """What a stored trade is known by: SQLite gives the id of a deleted one to the next.

    Attributes:
        id: Its id.
        open_date: When it was opened (UTC, without offset).
    """

    id: int
    open_date: datetime


def positive(name: str, number: Any) -> float:
    """Return a number as a float.

    Raises:
        InvalidValue: If it is none, or not finite, or not above zero.
    """
    converted = float(storable(name, _columns()["amount"].type, number)) if number is not None else 0.0
    if converted <= 0.0:
        msg = f"{name} must be above 0, but was {number!r}. Nothing was stored."
        raise InvalidValue(msg)
    return converted


def fields_of_new_trade(
    pair: str, side: str, amount: float, price: float | None, exchange: str | None, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of a trade that is to be made with its first order.

    Args:
        pair: Its pair.
        side: Of the order: ``buy``, or ``sell`` where the fields say ``is_short``.
        amount: Base currency.
        price: Quote currency; None if the fields tell an ``open_rate``.
        exchange: Its exchange; None if the fields tell it.
        fields: Others, or other values for these.

    Raises:
        InvalidValue: If a field is unknown or missing.
    """
    told = ", ".join(sorted(_TOLD_BY_ARGUMENTS & fields.keys()))
    if told:
        msg = f"trade_fields must not have {told}: the pair is an argument, and the id comes with the row."
        raise InvalidValue(msg)
    if fields.get("open_rate", price) is None:
        msg = f"A new trade in {pair} needs a price: pass the one that you expect, or open_rate in trade_fields."
        raise InvalidValue(msg)
    rate = positive("Trade.open_rate", fields.get("open_rate", price))
    leverage = positive("Trade.leverage", fields.get("leverage", 1.0))
    if side == "sell" and not fields.get("is_short"):
        msg = (
            f"A sell order of {pair} opens a short trade only if trade_fields has is_short=True. To sell what a trade "
            "holds, pass the trade instead of its pair."
        )
        raise InvalidValue(msg)
    return {
        "pair": pair,
        "exchange": exchange,
        "amount": amount,
        "amount_requested": amount,
        "open_rate": rate,
        "open_rate_requested": rate,
        "stake_amount": float(divide(multiply(exact(amount), exact(rate)), exact(leverage))),
        "open_date": utc_now(),
        **fields,
    }


def write_fields(fields: Mapping[str, Any]) -> str:
    """Return the fields of a trade that is to be made as JSON.

    Raises:
        InvalidValue: If a field is unknown or cannot be stored, or one is missing that no trade can be without.
    """
    columns = _columns()
    unknown = ", ".join(sorted(fields.keys() - columns.keys()))
    if unknown:
        msg = f"Trade has no column {unknown}. Nothing was stored: leave it out, or correct its name."
        raise InvalidValue(msg)
    missing = ", ".join(name for name, column in columns.items() if _is_needed(column) and not fields.get(name))
    if missing:
        msg = f"A new trade needs {missing}. Nothing was stored: add it."
        raise InvalidValue(msg)
    try:
        return json.dumps({name: _write(name, columns[name], value) for name, value in fields.items()})
    except TypeError as e:
        msg = f"An intent cannot keep a field of the trade ({e}). Nothing was stored: set it when the order is placed."
        raise InvalidValue(msg) from None


def new_trade(text: str) -> Trade:
    """Return the trade that :func:`write_fields` has written, in no session."""
    columns = _columns()
    fields = json.loads(text)
    for name in fields.keys() - columns.keys():
        logger.warning("Trade has no column %s any more: its value %r is left out.", name, fields.pop(name))
    values = {name: _read(columns[name], value) for name, value in fields.items()}
    # Columns that the bot has added are no arguments.
    added = {name: values.pop(name) for name in values.keys() - Trade._fields}
    trade = Trade(**values)
    for name, value in added.items():
        setattr(trade, name, value)
    return trade


def write_stored(trade: Trade) -> str:
    """Return what a stored trade is known by as JSON."""
    return json.dumps({_STORED_ID: trade.id, _STORED_SINCE: as_naive_utc(trade.open_date).isoformat()})


def stored_trade(text: str) -> StoredTrade | None:
    """Return what the stored trade of an intent is known by; None if the trade was to be made."""
    fields = json.loads(text)
    if _STORED_ID not in fields:
        return None
    return StoredTrade(fields[_STORED_ID], datetime.fromisoformat(fields[_STORED_SINCE]))


def _columns() -> Mapping[str, Column[Any]]:
    columns: Any = class_mapper(Trade).columns
    return dict(columns.items())


def _is_needed(column: Column[Any]) -> bool:
    has_default = column.default is not None or column.server_default is not None
    return not (column.nullable or column.primary_key or has_default)


def _write(name: str, column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    stored = storable(f"Trade.{name}", column.type, value)
    if isinstance(stored, datetime):
        return stored.isoformat()
    choices = _choices(column)
    if choices is not None:
        return choices[stored].name if stored in choices.__members__ else choices(stored).name
    return stored


def _read(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, UtcDateTime | DateTime):
        return datetime.fromisoformat(value)
    choices = _choices(column)
    return value if choices is None else choices[value]


def _choices(column: Column[Any]) -> type[Choices] | None:
    return column.type.enum_class if isinstance(column.type, Enum) else None
