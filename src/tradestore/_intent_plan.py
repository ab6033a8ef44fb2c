"""What an intent is about, checked before anything is stored or sent."""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import inspect

from tradestore._clock import utc_now
from tradestore._intent_fields import fields_of_new_trade, new_trade, positive, write_fields, write_stored
from tradestore._intent_model import IntentState, OrderIntent
from tradestore._sqltypes import storable
from tradestore.exceptions import DependencyException, InvalidValue
from tradestore.trade_model import Trade

__all__ = ["client_id", "plan_of"]

_SIDES: Final = ("buy", "sell", "stoploss")
_ID_PREFIX: Final = "ts"
_ID_BYTES: Final = 12
"""24 digits and the prefix: letters and digits, and shorter than what any exchange takes."""


def plan_of(
    trade_or_pair: Any,
    side: str,
    amount: float,
    price: float | None,
    exchange: str | None,
    fields: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], Trade | None]:
    """Return the columns of an intent, and the trade that is to be stored with its order if there is one.

    Raises:
        InvalidValue: If something cannot be stored or is missing.
        DependencyException: If the trade is not where it should be.
    """
    if side not in _SIDES:
        msg = f"The side of an order is one of {', '.join(_SIDES)}, not {side!r}. Nothing was stored."
        raise InvalidValue(msg)
    amount = positive("The amount of an order", amount)
    price = None if price is None else positive("The price of an order", price)
    if isinstance(trade_or_pair, str):
        fields = fields_of_new_trade(trade_or_pair, side, amount, price, exchange, fields or {})
        trade, is_stored, text = None, False, write_fields(fields)
    else:
        trade, is_stored = _checked_trade(trade_or_pair, exchange, fields)
        text = write_stored(trade) if is_stored else write_fields(_fields_of(trade))
    shown = trade if is_stored and trade is not None else new_trade(text)
    if not is_stored and shown.entry_side != side:
        msg = f"A new trade begins with an entry: {shown} is entered by {shown.entry_side!r}, not by {side!r}."
        raise DependencyException(msg)
    plan = {
        "ft_trade_id": shown.id if is_stored else None,
        "exchange": shown.exchange,
        "pair": shown.pair,
        "side": side,
        "amount": amount,
        "price": price,
        "trade_fields": text,
        "state": IntentState.OPEN,
        "created_at": utc_now(),
    }
    return plan, None if is_stored else trade


def _checked_trade(trade: Any, exchange: str | None, fields: Mapping[str, Any] | None) -> tuple[Trade, bool]:
    """Return the trade, and whether it is stored."""
    if not isinstance(trade, Trade):
        msg = f"An intent needs a Trade, or a pair as text, not {trade!r:.60}."
        raise InvalidValue(msg)
    if fields or exchange not in {None, trade.exchange}:
        msg = f"trade_fields and exchange go with a pair: {trade} has its own."
        raise InvalidValue(msg)
    state = inspect(trade)
    if state.pending:
        msg = f"{trade} waits in the session to be stored: don't add it, placed() stores it with its order."
        raise DependencyException(msg)
    if state.deleted or state.was_deleted:
        msg = f"{trade} was deleted."
        raise DependencyException(msg)
    if state.transient and (trade.orders or trade.custom_data):
        msg = f"{trade} has orders or custom data already: store it with Trade.commit() before the intent."
        raise DependencyException(msg)
    return trade, not state.transient


def _fields_of(trade: Trade) -> dict[str, Any]:
    return {name: value for name, value in trade.column_values().items() if (name, value) != ("id", None)}


def client_id(client_order_id: Any) -> str:
    """Return our own name for an order: a new one if None.

    Raises:
        InvalidValue: If there is no room for it.
    """
    if client_order_id is None:
        return _ID_PREFIX + secrets.token_hex(_ID_BYTES)
    if not isinstance(client_order_id, str) or not client_order_id:
        msg = f"A client order id is a text of at least one character, not {client_order_id!r:.60}. Nothing was stored."
        raise InvalidValue(msg)
    checked: str = storable("The client order id", OrderIntent.client_order_id.type, client_order_id)
    return checked
