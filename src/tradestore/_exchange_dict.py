"""Exchange order dicts, as CCXT unifies them, to and from the fields of an order.

What exchanges really send differs from what the unified form promises. The oddities that are put right here:
an id that is missing, statuses in capitals, ``buy_open`` for ``buy``, a trigger price under one of three names or 0 for
none, a market buy whose amount is in stake currency, the cost of an order that has not traded, a fill without any
value, and 0 remaining on an order that is open and unfilled. Everything else is taken as it comes.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tradestore._clock import as_naive_utc, from_timestamp, to_milliseconds
from tradestore.accounting._decimal import exact, subtract
from tradestore.constants import FINAL_ORDER_STATUSES
from tradestore.exceptions import InvalidOrder

if TYPE_CHECKING:
    from tradestore.local_order import LocalOrder

_TEXTS = {"symbol": "symbol", "type": "order_type"}
_NUMBERS = ("price", "amount", "filled", "average", "remaining", "cost")
_FILL_TIMES = ("lastTradeTimestamp", "lastUpdateTimestamp")
_SIDES = ("buy", "sell")
_NOT_DONE = ("open", *(FINAL_ORDER_STATUSES - {"closed"}))

_QUOTE_TOLERANCE = 0.05
"""A market buy by cost spends its amount up to fees and price steps; 5 % covers what was seen."""


def order_id_of(answer: Mapping[str, Any]) -> str:
    """Return the exchange's id of an order as text.

    Raises:
        InvalidOrder: If there is none.
    """
    identifier = answer.get("id")
    if identifier is None or identifier == "":
        msg = (
            f"The exchange's answer has no order id (symbol {answer.get('symbol')!r}, status {answer.get('status')!r}):"
            " fetch the order again, or look it up by its client order id."
        )
        raise InvalidOrder(msg)
    return str(identifier)


def plain_side(side: str) -> str:
    """Return ``buy`` or ``sell`` for the forms that hedge mode uses (``buy_open``); other texts stay."""
    start = side.partition("_")[0].lower()
    return start if start in _SIDES else side


def read_order(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the order fields that the answer really tells; what it leaves out or has as None is not there.

    Args:
        answer: A unified order dict.

    Raises:
        InvalidOrder: If a price, amount or time is no finite number.
    """
    fields: dict[str, Any] = {field: answer[key] for key, field in _TEXTS.items() if answer.get(key) is not None}
    if answer.get("side") is not None:
        fields["side"] = plain_side(answer["side"])
    if answer.get("status") is not None:
        fields["status"] = str(answer["status"]).lower()
    for key in _NUMBERS:
        if (number := _number(answer, key)) is not None:
            fields[key] = number
    if trigger := _trigger_price(answer):
        fields["stop_price"] = trigger
    if (placed := _moment(answer, "timestamp")) is not None:
        fields["order_date"] = placed
    _put_right(fields)
    return fields


def read_fill_time(answer: Mapping[str, Any]) -> datetime | None:
    """Return when the order was last filled (UTC), if the answer tells."""
    return next((m for key in _FILL_TIMES if (m := _moment(answer, key)) is not None), None)


def write_order(order: "LocalOrder", stop_price_name: str) -> dict[str, Any]:
    """Return the order in the form in which exchanges answer.

    Args:
        order: Any order.
        stop_price_name: Under which key the trigger price of a stop-loss order goes.
    """
    placed = None if order.order_date is None else as_naive_utc(order.order_date)
    answer: dict[str, Any] = {
        "id": order.order_id,
        "symbol": order.ft_pair,
        "price": order.price,
        "average": order.average,
        "amount": order.amount,
        "cost": order.cost,
        "type": order.order_type,
        "side": order.ft_order_side,
        "filled": order.filled,
        "remaining": order.remaining,
        "datetime": None if placed is None else placed.isoformat(timespec="microseconds"),
        "timestamp": None if placed is None else to_milliseconds(placed),
        "status": order.status,
        "fee": None,
        "info": {},
    }
    if order.ft_order_side == "stoploss":
        answer |= {stop_price_name: order.stop_price, "ft_order_type": "stoploss"}
    return answer


def _put_right(fields: dict[str, Any]) -> None:
    filled, cost, amount = fields.get("filled"), fields.get("cost"), fields.get("amount")
    if filled and cost == 0 and fields.get("average") == 0:
        filled = fields["filled"] = 0.0
    if filled == 0 and cost:
        fields["cost"] = 0.0
    elif filled is None and cost and fields.get("status") in _NOT_DONE:
        del fields["cost"]
    if filled and amount and _is_spent_amount(fields):
        amount = fields["amount"] = filled
        fields["remaining"] = 0.0
    if (
        amount
        and fields.get("remaining") == 0
        and filled is not None
        and filled < amount
        and fields.get("status") not in FINAL_ORDER_STATUSES
    ):
        fields["remaining"] = float(subtract(exact(amount), exact(filled)))


def _is_spent_amount(fields: Mapping[str, Any]) -> bool:
    """Tell whether the amount of a market buy is the money that was spent instead of what was bought."""
    amount, cost = fields["amount"], fields.get("cost")
    return (
        fields.get("order_type", "").lower() == "market"
        and fields.get("side") == "buy"
        and fields.get("status") == "closed"
        and cost is not None
        and math.isclose(amount, cost, rel_tol=_QUOTE_TOLERANCE)
        and not math.isclose(amount, fields["filled"], rel_tol=_QUOTE_TOLERANCE)
    )


def _trigger_price(answer: Mapping[str, Any]) -> float | None:
    trigger = _number(answer, "stopPrice") or _number(answer, "triggerPrice")
    # Beside a take-profit price, the stop-loss price is an exit that the order brings along, not its own trigger.
    return trigger or (None if _number(answer, "takeProfitPrice") else _number(answer, "stopLossPrice"))


def _number(answer: Mapping[str, Any], key: str) -> float | None:
    raw = answer.get(key)
    if raw is None:
        return None
    try:
        number = float(raw)
    except (TypeError, ValueError) as e:
        raise _no_number(answer, key) from e
    if not math.isfinite(number):
        raise _no_number(answer, key)
    return number


def _moment(answer: Mapping[str, Any], key: str) -> datetime | None:
    timestamp = _number(answer, key)
    if not timestamp:
        return None
    try:
        return from_timestamp(timestamp)
    except OverflowError as e:
        raise _no_number(answer, key) from e


def _no_number(answer: Mapping[str, Any], key: str) -> InvalidOrder:
    msg = (
        f"Order {answer.get('id')!r} has {answer[key]!r} as {key!r}, where a finite number was expected: "
        "fetch the order again, or correct the answer before handing it in."
    )
    return InvalidOrder(msg)
