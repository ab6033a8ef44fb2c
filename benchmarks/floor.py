"""The floor of the memory path: bare slotted objects with float formulas, and the same names as the library's.

They go through the same events, set the same fields, and are as fast as objects in Python get. They are also wrong in
the last digits, check nothing, and know neither margin nor cancelled orders.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar, Self

__all__ = ["BareOrder", "BareTrade"]

# Takes back what a division of floats added or lost, before it is rounded to whole steps.
_FUZZ = 1e-9


class BareOrder:
    """An order with the fields that a backtest gives it."""

    __slots__ = (
        "_trade_bt",
        "amount",
        "average",
        "cost",
        "filled",
        "ft_is_open",
        "ft_order_side",
        "ft_order_tag",
        "ft_pair",
        "ft_trade_id",
        "funding_fee",
        "id",
        "order_date",
        "order_filled_date",
        "order_id",
        "order_type",
        "price",
        "remaining",
        "side",
        "status",
        "symbol",
    )

    def __init__(
        self,
        *,
        id: int,  # noqa: A002 - the field's name
        ft_trade_id: int,
        order_date: datetime,
        ft_is_open: bool,
        ft_pair: str,
        order_id: str,
        symbol: str,
        ft_order_side: str,
        side: str,
        order_type: str,
        status: str,
        price: float,
        average: float,
        amount: float,
        filled: float,
        remaining: float,
        cost: float,
        ft_order_tag: str | None,
    ) -> None:
        self.id = id
        self.ft_trade_id = ft_trade_id
        self.order_date = order_date
        self.ft_is_open = ft_is_open
        self.ft_pair = ft_pair
        self.order_id = order_id
        self.symbol = symbol
        self.ft_order_side = ft_order_side
        self.side = side
        self.order_type = order_type
        self.status = status
        self.price = price
        self.average = average
        self.amount = amount
        self.filled = filled
        self.remaining = remaining
        self.cost = cost
        self.ft_order_tag = ft_order_tag
        self.order_filled_date: datetime | None = None
        self.funding_fee = 0.0
        self._trade_bt: BareTrade | None = None

    def close_bt_order(self, close_date: datetime, trade: "BareTrade") -> None:
        self.order_filled_date = close_date
        self.filled = self.amount
        self.remaining = 0.0
        self.status = "closed"
        self.ft_is_open = False
        self.funding_fee, trade.funding_fee_running = trade.funding_fee_running, 0.0
        if self.ft_order_side == trade.entry_side:
            trade.recalc_trade_from_orders()

    def copy(self, trade: "BareTrade") -> "BareOrder":
        """Return the same order for the copy of its trade."""
        twin = object.__new__(BareOrder)
        twin._trade_bt = trade
        twin.id = self.id
        twin.ft_trade_id = self.ft_trade_id
        twin.order_date = self.order_date
        twin.ft_is_open = self.ft_is_open
        twin.ft_pair = self.ft_pair
        twin.order_id = self.order_id
        twin.symbol = self.symbol
        twin.ft_order_side = self.ft_order_side
        twin.side = self.side
        twin.order_type = self.order_type
        twin.status = self.status
        twin.price = self.price
        twin.average = self.average
        twin.amount = self.amount
        twin.filled = self.filled
        twin.remaining = self.remaining
        twin.cost = self.cost
        twin.ft_order_tag = self.ft_order_tag
        twin.order_filled_date = self.order_filled_date
        twin.funding_fee = self.funding_fee
        return twin


class BareTrade:
    """A trade with the fields that a backtest gives it or reads from it; its class keeps the lists of all trades."""

    bt_trades: ClassVar[list["BareTrade"]] = []
    bt_trades_open: ClassVar[list["BareTrade"]] = []
    bt_trades_open_pp: ClassVar[dict[str, list["BareTrade"]]] = defaultdict(list)
    bt_total_profit: ClassVar[float] = 0.0
    _closed_by_pair: ClassVar[dict[str, tuple[list[datetime], list["BareTrade"]]]] = defaultdict(lambda: ([], []))

    __slots__ = (
        "amount",
        "amount_precision",
        "amount_requested",
        "close_date",
        "close_profit",
        "close_profit_abs",
        "close_rate",
        "enter_tag",
        "entry_side",
        "exchange",
        "exit_order_status",
        "exit_reason",
        "fee_close",
        "fee_open",
        "fee_open_cost",
        "funding_fee_running",
        "funding_fees",
        "id",
        "initial_stop_loss",
        "initial_stop_loss_pct",
        "is_open",
        "is_short",
        "is_stop_loss_trailing",
        "leverage",
        "max_rate",
        "max_stake_amount",
        "min_rate",
        "open_date",
        "open_rate",
        "open_rate_requested",
        "open_trade_value",
        "orders",
        "pair",
        "precision_mode",
        "price_precision",
        "realized_profit",
        "stake_amount",
        "stop_loss",
        "stop_loss_pct",
        "trading_mode",
    )

    def __init__(
        self,
        *,
        id: int,  # noqa: A002 - the field's name
        pair: str,
        exchange: str,
        open_rate: float,
        open_rate_requested: float,
        open_date: datetime,
        stake_amount: float,
        amount: float,
        amount_requested: float,
        fee_open: float,
        fee_close: float,
        enter_tag: str | None,
        trading_mode: str,
        is_short: bool,
        leverage: float,
        amount_precision: float | None,
        price_precision: float | None,
        precision_mode: int | None,
        orders: list[BareOrder],
    ) -> None:
        self.id = id
        self.pair = pair
        self.exchange = exchange
        self.open_rate = open_rate
        self.open_rate_requested = open_rate_requested
        self.open_date = open_date
        self.stake_amount = stake_amount
        self.amount = amount
        self.amount_requested = amount_requested
        self.fee_open = fee_open
        self.fee_close = fee_close
        self.enter_tag = enter_tag
        self.trading_mode = trading_mode
        self.is_short = is_short
        self.leverage = leverage
        self.amount_precision = amount_precision
        self.price_precision = price_precision
        self.precision_mode = precision_mode
        self.orders = orders
        self.entry_side = "sell" if is_short else "buy"
        self.is_open = True
        self.open_trade_value = amount * open_rate * (1 - fee_open if is_short else 1 + fee_open)
        self.close_date: datetime | None = None
        self.close_rate: float | None = None
        self.exit_reason: str | None = None
        self.exit_order_status: str | None = None
        self.close_profit = self.close_profit_abs = self.realized_profit = 0.0
        self.max_stake_amount = self.fee_open_cost = self.funding_fees = self.funding_fee_running = 0.0
        self.stop_loss = self.initial_stop_loss = 0.0
        self.stop_loss_pct: float | None = None
        self.initial_stop_loss_pct: float | None = None
        self.is_stop_loss_trailing = False
        self.max_rate = self.min_rate = 0.0

    def recalc_trade_from_orders(self) -> None:
        """Walk over the filled orders: average price, stake, realised profit."""
        amount = stake = entry_cost = entry_value = funding_fees = profit = last_profit = funding = realized_of = 0.0
        opening = 1 - self.fee_open if self.is_short else 1 + self.fee_open
        closing = 1 + self.fee_close if self.is_short else 1 - self.fee_close
        has_exit = False
        for order in self.orders:
            if order.ft_is_open or not order.filled:
                continue
            price = order.average or order.price
            funding += order.funding_fee
            funding_fees += order.funding_fee
            if order.ft_order_side == self.entry_side:
                cost = order.filled * price
                amount += order.filled
                stake += cost
                entry_cost += cost
                entry_value += cost * opening
            else:
                average = stake / amount
                gain = order.filled * (price * closing - average * opening)
                last_profit = round((-gain if self.is_short else gain) + funding, 8)
                profit += last_profit
                amount -= order.filled
                stake -= order.filled * average
                realized_of = entry_value
                funding = 0.0
                has_exit = True
        amount = _down_to_step(amount, self.amount_precision)
        self.funding_fees = funding_fees + self.funding_fee_running
        self.max_stake_amount = entry_cost / self.leverage
        if has_exit:
            self.realized_profit = profit
            self.close_profit = profit / realized_of * self.leverage
            self.close_profit_abs = last_profit if self.is_open or amount > 0 else profit
        if amount > 0:
            self.amount = amount
            self.open_rate = _to_step(stake / amount, self.price_precision)
            self.stake_amount = stake / self.leverage
            self.fee_open_cost = entry_cost * self.fee_open
            self.open_trade_value = amount * self.open_rate * opening
            if self.stop_loss_pct is not None:
                self.adjust_stop_loss(self.open_rate, self.stop_loss_pct)

    def adjust_min_max_rates(self, current_price: float, current_price_low: float) -> None:
        self.max_rate = max(current_price, self.max_rate or self.open_rate)
        self.min_rate = min(current_price_low, self.min_rate or self.open_rate)

    def adjust_stop_loss(self, current_price: float, stoploss: float, initial: bool = False) -> None:
        if initial and self.stop_loss:
            return
        distance = abs(stoploss / self.leverage)
        if self.is_short:
            stop = _down_to_step(current_price * (1 + distance), self.price_precision)
        else:
            stop = _up_to_step(current_price * (1 - distance), self.price_precision)
        if self.initial_stop_loss_pct is None:
            self.stop_loss = self.initial_stop_loss = stop
            self.stop_loss_pct = self.initial_stop_loss_pct = -abs(stoploss)
        elif stop < self.stop_loss if self.is_short else stop > self.stop_loss:
            self.stop_loss = stop
            self.stop_loss_pct = -abs(stoploss)
            self.is_stop_loss_trailing = True

    def set_funding_fees(self, funding_fee: float) -> None:
        self.funding_fee_running = funding_fee
        self.funding_fees = sum([order.funding_fee for order in self.orders], funding_fee)

    def calc_close_trade_value(self, rate: float) -> float:
        if self.is_short:
            value = self.amount * rate * (1 + self.fee_close)
            return value - self.funding_fees if self.trading_mode == "futures" else value
        value = self.amount * rate * (1 - self.fee_close)
        return value + self.funding_fees if self.trading_mode == "futures" else value

    def calc_profit(self, rate: float) -> float:
        profit = self.calc_close_trade_value(rate) - self.open_trade_value
        return round(-profit if self.is_short else profit, 8)

    def calc_profit_ratio(self, rate: float) -> float:
        ratio = self.calc_close_trade_value(rate) / self.open_trade_value - 1
        return round((-ratio if self.is_short else ratio) * self.leverage, 8)

    def calculate_profit(self, rate: float) -> tuple[float, float, float, float]:
        """Return profit, ratio, total profit, total ratio."""
        profit = self.calc_close_trade_value(rate) - self.open_trade_value
        ratio = profit / self.open_trade_value * self.leverage
        if self.is_short:
            profit, ratio = -profit, -ratio
        total = profit + self.realized_profit
        staked = self.max_stake_amount * (1 - self.fee_open if self.is_short else 1 + self.fee_open)
        return round(profit, 8), round(ratio, 8), round(total, 8), round(total / staked, 8)

    def close(self, rate: float, *, show_msg: bool = False) -> None:
        self.close_rate = rate
        self.close_date = max(order.order_filled_date for order in self.orders if order.order_filled_date is not None)
        self.is_open = False
        self.exit_order_status = "closed"
        self.recalc_trade_from_orders()

    def copy(self) -> Self:
        """Return an independent copy, written out field by field."""
        twin = object.__new__(type(self))
        twin.id = self.id
        twin.pair = self.pair
        twin.exchange = self.exchange
        twin.open_rate = self.open_rate
        twin.open_rate_requested = self.open_rate_requested
        twin.open_date = self.open_date
        twin.stake_amount = self.stake_amount
        twin.amount = self.amount
        twin.amount_requested = self.amount_requested
        twin.fee_open = self.fee_open
        twin.fee_close = self.fee_close
        twin.enter_tag = self.enter_tag
        twin.trading_mode = self.trading_mode
        twin.is_short = self.is_short
        twin.leverage = self.leverage
        twin.amount_precision = self.amount_precision
        twin.price_precision = self.price_precision
        twin.precision_mode = self.precision_mode
        twin.orders = [order.copy(twin) for order in self.orders]
        twin.entry_side = self.entry_side
        twin.is_open = self.is_open
        twin.open_trade_value = self.open_trade_value
        twin.close_date = self.close_date
        twin.close_rate = self.close_rate
        twin.exit_reason = self.exit_reason
        twin.exit_order_status = self.exit_order_status
        twin.close_profit = self.close_profit
        twin.close_profit_abs = self.close_profit_abs
        twin.realized_profit = self.realized_profit
        twin.max_stake_amount = self.max_stake_amount
        twin.fee_open_cost = self.fee_open_cost
        twin.funding_fees = self.funding_fees
        twin.funding_fee_running = self.funding_fee_running
        twin.stop_loss = self.stop_loss
        twin.initial_stop_loss = self.initial_stop_loss
        twin.stop_loss_pct = self.stop_loss_pct
        twin.initial_stop_loss_pct = self.initial_stop_loss_pct
        twin.is_stop_loss_trailing = self.is_stop_loss_trailing
        twin.max_rate = self.max_rate
        twin.min_rate = self.min_rate
        return twin

    @classmethod
    def reset_trades(cls) -> None:
        cls.bt_trades.clear()
        cls.bt_trades_open.clear()
        cls.bt_trades_open_pp.clear()
        cls._closed_by_pair.clear()
        cls.bt_total_profit = 0.0

    @classmethod
    def add_bt_trade(cls, trade: "BareTrade") -> None:
        if trade.is_open:
            cls.bt_trades_open.append(trade)
            cls.bt_trades_open_pp[trade.pair].append(trade)
        else:
            cls._take_closed(trade)

    @classmethod
    def close_bt_trade(cls, trade: "BareTrade") -> None:
        cls.bt_trades_open.remove(trade)
        cls.bt_trades_open_pp[trade.pair].remove(trade)
        cls._take_closed(trade)
        cls.bt_total_profit += trade.close_profit_abs

    @classmethod
    def _take_closed(cls, trade: "BareTrade") -> None:
        cls.bt_trades.append(trade)
        dates, trades = cls._closed_by_pair[trade.pair]
        dates.append(trade.close_date or datetime.min.replace(tzinfo=UTC))
        trades.append(trade)

    @classmethod
    def closed_after(cls, pair: str, close_date: datetime) -> Sequence["BareTrade"]:
        """Return the trades of a pair that closed after a moment."""
        dates, trades = cls._closed_by_pair[pair]
        return trades[bisect_right(dates, close_date) :]


def _to_step(number: float, step: float | None) -> float:
    return number if step is None else round(math.floor(number / step + 0.5 + _FUZZ) * step, 12)


def _down_to_step(number: float, step: float | None) -> float:
    return number if step is None else round(math.floor(number / step + _FUZZ) * step, 12)


def _up_to_step(number: float, step: float | None) -> float:
    return number if step is None else round(math.ceil(number / step - _FUZZ) * step, 12)
