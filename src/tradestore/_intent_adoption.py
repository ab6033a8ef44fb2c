"""What the exchange answered, stored: the order, with its trade, and the end of its intent, in one transaction."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradestore._clock import as_naive_utc, utc_now
from tradestore._exchange_dict import order_id_of
from tradestore._intent_fields import new_trade, stored_trade
from tradestore._intent_model import IntentState, OrderIntent
from tradestore._openings import note_position
from tradestore.exceptions import DependencyException, DuplicateOrder, InvalidOrder
from tradestore.trade_model import Order, Trade

__all__ = ["adopt", "locked_intent", "same_trade"]


def locked_intent(session: Session, client_order_id: str) -> OrderIntent | None:
    """Return an intent as it is now; nobody else can change it before the transaction ends."""
    query = select(OrderIntent).where(OrderIntent.client_order_id == client_order_id).with_for_update()
    found: OrderIntent | None = session.scalars(query).first()
    return found


def adopt(session: Session, intent: OrderIntent, answer: Any, candidate: Trade | None = None) -> Order:
    """Store an order that the exchange has, and its trade where that is new; close the intent.

    Args:
        session: In a transaction that belongs to the caller.
        intent: Locked.
        answer: A unified order dict.
        candidate: The trade that is to be stored with the order; made from the intent's fields if None.

    Returns:
        The order. One that was stored before, by this intent or by the bot itself, is found again.

    Raises:
        InvalidOrder: If the answer is no order, or another one than the intent was placed with.
        DuplicateOrder: If the order is stored with another trade.
        DependencyException: If the intent's trade, or the order that it was placed with, has been deleted since.
    """
    if not isinstance(answer, Mapping):
        msg = (
            f"The exchange answered {answer!r:.60} instead of an order, for the client order id "
            f"{intent.client_order_id!r}: ask it for the order, by resolve()."
        )
        raise InvalidOrder(msg)
    order_id = order_id_of(answer)
    known = _stored_order(session, intent.pair, order_id)
    if intent.state == IntentState.PLACED:
        return _order_placed_before(intent, order_id, known)
    if known is None:
        order = Order.parse_from_ccxt_object(answer, intent.pair, intent.side, intent.amount, intent.price)
        order.order_type = order.order_type or intent.order_type
        trade, was_filled = _trade_for(session, intent, order_id, candidate), False
        if stored_trade(intent.trade_fields or "{}") is None:
            note_position(session, trade)
        trade.orders.append(order)
        session.add(trade)
    else:
        order, was_filled = known, known.is_filled
        trade = _trade_with(session, intent, known)
        order.update_from_ccxt_object(answer)
    order.ft_order_tag = order.ft_order_tag or intent.order_tag
    session.flush()
    # A partial exit that is taken in for the second time could look like the last one; whatever was taken in, has this.
    if not was_filled or order.funding_fee is None:
        trade.update_trade(order)
    intent.state, intent.order_id, intent.ft_trade_id = IntentState.PLACED, order_id, trade.id
    intent.updated_at = utc_now()
    session.flush()
    return order


def same_trade(session: Session, intent: OrderIntent) -> Trade | None:
    """Return the stored trade that an intent is for, locked; None if it was deleted, or was to be made.

    Another trade that has its id is not it.
    """
    mark = stored_trade(intent.trade_fields or "{}")
    trade = None if mark is None else _locked_trade(session, mark.id)
    if trade is None or mark is None or trade.pair != intent.pair:
        return None
    return trade if as_naive_utc(trade.open_date) == mark.open_date else None


def _locked_trade(session: Session, trade_id: int) -> Trade | None:
    # Two orders of the same trade must not be taken into its numbers at once.
    found: Trade | None = session.scalars(select(Trade).where(Trade.id == trade_id).with_for_update()).first()
    return found


def _stored_order(session: Session, pair: str, order_id: str) -> Order | None:
    query = select(Order).where(Order.ft_pair == pair, Order.order_id == order_id)
    found: Order | None = session.scalars(query).first()
    return found


def _order_placed_before(intent: OrderIntent, order_id: str, known: Order | None) -> Order:
    if order_id != intent.order_id:
        msg = (
            f"The intent {intent.client_order_id!r} was placed as order {intent.order_id!r}, but the answer is about "
            f"order {order_id!r}: write down an intent of its own for each order."
        )
        raise InvalidOrder(msg)
    if known is None:
        msg = (
            f"The intent {intent.client_order_id!r} was placed as order {order_id!r}, which somebody has deleted since."
            " Nothing was stored."
        )
        raise DependencyException(msg)
    return known


def _trade_for(session: Session, intent: OrderIntent, order_id: str, candidate: Trade | None) -> Trade:
    """Return the trade that an order which is not stored yet goes to."""
    text = intent.trade_fields or "{}"
    mark = stored_trade(text)
    if mark is None:
        return candidate or new_trade(text)
    trade = same_trade(session, intent)
    if trade is None:
        msg = (
            f"The exchange has order {order_id!r} for {intent.side} {intent.amount} {intent.pair}, but its trade "
            f"{mark.id} has been deleted since the intent {intent.client_order_id!r} was written down. It stays "
            "unresolved: store the order with a trade of your choice, then resolve it again; or, if nobody needs to "
            "know of the order, resolve it with a fetch that returns None."
        )
        raise DependencyException(msg)
    return trade


def _trade_with(session: Session, intent: OrderIntent, known: Order) -> Trade:
    """Return the trade that an order is stored with already, if that is where the intent wants it."""
    trade = _locked_trade(session, known.ft_trade_id)
    if trade is None or not _is_for(session, intent, known, trade) or _is_explained(session, intent, known):
        msg = (
            f"Order {known.order_id!r} ({known.ft_pair}) is stored already, with {trade}, which the intent "
            f"{intent.client_order_id!r} is not for. Nothing was stored: look which order the exchange has under that "
            "client order id."
        )
        raise DuplicateOrder(msg)
    return trade


def _is_for(session: Session, intent: OrderIntent, known: Order, trade: Trade) -> bool:
    if stored_trade(intent.trade_fields or "{}") is not None:
        # Without its trade, an order belongs where somebody has put it.
        return same_trade(session, intent) in {None, trade}
    is_first = trade.orders[0] is known
    return is_first and trade.exchange == intent.exchange and known.ft_order_side == intent.side


def _is_explained(session: Session, intent: OrderIntent, known: Order) -> bool:
    """Tell whether another intent was placed as the order."""
    others = select(OrderIntent.id).where(
        OrderIntent.order_id == known.order_id, OrderIntent.pair == intent.pair, OrderIntent.id != intent.id
    )
    return session.scalars(others).first() is not None
