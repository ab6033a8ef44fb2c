"""What a trade is: its fields, and what follows from them alone."""

from datetime import datetime

from tradestore._clock import as_utc, utc_now
from tradestore._record import CutText, FirstUse, PlainRecord
from tradestore.constants import DATETIME_FORMAT, PROFIT_DECIMALS, RECORD_VERSION, BuySell, LongShort


class TradeFields(PlainRecord):
    """The fields of a trade, with the defaults that every storage shares.

    Rates and money are in stake currency, amounts in base currency, fees and profits without ``_abs`` are ratios (0.01
    is 1 %); dates are UTC.
    """

    id: int = 0
    exchange: str = ""
    pair: str = ""
    base_currency: str | None = None
    stake_currency: str | None = None
    is_open: bool = True
    fee_open: float = 0.0
    fee_open_cost: float | None = None
    fee_open_currency: str | None = None
    fee_close: float = 0.0
    fee_close_cost: float | None = None
    fee_close_currency: str | None = None
    open_rate: float = 0.0
    open_rate_requested: float | None = None
    open_trade_value: float | None = None
    close_rate: float | None = None
    close_rate_requested: float | None = None
    realized_profit: float | None = 0.0
    close_profit: float | None = None
    close_profit_abs: float | None = None
    stake_amount: float = 0.0
    max_stake_amount: float | None = None
    amount: float = 0.0
    amount_requested: float | None = None
    open_date: datetime = FirstUse(utc_now)  # type: ignore[assignment]  # a descriptor stands for its value
    close_date: datetime | None = None
    stop_loss: float | None = 0.0
    stop_loss_pct: float | None = None
    initial_stop_loss: float | None = 0.0
    initial_stop_loss_pct: float | None = None
    is_stop_loss_trailing: bool = False
    max_rate: float | None = 0.0
    min_rate: float | None = None
    exit_reason: str | None = CutText()  # type: ignore[assignment]  # a descriptor stands for its value
    exit_order_status: str | None = None
    strategy: str | None = None
    enter_tag: str | None = CutText()  # type: ignore[assignment]  # a descriptor stands for its value
    timeframe: int | None = None
    trading_mode: str | None = None
    amount_precision: float | None = None
    price_precision: float | None = None
    precision_mode: int | None = None
    precision_mode_price: int | None = None
    contract_size: float | None = None
    leverage: float | None = 1.0
    is_short: bool = False
    liquidation_price: float | None = None
    interest_rate: float = 0.0
    funding_fees: float | None = None
    funding_fee_running: float | None = None
    record_version: int = RECORD_VERSION

    @property
    def entry_side(self) -> BuySell:
        """The side of the orders that enter."""
        return "sell" if self.is_short else "buy"

    @property
    def exit_side(self) -> BuySell:
        """The side of the orders that exit."""
        return "buy" if self.is_short else "sell"

    @property
    def trade_direction(self) -> LongShort:
        """Whether the trade gains with rising or with falling rates."""
        return "short" if self.is_short else "long"

    @property
    def has_no_leverage(self) -> bool:
        """Whether nothing is borrowed: a long without leverage."""
        return (self.leverage == 1.0 or self.leverage is None) and not self.is_short

    @property
    def has_open_position(self) -> bool:
        """Whether the trade still holds something."""
        return self.is_open and self.amount > 0

    @property
    def open_date_utc(self) -> datetime:
        """When the trade was opened, with its zone."""
        return as_utc(self.open_date)

    @property
    def close_date_utc(self) -> datetime | None:
        """When the trade was closed, with its zone."""
        return None if self.close_date is None else as_utc(self.close_date)

    @property
    def safe_base_currency(self) -> str:
        """The traded currency; from the pair where an old trade doesn't have it."""
        return self.base_currency or self.pair.partition("/")[0]

    @property
    def safe_quote_currency(self) -> str:
        """The stake currency; from the pair where an old trade doesn't have it."""
        return self.stake_currency or self.pair.partition("/")[2].partition(":")[0]

    @property
    def safe_close_rate(self) -> float:
        """The closing rate, or the one asked for, or 0.0."""
        return self.close_rate or self.close_rate_requested or 0.0

    @property
    def buy_tag(self) -> str | None:
        """Former name of ``enter_tag``."""
        return self.enter_tag

    @property
    def sell_reason(self) -> str | None:
        """Former name of ``exit_reason``."""
        return self.exit_reason

    def __repr__(self) -> str:
        """Return the trade in one line."""
        since = self.open_date_utc.strftime(DATETIME_FORMAT) if self.is_open else "closed"
        return (
            f"Trade(id={self.id}, pair={self.pair}, amount={_number_text(self.amount)}, "
            f"is_short={self.is_short or False}, leverage={_number_text(self.leverage or 1.0, 1)}, "
            f"open_rate={_number_text(self.open_rate)}, open_since={since})"
        )


def _number_text(number: float | None, decimals: int = PROFIT_DECIMALS) -> str:
    """Write a number without trailing zeros."""
    return "None" if number is None else f"{number:.{decimals}f}".rstrip("0").rstrip(".")
