"""Trades without a database: the life cycle that backtests and the mapped :class:`Trade` share."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

from tradestore._book import BookView, TradeBook
from tradestore._clock import utc_now
from tradestore._database_only import DatabaseOnly
from tradestore._trade_explanation import explain_trade
from tradestore._trade_json import read_trade, trade_to_json
from tradestore._trade_orders import TradeOrders
from tradestore._trade_profit import TradeProfit
from tradestore._trade_stops import TradeStops
from tradestore.accounting._decimal import exact_sum
from tradestore.accounting.explanation import TradeExplanation
from tradestore.accounting.fills import Fill, Loan, Outcome, Terms, fold_fills, outcome_of
from tradestore.accounting.precision import amount_to_contract_precision, price_to_precision
from tradestore.accounting.unit_fold import Row, fold_units
from tradestore.constants import AMOUNT_TOLERANCE, RECORD_VERSION
from tradestore.enums import ExitType, TradingMode
from tradestore.exceptions import OperationalException
from tradestore.local_custom_data import CustomDataBook, LocalCustomData
from tradestore.local_order import LocalOrder

__all__ = ["LocalTrade"]

logger = logging.getLogger(__name__)

_BOOK = TradeBook()
_CUSTOM_DATA = CustomDataBook()

_MARGIN = TradingMode.MARGIN


class LocalTrade(TradeOrders, TradeProfit, TradeStops, DatabaseOnly):
    """A trade in memory: one position in one pair, from its first entry to its last exit."""

    use_db: ClassVar[bool] = False
    order_class: ClassVar[type[LocalOrder]] = LocalOrder

    book: ClassVar[TradeBook] = _BOOK
    custom_data_book: ClassVar[CustomDataBook] = _CUSTOM_DATA
    bt_trades: ClassVar[BookView[list["LocalTrade"]]] = BookView(_BOOK, "closed")
    bt_trades_open: ClassVar[BookView[list["LocalTrade"]]] = BookView(_BOOK, "open")
    bt_trades_open_pp: ClassVar[BookView[dict[str, list["LocalTrade"]]]] = BookView(_BOOK, "open_by_pair")
    bt_open_open_trade_count: ClassVar[BookView[int]] = BookView(_BOOK, "open_count")
    bt_total_profit: ClassVar[BookView[float]] = BookView(_BOOK, "total_profit")

    def __init__(self, **values: Any) -> None:
        """Build a trade from its fields.

        Raises:
            TypeError: If a keyword is no field of a trade.
            OperationalException: If the trade is on margin and has no ``interest_rate``.
            InvalidValue: If amount, rate or fee is not a finite number.
        """
        if values.get("trading_mode") == _MARGIN and values.get("interest_rate") is None:
            msg = f"The margin trade in {values.get('pair')} needs an interest_rate: pass 0.0 if nothing is charged."
            raise OperationalException(msg)
        if values.get("open_date") is None:
            values["open_date"] = utc_now()
        # A list of its own: the caller may use theirs again.
        orders = values["orders"] = list(values.get("orders") or ())
        defaults = self.column_defaults()
        self._take_fields({**defaults, **values} if defaults else values)
        for order in orders:
            order.belong_to(self)
        if self.open_trade_value is None and values.get("amount") is not None and values.get("open_rate") is not None:
            self.recalc_open_trade_value()

    @classmethod
    def column_defaults(cls) -> Mapping[str, Any]:
        """Return what the fields of a new trade hold besides the defaults of the class."""
        return {}

    def update_order(self, order: dict[str, Any]) -> None:
        """Update whichever order of the trade an exchange's answer is about; store the change.

        Args:
            order: A unified order dict. Anything else, and an unknown order, is logged and changes nothing.
        """
        self.order_class.update_orders(self.orders, order)

    def update_trade(self, order: LocalOrder, recalculating: bool = False) -> None:
        """Take what an order did into the trade's state, and store it.

        An order that still waits, that ended without a fill, or that has no price changes nothing.

        Args:
            order: One of the trade's orders.
            recalculating: Whether history is gone through again: then an exit that is larger than the position does not
                close the trade.

        Raises:
            ValueError: If the order is neither entry, exit nor stop loss.
        """
        price = order.safe_price
        if order.ft_is_open or not order.filled or price is None:
            return
        side = order.ft_order_side
        if side not in {"buy", "sell", "stoploss"}:
            msg = f"Unknown order type: {order.order_type} with side {side!r}; expected buy, sell or stoploss."
            raise ValueError(msg)
        if order.funding_fee is None:
            order.funding_fee, self.funding_fee_running = self.funding_fee_running or 0.0, 0.0
        if side == self.entry_side:
            self._take_entry(order, price, recalculating)
            self._tell_fill(order)
        else:
            self._tell_fill(order)
            self._take_exit(order, price, recalculating)
        self.persist()

    def _tell_fill(self, order: LocalOrder) -> None:
        kind, side = (order.order_type or "").upper(), order.ft_order_side or ""
        what = f"{kind} is hit" if side == "stoploss" else f"{kind}_{side.upper()} has been fulfilled"
        # As it is now: whoever formats the record later would show what became of the trade since.
        logger.info("%s for %s.", what, str(self))

    def _take_entry(self, order: LocalOrder, price: float, recalculating: bool) -> None:
        if self.is_open:
            self.open_rate, self.amount = price, max(0.0, order.safe_amount_after_fee)
            self.recalc_open_trade_value()
        elif not recalculating:
            logger.warning("Order %s entered %s, which is closed: nobody looks after it.", order.order_id, str(self))
        self.recalc_trade_from_orders()

    def _take_exit(self, order: LocalOrder, price: float, recalculating: bool) -> None:
        if order.ft_order_side == "stoploss":
            self.close_rate_requested = self.stop_loss
            self.exit_reason = ExitType.STOPLOSS_ON_EXCHANGE.value
        sold, held = self._to_contracts(order.safe_amount_after_fee), self._to_contracts(self.amount)
        takes_all = abs(sold - held) < AMOUNT_TOLERANCE or (sold > held and not recalculating)
        if self.is_open and takes_all and not self._has_counted(order, held):
            self.close(price)
        else:
            self.recalc_trade_from_orders()

    def _has_counted(self, order: LocalOrder, held: float) -> bool:
        """Tell whether an exit is taken in again: what is held is then what the orders leave, itself among them."""
        if self.close_profit is None or not any(each is order for each in self.orders):
            return False
        return held > 0 and abs(self._to_contracts(self._fold().amount) - held) < AMOUNT_TOLERANCE

    def _to_contracts(self, amount: float) -> float:
        return amount_to_contract_precision(amount, self.amount_precision, self.precision_mode, self.contract_size)

    def close(self, rate: float, *, show_msg: bool = True) -> None:
        """Close the trade and book its profit. A trade that is closed already stays as it is.

        Args:
            rate: Closing rate in stake currency.
            show_msg: Whether to log it.
        """
        if not self.is_open:
            logger.warning("%s is closed already: close(%s) changes nothing.", str(self), rate)
            return
        self.close_rate = rate
        self.close_date = self.close_date or self.last_filled_date or utc_now()
        self.is_open = False
        self.exit_order_status = "closed"
        self.recalc_trade_from_orders(is_closing=True)
        if show_msg:
            logger.info("%s was closed at %s.", str(self), rate)

    def recalc_trade_from_orders(self, *, is_closing: bool = False) -> None:
        """Derive the trade's state from its filled orders.

        Args:
            is_closing: Whether the trade is being closed: then its profit covers all exits together, as it does for a
                trade that is closed already.
        """
        is_closing = is_closing or not self.is_open
        outcome = self._fold()
        amount = outcome.amount if self.amount_precision is None else self._to_contracts(outcome.amount)
        self.funding_fees = outcome.funding_fees
        self.max_stake_amount = outcome.own_entry_cost
        if self.record_version != RECORD_VERSION:
            # Else a later start, or another layer's, would take the leverage out of it once more.
            self.record_version = RECORD_VERSION
        if outcome.realized_profit is not None:
            self.realized_profit = outcome.realized_profit
            self.close_profit = outcome.profit_ratio
            whole_trade = is_closing and amount <= 0
            self.close_profit_abs = outcome.realized_profit if whole_trade else outcome.last_exit_profit
        if amount > 0:
            self._hold(outcome, amount)

    def _fold(self) -> Outcome:
        fills, terms, running = self._fills(), self._terms(), self.funding_fee_running or 0.0
        outcome = fold_units(fills, terms, running)
        return outcome or outcome_of(fold_fills(map(Fill._make, fills), terms), terms, running)

    def _hold(self, outcome: Outcome, amount: float) -> None:
        self.amount = amount
        self.open_rate = outcome.average_price
        if self.price_precision is not None:
            self.open_rate = price_to_precision(outcome.average_price, self.price_precision, self._price_mode)
        self.stake_amount = outcome.own_stake
        self.fee_open_cost = outcome.entry_fee
        self.recalc_open_trade_value()
        if self.stop_loss_pct is not None:
            self.adjust_stop_loss(self.open_rate, self.stop_loss_pct)

    def _fills(self) -> list[Row]:
        """Return the values of a :class:`Fill` for each order that counts."""
        entry_side = self.entry_side
        return [
            (
                order.ft_order_side == entry_side,
                order.filled,
                order.ft_fee_base or 0.0,
                price,
                order.funding_fee or 0.0,
                order.order_filled_date,
            )
            for order in self.orders
            if order.filled
            and not order.ft_is_open
            and (price := order.average or order.price or order.stop_price or order.ft_price) is not None
        ]

    def _terms(self) -> Terms:
        mode = self.trading_mode
        loan = None
        if mode == _MARGIN:
            loan = Loan(self.exchange, self.interest_rate, self.open_date_utc, self.close_date_utc or utc_now())
        return Terms(self.is_short, self.leverage or 1.0, mode, self.fee_open or 0.0, self.fee_close or 0.0, loan)

    def explain(self) -> TradeExplanation:
        """Return what each filled order did to the trade, with the exact numbers, their rounding, and the totals.

        Raises:
            OperationalException: If the trading mode, a precision mode or a margin trade's exchange is unknown.
        """
        return explain_trade(self, list(map(Fill._make, self._fills())), self._terms(), self._price_mode)

    def take_backtest_fill(self, order: LocalOrder) -> None:
        """Take in an order that a backtest just filled; :meth:`LocalOrder.close_bt_order` calls it."""
        order.funding_fee, self.funding_fee_running = self.funding_fee_running, 0.0
        if order.ft_order_side != self.entry_side:
            return
        self.recalc_trade_from_orders()
        if self.stop_loss_pct is not None and self.nr_of_successful_entries == 1:
            self.initial_stop_loss_pct = None
            self.is_stop_loss_trailing = False
            self.adjust_stop_loss(self.open_rate, self.stop_loss_pct)

    def update_fee(self, fee_cost: float, fee_currency: str | None, fee_rate: float | None, side: str) -> None:
        """Note the fee that the exchange charged, once per side.

        Args:
            fee_cost: In the fee's currency.
            fee_currency: Name of that currency.
            fee_rate: Ratio, None where unknown. Of an entry it is also the guess for an exit that is still unknown.
            side: ``buy`` or ``sell``; others are ignored, ``stoploss`` too: pass the side on which the order traded.
        """
        if side == self.entry_side and not self.fee_open_currency:
            self.fee_open_cost, self.fee_open_currency = fee_cost, fee_currency
            if fee_rate is not None:
                self.fee_open = fee_rate
                if not self.fee_close_currency:
                    self.fee_close = fee_rate
        elif side == self.exit_side and not self.fee_close_currency:
            self.fee_close_cost, self.fee_close_currency = fee_cost, fee_currency
            if fee_rate is not None:
                self.fee_close = fee_rate

    def fee_updated(self, side: str) -> bool:
        """Tell whether the fee of a side is known."""
        if side == self.entry_side:
            return bool(self.fee_open_currency)
        return side == self.exit_side and bool(self.fee_close_currency)

    def set_funding_fees(self, funding_fee: float | None) -> None:
        """Set the funding fee since the last fill, in stake currency (positive where received); None is ignored."""
        if funding_fee is None:
            return
        self.funding_fee_running = funding_fee
        self.funding_fees = exact_sum([*(fee for _, _, _, _, fee, _ in self._fills()), funding_fee])

    @classmethod
    def stoploss_reinitialization(cls, desired_stoploss: float) -> None:
        """Set the stop loss of every open trade anew after the strategy's stop loss changed, and store it.

        Trades whose stop loss already trails are left alone.

        Args:
            desired_stoploss: Loss ratio of the stake (-0.1 is 10 %).
        """
        for trade in cls.get_open_trades():
            if trade.is_stop_loss_trailing or trade.initial_stop_loss_pct == desired_stoploss:
                continue
            trade.stop_loss = 0.0
            trade.initial_stop_loss_pct = None
            trade.adjust_stop_loss(trade.open_rate, desired_stoploss)
        cls.persist()

    def to_json(self, minified: bool = False) -> dict[str, Any]:
        """Return the trade with its orders as JSON-ready values.

        Args:
            minified: Orders carry only what a backtest's result needs.
        """
        return trade_to_json(self, minified=minified)

    @classmethod
    def from_json(cls, json_str: str) -> Self:
        """Build a trade from the text of :meth:`to_json`, without computing anything anew.

        Raises:
            KeyError: If a field is missing that no trade can be without.
        """
        fields, orders = read_trade(json_str)
        trade = cls(**fields)
        for order_fields in orders:
            order = cls.order_class(**order_fields)
            trade.orders.append(order)
            order.belong_to(trade)
        return trade

    def set_custom_data(self, key: str, value: Any) -> None:
        """Remember a value for this trade, in place of what the key had before."""
        self.custom_data_book.store(self.id, key, value)

    def get_custom_data(self, key: str, default: Any = None) -> Any:
        """Return what was remembered under a key, or the default if nothing was."""
        entry = self.get_custom_data_entry(key)
        return default if entry is None else entry.value

    def get_custom_data_entry(self, key: str) -> LocalCustomData | None:
        """Return the entry of a key, None without one."""
        return next(iter(self.custom_data_book.select(self.id, key)), None)

    def get_all_custom_data(self) -> list[LocalCustomData]:
        """Return all entries of this trade."""
        return self.custom_data_book.select(self.id)

    @property
    def custom_data(self) -> Sequence[LocalCustomData]:
        """All entries of this trade."""
        return self.get_all_custom_data()

    def delete_custom_data(self, key: str | None = None) -> None:
        """Forget one key of this trade, or all of them."""
        self.custom_data_book.delete(self.id, key)

    @classmethod
    def persist(cls) -> None:
        """Store the change: nothing to do in memory, where every change is already kept."""

    @staticmethod
    def commit() -> None:
        """Do nothing: in memory every change is already kept."""

    @staticmethod
    def rollback() -> None:
        """Do nothing: in memory nothing is pending."""

    @staticmethod
    def reset_trades() -> None:
        """Forget all trades in memory."""
        _BOOK.clear()

    @staticmethod
    def add_bt_trade(trade: "LocalTrade") -> None:
        """Take a trade into memory, open or closed."""
        _BOOK.add(trade)

    @staticmethod
    def close_bt_trade(trade: "LocalTrade") -> None:
        """Move a trade that was closed to the closed ones."""
        _BOOK.close(trade)

    @staticmethod
    def remove_bt_trade(trade: "LocalTrade") -> None:
        """Forget an open trade, as after a cancelled entry."""
        _BOOK.remove(trade)

    @staticmethod
    def get_trades_proxy(
        *,
        pair: str | None = None,
        is_open: bool | None = None,
        open_date: datetime | None = None,
        close_date: datetime | None = None,
    ) -> Sequence["LocalTrade"]:
        """Return the matching trades by id; works in memory and with a database.

        Args:
            pair: Of this pair only.
            is_open: Only open or only closed ones.
            open_date: Only those opened later (UTC).
            close_date: Only those closed later (UTC), which open ones never are.
        """
        return _BOOK.select(pair=pair, is_open=is_open, open_date=open_date, close_date=close_date)

    @staticmethod
    def get_open_trades() -> Sequence["LocalTrade"]:
        """Return all open trades by id."""
        return _BOOK.select(is_open=True)

    @staticmethod
    def get_closed_trades() -> Sequence["LocalTrade"]:
        """Return all closed trades by id."""
        return _BOOK.select(is_open=False)

    @staticmethod
    def get_open_trade_count() -> int:
        """Return how many trades are open."""
        return _BOOK.open_count

    @staticmethod
    def total_open_trades_stakes() -> float:
        """Return the stakes of all open trades together, in stake currency."""
        return exact_sum(trade.stake_amount for trade in _BOOK.open)

    @staticmethod
    def get_total_closed_profit() -> float:
        """Return the profit of all closed trades together, in stake currency."""
        return exact_sum(trade.close_profit_abs for trade in _BOOK.closed)
