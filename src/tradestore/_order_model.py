"""Orders in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import ForeignKey, Select, String, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column, object_session, relationship, selectinload, validates

from tradestore._clock import utc_now
from tradestore._record import cut
from tradestore._store_session import settle
from tradestore._stored_frames import OrderFrames
from tradestore.accounting._decimal import divide, exact
from tradestore.base import ModelBase, StoredRecord
from tradestore.constants import ID_LENGTH, ORDER_TYPE_LENGTH, PAIR_LENGTH, SIDE_LENGTH
from tradestore.exceptions import InvalidOrder
from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade

if TYPE_CHECKING:
    from tradestore.trade_model import Trade

__all__ = ["Order", "UnpricedOrder", "told_price"]


class UnpricedOrder(InvalidOrder, IntegrityError):
    """An order that cannot be stored, since nobody told a price for it.

    It is an ``IntegrityError`` too: that is what the column without a value would have been answered with.
    """

    def __init__(self, explanation: str) -> None:
        """Say which order it is, and what to do."""
        self._explanation = explanation
        IntegrityError.__init__(self, None, None, ValueError(explanation))

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        """Let the error travel between processes."""
        return type(self), (self._explanation,)

    def __str__(self) -> str:
        """Return the message."""
        return self._explanation


class Order(OrderFrames, ModelBase, StoredRecord, LocalOrder):
    """One order on the exchange, and what became of it. See :class:`LocalOrder` for the meaning of the fields."""

    __tablename__ = "orders"
    # A bot's own class may annotate what is no column.
    __allow_unmapped__ = True
    __table_args__ = (UniqueConstraint("ft_pair", "order_id", name="_order_pair_order_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ft_trade_id: Mapped[int] = mapped_column(ForeignKey("trades.id"), index=True)
    ft_order_side: Mapped[str] = mapped_column(String(SIDE_LENGTH))
    ft_pair: Mapped[str] = mapped_column(String(PAIR_LENGTH))
    ft_is_open: Mapped[bool] = mapped_column(default=True, index=True)
    ft_amount: Mapped[float]
    ft_price: Mapped[float]
    ft_cancel_reason: Mapped[str | None]
    order_id: Mapped[str] = mapped_column(String(ID_LENGTH), index=True)
    status: Mapped[str | None]
    symbol: Mapped[str | None] = mapped_column(String(PAIR_LENGTH))
    order_type: Mapped[str | None] = mapped_column(String(ORDER_TYPE_LENGTH))
    side: Mapped[str | None] = mapped_column(String(SIDE_LENGTH))
    price: Mapped[float | None]
    average: Mapped[float | None]
    amount: Mapped[float | None]
    filled: Mapped[float | None]
    remaining: Mapped[float | None]
    cost: Mapped[float | None]
    stop_price: Mapped[float | None]
    order_date: Mapped[datetime | None] = mapped_column(default=utc_now)
    order_filled_date: Mapped[datetime | None]
    order_update_date: Mapped[datetime | None]
    funding_fee: Mapped[float | None]
    ft_fee_base: Mapped[float | None]
    ft_order_tag: Mapped[str | None]

    _trade_live: Mapped["Trade"] = relationship(
        back_populates="orders",
        lazy="immediate",
        enable_typechecks=False,  # A bot's own class of trades has the same rows.
    )

    def __init__(self, **values: Any) -> None:
        """Build an order from its fields."""
        self._take_fields({**self.column_defaults(), **values})

    @validates("ft_order_tag", "ft_cancel_reason")
    def _cut_text(self, _name: str, text: str | None) -> str | None:
        return cut(text)

    @property
    def trade(self) -> LocalTrade | None:
        """The trade that the order belongs to, in the database or in memory."""
        return self._trade_bt or self._trade_live

    def complete_for_storing(self) -> None:
        """Fill in what the table needs and the exchange did not tell.

        Raises:
            UnpricedOrder: If no price is known at all.
        """
        if self.order_date is None:
            self.order_date = utc_now()
        if self.ft_price is None:
            self.ft_price = told_price(self)

    @staticmethod
    def get_open_orders() -> Sequence["Order"]:
        """Return all orders that wait on the exchange."""
        query = Order._with_trades(select(Order).where(Order.ft_is_open))
        return Order.session.scalars(query.order_by(Order.id)).all()

    @staticmethod
    def order_by_id(order_id: str, pair: str | None = None) -> "Order | None":
        """Return the order with the exchange's id, None without one.

        Args:
            order_id: As the exchange gave it.
            pair: Exchanges may use an id once per pair; any pair if None.
        """
        query = Order._with_trades(select(Order).where(Order.order_id == str(order_id)))
        if pair is not None:
            query = query.where(Order.ft_pair == pair)
        return Order.session.scalars(query.order_by(Order.id)).first()

    @classmethod
    def _with_trades(cls, query: "Select[Order]") -> "Select[Order]":
        """Let a query load whole trades with its orders, so that nothing is missing when the session is gone."""
        trade = cls._trade_live.property.mapper.class_
        return query.options(selectinload(cls._trade_live).selectinload(trade.orders))

    def persist(self) -> None:
        """Store the change, unless the order lives in memory only."""
        session = object_session(self)
        if session is not None:
            settle(session)


def told_price(order: LocalOrder) -> float:
    """Return what the exchange told of an order's price, for want of the price that was asked for.

    Raises:
        UnpricedOrder: If it told nothing.
    """
    price = order.price or order.average
    if not price and order.cost and order.filled:
        price = float(divide(exact(order.cost), exact(order.filled)))
    price = price or order.stop_price
    if not price:
        msg = (
            f"Order {order.order_id!r} ({order.ft_pair}) cannot be stored: no price is known for it. "
            "Pass the price that was asked for, as parse_from_ccxt_object(..., price=...) or as ft_price."
        )
        raise UnpricedOrder(msg)
    return price
