"""Trades and orders in the database."""

import copy
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    ColumnElement,
    Enum,
    ForeignKey,
    ScalarResult,
    Select,
    String,
    UniqueConstraint,
    func,
    inspect,
    select,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import (
    InstrumentedAttribute,
    Mapped,
    mapped_column,
    raiseload,
    relationship,
    subqueryload,
    validates,
)

from tradestore._clock import utc_now
from tradestore._record import cut
from tradestore._reports import NO_TAG, mix_tag_query, performance_query, report_rows, volume_query
from tradestore._session import settle
from tradestore._sqltypes import Number, UtcDateTime
from tradestore.accounting.profit import ProfitStruct
from tradestore.base import TEXT_RULES, ModelBase
from tradestore.constants import (
    CURRENCY_LENGTH,
    ID_LENGTH,
    NAME_LENGTH,
    ORDER_TYPE_LENGTH,
    PAIR_LENGTH,
    TAG_LENGTH,
)
from tradestore.custom_data import CustomDataWrapper, _CustomData
from tradestore.enums import TradingMode
from tradestore.exceptions import DependencyException, InvalidOrder
from tradestore.local_custom_data import LocalCustomData
from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade

__all__ = ["LocalTrade", "Order", "ProfitStruct", "Trade", "UnpricedOrder"]

TradeFilter = Sequence[ColumnElement[bool]] | ColumnElement[bool] | None


class UnpricedOrder(InvalidOrder, IntegrityError):
    """An order that cannot be stored, since nobody told a price for it.

    It is an ``IntegrityError`` too: that is what the column without a value would have been answered with.
    """

    def __init__(self, order: LocalOrder) -> None:
        """Name the order."""
        self._message = (
            f"Order {order.order_id!r} ({order.ft_pair}) cannot be stored: no price is known for it. "
            "Pass the price that was asked for, as parse_from_ccxt_object(..., price=...) or as ft_price."
        )
        IntegrityError.__init__(self, None, None, ValueError(self._message))

    def __str__(self) -> str:
        """Return the message."""
        return self._message


class Order(ModelBase, LocalOrder):
    """One order on the exchange, and what became of it. See :class:`LocalOrder` for the meaning of the fields."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("ft_pair", "order_id", name="_order_pair_order_id"),
        TEXT_RULES,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ft_trade_id: Mapped[int] = mapped_column(ForeignKey("trades.id"), index=True)
    ft_order_side: Mapped[str] = mapped_column(String(PAIR_LENGTH))
    ft_pair: Mapped[str] = mapped_column(String(PAIR_LENGTH))
    ft_is_open: Mapped[bool] = mapped_column(default=True, index=True)
    ft_amount: Mapped[float] = mapped_column(Number)
    ft_price: Mapped[float] = mapped_column(Number)
    ft_cancel_reason: Mapped[str | None] = mapped_column(String(TAG_LENGTH))
    order_id: Mapped[str] = mapped_column(String(ID_LENGTH), index=True)
    status: Mapped[str | None] = mapped_column(String(TAG_LENGTH))
    symbol: Mapped[str | None] = mapped_column(String(PAIR_LENGTH))
    order_type: Mapped[str | None] = mapped_column(String(ORDER_TYPE_LENGTH))
    side: Mapped[str | None] = mapped_column(String(PAIR_LENGTH))
    price: Mapped[float | None] = mapped_column(Number)
    average: Mapped[float | None] = mapped_column(Number)
    amount: Mapped[float | None] = mapped_column(Number)
    filled: Mapped[float | None] = mapped_column(Number)
    remaining: Mapped[float | None] = mapped_column(Number)
    cost: Mapped[float | None] = mapped_column(Number)
    stop_price: Mapped[float | None] = mapped_column(Number)
    order_date: Mapped[datetime | None] = mapped_column(UtcDateTime, default=utc_now)
    order_filled_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    order_update_date: Mapped[datetime | None] = mapped_column(UtcDateTime)
    funding_fee: Mapped[float | None] = mapped_column(Number)
    ft_fee_base: Mapped[float | None] = mapped_column(Number)
    ft_order_tag: Mapped[str | None] = mapped_column(String(TAG_LENGTH))

    _trade_live: Mapped["Trade"] = relationship(back_populates="orders")

    def __init__(self, **values: Any) -> None:
        """Build an order from its fields."""
        LocalOrder.__init__(self, **{"ft_is_open": True} | values)

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
        if self.ft_price is not None:
            return
        value = self.cost / self.filled if self.cost and self.filled else None
        price = self.price or self.average or value or self.stop_price
        if not price:
            raise UnpricedOrder(self)
        self.ft_price = price

    @staticmethod
    def get_open_orders() -> Sequence["Order"]:
        """Return all orders that wait on the exchange."""
        return Order.session.scalars(select(Order).where(Order.ft_is_open).order_by(Order.id)).all()

    @staticmethod
    def order_by_id(order_id: str, pair: str | None = None) -> "Order | None":
        """Return the order with the exchange's id, None without one.

        Args:
            order_id: As the exchange gave it.
            pair: Exchanges may use an id once per pair; any pair if None.
        """
        query = select(Order).where(Order.order_id == str(order_id))
        if pair is not None:
            query = query.where(Order.ft_pair == pair)
        return Order.session.scalars(query.order_by(Order.id)).first()

    @classmethod
    def _persist(cls) -> None:
        if Trade.use_db:
            settle()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Order":
        """Return an independent order with the same values that belongs to no session."""
        twin: Order = _twin(self, memo)
        return twin


class Trade(ModelBase, LocalTrade):
    """One position in one pair, from its first entry to its last exit. See :class:`LocalTrade` for its rules.

    Attributes:
        use_db: Whether questions go to the database or to the trades in memory.
    """

    use_db: ClassVar[bool] = True
    order_class: ClassVar[type[LocalOrder]] = Order

    __tablename__ = "trades"
    __table_args__ = TEXT_RULES

    id: Mapped[int] = mapped_column(primary_key=True)
    exchange: Mapped[str] = mapped_column(String(PAIR_LENGTH))
    pair: Mapped[str] = mapped_column(String(PAIR_LENGTH), index=True)
    base_currency: Mapped[str | None] = mapped_column(String(CURRENCY_LENGTH))
    stake_currency: Mapped[str | None] = mapped_column(String(CURRENCY_LENGTH))
    is_open: Mapped[bool] = mapped_column(default=True, index=True)
    fee_open: Mapped[float] = mapped_column(Number, default=0.0)
    fee_open_cost: Mapped[float | None] = mapped_column(Number)
    fee_open_currency: Mapped[str | None] = mapped_column(String(CURRENCY_LENGTH))
    fee_close: Mapped[float] = mapped_column(Number, default=0.0)
    fee_close_cost: Mapped[float | None] = mapped_column(Number)
    fee_close_currency: Mapped[str | None] = mapped_column(String(CURRENCY_LENGTH))
    open_rate: Mapped[float] = mapped_column(Number)
    open_rate_requested: Mapped[float | None] = mapped_column(Number)
    open_trade_value: Mapped[float | None] = mapped_column(Number)
    close_rate: Mapped[float | None] = mapped_column(Number)
    close_rate_requested: Mapped[float | None] = mapped_column(Number)
    realized_profit: Mapped[float | None] = mapped_column(Number, default=0.0)
    close_profit: Mapped[float | None] = mapped_column(Number)
    close_profit_abs: Mapped[float | None] = mapped_column(Number)
    stake_amount: Mapped[float] = mapped_column(Number)
    max_stake_amount: Mapped[float | None] = mapped_column(Number)
    amount: Mapped[float] = mapped_column(Number)
    amount_requested: Mapped[float | None] = mapped_column(Number)
    open_date: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    close_date: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    stop_loss: Mapped[float | None] = mapped_column(Number, default=0.0)
    stop_loss_pct: Mapped[float | None] = mapped_column(Number)
    initial_stop_loss: Mapped[float | None] = mapped_column(Number, default=0.0)
    initial_stop_loss_pct: Mapped[float | None] = mapped_column(Number)
    is_stop_loss_trailing: Mapped[bool] = mapped_column(default=False)
    max_rate: Mapped[float | None] = mapped_column(Number, default=0.0)
    min_rate: Mapped[float | None] = mapped_column(Number)
    exit_reason: Mapped[str | None] = mapped_column(String(TAG_LENGTH))
    exit_order_status: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    strategy: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    enter_tag: Mapped[str | None] = mapped_column(String(TAG_LENGTH))
    timeframe: Mapped[int | None] = mapped_column()
    trading_mode: Mapped[TradingMode | None] = mapped_column(Enum(TradingMode))
    amount_precision: Mapped[float | None] = mapped_column(Number)
    price_precision: Mapped[float | None] = mapped_column(Number)
    precision_mode: Mapped[int | None] = mapped_column()
    precision_mode_price: Mapped[int | None] = mapped_column()
    contract_size: Mapped[float | None] = mapped_column(Number)
    leverage: Mapped[float | None] = mapped_column(Number, default=1.0)
    is_short: Mapped[bool] = mapped_column(default=False)
    liquidation_price: Mapped[float | None] = mapped_column(Number)
    interest_rate: Mapped[float] = mapped_column(Number, default=0.0)
    funding_fees: Mapped[float | None] = mapped_column(Number)
    funding_fee_running: Mapped[float | None] = mapped_column(Number)
    record_version: Mapped[int] = mapped_column(default=2)

    orders: Mapped[list[Order]] = relationship(
        order_by=Order.id, back_populates="_trade_live", cascade="all, delete-orphan", lazy="selectin"
    )
    custom_data: Mapped[list[_CustomData]] = relationship(cascade="all, delete-orphan")

    def __init__(self, **values: Any) -> None:
        """Build a trade from its fields; the defaults of the table hold at once, not only when it is stored."""
        LocalTrade.__init__(self, **_defaults() | values)

    @validates("enter_tag", "exit_reason")
    def _cut_text(self, _name: str, text: str | None) -> str | None:
        return cut(text)

    def delete(self) -> None:
        """Remove the trade with its orders and custom data, all or nothing."""
        Trade.session.delete(self)
        settle()

    @staticmethod
    def commit() -> None:
        """Store all changes. Within a transaction of ``Database`` they are written now and stored at its end.

        Raises:
            DatabaseBusy: If the database stayed locked; nothing was stored.
            CommitOutcomeUnknown: If the connection was lost while committing.
        """
        Trade._persist()

    @staticmethod
    def rollback() -> None:
        """Give up all changes that were not committed."""
        if Trade.use_db:
            Trade.session.rollback()

    @classmethod
    def _persist(cls) -> None:
        if Trade.use_db:
            settle()

    @staticmethod
    def get_trades_query(trade_filter: TradeFilter = None, include_orders: bool = True) -> Select[tuple["Trade"]]:
        """Return the query for the matching trades, to be ordered and cut by the caller.

        Args:
            trade_filter: SQL expressions on the columns, all of which must hold.
            include_orders: Whether orders are loaded too, with one more statement for all trades together.

        Raises:
            NotImplementedError: In memory mode.
        """
        if not Trade.use_db:
            return LocalTrade.get_trades_query()
        query = select(Trade).where(*_filters(trade_filter))
        if include_orders:
            return query.options(subqueryload(Trade.orders))
        # Bringing loaded trades up to date by this query would take away the orders that they have.
        return query.options(raiseload(Trade.orders)).execution_options(populate_existing=False)

    @staticmethod
    def get_trades(trade_filter: TradeFilter = None, include_orders: bool = True) -> ScalarResult["Trade"]:
        """Return the matching trades by id; arguments and errors as in :meth:`get_trades_query`."""
        return Trade.session.scalars(Trade.get_trades_query(trade_filter, include_orders).order_by(Trade.id))

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
            filters.append(Trade.is_open.is_(is_open))
        if open_date is not None:
            filters.append(Trade.open_date > open_date)
        if close_date is not None:
            filters += [Trade.is_open.is_(False), Trade.close_date > close_date]
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
        return Trade.session.scalar(select(func.count(Trade.id)).where(Trade.is_open)) or 0

    @staticmethod
    def total_open_trades_stakes() -> float:
        """Return the stakes of all open trades together, in stake currency."""
        if not Trade.use_db:
            return LocalTrade.total_open_trades_stakes()
        return Trade.session.scalar(select(func.sum(Trade.stake_amount)).where(Trade.is_open)) or 0.0

    @staticmethod
    def get_total_closed_profit() -> float:
        """Return the profit of all closed trades together, in stake currency."""
        if not Trade.use_db:
            return LocalTrade.get_total_closed_profit()
        total = select(func.sum(Trade.close_profit_abs)).where(Trade.is_open.is_(False))
        return Trade.session.scalar(total) or 0.0

    @staticmethod
    def get_open_trades_without_assigned_fees() -> Sequence["Trade"]:
        """Return the open trades with orders whose entry fee is not known."""
        return Trade.get_trades([Trade.is_open, Trade.fee_open_currency.is_(None), Trade.orders.any()]).all()

    @staticmethod
    def get_closed_trades_without_assigned_fees() -> Sequence["Trade"]:
        """Return the closed trades with orders whose exit fee is not known."""
        return Trade.get_trades(
            [Trade.is_open.is_(False), Trade.fee_close_currency.is_(None), Trade.orders.any()]
        ).all()

    @staticmethod
    def _generic_performance_query(
        columns: Sequence[InstrumentedAttribute[Any]],
        filters: Sequence[ColumnElement[bool]],
        fallback: str = "",
    ) -> Select[Any]:
        """Return the query that sums up trades by columns; see :func:`tradestore._reports.performance_query`."""
        return performance_query(columns, filters, fallback)

    @staticmethod
    def get_overall_performance(start_date: datetime | None = None) -> list[dict[str, Any]]:
        """Return what each pair brought, best profit first.

        Args:
            start_date: Only of trades closed since then (UTC).
        """
        filters = [Trade.is_open.is_(False)]
        if start_date is not None:
            filters.append(Trade.close_date >= start_date)
        rows = Trade._performance([Trade.pair], filters)
        return [
            {
                "pair": row["pair"],
                "profit_ratio": row["profit_ratio"],
                "profit": row["profit_pct"],
                "profit_pct": row["profit_pct"],
                "profit_abs": row["profit_abs"],
                "count": row["count"],
            }
            for row in rows
        ]

    @staticmethod
    def get_enter_tag_performance(pair: str | None) -> list[dict[str, Any]]:
        """Return what each entry tag brought, of one pair or of all, best profit first."""
        return Trade._performance([Trade.enter_tag], _closed(pair), NO_TAG)

    @staticmethod
    def get_exit_reason_performance(pair: str | None) -> list[dict[str, Any]]:
        """Return what each exit reason brought, of one pair or of all, best profit first."""
        return Trade._performance([Trade.exit_reason], _closed(pair), NO_TAG)

    @staticmethod
    def get_mix_tag_performance(pair: str | None) -> list[dict[str, Any]]:
        """Return what each entry tag and exit reason together brought, of one pair or of all, best profit first.

        The ratio of a group is the sum of its trades' ratios.
        """
        if not Trade.use_db:
            return LocalTrade.get_mix_tag_performance(pair)
        return report_rows(Trade.session.execute(mix_tag_query(_closed(pair))).all(), "mix_tag")

    @staticmethod
    def get_best_pair(trade_filter: TradeFilter = None) -> Any:
        """Return the row of the pair with the best profit, None without a closed trade.

        Args:
            trade_filter: Further SQL expressions on the columns; the caller's list stays as it is.

        Returns:
            A row of pair, profit ratio, profit in stake currency, and number of trades.
        """
        if not Trade.use_db:
            return LocalTrade.get_best_pair()
        filters = [Trade.is_open.is_(False), *_filters(trade_filter)]
        return Trade.session.execute(performance_query([Trade.pair], filters, "")).first()

    @staticmethod
    def get_trading_volume(trade_filter: TradeFilter = None) -> float:
        """Return what everything filled cost, in stake currency.

        Args:
            trade_filter: SQL expressions on the columns of trades; the caller's list stays as it is.
        """
        if not Trade.use_db:
            return LocalTrade.get_trading_volume()
        return Trade.session.scalar(volume_query(_filters(trade_filter))) or 0.0

    @staticmethod
    def _performance(
        columns: Sequence[InstrumentedAttribute[Any]],
        filters: Sequence[ColumnElement[bool]],
        fallback: str = "",
    ) -> list[dict[str, Any]]:
        if not Trade.use_db:
            return LocalTrade.get_overall_performance()
        rows = Trade.session.execute(performance_query(columns, filters, fallback)).all()
        return report_rows(rows, *(column.key for column in columns))

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

    def __deepcopy__(self, memo: dict[int, Any]) -> "Trade":
        """Return an independent trade with the same values and orders that belongs to no session."""
        twin: Trade = _twin(self, memo)
        if "orders" not in inspect(self).unloaded:
            twin.orders = [copy.deepcopy(order, memo) for order in self.orders]
        return twin


# Whoever loads the mapped classes expects orders to be mapped ones, those of a trade read from JSON in memory included.
LocalTrade.order_class = Order


def _defaults() -> dict[str, Any]:
    return {
        name: column.default.arg
        for name, column in inspect(Trade).columns.items()
        if column.default is not None and column.default.is_scalar
    }


def _twin(record: Any, memo: dict[int, Any]) -> Any:
    mapper = inspect(type(record))
    twin = mapper.class_manager.new_instance()
    memo[id(record)] = twin
    for name in mapper.columns.keys():
        setattr(twin, name, getattr(record, name))
    for name, value in record.__dict__.items():
        if name not in mapper.all_orm_descriptors and name != "_sa_instance_state":
            setattr(twin, name, copy.deepcopy(value, memo))
    return twin


def _filters(trade_filter: TradeFilter) -> Sequence[ColumnElement[bool]]:
    if trade_filter is None:
        return []
    return list(trade_filter) if isinstance(trade_filter, Sequence) else [trade_filter]


def _closed(pair: str | None) -> list[ColumnElement[bool]]:
    filters = [Trade.is_open.is_(False)]
    if pair is not None:
        filters.append(Trade.pair == pair)
    return filters
