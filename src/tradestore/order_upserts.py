"""Exchange answers stored once, however often and by however many processes they are handed in."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, class_mapper, make_transient, object_session
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from tradestore._engine import take_write_lock
from tradestore._errors import meaningful_errors
from tradestore._exchange_dict import order_id_of, plain_side, read_order
from tradestore._order_model import Order
from tradestore._store_session import has_changes, in_unit_of_work, settle
from tradestore.base import ModelBase
from tradestore.constants import PLACEHOLDER
from tradestore.exceptions import DependencyException, DuplicateOrder, InvalidOrder
from tradestore.intents import OrderIntent
from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade
from tradestore.trade_model import Trade

__all__ = ["UpsertOutcome", "UpsertedOrder", "upsert_order"]

_Order = TypeVar("_Order", bound=LocalOrder)

_TRADES: Final[Any] = Trade.__table__
_LOOKS: Final = 5
_NOTES: Final = ("ft_order_tag", "ft_cancel_reason", "ft_fee_base", "funding_fee")
"""What the bot itself has noted on an order, and no answer tells."""


class UpsertOutcome(StrEnum):
    """What became of an answer that was handed in."""

    INSERTED = "inserted"
    """It is a new order of the trade."""
    UPDATED = "updated"
    """The trade had the order already, which has taken over what the answer tells."""
    OTHER_TRADE = "other_trade"
    """Another trade has the order: nothing was changed."""


@dataclass(frozen=True, slots=True)
class UpsertedOrder:
    """An order as it is stored after :func:`upsert_order`.

    Attributes:
        outcome: What was done.
        order: The order.
        trade: The trade that has it.
    """

    outcome: UpsertOutcome
    order: LocalOrder
    trade: LocalTrade


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is to be stored.

    Attributes:
        told: The answer with an id, which is a placeholder where the exchange gave none, and our own name of the order.
        order_id: That id.
        placeholder: What the order may be stored under until its id is known.
        asked: What was asked for: side, amount, price, and tag.
    """

    told: Mapping[str, Any]
    order_id: str
    placeholder: str | None
    asked: Mapping[str, Any]

    @property
    def ids(self) -> list[str]:
        return [self.order_id] if self.placeholder in {None, self.order_id} else [self.order_id, str(self.placeholder)]


def upsert_order(
    trade: LocalTrade,
    ccxt_order: Mapping[str, Any],
    *,
    side: str | None = None,
    amount: float | None = None,
    price: float | None = None,
    tag: str | None = None,
    client_order_id: str | None = None,
) -> UpsertedOrder:
    """Store an exchange's answer as an order of a trade, or update the order that is there.

    Orders are told apart by the pair and the exchange's id. However often and by however many processes the same answer
    is handed in, there is one order. It is committed together with whatever waits in the session; within a unit of work
    it is only written. What the order did is not taken into the trade: that is for ``trade.update_trade(order)``.

    An answer without an id is stored under a placeholder, which our own name for the order is part of. A later answer
    with an id and the same name completes it; if the order with that id is there by then, the two become one.

    In memory the same is done to the trade's list of orders.

    Args:
        trade: One that is stored, or a new one, which is stored with the order.
        ccxt_order: A unified order dict.
        side: ``buy``, ``sell`` or ``stoploss``; the side that the answer tells if not given. For a new order only, as
            are amount and price.
        amount: What was asked for, in base currency; the answer's amount if not given.
        price: What was asked for, in stake currency; the answer's price if not given.
        tag: Of the order; the one that it has stays if not given.
        client_order_id: Our own name for the order; the answer's ``clientOrderId`` if not given.

    Returns:
        What was done, the order, and its trade. If that is another trade, nothing was changed or committed.

    Raises:
        InvalidOrder: If a number in the answer is not finite, or a new order has no side.
        UnpricedOrder: If no price is known for the order.
        DependencyException: If the trade is not there any more, or belongs to another session.
        DatabaseBusy: If the database stayed locked; nothing was stored.
        CommitOutcomeUnknown: If the connection was lost while committing.
    """
    read_order(ccxt_order)  # What cannot be used is refused before anything is touched.
    asked = {"side": side, "amount": amount, "price": price, "tag": tag}
    client_id = client_order_id or ccxt_order.get("clientOrderId") or None
    if not isinstance(trade, Trade) or not Trade.use_db:
        return _upsert_in_memory(trade, _read(ccxt_order, client_id, None, asked))
    session = Trade.session()
    _take_in(session, trade)
    with meaningful_errors():
        known_id = None if client_id is None or _has_id(ccxt_order) else _id_by_intent(session, str(client_id))
    return _upsert_and_settle(session, trade, _read(ccxt_order, client_id, known_id, asked))


def _upsert_and_settle(session: Session, trade: Trade, answer: _Answer) -> UpsertedOrder:
    was_free, was_new = not in_unit_of_work(session), instance_state(trade).key is None
    was_apart, had_changes = instance_state(trade).transient, has_changes(session)
    orders = list(trade.orders) if was_new else []
    before = [(record, _columns(record)) for record in (trade, *orders)] if was_new else []
    try:
        with meaningful_errors():
            done = _upsert(session, trade, answer)
    except BaseException:
        if was_free:
            session.rollback()
            _restore(trade, orders, before)
        raise
    if done.outcome is not UpsertOutcome.OTHER_TRADE:
        settle(session)
        return done
    if was_apart:
        _restore(trade, orders, before)
    if was_free and not had_changes:
        session.commit()  # Nothing was written: this gives back the locks.
    return done


def _columns(record: ModelBase) -> dict[str, Any]:
    names = class_mapper(type(record)).columns.keys()
    return {name: value for name, value in record.__dict__.items() if name in names}


def _take_in(session: Session, trade: Trade) -> None:
    """Take a stored trade into the session that it was loaded for, if that has been closed meanwhile.

    Raises:
        DependencyException: If it is another session's, or this one has loaded it for itself.
    """
    state, owner = instance_state(trade), object_session(trade)
    if owner is session or (owner is None and state.key is None):
        return
    if owner is not None or (state.key is not None and state.key in session.identity_map):
        msg = (
            "The trade belongs to the session of another thread or request, or of one that has ended. Nothing was "
            "stored: pass the trade as Trade.get_trades() gives it here."
        )
        raise DependencyException(msg)
    session.add(trade)


def _restore(trade: Trade, orders: Sequence[Order], before: Sequence[tuple[ModelBase, Mapping[str, Any]]]) -> None:
    """Give a new trade and its orders back what savepoints have made them forget, and take their numbers away."""
    for record, columns in before:
        make_transient(record)
        for name in _columns(record).keys() - columns.keys():
            del record.__dict__[name]
        record.__dict__.update(columns)
    if before:
        # Whatever has become of the list, each order is one that the trade has just been given.
        set_committed_value(trade, "orders", [])
        for order in orders:
            order.__dict__.pop("_trade_live", None)
            trade.orders.append(order)


def _read(ccxt_order: Mapping[str, Any], client_id: Any, known_id: str | None, asked: Mapping[str, Any]) -> _Answer:
    placeholder = None if client_id is None else f"{PLACEHOLDER}{client_id}"
    if _has_id(ccxt_order):
        order_id = order_id_of(ccxt_order)
    else:
        client_id = client_id or uuid.uuid4().hex
        order_id = known_id or f"{PLACEHOLDER}{client_id}"
    return _Answer({**ccxt_order, "id": order_id, "clientOrderId": client_id}, order_id, placeholder, asked)


def _has_id(ccxt_order: Mapping[str, Any]) -> bool:
    return ccxt_order.get("id") not in {None, ""}


def _id_by_intent(session: Session, client_id: str) -> str | None:
    """Return the exchange's id that an intent knows of an order: it may be complete already."""
    known = select(OrderIntent.order_id).where(OrderIntent.client_order_id == client_id)
    found: str | None = session.scalar(known)
    return found


def _upsert(session: Session, trade: Trade, answer: _Answer) -> UpsertedOrder:
    known = _pending_elsewhere(session, trade, answer) or _stored(session, trade, answer)
    if known and known[0].trade is not trade:
        return UpsertedOrder(UpsertOutcome.OTHER_TRADE, known[0], _owner(known[0]))
    if not known and not _waiting(trade, answer):
        _new_order(Order, trade, answer).complete_for_storing()  # Refused now, if at all.
    # From here on nobody else adds to this trade, so that what is looked for is there or is not.
    _lock(session, trade)
    with session.begin_nested() if instance_state(trade).transient else nullcontext() as savepoint:
        done = _store_in_turn(session, trade, answer)
        if savepoint is not None and done.outcome is UpsertOutcome.OTHER_TRADE:
            savepoint.rollback()
    return done


def _store_in_turn(session: Session, trade: Trade, answer: _Answer) -> UpsertedOrder:
    waiting = _take_out(trade, answer)
    session.add(trade)
    session.flush()
    for look in range(1, _LOOKS + 1):
        try:
            with session.begin_nested():
                return _store(session, trade, answer, waiting)
        except DuplicateOrder:
            # Another trade has just been given the order, or a writer that knows no locks was faster.
            if look == _LOOKS:
                raise
    raise AssertionError


def _store(session: Session, trade: Trade, answer: _Answer, waiting: Order | None) -> UpsertedOrder:
    stored = _stored(session, trade, answer)
    if not stored:
        order = waiting or _new_order(Order, trade, answer)
        if waiting is not None:
            waiting.update_from_ccxt_object(answer.told)
        order._trade_live = trade  # noqa: SLF001 - the list may not be loaded, and must not be for this
        session.add(order)
        session.flush()
        return UpsertedOrder(UpsertOutcome.INSERTED, order, trade)
    order, *rest = stored
    if order.trade is not trade:
        if waiting is not None:
            trade.orders.append(waiting)
        return UpsertedOrder(UpsertOutcome.OTHER_TRADE, order, _owner(order))
    own = [other for other in rest if other.trade is trade]
    _update(order, answer, [*own, *filter(None, [waiting])])
    for merged in own:
        session.delete(merged)
        if "orders" in trade.__dict__ and merged in trade.orders:
            trade.orders.remove(merged)
    if "orders" in trade.__dict__ and order not in trade.orders:
        trade.orders.insert(
            sum(instance_state(other).has_identity and other.id < order.id for other in trade.orders), order
        )
    session.flush()
    return UpsertedOrder(UpsertOutcome.UPDATED, order, trade)


def _lock(session: Session, trade: Trade) -> None:
    """Let nobody else store an order of the trade by this way until the transaction ends.

    Raises:
        DependencyException: If the trade is gone.
    """
    take_write_lock(session.connection())
    if instance_state(trade).key is None:
        return
    present = select(_TRADES.c.id).where(_TRADES.c.id == trade.id).with_for_update(key_share=True)
    if session.scalar(present) is None:
        msg = f"{trade} is not in the database any more, so that no order can be stored with it."
        raise DependencyException(msg)


def _stored(session: Session, trade: Trade, answer: _Answer) -> list[Order]:
    """Return the rows that the answer is about: the one with the exchange's id first, then the placeholder."""
    query = select(Order).where(Order.ft_pair == trade.pair, Order.order_id.in_(answer.ids))
    return sorted(session.scalars(query), key=lambda order: order.order_id != answer.order_id)


def _pending_elsewhere(session: Session, trade: Trade, answer: _Answer) -> list[Order]:
    """Return what the answer is about among the orders of other trades that wait in the session."""
    return [
        order
        for order in session.new
        if isinstance(order, Order)
        and (order.ft_pair, order.order_id) == (trade.pair, answer.order_id)
        and order.trade not in {None, trade}
    ]


def _waiting(trade: Trade, answer: _Answer) -> list[Order]:
    """Return what the answer is about among the orders that were appended to the trade and never stored."""
    orders = trade.__dict__.get("orders", ())  # A list that was not loaded has none.
    waiting = [order for order in orders if instance_state(order).key is None and _is_about(answer, order, trade)]
    return sorted(waiting, key=lambda order: order.order_id != answer.order_id)


def _take_out(trade: Trade, answer: _Answer) -> Order | None:
    """Make one of those orders, and take it from the list until it can be stored."""
    waiting = _waiting(trade, answer)
    for order in waiting:
        trade.orders.remove(order)
        _keep_notes(waiting[0], order)
    return waiting[0] if waiting else None


def _upsert_in_memory(trade: LocalTrade, answer: _Answer) -> UpsertedOrder:
    known = [order for order in trade.orders if _is_about(answer, order, trade)]
    known.sort(key=lambda order: order.order_id != answer.order_id)
    if known:
        _update(known[0], answer, known[1:])
        for order in known[1:]:
            trade.orders.remove(order)
        return UpsertedOrder(UpsertOutcome.UPDATED, known[0], trade)
    for other in LocalTrade.get_trades_proxy(pair=trade.pair):
        for order in other.orders:
            if other is not trade and _is_about(answer, order, trade):
                return UpsertedOrder(UpsertOutcome.OTHER_TRADE, order, other)
    order = _new_order(trade.order_class, trade, answer)
    trade.orders.append(order)
    order.belong_to(trade)
    return UpsertedOrder(UpsertOutcome.INSERTED, order, trade)


def _is_about(answer: _Answer, order: LocalOrder, trade: LocalTrade) -> bool:
    return order.ft_pair == trade.pair and order.order_id in answer.ids


def _new_order(kind: type[_Order], trade: LocalTrade, answer: _Answer) -> _Order:
    side, amount, price, tag = map(answer.asked.get, ("side", "amount", "price", "tag"))
    if side is None and answer.told.get("side") is None:
        msg = f"Order {answer.order_id!r} ({trade.pair}) has no side: pass side, as buy, sell or stoploss."
        raise InvalidOrder(msg)
    order = kind.parse_from_ccxt_object(
        answer.told, trade.pair, side or plain_side(answer.told["side"]), amount=amount, price=price
    )
    order.ft_order_tag = tag
    return order


def _update(order: LocalOrder, answer: _Answer, merged: Iterable[LocalOrder]) -> None:
    """Take over what the answer tells, and what was noted on others that turn out to be the same order."""
    order.update_from_ccxt_object(answer.told)
    if answer.asked["tag"] is not None:
        order.ft_order_tag = answer.asked["tag"]
    for other in merged:
        _keep_notes(order, other)


def _keep_notes(order: LocalOrder, other: LocalOrder) -> None:
    for name in _NOTES:
        if getattr(order, name) is None and getattr(other, name) is not None:
            setattr(order, name, getattr(other, name))


def _owner(order: Order) -> LocalTrade:
    trade = order.trade
    if trade is None:  # The key that refers to it does not let it go.
        msg = f"{order} has no trade."
        raise DependencyException(msg)
    return trade
