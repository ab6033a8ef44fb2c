"""A trade's state as a fold over its fills: average price, stake, realised profit, funding.

Entries move the average price; exits leave at it and realise profit. The same fills give the same position on
every storage, since nothing but the fills and the trade's terms is looked at.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from tradestore._clock import as_utc
from tradestore.accounting._decimal import ONE, ZERO, add, divide, exact, multiply, with_exact_operators
from tradestore.accounting.interest import interest_on
from tradestore.accounting.profit import borrowed_amount, fee_factor, to_profit_decimals, value_at

__all__ = ["Effect", "Fill", "Loan", "Outcome", "Position", "Terms", "effects_of", "fold_fills", "outcome_of"]


class Loan(NamedTuple):
    """What a margin trade borrows on.

    Attributes:
        exchange: Decides the interest's rule.
        interest_rate: Ratio per period of that rule.
        begins_at: When the trade was opened (UTC).
        ends_at: When the loan ends for what is still held (UTC): the close date, or now.
    """

    exchange: str
    interest_rate: float
    begins_at: datetime
    ends_at: datetime


class Terms(NamedTuple):
    """What a trade was opened under.

    Attributes:
        is_short: Whether the trade sells first.
        leverage: 1.0 where there is none.
        trading_mode: Spot where None.
        fee_open: Ratio of the entry fee.
        fee_close: Ratio of the exit fee.
        loan: Of a margin trade; None in the other modes.
    """

    is_short: bool
    leverage: float
    trading_mode: str | None
    fee_open: float
    fee_close: float
    loan: Loan | None = None


class Fill(NamedTuple):
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
    """What the fills amount to. Money is in stake currency, and includes leverage unless it is called own.

    Attributes:
        amount: Still held, in base currency.
        stake: What it cost at the average price.
        own_stake: The part of it that is not borrowed.
        average_price: Of what is held; of the last holding once nothing is.
        entry_cost: Of all entries together, without fee.
        entry_value: Of all entries together, with the opening fee.
        own_entry_cost: The part of the entry cost that was not borrowed.
        funding_fees: Of all fills together.
        realized_profit: Of all exits together; None before the first exit.
        realized_of: What the entries before the latest exit cost, with the opening fee.
        last_exit_profit: Of the latest exit; None before the first.
    """

    amount: Decimal = ZERO
    stake: Decimal = ZERO
    own_stake: Decimal = ZERO
    average_price: Decimal = ZERO
    entry_cost: Decimal = ZERO
    entry_value: Decimal = ZERO
    own_entry_cost: Decimal = ZERO
    funding_fees: Decimal = ZERO
    realized_profit: Decimal | None = None
    realized_of: Decimal = ZERO
    last_exit_profit: Decimal | None = None

    def profit_ratio(self, leverage: float) -> float:
        """Return the realised profit as a ratio of what it cost to enter before, with leverage (0.01 is 1 %)."""
        if not self.realized_profit or not self.realized_of:
            return 0.0
        return float(multiply(divide(self.realized_profit, self.realized_of), exact(leverage)))


class Effect(NamedTuple):
    """What one fill changed, before anything is rounded. Money is in stake currency.

    Attributes:
        amount: Added or taken, in base currency; at most 0 where the fee took everything.
        funding_fees: Counted in the profit: of an exit, all since the exit before.
        interest: Of an exit on margin, in the currency of the loan.
        opened: What the part that an exit sold had cost, with the opening fee.
        closed: What the exit brought in (long) or cost (short), with fee, funding and interest.
        position: After the fill, with the funding fees of all fills so far.
    """

    amount: Decimal
    funding_fees: Decimal
    interest: Decimal
    opened: Decimal
    closed: Decimal
    position: Position


class Outcome(NamedTuple):
    """What fills amount to, as the floats that a trade keeps; see :class:`Position` for their meaning.

    Attributes:
        entry_fee: Of all entries together, in stake currency.
        funding_fees: Of all fills together, and since the last one.
    """

    amount: float
    average_price: float
    own_stake: float
    own_entry_cost: float
    entry_fee: float
    funding_fees: float
    realized_profit: float | None
    last_exit_profit: float | None
    profit_ratio: float


def fold_fills(fills: Iterable[Fill], terms: Terms) -> Position:
    """Walk the fills in order and return what they amount to.

    A fill of which the fee took everything adds nothing but its funding. An exit's profit contains the funding
    fees since the previous exit. Margin interest of an exit runs to its fill; of the one that ends the trade to the
    end of the loan.

    Args:
        fills: In the order in which they happened.
        terms: Of the trade.

    Raises:
        OperationalException: If the trading mode, or a margin trade's exchange, is unknown.
    """
    # Whoever makes the fills as we go must not find our context in force.
    return _fold(list(fills), terms, None)


def effects_of(fills: Iterable[Fill], terms: Terms) -> list[Effect]:
    """Walk the fills as :func:`fold_fills` does, and return what each of them changed.

    Args:
        fills: In the order in which they happened.
        terms: Of the trade.

    Raises:
        OperationalException: If the trading mode, or a margin trade's exchange, is unknown.
    """
    effects: list[Effect] = []
    _fold(list(fills), terms, effects)
    return effects


@with_exact_operators
def _fold(fills: Sequence[Fill], terms: Terms, effects: list[Effect] | None) -> Position:
    position = Position()
    opening, closing = fee_factor(terms.fee_open, not terms.is_short), fee_factor(terms.fee_close, terms.is_short)
    funding_since_exit = ZERO
    for fill in fills:
        is_entry, filled, fee_base, price, funding_fee, _ = fill
        if funding_fee:
            funding_since_exit += exact(funding_fee)
        amount = exact(filled)
        if fee_base:
            amount -= exact(fee_base)
        interest = opened = closed = counted = ZERO
        if amount <= ZERO:
            pass
        elif is_entry:
            _enter(position, amount, exact(price), opening)
        else:
            interest = (
                ZERO if terms.loan is None else _interest(position, amount, fill, fill is fills[-1], terms, terms.loan)
            )
            opened = amount * position.average_price * opening
            closed = value_at(
                amount, exact(price) * closing, terms.is_short, terms.trading_mode, interest, funding_since_exit
            )
            _leave(position, amount, to_profit_decimals(opened - closed if terms.is_short else closed - opened))
            position.funding_fees += funding_since_exit
            counted, funding_since_exit = funding_since_exit, ZERO
        if effects is not None:
            effects.append(
                Effect(amount, counted, interest, opened, closed, _seen(position, funding_since_exit, terms))
            )
    position.funding_fees += funding_since_exit
    _share_by_leverage(position, exact(terms.leverage))
    return position


def _seen(position: Position, funding_since_exit: Decimal, terms: Terms) -> Position:
    """Return the position as it would be if nothing followed."""
    seen = replace(position, funding_fees=position.funding_fees + funding_since_exit)
    _share_by_leverage(seen, exact(terms.leverage))
    return seen


def _enter(position: Position, amount: Decimal, price: Decimal, opening: Decimal) -> None:
    cost = amount * price
    if position.amount:
        position.amount += amount
        position.stake += cost
        if position.amount > ZERO:
            position.average_price = divide(position.stake, position.amount)
    else:
        position.amount, position.stake, position.average_price = amount, cost, price
    position.entry_cost += cost
    position.entry_value += cost * opening


def _leave(position: Position, amount: Decimal, profit: Decimal) -> None:
    position.amount -= amount
    position.stake = position.stake - amount * position.average_price if position.amount else ZERO
    position.realized_profit = profit if position.realized_profit is None else position.realized_profit + profit
    position.realized_of = position.entry_value
    position.last_exit_profit = profit


def _share_by_leverage(position: Position, leverage: Decimal) -> None:
    if leverage == ONE:
        position.own_stake, position.own_entry_cost = position.stake, position.entry_cost
    else:
        position.own_stake = divide(position.stake, leverage)
        position.own_entry_cost = divide(position.entry_cost, leverage)


def _interest(position: Position, amount: Decimal, fill: Fill, is_last: bool, terms: Terms, loan: Loan) -> Decimal:
    borrowed = borrowed_amount(amount, position.average_price, terms.leverage, is_short=terms.is_short)
    if not borrowed:
        return ZERO
    goes_on = position.amount > amount or not is_last
    until = loan.ends_at if fill.filled_at is None or not goes_on else as_utc(fill.filled_at)
    return interest_on(borrowed, loan.interest_rate, until - loan.begins_at, loan.exchange)


def outcome_of(position: Position, terms: Terms, funding_running: float) -> Outcome:
    """Return a position in floats.

    Args:
        position: What the fills amount to.
        terms: Of the trade.
        funding_running: Funding fees since the last fill, in stake currency.
    """
    realized, last = position.realized_profit, position.last_exit_profit
    return Outcome(
        amount=float(position.amount),
        average_price=float(position.average_price),
        own_stake=float(position.own_stake),
        own_entry_cost=float(position.own_entry_cost),
        # What is nothing is 0.0, not -0.0: a rebate on it, and a loss that rounds to it.
        entry_fee=float(multiply(exact(terms.fee_open), position.entry_cost)) + 0.0,
        funding_fees=float(add(position.funding_fees, exact(funding_running))),
        realized_profit=None if realized is None else float(realized) + 0.0,
        last_exit_profit=None if last is None else float(last) + 0.0,
        profit_ratio=position.profit_ratio(terms.leverage),
    )
