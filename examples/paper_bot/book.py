"""Orders, fills and positions inside the simulated exchange, in exact decimals."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Self

from examples.paper_bot.market import Pair

__all__ = ["Fill", "PaperOrder", "Position"]

_NOTHING = Decimal(0)


class Fill(NamedTuple):
    """What one trade at the exchange did to the balances.

    Attributes:
        order_id: Of its order.
        pair: Of its order.
        amount: Base currency.
        price: Stake currency.
        stake_change: Of the stake currency's balance, fees in it included.
        base_change: Of the base currency's balance or position, fees in it included.
        fee: In its currency.
        fee_currency: Its name.
        token_fee: The fee, if it was taken in a third currency.
    """

    order_id: str
    pair: str
    amount: Decimal
    price: Decimal
    stake_change: Decimal
    base_change: Decimal
    fee: Decimal
    fee_currency: str
    token_fee: Decimal = _NOTHING

    @classmethod
    def of(cls, order: "PaperOrder", pair: Pair, amount: Decimal, price: Decimal, token_price: int) -> Self:
        """Return the fill of a part of an order."""
        value, rate = amount * price, Decimal(repr(pair.fee_rate))
        base_change = amount if order.side == "buy" else -amount
        stake_change = -value if order.side == "buy" else value
        if pair.fee_in == "base" and order.side == "buy":
            fee = amount * rate
            return cls(order.order_id, pair.name, amount, price, stake_change, base_change - fee, fee, pair.base)
        if pair.fee_in in {"base", "quote"}:
            fee = value * rate
            return cls(order.order_id, pair.name, amount, price, stake_change - fee, base_change, fee, "USDT")
        fee = value * rate / token_price
        return cls(order.order_id, pair.name, amount, price, stake_change, base_change, fee, pair.fee_in, fee)


@dataclass(slots=True)
class PaperOrder:
    """An order as the exchange knows it. Times are in milliseconds since 1970."""

    order_id: str
    client_order_id: str | None
    pair: str
    order_type: str
    side: str
    amount: Decimal
    placed_at: int
    price: Decimal | None = None
    stop_price: Decimal | None = None
    leverage: float = 1.0
    status: str = "open"
    filled: Decimal = _NOTHING
    cost: Decimal = _NOTHING
    fee: Decimal = _NOTHING
    fee_currency: str | None = None
    traded_at: int | None = None

    def take(self, fill: Fill, at: int) -> None:
        """Take in a fill."""
        self.filled += fill.amount
        self.cost += fill.amount * fill.price
        self.fee += fill.fee
        self.fee_currency, self.traded_at = fill.fee_currency, at

    def answer(self) -> dict[str, Any]:
        """Return the order as CCXT gives it."""
        return {
            "id": self.order_id,
            "clientOrderId": self.client_order_id,
            "symbol": self.pair,
            "type": self.order_type,
            "side": self.side,
            "status": self.status,
            "price": None if self.price is None else float(self.price),
            "stopPrice": None if self.stop_price is None else float(self.stop_price),
            "average": float(self.cost / self.filled) if self.filled else None,
            "amount": float(self.amount),
            "filled": float(self.filled),
            "remaining": float(self.amount - self.filled),
            "cost": float(self.cost),
            "timestamp": self.placed_at,
            "lastTradeTimestamp": self.traded_at,
            "fee": {"currency": self.fee_currency, "cost": float(self.fee)} if self.fee_currency else None,
        }


@dataclass(slots=True)
class Position:
    """What is held on futures; the amount is below 0 where it was sold short."""

    leverage: float
    amount: Decimal = _NOTHING
    price: Decimal = _NOTHING

    def after(self, fill: Fill) -> "Position":
        """Return what a fill makes of it: entries move the price, exits don't."""
        change = fill.base_change
        if self.amount and (self.amount > 0) != (change > 0):
            return Position(self.leverage, self.amount + change, self.price)
        amount = self.amount + change
        return Position(self.leverage, amount, (self.amount * self.price + change * fill.price) / amount)
