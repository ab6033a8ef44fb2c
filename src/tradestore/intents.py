"""Orders that are about to be sent: written down before the exchange hears of them, so that none is ever lost.

Between the call that places an order and the commit that stores it, a bot may die, and a call that timed out doesn't
say whether the exchange has the order. An intent is committed before the call, with a name of our own for the order.
Whatever happens then, the exchange can be asked for that name later, see :func:`resolve`.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tradestore._clock import utc_now
from tradestore._intent_adoption import adopt, locked_intent
from tradestore._intent_model import UNRESOLVED, IntentState, OrderIntent
from tradestore._intent_plan import client_id, plan_of
from tradestore._running_intent import RejectedBy, RunningIntent, settle_changes
from tradestore._session import bound_engine, scoped
from tradestore._sqltypes import storable
from tradestore._store_session import in_unit_of_work
from tradestore.database import Database
from tradestore.exceptions import DatabaseNotReady, DependencyException, InvalidValue
from tradestore.trade_model import Trade

__all__ = [
    "IntentState",
    "OrderIntent",
    "RunningIntent",
    "delete_intents",
    "intent",
    "resolve",
    "unresolved_intents",
]


@contextmanager
def intent(
    database: Database,
    trade_or_pair: Trade | str,
    side: str,
    amount: float,
    price: float | None = None,
    *,
    order_type: str | None = None,
    order_tag: str | None = None,
    exchange: str | None = None,
    client_order_id: str | None = None,
    trade_fields: Mapping[str, Any] | None = None,
    rejected_by: RejectedBy = (),
) -> Iterator[RunningIntent]:
    """Write down an order before it is sent: the block sends it, with ``client_order_id``, and tells the answer.

    What the session holds pending is committed before, as by every method that stores something. An exception in the
    block is noted and goes on; a block that is left without one and without :meth:`RunningIntent.placed` leaves the
    intent unresolved.

    Args:
        database: That is open.
        trade_or_pair: A stored trade; one that is in no session yet, which is stored with its order; or the pair of a
            trade that is made and stored with its order.
        side: ``buy``, ``sell`` or ``stoploss``.
        amount: Base currency.
        price: Quote currency; for a market order the price that is expected, or None if the answer will tell it.
        order_type: As the exchange calls it.
        order_tag: For ``ft_order_tag`` of the order.
        exchange: Of a trade that is to be made.
        client_order_id: Our own name for the order, up to 64 characters; one of 26 letters and digits if None.
        trade_fields: Other columns of a trade that is to be made; its stake is amount times price by leverage.
        rejected_by: Exceptions by which the exchange says that it has refused the order for good.

    Yields:
        What the exchange's answer is told to.

    Raises:
        InvalidValue: If something cannot be stored or is missing, or the client order id was used before.
        DependencyException: If a transaction is under way, or the trade is not where it should be.
        TradeLimitReached: If the trade that is to be made would be one too many; the block did not run.
        NotImplementedError: In memory mode.
        DatabaseBusy: If the database could not be written to; the block did not run.
        CommitOutcomeUnknown: If the connection was lost while committing; the block did not run.
    """
    _refuse_memory("intent")
    _refuse_transaction("intent")
    # A wrong type would else be found out when the exchange has refused.
    issubclass(Exception, rejected_by)
    plan, trade = plan_of(trade_or_pair, side, amount, price, exchange, trade_fields)
    plan |= {"client_order_id": client_id(client_order_id), "order_type": order_type, "order_tag": order_tag}
    with _marked(plan["client_order_id"]):
        running = RunningIntent(database, plan, trade, rejected_by)
        running.write_down()
        try:
            yield running
        except BaseException as e:
            running.left_by(e)
            raise
        running.left()


@contextmanager
def _marked(client_order_id: str) -> Iterator[None]:
    """Let no other thread take an intent for one that was left behind, from before it is committed."""
    mark = os.getpid(), client_order_id
    if mark in _running:
        msg = f"The block of intent {client_order_id!r} is running already: use another name for each order."
        raise InvalidValue(msg)
    _running.add(mark)
    try:
        yield
    finally:
        _running.discard(mark)


_running: set[tuple[int, str]] = set()
"""The intents whose blocks are running, by process: a child that was forked runs none of its parent's."""


def unresolved_intents(database: Database) -> list[OrderIntent]:
    """Return the intents of which nobody knows whether the exchange has the order, oldest first.

    Those whose blocks are running in this process are left out; those that run in another process are not.

    Args:
        database: That is open.

    Raises:
        NotImplementedError: In memory mode.
        DatabaseNotReady: If the database was closed, or another one opened since.
    """
    _refuse_memory("unresolved_intents")
    if bound_engine() is not database.engine:
        msg = f"{database!r} is closed, or another init_db() came after it: use the Database that is open now."
        raise DatabaseNotReady(msg)
    query = select(OrderIntent).where(OrderIntent.state.in_(UNRESOLVED)).order_by(OrderIntent.id)
    found = scoped.scalars(query).all()
    return [each for each in found if (os.getpid(), each.client_order_id) not in _running]


def resolve(database: Database, intent: OrderIntent, fetch: Callable[[str], Mapping[str, Any] | None]) -> IntentState:
    """Ask the exchange for the order of an intent: store it if it is there, and give the intent up if it is not.

    Whoever starts a bot does this for all unresolved intents before it places orders, while no other process does. An
    intent that was placed is not asked about again; one that was given up is, and its order is stored if it has come
    after all.

    Args:
        database: That is open.
        intent: As :func:`unresolved_intents` gives it.
        fetch: Is given the client order id, and returns the exchange's order, whatever its state, or None if the
            exchange is sure to have none. It must look among open and finished orders, and raise if it cannot know.

    Returns:
        What the intent is now: placed or void.

    Raises:
        InvalidOrder: If what was fetched has no id or is no order; the intent stays as it is.
        DuplicateOrder: If the order is stored already, with another trade; the intent stays as it is.
        DependencyException: If the order's trade has been deleted, or a transaction is under way; it stays as it is.
        NotImplementedError: In memory mode.
        DatabaseBusy: If the database could not be written to; the intent stays as it is.
    """
    _refuse_memory("resolve")
    _refuse_transaction("resolve")
    settle_changes()
    client_order_id = intent.client_order_id
    if database.run(lambda session: _state_of(session, client_order_id)) == IntentState.PLACED:
        return IntentState.PLACED
    answer = fetch(client_order_id)
    # The fetch may have written something of its own.
    settle_changes()
    return database.run(lambda session: _take_answer(session, client_order_id, answer))


def delete_intents(database: Database, before: datetime) -> int:
    """Forget intents that were closed, placed or void, before a time; unresolved ones stay.

    Args:
        database: That is open.
        before: UTC.

    Returns:
        How many were deleted.

    Raises:
        NotImplementedError: In memory mode.
    """
    _refuse_memory("delete_intents")
    moment = storable("delete_intents(before)", OrderIntent.updated_at.type, before)
    closed = OrderIntent.state.not_in(UNRESOLVED) & (OrderIntent.updated_at < moment)
    statement = delete(OrderIntent).where(closed).execution_options(synchronize_session="fetch")
    settle_changes()
    return database.run(lambda session: _row_count(session.execute(statement)))


def _row_count(result: Any) -> int:
    count: int = result.rowcount
    return count


def _state_of(session: Session, client_order_id: str) -> str:
    return _stored(locked_intent(session, client_order_id), client_order_id).state


def _take_answer(session: Session, client_order_id: str, answer: Mapping[str, Any] | None) -> IntentState:
    row = _stored(locked_intent(session, client_order_id), client_order_id)
    if answer is not None and row.state != IntentState.PLACED:
        adopt(session, row, answer)
    elif row.state in UNRESOLVED:
        row.state, row.updated_at = IntentState.VOID, utc_now()
    return IntentState(row.state)


def _stored(row: OrderIntent | None, client_order_id: str) -> OrderIntent:
    if row is None:
        msg = f"There is no intent {client_order_id!r} in this database (any more)."
        raise DependencyException(msg)
    return row


def _refuse_memory(name: str) -> None:
    if not Trade.use_db:
        msg = f"{name}() needs a database: call enable_database_use() first. In memory there is no exchange to ask."
        raise NotImplementedError(msg)


def _refuse_transaction(name: str) -> None:
    if in_unit_of_work(scoped()):
        msg = (
            f"{name}() within a transaction would not be on the disk before the exchange is called, or would hold its "
            "locks meanwhile: call it outside of database.transaction()."
        )
        raise DependencyException(msg)
