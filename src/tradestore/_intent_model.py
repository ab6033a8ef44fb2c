"""The table of orders that are about to be sent."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, validates

from tradestore._record import cut
from tradestore._sqltypes import LongText
from tradestore.base import ModelBase
from tradestore.constants import (
    CLIENT_ID_LENGTH,
    EXCHANGE_LENGTH,
    ID_LENGTH,
    ORDER_TYPE_LENGTH,
    PAIR_LENGTH,
    SIDE_LENGTH,
)

__all__ = ["UNRESOLVED", "IntentState", "OrderIntent"]

_STATE_LENGTH = 10


class IntentState(StrEnum):
    """What is known of an order that was to be sent."""

    OPEN = "open"
    """Nothing: it is being sent, or the bot died meanwhile."""
    FAILED = "failed"
    """The call failed, which doesn't say whether the exchange has it."""
    PLACED = "placed"
    """The exchange has it, and so have the orders."""
    VOID = "void"
    """The exchange never had it."""


UNRESOLVED = (IntentState.OPEN, IntentState.FAILED)
"""The states in which only the exchange can tell whether there is an order."""


class OrderIntent(ModelBase):
    """An order that was meant to be sent, and what became of it.

    Attributes:
        client_order_id: Our own name for the order, which the exchange was to be told.
        state: One of :class:`IntentState`.
        ft_trade_id: The trade that it belongs to; None for one that was to be made with it, until it is.
        exchange: Where it was to be sent.
        side: As of :attr:`Order.ft_order_side`.
        order_type: As the exchange calls it.
        amount: Base currency.
        price: Quote currency; None for a market order.
        order_tag: For :attr:`Order.ft_order_tag`.
        trade_fields: Those of a trade that was to be made, or what a stored trade is known by, as JSON.
        order_id: The exchange's id, once it is known.
        error: What the failed call said, or why the exchange refused.
        created_at: When it was written down (UTC).
        updated_at: When more became known of it (UTC).
    """

    __tablename__ = "order_intents"

    id: Mapped[int] = mapped_column(primary_key=True)
    client_order_id: Mapped[str] = mapped_column(String(CLIENT_ID_LENGTH), unique=True)
    state: Mapped[str] = mapped_column(String(_STATE_LENGTH), index=True)
    ft_trade_id: Mapped[int | None] = mapped_column(ForeignKey("trades.id", ondelete="SET NULL"))
    exchange: Mapped[str | None] = mapped_column(String(EXCHANGE_LENGTH))
    pair: Mapped[str] = mapped_column(String(PAIR_LENGTH))
    side: Mapped[str] = mapped_column(String(SIDE_LENGTH))
    order_type: Mapped[str | None] = mapped_column(String(ORDER_TYPE_LENGTH))
    amount: Mapped[float]
    price: Mapped[float | None]
    order_tag: Mapped[str | None]
    trade_fields: Mapped[str | None] = mapped_column(LongText)
    order_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]

    @validates("order_tag")
    def _cut_text(self, _name: str, text: str | None) -> str | None:
        return cut(text)
