"""Trades, orders and exchange answers for the tests.

Unless told otherwise a trade holds 10 ETH bought at 20 USDT, with fees of 0.1 % to open and 0.2 % to close.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from tradestore import LocalOrder, LocalTrade

PAIR = "ETH/USDT"
OPENED = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLACED = 1772366400000
"""OPENED in milliseconds: 20513 days and 12 hours after 1970 are (20513 · 24 + 12) · 3600000 ms."""


def after(hours: float) -> datetime:
    """Return the moment that many hours after the trade was opened."""
    return OPENED + timedelta(hours=hours)


def make_trade(**values: Any) -> LocalTrade:
    """Return a trade as it stands before its first order is filled."""
    defaults = {
        "pair": PAIR,
        "exchange": "binance",
        "amount": 10.0,
        "open_rate": 20.0,
        "stake_amount": 200.0,
        "fee_open": 0.001,
        "fee_close": 0.002,
        "open_date": OPENED,
    }
    return LocalTrade(**defaults | values)


def place(trade: LocalTrade, side: str, amount: float, price: float | None, **values: Any) -> LocalOrder:
    """Put an order that waits on the exchange into the trade."""
    defaults = {
        "order_id": f"order-{len(trade.orders) + 1}",
        "ft_pair": trade.pair,
        "ft_order_side": side,
        "ft_amount": amount,
        "ft_price": price,
        "side": trade.exit_side if side == "stoploss" else side,
        "symbol": trade.pair,
        "order_type": "limit",
        "amount": amount,
        "price": price,
        "status": "open",
        "order_date": OPENED,
    }
    order = LocalOrder(**defaults | values)
    order._trade_bt = trade
    trade.orders.append(order)
    return order


def fill(trade: LocalTrade, side: str, amount: float, price: float | None, **values: Any) -> LocalOrder:
    """Put an order that was filled completely into the trade, and let the trade take it."""
    filled = {
        "filled": amount,
        "remaining": 0.0,
        "average": price,
        "status": "closed",
        "ft_is_open": False,
        "order_filled_date": after(len(trade.orders)),
    }
    order = place(trade, side, amount, price, **filled | values)
    trade.update_trade(order)
    return order


def answer(**values: Any) -> dict[str, Any]:
    """Return what an exchange tells about an open order of 10 at 20."""
    return {
        "id": "exchange-1",
        "symbol": PAIR,
        "type": "limit",
        "side": "buy",
        "price": 20.0,
        "amount": 10.0,
        "filled": 0.0,
        "average": None,
        "remaining": 10.0,
        "cost": 0.0,
        "status": "open",
        "timestamp": PLACED,
        "lastTradeTimestamp": None,
    } | values


def read(**values: Any) -> LocalOrder:
    """Return the order that the answer makes."""
    return LocalOrder.parse_from_ccxt_object(answer(**values), PAIR, "buy", 10.0, 20.0)
