"""Records for tests: complete and plausible, and every field can be given by keyword.

Ten units bought at 20 without a fee are the pattern, so that expected values can be worked out in the head.
"""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade
from tradestore.trade_model import Order, Trade

__all__ = [
    "CLOSED",
    "OPENED",
    "make_ccxt_order",
    "make_closed_trade",
    "make_local_order",
    "make_local_trade",
    "make_order",
    "make_trade",
    "make_trade_with_entry",
]

OPENED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CLOSED = OPENED + timedelta(hours=5)

_numbers = count(1)


def _trade_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "pair": "ADA/USDT",
        "base_currency": "ADA",
        "stake_currency": "USDT",
        "exchange": "binance",
        "amount": 10.0,
        "open_rate": 20.0,
        "stake_amount": 200.0,
        "open_date": OPENED,
        "strategy": "Patience",
    } | fields


def _order_fields(fields: dict[str, Any]) -> dict[str, Any]:
    side = fields.get("ft_order_side", "buy")
    amount = fields.get("amount", 10.0)
    price = fields.get("price", 20.0)
    return {
        "order_id": f"order-{next(_numbers)}",
        "ft_order_side": side,
        "ft_pair": "ADA/USDT",
        "symbol": "ADA/USDT",
        "ft_is_open": False,
        "ft_amount": amount,
        "ft_price": price,
        "status": "closed",
        "order_type": "limit",
        "side": side,
        "price": price,
        "average": price,
        "amount": amount,
        "filled": amount,
        "remaining": 0.0,
        "cost": amount * price,
        "order_date": OPENED,
        "order_filled_date": OPENED + timedelta(minutes=1),
    } | fields


def make_trade(**fields: Any) -> Trade:
    """Return an open trade that is not in the session yet."""
    return Trade(**_trade_fields(fields))


def make_local_trade(**fields: Any) -> LocalTrade:
    """Return an open trade in memory."""
    return LocalTrade(**_trade_fields(fields))


def make_order(**fields: Any) -> Order:
    """Return an order that was filled completely, not in the session yet."""
    return Order(**_order_fields(fields))


def make_local_order(**fields: Any) -> LocalOrder:
    """Return an order in memory that was filled completely."""
    return LocalOrder(**_order_fields(fields))


def make_trade_with_entry(**fields: Any) -> Trade:
    """Return an open trade with the order that it was entered by."""
    result = make_trade(**fields)
    result.orders.append(
        make_order(
            ft_pair=result.pair,
            symbol=result.pair,
            ft_order_side=result.entry_side,
            amount=result.amount,
            price=result.open_rate,
        )
    )
    return result


def make_closed_trade(*, profit: float | None, ratio: float | None, **fields: Any) -> Trade:
    """Return a trade with its entry order that was closed with the given profit."""
    return make_trade_with_entry(
        **{
            "is_open": False,
            "close_date": CLOSED,
            "close_profit_abs": profit,
            "close_profit": ratio,
            "realized_profit": profit or 0.0,
        }
        | fields
    )


def make_ccxt_order(**fields: Any) -> dict[str, Any]:
    """Return an exchange's answer about a limit buy that waits; None leaves a value out as exchanges do."""
    return {
        "id": f"exchange-{next(_numbers)}",
        "symbol": "ADA/USDT",
        "type": "limit",
        "side": "buy",
        "price": 20.0,
        "amount": 10.0,
        "filled": 0.0,
        "remaining": 10.0,
        "average": None,
        "cost": 0.0,
        "status": "open",
        "timestamp": 1772366400000,
        "datetime": "2026-03-01T12:00:00.000Z",
        "lastTradeTimestamp": None,
        "stopPrice": None,
        "fee": None,
        "info": {},
    } | fields
