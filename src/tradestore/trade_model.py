"""Trades and orders in the database."""

import copy
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, Self

from sqlalchemy import ColumnElement, Enum, Index, ScalarResult, Select, String, false, select, true
from sqlalchemy.orm import Mapped, mapped_column, object_session, raiseload, relationship, subqueryload, validates
from sqlalchemy.orm.attributes import instance_state

from tradestore._bulk_trades import BulkTrades
from tradestore._clock import utc_now
from tradestore._database_only import refuse
from tradestore._filters import TradeFilter, conditions
from tradestore._openings import note_opening
from tradestore._order_model import Order, UnpricedOrder
from tradestore._pages import TradePages
from tradestore._plain_twin import plain_trade
from tradestore._planning import unindexed
from tradestore._record import cut
from tradestore._reports import (
    TradeReports,
    closed_profit_query,
    open_count_query,
    open_stakes_query,
)
from tradestore._store_session import settle
from tradestore._stored_frames import TradeFrames
from tradestore._trade_json import trade_to_json
from tradestore._trade_stream import TradeStream
from tradestore.accounting._decimal import exact_sum
from tradestore.accounting.profit import ProfitStruct
from tradestore.base import ModelBase, StoredRecord
from tradestore.constants import (
    CURRENCY_LENGTH,
    EXCHANGE_LENGTH,
    NAME_LENGTH,
    PAIR_LENGTH,
    PROFIT_DECIMALS,
    RECORD_VERSION,
)
from tradestore.custom_data import CustomDataWrapper, _CustomData
from tradestore.enums import TradingMode
from tradestore.exceptions import DependencyException, InvalidOrder
from tradestore.local_custom_data import LocalCustomData
from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade

__all__ = ["LocalTrade", "Order", "ProfitStruct", "Trade", "UnpricedOrder"]


class Trade(TradePages, TradeStream, TradeFrames, TradeReports, BulkTrades, ModelBase, StoredRecord, LocalTrade):
    """One position in one pair, from its first entry to its last exit. See :class:`LocalTrade` for its rules.

    Attributes:
        use_db: Whether questions go to the database or to the trades in memory.
    """

    use_db: ClassVar[bool] = True
    order_class: ClassVar[type[LocalOrder]] = Order

    __tablename__ = "trades"
    # A bot's own class may annotate what is no column.
    __allow_unmapped__ = True
    __table_args__ = (
        # Open ones and those closed since; the same of a pair.
        Index(None, "is_open", "close_date"),
        Index(None, "pair", "is_open", "close_date"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    exchange: Mapped[str] = mapped_column(String(EXCHANGE_LENGTH))
    pair: Mapped[str] = mapped_column(String(PAIR_LENGTH), index=True)
    base_currency: Mapped[str | None] = mapped_column(String(CURRENCY_LENGTH))
    stake_currency: Mapped[str | None] = mapped_column(String(CURRENCY_LENGTH))
    is_open: Mapped[bool] = mapped_column(default=True, index=True)
    fee_open: Mapped[float] = mapped_column(default=0.0)
    fee_open_cost: Mapped[float | None]
    fee_open_currency: Mapped[str | None] = mapped_column(String(CURRENCY_LENGTH))
    fee_close: Mapped[float] = mapped_column(default=0.0)
    fee_close_cost: Mapped[float | None]
    fee_close_currency: Mapped[str | None] = mapped_column(String(CURRENCY_LENGTH))
    open_rate: Mapped[float]
    open_rate_requested: Mapped[float | None]
    open_trade_value: Mapped[float | None]
    close_rate: Mapped[float | None]
    close_rate_requested: Mapped[float | None]
    realized_profit: Mapped[float | None] = mapped_column(default=0.0)
    close_profit: Mapped[float | None]
    close_profit_abs: Mapped[float | None]
    stake_amount: Mapped[float]
    max_stake_amount: Mapped[float | None]
    amount: Mapped[float]
    amount_requested: Mapped[float | None]
    open_date: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    close_date: Mapped[datetime | None] = mapped_column(index=True)
    stop_loss: Mapped[float | None] = mapped_column(default=0.0)
    stop_loss_pct: Mapped[float | None]
    initial_stop_loss: Mapped[float | None] = mapped_column(default=0.0)
    initial_stop_loss_pct: Mapped[float | None]
    is_stop_loss_trailing: Mapped[bool] = mapped_column(default=False)
    max_rate: Mapped[float | None] = mapped_column(default=0.0)
    min_rate: Mapped[float | None]
    exit_reason: Mapped[str | None]
    exit_order_status: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    strategy: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    enter_tag: Mapped[str | None]
    timeframe: Mapped[int | None]
    trading_mode: Mapped[TradingMode | None] = mapped_column(Enum(TradingMode))
    amount_precision: Mapped[float | None]
    price_precision: Mapped[float | None]
    precision_mode: Mapped[int | None]
    precision_mode_price: Mapped[int | None]
    contract_size: Mapped[float | None]
    leverage: Mapped[float | None] = mapped_column(default=1.0)
    is_short: Mapped[bool] = mapped_column(default=False)
    liquidation_price: Mapped[float | None]
    interest_rate: Mapped[float] = mapped_column(default=0.0)
    funding_fees: Mapped[float | None]
    funding_fee_running: Mapped[float | None]
    record_version: Mapped[int] = mapped_column(default=RECORD_VERSION)

    # A list of orders is no list of plain orders to a type checker, though whoever reads it may treat it as one.
    orders: Mapped[list[Order]] = relationship(  # type: ignore[assignment]
        order_by=unindexed(Order.id),
        back_populates="_trade_live",
        cascade="all, delete-orphan",
        lazy="selectin",
        enable_typechecks=False,  # A bot's own class of orders has the same rows.
    )
    custom_data: Mapped[list[_CustomData]] = relationship(cascade="all, delete-orphan")

    def __init__(self, **values: Any) -> None:
        """Build a trade from its fields; the defaults of the table hold at once, not only when it is stored."""
        LocalTrade.__init__(self, **values)

    @validates("enter_tag", "exit_reason")
    def _cut_text(self, _name: str, text: str | None) -> str | None:
        return cut(text)

    @validates("orders")
    def _check_order(self, _name: str, order: object) -> object:
        if not hasattr(order, "_sa_instance_state"):
            msg = f"{order!r:.200} is a {type(order).__name__}: a trade of the database has orders made by Order()."
            raise InvalidOrder(msg)
        return order

    def complete_for_storing(self) -> None:
        """Note an open trade that is new, or was not open as the same trade before: limits may speak against it."""
        fields, state = self.__dict__, instance_state(self)
        if fields.get("is_open", True) is not False:
            before = state.committed_state
            if state.key is None or any(name in before and before[name] != fields.get(name) for name in _WHAT_IS_OPEN):
                note_opening(object_session(self), self)

    def delete(self) -> None:
        """Remove the trade with its orders and custom data, all or nothing.

        Raises:
            DependencyException: If it is not stored, or not any more.
        """
        session = Trade.session()
        session.flush()
        # A session that has ended, or one of another thread, may have left the object behind.
        identity = instance_state(self).identity
        stored = self if self in session else identity and session.get(Trade, identity)
        if stored is None:
            msg = f"{self} cannot be deleted: it is not stored, or was deleted already."
            raise DependencyException(msg)
        # What was added beside the loaded lists must go too.
        session.expire(stored, ["orders", "custom_data"])
        session.delete(stored)
        settle(session)

    @staticmethod
    def commit() -> None:
        """Store all changes. Within a transaction of ``Database`` they are written now and stored at its end.

        Raises:
            DatabaseBusy: If the database stayed locked; nothing was stored.
            CommitOutcomeUnknown: If the connection was lost while committing.
        """
        Trade.persist()

    @staticmethod
    def rollback() -> None:
        """Give up all changes that were not committed."""
        if Trade.use_db:
            Trade.session.rollback()

    @classmethod
    def persist(cls) -> None:
        """Store the change, see :meth:`commit`."""
        if Trade.use_db:
            settle(Trade.session())

    @staticmethod
    def get_trades_query(trade_filter: TradeFilter = None, include_orders: bool = True) -> Select["Trade"]:
        """Return the query for the matching trades, to be ordered and cut by the caller.

        Args:
            trade_filter: SQL expressions on the columns, all of which must hold.
            include_orders: Whether orders are loaded too, with one more statement for all trades together. Without them
                a trade that the session holds already is returned as it is, not brought up to date.

        Raises:
            NotImplementedError: In memory mode.
        """
        if not Trade.use_db:
            refuse("get_trades_query")
        query = select(Trade).where(*conditions(trade_filter))
        if include_orders:
            return query.options(subqueryload(Trade.orders))
        # Bringing loaded trades up to date by this query would take away the orders that they have.
        return query.options(raiseload(Trade.orders)).execution_options(populate_existing=False)

    @staticmethod
    def get_trades(trade_filter: TradeFilter = None, include_orders: bool = True) -> ScalarResult["Trade"]:
        """Return the matching trades by id; arguments and errors as in :meth:`get_trades_query`."""
        query = Trade.get_trades_query(trade_filter, include_orders)
        return Trade.session.scalars(query.order_by(unindexed(Trade.id) if conditions(trade_filter) else Trade.id))

    @staticmethod
    def get_trades_proxy(
        *,
        pair: str | None = None,
        is_open: bool | None = None,
        open_date: datetime | None = None,
        close_date: datetime | None = None,
    ) -> Sequence[LocalTrade]:
        """Return the matching trades by id; see :meth:`LocalTrade.get_trades_proxy`."""
        if not Trade.use_db:
            return LocalTrade.get_trades_proxy(pair=pair, is_open=is_open, open_date=open_date, close_date=close_date)
        filters: list[ColumnElement[bool]] = []
        if pair is not None:
            filters.append(Trade.pair == pair)
        if is_open is not None:
            filters.append(Trade.is_open == is_open)
        if open_date is not None:
            filters.append(Trade.open_date > open_date)
        if close_date is not None:
            filters += [Trade.is_open == false(), Trade.close_date > close_date]
        return Trade.get_trades(filters).all()

    @staticmethod
    def get_open_trades() -> Sequence[LocalTrade]:
        """Return all open trades by id."""
        return Trade.get_trades_proxy(is_open=True)

    @staticmethod
    def get_closed_trades() -> Sequence[LocalTrade]:
        """Return all closed trades by id."""
        return Trade.get_trades_proxy(is_open=False)

    @staticmethod
    def get_open_trade_count() -> int:
        """Return how many trades are open."""
        if not Trade.use_db:
            return LocalTrade.get_open_trade_count()
        return Trade.session.scalar(open_count_query()) or 0

    @staticmethod
    def total_open_trades_stakes() -> float:
        """Return the stakes of all open trades together, in stake currency."""
        if not Trade.use_db:
            return LocalTrade.total_open_trades_stakes()
        # Few enough to add exactly, as in memory.
        return exact_sum(Trade.session.scalars(open_stakes_query()))

    @staticmethod
    def get_total_closed_profit() -> float:
        """Return the profit of all closed trades together, in stake currency."""
        if not Trade.use_db:
            return LocalTrade.get_total_closed_profit()
        return round(Trade.session.scalar(closed_profit_query()) or 0.0, PROFIT_DECIMALS)

    @staticmethod
    def get_open_trades_without_assigned_fees() -> Sequence["Trade"]:
        """Return the open trades with orders whose entry fee is not known."""
        return Trade.get_trades([Trade.is_open == true(), Trade.fee_open_currency.is_(None), Trade.orders.any()]).all()

    @staticmethod
    def get_closed_trades_without_assigned_fees() -> Sequence["Trade"]:
        """Return the closed trades with orders whose exit fee is not known."""
        return Trade.get_trades(
            [Trade.is_open == false(), Trade.fee_close_currency.is_(None), Trade.orders.any()]
        ).all()

    def to_json(self, minified: bool = False) -> dict[str, Any]:
        """Return the trade with its orders as JSON-ready values, see :meth:`LocalTrade.to_json`."""
        if type(self) is not Trade or any(type(order) is not Order for order in self.orders):
            # A bot's own trade or order may tell something else.
            return super().to_json(minified)
        twin = plain_trade(self.column_values(), (order.column_values() for order in self.orders))
        return trade_to_json(twin, minified=minified)

    def set_custom_data(self, key: str, value: Any) -> None:
        """Remember a value for this trade, in place of what the key had before.

        Raises:
            DependencyException: If the trade was never added to the session.
            InvalidValue: If the key is empty or too long.
        """
        CustomDataWrapper.set_custom_data(self._stored_id(), key, value)

    def get_custom_data_entry(self, key: str) -> LocalCustomData | None:
        """Return the entry of a key, None without one."""
        return next(iter(CustomDataWrapper.get_custom_data(trade_id=self._stored_id(), key=key)), None)

    def get_all_custom_data(self) -> list[LocalCustomData]:
        """Return all entries of this trade."""
        return list(CustomDataWrapper.get_custom_data(trade_id=self._stored_id()))

    def delete_custom_data(self, key: str | None = None) -> None:
        """Forget one key of this trade, or all of them."""
        CustomDataWrapper.delete_custom_data(self._stored_id(), key)

    def _stored_id(self) -> int:
        if self.id is None and CustomDataWrapper.use_db:
            if self not in Trade.session:
                msg = f"{self} has no id yet: add it to Trade.session before giving it custom data."
                raise DependencyException(msg)
            Trade.session.flush()
        return self.id

    def __copy__(self) -> Self:
        """Return another trade with the same values, and copies of the orders, which belong to one trade each."""
        twin = super().__copy__()
        twin.orders = [copy.copy(order) for order in self.orders]
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return an independent trade with the same values and orders that belongs to no session."""
        twin = super().__deepcopy__(memo)
        twin.orders = [copy.deepcopy(order, memo) for order in self.orders]
        return twin


_WHAT_IS_OPEN: Final = frozenset({"is_open", "pair", "is_short"})

# Whoever loads the mapped classes expects orders to be mapped ones, those of a trade read from JSON in memory included.
LocalTrade.order_class = Order
