"""The orders of a trade, seen from many sides."""

import copy
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from tradestore._clock import as_utc
from tradestore._record import FirstUse
from tradestore._trade_fields import TradeFields
from tradestore.constants import FINAL_ORDER_STATUSES
from tradestore.local_order import LocalOrder

# Whatever else an order holds has to be looked into before it can be copied.
_ORDER_FIELDS = LocalOrder.shared_by_copies | {"_trade_bt"}

_CANCELLED = frozenset({"canceled", "cancelled"})
_NEVER_FILLED = _CANCELLED | {"expired", "rejected"}


class TradeOrders(TradeFields):
    """A trade with its orders, in the order in which they were placed."""

    orders: list[LocalOrder] = FirstUse(list)  # type: ignore[assignment]  # a descriptor stands for its value

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return an independent copy with copies of the orders, in about the time that their fields take."""
        orders: list[LocalOrder] = []
        if "orders" in self.__dict__:
            memo[id(self.orders)] = orders
        twin = super().__deepcopy__(memo)
        for order in self.__dict__.get("orders", ()):
            key, fields = id(order), order.__dict__.copy()
            owner = fields.get("_trade_bt", self)
            if type(order) is LocalOrder and owner is self and _ORDER_FIELDS.issuperset(fields) and key not in memo:
                copied = memo[key] = object.__new__(LocalOrder)
                copied.__dict__ = fields
                if "_trade_bt" in fields:
                    fields["_trade_bt"] = twin
            else:
                copied = copy.deepcopy(order, memo)
            orders.append(copied)
        return twin

    @property
    def open_orders(self) -> list[LocalOrder]:
        """Orders that wait on the exchange, without stop-loss orders."""
        return [o for o in self.orders if o.ft_is_open and o.ft_order_side != "stoploss"]

    @property
    def has_open_orders(self) -> bool:
        """Whether an order waits on the exchange, not counting stop-loss orders."""
        return any(o.ft_is_open and o.ft_order_side != "stoploss" for o in self.orders)

    @property
    def open_orders_ids(self) -> list[str | None]:
        """Exchange ids of the orders that wait, without stop-loss orders."""
        return [o.order_id for o in self.open_orders]

    @property
    def sl_orders(self) -> list[LocalOrder]:
        """All stop-loss orders."""
        return [o for o in self.orders if o.ft_order_side == "stoploss"]

    @property
    def open_sl_orders(self) -> list[LocalOrder]:
        """Stop-loss orders that wait on the exchange."""
        return [o for o in self.sl_orders if o.ft_is_open]

    @property
    def has_open_sl_orders(self) -> bool:
        """Whether a stop-loss order waits on the exchange."""
        return any(o.ft_is_open and o.ft_order_side == "stoploss" for o in self.orders)

    @property
    def fully_canceled_entry_order_count(self) -> int:
        """How many entry orders were cancelled without a fill."""
        return sum(
            1 for o in self.orders if o.ft_order_side == self.entry_side and o.status in _NEVER_FILLED and not o.filled
        )

    @property
    def canceled_exit_order_count(self) -> int:
        """How many exit orders were cancelled, those filled in part included."""
        return sum(1 for o in self.orders if o.ft_order_side == self.exit_side and o.status in _NEVER_FILLED)

    def get_canceled_exit_order_count(self) -> int:
        """Return how many exit orders were cancelled, those filled in part included."""
        return self.canceled_exit_order_count

    @property
    def nr_of_successful_entries(self) -> int:
        """How many entry orders were filled."""
        return len(self.select_filled_orders(self.entry_side))

    @property
    def nr_of_successful_exits(self) -> int:
        """How many exit orders were filled; stop-loss orders don't count."""
        return len(self.select_filled_orders(self.exit_side))

    @property
    def nr_of_successful_buys(self) -> int:
        """How many buy orders were filled."""
        return len(self.select_filled_orders("buy"))

    @property
    def nr_of_successful_sells(self) -> int:
        """How many sell orders were filled."""
        return len(self.select_filled_orders("sell"))

    @property
    def date_last_filled_utc(self) -> datetime:
        """When an order was last filled, never before the trade was opened."""
        return max(self.open_date_utc, self.last_filled_date or self.open_date_utc)

    @property
    def last_filled_date(self) -> datetime | None:
        """When an order was last filled (UTC), None before that."""
        dates = [
            as_utc(o.order_filled_date)
            for o in self.orders
            if o.order_filled_date is not None and not o.ft_is_open and o.filled and o.status in FINAL_ORDER_STATUSES
        ]
        return max(dates, default=None)

    @property
    def date_entry_fill_utc(self) -> datetime | None:
        """When the first entry order was filled, None before that."""
        return min(_fill_times(self.select_filled_orders(self.entry_side)), default=None)

    @property
    def stoploss_last_update_utc(self) -> datetime | None:
        """When the latest stop-loss order that waits was placed, None without one."""
        placed = [o.order_date_utc for o in self.open_sl_orders if o.order_date_utc is not None]
        return max(placed, default=None)

    def select_order(
        self, order_side: str | None = None, is_open: bool | None = None, only_filled: bool = False
    ) -> LocalOrder | None:
        """Return the latest order that matches, None without one.

        Args:
            order_side: ``buy``, ``sell`` or ``stoploss``; any if None.
            is_open: Whether it waits on the exchange; either if None.
            only_filled: Leave out orders that ended without a fill.
        """
        for order in reversed(self.orders):
            if (
                (order_side is None or order.ft_order_side == order_side)
                and (is_open is None or order.ft_is_open is is_open)
                and (not only_filled or order.ft_is_open or order.filled)
            ):
                return order
        return None

    def select_order_by_order_id(self, order_id: str) -> LocalOrder | None:
        """Return the order with the exchange's id, None without one."""
        return next((o for o in self.orders if o.order_id == order_id), None)

    def select_filled_orders(self, order_side: str | None = None) -> list[LocalOrder]:
        """Return the orders that ended with a fill, of one side or of all."""
        return [
            o
            for o in self.orders
            if (order_side is None or o.ft_order_side == order_side)
            and not o.ft_is_open
            and o.filled
            and o.has_final_status
        ]

    def select_filled_or_open_orders(self) -> list[LocalOrder]:
        """Return the orders that count: filled ones, and those that wait; the exchange has told of both."""
        return [o for o in self.orders if (o.status is not None if o.ft_is_open else o.filled and o.has_final_status)]


def _fill_times(orders: Iterable[LocalOrder]) -> list[datetime]:
    return [o.order_filled_utc for o in orders if o.order_filled_utc is not None]
