"""Orders without a database: the rules that backtests and the mapped :class:`Order` share."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from tradestore._clock import as_utc, moment_to_json, to_text, utc_now
from tradestore._database_only import OrderDatabaseOnly
from tradestore._exchange_dict import order_id_of, plain_side, read_fill_time, read_order, write_order
from tradestore._record import CutText, PlainRecord
from tradestore.accounting._decimal import divide, exact, multiply, subtract
from tradestore.constants import FINAL_ORDER_STATUSES, PLACEHOLDER, PROFIT_DECIMALS
from tradestore.exceptions import DependencyException

if TYPE_CHECKING:
    from tradestore.local_trade import LocalTrade

__all__ = ["LocalOrder"]

logger = logging.getLogger(__name__)


class LocalOrder(PlainRecord, OrderDatabaseOnly):
    """One order on the exchange, and what became of it.

    Prices are in stake currency, amounts in base currency; dates are UTC. The ``ft_`` fields are the bot's own: what
    it asked for and how it uses the order. ``ft_order_side`` is ``buy``, ``sell`` or ``stoploss``.
    """

    id: int | None = None
    ft_trade_id: int | None = None
    ft_order_side: str | None = None
    ft_pair: str | None = None
    ft_is_open: bool = True
    ft_amount: float | None = None
    ft_price: float | None = None
    ft_cancel_reason: str | None = CutText()  # type: ignore[assignment]  # a descriptor stands for its value
    order_id: str | None = None
    status: str | None = None
    symbol: str | None = None
    order_type: str | None = None
    side: str | None = None
    price: float | None = None
    average: float | None = None
    amount: float | None = None
    filled: float | None = None
    remaining: float | None = None
    cost: float | None = None
    stop_price: float | None = None
    order_date: datetime | None = None
    order_filled_date: datetime | None = None
    order_update_date: datetime | None = None
    funding_fee: float | None = None
    ft_fee_base: float | None = None
    ft_order_tag: str | None = CutText()  # type: ignore[assignment]  # a descriptor stands for its value

    _trade_bt: "LocalTrade | None" = None

    @property
    def trade(self) -> "LocalTrade | None":
        """The trade that the order belongs to."""
        return self._trade_bt

    def belong_to(self, trade: "LocalTrade") -> None:
        """Tie the order to a trade in memory, unless it has one."""
        if self.trade is None:
            self._trade_bt = trade

    @property
    def order_date_utc(self) -> datetime | None:
        """When the order was placed, with its zone."""
        return None if self.order_date is None else as_utc(self.order_date)

    @property
    def order_filled_utc(self) -> datetime | None:
        """When the order was last filled, with its zone."""
        return None if self.order_filled_date is None else as_utc(self.order_filled_date)

    @property
    def safe_amount(self) -> float:
        """The order's amount, or the one asked for; 0 counts as missing."""
        return self.amount or self.ft_amount or 0.0

    @property
    def safe_price(self) -> float | None:
        """The best price known: average, limit, trigger, or the one asked for; 0 counts as missing."""
        return self.average or self.price or self.stop_price or self.ft_price

    @property
    def safe_placement_price(self) -> float | None:
        """The price that the order was placed at: limit, trigger, or the one asked for."""
        return self.price or self.stop_price or self.ft_price

    @property
    def safe_filled(self) -> float:
        """How much was filled, 0.0 while unknown."""
        return self.filled or 0.0

    @property
    def safe_cost(self) -> float:
        """What the fills cost in stake currency, 0.0 while unknown."""
        return self.cost or 0.0

    @property
    def safe_fee_base(self) -> float:
        """The fee that was taken out of the base currency, 0.0 if none."""
        return self.ft_fee_base or 0.0

    @property
    def safe_remaining(self) -> float:
        """How much is still to be filled."""
        if self.remaining is not None:
            return self.remaining
        return float(subtract(exact(self.safe_amount), exact(self.safe_filled)))

    @property
    def safe_amount_after_fee(self) -> float:
        """How much of the base currency the fills brought in or took out."""
        return float(subtract(exact(self.safe_filled), exact(self.safe_fee_base)))

    @property
    def stake_amount(self) -> float:
        """What the whole order binds of the trade's own money, in stake currency."""
        return self._stake_of(self.safe_amount)

    @property
    def stake_amount_filled(self) -> float:
        """What the filled part binds of the trade's own money, in stake currency."""
        return self._stake_of(self.safe_filled)

    def _stake_of(self, amount: float) -> float:
        leverage = 1.0 if self.trade is None else self.trade.leverage or 1.0
        return float(divide(multiply(exact(amount), exact(self.safe_price or 0.0)), exact(leverage)))

    @property
    def has_final_status(self) -> bool:
        """Whether the exchange will never fill the order again."""
        return self.status in FINAL_ORDER_STATUSES

    @property
    def is_filled(self) -> bool:
        """Whether the order is done and something of it was filled."""
        return not self.ft_is_open and bool(self.filled)

    @property
    def has_placeholder_id(self) -> bool:
        """Whether the exchange's id is still unknown, and our own name for the order stands in its place."""
        return self.order_id is not None and self.order_id.startswith(PLACEHOLDER)

    @classmethod
    def parse_from_ccxt_object(
        cls,
        order: Mapping[str, Any],
        pair: str,
        side: str,
        amount: float | None = None,
        price: float | None = None,
    ) -> Self:
        """Build an order from an exchange's answer.

        Args:
            order: A unified order dict.
            pair: The bot's name of the pair.
            side: ``buy``, ``sell`` or ``stoploss``.
            amount: What was asked for, in base currency; the answer's amount if not given.
            price: What was asked for, in stake currency; the answer's price if not given.

        Raises:
            InvalidOrder: If the answer has no id, or a number in it is not finite.
        """
        told = read_order(order)
        result = cls(
            order_id=order_id_of(order),
            ft_order_side=plain_side(side),
            ft_pair=pair,
            ft_amount=amount or told.get("amount") or 0.0,
            ft_price=price or told.get("price"),
        )
        result.update_from_ccxt_object(order)
        return result

    def update_from_ccxt_object(self, order: Mapping[str, Any]) -> None:
        """Take over what an exchange's answer tells about this order; what it leaves out stays as it is.

        An answer that still calls an order open after it ended is late: nothing of it is taken. An order with a
        placeholder takes over the exchange's id, unless the answer bears another ``clientOrderId``.

        Args:
            order: A unified order dict.

        Raises:
            InvalidOrder: If a number in the answer is not finite, or the id is missing.
            DependencyException: If the answer is about another order.
        """
        if (order_id := order_id_of(order)) != self.order_id and not self._waits_for_id(order):
            msg = f"Order-id's don't match: the answer is about {order_id!r}, the order is {self.order_id!r}."
            raise DependencyException(msg)
        told = read_order(order)
        fill_time = read_fill_time(order)
        if order_id != self.order_id:
            self.order_id = order_id
        self.order_update_date = utc_now()
        status = told.get("status")
        if self.has_final_status and status is not None and status not in FINAL_ORDER_STATUSES:
            return
        for field, value in told.items():
            setattr(self, field, value)
        if self.order_date is None:
            self.order_date = utc_now()
        if status is not None:
            self.ft_is_open = not self.has_final_status
        if self.has_final_status and self.filled and self.order_filled_date is None:
            self.order_filled_date = fill_time or utc_now()

    def _waits_for_id(self, answer: Mapping[str, Any]) -> bool:
        """Tell whether the order has a placeholder, and the answer may be the one that it waits for."""
        client_id = answer.get("clientOrderId")
        return self.has_placeholder_id and (not client_id or self.order_id == f"{PLACEHOLDER}{client_id}")

    @staticmethod
    def update_orders(orders: Iterable["LocalOrder"], order: Any) -> None:
        """Update whichever of the orders an exchange's answer is about, and store the change.

        Args:
            orders: To choose from.
            order: A unified order dict. Anything else, and an unknown order, is logged and changes nothing.
        """
        if not isinstance(order, Mapping):
            logger.warning("%s is not a valid response object.", order)
            return
        identifier = str(order.get("id"))
        known = next((o for o in orders if o.order_id == identifier), None)
        if known is None:
            logger.warning("Order %s is none of the given ones: nothing was updated.", identifier)
            return
        known.update_from_ccxt_object(order)
        known.persist()

    def persist(self) -> None:
        """Store the change: nothing to do in memory, where every change is already kept."""

    def to_ccxt_object(self, stopPriceName: str = "stopPrice") -> dict[str, Any]:  # noqa: N803 - the documented name
        """Return the order in the form in which exchanges answer.

        Args:
            stopPriceName: Under which key the trigger price of a stop-loss order goes.
        """
        return write_order(self, stopPriceName)

    def close_bt_order(self, close_date: datetime, trade: "LocalTrade") -> None:
        """Fill the order completely, as a backtest does.

        Args:
            close_date: When it was filled (UTC).
            trade: The trade it belongs to; it is recomputed if the order is an entry.
        """
        self.order_filled_date = close_date
        self.filled = self.safe_amount
        self.remaining = 0.0
        self.status = "closed"
        self.ft_is_open = False
        trade.take_backtest_fill(self)

    def to_json(self, entry_side: str, minified: bool = False) -> dict[str, Any]:
        """Return the order as JSON-ready values.

        Args:
            entry_side: The side on which its trade enters.
            minified: Only what a backtest's result needs.
        """
        filled_at, filled_timestamp = moment_to_json(self.order_filled_date)
        side = self.ft_order_side
        values: dict[str, Any] = {
            "amount": self.safe_amount,
            "safe_price": self.safe_price,
            "ft_order_side": side,
            "order_filled_timestamp": filled_timestamp,
            "ft_is_entry": side == entry_side,
            "ft_order_tag": self.ft_order_tag,
            "cost": self.cost or 0,
        }
        if minified:
            return values
        placed_at, placed_timestamp = moment_to_json(self.order_date)
        average = self.average
        return values | {
            "pair": self.ft_pair,
            "order_id": self.order_id,
            "status": self.status,
            "average": round(average, PROFIT_DECIMALS) if average else 0,
            "filled": self.filled,
            "is_open": self.ft_is_open,
            "order_date": placed_at,
            "order_timestamp": placed_timestamp,
            "order_filled_date": filled_at,
            "order_type": self.order_type,
            "price": self.price,
            "remaining": self.remaining,
            "ft_fee_base": self.ft_fee_base,
            "funding_fee": self.funding_fee,
        }

    def __repr__(self) -> str:
        """Return the order in one line."""
        trade_id = self.ft_trade_id
        if trade_id is None and self.trade is not None:
            trade_id = self.trade.id
        return (
            f"Order(id={self.id}, trade={trade_id}, order_id={self.order_id}, side={self.side}, "
            f"filled={self.safe_filled}, price={self.safe_price}, amount={self.amount}, status={self.status}, "
            f"date={to_text(self.order_date_utc)})"
        )
