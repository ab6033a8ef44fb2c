"""A trade's state as a fold over its fills: average price, stake, realised profit, funding.

Entries move the average price; exits leave at it and realise profit. The same fills give the same position on
every storage, since nothing but the fills and the trade's terms is looked at.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tradestore.accounting._decimal import ZERO, add, divide, exact, multiply, subtract
from tradestore.accounting.interest import interest_on
from tradestore.accounting.profit import (
    borrowed_amount,
    close_value,
    open_value,
    profit_of,
    to_profit_decimals,
)
from tradestore.enums import TradingMode

__all__ = ["Fill", "Position", "Terms", "fold_fills"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a trade was opened under.

    Attributes:
        is_short: Whether the trade sells first.
        leverage: 1.0 where there is none.
        trading_mode: Spot where None.
        fee_open: Ratio of the entry fee.
        fee_close: Ratio of the exit fee.
        exchange: Decides the margin interest's rule.
        interest_rate: Ratio per period of that rule.
        opened_at: When the margin loan began (UTC).
        interest_until: When the loan ends for what is still held (UTC): the close date, or now.
    """

    is_short: bool
    leverage: float
    trading_mode: str | None
    fee_open: float
    fee_close: float
    exchange: str
    interest_rate: float
    opened_at: datetime
    interest_until: datetime


@dataclass(frozen=True, slots=True)
class Fill:
    """What one order did.

    Attributes:
        is_entry: Whether it added to the position.
        amount: Filled, in base currency.
        fee_base: Part of it that went as fee, in base currency.
        price: Average price in stake currency.
        funding_fee: Stake currency; positive where it was received.
        filled_at: UTC, None where unknown.
    """

    is_entry: bool
    amount: float
    fee_base: float
    price: float
    funding_fee: float
    filled_at: datetime | None


@dataclass(slots=True)
class Position:
    """What the fills amount to. Money is in stake currency and includes leverage.

    Attributes:
        amount: Still held, in base currency.
        stake: What it cost at the average price.
        average_price: Of what is held; of the last holding once nothing is.
        entry_cost: Of all entries together, without fee.
        entry_value: Of all entries together, with the opening fee.
        funding_fees: Of all fills together.
        realized_profit: Of all exits together; None before the first exit.
        realized_of: What the entries before the latest exit cost, with the opening fee.
        last_exit_profit: Of the latest exit; None before the first.
    """

    amount: Decimal = ZERO
    stake: Decimal = ZERO
    average_price: Decimal = ZERO
    entry_cost: Decimal = ZERO
    entry_value: Decimal = ZERO
    funding_fees: Decimal = ZERO
    realized_profit: Decimal | None = None
    realized_of: Decimal = ZERO
    last_exit_profit: Decimal | None = None

    def profit_ratio(self, leverage: float) -> float:
        """Return the realised profit as a ratio of what it cost to enter before, with leverage (0.01 is 1 %)."""
        if not self.realized_profit or not self.realized_of:
            return 0.0
        return float(multiply(divide(self.realized_profit, self.realized_of), exact(leverage)))


def fold_fills(fills: Iterable[Fill], terms: Terms) -> Position:
    """Walk the fills in order and return what they amount to.

    A fill of which the fee took everything adds nothing but its funding. An exit's profit contains the funding
    fees since the previous exit. Margin interest of an exit runs to its fill; of the one that ends the trade to
    ``terms.interest_until``.

    Args:
        fills: In the order in which they happened.
        terms: Of the trade.

    Raises:
        OperationalException: If the trading mode, or a margin trade's exchange, is unknown.
    """
    position = Position()
    funding_since_exit = ZERO
    walk = list(fills)
    for fill in walk:
        if fill.funding_fee:
            funding = exact(fill.funding_fee)
            funding_since_exit = add(funding_since_exit, funding)
            position.funding_fees = add(position.funding_fees, funding)
        amount = subtract(exact(fill.amount), exact(fill.fee_base))
        if amount <= 0:
            continue
        if fill.is_entry:
            _enter(position, amount, exact(fill.price), terms)
        else:
            until = _interest_until(fill, position.amount > amount or fill is not walk[-1], terms)
            _exit(position, amount, fill.price, funding_since_exit, until, terms)
            funding_since_exit = ZERO
    return position


def _enter(position: Position, amount: Decimal, price: Decimal, terms: Terms) -> None:
    cost = multiply(amount, price)
    position.amount = add(position.amount, amount)
    position.stake = add(position.stake, cost)
    if position.amount > 0:
        position.average_price = divide(position.stake, position.amount)
    position.entry_cost = add(position.entry_cost, cost)
    value = open_value(amount, price, terms.fee_open, is_short=terms.is_short)
    position.entry_value = add(position.entry_value, value)


def _interest_until(fill: Fill, goes_on: bool, terms: Terms) -> datetime:
    return fill.filled_at if goes_on and fill.filled_at is not None else terms.interest_until


def _exit(position: Position, amount: Decimal, price: float, funding: Decimal, until: datetime, terms: Terms) -> None:
    left = subtract(position.amount, amount)
    profit = _exit_profit(amount, exact(price), position.average_price, funding, until, terms)
    position.amount = left
    position.stake = subtract(position.stake, multiply(amount, position.average_price)) if left else ZERO
    position.realized_profit = add(position.realized_profit or ZERO, profit)
    position.realized_of = position.entry_value
    position.last_exit_profit = profit


def _exit_profit(
    amount: Decimal, rate: Decimal, average_price: Decimal, funding: Decimal, until: datetime, terms: Terms
) -> Decimal:
    interest = ZERO
    if terms.trading_mode == TradingMode.MARGIN:
        loan = borrowed_amount(amount, average_price, terms.leverage, is_short=terms.is_short)
        if loan:
            interest = interest_on(loan, terms.interest_rate, until - terms.opened_at, terms.exchange)
    closed = close_value(
        amount,
        rate,
        terms.fee_close,
        is_short=terms.is_short,
        trading_mode=terms.trading_mode,
        interest=interest,
        funding_fees=funding,
    )
    opened = open_value(amount, average_price, terms.fee_open, is_short=terms.is_short)
    return to_profit_decimals(profit_of(opened, closed, is_short=terms.is_short))
