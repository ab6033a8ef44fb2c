"""An intent while its order is being sent: what it is told is stored at once."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import inspect, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from tradestore._clock import utc_now
from tradestore._intent_adoption import adopt, locked_intent, same_trade
from tradestore._intent_model import UNRESOLVED, IntentState, OrderIntent
from tradestore._record import cut
from tradestore._session import scoped
from tradestore._store_session import has_changes, in_unit_of_work, settle, write
from tradestore.database import Database
from tradestore.exceptions import DependencyException, InvalidValue, TradeStoreError
from tradestore.limits import check_room
from tradestore.trade_model import Order, Trade

__all__ = ["RejectedBy", "RunningIntent", "settle_changes"]

logger = logging.getLogger(__name__)

_NOT_PLACED: Final = (*UNRESOLVED, IntentState.VOID)
_ATTEMPTS: Final = 8
RejectedBy = type[BaseException] | tuple[type[BaseException], ...]


class RunningIntent:
    """An intent whose block is running: what the exchange is told, and who hears its answer.

    Attributes:
        client_order_id: Our own name for the order, for the exchange's parameter of that name.
    """

    def __init__(self, database: Database, plan: dict[str, Any], trade: Trade | None, rejected_by: RejectedBy) -> None:
        """Begin; :func:`intent` does this."""
        self.client_order_id: str = plan["client_order_id"]
        self._database = database
        self._plan = plan
        self._trade = trade
        self._fields: dict[str, Any] = {}
        self._rejected_by = rejected_by
        self._was_answered = self._was_placed = False
        self._was_rejected = False

    def placed(self, answer: Mapping[str, Any]) -> Order:
        """Store the order that the exchange has, with its trade where that is new, and close the intent: all at once.

        What the session holds besides is committed just before. In a transaction of ``Database`` everything is stored
        at its end.

        Args:
            answer: A unified order dict.

        Returns:
            The order; ``order.trade`` is its trade. Calling this again finds the same one.

        Raises:
            InvalidOrder: If the answer has no id or is no order. The exchange may have it all the same: the intent
                stays unresolved.
            DuplicateOrder: If the order is stored already, with another trade; the intent stays unresolved.
            DependencyException: If the trade was deleted meanwhile; the intent stays unresolved.
            DatabaseBusy: If the database could not be written to; the intent stays unresolved.
            CommitOutcomeUnknown: If the connection was lost while committing; :func:`resolve` finds out.
        """
        self._was_answered = True
        try:
            settle_changes()
            # An earlier answer may have been given up with the transaction that it was told in.
            self._restore_trade()
            if self._trade is not None:
                self._fields = self._trade.column_values()
            order = self._database.run(lambda session: self._adopt(session, answer))
        except BaseException as e:
            self._restore_trade()
            # A database that is away would not take the note either, and the intent is unresolved without it.
            if isinstance(e, DependencyException) and not in_unit_of_work(scoped()):
                self.failed(e)
            raise
        self._was_placed = True
        return order

    def failed(self, error: object) -> None:
        """Note that the call failed, which doesn't say whether the exchange has the order: it stays unresolved.

        After :meth:`placed` or :meth:`rejected` this changes nothing.

        Args:
            error: What went wrong.
        """
        if not self._was_rejected:
            self._note(_NOT_PLACED, _ATTEMPTS, state=IntentState.FAILED, error=_text(error))

    def rejected(self, reason: object) -> None:
        """Note that the exchange has definitely refused the order: there is none. After :meth:`placed` nothing changes.

        Args:
            reason: Why.
        """
        self._note(UNRESOLVED, _ATTEMPTS, state=IntentState.VOID, error=_text(reason))
        self._was_rejected = True

    def write_down(self) -> None:
        """Commit the intent, before the exchange hears of the order; :func:`intent` does this."""
        settle_changes()
        try:
            self._database.run(self._add)
        except IntegrityError:
            # Somebody was faster with the same name, or deleted the trade: now that can be seen, and said.
            self._database.run(self._add)

    def left_by(self, error: BaseException) -> None:
        """Note by which exception the block was left; :func:`intent` does this."""
        if self._was_rejected:
            return
        is_refusal = isinstance(error, self._rejected_by) and not self._was_answered
        states, state = (UNRESOLVED, IntentState.VOID) if is_refusal else (_NOT_PLACED, IntentState.FAILED)
        try:
            self._note(states, 1, state=state, error=_text(error))
        except (TradeStoreError, SQLAlchemyError):
            # It is unresolved as it is, and the caller has to hear of the first error.
            logger.warning("The failure of intent %s could not be noted.", self.client_order_id, exc_info=True)

    def left(self) -> None:
        """Open the intent again where somebody else gave it up while the block ran; :func:`intent` does this."""
        if not (self._was_placed or self._was_rejected):
            self._note((IntentState.VOID,), _ATTEMPTS, state=IntentState.OPEN)

    def _add(self, session: Session) -> None:
        if locked_intent(session, self.client_order_id) is not None:
            msg = (
                f"There is an intent with the client order id {self.client_order_id!r} already. Nothing was stored, "
                "and nothing may be sent: use another one for each order."
            )
            raise InvalidValue(msg)
        row = OrderIntent(**self._plan)
        if row.ft_trade_id is not None and same_trade(session, row) is None:
            msg = f"Trade {row.ft_trade_id} ({row.pair}) has been deleted: nothing was stored, and nothing may be sent."
            raise DependencyException(msg)
        if row.ft_trade_id is None:
            check_room(session, row.pair, is_short=row.side == "sell")
        session.add(row)

    def _adopt(self, session: Session, answer: Mapping[str, Any]) -> Order:
        self._restore_trade()
        row = locked_intent(session, self.client_order_id)
        if row is None:
            # Given up by somebody else and deleted: the order is here all the same.
            row = OrderIntent(**self._plan)
            session.add(row)
        return adopt(session, row, answer, self._trade)

    def _restore_trade(self) -> None:
        """Undo what an attempt that was rolled back did to a trade which is not stored yet."""
        trade = self._trade
        if trade is None or not inspect(trade).transient or not trade.orders:
            return
        set_committed_value(trade, "orders", [])  # As if they had never been: nobody is to look after them.
        for name, value in self._fields.items():
            setattr(trade, name, value)

    def _note(self, states: Sequence[IntentState], attempts: int, **values: Any) -> None:
        statement = (
            update(OrderIntent)
            .where(OrderIntent.client_order_id == self.client_order_id, OrderIntent.state.in_(states))
            .values(updated_at=utc_now(), **values)
        )
        session = scoped()
        if has_changes(session) or in_unit_of_work(session):
            try:
                write(session, statement)
                return
            except (TradeStoreError, SQLAlchemyError):
                if in_unit_of_work(session):
                    raise
                logger.warning("Changes beside intent %s could not be stored.", self.client_order_id, exc_info=True)
        self._database.run(lambda session: session.execute(statement), attempts=attempts)


def settle_changes() -> None:
    """Commit what waits in the session, so that what follows can be repeated without it.

    Raises:
        DatabaseBusy: If the database stayed locked; nothing was stored.
    """
    session = scoped()
    if has_changes(session):
        settle(session)


def _text(error: object) -> str:
    """Return what fits the column: exchanges answer with whole web pages, and not always in proper text."""
    said = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
    return cut(said.encode(errors="replace").decode().replace("\0", "?")) or ""
